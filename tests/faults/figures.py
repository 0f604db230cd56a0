"""The table of figures in docs/reliability.md: written by long runs alone, between two markers."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path

from tests.faults.scale import SCALE

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures of the last long run: begin -->", "<!-- figures of the last long run: end -->"


def publish(test: str, run: str, figures: Mapping[str, object]) -> None:
    """Show the figures of one run of a test, in place of its last ones; a short run only prints them."""
    print(json.dumps({"test": test, "run": run, **figures}, indent=1))
    if SCALE.name != "long":
        return
    with PAGE.open("r+", encoding="utf-8") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        text = page.read()
        before, rest = text.split(BEGIN)
        table, after = rest.split(END)
        rows = [row for row in _rows(table) if row[:2] != (test, run)]
        rows += [(test, run, name, str(value)) for name, value in figures.items()]
        page.seek(0)
        page.write(f"{before}{BEGIN}\n{_table(sorted(rows, key=lambda row: row[:2]))}{END}{after}")
        page.truncate()


def _rows(table: str) -> list[tuple[str, ...]]:
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = [
        "| test | run | figure | value |",
        "| --- | --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"
