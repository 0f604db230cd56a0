"""Real servers, clients and raw peers for the wire's tests."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from typing import TYPE_CHECKING

from yescale.wire.client import Attempt, Client, ClientLimits, Deadlines, Failure, Origin
from yescale.wire.server import Door, Exchange, Limits, Server
from yescale.wire.timers import Timers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

TICK = 0.01


class Desk:
    """A handler that remembers. Unless told otherwise it takes any body and echoes the request."""

    def __init__(self, *, most: int = 1 << 20) -> None:
        self.most = most
        self.seen: list[Exchange] = []
        self.whole: list[Exchange] = []
        self.rejected: list[tuple[int, str, Exchange | None]] = []
        self.on_opened: Callable[[Exchange], object] | None = None
        self.on_received: Callable[[Exchange], object] = echo

    def opened(self, exchange: Exchange) -> int:
        self.seen.append(exchange)
        if self.on_opened is not None:
            self.on_opened(exchange)
        return self.most

    def received(self, exchange: Exchange) -> None:
        self.whole.append(exchange)
        self.on_received(exchange)

    def reject(self, status: int, reason: str, exchange: Exchange | None) -> tuple[bytes, bytes]:
        self.rejected.append((status, reason, exchange))
        return b"content-type: text/plain\r\n", reason.encode()


def echo(exchange: Exchange) -> None:
    text = b"<%b %b %b>" % (exchange.method, exchange.target, exchange.body)
    exchange.respond(200, b"content-type: text/plain\r\n", text)


def hold(exchange: Exchange) -> None:
    """Answer later."""


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def client_gone(self) -> None:
        self.heard.append("gone")

    def client_paused(self) -> None:
        self.heard.append("paused")

    def client_resumed(self) -> None:
        self.heard.append("resumed")


class Served:
    """A server under test, on a port of its own."""

    def __init__(self, desk: Desk, server: Server, timers: Timers) -> None:
        self.desk = desk
        self.server = server
        self.timers = timers
        self.address: tuple[str, int] | str = ""

    @contextlib.asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        sock = await dial(self.address)
        peer = Peer(sock)
        try:
            yield peer
        finally:
            peer.close()


@contextlib.asynccontextmanager
async def serving(
    desk: Desk | None = None,
    limits: Limits | None = None,
    *,
    path: str | None = None,
    tls: ssl.SSLContext | None = None,
    door: Door | None = None,
) -> AsyncIterator[Served]:
    loop = asyncio.get_running_loop()
    timers = Timers(loop, TICK)
    desk = desk or Desk()
    server = Server(desk, limits or Limits(linger_s=0.2), timers, door=door)
    served = Served(desk, server, timers)
    if path is None:
        listening = await loop.create_server(server.protocol, "127.0.0.1", 0, ssl=tls)
        served.address = listening.sockets[0].getsockname()
    else:
        listening = await loop.create_unix_server(server.protocol, path)
        served.address = path
    try:
        yield served
    finally:
        server.cut()
        listening.close()
        await until(lambda: server.connections == 0)
        timers.close()


async def dial(address: tuple[str, int] | str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, address)
    return sock


class Peer:
    """A raw socket: what it sends is sent as it is, and what it does not read stays unread."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self.loop.sock_sendall(self.sock, data)

    async def read(self, most: int = 65536) -> bytes:
        return await asyncio.wait_for(self.loop.sock_recv(self.sock, most), 5)

    async def read_until(self, end: bytes) -> bytes:
        data = b""
        while end not in data:
            more = await self.read()
            if not more:
                raise ConnectionError(f"the connection ended after {data!r}")
            data += more
        return data

    async def read_all(self) -> bytes:
        """Everything up to the end of the connection; a reset reads as b"<reset>"."""
        data = b""
        while True:
            try:
                more = await self.read()
            except ConnectionResetError:
                return data + b"<reset>"
            if not more:
                return data
            data += more

    async def read_quiet(self, first: float = 5.0) -> tuple[bytes, bool]:
        """What comes until there is a silence, and whether the connection ended; waits longer for the first byte."""
        data = b""
        with contextlib.suppress(TimeoutError):
            while True:
                more = await asyncio.wait_for(self.loop.sock_recv(self.sock, 65536), 0.05 if data else first)
                if not more:
                    return data, True
                data += more
        return data, False

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()


