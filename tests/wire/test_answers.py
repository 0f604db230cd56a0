"""Answers: their framing, early ones, slow readers, clients that leave, deadlines, and the end of a server."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from tests.wire.rig import Desk, Ear, dial, hold, serving, statuses, until
from yescale.wire.server import Exchange, Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def stream(exchange: Exchange) -> None:
    exchange.begin(200, EXTRA, b"one")
    exchange.write(b"")
    exchange.write(b"two")
    exchange.end(b"three")


# --- framing


async def test_a_whole_answer_has_a_length_a_date_and_the_given_headers() -> None:
    async with serving(doing(lambda e: e.respond(429, EXTRA, b"slow down"))) as served, served.peer() as peer:
        await peer.send(GET)
        answer = await peer.read_until(b"down")
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 429 Too Many Requests"
        assert lines[1].startswith(b"date: ")
        assert lines[1].endswith(b" GMT")
        assert lines[2:] == [b"x-extra: 1", b"content-length: 9"]
        assert body == b"slow down"


async def test_a_streamed_answer_is_chunked_to_1_1_and_keeps_the_connection() -> None:
    async with serving(doing(stream)) as served, served.peer() as peer:
        for _ in range(2):
            await peer.send(GET)
            answer = await peer.read_until(b"0\r\n\r\n")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b"\r\nx-extra: 1\r\ntransfer-encoding: chunked" in head
            assert b"content-length" not in head
            assert body == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"


async def test_the_head_and_the_first_chunk_go_out_together() -> None:
    async with serving(doing(lambda e: e.begin(200, EXTRA, b"first"))) as served, served.peer() as peer:
        await peer.send(GET)
        assert (await peer.read()).endswith(b"\r\n\r\n5\r\nfirst\r\n"), "one read brings both"


async def test_a_streamed_answer_to_1_0_ends_with_the_connection() -> None:
    async with serving(doing(stream)) as served, served.peer() as peer:
        await peer.send(OLD.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))
        head, _, body = (await peer.read_all()).partition(b"\r\n\r\n")
        assert b"connection: close" in head
        assert b"transfer-encoding" not in head
        assert body == b"onetwothree"


async def test_a_streamed_answer_may_be_empty() -> None:
    def nothing(exchange: Exchange) -> None:
        exchange.begin(200, b"")
        exchange.end()

    async with serving(doing(nothing)) as served, served.peer() as peer:
        await peer.send(GET)
        assert (await peer.read_until(b"0\r\n\r\n")).endswith(b"chunked\r\n\r\n0\r\n\r\n")
        await peer.send(OLD)
        assert (await peer.read_all()).endswith(b"close\r\n\r\n")


async def test_1_0_with_keep_alive_is_told_so() -> None:
    async with serving() as served, served.peer() as peer:
        await peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"\r\nconnection: keep-alive\r\n" in await peer.read_until(b">")


@pytest.mark.parametrize("answer", [lambda e: e.respond(200, b"", b"12345"), stream], ids=["whole", "streamed"])
async def test_head_gets_the_head_alone(answer: Callable[[Exchange], object]) -> None:
    async with serving(doing(answer)) as served, served.peer() as peer:
        await peer.send(HEAD + HEAD)
        data, ended = await peer.read_quiet()
        assert statuses(data) == [200, 200]
        assert data.endswith(b"\r\n\r\n")
        assert b"12345" not in data
        assert b"one" not in data
        assert not ended
        assert b"content-length: 5" in data or b"transfer-encoding: chunked" in data


async def test_head_cut_just_closes() -> None:
    def cut(exchange: Exchange) -> None:
        exchange.begin(200, b"")
        exchange.cut(b"x")

    async with serving(doing(cut)) as served, served.peer() as peer:
        await peer.send(HEAD)
        assert (await peer.read_all()).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body_have_no_framing(status: int) -> None:
    def twice(exchange: Exchange) -> None:
        if exchange.query:
            exchange.begin(status, b"", b"no")
            exchange.end(b"no")
        else:
            exchange.respond(status, b"", b"no")

    async with serving(doing(twice)) as served, served.peer() as peer:
        await peer.send(GET + GET.replace(b"/ ", b"/?s ", 1))
        data, ended = await peer.read_quiet()
        assert statuses(data) == [status] * 2
        assert not ended
        assert b"content-length" not in data
        assert b"transfer-encoding" not in data
        assert b"no" not in data.replace(b"Not Modified", b"").lower().replace(b"nov", b"").replace(b"no content", b"")


async def test_a_large_answer_arrives_whole() -> None:
    body = bytes(range(256)) * 8192
    async with serving(doing(lambda e: e.respond(200, b"", body))) as served, served.peer() as peer:
        await peer.send(OLD)
        assert (await peer.read_all()).endswith(b"\r\n\r\n" + body)


async def test_after_the_end_nothing_more_is_sent_and_nothing_raises() -> None:
    def insist(exchange: Exchange) -> None:
        exchange.respond(200, b"", b"one")
        exchange.respond(200, b"", b"two")
        exchange.begin(200, b"")
        exchange.write(b"three")
        exchange.end(b"four")
        exchange.cut(b"five")

    async with serving(doing(insist)) as served, served.peer() as peer:
        await peer.send(GET)
        data, ended = await peer.read_quiet()
        assert (statuses(data), ended) == ([200], False)
        assert data.endswith(b"\r\n\r\none")


# --- truncation (promise 28)


async def test_a_cut_chunked_answer_has_no_terminator() -> None:
    """promise 28"""

    def cut(exchange: Exchange) -> None:
        exchange.begin(200, b"", b"one")
        exchange.cut(b"two")

    async with serving(doing(cut)) as served, served.peer() as peer:
        await peer.send(GET)
        assert (await peer.read_all()).endswith(b"3\r\none\r\n3\r\ntwo\r\n")


async def test_a_cut_answer_to_1_0_is_a_reset() -> None:
    """promise 28"""
    desk = doing(lambda e: e.begin(200, b"", b"one"))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(OLD)
        await peer.read_until(b"one")
        desk.whole[0].cut()
        assert await peer.read_all() == b"<reset>"


async def test_a_cut_before_the_head_closes_without_an_answer() -> None:
    async with serving(doing(lambda e: e.cut(b"x"))) as served, served.peer() as peer:
        await peer.send(GET)
        assert await peer.read_all() == b""
        assert served.server.busy == 0


# --- answers before the body is there


async def test_an_early_answer_to_a_short_body_keeps_the_connection() -> None:
    desk = opening(lambda e: e.respond(401, b"", b"no"))
    async with serving(desk) as served, served.peer() as peer:
        for upload in (UPLOAD + b"0123456789", CHUNKED + b"a\r\n0123456789\r\n0\r\n\r\n"):
            await peer.send(upload[:-4])
            assert (await peer.read_until(b"no")).startswith(b"HTTP/1.1 401 ")
            await peer.send(upload[-4:])
        await peer.send(GET)
        assert (await peer.read_until(b"no")).startswith(b"HTTP/1.1 401 ")
        assert desk.whole == []
        assert served.server.busy == 0


async def test_an_early_answer_to_a_long_body_closes_and_still_arrives() -> None:
    desk = opening(lambda e: e.respond(401, b"", b"no"))
    limits = Limits(discard=100_000, linger_s=30)
    async with serving(desk, limits) as served, served.peer() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"a" * 40_000)
        for _ in range(5):
            await asyncio.sleep(0.02)
            await peer.send(b"a" * 10_000)
        data = await peer.read_all()
        assert statuses(data) == [401]
        assert b"connection: close" in data


async def test_a_large_early_answer_is_flushed_whole_while_the_upload_is_dropped() -> None:
    body = b"a" * 20_000_000
    desk = opening(lambda e: e.respond(401, b"", body))
    async with serving(desk, Limits(linger_s=0.05, discard=1000)) as served, served.peer() as peer:
        await peer.send(UPLOAD.replace(b"10", b"2000") + b"0123456789")
        await until(lambda: served.server._connections)
        await asyncio.sleep(0.1)
        assert (await peer.read_all()).endswith(b"\r\n\r\n" + body)


async def test_a_chunked_body_that_outlives_its_early_answer_is_dropped_up_to_a_bound() -> None:
    desk = opening(lambda e: e.respond(401, b"", b"no"))
    async with serving(desk, Limits(discard=1000, linger_s=0.2)) as served, served.peer() as peer:
        await peer.send(CHUNKED)
        await peer.read_until(b"no")
        await peer.send(b"3e9\r\n" + b"a" * 1001 + b"\r\n")
        assert await peer.read_all() == b"", "the second answer never comes"


async def test_garbage_after_an_early_answer_closes_without_a_second_one() -> None:
    desk = opening(lambda e: e.respond(401, b"", b"no"))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(CHUNKED + b"zz\r\n")
        assert statuses(await peer.read_all()) == [401]


async def test_garbage_under_a_streamed_early_answer_cuts_it() -> None:
    desk = opening(lambda e: e.begin(200, b"", b"one"))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(CHUNKED)
        await peer.read_until(b"one")
        await peer.send(b"zz\r\n")
        assert await peer.read_all() in (b"", b"<reset>")
        assert desk.seen[0].gone


async def test_a_streamed_early_answer_may_end_after_the_body() -> None:
    desk = opening(lambda e: e.begin(200, b"", b"one"))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(UPLOAD + b"01234")
        await peer.read_until(b"one\r\n")
        await peer.send(b"56789")
        await until(lambda: served.server.busy == 1)
        desk.seen[0].end()
        assert await peer.read_until(b"0\r\n\r\n")
        assert desk.whole == []
        desk.on_opened = None
        await peer.send(GET)
        await peer.read_until(b"<GET / >")


async def test_an_answer_between_the_reads_of_a_body_ends_the_wait_for_it() -> None:
    desk = Desk()
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(UPLOAD + b"01234")
        await until(lambda: desk.seen)
        desk.seen[0].respond(503, b"", b"later")
        await peer.read_until(b"later")
        await peer.send(b"56789" + GET)
        assert b"<GET / >" in await peer.read_until(b">")


async def test_an_early_answer_instead_of_100_closes_because_the_body_may_or_may_not_come() -> None:
    desk = opening(lambda e: e.respond(401, b"", b"no"))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(UPLOAD.replace(b"Host", b"Expect: 100-continue\r\nHost"))
        data = await peer.read_all()
        assert statuses(data) == [401]
        assert b"connection: close" in data


async def test_100_continue_comes_before_the_body_is_sent() -> None:
    async with serving() as served, served.peer() as peer:
        await peer.send(UPLOAD.replace(b"Host", b"Expect: 100-continue\r\nHost"))
        assert await peer.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await peer.send(b"0123456789")
        assert b"<POST / 0123456789>" in await peer.read_until(b">")


async def test_an_answer_started_in_opened_without_a_body_is_not_received() -> None:
    desk = opening(lambda e: e.begin(200, b"", b"one"))
    async with serving(desk) as served, served.peer() as peer:
        await peer.send(GET)
        await peer.read_until(b"one\r\n")
        assert desk.whole == []
        desk.seen[0].end()
        await peer.read_until(b"0\r\n\r\n")


async def test_the_handler_may_take_less_of_a_body_than_the_default() -> None:
    desk = Desk(most=5)
    async with serving(desk) as served, served.peer() as peer:
        ear = Ear()
        desk.on_opened = lambda e: setattr(e, "listener", ear)
        await peer.send(UPLOAD)
        assert statuses(await peer.read_all()) == [413]
        assert desk.rejected[0][2] is desk.seen[0]
        assert desk.seen[0].gone
        assert ear.heard == ["gone"]


async def test_a_head_request_that_is_refused_gets_no_body() -> None:
    async with serving(Desk(most=5)) as served, served.peer() as peer:
        await peer.send(UPLOAD.replace(b"POST", b"HEAD"))
        assert (await peer.read_all()).endswith(b"\r\n\r\n")


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
