"""Child processes: started by exec, reaped at once, started again after a jittered pause, replaced and stopped."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Final, Protocol

from msgspec import Struct

HURRY_S: Final = 1.0  # what is left to a child once the operator is in a hurry


class Program(Struct, frozen=True, kw_only=True):
    """What to run. `files` are inherited under their own numbers; `stop_s` is its time between SIGTERM and SIGKILL."""

    role: str  # "worker": programs are stopped by their role
    name: str  # "worker 0"
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    files: tuple[int, ...] = ()
    stop_s: float = 5.0


class Pace(Struct, frozen=True, kw_only=True):
    """How soon a dead program is started again: `first_s`, doubled up to `longest_s`; anew after `steady_s` of life."""

    first_s: float
    longest_s: float
    steady_s: float

    def pause_s(self, failures: int, rng: Random) -> float:
        """Before the start that follows this many short lives in a row: between half and the whole of the step."""
        return min(self.first_s * 2 ** min(failures, 30), self.longest_s) * rng.uniform(0.5, 1.0)


class Report(Protocol):
    """Where what happened to a process is written."""

    def __call__(self, event: str, /, **facts: object) -> None: ...


class Life:
    """One process from its start to its end. `ended` has the exit code: negative for the signal that killed it."""

    def __init__(self, program: Program, loop: asyncio.AbstractEventLoop) -> None:
        self.program: Final = program
        self.ended: Final[asyncio.Future[int]] = loop.create_future()
        self.began: Final = loop.time()
        self.told = False  # to stop, by us
        # A group of its own: Ctrl-C in the terminal is for the supervisor, which stops its children in order.
        self._process = subprocess.Popen(
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=program.files,
            env=dict(program.environment),
            process_group=0,
        )
        self.pid: Final = self._process.pid

    def reap(self) -> bool:
        """Whether it has ended; its exit code is then known, and no zombie is left."""
        code = self._process.poll()
        if code is not None and not self.ended.done():
            self.ended.set_result(code)
        return code is not None

    async def stop(self, hurry: asyncio.Event) -> None:
        """SIGTERM (once, however often this is called), then SIGKILL after `stop_s`, or soon once `hurry` is set."""
        if not self.told:
            self.told = True
            self._process.terminate()
        hurried = asyncio.create_task(hurry.wait())
        try:
            await asyncio.wait({self.ended, hurried}, timeout=self.program.stop_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurried.cancel()
        if hurry.is_set():
            await asyncio.wait({self.ended}, timeout=HURRY_S)
        self._process.kill()
        await asyncio.wait({self.ended})


class Family:
    """All processes of this one, and the lifeline that they hang on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lives: set[Life] = set()
        self._going: set[asyncio.Task[None]] = set()
        self.hurry: Final = asyncio.Event()
        # Both ends close on exec; a program inherits the reading end by naming it among its files.
        self.lifeline, self._alive = os.pipe()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def start(self, program: Program) -> Life:
        """Start a program."""
        life = Life(program, self._loop)
        self._lives.add(life)
        return life

    def let_go(self, life: Life) -> None:
        """Stop a process without waiting for it."""
        going = asyncio.create_task(life.stop(self.hurry))
        self._going.add(going)
        going.add_done_callback(self._going.discard)

    async def stop(self, role: str) -> None:
        """Stop every process of a role. Its keepers are retired before, else they start it again."""
        while lives := [life for life in self._lives if life.program.role == role]:
            await asyncio.gather(*(life.stop(self.hurry) for life in lives))

    def _reap(self) -> None:
        self._lives = {life for life in self._lives if not life.reap()}


class Keeper:
    """Keeps one program running until it is retired."""

    def __init__(self, family: Family, program: Program, pace: Pace, rng: Random, report: Report) -> None:
        self.program = program
        self._family = family
        self._pace = pace
        self._rng = rng
        self._report = report
        self.last_code: int | None = None  # with which a process ended that was not told to
        self._life = family.start(program)
        self._task = asyncio.create_task(self._keep())

    @property
    def life(self) -> Life:
        """The process that runs now, or ran last."""
        return self._life

    def retire(self) -> None:
        """Start it no more. The process itself is stopped through the family."""
        self._task.cancel()

    async def replace(self, program: Program, ready: Callable[[Life], Awaitable[bool]]) -> Life | None:
        """Start `program` beside the old process; once it is ready the old one drains and leaves, else it stays.

        Returns the old process on its way out, None if it stays. A drain may take as long as the longest call.
        """
        fresh = self._family.start(program)
        if not await ready(fresh):
            self._report("replacement failed", child=program.name, pid=fresh.pid)
            await fresh.stop(self._family.hurry)
            return None
        self.program = program
        old, self._life = self._life, fresh
        self._report("replaced", child=program.name, pid=fresh.pid, old=old.pid)
        self._family.let_go(old)
        return old

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            life = self._life
            code = await asyncio.shield(life.ended)
            if self._life is not life:
                continue
            if not life.told:
                self.last_code = code
                failures = 0 if loop.time() - life.began >= self._pace.steady_s else failures + 1
                pause_s = self._pace.pause_s(max(failures - 1, 0), self._rng)
                self._report("died", child=self.program.name, pid=life.pid, code=code, again_in_s=round(pause_s, 3))
                await asyncio.sleep(pause_s)
            if self._life is life:
                self._life = await self._begin()
                self._report("started", child=self.program.name, pid=self._life.pid)

    async def _begin(self) -> Life:
        while True:
            try:
                return self._family.start(self.program)
            except OSError as error:  # the machine is out of processes or memory: it may get over it
                self._report("cannot start", child=self.program.name, reason=str(error))
                await asyncio.sleep(self._pace.longest_s)
