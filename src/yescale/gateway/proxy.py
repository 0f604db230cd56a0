"""Every path that is not the gateway's own: to control's public socket and back, streamed, bounded, never repeated."""

from typing import Final

import msgspec

from yescale.domain import faults
from yescale.gateway import answers
from yescale.gateway.relay.relay import Relay
from yescale.wire.client import Attempt, Failure, Origin
from yescale.wire.server import Exchange

_JSON: Final = msgspec.json.Encoder()

# What control may learn of a client's request; everything else stays here.
_REQUEST_HEADERS: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"access-control-request-headers",
        b"access-control-request-method",
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-type",
        b"cookie",
        b"host",
        b"idempotency-key",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"last-event-id",
        b"mj-api-secret",
        b"origin",
        b"range",
        b"referer",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"user-agent",
        b"x-api-key",
        b"x-csrf-token",
        b"x-goog-api-key",
        b"x-requested-with",
    }
)
# Of control's answer, what concerns only the connection between us.
_HOP_HEADERS: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"date",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_BODILESS: Final = frozenset({204, 304})


class Forwarding:
    """One request on its way to control (wire's Listener and Sink)."""

    __slots__ = ("_attempt", "_exchange", "_id", "_origin", "_proto", "_relay")

    def __init__(self, relay: Relay, exchange: Exchange, origin: Origin, proto: bytes) -> None:
        self._relay = relay
        self._exchange = exchange
        self._origin = origin
        self._proto = proto
        self._id = relay.ids.mint()
        self._attempt: Attempt | None = None

    def receive(self) -> None:
        """The body is here: pass the request on."""
        exchange = self._exchange
        safe = exchange.method in _SAFE
        deadlines = self._relay.settings.deadlines
        self._attempt = self._relay.client.send(
            self._origin, self._head(), exchange.body, self, deadlines, replayable=safe
        )

    def client_gone(self) -> None:
        """Nobody waits for the answer."""
        if self._attempt is not None:
            self._attempt.cancel()

    def client_paused(self) -> None:
        """The client reads slower than control writes."""
        if self._attempt is not None:
            self._attempt.pause()

    def client_resumed(self) -> None:
        """The client has caught up."""
        if self._attempt is not None:
            self._attempt.resume()

    def received(self, attempt: Attempt, data: bytes, done: bool) -> None:
        """A piece of control's answer."""
        exchange = self._exchange
        if exchange.begun:
            if done:
                exchange.end(data)
            else:
                exchange.write(data)
        elif done or attempt.status in _BODILESS:
            exchange.respond(attempt.status, self._answer_head(attempt), data)
        else:
            exchange.begin(attempt.status, self._answer_head(attempt), data)

    def failed(self, attempt: Attempt, failure: Failure) -> None:
        """Control is away, or broke off."""
        if self._exchange.begun:
            self._exchange.cut()
            return
        fault = faults.UNAVAILABLE.saying("The control process is not answering; try again shortly.")
        body = _JSON.encode(
            {
                "success": False,
                "message": fault.message,
                "error": {"message": fault.message, "type": fault.type, "param": None, "code": fault.code},
            }
        )
        head = answers.plain_head(self._id.encode()) + b"retry-after: %d\r\n" % (fault.retry_after_s or 1)
        self._exchange.respond(fault.status, head, body)

    def _head(self) -> bytes:
        exchange = self._exchange
        lines = [b"%b %b HTTP/1.1\r\n" % (exchange.method, exchange.target)]
        lines += [b"%b: %b\r\n" % (name, value) for name, value in exchange.headers if name in _REQUEST_HEADERS]
        if exchange.header(b"host") is None:
            lines.append(b"host: localhost\r\n")
        lines.append(
            b"x-forwarded-for: %b\r\nx-forwarded-proto: %b\r\nx-request-id: %b\r\n"
            % (exchange.peer.encode(), self._proto, self._id.encode())
        )
        return b"".join(lines)

    def _answer_head(self, attempt: Attempt) -> bytes:
        lines = [b"%b: %b\r\n" % (name, value) for name, value in attempt.headers if name not in _HOP_HEADERS]
        if attempt.header(b"x-request-id") is None:
            lines.append(b"x-request-id: %b\r\nx-oneapi-request-id: %b\r\n" % (self._id.encode(), self._id.encode()))
        return b"".join(lines)
