"""The tables in docs/reliability.md, of figures and of endings: written by long runs alone, between markers."""

import fcntl
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.faults.scale import SCALE

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures of the last long run: begin -->", "<!-- figures of the last long run: end -->"
FIRST_ENDING, LAST_ENDING = "<!-- endings of the last long run: begin -->", "<!-- endings of the last long run: end -->"
ENDING_COLUMNS = ("ending", "answer", "the client saw", "the log says", "charged (nano-dollars)", "requests upstream")


def publish(test: str, run: str, figures: Mapping[str, object]) -> None:
    """Show the figures of one run of a test, in place of its last ones; a short run only prints them."""
    print(json.dumps({"test": test, "run": run, **figures}, indent=1))
    if SCALE.name != "long":
        return

    def renew(table: str) -> str:
        rows = [row for row in _rows(table) if row[:2] != (test, run)]
        rows += [(test, run, name, str(value)) for name, value in figures.items()]
        return _table(("test", "run", "figure", "value"), sorted(rows, key=lambda row: row[:2]))

    _rewrite(BEGIN, END, renew)


def publish_endings(seen: Mapping[tuple[str, str], Sequence[object]]) -> None:
    """Show what came of each ending, by its name and the kind of answer, in place of the last run's."""
    rows = [(*key, *map(str, cells)) for key, cells in seen.items()]
    if SCALE.name == "long":
        _rewrite(FIRST_ENDING, LAST_ENDING, lambda _: _table(ENDING_COLUMNS, rows))


def _rewrite(begin: str, end: str, renew: Callable[[str], str]) -> None:
    with PAGE.open("r+", encoding="utf-8") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        before, rest = page.read().split(begin)
        table, after = rest.split(end)
        page.seek(0)
        page.write(f"{before}{begin}\n{renew(table)}{end}{after}")
        page.truncate()


def _rows(table: str) -> list[tuple[str, ...]]:
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
