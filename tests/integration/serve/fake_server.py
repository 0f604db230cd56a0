"""`yescale serve` with stand-ins for its children: `fake_server.py HOME RECORD [--drain S] [--port P]`."""

import argparse
import os
import sys
from pathlib import Path

from yescale.serve.processes import Program
from yescale.serve.programs import Inherited
from yescale.serve.supervisor import supervise
from yescale.settings import Settings, SetupError, load

CHILD = Path(__file__).with_name("fake_child.py")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("home")
    parser.add_argument("record")
    parser.add_argument("--port", default=0)
    parser.add_argument("--workers", default=2)
    parser.add_argument("--drain", default=10)
    options = parser.parse_args()
    given = {"home": options.home, "port": options.port, "workers": options.workers}
    given |= {"server.drain_timeout_s": options.drain, "server.steady_s": 0.5}

    def plan(settings: Settings, files: Inherited) -> tuple[Program, ...]:
        def program(role: str, name: str, *listen: int | Path) -> Program:
            argv = (sys.executable, str(CHILD), role, options.record, str(files.lifeline), *map(str, listen))
            stop_s = settings.server.drain_timeout_s if role == "worker" else 5.0
            environment = dict(os.environ)
            inherited = (files.lifeline, *(file for file in listen if isinstance(file, int)))
            return Program(role=role, name=name, argv=argv, environment=environment, files=inherited, stop_s=stop_s)

        workers = (program("worker", f"worker {slot}", file) for slot, file in enumerate(files.workers))
        return (program("sandbox", "sandbox"), program("control", "control", settings.internal_socket), *workers)

    try:
        return supervise(load(os.environ, given), lambda: load(os.environ, given), plan)
    except SetupError as error:
        print(f"yescale: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
