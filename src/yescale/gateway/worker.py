"""A worker: its parts put together, its start, and its end. It listens only once control has said what there is."""

import asyncio
import contextlib
import gc
import logging
import os
import select
import signal
import socket
import ssl
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from random import Random
from typing import Final

import uvloop

from yescale.domain.ids import Incarnation
from yescale.domain.link import Alive, Hello
from yescale.domain.memory import OpenMemory
from yescale.domain.snapshot import Snapshot
from yescale.gateway import logs
from yescale.gateway.clock import SystemClock
from yescale.gateway.forwarded import Proxies
from yescale.gateway.front import Front
from yescale.gateway.journal import Journal
from yescale.gateway.keys import Keys
from yescale.gateway.link import Link
from yescale.gateway.memory import Memory
from yescale.gateway.purses import Purses
from yescale.gateway.rates import Rates
from yescale.gateway.relay.relay import Relay
from yescale.gateway.relay.reporting import Reporter
from yescale.settings import Settings
from yescale.wire.client import Client, Origin
from yescale.wire.server import Server
from yescale.wire.timers import Timers

LOG: Final = logging.getLogger("yescale.worker")
_BACKLOG: Final = 4_096
_COLLECT: Final = (50_000, 20, 50)  # gc thresholds: what lives long is frozen, what is new dies by reference count
_DRAIN_STEP_S: Final = 0.05
_LAST_WORDS_S: Final = 1.0  # for the error events of calls that a shutdown ends


def run(settings: Settings, *, slot: int, listen_fd: int) -> None:
    """Serve on an inherited listening socket until SIGTERM, or until control closes this life."""
    logs.configure(f"worker-{slot}", settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Worker(settings, slot).serve(socket.socket(fileno=listen_fd)))


