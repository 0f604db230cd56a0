"""The HTTP/1.1 server: what it tells its application, its connections as a whole, and how they drain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from yescale.wire.connection import Connection
from yescale.wire.exchange import Exchange, Listener
from yescale.wire.heads import Dates
from yescale.wire.limits import Limits
from yescale.wire.lines import Lines

if TYPE_CHECKING:
    from yescale.wire.timers import Timers
    from yescale.wire.tunnel import Tunnel

__all__ = ["Application", "Door", "Exchange", "Limits", "Listener", "Server"]


class Application(Protocol):
    """Who decides what a request gets. It must not raise: a call that does is logged and its connection cut."""

    def opened(self, exchange: Exchange) -> int:
        """The head is complete and valid. Return the largest body to accept, or answer at once."""
        ...

    def received(self, exchange: Exchange) -> None:
        """The request is whole, its body joined. Not called if the answer has begun before."""
        ...

    def reject(self, status: int, reason: str, exchange: Exchange | None) -> tuple[bytes, bytes]:
        """Header lines and body for an error that the server itself answers; the connection closes after it.

        `exchange` is None where no valid head was read. Otherwise it is over: its listener, if any, hears
        `client_gone` after this call.
        """
        ...


class Door(Protocol):
    """Who takes WebSockets. It must not raise, as an Application."""

    def takes(self, path: bytes) -> bool:
        """Whether there is a WebSocket on this path; where there is none, a handshake is answered with 426."""
        ...

    def knocked(self, exchange: Exchange) -> None:
        """A valid handshake on such a path: `switch` the exchange, now or later, or answer it as any other."""
        ...


class Server:
    """All connections of one listening socket. Give `protocol` to `loop.create_server`.

    `known_lines` is how many lines of request heads are remembered; with 0 every head goes through the parser. Without
    a `door` no WebSocket is spoken.
    """

    __slots__ = (
        "_connections",
        "_tunnels",
        "application",
        "busy",
        "dates",
        "door",
        "draining",
        "idle_s",
        "limits",
        "lines",
        "refused",
        "timers",
    )

    def __init__(
        self,
        application: Application,
        limits: Limits,
        timers: Timers,
        *,
        known_lines: int = 16_384,
        door: Door | None = None,
    ) -> None:
        self.application = application
        self.door = door
        self.limits = limits
        self.timers = timers
        self.dates = Dates(timers.now)
        self.lines = Lines(limits, known_lines) if known_lines else None
        self.draining = False
        self.idle_s = limits.idle_s  # how long a connection may wait for a request
        self.busy = 0  # exchanges opened and not yet answered
        self.refused = 0  # connections over the limit, on their way out
        self._connections: set[Connection] = set()
        self._tunnels: set[Tunnel] = set()

    @property
    def connections(self) -> int:
        return len(self._connections) + len(self._tunnels)

    def protocol(self) -> Connection:
        return Connection(self)

    def drain(self, linger_s: float = 0.0) -> None:
        """Let every connection end: each answer from now on says `Connection: close` and is the last of its connection.

        An idle one waits for one more request, for `linger_s`: its client may have sent it already, and learns only by
        an answer that it must not send another.
        """
        self.draining = True
        self.idle_s = min(self.idle_s, linger_s)
        for connection in (*self._connections, *self._tunnels):
            connection.drain()

    def cut(self) -> None:
        """Close every connection at once; listeners of unanswered exchanges hear that the client is gone."""
        for connection in (*self._connections, *self._tunnels):
            connection.abort()

    def admit(self, connection: Connection) -> bool:
        """Count a new connection, unless there are too many."""
        if self.connections >= self.limits.max_connections:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def replace(self, connection: Connection, tunnel: Tunnel) -> None:
        """A connection became a tunnel: it is counted, drained and cut as before."""
        self._connections.discard(connection)
        self._tunnels.add(tunnel)
        tunnel.on_lost(self._tunnels.discard)