def statuses(data: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d\d\d) ", data)]


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


class Tank:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.reads = 0
        self.done = 0
        self.failure: Failure | None = None
        self.ended = asyncio.Event()
        self.on_received: Callable[[Attempt], object] | None = None

    def received(self, attempt: Attempt, data: bytes, done: bool) -> None:
        assert attempt.status, "the first call comes with the head"
        assert self.failure is None, "nothing after a failure"
        assert not self.done, "nothing after the end"
        self.reads += 1
        self.data += data
        self.done += done
        if self.on_received is not None:
            self.on_received(attempt)
        if done:
            self.ended.set()

    def failed(self, attempt: Attempt, failure: Failure) -> None:
        assert self.failure is None, "a failure comes once"
        assert not self.done, "and never after the end"
        self.failure = failure
        self.ended.set()

    async def end(self) -> None:
        await asyncio.wait_for(self.ended.wait(), 5)


class Caller:
    """A client under test, and an upstream that obeys a script."""

    def __init__(self, client: Client, timers: Timers, origin: Origin) -> None:
        self.client = client
        self.timers = timers
        self.origin = origin

    def send(
        self,
        head: bytes = b"POST /x HTTP/1.1\r\nhost: h\r\n",
        body: bytes = b"body",
        *,
        deadlines: Deadlines | None = None,
        replayable: bool = True,
        tank: Tank | None = None,
    ) -> tuple[Attempt, Tank]:
        tank = tank or Tank()
        attempt = self.client.send(self.origin, head, body, tank, deadlines or Deadlines(), replayable=replayable)
        assert not tank.reads, "nothing is told inside send"
        assert tank.failure is None, "nothing is told inside send"
        return attempt, tank

    async def answer(self, **options: object) -> tuple[Attempt, Tank]:
        attempt, tank = self.send(**options)  # type: ignore[arg-type]  # handed on as they are
        await tank.end()
        return attempt, tank


@contextlib.asynccontextmanager
async def calling(
    scripts: Sequence[Callable[[Peer], Awaitable[object]]],
    limits: ClientLimits | None = None,
) -> AsyncIterator[Caller]:
    """A client whose n-th connection is served by the n-th script; the last one serves all that follow."""
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    listening.setblocking(False)
    timers = Timers(loop, TICK)
    client = Client(timers, limits or ClientLimits())
    running: set[asyncio.Task[None]] = set()

    async def serve(peer: Peer, script: Callable[[Peer], Awaitable[object]]) -> None:
        try:
            await script(peer)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            peer.close()

    async def accept() -> None:
        remaining: Iterator[Callable[[Peer], Awaitable[object]]] = iter(scripts)
        script = next(remaining)
        while True:
            sock, _ = await loop.sock_accept(listening)
            task = loop.create_task(serve(Peer(sock), script))
            running.add(task)
            task.add_done_callback(running.discard)
            script = next(remaining, script)

    accepting = loop.create_task(accept())
    host, port = listening.getsockname()
    try:
        yield Caller(client, timers, Origin("http", host, port))
    finally:
        client.close()
        accepting.cancel()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(accepting, *running, return_exceptions=True)
        listening.close()
        timers.close()


def answers(*replies: bytes, end: str = "stay") -> Callable[[Peer], Awaitable[object]]:
    """A script: one reply for each request (all are read as `...body`), then stay, close or reset."""

    async def script(peer: Peer) -> None:
        for reply in replies:
            await peer.read_until(b"body")
            if reply:
                await peer.send(reply)
        if end == "stay":
            await peer.read_all()
        elif end == "reset":
            peer.reset()

    return script


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
EXTRA = b"x-extra: 1\r\n"


def doing(call: Callable[[Exchange], object]) -> Desk:
    desk = Desk()
    desk.on_received = call
    return desk


def opening(call: Callable[[Exchange], object]) -> Desk:
    desk = Desk()
    desk.on_opened = call
    return desk


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\nfine"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n6;e=1\r\n\r\n\r\nab\r\n0\r\nT: x\r\n\r\n"
