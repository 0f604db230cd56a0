"""Waiting: pipelined requests, slow readers, clients that leave, and every deadline of the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.wire.rig import (
    CHUNKED,
    GET,
    OLD,
    UPLOAD,
    Ear,
    doing,
    hold,
    opening,
    serving,
    statuses,
    until,
)
from yescale.wire.server import Exchange, Limits

if TYPE_CHECKING:
    pass


# --- pipelining


async def test_pipelined_requests_wait_for_their_turn() -> None:
    desk = doing(hold)
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET.replace(b"/ ", b"/1 ", 1) + GET.replace(b"/ ", b"/2 ", 1))
        await peer.send(GET.replace(b"/ ", b"/3 ", 1))
        await until(lambda: desk.whole)
        await asyncio.sleep(0.02)
        for number in (1, 2, 3):
            assert len(desk.whole) == number, "one at a time"
            assert served.server.busy == 1
            desk.whole[-1].respond(200, b"", desk.whole[-1].path)
            await peer.read_until(b"/%d" % number)


async def test_pipelined_bytes_are_bounded() -> None:
    """promise 34"""
    desk = doing(hold)
    limits = Limits(stash=10_000)
    async with serving(desk, limits) as served, served.peer() as peer:
        await peer.send(GET)
        await until(lambda: desk.whole)
        flood = asyncio.create_task(peer.send(GET * 2_000_000))
        await asyncio.sleep(0.1)
        (connection,) = served.server._connections
        assert 10_000 < len(connection._stash) <= 10_000 + 256 * 1024
        assert not connection._transport.is_reading()
        flood.cancel()


async def test_a_paused_connection_reads_on_after_its_answer() -> None:
    desk = doing(hold)
    async with serving(desk, Limits(stash=100)) as served, served.peer() as peer:
        await peer.send(GET * 10)
        await until(lambda: desk.whole)
        await peer.send(GET * 10)
        await asyncio.sleep(0.02)
        for number in range(1, 21):
            await until(lambda number=number: len(desk.whole) == number)
            desk.whole[-1].respond(200, b"", b"!")
            await peer.read_until(b"!")


async def test_requests_after_an_answer_that_closes_are_not_served_and_do_not_destroy_it() -> None:
    desk = doing(hold)
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET)
        await until(lambda: desk.whole)
        await peer.send(GET)
        await asyncio.sleep(0.02)
        served.server.drain()
        desk.whole[0].respond(200, b"", b"last")
        assert (await peer.read_all()).endswith(b"last")
        assert len(desk.whole) == 1


# --- slow readers


async def test_a_slow_reader_pauses_the_answer_and_memory_stays_bounded() -> None:
    """promise 34"""
    ear = Ear()

    def start(exchange: Exchange) -> None:
        exchange.listener = ear
        exchange.begin(200, b"")

    desk = doing(start)
    limits = Limits(high_water=50_000, low_water=10_000)
    async with serving(desk, limits) as served, served.peer() as peer:
        await peer.send(GET)
        await until(lambda: desk.whole)
        exchange = desk.whole[0]
        (connection,) = served.server._connections
        sent = 0
        while not exchange.paused:
            exchange.write(b"a" * 1000)
            sent += 1
            await asyncio.sleep(0)
        assert ear.heard == ["paused"]
        assert 50_000 < connection._transport.get_write_buffer_size() < 50_000 + 1100
        while exchange.paused:
            await peer.read()
        assert ear.heard == ["paused", "resumed"]
        exchange.end(b"last")
        assert (await peer.read_until(b"0\r\n\r\n")).endswith(b"4\r\nlast\r\n0\r\n\r\n")


async def test_an_answer_that_nobody_listens_for_is_paused_and_resumed_all_the_same() -> None:
    desk = doing(lambda e: e.begin(200, b"", b"a" * 20_000_000))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET)
        await until(lambda: desk.whole and desk.whole[0].paused)
        while desk.whole[0].paused:
            await peer.read(1 << 20)
        desk.whole[0].end(b"last")
        assert await peer.read_until(b"last\r\n0\r\n\r\n")


async def test_a_reader_that_takes_nothing_is_dropped() -> None:
    ear = Ear()

    def flood(exchange: Exchange) -> None:
        exchange.listener = ear
        exchange.begin(200, b"", b"a" * 20_000_000)

    async with serving(doing(flood), Limits(write_stall_s=0.1)) as served, served.peer() as peer:
        await peer.send(GET)
        await until(lambda: ear.heard == ["paused", "gone"])
        await until(lambda: served.server.connections == 0)


async def test_a_reader_that_takes_a_little_now_and_then_is_not_dropped() -> None:
    ear = Ear()

    def flood(exchange: Exchange) -> None:
        exchange.listener = ear
        exchange.begin(200, b"", b"a" * 60_000_000)

    async with serving(doing(flood), Limits(write_stall_s=0.3)) as served, served.peer() as peer:
        await peer.send(GET)
        for _ in range(8):
            taken = 0
            while taken < 5_000_000:
                taken += len(await peer.read(1 << 20))
            await asyncio.sleep(0.1)
        assert ear.heard == ["paused"]


async def test_a_finished_answer_that_nobody_reads_does_not_hold_the_connection() -> None:
    limits = Limits(write_stall_s=0.1, idle_s=0.1)
    desk = doing(lambda e: e.respond(200, b"", b"a" * 20_000_000))
    for request in (GET, OLD):
        async with serving(desk, limits) as served, served.peer() as peer:
            await peer.send(request)
            await until(lambda served=served: served.server.connections == 1)
            await until(lambda served=served: served.server.connections == 0)


async def test_pipelined_answers_wait_until_the_reader_has_taken_the_first() -> None:
    """promise 34"""
    desk = doing(lambda e: e.respond(200, b"", b"a" * 6_000_000))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET * 2)
        await until(lambda: desk.whole)
        await peer.send(GET)
        await asyncio.sleep(0.02)
        assert len(desk.whole) == 1
        data = 0
        while data < 18_000_000:
            data += len(await peer.read(1 << 20))
        assert len(desk.whole) == 3


async def test_a_body_read_under_a_slow_early_answer_waits_for_the_reader_afterwards() -> None:
    desk = opening(lambda e: e.begin(200, b"", b"a" * 20_000_000))
    async with serving(desk, Limits(write_stall_s=0.1)) as served, served.peer() as peer:
        await peer.send(UPLOAD)
        await until(lambda: desk.seen and desk.seen[0].paused)
        await peer.send(b"0123456789")
        await until(lambda: served.server.connections == 0)
        assert desk.seen[0].gone


# --- clients that leave


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
@pytest.mark.parametrize("begun", [False, True])
async def test_a_client_that_leaves_is_noticed_at_once(how: str, *, begun: bool) -> None:
    ear = Ear()

    def start(exchange: Exchange) -> None:
        exchange.listener = ear
        if begun:
            exchange.begin(200, b"", b"one")

    desk = doing(start)
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET)
        await until(lambda: desk.whole)
        if begun:
            await peer.read_until(b"one")
        if how == "close":
            peer.close()
        elif how == "reset":
            peer.reset()
        else:
            peer.sock.shutdown(1)
        await until(lambda: ear.heard)
        assert ear.heard == ["gone"]
        assert desk.whole[0].gone
        assert not desk.whole[0].done
        assert served.server.busy == 0
        desk.whole[0].respond(200, b"", b"to nobody")


async def test_a_client_that_half_closes_and_stops_reading_is_gone_at_once() -> None:
    ear = Ear()

    def flood(exchange: Exchange) -> None:
        exchange.listener = ear
        exchange.begin(200, b"", b"a" * 20_000_000)

    async with serving(doing(flood)) as served, served.peer() as peer:
        await peer.send(GET)
        await until(lambda: ear.heard == ["paused"])
        peer.sock.shutdown(1)
        await until(lambda: ear.heard == ["paused", "gone"])


async def test_a_client_that_leaves_inside_its_body_is_told_to_the_listener_set_in_opened() -> None:
    ear = Ear()
    desk = opening(lambda e: setattr(e, "listener", ear))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(UPLOAD)
        await until(lambda: desk.seen)
        peer.close()
        await until(lambda: ear.heard == ["gone"])
        assert served.server.busy == 0


async def test_a_client_that_half_closes_after_a_request_still_gets_an_answer_that_was_ready() -> None:
    async with serving() as served, served.peer() as peer:
        await peer.send(GET)
        peer.sock.shutdown(1)
        assert (await peer.read_all()).endswith(b"<GET / >")


# --- deadlines


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"GET / HT", 408), (UPLOAD + b"0123", 408), (CHUNKED + b"5\r\n012", 408), (b"", 0), (GET, 0)],
    ids=["head", "body", "chunks", "nothing", "idle"],
)
async def test_every_wait_for_the_client_ends(sent: bytes, status: int) -> None:
    limits = Limits(head_s=0.1, body_idle_s=0.1, idle_s=0.1, linger_s=0.1)
    async with serving(None, limits) as served, served.peer() as peer:
        await peer.send(sent)
        data = await peer.read_all()
        assert statuses(data) == [status] * (status > 0) or (sent == GET and statuses(data) == [200])
        assert served.server.busy == 0


async def test_a_head_that_drips_is_too_slow_however_often_it_drips() -> None:
    async with serving(None, Limits(head_s=0.15)) as served, served.peer() as peer:
        for _ in range(10):
            await peer.send(b"GET / HTTP/1.1\r\n"[:1] if _ == 0 else b"E" if _ == 1 else b"")
            await asyncio.sleep(0.03)
        assert statuses(await peer.read_all()) == [408]


async def test_a_body_that_drips_is_too_slow_in_the_end() -> None:
    limits = Limits(body_idle_s=10, body_s=0.2)
    async with serving(None, limits) as served, served.peer() as peer:
        await peer.send(UPLOAD)
        data = b""
        for _ in range(9):
            await peer.send(b"0")
            more, ended = await peer.read_quiet(first=0.04)
            data += more
            if ended:
                break
        assert statuses(data or await peer.read_all()) == [408]


async def test_a_body_that_never_ends_after_an_early_answer_is_not_waited_for() -> None:
    desk = opening(lambda e: e.respond(401, b"", b"no"))
    async with serving(desk, Limits(body_idle_s=0.1, linger_s=0.1)) as served, served.peer() as peer:
        await peer.send(UPLOAD)
        assert statuses(await peer.read_all()) == [401]
        await until(lambda: served.server.connections == 0)


async def test_a_client_that_sends_on_after_a_refusal_is_read_only_for_a_while() -> None:
    async with serving(None, Limits(discard=100_000, linger_s=5)) as served, served.peer() as peer:
        await peer.send(b"BAD\r\n\r\n")
        assert statuses(await peer.read_until(b"method")) == [400]

        async def insist() -> None:
            while True:
                await peer.send(b"a" * 10_000)
                await asyncio.sleep(0.001)

        with pytest.raises(ConnectionError):
            await insist()
        await until(lambda: served.server.connections == 0)


async def test_a_request_under_way_has_no_deadline_of_the_wire() -> None:
    desk = doing(hold)
    limits = Limits(head_s=0.05, body_idle_s=0.05, body_s=0.05, idle_s=0.05, write_stall_s=0.05)
    async with serving(desk, limits) as served, served.peer() as peer:
        await peer.send(GET)
        await asyncio.sleep(0.2)
        desk.whole[0].respond(200, b"", b"late")
        await peer.read_until(b"late")
