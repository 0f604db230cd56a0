"""yescale and nginx beside LiteLLM and Portkey: the same calls, the same core, interleaved rounds. `make bench-peers`.

usage: python -m bench.rivalry [--rounds N] [--try]
"""

import argparse
import sys
from typing import Any

from bench import gateway, nginx, results, rivals
from bench.processes import Missing
from bench.report import write_page
from bench.rounds import compare
from bench.scenarios import PRIMING, RIVALRY, WARMING, measure, shortened
from bench.stage import built


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The section of the rivals. Raises Missing where the machine lacks a program."""
    shape = shortened if arguments.trial else lambda scenario: scenario
    house = gateway.SMALL if arguments.trial else gateway.FULL
    with (
        built() as stage,
        nginx.proxying(stage.folder / "nginx", stage.upstream, stage.tls_upstream, stage.papers) as floor,
        gateway.serving(stage, house) as ours,
        rivals.portkey(stage) as portkey,
        rivals.litellm(stage) as litellm,
    ):
        measure(stage, shape(PRIMING), ours)
        for rival in (portkey, litellm):
            measure(stage, shape(WARMING), rival)
        found = compare(stage, shape(RIVALRY), (floor, ours, portkey, litellm), arguments.rounds)
    return results.place() | {"versions": rivals.versions(), "rounds": arguments.rounds, "subjects": found}


def main() -> int:
    """Measure, write the results and the page. Exit code 2: the machine lacks something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--try", dest="trial", action="store_true", help="short windows; nothing is written")
    arguments = parser.parse_args()
    try:
        found = run(arguments)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    if not arguments.trial:
        write_page(results.merge({"peers": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
