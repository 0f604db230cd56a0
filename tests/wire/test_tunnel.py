"""WebSockets over real connections: the handshake, messages, signs of life, back-pressure and every way to end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.wire.rig import Caller, Desk, Peer, Tank, calling, serving, statuses, until
from tests.wire.test_websocket import HOSTILE, masked
from yescale.wire import handshake, websocket
from yescale.wire.client import Client, ClientLimits, Deadlines, Failure, Origin, TunnelLimits
from yescale.wire.websocket import Close, Frames, Message, Ping, Pong

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from yescale.wire.attempt import Attempt
    from yescale.wire.server import Exchange, Server
    from yescale.wire.tunnel import Tunnel

KEY = base64.b64encode(b"0123456789abcdef")
QUICK = TunnelLimits(max_message=70_000, ping_s=0.1, pong_s=0.1, close_s=0.1)
PATIENT = TunnelLimits(max_message=70_000, close_s=0.2)


def ask(path: bytes = b"/ws", *, key: bytes = KEY, version: bytes = b"13", more: bytes = b"") -> bytes:
    return (
        b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        b"Sec-WebSocket-Key: %b\r\nSec-WebSocket-Version: %b\r\n%b\r\n" % (path, key, version, more)
    )


class Ear:
    """A TunnelListener that remembers, and echoes where it is told to."""

    def __init__(self) -> None:
        self.heard: list[bytes | str | int] = []
        self.on_message: Callable[[bytes, bool], object] = lambda _data, _text: None

    def message(self, data: bytes, text: bool) -> None:
        self.heard.append(data)
        self.on_message(data, text)

    def closed(self, code: int, reason: str) -> None:
        self.heard.append(code)

    def paused(self) -> None:
        self.heard.append("paused")

    def resumed(self) -> None:
        self.heard.append("resumed")

    def draining(self) -> None:
        self.heard.append("draining")


class Gate:
    """A Door on /ws: it switches at once unless told otherwise, and echoes."""

    def __init__(self, limits: TunnelLimits = PATIENT, *, echoes: bool = True) -> None:
        self.limits = limits
        self.echoes = echoes
        self.ear = Ear()
        self.tunnel: Tunnel | None = None
        self.on_knock: Callable[[Exchange], object] = self.switch

    def takes(self, path: bytes) -> bool:
        return path == b"/ws"

    def knocked(self, exchange: Exchange) -> None:
        self.on_knock(exchange)

    def switch(self, exchange: Exchange) -> None:
        tunnel = self.tunnel = exchange.switch(b"x-mine: 1\r\n", self.limits)
        if self.echoes:
            self.ear.on_message = lambda data, text: tunnel.send(data, text=text)
        tunnel.listen(self.ear)


class Far(Peer):
    """A raw peer that reads frames."""

    def __init__(self, peer: Peer, ahead: bytes) -> None:
        super().__init__(peer.sock)
        self.frames = Frames(1 << 20, masks=False)
        self.frames.add(ahead)

    async def events(self, count: int) -> list[websocket.Event]:
        """What it is told."""
        found = list(self.frames.events())
        while len(found) < count:
            data = await self.read()
            assert data, found
            self.frames.add(data)
            found += self.frames.events()
        return found


@contextlib.asynccontextmanager
async def opened(gate: Gate) -> AsyncIterator[tuple[Far, Server]]:
    """A raw peer behind a handshake."""
    async with serving(door=gate) as served, served.peer() as peer:
        await peer.send(ask())
        head, _, ahead = (await peer.read_until(b"\r\n\r\n")).partition(b"\r\n\r\n")
        assert statuses(head) == [101]
        assert handshake.accept(KEY) in head
        assert b"\r\nx-mine: 1" in head
        yield Far(peer, ahead), served.server


# --- the handshake

REFUSED = {
    "no key": (ask().replace(b"Sec-WebSocket-Key: %b\r\n" % KEY, b""), 400),
    "a short key": (ask(key=base64.b64encode(b"short")), 400),
    "a key that is no base64": (ask(key=b"!" * 24), 400),
    "two keys": (ask(more=b"Sec-WebSocket-Key: %b\r\n" % KEY), 400),
    "an old version": (ask(version=b"8"), 426),
    "no version": (ask().replace(b"Sec-WebSocket-Version: 13\r\n", b""), 426),
    "two versions": (ask(more=b"Sec-WebSocket-Version: 8\r\n"), 400),
    "a POST": (ask().replace(b"GET", b"POST"), 400),
    "HTTP/1.0": (ask().replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "a body": (ask(more=b"Content-Length: 3\r\n") + b"abc", 400),
    "a chunked body": (ask(more=b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 400),
    "another path": (ask(b"/"), 426),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_handshake_that_is_wrong_is_refused_and_the_connection_closed(name: str) -> None:
    request, status = REFUSED[name]
    gate = Gate()
    async with serving(door=gate) as served, served.peer() as peer:
        await peer.send(request)
        answer = await peer.read_all()
        assert statuses(answer) == [status]
        assert (b"sec-websocket-version: 13\r\n" in answer) is ("version" in name and status == 426)
        assert gate.tunnel is None


async def test_without_a_door_and_on_other_paths_the_answer_is_as_ever() -> None:
    async with serving() as served, serving(door=Gate()) as guarded:
        said: list[bytes] = []
        for server, path in ((served, b"/ws"), (served, b"/"), (guarded, b"/")):
            async with server.peer() as peer:
                await peer.send(ask(path))
                said.append((await peer.read_all()).partition(b"content-type")[2])
        assert (
            said
            == [b": text/plain\r\nconnection: close\r\ncontent-length: 35\r\n\r\nno WebSocket is spoken on this path"]
            * 3
        )


async def test_an_upgrade_that_the_door_does_not_want_is_answered_as_any_request() -> None:
    gate = Gate()
    gate.on_knock = lambda exchange: exchange.respond(401, b"", b"no")
    async with serving(door=gate) as served, served.peer() as peer:
        await peer.send(ask())
        answer = await peer.read_all()
        assert statuses(answer) == [401]
        assert b"connection: close" in answer


async def test_a_door_that_raises_costs_its_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()

    def fail(_: Exchange) -> None:
        raise RuntimeError("a defect")

    gate.on_knock = fail
    async with serving(door=gate) as served:
        async with served.peer() as peer:
            await peer.send(ask())
            assert await peer.read_all() in (b"", b"<reset>")
        gate.on_knock = gate.switch
        async with served.peer() as peer:
            await peer.send(ask())
            assert statuses(await peer.read_until(b"\r\n\r\n")) == [101]
    assert "a defect" in caplog.text


async def test_a_client_that_leaves_before_the_answer_is_noticed() -> None:
    gate, gone = Gate(), Desk()
    knocked: list[Exchange] = []
    gate.on_knock = knocked.append
    async with serving(gone, door=gate) as served, served.peer() as peer:
        await peer.send(ask())
        await until(lambda: knocked)
        peer.close()
        await until(lambda: knocked[0].gone)
        with pytest.raises(RuntimeError):
            knocked[0].switch(b"", PATIENT)


# --- messages


async def test_messages_that_come_with_or_before_the_switch_are_heard() -> None:
    gate = Gate()
    knocked: list[Exchange] = []
    gate.on_knock = knocked.append
    async with serving(door=gate) as served, served.peer() as peer:
        await peer.send(ask() + masked(1, b"early"))
        await until(lambda: knocked)
        await peer.send(masked(1, b"waiting"))
        await asyncio.sleep(0.05)
        gate.switch(knocked[0])
        await peer.send(masked(2, b"late"))
        await until(lambda: len(gate.ear.heard) == 3)
        assert gate.ear.heard == [b"early", b"waiting", b"late"]


async def test_messages_are_echoed_whole_and_pings_answered() -> None:
    async with opened(Gate()) as (peer, _):
        await peer.send(masked(1, b"a" * 70, fin=False) + masked(9, b"?") + masked(0, b"b") + masked(2, bytes(66_000)))
        assert await peer.events(3) == [Pong(b"?"), Message(b"a" * 70 + b"b", True), Message(bytes(66_000), False)]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_frame_is_answered_with_its_close_code(name: str) -> None:
    data, code = HOSTILE[name]
    gate = Gate()
    async with opened(gate) as (peer, server):
        await peer.send(masked(1, b"first") + data)
        found = await peer.events(2)
        assert found[0] == Message(b"first", True)
        assert isinstance(found[1], Close)
        assert found[1].code == code
        assert gate.ear.heard == [b"first", code]
        assert await peer.read_all() in (b"", b"<reset>")
        await until(lambda: server.connections == 0)


async def test_a_listener_that_raises_is_cut_off_and_hears_the_end(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(echoes=False)

    def fail(_data: bytes, _text: bool) -> None:
        raise RuntimeError("a defect")

    gate.ear.on_message = fail
    async with opened(gate) as (peer, server):
        await peer.send(masked(1, b"x"))
        assert await peer.read_all() in (b"", b"<reset>")
        await until(lambda: server.connections == 0)
    assert gate.ear.heard == [b"x", websocket.LOST]
    assert "a defect" in caplog.text


# --- ends


async def test_a_close_is_answered_with_its_code_and_ends_the_connection() -> None:
    gate = Gate()
    async with opened(gate) as (peer, server):
        await peer.send(masked(8, websocket.closing(4001, "bye")))
        assert await peer.events(1) == [Close(4001, "bye")]
        assert await peer.read_all() == b""
        assert gate.ear.heard == [4001]
        await until(lambda: server.connections == 0)


async def test_ones_own_close_waits_for_the_answer_and_hears_no_more() -> None:
    gate = Gate()
    async with opened(gate) as (peer, server):
        assert gate.tunnel is not None
        gate.tunnel.close(1008, "enough")
        assert await peer.events(1) == [Close(1008, "enough")]
        await peer.send(masked(1, b"late") + masked(8, websocket.closing(1008, "")))
        assert await peer.read_all() == b""
        assert gate.ear.heard == []
        gate.tunnel.send(b"nothing", text=True)
        await until(lambda: server.connections == 0)


async def test_a_close_while_paused_still_hears_the_answer() -> None:
    gate = Gate(TunnelLimits(close_s=30.0))
    async with opened(gate) as (peer, server):
        assert gate.tunnel is not None
        gate.tunnel.pause()
        gate.tunnel.close(1000)
        await peer.send(masked(1, b"unheard") + masked(8, websocket.closing(1000, "")))
        await until(lambda: server.connections == 0)
        assert gate.ear.heard == []


async def test_a_peer_that_does_not_answer_a_close_is_cut() -> None:
    gate = Gate()
    async with opened(gate) as (peer, server):
        assert gate.tunnel is not None
        gate.tunnel.close(1001)
        await until(lambda: server.connections == 0, 2)
        assert await peer.events(1) == [Close(1001, "")]


async def test_a_lost_connection_is_told_once() -> None:
    gate = Gate()
    async with opened(gate) as (peer, server):
        peer.close()
        await until(lambda: server.connections == 0)
    assert gate.ear.heard == [websocket.LOST]


async def test_a_server_that_drains_asks_and_one_that_is_cut_tells() -> None:
    gate = Gate()
    async with opened(gate) as (peer, server):
        assert server.connections == 1
        server.drain()
        assert gate.ear.heard == ["draining"]
        server.cut()
        assert gate.ear.heard == ["draining", websocket.LOST]
        assert await peer.read_all() in (b"", b"<reset>")


async def test_a_silent_peer_is_asked_and_cut_when_it_gives_no_sign_of_life() -> None:
    gate = Gate(QUICK)
    async with opened(gate) as (peer, _):
        for _ in range(3):
            assert await peer.events(1) == [Ping(b"")]
            await peer.send(masked(10, b""))
        assert gate.ear.heard == []
        assert await peer.events(1) == [Ping(b"")]
        await until(lambda: gate.ear.heard == [websocket.LOST], 2)


# --- back-pressure


async def test_a_slow_peer_is_told_of_and_one_that_takes_nothing_is_cut() -> None:
    gate = Gate(TunnelLimits(stall_s=0.3), echoes=False)
    async with opened(gate) as (_, server):
        assert gate.tunnel is not None
        for _ in range(200):
            gate.tunnel.send(bytes(65_536), text=False)
        assert gate.ear.heard == ["paused"]
        await until(lambda: server.connections == 0, 3)
        assert gate.ear.heard == ["paused", websocket.LOST]


async def test_a_peer_that_catches_up_is_told_of() -> None:
    gate = Gate(echoes=False)
    async with opened(gate) as (peer, _):
        assert gate.tunnel is not None
        for _ in range(200):
            gate.tunnel.send(bytes(65_536), text=False)
        while gate.ear.heard != ["paused", "resumed"]:
            await peer.read()


async def test_a_paused_tunnel_tells_nothing_and_then_everything_in_order() -> None:
    gate = Gate(QUICK, echoes=False)
    async with opened(gate) as (peer, _):
        tunnel = gate.tunnel
        assert tunnel is not None
        gate.ear.on_message = lambda _data, _text: tunnel.pause()
        await peer.send(masked(1, b"1") + masked(1, b"2"))
        await peer.send(masked(1, b"3"))
        await asyncio.sleep(0.4)  # longer than the silence that would end it
        assert gate.ear.heard == [b"1"]
        for count in (2, 3):
            tunnel.resume()
            await until(lambda count=count: len(gate.ear.heard) == count)
        assert gate.ear.heard == [b"1", b"2", b"3"]


# --- the client's side


class Phone(Tank):
    """A Dialer that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.ear = Ear()
        self.tunnel: Tunnel | None = None

    def opened(self, attempt: Attempt, tunnel: Tunnel) -> None:
        self.tunnel = tunnel
        tunnel.listen(self.ear)
        self.ended.set()


