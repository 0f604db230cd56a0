"""Subjects compared: interleaved rounds, medians."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, fields

from bench.processes import Subject
from bench.scenarios import Scenario, Window, measure
from bench.stage import Stage


def middle(windows: Sequence[Window]) -> Window:
    """The median of each figure over the rounds."""
    return Window(**{f.name: statistics.median(getattr(w, f.name) for w in windows) for f in fields(Window)})


def compare(stage: Stage, scenario: Scenario, subjects: Sequence[Subject], rounds: int) -> dict[str, object]:
    """The figures of each subject. Every second round runs in reverse order, so that drift hits all alike."""
    windows: dict[str, list[Window]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            windows[subject.name].append(measure(stage, scenario, subject))
    found = {name: middle(each) for name, each in windows.items()}
    for name, window in found.items():
        print(f"{scenario.name}, {name}: {_line(window)}", flush=True)
    return {name: asdict(window) for name, window in found.items()}


def _line(window: Window) -> str:
    streams = (window.memory_during - window.memory_before) / 1024 / max(1, window.in_flight)
    return (
        f"CPU {window.cpu_us:.1f} us, settlement {window.settlement_us:.1f} us, {window.rate:,.0f}/s, "
        f"{window.memory / 2**20:.0f} MiB, failed {window.failed:.0f}"
        + (f", {streams:.1f} KiB per stream" if window.memory_during else "")
    )
