"""Time as it is handed in: two readings and one-shot timers, so that tests can drive them."""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """What a worker asks of time."""

    def boot(self) -> float:
        """Seconds since the machine started, its sleep included: for durations."""
        ...

    def wall_ms(self) -> int:
        """Unix milliseconds: for records, never for decisions."""
        ...


class SystemClock:
    """The machine's clock."""

    def __init__(self) -> None:
        # CLOCK_BOOTTIME goes on while the machine sleeps, where CLOCK_MONOTONIC stops.
        self.boot: Callable[[], float] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000


class Timer(Protocol):
    """A call that is due."""

    def cancel(self) -> object:
        """Take it back; harmless once it ran."""
        ...


class Timers(Protocol):
    """Where calls in the future are booked (wire.timers.Timers)."""

    def start(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call once, `seconds` from now or a little later."""
        ...
