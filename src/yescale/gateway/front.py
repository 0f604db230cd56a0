"""The front of a worker: which request is answered here, and by whom; all others go to control."""

from typing import Final, Protocol, cast
from urllib.parse import unquote_to_bytes

from yescale.domain import faults
from yescale.gateway import answers, cors, surfaces
from yescale.gateway.forwarded import Proxies
from yescale.gateway.models import Listing
from yescale.gateway.proxy import Forwarding
from yescale.gateway.relay.call import Call
from yescale.gateway.relay.realtime.knock import Knock
from yescale.gateway.relay.relay import Relay
from yescale.gateway.surfaces import Kind, Place, Surface
from yescale.protocols import openai_chat
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.wire.client import Origin
from yescale.wire.server import Exchange

_RELAY: Final = Kind.RELAY
_SHOWN: Final = 200  # bytes of an unknown path
_HEALTHY: Final = b'{"status":"ok"}'
_UPGRADE: Final = b"upgrade: websocket\r\nsec-websocket-version: 13\r\n"


class Reception(Protocol):
    """Whoever waits for the body of a request."""

    def receive(self) -> None:
        """The body is here."""
        ...


class Front:
    """The wire's Application, and its Door."""

    __slots__ = ("_control", "_proto", "_proxies", "_relay")

    def __init__(self, relay: Relay, control: Origin, *, tls: bool, proxies: Proxies | None = None) -> None:
        self._relay = relay
        self._proxies = proxies
        self._control = control
        self._proto = b"https" if tls else b"http"

    def opened(self, exchange: Exchange) -> int:
        """A request's head is here; returns how large a body may be."""
        if self._proxies is not None:
            exchange.peer = self._proxies.find_client(exchange.peer, exchange.headers)
        place = surfaces.find(exchange.path)
        if place is None:
            return self._open_unknown(exchange)
        method = b"GET" if exchange.method == b"HEAD" else exchange.method
        surface = place.methods.get(method)
        if surface is None:
            self._answer_method(exchange, place)
            return 0
        if surface.kind is _RELAY and surface.by_query is None and not place.rest:
            Call(self._relay, exchange, surface, NO_WORDS).open()
            return self._relay.settings.max_body_bytes
        return self._open(exchange, place, surface)

    def received(self, exchange: Exchange) -> None:
        """A request is here whole."""
        if exchange.listener is not None:
            cast(Reception, exchange.listener).receive()

    def takes(self, path: bytes) -> bool:
        """Whether a WebSocket is spoken on a path."""
        return _realtime(path) is not None

    def knocked(self, exchange: Exchange) -> None:
        """Somebody asks for a WebSocket on a path that speaks it."""
        if self._proxies is not None:
            exchange.peer = self._proxies.find_client(exchange.peer, exchange.headers)
        surface = _realtime(exchange.path)
        if surface is not None:
            Knock(self._relay, exchange, surface, _asked_model(exchange.query)).knock()

    def reject(self, status: int, reason: str, exchange: Exchange | None) -> tuple[bytes, bytes]:
        """The words of an error that the wire found."""
        place = surfaces.find(exchange.path) if exchange is not None else None
        form = openai_chat.CHAT if place is None else next(iter(place.methods.values())).format
        return answers.reject(status, reason, form, self._relay.ids.mint())

    def _open_unknown(self, exchange: Exchange) -> int:
        form = surfaces.find_family(exchange.path)
        if form is None:
            exchange.listener = Forwarding(self._relay, exchange, self._control, self._proto)
            return self._relay.settings.max_body_bytes
        method, path = exchange.method.decode("latin-1"), exchange.path[:_SHOWN].decode("latin-1")
        fault = faults.UNKNOWN_PATH.saying(f"Invalid URL ({method} {path})")
        answers.refuse(exchange, fault, form, self._relay.ids.mint())
        return 0

    def _open(self, exchange: Exchange, place: Place, surface: Surface) -> int:
        match surface.kind:
            case Kind.RELAY:
                chosen = surfaces.choose(surface, exchange.query)
                Call(self._relay, exchange, chosen, _words(place, chosen)).open()
                return self._relay.settings.max_body_bytes
            case Kind.REALTIME:
                fault = faults.UPGRADE_REQUIRED.saying("This path speaks WebSocket alone; open one.")
                answers.refuse(exchange, fault, surface.format, self._relay.ids.mint(), _UPGRADE)
            case Kind.MODELS:
                Listing(self._relay, exchange, surface, place.rest).open()
            case Kind.HEALTH:
                exchange.respond(200, answers.plain_head(self._relay.ids.mint().encode()), _HEALTHY)
        return 0

    def _answer_method(self, exchange: Exchange, place: Place) -> None:
        if exchange.method == b"OPTIONS":
            exchange.respond(204, cors.preflight(place.allow), b"")
            return
        method, path = exchange.method.decode("latin-1"), exchange.path.decode("latin-1")
        fault = faults.WRONG_METHOD.saying(f"{path} does not answer {method}; it answers {place.allow.decode()}.")
        form = next(iter(place.methods.values())).format
        answers.refuse(exchange, fault, form, self._relay.ids.mint(), b"allow: %b\r\n" % place.allow)


def _realtime(path: bytes) -> Surface | None:
    place = surfaces.find(path)
    surface = None if place is None else place.methods.get(b"GET")
    return surface if surface is not None and surface.kind is Kind.REALTIME else None


def _asked_model(query: bytes) -> PathWords:
    """What the query says of a session: the model. An API key in it is not looked at: queries are logged."""
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if name == b"model":
            return PathWords(unquote_to_bytes(value).decode(errors="replace"))
    return NO_WORDS


def _words(place: Place, surface: Surface) -> PathWords:
    """What the path says of the request."""
    if not place.rest:
        return NO_WORDS
    return PathWords(unquote_to_bytes(place.rest).decode(errors="replace"), surface.stream)
