"""An HTTP proxy on the way to an upstream: asked for a tunnel, told who asks, and never mixed up with another way."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.wire.rig import Caller, serving
from tests.wire.test_tls import Authority
from yescale.wire.client import Client, ClientLimits, Failure, Origin
from yescale.wire.proxy import Proxy
from yescale.wire.timers import Timers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


class Tunneller:
    """A proxy: `asked` are the heads that it heard. `answer` None: it makes the tunnel."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        if self.answer is not None:
            writer.write(self.answer)
            writer.close()
            return
        host, _, port = head.split(b" ")[1].rpartition(b":")
        far_reader, far_writer = await asyncio.open_connection(host.decode(), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n")
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(_pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def tunnelled(
    proxy: Tunneller, who: str = "", tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None
) -> AsyncIterator[Caller]:
    """A caller of an echoing server behind the proxy."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with serving(tls=None if tls is None else tls[0]) as served:
        timers = Timers(asyncio.get_running_loop(), 0.01)
        client = Client(timers, ClientLimits(), None if tls is None else lambda _: tls[1])
        host, port = served.address
        origin = Origin("http" if tls is None else "https", str(host), int(port))
        try:
            yield Caller(client, timers, replace(origin, via=Proxy.parse(f"http://{who}127.0.0.1:{proxy.port}")))
        finally:
            client.close()
            timers.close()
            await asyncio.sleep(0.02)
    server.close()


async def test_a_request_goes_through_and_the_tunnel_is_used_again() -> None:
    proxy = Tunneller()
    async with tunnelled(proxy) as caller:
        for turn in range(3):
            attempt, tank = await caller.answer()
            assert (tank.data, attempt.reused) == (b"<POST /x body>", bool(turn))
        place = caller.origin.authority
        assert proxy.asked == [b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n\r\n" % (place, place)]


async def test_tls_is_spoken_with_the_host_and_not_with_the_proxy(authority: Authority) -> None:
    proxy = Tunneller()
    async with tunnelled(proxy, tls=(authority.server, authority.client)) as caller:
        _, tank = await caller.answer()
        assert tank.data == b"<POST /x body>"
        assert proxy.asked[0].startswith(b"CONNECT 127.0.0.1:")


async def test_it_is_told_who_asks() -> None:
    proxy = Tunneller()
    async with tunnelled(proxy, "ada:p%40ss@") as caller:
        await caller.answer()
        told = base64.b64encode(b"ada:p@ss")
        assert b"proxy-authorization: Basic " + told + b"\r\n" in proxy.asked[0]
        assert "p@ss" not in repr(caller.origin)


async def test_an_origin_with_a_proxy_shares_no_connection_with_the_same_without_one() -> None:
    proxy = Tunneller()
    async with tunnelled(proxy) as caller:
        await caller.answer()
        straight = replace(caller.origin, via=None)
        attempt, _ = await Caller(caller.client, caller.timers, straight).answer()
        assert not attempt.reused
        assert len(proxy.asked) == 1
        assert set(caller.client.origins()) == {caller.origin, straight}


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"HTTP/1.1 502 Bad\r\n\r\n", b"garbage\r\n\r\n", b"",
     b"HTTP/1.1 200 OK\r\n\r\nunasked", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000],
)  # fmt: skip
async def test_a_proxy_that_gives_no_tunnel_is_told_apart(answer: bytes) -> None:
    async with tunnelled(Tunneller(answer)) as caller:
        attempt, tank = await caller.answer()
        assert tank.failure in (Failure.PROXY, Failure.REFUSED)
        assert not attempt.sent
        assert caller.client.open(caller.origin) == 0


async def test_a_proxy_that_is_not_there_is_a_refused_connection() -> None:
    async with tunnelled(Tunneller()) as caller:
        nowhere = replace(caller.origin, via=Proxy("127.0.0.1", 1))
        _, tank = await Caller(caller.client, caller.timers, nowhere).answer()
        assert tank.failure is Failure.REFUSED


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8080", "https://p:1", "socks5://p:1", "http://", "http://p:0x", "http://p:99999", "http://p/x",
     "http://p?q", "http://p p", "http://[::1", "http://a:secret@p/x", "http://a:secret@[x"],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="its") as caught:
        Proxy.parse(url)
    assert "secret" not in str(caught.value)


def test_a_proxy_is_shown_without_who_asks() -> None:
    proxy = Proxy.parse("http://ada:secret@[::1]:8080")
    assert (proxy.host, proxy.port, proxy.user, proxy.password) == ("::1", 8080, "ada", "secret")
    assert proxy.shown == "http://[::1]:8080"
    assert "secret" not in repr(proxy)
