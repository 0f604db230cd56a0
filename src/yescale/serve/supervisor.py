"""The supervisor: owns the sockets and the lock, keeps workers, control and sandbox alive, and stops them in order.

It serves no request and knows no database. SIGTERM and SIGINT drain and leave, a second one hurries; SIGHUP reads the
settings again and replaces control, then the workers. A successor is started before the old process leaves: a worker's
inherits the same socket, each connection goes to one of both, and who leaves closes only its own copy.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any, Final

import msgspec

from yescale.serve import preflight
from yescale.serve.banner import announce
from yescale.serve.health import accepts, answers
from yescale.serve.home import Lock, note_address, prepare
from yescale.serve.listeners import free_address, listen
from yescale.serve.processes import Family, Keeper, Life, Pace, Program
from yescale.serve.programs import SANDBOX_HOST, Inherited, programs
from yescale.serve.readiness import started
from yescale.settings import Settings, SetupError, load

ORPHANS_S: Final = 15.0  # how long the workers of a killed supervisor may hold on to the port
LOOK_S: Final = 0.05
MISCONFIGURED: Final = 2  # the exit code of a program that will not run however often it is started
FIXED: Final = ("home", "host", "port", "workers", "sandbox", "sandbox_port", "database")  # until the next start

Plan = Callable[[Settings, Inherited], tuple[Program, ...]]


def command(options: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`yescale serve`. Raises SetupError."""
    given = {name: options[name] for name in ("home", "host", "port", "workers", "database", "sandbox")}

    def reload() -> Settings:
        return load(environ, given)

    return supervise(reload(), reload, lambda settings, files: programs(settings, environ, files))


def supervise(settings: Settings, reload: Callable[[], Settings], plan: Plan) -> int:
    """Run what `plan` says for the settings of the moment."""
    preflight.raise_file_limit(settings.server)
    prepare(settings)
    preflight.check_database(settings)
    preflight.check_trust(settings)
    with Lock(settings.home / "serve.lock") as lock:
        if not lock.take():
            raise SetupError(f"another yescale (process {lock.holder()}) already serves the home {settings.home}")
        backlog = settings.server.backlog
        patience_s = ORPHANS_S if lock.left_behind else 0.0
        family, address = free_address(settings.host, settings.port, patience_s=patience_s)
        count = settings.workers or len(os.sched_getaffinity(0))
        listeners = [listen(family, address, backlog) for _ in range(count)]
        sandbox = None
        if settings.sandbox:
            sandbox = listen(*free_address(SANDBOX_HOST, settings.sandbox_port, patience_s=patience_s), backlog)
        settings = msgspec.structs.replace(
            settings,
            port=address[1],
            workers=count,
            sandbox_port=settings.sandbox_port if sandbox is None else sandbox.getsockname()[1],
        )
        note_address(settings)
        return asyncio.run(Supervisor(settings, reload, plan).run(listeners, sandbox))


class Supervisor:
    """All processes of one installation on this machine."""

    def __init__(self, settings: Settings, reload: Callable[[], Settings], plan: Plan) -> None:
        self._settings = settings
        self._reload = reload
        self._plan = plan
        self._rng = Random()  # noqa: S311 jitter, no secret
        self._stop = asyncio.Event()
        self._again = asyncio.Event()

    async def run(self, listeners: Sequence[socket.socket], sandbox: socket.socket | None) -> int:
        """Start everything on these listening sockets, keep it running, stop it when told; the exit code."""
        loop = asyncio.get_running_loop()
        family = Family(loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, family)
        loop.add_signal_handler(signal.SIGHUP, self._again.set)
        files = Inherited(
            lifeline=family.lifeline,
            workers=tuple(listener.fileno() for listener in listeners),
            sandbox=None if sandbox is None else sandbox.fileno(),
        )
        keepers = [self._keeper(family, program) for program in self._plan(self._settings, files)]
        try:
            code = await self._until_ready(keepers)
            if code == 0 and not self._stop.is_set():
                announce(self._settings)
                await self._until_told(keepers, files)
            return code
        finally:
            await _leave(family, keepers, listeners)

    def _told_to_stop(self, family: Family) -> None:
        if self._stop.is_set():
            family.hurry.set()
        self._stop.set()

    def _keeper(self, family: Family, program: Program) -> Keeper:
        server = self._settings.server
        pace = Pace(first_s=server.restart_s, longest_s=server.restart_max_s, steady_s=server.steady_s)
        return Keeper(family, program, pace, self._rng, report)

    async def _until_ready(self, keepers: list[Keeper]) -> int:
        """0 once the port answers, or we are told to stop; else the exit code of a child that cannot be helped."""
        loop = asyncio.get_running_loop()
        late_at = loop.time() + self._settings.server.start_s
        while not self._stop.is_set() and not await self._serves():
            if any(keeper.last_code == MISCONFIGURED for keeper in keepers):
                return MISCONFIGURED
            if loop.time() >= late_at:
                report("not ready yet", home=str(self._settings.home), after_s=self._settings.server.start_s)
                late_at += self._settings.server.start_s
            await self._told_within(LOOK_S)
        return 0

    async def _serves(self) -> bool:
        return accepts(self._settings.internal_socket) and await answers(self._settings)

    async def _until_told(self, keepers: list[Keeper], files: Inherited) -> None:
        rolling = asyncio.create_task(self._roll(keepers, files))
        try:
            await self._stop.wait()
        finally:
            rolling.cancel()

    async def _roll(self, keepers: list[Keeper], files: Inherited) -> None:
        """At each SIGHUP: new settings, a new control, then new workers, one after the other."""
        while True:
            await self._again.wait()
            self._again.clear()
            try:
                self._settings = self._read_again()
            except SetupError as error:
                report("the new settings are not used", reason=str(error))
                continue
            fresh = {program.name: program for program in self._plan(self._settings, files)}
            for keeper in keepers:
                program = fresh[keeper.program.name]
                if program.role == "sandbox":
                    continue
                old = await keeper.replace(program, self._started)
                if old is not None and program.role == "control":
                    await asyncio.wait({old.ended})
                    await self._until_control_is_back()
            report("replaced all")

    def _read_again(self) -> Settings:
        fresh, now = self._reload(), self._settings
        kept = {name: getattr(now, name) for name in FIXED}
        return msgspec.structs.replace(fresh, **kept)

    async def _started(self, life: Life) -> bool:
        return await started(life, self._settings)

    async def _until_control_is_back(self) -> None:
        """At most as long as a process may take to start: workers do without control for longer than that."""
        loop = asyncio.get_running_loop()
        late_at = loop.time() + self._settings.server.start_s
        while not accepts(self._settings.internal_socket) and loop.time() < late_at:
            await self._told_within(LOOK_S)

    async def _told_within(self, seconds: float) -> None:
        """Wait, but not longer than until we are told to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


async def _leave(family: Family, keepers: list[Keeper], listeners: Sequence[socket.socket]) -> None:
    """Workers first, since they need control to settle; the sandbox, which answers the last calls, at the very end.

    With our copies of the listening sockets closed, the port is closed as soon as the workers drain: a new client is
    refused at once and may go elsewhere, where it would wait in the queue of a socket that nobody serves.
    """
    for role in ("worker", "control", "sandbox"):
        for keeper in keepers:
            if keeper.program.role == role:
                keeper.retire()
        for listener in listeners:
            listener.close()
        await family.stop(role)


def report(event: str, /, **facts: object) -> None:
    """One line of JSON on stderr, among those of the children."""
    line = {"time": round(time.time(), 3), "level": "warning", "process": "serve", "message": event, **facts}
    sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stderr.flush()
