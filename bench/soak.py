"""A long run of everything at once - small calls, 10 MB bodies, streams, clients that leave, errors of both sides - and
what the worker's memory does meanwhile. `make soak`.

usage: python -m bench.soak [--calls N]
"""

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench import gateway, results
from bench.processes import Missing, Subject, rss_bytes
from bench.report import write_page
from bench.scenarios import Request, Scenario, call_bytes, chat_body, load_command, write_requests
from bench.stage import Stage, built

SLICES = 50  # memory is read after each
WARM = 10  # slices before the line is drawn: caches and pools fill up
ROUND = 1_000  # requests in the file; the load generator goes round and round
LARGE = 10_000_000
SCENARIO = Scenario(name="soak", connections=64, seconds=600.0, warm_s=0.0)
KINDS = (
    # every n-th request, its name
    (250, "large"),
    (41, "leaves at once"),
    (43, "leaves inside a stream"),
    (47, "no such model"),
    (53, "no JSON"),
    (59, "no such key"),
    (61, "upstream fails"),
    (3, "stream"),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Memory of the worker and of control after so many calls."""

    calls: int
    worker: int
    control: int


def requests(subject: Subject) -> Iterator[Request]:
    """One round of the mix."""
    keys = itertools.cycle(subject.keys)
    large = chat_body("bench", "x" * LARGE)
    for number in range(1, ROUND + 1):
        kind = next((name for each, name in KINDS if number % each == 0), "small")
        yield _request(kind, subject, next(keys), large)


def _request(kind: str, subject: Subject, key: str, large: bytes) -> Request:
    small, stream = chat_body("bench", "x" * 2_000), chat_body("bench-n100", "hello", stream=True)
    slow = chat_body("bench-d10-n100", "hello", stream=True)
    match kind:
        case "large":
            return Request(raw=call_bytes(subject, key, large))
        case "leaves at once":
            return Request(raw=call_bytes(subject, key, slow), leave_after=0)
        case "leaves inside a stream":
            return Request(raw=call_bytes(subject, key, slow), leave_after=1_000)
        case "no such model":
            return Request(raw=call_bytes(subject, key, chat_body("absent", "hello")))
        case "no JSON":
            return Request(raw=call_bytes(subject, key, b'{"model": "bench", "messages": ['))
        case "no such key":
            return Request(raw=call_bytes(subject, "sk-absent", small))
        case "upstream fails":
            return Request(raw=call_bytes(subject, key, chat_body("bench-e500", "hello")))
        case "stream":
            return Request(raw=call_bytes(subject, key, stream))
        case _:
            return Request(raw=call_bytes(subject, key, small))


def slope(samples: Sequence[Sample]) -> float:
    """Bytes of the worker per 1,000 calls: the line of least squares through the samples."""
    calls = [sample.calls / 1_000 for sample in samples]
    memory = [sample.worker for sample in samples]
    middle, level = sum(calls) / len(calls), sum(memory) / len(memory)
    spread = sum((x - middle) ** 2 for x in calls)
    return sum((x - middle) * (y - level) for x, y in zip(calls, memory, strict=True)) / spread


def run(calls: int) -> dict[str, Any]:
    """The section of the soak. Raises Missing where the machine lacks a program."""
    totals: dict[str, int] = {}
    with built() as stage, gateway.serving(stage, replace(gateway.FULL, keys=1_000)) as ours:
        path = stage.folder / "requests"
        write_requests(path, requests(ours))
        samples = [_sample(0, ours)]
        for _ in range(SLICES):
            result = _drive(stage, ours, max(1, calls // SLICES))
            for name in ("all_ended", "all_answered", "all_refused", "all_cut", "all_left"):
                totals[name.removeprefix("all_")] = totals.get(name.removeprefix("all_"), 0) + result[name]
            samples.append(_sample(totals["ended"], ours))
            print(samples[-1], flush=True)
    return results.place() | {
        "totals": totals,
        "slope": slope(samples[WARM:]),
        "samples": [asdict(sample) for sample in samples],
    }


def _drive(stage: Stage, subject: Subject, calls: int) -> dict[str, int]:
    command = load_command(stage, subject, SCENARIO, stage.folder / "requests")
    done = subprocess.run([*command, str(calls)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _sample(calls: int, subject: Subject) -> Sample:
    return Sample(calls=calls, worker=rss_bytes(subject.pids), control=rss_bytes(subject.settlement))


def main() -> int:
    """Soak, write the results and the page. Exit code 2: the machine lacks something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--try", dest="trial", action="store_true", help="nothing is written")
    arguments = parser.parse_args()
    try:
        found = run(arguments.calls)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    print({"slope in bytes per 1,000 calls": found["slope"]} | found["totals"])
    if not arguments.trial:
        write_page(results.merge({"soak": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
