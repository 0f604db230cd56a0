"""Connections of the client: reuse, cancelling, back-pressure, and other kinds of origins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from tests.wire.rig import OK, STREAM, Caller, Peer, Tank, answers, calling, serving, until
from yescale.wire.client import Attempt, Client, ClientLimits, Deadlines, Failure, Origin

if TYPE_CHECKING:
    from pathlib import Path

    from yescale.wire.upstream import Upstream

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
        await peer.send(STREAM[:60])
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
    async with calling([answers(STREAM[:60])]) as caller:
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
