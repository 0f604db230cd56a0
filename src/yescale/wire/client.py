"""The pooled HTTP/1.1 client: one call that sends a request, and a sink that hears the answer."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from yescale.wire.attempt import Attempt, Failure, Sink
from yescale.wire.dial import Dial, Dialer, Dialled
from yescale.wire.limits import ClientLimits, Deadlines, TunnelLimits
from yescale.wire.origin import Origin
from yescale.wire.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from yescale.wire.timers import Timers

__all__ = [
    "Attempt",
    "Client",
    "ClientLimits",
    "Deadlines",
    "Dial",
    "Dialer",
    "Failure",
    "Origin",
    "Sink",
    "TunnelLimits",
]

_BODILESS_METHODS: Final = (b"GET ", b"HEAD ")
_MANY_POOLS: Final = 1_000


class Client:
    """Connections to all origins. `tls` makes the context for an https origin; the default verifies certificates."""

    __slots__ = ("_context", "_limits", "_pools", "_purge_at", "_timers", "_tls", "closed")

    def __init__(
        self, timers: Timers, limits: ClientLimits, tls: Callable[[Origin], ssl.SSLContext] | None = None
    ) -> None:
        self._timers = timers
        self._limits = limits
        self._tls = tls or self._default_context
        self._context: ssl.SSLContext | None = None
        self._pools: dict[Origin, Pool] = {}
        self._purge_at = _MANY_POOLS
        self.closed = False

    def send(
        self, origin: Origin, head: bytes, body: bytes, sink: Sink, deadlines: Deadlines, *, replayable: bool
    ) -> Attempt:
        """Send a request; the sink hears the answer, or why there is none, never before this call returns.

        `head` is the request line and header lines (build them with `heads.request_line` and `heads.header_line`)
        without Content-Length, Connection and the blank line. `replayable` allows one silent repetition when a reused
        connection ends before any byte of an answer.
        """
        if body or not head.startswith(_BODILESS_METHODS):
            head += b"content-length: %d\r\n\r\n" % len(body)
        else:
            head += b"\r\n"
        attempt = Attempt(head, body, sink, deadlines, self._timers.now())
        attempt.replayable = replayable
        attempt.bare = head.startswith(b"HEAD ")
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._open_pool(origin)
        pool.carry(attempt)
        return attempt

    def dial(self, origin: Origin, head: bytes, sink: Dialer, deadlines: Deadlines, limits: TunnelLimits) -> Dial:
        """Ask for a WebSocket, always on a new connection. The sink hears `opened`, or what `send` would tell it.

        `head` is as that of `send`; the handshake's own lines but Sec-WebSocket-Protocol are added.
        """
        dial = Dial(head, sink, deadlines, self._timers.now(), limits)
        pool = self._pools.get(origin) or self._open_pool(origin)
        pool.open(dial, Dialled(pool))
        return dial

    def close(self) -> None:
        """Close every connection; attempts under way fail, and so does every later one."""
        self.closed = True
        for pool in self._pools.values():
            pool.close()

    def origins(self) -> tuple[Origin, ...]:
        return tuple(self._pools)

    def open(self, origin: Origin) -> int:
        """Connections to an origin, idle and opening ones included."""
        pool = self._pools.get(origin)
        return 0 if pool is None else len(pool.members)

    def idle(self, origin: Origin) -> int:
        pool = self._pools.get(origin)
        return 0 if pool is None else pool.idle

    def _open_pool(self, origin: Origin) -> Pool:
        if len(self._pools) >= self._purge_at:
            self._pools = {known: pool for known, pool in self._pools.items() if pool.members}
            self._purge_at = max(_MANY_POOLS, 2 * len(self._pools))
        pool = self._pools[origin] = Pool(origin, self._timers, self._limits, self._tls)
        pool.closed = self.closed
        return pool

    def _default_context(self, _origin: Origin) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context
