"""Bodies of known length: counted and not parsed, on both sides, with the same checks and the same end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from tests.wire.rig import OK, Caller, Desk, Tank, answers, calling, serving, until
from tests.wire.test_client import feed
from yescale.wire.attempt import Attempt, Failure
from yescale.wire.limits import Limits

if TYPE_CHECKING:
    from yescale.wire.exchange import Exchange

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"


async def hand_over(caller: Caller, pieces: list[bytes]) -> tuple[Attempt, Tank]:
    """Send a request on the one connection, and hand its answer over as cut."""
    attempt, tank = caller.send()
    await until(lambda: attempt.sent)
    upstream = cast("asyncio.Protocol", attempt.carrier)
    for piece in pieces:
        upstream.data_received(piece)
    return attempt, tank


async def test_a_connection_is_used_again_after_a_counted_answer() -> None:
    async with calling([answers(b"")]) as caller:
        for turn in range(3):
            attempt, tank = await hand_over(caller, [HEAD + b"ab", b"cdef", b"gh"])
            assert (tank.data, tank.reads, tank.done) == (b"abcdefgh", 3, 1)
            assert attempt.reused == (turn > 0)
            assert caller.client.idle(caller.origin) == 1
            _, tank = await hand_over(caller, [OK])
            assert (tank.data, tank.done) == (b"fine", 1)


@pytest.mark.parametrize("cut", [[b"abcdefghX"], [b"abcd", b"efghX"], [b"abcd", b"efgh" + OK]])
async def test_bytes_after_a_counted_answer_are_not_of_it_and_end_its_connection(cut: list[bytes]) -> None:
    async with calling([answers(b"")]) as caller:
        _, tank = await hand_over(caller, [HEAD, *cut])
        assert (tank.data, tank.done) == (b"abcdefgh", 1)
        assert caller.client.open(caller.origin) == 0


@pytest.mark.parametrize("line", [b"Connection: close\r\n", b"X-A: b\r\n"])
async def test_a_counted_answer_that_says_close_is_not_reused(line: bytes) -> None:
    async with calling([answers(b"")]) as caller:
        fed = await feed(caller, [HEAD[:-2] + line + b"\r\n", b"abcd", b"efgh"])
        assert fed.facts[:2] == (b"abcdefgh", 1)
        assert fed.kept == (line == b"X-A: b\r\n")


async def test_a_counted_answer_that_ends_early_is_cut() -> None:
    """promise 28"""
    for sent in (HEAD, HEAD + b"a", HEAD + b"abcdefg"):
        async with calling([answers(sent, end="close")]) as caller:
            _, tank = await caller.answer()
            assert (tank.done, tank.failure) == (0, Failure.CUT)


async def test_a_body_that_comes_in_many_reads_arrives_joined() -> None:
    body = bytes(range(256)) * 20
    async with serving(Desk(most=len(body))) as served, served.peer() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 512):
            await peer.send(body[start : start + 512])
            await asyncio.sleep(0)
        await peer.read_until(b">")
        assert served.desk.whole[0].body == body


async def test_what_follows_a_counted_body_is_the_next_request() -> None:
    sized = b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    async with serving() as served, served.peer() as peer:
        await peer.send(sized % 1 + sized[:-1] % 2)
        await peer.read_until(b">")
        await peer.send(b"c" + sized % 3)
        await peer.read_until(b"<POST /3 abc>")
        assert [exchange.body for exchange in served.desk.whole] == [b"abc"] * 3


async def test_a_body_too_large_is_refused_before_any_of_it_is_read() -> None:
    async with serving(Desk(most=7)) as served, served.peer() as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n")
        assert b" 413 " in await peer.read_until(b"\r\n\r\n")
        assert not served.desk.whole


async def test_an_unwanted_body_is_dropped_and_the_connection_goes_on() -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.respond(401, b"", b"no>")

    desk = Desk()
    desk.on_opened = refuse
    async with serving(desk, Limits(discard=20, linger_s=0.05)) as served, served.peer() as peer:
        for _ in range(2):
            await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n1234567890")
            assert b"connection: close" not in await peer.read_until(b"no>")
            (connection,) = served.server._connections
            kept = connection._body
            assert kept is not None
            assert not kept._pieces
            await peer.send(b"1234567890")
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\n")
        assert b"connection: close" in await peer.read_until(b"no>")
        assert not desk.whole
        assert not desk.rejected