class Worker:
    """One life of one worker."""

    def __init__(self, settings: Settings, slot: int) -> None:
        self._settings = settings
        self._slot = slot
        self._clock = SystemClock()
        self._rng = Random(os.urandom(32))  # noqa: S311 - for ids and jitter; it guards nothing
        self._incarnation = Incarnation(os.urandom(16).hex())
        self._stop = asyncio.Event()
        hello = Hello(incarnation=self._incarnation, slot=slot, pid=os.getpid(), program=_program())
        self._link = Link(settings.internal_socket, hello, self._clock, self._rng)

    async def serve(self, sock: socket.socket) -> None:
        """Start, listen, drain."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop.set)
        timers = Timers(loop)
        try:
            relay = await self._assemble(loop, timers)
            if relay is None:
                sock.close()
            else:
                await self._listen(relay, sock)
        finally:
            self._link.close()
            timers.close()

    def stop(self) -> None:
        """Drain and end, as SIGTERM does."""
        self._stop.set()

    async def _assemble(self, loop: asyncio.AbstractEventLoop, timers: Timers) -> Relay | None:
        """Everything but the listener; None when told to stop before control answered."""
        settings, link = self._settings, self._link
        first: asyncio.Future[Snapshot] = loop.create_future()
        link.on_snapshot(lambda snapshot: None if first.done() else first.set_result(snapshot))
        link.start()
        if not await self._unless_stopped(first):
            return None
        welcome = await link.welcomed()
        journal = Journal(settings.journals, self._incarnation, welcome.node, settings.journal, timers, self._clock)
        link.on(Alive, lambda _: journal.alive())
        keys = Keys(link, settings.money, timers, self._clock)
        purses = Purses(link, journal, keys, settings.money, timers, self._clock)
        purses.on_closed(self._stop.set)
        greeting = OpenMemory(incarnation=self._incarnation, slot=self._slot)
        memory = Memory(settings.internal_socket, greeting, settings.memory, timers, self._rng)
        memory.start()
        relay = Relay(
            settings.relay,
            settings.money,
            timers=timers,
            clock=self._clock,
            now=loop.time,
            client=Client(timers, settings.relay.connections, _upstream_tls(settings)),
            link=link,
            journal=journal,
            keys=keys,
            purses=purses,
            rates=Rates(link, self._slot, timers, self._clock),
            memory=memory,
            rng=self._rng,
            routing=settings.routing,
        )
        Reporter(relay.health, link, timers, loop.time)
        relay.publish(first.result())
        link.on_snapshot(relay.publish)
        return relay

    async def _unless_stopped(self, first: asyncio.Future[Snapshot]) -> bool:
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((first, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        return first.done()

    async def _listen(self, relay: Relay, sock: socket.socket) -> None:
        settings = self._settings
        control = Origin("unix", "localhost", 0, str(settings.public_socket))
        tls = _server_tls(settings)
        front = Front(relay, control, tls=tls is not None, proxies=_proxies(settings))
        server = Server(front, settings.server.limits, relay.timers, door=front)
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(server.protocol, sock=sock, backlog=_BACKLOG, ssl=tls)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT)
        LOG.info("listening: incarnation %s, snapshot %d", self._incarnation, relay.table.snapshot.version)
        await self._stop.wait()
        LOG.info("draining: %d connections, %d calls", server.connections, len(relay.calls))
        await self._accept_queued(sock)
        listener.close()
        await self._drain(relay, server)

    async def _accept_queued(self, sock: socket.socket) -> None:
        """Let the loop accept who is connected already: with the last copy of the socket closed they would be reset."""
        loop = asyncio.get_running_loop()
        queue = select.poll()
        queue.register(sock, select.POLLIN)
        end = loop.time() + self._settings.server.drain_linger_s
        while queue.poll(0) and loop.time() < end:  # noqa: ASYNC110 - the loop accepts; it has no event for it
            await asyncio.sleep(0)

    def _is_quiet(self, relay: Relay, server: Server) -> bool:
        """Whether all calls have ended and every client has its answer.

        Departed clients are not waited for: what they used is estimated.
        """
        for call in tuple(relay.calls):
            call.stop(everything=False)
        return not server.connections and not relay.calls

    async def _drain(self, relay: Relay, server: Server) -> None:
        """Let what was accepted end; then give the money back and close the books."""
        server.drain(self._settings.server.drain_linger_s)
        end = relay.now() + self._settings.server.drain_timeout_s
        await _wait(relay, end, lambda: self._is_quiet(relay, server))
        for call in tuple(relay.calls):
            call.stop(everything=True)
        await _wait(relay, relay.now() + _LAST_WORDS_S, lambda: not server.connections)
        await _wait(relay, relay.now() + _LAST_WORDS_S, lambda: not relay.memory.busy)
        server.cut()
        relay.memory.close()
        relay.purses.give_back()
        relay.purses.close()
        relay.rates.close()
        relay.journal.close()
        relay.client.close()


async def _wait(relay: Relay, end: float, true: Callable[[], bool]) -> None:
    """Until something is so, or until `end`."""
    over = asyncio.Event()

    def look() -> None:
        if true() or relay.now() >= end:
            over.set()
        else:
            relay.timers.start(_DRAIN_STEP_S, look)

    look()
    await over.wait()


def _program() -> str:
    """Name and version, for whoever reads a journal later."""
    try:
        return f"yescale {version('yescale')}"
    except PackageNotFoundError:  # run from a source tree
        return "yescale"


def _upstream_tls(settings: Settings) -> Callable[[Origin], ssl.SSLContext] | None:
    """Trust in one more authority than the system's; None = the client's own way."""
    if not settings.upstream_ca_file:
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(settings.upstream_ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return lambda _origin: context


def _proxies(settings: Settings) -> Proxies | None:
    """Those that the operator trusts; None = there are none."""
    networks = settings.server.proxies
    return Proxies(networks) if networks else None


def _server_tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.cert_file:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.cert_file, settings.key_file or None)
    with contextlib.suppress(NotImplementedError):
        context.set_alpn_protocols(["http/1.1"])
    return context
