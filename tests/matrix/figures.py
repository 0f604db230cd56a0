"""What a full run saw: one line of JSON a cell, for the page on compatibility."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FULL = os.environ.get("MATRIX") == "full"
SEEN = Path(__file__).parents[2] / "build" / "matrix.jsonl"


@dataclass(frozen=True, kw_only=True)
class Result:
    """A cell that worked, and what its requests lost."""

    client: str
    upstream: str
    capability: str
    lost: list[str]


def note(result: Result) -> None:
    """Keep a result of a full run; lines this short are appended whole by any process."""
    if FULL:
        SEEN.parent.mkdir(exist_ok=True)
        with SEEN.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(result)) + "\n")


def seen() -> Iterator[Result]:
    """What the last full run noted."""
    for line in SEEN.read_text(encoding="utf-8").splitlines():
        yield Result(**json.loads(line))
