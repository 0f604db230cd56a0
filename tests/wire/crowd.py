"""A worker with its control and upstreams in a process of its own, told what to do line by line.

`python -m tests.wire.crowd FOLDER` says its port; then `look` says memory and open files, `wait SECONDS` lets time pass
for the worker at once. It ends with its input.
"""

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from tests.integration.gateway.rig import Rig
from yescale.serve.preflight import raise_file_limit
from yescale.tuning import ServerSettings


class Clock(uvloop.Loop):
    """A loop whose clock can be put forward: deadlines come as if that time had passed."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


async def serve(folder: Path, loop: Clock) -> None:
    """Obey until the input ends."""
    async with Rig(folder) as rig:
        say({"port": rig.port})
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            match line:
                case ["wait", seconds]:
                    loop.ahead += float(seconds)
                    say({})
                case _:
                    say({"memory": memory(), "files": len(list(Path("/proc/self/fd").iterdir()))})


def memory() -> int:
    """Resident bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def say(what: dict[str, int]) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    raise_file_limit(ServerSettings(files_least=1))
    loop = Clock()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(serve(Path(sys.argv[1]), loop))


if __name__ == "__main__":
    main()
