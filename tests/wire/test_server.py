"""The server as a whole: defects of its handler, draining, limits on connections, Unix sockets."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from tests.wire.rig import (
    GET,
    Desk,
    Ear,
    dial,
    doing,
    hold,
    serving,
    statuses,
    until,
)
from yescale.wire.server import Exchange, Limits

if TYPE_CHECKING:
    from pathlib import Path


# --- handlers that raise


def fail(*_: object) -> None:
    raise RuntimeError("a defect")


@pytest.mark.parametrize("where", ["opened", "received", "listener", "misuse"])
async def test_a_handler_that_raises_is_logged_and_costs_its_connection_alone(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    if where == "opened":
        desk.on_opened = fail
    elif where == "received":
        desk.on_received = fail
    elif where == "misuse":

        def misuse(exchange: Exchange) -> None:
            exchange.begin(200, b"")
            exchange.respond(200, b"", b"")

        desk.on_received = misuse
    else:

        class Deaf(Ear):
            def client_gone(self) -> None:
                fail()

        def listen(exchange: Exchange) -> None:
            exchange.listener = Deaf()

        desk.on_received = listen
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET)
        if where == "listener":
            await until(lambda: desk.whole)
            peer.close()
        else:
            data = await peer.read_all()
            assert b"0\r\n\r\n" not in data
        await until(lambda: served.server.connections == 0)
        assert served.server.busy == 0
        assert any(record.levelno == logging.ERROR for record in caplog.records)
        desk.on_opened = None
        desk.on_received = lambda e: e.respond(200, b"", b"fine")
        async with served.peer() as other:
            await other.send(GET)
            await other.read_until(b"fine")


async def test_a_rejection_that_raises_closes_without_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Desk):
        def reject(self, status: int, reason: str, exchange: Exchange | None) -> tuple[bytes, bytes]:
            raise RuntimeError("a defect")

    async with serving(Broken()) as served, served.peer() as peer:
        await peer.send(b"BAD\r\n\r\n")
        assert await peer.read_all() == b""
        assert "reject" in caplog.text


# --- the server as a whole


async def test_draining_closes_idle_connections_and_lets_busy_ones_answer() -> None:
    desk = doing(hold)
    async with serving(desk) as served, served.peer() as idle, served.peer() as busy, served.peer() as half:
        await busy.send(GET)
        await half.send(GET[:10])
        await until(lambda: len(desk.whole) == 1 and served.server.connections == 3)
        await asyncio.sleep(0.02)
        served.server.drain()
        assert await idle.read_all() == b""
        await half.send(GET[10:])
        await until(lambda: len(desk.whole) == 2)
        for exchange, peer in zip(desk.whole, (busy, half), strict=True):
            exchange.respond(200, b"", b"last")
            data = await peer.read_all()
            assert b"connection: close" in data
            assert data.endswith(b"last")
        async with served.peer() as late:
            assert await late.read_all() in (b"", b"<reset>")
        assert (served.server.connections, served.server.busy) == (0, 0)


async def test_draining_lets_a_stream_end_and_then_closes() -> None:
    desk = doing(lambda e: e.begin(200, b"", b"one"))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET)
        await peer.read_until(b"one")
        served.server.drain()
        desk.whole[0].end(b"two")
        assert (await peer.read_all()).endswith(b"3\r\ntwo\r\n0\r\n\r\n")


async def test_cutting_a_server_tells_every_listener() -> None:
    ear = Ear()
    desk = doing(lambda e: setattr(e, "listener", ear))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET)
        await until(lambda: desk.whole)
        served.server.cut()
        assert ear.heard == ["gone"]
        assert await peer.read_all() in (b"", b"<reset>")


async def test_too_many_connections_hear_503_and_far_too_many_just_a_close() -> None:
    limits = Limits(max_connections=1, max_refused=1, linger_s=0.2)
    async with serving(None, limits) as served, served.peer() as first:
        await first.send(GET)
        await first.read_until(b">")
        async with served.peer() as second, served.peer() as third:
            await until(lambda: served.server.refused == 1)
            assert await third.read_all() in (b"", b"<reset>")
            await second.send(GET)
            assert statuses(await second.read_all()) == [503]
        await until(lambda: served.server.refused == 0)
        assert served.desk.rejected == [(503, "too many connections", None)]
        await first.send(GET)
        await first.read_until(b">")


async def test_a_unix_socket_is_served_too(tmp_path: Path) -> None:
    async with serving(path=str(tmp_path / "s")) as served, served.peer() as peer:
        await peer.send(GET)
        await peer.read_until(b"<GET / >")
        assert served.desk.whole[0].peer == ""


async def test_many_clients_at_once_get_their_own_answers() -> None:
    async with serving() as served:

        async def call(number: int) -> None:
            sock = await dial(served.address)
            with sock:
                loop = asyncio.get_running_loop()
                for turn in range(5):
                    await loop.sock_sendall(sock, b"GET /%d-%d HTTP/1.1\r\nHost: x\r\n\r\n" % (number, turn))
                    data = b""
                    while b">" not in data:
                        data += await loop.sock_recv(sock, 4096)
                    assert data.endswith(b"<GET /%d-%d >" % (number, turn))

        await asyncio.gather(*(call(number) for number in range(100)))
        await until(lambda: served.server.connections == 0)
