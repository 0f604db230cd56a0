"""The bars that yescale holds itself to: each a figure of the results, a limit, and whether it is met."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MIB = 1024 * 1024
Figures = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row. `measured` raises KeyError where the results hold no such section yet."""

    name: str
    limit: float
    measured: Callable[[Figures], float]
    unit: str
    least: bool = False  # the limit is the least, not the most


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A bar beside what was measured."""

    bar: Bar
    measured: float

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.measured >= self.bar.limit if self.bar.least else self.measured <= self.bar.limit


def _of(scenario: str, figure: str, subject: str = "yescale") -> Callable[[Figures], float]:
    return lambda results: results["loads"]["scenarios"][scenario][subject][figure]


def _above_nginx(scenario: str, figure: str) -> Callable[[Figures], float]:
    """Milliseconds more than nginx."""
    ours, floor = _of(scenario, figure), _of(scenario, figure, "nginx")
    return lambda results: (ours(results) - floor(results)) / 1000


def _over_nginx(scenario: str) -> Callable[[Figures], float]:
    ours, floor = _of(scenario, "cpu_us"), _of(scenario, "cpu_us", "nginx")
    return lambda results: ours(results) / floor(results)


def _per_stream(scenario: str, connections: int) -> Callable[[Figures], float]:
    during, before = _of(scenario, "memory_during"), _of(scenario, "memory_before")
    return lambda results: (during(results) - before(results)) / connections / 1024


def _most_memory(results: Figures) -> float:
    return max(subjects["yescale"]["memory"] for subjects in results["loads"]["scenarios"].values()) / MIB


def _times(rival: str) -> Callable[[Figures], float]:
    """Calls a second of a core: ours by theirs."""

    def ratio(results: Figures) -> float:
        subjects = results["peers"]["subjects"]
        return subjects[rival]["cpu_us"] / subjects["yescale"]["cpu_us"]

    return ratio


def _spread(scenario: str) -> Callable[[Figures], float]:
    p99, p50 = _of(scenario, "latency_p99"), _of(scenario, "latency_p50")
    return lambda results: (p99(results) - p50(results)) / 1000


def _translated(results: Figures) -> float:
    """The dearest pair's chunk in translation, by a chunk that passes: both with all that a worker does around it."""
    passed = _of(CHUNKS, "cpu_us")(results)
    costs = results["translation"]["chunk_us"]
    dearest = max(cost for upstream, row in costs.items() for client, cost in row.items() if client != upstream)
    return (passed - costs["openai.chat"]["openai.chat"] + dearest) / passed


def _reencoded(results: Figures) -> float:
    return max(cost for row in results["translation"]["conversation_ms"].values() for cost in row.values())


ONE, CHUNKS, BEHIND_TLS = "one connection", "64 streams, 6,400 chunks/s", "2 KB, upstream behind TLS"

BARS = (
    Bar(name="CPU of a 2 KB call, times nginx", limit=1.5, measured=_over_nginx("2 KB"), unit="x"),
    Bar(name="CPU of a call of 20 KB, times nginx", limit=1.5, measured=_over_nginx("20 KB body"), unit="x"),
    Bar(name="CPU of a call of 5 MB, times nginx", limit=2.0, measured=_over_nginx("5 MB body"), unit="x"),
    Bar(name="CPU of a chunk, times nginx", limit=1.35, measured=_over_nginx(CHUNKS), unit="x"),
    Bar(name="settlement beside 2 KB calls", limit=25, measured=_of("2 KB", "settlement_us"), unit="µs a call"),
    Bar(name="CPU of a 2 KB call, upstream behind TLS", limit=110, measured=_of(BEHIND_TLS, "cpu_us"), unit="µs"),
    Bar(name="one connection: p50 above nginx", limit=0.1, measured=_above_nginx(ONE, "latency_p50"), unit="ms"),
    Bar(name="one connection: p99 - p50", limit=5.0, measured=_spread(ONE), unit="ms"),
    Bar(name="chunk on its way: p99 above nginx", limit=1.0, measured=_above_nginx(CHUNKS, "chunk_p99"), unit="ms"),
    *(
        Bar(name=f"{count:,} slow streams: {words}", limit=limit, measured=measured, unit=unit)
        for count in (1_000, 5_000)
        for words, limit, measured, unit in (
            ("dropped", 0, _of(f"{count:,} slow streams", "failed"), "streams"),
            ("memory", 16, _per_stream(f"{count:,} slow streams", count), "KiB each"),
        )
    ),
    Bar(name="worker's memory after any load", limit=60, measured=_most_memory, unit="MiB"),
    Bar(name="start to the first answer", limit=2.0, measured=lambda results: results["start"]["healthz_s"], unit="s"),
    Bar(name="start to ready", limit=2.0, measured=lambda results: results["start"]["readyz_s"], unit="s"),
    *(
        Bar(
            name=f"settlement, {database}",
            limit=limit,
            measured=lambda results, database=database: results["settlement"][database]["per_second"],
            unit="calls/s",
            least=True,
        )
        for database, limit in (("SQLite", 3_000), ("PostgreSQL", 5_000))
    ),
    Bar(name="chunk in translation, times a passed one", limit=4, measured=_translated, unit="x"),
    Bar(name="200 messages with tools re-encoded", limit=2, measured=_reencoded, unit="ms"),
    Bar(name="calls per core, times LiteLLM", limit=150, measured=_times("LiteLLM"), unit="x", least=True),
    Bar(name="calls per core, times Portkey", limit=30, measured=_times("Portkey"), unit="x", least=True),
)


def judge(results: Figures) -> Iterator[Verdict]:
    """The bars whose figures there are."""
    for bar in BARS:
        try:
            measured = bar.measured(results)
        except KeyError:
            continue
        yield Verdict(bar=bar, measured=measured)
