"""The connections to one origin: the idle ones, last used first, and the opening of new ones."""

from __future__ import annotations

import logging
import socket
import ssl
from typing import TYPE_CHECKING, Final

from yescale.wire.attempt import Failure
from yescale.wire.proxy import ProxyRefused, open_tunnel
from yescale.wire.upstream import Upstream

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from yescale.wire.attempt import Attempt
    from yescale.wire.limits import ClientLimits
    from yescale.wire.origin import Origin
    from yescale.wire.proxy import Proxy
    from yescale.wire.timers import Timers

_LOGGER: Final = logging.getLogger("yescale.wire")


class Pool:
    """All connections to one origin."""

    __slots__ = ("_context", "_idle", "closed", "limits", "members", "openings", "origin", "timers")

    def __init__(
        self, origin: Origin, timers: Timers, limits: ClientLimits, context: Callable[[Origin], ssl.SSLContext]
    ) -> None:
        self.origin = origin
        self.timers = timers
        self.limits = limits
        self._context = context
        self._idle: dict[Upstream, None] = {}
        self.members: set[Upstream] = set()
        self.openings: set[Opening] = set()
        self.closed = False

    @property
    def idle(self) -> int:
        return len(self._idle)

    def carry(self, attempt: Attempt) -> None:
        """Send a request on the connection used last, or on a new one."""
        idle = self._idle
        while idle:
            upstream, _ = idle.popitem()
            if not upstream.transport.is_closing():
                upstream.start(attempt, attempt.started)
                return
        self.retry(attempt)

    def retry(self, attempt: Attempt) -> None:
        """Send a request on a new connection."""
        self.open(attempt, Upstream(self))

    def open(self, attempt: Attempt, upstream: Upstream) -> None:
        """Send a request on this connection, which is to be opened."""
        if self.closed or len(self.members) >= self.limits.max_connections:
            self.timers.loop.call_soon(attempt.fail, Failure.EXHAUSTED)
        else:
            Opening(self, attempt, upstream)

    def keep(self, upstream: Upstream) -> bool:
        """Whether a connection may wait here for its next attempt; one that may not is closed."""
        if self.closed or len(self._idle) >= self.limits.max_idle:
            upstream.drop()
            return False
        self._idle[upstream] = None
        return True

    def forget(self, upstream: Upstream) -> None:
        self._idle.pop(upstream, None)
        self.members.discard(upstream)

    def close(self) -> None:
        """Close every connection; attempts under way fail."""
        self.closed = True
        for opening in tuple(self.openings):
            opening.give_up(Failure.RESET)
        for upstream in tuple(self.members):
            upstream.shut()

    async def connect(self, upstream: Upstream) -> None:
        """Open a connection. Raises OSError (ssl.SSLError, socket.gaierror) or UnicodeError (a name that is none)."""
        loop = self.timers.loop
        origin = self.origin
        if origin.scheme == "unix":
            await loop.create_unix_connection(lambda: upstream, origin.path)
        elif origin.via is not None:
            await self._connect_through(origin.via, upstream)
        elif origin.scheme == "https":
            context = self._context(origin)
            await loop.create_connection(
                lambda: upstream, origin.host, origin.port, ssl=context, server_hostname=origin.host
            )
        else:
            await loop.create_connection(lambda: upstream, origin.host, origin.port)

    async def _connect_through(self, proxy: Proxy, upstream: Upstream) -> None:
        loop, origin = self.timers.loop, self.origin
        sock = await open_tunnel(loop, proxy, origin.host, origin.port)
        if origin.scheme == "https":
            context = self._context(origin)
            await loop.create_connection(lambda: upstream, sock=sock, ssl=context, server_hostname=origin.host)
        else:
            await loop.create_connection(lambda: upstream, sock=sock)


class Opening:
    """A connection being opened for an attempt, which rides on it until it is open."""

    __slots__ = ("_attempt", "_pool", "_task", "_timer", "_upstream")

    def __init__(self, pool: Pool, attempt: Attempt, upstream: Upstream) -> None:
        self._pool = pool
        self._attempt = attempt
        attempt.carrier = self
        attempt.reused = False
        self._upstream = upstream
        pool.members.add(self._upstream)
        pool.openings.add(self)
        timers = pool.timers
        left = attempt.total_at - timers.now()
        wait = attempt.deadlines.connect_s
        late = Failure.CONNECT_TIMEOUT if wait < left else Failure.TOTAL_TIMEOUT
        self._timer = timers.start(min(wait, left), lambda: self.give_up(late))
        self._task: asyncio.Task[None] = timers.loop.create_task(self._run())

    def pause(self, attempt: Attempt) -> None:
        """Nothing is read yet: the connection starts paused."""

    def resume(self, attempt: Attempt) -> None:
        """Nothing is read yet."""

    def drop(self) -> None:
        """Stop opening: the attempt is cancelled or has failed."""
        self._leave()
        self._task.cancel()
        self._upstream.drop()

    def give_up(self, failure: Failure) -> None:
        self.drop()
        self._attempt.fail(failure)

    def _leave(self) -> None:
        self._timer.cancel()
        self._pool.openings.discard(self)

    async def _run(self) -> None:
        timers = self._pool.timers
        started = timers.now()
        attempt = self._attempt
        upstream = self._upstream
        try:
            await self._pool.connect(upstream)
        except (OSError, UnicodeError) as error:
            self._fail(_blame(error))
        except Exception:
            _LOGGER.exception("opening a connection failed in an unforeseen way")
            self._fail(Failure.REFUSED)
        else:
            self._leave()
            now = timers.now()
            attempt.connect_s = now - started
            if upstream.lost:
                attempt.fail(Failure.RESET)
            else:
                upstream.start(attempt, now)

    def _fail(self, failure: Failure) -> None:
        self._leave()
        self._upstream.drop()
        self._attempt.fail(failure)


def _blame(error: OSError | UnicodeError) -> Failure:
    if isinstance(error, ssl.SSLError):
        return Failure.TLS
    if isinstance(error, ProxyRefused):
        return Failure.PROXY
    if isinstance(error, socket.gaierror | UnicodeError):
        return Failure.UNRESOLVED
    return Failure.REFUSED
