"""docs/performance.md, written from the results of a run: nothing in its tables is typed by hand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write_page(results: Mapping[str, Any]) -> None:
    """Replace the measured part of the page; its prose stays."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{chr(10).join(_tables(results))}\n{END}{after}")


def _tables(results: Mapping[str, Any]) -> Iterator[str]:
    loaded = results["loaded"]
    yield f"Measured on {results['at']}: {results['machine']}, {results['rounds']} interleaved rounds, medians."
    yield (
        f"Loaded: {loaded['keys']:,} keys, {loaded['channels']} channels, {loaded['prices']:,} prices; "
        "journal and settlement on."
    )
    yield ""
    yield (
        "| load | nginx CPU µs | yescale CPU µs | ratio | settlement µs "
        "| nginx p50 / p99 ms | yescale p50 / p99 ms | yescale per second |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, subjects in results["scenarios"].items():
        floor, ours = subjects["nginx"], subjects["yescale"]
        chunks = ours["chunk_p50"] >= 0
        unit = "chunk" if chunks else "latency"
        yield (
            f"| {name} ({'per chunk' if chunks else 'per call'}) | {floor['cpu_us']:.1f} | {ours['cpu_us']:.1f} "
            f"| {ours['cpu_us'] / floor['cpu_us']:.2f} | {ours['settlement_us']:.1f} "
            f"| {_ms(floor, unit)} | {_ms(ours, unit)} | {ours['rate']:,.0f} |"
        )
    yield ""
    yield (
        "| load | added p50 µs | yescale p99 - p50 ms | first byte p50 µs, nginx / yescale "
        "| memory MiB, nginx / yescale | failed |"
    )
    yield "|---|---|---|---|---|---|"
    for name, subjects in results["scenarios"].items():
        floor, ours = subjects["nginx"], subjects["yescale"]
        yield (
            f"| {name} | {ours['latency_p50'] - floor['latency_p50']:.0f} "
            f"| {(ours['latency_p99'] - ours['latency_p50']) / 1000:.2f} "
            f"| {floor['first_byte_p50']:.0f} / {ours['first_byte_p50']:.0f} "
            f"| {floor['memory'] / 2**20:.0f} / {ours['memory'] / 2**20:.0f} | {ours['failed']:.0f} |"
        )


def _ms(window: Mapping[str, float], unit: str) -> str:
    return f"{window[f'{unit}_p50'] / 1000:.2f} / {window[f'{unit}_p99'] / 1000:.2f}"
