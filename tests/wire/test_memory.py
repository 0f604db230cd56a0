"""What is over is freed, and at once: nothing waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc

from tests.wire.rig import Caller, Desk, Tank, serving, until
from yescale.wire.attempt import Attempt
from yescale.wire.client import Client, ClientLimits, Origin
from yescale.wire.connection import Connection
from yescale.wire.exchange import Exchange
from yescale.wire.reader import Reader
from yescale.wire.timers import Deadline
from yescale.wire.upstream import Upstream

KINDS = (Attempt, Connection, Deadline, Exchange, Reader, Upstream)


class Forgetful(Desk):
    def opened(self, exchange: Exchange) -> int:
        self.seen.clear()
        self.whole.clear()
        exchange.listener = Joined(exchange)
        return super().opened(exchange)


class Joined(Tank):
    """A listener that holds its exchange, as a relay does."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange

    def client_gone(self) -> None: ...

    def client_paused(self) -> None: ...

    def client_resumed(self) -> None: ...


def count() -> int:
    return sum(isinstance(thing, KINDS) for thing in gc.get_objects())


async def test_connections_and_calls_that_are_over_are_freed_without_the_collector() -> None:
    """promise 34"""
    desk = Forgetful()
    async with serving(desk) as served:
        host, port = served.address
        client = Client(served.timers, ClientLimits(max_idle=0))
        caller = Caller(client, served.timers, Origin("http", str(host), int(port)))
        gc.collect()
        before = count()
        gc.disable()
        attempt = tank = None
        try:
            for turn in range(30):
                attempt, tank = caller.send()
                if turn % 3:
                    await tank.end()
                else:
                    await until(lambda sent=attempt: sent.sent)
                    attempt.cancel()
            async with served.peer() as peer:
                await peer.send(b"BAD\r\n\r\n")
                await peer.read_all()
            await until(lambda: served.server.connections == 0)
            attempt = tank = None
            desk.seen.clear()
            desk.whole.clear()
            await asyncio.sleep(0.05)
            assert count() - before <= 4, "the last call may still be held by the loop"
        finally:
            gc.enable()
            client.close()
