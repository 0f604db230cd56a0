"""The client: what it sends, and answers however they are cut."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.rig import OK, STREAM, Caller, Peer, Tank, answers, calling, serving, until
from yescale.wire.client import Attempt, Client, ClientLimits, Failure, Origin
from yescale.wire.timers import Timers

if TYPE_CHECKING:
    pass

TO_END = b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nuntil the end"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


# --- what is sent


async def test_the_request_goes_out_as_given_with_its_length() -> None:
    got: list[bytes] = []

    async def script(peer: Peer) -> None:
        got.append(await peer.read_until(b"body"))
        await peer.send(OK)

    async with calling([script]) as caller:
        attempt, tank = await caller.answer(head=b"POST /v1 HTTP/1.1\r\nhost: h\r\nx: y\r\n")
        assert got == [b"POST /v1 HTTP/1.1\r\nhost: h\r\nx: y\r\ncontent-length: 4\r\n\r\nbody"]
        assert (attempt.status, attempt.header(b"x-a"), attempt.header(b"x-b")) == (200, b"b", None)
        assert (tank.data, tank.done, tank.failure) == (b"fine", 1, None)
        assert attempt.sent
        assert attempt.answered
        assert not attempt.reused
        assert attempt.connect_s >= 0
        assert attempt.first_byte_at >= attempt.started


@pytest.mark.parametrize(("method", "length"), [(b"GET", b""), (b"POST", b"content-length: 0\r\n")])
async def test_an_empty_body_has_a_length_only_where_one_is_expected(method: bytes, length: bytes) -> None:
    got: list[bytes] = []

    async def script(peer: Peer) -> None:
        got.append(await peer.read_until(b"\r\n\r\n"))
        await peer.send(OK)

    async with calling([script]) as caller:
        await caller.answer(head=method + b" / HTTP/1.1\r\n", body=b"")
        assert got == [method + b" / HTTP/1.1\r\n" + length + b"\r\n"]


async def test_a_large_body_arrives_whole() -> None:
    async with serving() as served:
        served.desk.most = 1 << 30
        timers = Timers(asyncio.get_running_loop(), 0.01)
        client = Client(timers, ClientLimits())
        host, port = served.address
        caller = Caller(client, timers, Origin("http", str(host), int(port)))
        body = bytes(range(256)) * 40_000
        _, tank = await caller.answer(body=body)
        assert served.desk.whole[0].body == body
        assert tank.data == b"<POST /x %b>" % body
        assert client.idle(caller.origin) == 1
        client.close()
        timers.close()


# --- what comes back


class Fed:
    """An attempt whose connection is handed its reads as cut."""

    def __init__(self, tank: Tank, attempt: Attempt, kept: bool) -> None:
        self.facts = (bytes(tank.data), tank.done, tank.failure, attempt.status, attempt.headers)
        self.kept = kept


async def feed(caller: Caller, pieces: list[bytes], *, head: bytes = b"POST / HTTP/1.1\r\n") -> Fed:
    attempt, tank = caller.send(head=head)
    await until(lambda: attempt.sent)
    upstream = cast("asyncio.Protocol", attempt.carrier)
    for piece in pieces:
        if attempt.carrier is None:
            break
        upstream.data_received(piece)
    kept = caller.client.idle(caller.origin) == 1
    if not tank.ended.is_set() and attempt.carrier is not None:
        upstream.eof_received()
    caller.client.close()
    caller.client = Client(caller.timers, caller.client._limits)
    await asyncio.sleep(0)
    return Fed(tank, attempt, kept)


ANSWERS = {"sized": OK, "chunked": STREAM, "to the end": TO_END, "interim": INTERIM, "empty": EMPTY}


@pytest.mark.parametrize("name", ANSWERS)
async def test_cutting_an_answer_at_any_offset_changes_nothing(name: str) -> None:
    stream = ANSWERS[name]
    async with calling([answers(b"")]) as caller:
        whole = await feed(caller, [stream])
        assert whole.facts[1:3] == (1, None)
        assert whole.kept == (name != "to the end")
        for offset in range(1, len(stream)):
            cut = await feed(caller, [stream[:offset], stream[offset:]])
            assert (cut.facts, cut.kept) == (whole.facts, whole.kept), f"cut at {offset}"
        split = await feed(caller, [stream[i : i + 1] for i in range(len(stream))])
        assert (split.facts, split.kept) == (whole.facts, whole.kept)


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("name", ["sized", "chunked"])
async def test_an_answer_that_breaks_off_at_any_byte_is_never_done(name: str, end: str) -> None:
    """promise 28"""
    stream = ANSWERS[name]
    head = stream.index(b"\r\n\r\n") + 4
    scripts = [answers(stream[:offset], end=end) for offset in range(len(stream))]
    async with calling(scripts) as caller:
        for offset in range(len(stream)):
            attempt, tank = await caller.answer()
            assert tank.done == 0
            assert tank.failure is not None
            if end == "close":
                assert tank.failure is (Failure.RESET if offset < head else Failure.CUT), f"after {offset} bytes"
            assert attempt.answered == (offset > 0) or end == "reset"
        assert caller.client.idle(caller.origin) == 0


async def test_an_answer_delimited_by_the_end_is_cut_by_a_reset() -> None:
    """promise 28"""

    async def script(peer: Peer) -> None:
        await peer.read_until(b"body")
        await peer.send(TO_END)
        await asyncio.sleep(0.05)
        peer.reset()

    async with calling([script]) as caller:
        _, tank = await caller.answer()
        assert (tank.done, tank.failure) == (0, Failure.CUT)


async def test_an_answer_delimited_by_the_end_is_done_at_a_clean_end() -> None:
    async with calling([answers(TO_END, end="close")]) as caller:
        _, tank = await caller.answer()
        assert (tank.data, tank.done) == (b"until the end", 1)
        assert caller.client.open(caller.origin) == 0


GARBAGE = {
    "not HTTP": b"hello\r\n\r\n",
    "bare LF": OK.replace(b"\r\n", b"\n"),
    "HTTP/2.0": OK.replace(b"1.1", b"2.0"),
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "switching without a word": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "status 099": OK.replace(b"200", b"099"),
    "both framings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nfine",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nfine",
    "gzip encoding": STREAM.replace(b"chunked", b"gzip"),
    "gzip and chunked": STREAM.replace(b"chunked", b"gzip, chunked"),
    "gzip, then chunked": STREAM.replace(b"\r\nTransfer", b"\r\nTransfer-Encoding: gzip\r\nTransfer"),
    "bad chunk": STREAM.replace(b"3\r\none", b"0x3\r\none"),
    "obs-fold": OK.replace(b"X-A: b", b"X-A: b\r\n c"),
    "head over the limit": OK.replace(b"X-A: b", b"X-A: " + b"b" * 3000),
    "too many headers": OK.replace(b"X-A: b\r\n", b"X-A: b\r\n" * 20),
    "headers without end": OK.replace(b"X-A: b\r\n\r\nfine", b"X-A: b\r\n" * 12),
    "interim answer with a body": STREAM.replace(b"200", b"169") + OK,
    "interim answer with a length": OK.replace(b"200", b"169") + OK,
    "endless interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
    "endless trailer": STREAM[:-2] + b"T: ",
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_is_named_and_its_connection_dropped(name: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_until(b"body")
        await peer.send(GARBAGE[name])
        while name == "endless trailer":
            await peer.send(b"a" * 1000)

    async with calling([script], ClientLimits(max_head_bytes=2000, max_headers=10)) as caller:
        _, tank = await caller.answer()
        assert tank.failure is Failure.GARBAGE
        assert caller.client.open(caller.origin) == 0


async def test_the_limit_of_an_answers_head_is_exact_and_does_not_count_the_body() -> None:
    head = OK.index(b"\r\n\r\n") + 4
    async with calling([answers(b"")], ClientLimits(max_head_bytes=head)) as caller:
        assert (await feed(caller, [OK])).facts[0] == b"fine"
    async with calling([answers(b"")], ClientLimits(max_head_bytes=head - 1)) as caller:
        assert (await feed(caller, [OK])).facts[2] is Failure.GARBAGE


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\noops",
    ],
)
async def test_the_answer_to_head_has_no_body_and_its_connection_is_not_reused(reply: bytes) -> None:
    async with calling([answers(b"")]) as caller:
        fed = await feed(caller, [reply], head=b"HEAD / HTTP/1.1\r\n")
        assert fed.facts[:3] == (b"", 1, None)
        assert not fed.kept


@pytest.mark.parametrize(
    "reply",
    [
        OK + b"x",
        OK + OK,
        OK.replace(b"X-A: b", b"Connection: close"),
        OK.replace(b"X-A: b", b"Connection: close") + b"surplus",
        OK.replace(b"1.1", b"1.0"),
        STREAM.replace(b"1.1", b"1.0"),
        b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nfine",
    ],
    ids=["byte", "second answer", "close", "close and surplus", "old", "old and chunked", "body of a 204"],
)
async def test_a_connection_with_anything_odd_is_not_reused_though_the_answer_counts(reply: bytes) -> None:
    async with calling([answers(b"")]) as caller:
        fed = await feed(caller, [reply])
        assert fed.facts[1:3] == (1, None)
        assert not fed.kept


@st.composite
def replies(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """An answer, its body, and whether the connection survives it."""
    body = draw(st.binary(max_size=80))
    head = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"])) + b"HTTP/1.1 200 OK\r\nx: y\r\n"
    match draw(st.sampled_from(["sized", "chunked", "end"])):
        case "sized":
            return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body), body, True
        case "chunked":
            framed = b""
            rest = body
            while rest:
                size = draw(st.integers(1, len(rest)))
                framed += b"%x\r\n%b\r\n" % (size, rest[:size])
                rest = rest[size:]
            return b"%btransfer-encoding: chunked\r\n\r\n%b0\r\n\r\n" % (head, framed), body, True
        case _:
            return b"%b\r\n%b" % (head, body), body, False


async def _law(reply: tuple[bytes, bytes, bool], cuts: list[int]) -> None:
    raw, body, kept = reply
    places = sorted({cut % (len(raw) + 1) for cut in cuts} | {0, len(raw)})
    async with calling([answers(b"")]) as caller:
        fed = await feed(caller, [raw[a:b] for a, b in itertools.pairwise(places)])
    assert fed.facts[:3] == (body, 1, None)
    assert fed.kept == kept


@settings(max_examples=100, deadline=None)
@given(reply=replies(), cuts=st.lists(st.integers(0, 500), max_size=6))
def test_any_valid_answer_in_any_pieces_arrives_whole(reply: tuple[bytes, bytes, bool], cuts: list[int]) -> None:
    asyncio.run(_law(reply, cuts))


async def test_one_read_is_one_call() -> None:
    async with calling([answers(b"")]) as caller:
        attempt, tank = caller.send()
        await until(lambda: attempt.sent)
        upstream = cast("asyncio.Protocol", attempt.carrier)
        upstream.data_received(STREAM[:60])
        upstream.data_received(STREAM[60:])
        assert (tank.reads, tank.done) == (2, 1)