HANDSHAKE = b"GET /ws HTTP/1.1\r\nhost: h\r\n"


def call(caller: Caller, limits: TunnelLimits = PATIENT, **deadlines: float) -> Phone:
    phone = Phone()
    caller.client.dial(caller.origin, HANDSHAKE, phone, Deadlines(**deadlines), limits)
    assert phone.tunnel is None
    assert phone.failure is None
    return phone


async def test_a_client_and_a_server_of_ours_understand_each_other() -> None:
    gate = Gate()
    async with serving(door=gate) as served:
        client = Client(served.timers, ClientLimits())
        host, port = served.address
        phone = call(Caller(client, served.timers, Origin("http", str(host), int(port))))
        await phone.end()
        assert phone.tunnel is not None
        for size in (0, 1, 125, 126, 65_535, 65_536):
            phone.tunnel.send(b"x" * size, text=True)
        await until(lambda: len(phone.ear.heard) == 6)
        assert [len(data) for data in phone.ear.heard if isinstance(data, bytes)] == [0, 1, 125, 126, 65_535, 65_536]
        phone.tunnel.close(1000)
        await until(lambda: served.server.connections == 0)
        assert gate.ear.heard[-1] == 1000
        assert client.origins() == (Origin("http", str(host), int(port)),)
        assert client.open(client.origins()[0]) == 0
        client.close()


