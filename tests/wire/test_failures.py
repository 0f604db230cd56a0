"""Whatever can go wrong with an attempt is told once, by name, and in time."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import TYPE_CHECKING, cast

import pytest

from tests.wire.rig import OK, STREAM, Peer, Tank, answers, calling, until
from yescale.wire.client import Attempt, Client, ClientLimits, Deadlines, Failure, Origin

if TYPE_CHECKING:
    from yescale.wire.upstream import Upstream

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


@pytest.mark.parametrize("reply", [OK, OK[:-1], STREAM[:60]])
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
