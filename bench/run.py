"""The benchmark: yescale beside bare nginx in the same run, pinned cores, interleaved rounds, medians and ratios.

usage: python -m bench.run [--rounds N] [--only NAME] [--crowds] [--database URL]
"""

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path

from bench import gateway, nginx
from bench.processes import OTHER_CORE, Missing, Subject, free_port, running, wait_for_port
from bench.report import write_page
from bench.scenarios import CROWDS, PRIMING, SCENARIOS, Scenario, Window, measure

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "latest.json"


def build(name: str, folder: Path) -> Path:
    """Compile one of the two C programs. Raises Missing."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Missing("no C compiler: apt-get install gcc libc6-dev")
    out = folder / name
    subprocess.run([compiler, "-O2", "-o", str(out), str(HERE / f"{name}.c")], check=True)
    return out


def middle(windows: Sequence[Window]) -> Window:
    """The median of each figure over the rounds."""
    return Window(**{f.name: statistics.median(getattr(w, f.name) for w in windows) for f in fields(Window)})


def compare(
    load: Path, folder: Path, scenario: Scenario, subjects: Sequence[Subject], rounds: int
) -> dict[str, Window]:
    """Interleaved rounds, each in the reverse order of the one before, so that drift hits all alike."""
    windows: dict[str, list[Window]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            windows[subject.name].append(measure(load, folder, scenario, subject))
    return {name: middle(found) for name, found in windows.items()}


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """All scenarios. Raises Missing where the machine lacks a program."""
    nginx.require_nginx()
    scenarios = [s for s in (*SCENARIOS, *(CROWDS if arguments.crowds else ())) if arguments.only in s.name]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yescale-bench-")))
        folder.chmod(0o755)
        upstream, load, port = build("upstream", folder), build("load", folder), free_port()
        stack.enter_context(running([str(upstream), str(port)], core=OTHER_CORE, cwd=folder))
        wait_for_port(port)
        floor = stack.enter_context(nginx.proxying(folder / "nginx", port))
        ours = stack.enter_context(gateway.serving(folder / "yescale", port, arguments.database))
        measure(load, folder, PRIMING, ours)
        found: dict[str, dict[str, object]] = {}
        for scenario in scenarios:
            rounds = 1 if scenario in CROWDS else arguments.rounds
            windows = compare(load, folder, scenario, (floor, ours), rounds)
            found[scenario.name] = {name: asdict(window) for name, window in windows.items()}
            print(
                scenario.name,
                {n: (round(w.cpu_us, 1), round(w.settlement_us, 1), round(w.rate)) for n, w in windows.items()},
                flush=True,
            )
    return {
        "at": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}",
        "loaded": {"keys": gateway.KEYS, "channels": gateway.CHANNELS, "prices": gateway.PRICES},
        "rounds": arguments.rounds,
        "scenarios": found,
    }


def main() -> int:
    """Measure, write the results and the page. Exit code 2: the machine lacks something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only scenarios whose name holds this word; nothing is written")
    parser.add_argument("--crowds", action="store_true", help="also thousands of slow streams")
    parser.add_argument("--database", default="", help="settle into this database instead of SQLite")
    arguments = parser.parse_args()
    try:
        results = run(arguments)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    if not arguments.only:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        write_page(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