def agree(
    *more: bytes, proof: bytes | None = None, rest: bytes = b"", cut: int = 0
) -> Callable[[Peer], Awaitable[object]]:
    """A script: the upstream's 101, as it is told to be."""

    async def script(peer: Peer) -> None:
        asked = await peer.read_until(b"\r\n\r\n")
        key = asked.partition(b"sec-websocket-key: ")[2].partition(b"\r\n")[0]
        lines = b"".join(line + b"\r\n" for line in more)
        reply = (
            b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nConnection: Upgrade\r\nsec-websocket-accept: %b\r\n%b\r\n%b"
            % (
                proof or handshake.accept(key),
                lines,
                rest,
            )
        )
        for piece in (reply[:cut], reply[cut:]):
            await peer.send(piece)
            await asyncio.sleep(0.01)
        await peer.read_all()

    return script


@pytest.mark.parametrize("cut", [0, 5, 12, 40, 130])
async def test_an_agreement_is_read_wherever_it_is_cut_with_what_follows_it(cut: int) -> None:
    async with calling([agree(rest=websocket.frame(1, b"hello"), cut=cut)]) as caller:
        phone = call(caller)
        await until(lambda: phone.ear.heard == [b"hello"])


@pytest.mark.parametrize("script", [agree(proof=b"wrong"), agree(b"sec-websocket-extensions: permessage-deflate")])
async def test_an_agreement_that_does_not_prove_itself_is_garbage(script: Callable[[Peer], Awaitable[object]]) -> None:
    async with calling([script]) as caller:
        phone = call(caller)
        await phone.end()
        assert (phone.failure, phone.tunnel) == (Failure.GARBAGE, None)


