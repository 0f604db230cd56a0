"""When a new process has started for good: seen from outside, by the files that it holds open.

A worker opens its journal once control has welcomed it; a control process opens its lock once it is loaded, and then
waits for the old one to leave. Where the system does not show open files, having lived a while must do.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from yescale.serve.processes import Life
from yescale.settings import Settings

PROCESSES: Final = Path("/proc")
LOOK_S: Final = 0.05
PROVEN_S: Final = 3.0


async def started(life: Life, settings: Settings) -> bool:
    """Wait until a process has started; False if it ended before, or took longer than `start_s`."""
    place = {"worker": settings.journals, "control": settings.home / "control.lock"}[life.program.role]
    loop = asyncio.get_running_loop()
    late_at = loop.time() + settings.server.start_s
    while not life.ended.done() and loop.time() < late_at:
        if has_open(life.pid, place, loop.time() - life.began):
            return True
        await asyncio.wait({life.ended}, timeout=LOOK_S)
    return False


def has_open(pid: int, place: Path, age_s: float) -> bool:
    """Whether a process holds a file or folder open, or one below it."""
    files = PROCESSES / str(pid) / "fd"
    if not PROCESSES.joinpath("self", "fd").exists():
        return age_s >= PROVEN_S
    with suppress(OSError):  # it ended, or closed one of them just now
        return any(Path(os.readlink(file)).is_relative_to(place.resolve()) for file in files.iterdir())
    return False
