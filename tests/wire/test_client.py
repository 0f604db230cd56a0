"""The client: answers however they are cut, reuse of connections, failures and deadlines."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.rig import Caller, Peer, Tank, answers, calling, serving, until
from yescale.wire.client import Attempt, Client, ClientLimits, Deadlines, Failure, Origin
from yescale.wire.timers import Timers

if TYPE_CHECKING:
    from pathlib import Path

    from yescale.wire.upstream import Upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\nfine"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n6;e=1\r\n\r\n\r\nab\r\n0\r\nT: x\r\n\r\n"
TO_END = b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nuntil the end"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


def closing(*replies: bytes) -> object:
    return answers(*replies, end="close")


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


ANSWERS = {"sized": OK, "chunked": CHUNKED, "to the end": TO_END, "interim": INTERIM, "empty": EMPTY}


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
    "gzip encoding": CHUNKED.replace(b"chunked", b"gzip"),
    "gzip and chunked": CHUNKED.replace(b"chunked", b"gzip, chunked"),
    "bad chunk": CHUNKED.replace(b"3\r\none", b"0x3\r\none"),
    "obs-fold": OK.replace(b"X-A: b", b"X-A: b\r\n c"),
    "head over the limit": OK.replace(b"X-A: b", b"X-A: " + b"b" * 3000),
    "too many headers": OK.replace(b"X-A: b\r\n", b"X-A: b\r\n" * 20),
    "endless interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
    "endless trailer": CHUNKED[:-2] + b"T: ",
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
        CHUNKED.replace(b"1.1", b"1.0"),
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
        upstream.data_received(CHUNKED[:60])
        upstream.data_received(CHUNKED[60:])
        assert (tank.reads, tank.done) == (2, 1)


# --- reuse


async def test_a_connection_is_reused_last_used_first() -> None:
    async with calling([answers(*[OK] * 9)]) as caller:
        first, _ = await caller.answer()
        assert not first.reused
        pair = [caller.send() for _ in range(2)]
        for _, tank in pair:
            await tank.end()
        assert caller.client.open(caller.origin) == caller.client.idle(caller.origin) == 2
        for _ in range(3):
            attempt, _ = await caller.answer()
            assert attempt.reused
            assert attempt.connect_s == 0
        assert caller.client.open(caller.origin) == 2
        assert caller.client.origins() == (caller.origin,)


async def test_the_connection_that_rested_least_is_taken_first() -> None:
    scripts = [answers(*[OK.replace(b"fine", name)] * 4) for name in (b"one.", b"two.")]
    async with calling(scripts) as caller:
        pair = [caller.send() for _ in range(2)]
        for _, tank in pair:
            await tank.end()
        last = next(reversed(caller.client._pools[caller.origin]._idle))
        for _ in range(2):
            attempt, tank = caller.send()
            assert attempt.carrier is last
            assert not attempt.over
            await tank.end()
            assert attempt.over


async def test_the_connection_is_back_before_the_sink_hears_the_end() -> None:
    async with calling([answers(OK, OK)]) as caller:
        tank = Tank()
        idle: list[int] = []
        tank.on_received = lambda _: idle.append(caller.client.idle(caller.origin))
        await caller.answer(tank=tank)
        assert idle == [1]


async def test_a_request_sent_from_inside_the_end_of_another_reuses_its_connection() -> None:
    async with calling([answers(OK, OK.replace(b"fine", b"more"))]) as caller:
        tank, second = Tank(), Tank()

        def again(attempt: Attempt) -> None:
            caller.send(tank=second)

        tank.on_received = again
        first, _ = await caller.answer(tank=tank)
        await second.end()
        assert (tank.data, second.data) == (b"fine", b"more")
        assert first.header(b"x-a") == b"b"
        assert caller.client.open(caller.origin) == 1


@pytest.mark.parametrize("what", ["bytes", "end"])
async def test_an_idle_connection_that_hears_anything_is_dropped(what: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_until(b"body")
        await peer.send(OK)
        await asyncio.sleep(0.02)
        if what == "bytes":
            await peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            await peer.read_all()

    async with calling([script, answers(OK)]) as caller:
        await caller.answer()
        assert caller.client.idle(caller.origin) == 1
        await until(lambda: caller.client.open(caller.origin) == 0)
        attempt, tank = await caller.answer()
        assert not attempt.reused
        assert tank.done


async def test_idle_connections_are_few_and_do_not_live_for_ever() -> None:
    """promise 35"""
    async with calling([answers(OK, OK)], ClientLimits(max_idle=2, idle_s=0.15)) as caller:
        for _, tank in [caller.send() for _ in range(4)]:
            await tank.end()
        assert caller.client.open(caller.origin) == caller.client.idle(caller.origin) == 2
        await until(lambda: caller.client.open(caller.origin) == 0)


async def test_expiry_of_idle_connections_never_touches_one_in_use() -> None:
    """promise 35"""

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_until(b"body")
            await peer.send(OK[:-2])
            await asyncio.sleep(0.06)
            await peer.send(OK[-2:])

    async with calling([script], ClientLimits(idle_s=0.03)) as caller:

        async def work() -> None:
            for _ in range(6):
                _, tank = await caller.answer()
                assert tank.failure is None
                await asyncio.sleep(0.01)

        await asyncio.gather(*(work() for _ in range(5)))


async def stale(peer: Peer) -> None:
    """Answers once; ends without a word when asked again."""
    await peer.read_until(b"body")
    await peer.send(OK)
    await peer.read_until(b"body")


async def test_a_stale_connection_is_retried_once_on_a_fresh_one() -> None:
    async with calling([stale, answers(OK)]) as caller:
        await caller.answer()
        attempt, tank = await caller.answer()
        assert (tank.data, tank.failure) == (b"fine", None)
        assert not attempt.reused
        assert attempt.sent


async def test_the_retry_does_not_take_another_idle_connection() -> None:
    async with calling([stale, stale, answers(OK)]) as caller:
        for _, tank in [caller.send(), caller.send()]:
            await tank.end()
        assert caller.client.idle(caller.origin) == 2
        _, tank = await caller.answer()
        assert tank.failure is None
        assert caller.client.open(caller.origin) == 2


async def test_a_stale_connection_is_not_retried_for_what_may_not_be_repeated() -> None:
    async with calling([stale, answers(OK)]) as caller:
        await caller.answer()
        _, tank = await caller.answer(replayable=False)
        assert tank.failure is Failure.RESET


async def test_the_retry_is_not_retried() -> None:
    calls: list[Peer] = []

    async def deaf(peer: Peer) -> None:
        calls.append(peer)
        await peer.read_until(b"body")

    async with calling([stale, deaf]) as caller:
        await caller.answer()
        _, tank = await caller.answer()
        assert tank.failure is Failure.RESET
        assert len(calls) == 1


async def test_one_byte_of_an_answer_forbids_the_retry() -> None:
    async def one_byte(peer: Peer) -> None:
        await stale(peer)
        await peer.send(b"H")

    async with calling([one_byte, answers(OK)]) as caller:
        await caller.answer()
        attempt, tank = await caller.answer()
        assert tank.failure is Failure.RESET
        assert attempt.answered
        assert attempt.reused


async def test_an_answer_before_the_request_is_out_ends_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.read(1)
        await peer.send(OK)
        await asyncio.sleep(1)

    async with calling([script]) as caller:
        _, tank = await caller.answer(body=b"a" * 30_000_000)
        assert tank.data == b"fine"
        assert caller.client.open(caller.origin) == 0


async def test_an_early_head_stops_the_clock_of_the_send_and_the_rest_may_follow() -> None:
    async def script(peer: Peer) -> None:
        await peer.read(1)
        await peer.send(OK[:-2])
        taken = 0
        while taken < 8_000_000:
            taken += len(await peer.read(1 << 20))
        await peer.send(OK[-2:])
        await peer.read_all()

    async with calling([script]) as caller:
        _, tank = await caller.answer(body=b"a" * 8_000_001)
        assert tank.data == b"fine"


# --- cancelling


async def test_cancelling_closes_the_upstream_at_once_and_the_sink_hears_nothing_more() -> None:
    gone: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.read_until(b"body")
        await peer.send(CHUNKED[:60])
        await peer.read_all()
        gone.append(asyncio.get_running_loop().time())

    async with calling([script, answers(OK)]) as caller:
        attempt, tank = caller.send()
        await until(lambda: tank.reads)
        attempt.cancel()
        assert caller.client.open(caller.origin) == 0
        attempt.cancel()
        attempt.pause()
        attempt.resume()
        await until(lambda: gone)
        assert (tank.done, tank.failure) == (0, None)
        second, tank = await caller.answer()
        assert not second.reused
        assert tank.done


async def test_cancelling_inside_received_is_the_end() -> None:
    async with calling([answers(CHUNKED[:60])]) as caller:
        tank = Tank()
        tank.on_received = lambda attempt: attempt.cancel()
        attempt, _ = caller.send(tank=tank)
        await until(lambda: attempt.over)
        await asyncio.sleep(0.02)
        assert (tank.reads, tank.failure) == (1, None)
        assert caller.client.open(caller.origin) == 0


async def test_cancelling_while_connecting_leaves_nothing_behind() -> None:
    async with calling([answers(OK)]) as caller:
        attempt, tank = caller.send()
        attempt.cancel()
        assert not attempt.sent
        assert caller.client.open(caller.origin) == 0
        await asyncio.sleep(0.03)
        assert caller.client.open(caller.origin) == 0
        assert tank.failure is None


# --- back-pressure


async def test_a_paused_attempt_reads_nothing_and_holds_nothing() -> None:
    """promise 34"""
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.read_until(b"body")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        while sent < 50_000_000:
            await peer.send(b"a" * 100_000)
            sent += 100_000

    async with calling([flood]) as caller:
        attempt, tank = caller.send(deadlines=Deadlines(idle_s=0.1))
        tank.on_received = lambda attempt: attempt.pause()
        await until(lambda: tank.reads)
        reads = tank.reads
        await asyncio.sleep(0.3)
        assert tank.reads == reads, "paused means silence"
        assert tank.failure is None, "and the idle deadline waits"
        assert sent < 30_000_000, "the kernel pushes back on the upstream"
        tank.on_received = None
        attempt.resume()
        await tank.end()
        assert len(tank.data) == 50_000_000


async def test_an_attempt_paused_before_it_is_connected_starts_paused() -> None:
    async with calling([answers(OK)]) as caller:
        attempt, tank = caller.send()
        attempt.pause()
        attempt.pause()
        await asyncio.sleep(0.05)
        assert attempt.sent
        assert not tank.reads
        attempt.resume()
        await tank.end()
        assert tank.data == b"fine"


async def test_resuming_before_the_connection_is_open_starts_normally() -> None:
    async with calling([answers(OK)]) as caller:
        attempt, tank = caller.send()
        attempt.pause()
        attempt.resume()
        await tank.end()


async def test_a_connection_paused_at_the_end_of_its_answer_is_reused_reading() -> None:
    async with calling([answers(b"")]) as caller:
        attempt, tank = caller.send()
        await until(lambda: attempt.sent)
        upstream = cast("Upstream", attempt.carrier)
        tank.on_received = lambda attempt: attempt.pause()
        upstream.data_received(OK[:-2])
        assert not upstream.transport.is_reading()
        upstream.data_received(OK[-2:])
        assert upstream.transport.is_reading()
        assert caller.client.idle(caller.origin) == 1


# --- failures


async def test_nobody_listening_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host, port = closed.getsockname()
    async with calling([answers(OK)]) as caller:
        caller.origin = Origin("http", host, port)
        attempt, tank = await caller.answer()
        assert tank.failure is Failure.REFUSED
        assert not attempt.sent
        assert caller.client.open(caller.origin) == 0


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example"])
async def test_a_name_without_an_address_is_unresolved(host: str) -> None:
    async with calling([answers(OK)]) as caller:
        caller.origin = Origin("http", host, 80)
        _, tank = await caller.answer()
        assert tank.failure is Failure.UNRESOLVED


async def test_too_many_connections_are_exhausted_not_queued() -> None:
    async with calling([answers(OK)], ClientLimits(max_connections=1)) as caller:
        _, first = caller.send()
        _, second = caller.send()
        await second.end()
        assert second.failure is Failure.EXHAUSTED
        await first.end()
        assert first.done


async def test_an_exhausted_attempt_may_be_paused_and_cancelled_like_any_other() -> None:
    async with calling([answers(OK)], ClientLimits(max_connections=0)) as caller:
        attempt, tank = caller.send()
        attempt.pause()
        attempt.resume()
        attempt.cancel()
        await asyncio.sleep(0.01)
        assert tank.failure is None


async def test_an_idle_connection_that_is_closing_is_passed_over() -> None:
    async with calling([answers(OK), answers(OK)]) as caller:
        await caller.answer()
        (upstream,) = caller.client._pools[caller.origin].members
        upstream.transport.close()
        attempt, tank = await caller.answer(replayable=False)
        assert tank.done
        assert not attempt.reused


async def test_closing_the_client_fails_what_is_under_way_and_all_that_follows() -> None:
    async with calling([answers(OK[:-1]), answers(b""), answers(OK)]) as caller:
        _, inside = caller.send()
        await until(lambda: inside.reads)
        waiting, before = caller.send()
        await until(lambda: waiting.sent)
        _, opening = caller.send()
        caller.client.close()
        await asyncio.gather(inside.end(), before.end(), opening.end())
        assert (inside.failure, before.failure, opening.failure) == (Failure.CUT, Failure.RESET, Failure.RESET)
        assert caller.client.open(caller.origin) == 0
        for origin in (caller.origin, Origin("http", "127.0.0.1", 9)):
            caller.origin = origin
            _, late = await caller.answer()
            assert late.failure is Failure.EXHAUSTED


async def test_a_connection_lost_between_opening_and_sending_is_a_reset() -> None:
    async with calling([answers(OK)]) as caller:
        attempt, tank = caller.send()
        upstream = next(iter(caller.client._pools[caller.origin].members))
        upstream.lost = True
        await tank.end()
        assert tank.failure is Failure.RESET
        assert not attempt.sent


async def test_an_unforeseen_error_while_opening_ends_the_attempt(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_origin: Origin) -> ssl.SSLContext:
        raise RuntimeError("no context today")

    async with calling([answers(OK)]) as caller:
        caller.client = Client(caller.timers, ClientLimits(), broken)
        caller.origin = Origin("https", "127.0.0.1", 9)
        _, tank = await caller.answer()
        assert tank.failure is Failure.REFUSED
        assert "unforeseen" in caplog.text


@pytest.mark.parametrize("reply", [OK, OK[:-1], CHUNKED[:60]])
async def test_a_sink_that_raises_is_logged_and_costs_its_connection_alone(
    reply: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Tank):
        def received(self, attempt: Attempt, data: bytes, done: bool) -> None:
            super().received(attempt, data, done)
            raise RuntimeError("a defect")

    async with calling([answers(reply), answers(OK)]) as caller:
        attempt, tank = caller.send(tank=Broken())
        await until(lambda: attempt.over)
        assert (tank.done, tank.failure) == ((1, None) if reply == OK else (0, Failure.CUT))
        assert any(record.levelno == logging.ERROR for record in caplog.records)
        caller.client.close()
        caller.client = Client(caller.timers, ClientLimits())
        _, tank = await caller.answer()
        assert tank.done


async def test_a_sink_that_raises_at_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Tank):
        def failed(self, attempt: Attempt, failure: Failure) -> None:
            super().failed(attempt, failure)
            raise RuntimeError("a defect")

    async with calling([answers(b"x")]) as caller:
        await caller.answer(tank=Broken())
        assert "failed" in caplog.text


# --- deadlines


async def test_a_connection_that_does_not_open_in_time() -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(listening.getsockname())
    async with calling([answers(OK)]) as caller:
        host, port = listening.getsockname()
        caller.origin = Origin("http", host, port)
        _, tank = await caller.answer(deadlines=Deadlines(connect_s=0.1))
        assert tank.failure is Failure.CONNECT_TIMEOUT
        _, tank = await caller.answer(deadlines=Deadlines(total_s=0.1))
        assert tank.failure is Failure.TOTAL_TIMEOUT
        assert caller.client.open(caller.origin) == 0
    for sock in (listening, *fillers):
        sock.close()


async def silent(peer: Peer) -> None:
    await asyncio.sleep(5)


async def test_an_upstream_that_does_not_take_the_request_in_time() -> None:
    async with calling([silent]) as caller:
        _, tank = await caller.answer(body=b"a" * 30_000_000, deadlines=Deadlines(send_s=0.1))
        assert tank.failure is Failure.SEND_TIMEOUT


async def test_the_wait_for_the_first_byte_begins_when_the_request_is_out() -> None:
    async def slowly(peer: Peer) -> None:
        taken = 0
        while taken < 30_000_000:
            taken += len(await peer.read(1 << 20))
        await asyncio.sleep(5)

    async with calling([slowly]) as caller:
        _, tank = await caller.answer(body=b"a" * 30_000_000, deadlines=Deadlines(first_byte_s=0.1))
        assert tank.failure is Failure.FIRST_BYTE_TIMEOUT


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nCont", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_no_whole_head_in_time(reply: bytes) -> None:
    async with calling([answers(reply)]) as caller:
        _, tank = await caller.answer(deadlines=Deadlines(first_byte_s=0.1))
        assert tank.failure is Failure.FIRST_BYTE_TIMEOUT


async def test_silence_inside_an_answer() -> None:
    async with calling([answers(OK[:-1])]) as caller:
        _, tank = await caller.answer(deadlines=Deadlines(idle_s=0.1))
        assert tank.failure is Failure.IDLE_TIMEOUT


async def drip(peer: Peer) -> None:
    await peer.read_until(b"body")
    await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await peer.send(b".")
        await asyncio.sleep(0.02)


async def test_an_answer_that_drips_for_ever_ends_at_the_total_deadline() -> None:
    """promise 28"""
    async with calling([drip]) as caller:
        _, tank = await caller.answer(deadlines=Deadlines(idle_s=0.1, total_s=0.3))
        assert tank.failure is Failure.TOTAL_TIMEOUT
        assert len(tank.data) > 5


async def test_a_paused_answer_still_ends_at_the_total_deadline() -> None:
    async with calling([drip]) as caller:
        attempt, tank = caller.send(deadlines=Deadlines(idle_s=0.05, total_s=0.3))
        await until(lambda: tank.reads)
        attempt.pause()
        await tank.end()
        assert tank.failure is Failure.TOTAL_TIMEOUT


async def test_a_deadline_leaves_no_connection_for_reuse() -> None:
    async with calling([answers(OK[:-1]), answers(OK)]) as caller:
        await caller.answer(deadlines=Deadlines(idle_s=0.05))
        attempt, tank = await caller.answer()
        assert not attempt.reused
        assert tank.done


async def test_a_send_that_ends_unnoticed_goes_on_to_wait_for_the_answer() -> None:
    async with calling([answers(b"")]) as caller:
        attempt, tank = caller.send(deadlines=Deadlines(first_byte_s=0.1))
        await until(lambda: attempt.sent)
        upstream = cast("Upstream", attempt.carrier)
        upstream._sending = True
        upstream._expired()
        await tank.end()
        assert tank.failure is Failure.FIRST_BYTE_TIMEOUT


# --- other places


async def test_a_unix_socket_is_an_origin_too(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with serving(path=path) as served:
        client = Client(served.timers, ClientLimits())
        origin, base = Origin.parse(f"unix:{path}")
        caller = Caller(client, served.timers, origin)
        for turn in range(2):
            attempt, tank = await caller.answer()
            assert attempt.reused == bool(turn)
            assert tank.data == b"<POST /x body>"
        assert base == ""
        client.close()


async def test_empty_pools_are_forgotten_when_there_are_many() -> None:
    """promise 34"""
    async with calling([answers(OK)]) as caller:
        origin = caller.origin
        await caller.answer()
        for number in range(1, 1200):
            pool = caller.client._open_pool(Origin("http", "127.0.0.1", 1, str(number)))
            assert not pool.members
        assert len(caller.client.origins()) < 1000
        assert origin in caller.client.origins()
        assert caller.client.open(Origin("http", "127.0.0.1", 1)) == 0
        assert caller.client.idle(Origin("http", "127.0.0.1", 1)) == 0


async def test_an_aborted_client_closes_the_upstream_within_a_turn_of_the_loop() -> None:
    """The two sides joined as a relay joins them: the client's end reaches the upstream at once."""
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_until(b"body")
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        await peer.read_all()
        ended.set()

    async with calling([script]) as caller, serving() as served:

        class Relay(Tank):
            def client_gone(self) -> None:
                attempt.cancel()
                assert caller.client.open(caller.origin) == 0

            def client_paused(self) -> None:
                attempt.pause()

            def client_resumed(self) -> None:
                attempt.resume()

        relay = Relay()
        served.desk.on_received = lambda e: setattr(e, "listener", relay)
        attempt, _ = caller.send(tank=relay)
        async with served.peer() as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: relay.reads)
            await until(lambda: served.desk.whole)
        await asyncio.wait_for(ended.wait(), 1)
