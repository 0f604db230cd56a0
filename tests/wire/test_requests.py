"""Requests in pieces: however the bytes are cut, the server sees the same."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.rig import Desk, serving, statuses, until
from yescale.wire.connection import Connection
from yescale.wire.server import Limits, Server
from yescale.wire.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Sequence

GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Long: " + b"v" * 30 + b"\r\n\r\n"
SIZED = b"POST /s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n\r\n\r\nbody!"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4;e=1\r\n\r\n\r\n\r\n5\r\nbody!\r\n0\r\nT: r\r\nU: v\r\n\r\n"
)
UPGRADE = b"POST /u HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab"
OLD = b"GET /old HTTP/1.0\r\n\r\n"
BAD = b"GET /bad HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"


class Outcome:
    """What came of feeding pieces to a connection: requests, refusals, answers."""

    def __init__(self, desk: Desk, answers: bytes) -> None:
        self.requests = [(e.method, e.target, e.headers, e.body) for e in desk.whole]
        self.refusals = [(status, reason) for status, reason, _ in desk.rejected]
        self.statuses = statuses(answers)


async def feed(
    pieces: Sequence[bytes], limits: Limits | None = None, *, desk: Desk | None = None, known_lines: int = 100
) -> Outcome:
    """Hand pieces to a connection as reads, exactly as cut; its transport is a real socket."""
    loop = asyncio.get_running_loop()
    desk = desk or Desk()
    desk.on_received = lambda exchange: exchange.respond(200, b"", b"")
    timers = Timers(loop)
    server = Server(desk, limits or Limits(linger_s=0.05), timers, known_lines=known_lines)
    ours, theirs = socket.socketpair()
    _, protocol = await loop.create_connection(server.protocol, sock=ours)
    connection = cast("Connection", protocol)
    theirs.setblocking(False)
    for piece in pieces:
        connection.data_received(piece)
    data = b""
    with contextlib.suppress(BlockingIOError):
        while more := theirs.recv(65536):
            data += more
    theirs.close()
    server.cut()
    timers.close()
    await until(lambda: server.connections == 0)
    assert server.busy == 0
    return Outcome(desk, data)


STREAMS = {
    "sized": GET + SIZED + GET,
    "chunked": CHUNKED + GET + CHUNKED,
    "upgrade": UPGRADE + GET + OLD,
    "bad": CHUNKED + SIZED + BAD + GET,
}


@pytest.mark.parametrize("name", STREAMS)
async def test_cutting_requests_at_any_offset_changes_nothing(name: str) -> None:
    stream = STREAMS[name]
    whole = await feed([stream])
    assert len(whole.requests) >= 2
    for offset in range(1, len(stream)):
        cut = await feed([stream[:offset], stream[offset:]])
        assert vars(cut) == vars(whole), f"cut at {offset}"


@pytest.mark.parametrize("name", STREAMS)
async def test_requests_fed_byte_by_byte_are_the_same(name: str) -> None:
    stream = STREAMS[name]
    whole = await feed([stream])
    assert vars(await feed([stream[i : i + 1] for i in range(len(stream))])) == vars(whole)


async def test_requests_sent_byte_by_byte_over_a_real_socket_are_answered() -> None:
    async with serving() as served, served.peer() as peer:
        for i in range(len(CHUNKED)):
            await peer.send(CHUNKED[i : i + 1])
            await asyncio.sleep(0)
        await peer.read_until(b"\r\n\r\nbody!>")


async def test_the_limit_of_a_head_is_exact_wherever_it_is_cut() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100 + b"\r\n\r\n"
    for size in (len(head), len(head) - 1):
        limits = Limits(max_head_bytes=size, linger_s=0.05)
        for step in (1, 7, len(head)):
            pieces = [head[i : i + step] for i in range(0, len(head), step)]
            outcome = await feed(pieces, limits)
            assert outcome.statuses == ([200] if size == len(head) else [431])


async def test_the_framing_of_a_long_chunked_body_is_not_taken_for_an_endless_trailer() -> None:
    chunk = b"64\r\n" + b"a" * 100 + b"\r\n"
    pieces = [CHUNKED[: CHUNKED.index(b"4;e")], *[chunk] * 50, b"0\r\n", b"T: u\r\n", b"\r\n"]
    outcome = await feed(pieces, Limits(max_head_bytes=200))
    assert outcome.statuses == [200]
    assert len(outcome.requests[0][3]) == 5000
    pieces[-2:-1] = [b"T: " + b"u" * 100 + b"\r\n"] * 2
    assert (await feed(pieces, Limits(max_head_bytes=200))).statuses == [431]


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, tuple[bytes, bytes, bytes]]:
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE"]))
    target = b"/" + draw(st.text("abc%/?=&.", max_size=12)).encode()
    body = draw(st.binary(max_size=60))
    head = b"%b %b HTTP/1.1\r\nhost: x\r\n" % (method, target)
    for value in draw(st.lists(st.text("a b\t;,é", max_size=8), max_size=3)):
        head += b"x-v: %b\r\n" % value.encode()
    if draw(st.booleans()):
        return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body), (method, target, body)
    framed = b""
    rest = body
    while rest:
        size = draw(st.integers(1, len(rest)))
        extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="b"']))
        framed += b"%x%b\r\n%b\r\n" % (size, extension, rest[:size])
        rest = rest[size:]
    framed += b"0\r\n%b\r\n" % draw(st.sampled_from([b"", b"T: u\r\n", b"T: u\r\nHost: v\r\n"]))
    return b"%btransfer-encoding: chunked\r\n\r\n%b" % (head, framed), (method, target, body)


async def _law(sent: list[tuple[bytes, tuple[bytes, bytes, bytes]]], cuts: list[int]) -> None:
    stream = b"".join(raw for raw, _ in sent)
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    outcome = await feed(pieces)
    assert [(method, target, body) for method, target, _, body in outcome.requests] == [facts for _, facts in sent]
    assert outcome.statuses == [200] * len(sent)


@settings(max_examples=150, deadline=None)
@given(sent=st.lists(requests(), min_size=1, max_size=4), cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_any_valid_requests_in_any_pieces_arrive_as_sent(
    sent: list[tuple[bytes, tuple[bytes, bytes, bytes]]], cuts: list[int]
) -> None:
    asyncio.run(_law(sent, cuts))


@settings(max_examples=200, deadline=None)
@given(
    sent=st.lists(requests(), min_size=1, max_size=3),
    at=st.integers(0, 500),
    noise=st.binary(min_size=1, max_size=6),
    instead=st.booleans(),
)
def test_damaged_requests_are_refused_or_served_but_never_break_the_server(
    sent: list[tuple[bytes, tuple[bytes, bytes, bytes]]], at: int, noise: bytes, instead: bool
) -> None:
    stream = b"".join(raw for raw, _ in sent)
    at %= len(stream)
    damaged = stream[:at] + noise + stream[at + len(noise) * instead :]
    records: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = records.append  # type: ignore[method-assign]  # the shortest handler
    logger = logging.getLogger("yescale.wire")
    logger.addHandler(listener)
    try:
        whole = asyncio.run(feed([damaged]))
        split = asyncio.run(feed([damaged[i : i + 1] for i in range(len(damaged))]))
    finally:
        logger.removeHandler(listener)
    assert not records
    assert set(whole.statuses) <= {200, 400, 405, 413, 414, 417, 426, 431, 501, 505}
    assert whole.requests == split.requests
    assert whole.statuses == split.statuses
