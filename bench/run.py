"""The benchmark: yescale beside bare nginx in the same run, pinned cores, interleaved rounds, medians and ratios.

usage: python -m bench.run [--rounds N] [--only NAME] [--try] [--database URL]
"""

import argparse
import sys
from dataclasses import asdict
from typing import Any

from bench import gateway, nginx, results
from bench.processes import Missing
from bench.report import write_page
from bench.rounds import compare
from bench.scenarios import CROWDS, PRIMING, SCENARIOS, measure, shortened
from bench.settling import CALLS, measure_settlement
from bench.stage import Stage, built
from bench.starting import measure_start

SETTLEMENT, START = "settlement", "start"


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The sections that were asked for. Raises Missing where the machine lacks a program."""
    found: dict[str, Any] = {}
    with built() as stage:
        if arguments.only in START:
            found["start"] = results.place() | dict(measure_start(stage))
        if arguments.only in SETTLEMENT:
            calls = CALLS // 10 if arguments.trial else CALLS
            found["settlement"] = results.place() | measure_settlement(stage, calls)
        if loads := _loads(stage, arguments):
            found["loads"] = loads
    return found


def _loads(stage: Stage, arguments: argparse.Namespace) -> dict[str, Any]:
    """All that nginx can be asked as well; {} where no scenario was asked for."""
    scenarios = [scenario for scenario in (*SCENARIOS, *CROWDS) if arguments.only in scenario.name]
    if not scenarios:
        return {}
    shape = shortened if arguments.trial else lambda scenario: scenario
    house = gateway.SMALL if arguments.trial else gateway.FULL
    found: dict[str, Any] = {}
    with (
        nginx.proxying(stage.folder / "nginx", stage.upstream, stage.tls_upstream, stage.papers) as floor,
        gateway.serving(stage, house, arguments.database) as ours,
    ):
        measure(stage, shape(PRIMING), ours)
        for scenario in scenarios:
            rounds = 1 if scenario.crowd or arguments.trial else arguments.rounds
            found[scenario.name] = compare(stage, shape(scenario), (floor, ours), rounds)
    return results.place() | {"loaded": asdict(house), "rounds": arguments.rounds, "scenarios": found}


def main() -> int:
    """Measure, write the results and the page. Exit code 2: the machine lacks something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only what has this word in its name; nothing is written")
    parser.add_argument("--try", dest="trial", action="store_true", help="short windows; nothing is written")
    parser.add_argument("--database", default="", help="settle the loads into this database instead of SQLite")
    arguments = parser.parse_args()
    try:
        found = run(arguments)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    if not arguments.only and not arguments.trial:
        write_page(results.merge(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
