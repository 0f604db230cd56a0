"""docs/performance.md, written from the results: nothing in its tables is typed by hand."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.bars import MIB, judge

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
Results = Mapping[str, Any]


def write_page(results: Results) -> None:
    """Replace what lies between the markers of each section; the prose stays."""
    text = PAGE.read_text()
    for name, tables in SECTIONS.items():
        lines = "\n".join(tables(results))
        pattern = rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)"
        text, found = re.subn(
            pattern, lambda match, lines=lines: f"{match[1]}{lines}\n{match[2]}", text, flags=re.DOTALL
        )
        if found != 1:
            raise ValueError(f"{PAGE} has {found} places for {name}")
    PAGE.write_text(text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _place(section: Mapping[str, Any], more: str = "") -> str:
    return f"Measured on {section['at']}: {section['machine']}{more}."


def _bars(results: Results) -> Iterator[str]:
    yield from _table(
        ("bar", "limit", "measured", "met"),
        (
            (
                verdict.bar.name,
                f"{'≥' if verdict.bar.least else '≤'} {verdict.bar.limit:g} {verdict.bar.unit}",
                f"{verdict.measured:,.4g} {verdict.bar.unit}",
                "yes" if verdict.met else "**no**",
            )
            for verdict in judge(results)
        ),
    )


def _loads(results: Results) -> Iterator[str]:
    if "loads" not in results:
        return
    loads = results["loads"]
    loaded = loads["loaded"]
    yield _place(loads, f", {loads['rounds']} interleaved rounds, medians")
    yield (
        f"Loaded: {loaded['keys']:,} keys, {loaded['channels']} channels, {loaded['prices']:,} prices; "
        "journal and settlement on."
    )
    yield ""
    both = {name: (each["nginx"], each["yescale"]) for name, each in loads["scenarios"].items()}
    head = ("load", "nginx CPU µs", "yescale CPU µs", "ratio", "settlement µs")
    yield from _table(
        (*head, "nginx p50 / p99 ms", "yescale p50 / p99 ms", "yescale per second"),
        (_cpu_row(name, floor, ours) for name, (floor, ours) in both.items()),
    )
    yield ""
    yield from _table(
        ("load", "added p50 µs", "yescale p99 - p50 ms", "first byte p50 µs, nginx / yescale",
         "memory MiB, nginx / yescale", "failed"),
        (_wait_row(name, floor, ours) for name, (floor, ours) in both.items() if not ours["memory_during"]),
    )  # fmt: skip
    yield ""
    yield from _table(
        ("crowd", "chunks/s, nginx / yescale", "KiB per stream, nginx / yescale", "dropped, nginx / yescale"),
        (_crowd_row(name, floor, ours) for name, (floor, ours) in both.items() if ours["memory_during"]),
    )


def _cpu_row(name: str, floor: Results, ours: Results) -> Iterator[str]:
    chunks = ours["chunk_p50"] >= 0
    unit = "chunk" if chunks else "latency"
    yield f"{name} ({'per chunk' if chunks else 'per call'})"
    yield f"{floor['cpu_us']:.1f}"
    yield f"{ours['cpu_us']:.1f}"
    yield f"{ours['cpu_us'] / floor['cpu_us']:.2f}" if floor["cpu_us"] else "-"
    yield f"{ours['settlement_us']:.1f}"
    yield from (f"{each[f'{unit}_p50'] / 1000:.2f} / {each[f'{unit}_p99'] / 1000:.2f}" for each in (floor, ours))
    yield f"{ours['rate']:,.0f}"


def _wait_row(name: str, floor: Results, ours: Results) -> Iterator[str]:
    yield name
    yield f"{ours['latency_p50'] - floor['latency_p50']:.0f}"
    yield f"{(ours['latency_p99'] - ours['latency_p50']) / 1000:.2f}"
    yield f"{floor['first_byte_p50']:.0f} / {ours['first_byte_p50']:.0f}"
    yield f"{floor['memory'] / MIB:.0f} / {ours['memory'] / MIB:.0f}"
    yield f"{ours['failed']:.0f}"


def _crowd_row(name: str, floor: Results, ours: Results) -> Iterator[str]:
    yield name
    yield " / ".join(f"{each['rate']:,.0f}" for each in (floor, ours))
    yield " / ".join(
        f"{(each['memory_during'] - each['memory_before']) / each['in_flight'] / 1024:.1f}"
        if each["in_flight"]
        else "-"
        for each in (floor, ours)
    )
    yield " / ".join(f"{each['failed']:.0f}" for each in (floor, ours))


def _settlement(results: Results) -> Iterator[str]:
    if "settlement" in results:
        section = results["settlement"]
        yield _place(section)
        yield ""
        yield from _table(
            ("database", "calls/s", "control's CPU µs per call", "control's memory MiB"),
            (
                (name, f"{each['per_second']:,.0f}", f"{each['cpu_us']:.1f}", f"{each['memory'] / MIB:.0f}")
                for name, each in section.items()
                if isinstance(each, dict)
            ),
        )
    if "start" in results:
        start = results["start"]
        yield ""
        yield (
            f"Start: {start['healthz_s']:.2f} s from exec to the first answer of a worker, "
            f"{start['readyz_s']:.2f} s until control and the database answer too."
        )


def _peers(results: Results) -> Iterator[str]:
    if "peers" not in results:
        return
    section = results["peers"]
    subjects = section["subjects"]
    versions = ", ".join(f"{name} {version}" for name, version in section["versions"].items())
    yield _place(section, f", {section['rounds']} interleaved rounds, medians. {versions}")
    yield ""
    yield from _table(
        ("2 KB, 16 connections", "CPU µs per call", "calls/s per core", "times yescale's CPU", "p50 / p99 ms",
         "memory MiB"),
        (
            (
                name,
                f"{each['cpu_us']:,.1f}",
                f"{1e6 / each['cpu_us']:,.0f}" if each["cpu_us"] else "-",
                f"{each['cpu_us'] / subjects['yescale']['cpu_us']:.1f}",
                f"{each['latency_p50'] / 1000:.2f} / {each['latency_p99'] / 1000:.2f}",
                f"{each['memory'] / MIB:.0f}",
            )
            for name, each in subjects.items()
        ),
    )  # fmt: skip


def _soak(results: Results) -> Iterator[str]:
    if "soak" not in results:
        return
    section = results["soak"]
    totals, samples = section["totals"], section["samples"]
    yield _place(section)
    yield (
        f"{totals['ended']:,} calls: {totals['answered']:,} answered, {totals['refused']:,} answered with an error, "
        f"{totals['left']:,} left by their client, {totals['cut']:,} cut. After warming up the worker's memory "
        f"grew by {section['slope']:,.0f} bytes per 1,000 calls."
    )
    yield ""
    yield from _table(
        ("calls", "worker MiB", "control MiB"),
        (
            (f"{each['calls']:,}", f"{each['worker'] / MIB:.1f}", f"{each['control'] / MIB:.1f}")
            for each in samples[:: max(1, len(samples) // 10)]
        ),
    )


def _translation(results: Results) -> Iterator[str]:
    if "translation" not in results:
        return
    section = results["translation"]
    yield _place(section)
    for name, words in (("chunk_us", "µs a chunk, from / to"), ("conversation_ms", "ms a conversation, from / to")):
        table = section[name]
        yield ""
        yield from _table(
            (words, *table),
            ((row, *(f"{costs[to]:.1f}" if to in costs else "-" for to in table)) for row, costs in table.items()),
        )


SECTIONS: dict[str, Callable[[Results], Iterator[str]]] = {
    "bars": _bars,
    "measured": _loads,
    "settlement": _settlement,
    "translation": _translation,
    "peers": _peers,
    "soak": _soak,
}
