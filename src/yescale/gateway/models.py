"""GET /v1/models and /v1/models/{id}: what the key's group and list let it use, with OpenAI's fields and some more."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.link import KeyRecord
from yescale.domain.money import NANO_PER_USD, RATIO_ONE
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import Model
from yescale.gateway import admission, answers
from yescale.gateway.admission import Credentials
from yescale.gateway.keys import Unavailable
from yescale.gateway.relay.relay import Relay
from yescale.gateway.surfaces import Surface
from yescale.routing.table import Table
from yescale.wire.server import Exchange

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
        table = self._relay.table
        if not self._asked:
            found = (table.model(ModelName(name)) for name in admission.visible_models(key, table))
            data = [describe(model, table, key.group) for model in found if model is not None]
            return _JSON.encode({"object": "list", "success": True, "data": data})
        name = ModelName(self._asked)
        model = table.model(name)
        if model is None or not table.tiers(key.group, name) or (key.models is not None and name not in key.models):
            return admission.not_found(name, key, table)
        return _JSON.encode(describe(model, table, key.group))

    def _refuse(self, fault: Fault) -> None:
        answers.refuse(self._exchange, fault, self._surface.format, self._id)


def describe(model: Model, table: Table, group: str) -> dict[str, object]:
    """One entry: OpenAI's four fields, and what else a client would ask for. Prices are before the group's ratio."""
    known = table.group(group)
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": model.owner,
        "context_length": model.context_window or None,
        "max_output_tokens": model.max_output or None,
        "input_modalities": model.input_modalities,
        "output_modalities": model.output_modalities,
        "operations": model.operations,
        "prices": _prices(table.book.rules(model.priced_as)),
        "group_ratio": _decimal(RATIO_ONE if known is None else known.ratio, RATIO_ONE),
    }


def _prices(rules: Iterable[PriceRule]) -> list[dict[str, object]]:
    return [
        {
            "meter": rule.meter,
            "per": rule.per,
            "usd": _decimal(rule.price, NANO_PER_USD),
            "when": [{"attribute": c.attribute, "op": c.op, "value": c.value} for c in rule.when],
        }
        for rule in rules
    ]


def _decimal(value: int, unit: int) -> str:
    """An exact decimal fraction, since money is never a float."""
    digits = len(str(unit)) - 1
    fraction = f"{value % unit:0{digits}d}".rstrip("0")
    return f"{value // unit}.{fraction}" if fraction else str(value // unit)