async def test_a_masked_frame_of_a_server_ends_the_tunnel() -> None:
    async with calling([agree(rest=masked(1, b"x"))]) as caller:
        phone = call(caller)
        await until(lambda: phone.ear.heard == [websocket.PROTOCOL_ERROR])


async def test_an_answer_that_is_no_agreement_is_heard_as_any() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.read_until(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy")
        await peer.read_all()

    async with calling([refuse]) as caller:
        phone = Phone()
        dial = caller.client.dial(caller.origin, HANDSHAKE, phone, Deadlines(), PATIENT)
        await phone.end()
        assert (dial.status, dial.header(b"retry-after"), bytes(phone.data)) == (429, b"7", b"busy")


async def test_every_failure_of_a_dial_has_its_name() -> None:
    async def hang(peer: Peer) -> None:
        await peer.read_all()

    async def leave(peer: Peer) -> None:
        await peer.read_until(b"\r\n\r\n")

    async def babble(peer: Peer) -> None:
        await peer.read_until(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 101 X\r\n" + b"x: y\r\n" * 20_000)
        await peer.read_all()

    async with calling([leave, babble, hang]) as caller:
        for expected, deadline in ((Failure.RESET, 5.0), (Failure.GARBAGE, 5.0), (Failure.FIRST_BYTE_TIMEOUT, 0.1)):
            phone = call(caller, first_byte_s=deadline)
            await phone.end()
            assert phone.failure is expected
    phone = Phone()
    async with calling([hang]) as caller:
        caller.client.dial(Origin("http", "127.0.0.1", 9), HANDSHAKE, phone, Deadlines(), PATIENT)
        await phone.end()
        assert phone.failure is Failure.REFUSED


async def test_a_dial_that_is_cancelled_is_heard_of_no_more() -> None:
    async def hang(peer: Peer) -> None:
        await peer.read_all()

    async with calling([hang]) as caller:
        phone = Phone()
        dial = caller.client.dial(caller.origin, HANDSHAKE, phone, Deadlines(), PATIENT)
        await until(lambda: dial.sent)
        dial.cancel()
        await until(lambda: caller.client.open(caller.origin) == 0)
        assert (phone.failure, phone.tunnel) == (None, None)
