"""Answers: how they are framed, cut short, and given before the body is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.wire.rig import (
    CHUNKED,
    EXTRA,
    GET,
    HEAD,
    OLD,
    UPLOAD,
    Desk,
    Ear,
    doing,
    opening,
    serving,
    statuses,
    until,
)
from yescale.wire.server import Exchange, Limits

if TYPE_CHECKING:
    from collections.abc import Callable


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
