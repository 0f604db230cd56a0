"""GET /v1/models, /v1beta/models and one model of them: what the key's group and list let it use."""

from functools import partial
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.link import KeyRecord
from yescale.gateway import admission, answers, catalogues, group_choice
from yescale.gateway.admission import Credentials
from yescale.gateway.catalogues import Shape, Stand
from yescale.gateway.keys import Unavailable
from yescale.gateway.relay.relay import Relay
from yescale.gateway.surfaces import Surface
from yescale.protocols import anthropic_messages
from yescale.wire.server import Exchange

_ANTHROPIC: Final = b"anthropic-version"
_JSON: Final = msgspec.json.Encoder()


class Listing:
    """One request for the list, or for one model of it."""

    __slots__ = ("_asked", "_credentials", "_exchange", "_id", "_relay", "_surface")

    def __init__(self, relay: Relay, exchange: Exchange, surface: Surface, asked: bytes) -> None:
        self._relay = relay
        self._exchange = exchange
        self._surface = surface
        self._asked = unquote_to_bytes(asked).decode(errors="replace")
        self._id = relay.ids.mint()
        self._credentials: Credentials | None = None

    def open(self) -> None:
        """The head is here; there is no body to wait for."""
        self._exchange.listener = self
        credentials = admission.find_credentials(self._exchange, self._surface)
        if isinstance(credentials, Fault):
            self._refuse(credentials)
            return
        self._credentials = credentials
        self._relay.keys.find(credentials.key, self._key_found)

    def receive(self) -> None:
        """A body of a GET means nothing."""

    def client_gone(self) -> None:
        """Nothing to undo."""

    def client_paused(self) -> None:
        """The answer is written whole."""

    def client_resumed(self) -> None:
        """The answer is written whole."""

    def _key_found(self, found: KeyRecord | Unavailable | None) -> None:
        if found is None or isinstance(found, Unavailable) or self._credentials is None:
            self._refuse(faults.INVALID_KEY if found is None else faults.UNAVAILABLE)
            return
        now_s = self._relay.clock.wall_ms() // 1_000
        fault = admission.check_key(found, self._credentials, self._exchange.peer, now_s)
        answer = fault or self._answer(found)
        if isinstance(answer, Fault):
            self._refuse(answer)
        else:
            self._exchange.respond(200, answers.head(self._id.encode()), answer)

    def _answer(self, key: KeyRecord) -> bytes | Fault:
        relay, shape = self._relay, self._shape()
        table, now = relay.table, relay.now()
        group_of = partial(group_choice.group_of, key, table)
        stand = Stand(table=table, group_of=group_of, rests=lambda channel: relay.health.resting(channel, now))
        if not self._asked:
            found = (table.model(ModelName(name)) for name in admission.visible_models(key, table))
            page = catalogues.read_page(self._exchange.query)
            if isinstance(page, Fault):
                return page
            return _JSON.encode(shape.all([model for model in found if model is not None], stand, page))
        name = ModelName(self._asked)
        model = table.model(name)
        if (
            model is None
            or not any(table.tiers(group, name) for group in key.groups or (key.group,))
            or not admission.may_use(key, name)
        ):
            return admission.not_found(name, key, table)
        return _JSON.encode(shape.one(model, stand))

    def _shape(self) -> Shape:
        """Anthropic's clients ask the same path as OpenAI's, with a header of their own."""
        if self._exchange.header(_ANTHROPIC) is not None:
            return catalogues.ANTHROPIC
        return self._surface.listing

    def _refuse(self, fault: Fault) -> None:
        anthropic = self._exchange.header(_ANTHROPIC) is not None
        form = anthropic_messages.MESSAGES if anthropic else self._surface.format
        answers.refuse(self._exchange, fault, form, self._id)
