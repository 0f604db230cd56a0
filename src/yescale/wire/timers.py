"""Deadlines on one wheel per event loop: starting and cancelling cost O(1), and the loop holds a single timer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_LOGGER: Final = logging.getLogger("yescale.wire")
NEVER: Final = float("inf")


def _nothing() -> None:
    """What is called by what is over."""


class Timer:
    """One call to come; `cancel` forgets it, and is harmless when it has been made."""

    __slots__ = ("_slot", "call")

    def __init__(self, slot: set[Timer], call: Callable[[], object]) -> None:
        self._slot = slot
        self.call = call

    def cancel(self) -> None:
        self._slot.discard(self)
        self.call = _nothing  # the owner holds the timer, and the call often holds the owner


class Timers:
    """The wheel. Calls come at the first tick after their time: never early, at most one tick late on a free loop."""

    __slots__ = ("_fired", "_handle", "_slots", "_tick", "loop", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: float = 0.05) -> None:
        self.loop = loop
        self._tick = tick
        self._slots: dict[int, set[Timer]] = {}
        self._fired = 0
        self._handle: asyncio.TimerHandle | None = None
        self.now: Callable[[], float] = loop.time

    def start(self, seconds: float, call: Callable[[], object]) -> Timer:
        now = self.now()
        if self._handle is None:
            self._fired = int(now / self._tick)
            self._handle = self.loop.call_later(self._tick, self._turn)
        due = max(int((now + seconds) / self._tick), self._fired) + 1
        slot = self._slots.get(due)
        if slot is None:
            slot = self._slots[due] = set()
        timer = Timer(slot, call)
        slot.add(timer)
        return timer

    def close(self) -> None:
        """Forget every call to come."""
        self._slots.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _turn(self) -> None:
        current = int(self.now() / self._tick)
        while self._fired < current:
            self._fired += 1
            slot = self._slots.pop(self._fired, None)
            while slot:
                self._run(slot.pop())
        self._handle = self.loop.call_later(self._tick, self._turn) if self._slots else None

    def _run(self, timer: Timer) -> None:
        call = timer.call
        timer.call = _nothing
        try:
            call()
        except Exception:
            _LOGGER.exception("a timer's call raised: a defect in its owner; the other timers go on")


class Deadline:
    """One deadline that moves often. Later costs an assignment: a timer that comes too early is re-armed."""

    __slots__ = ("_call", "_timer", "_timers", "_wake", "at")

    def __init__(self, timers: Timers, call: Callable[[], object]) -> None:
        self._timers = timers
        self._call = call
        self._timer: Timer | None = None
        self._wake = NEVER
        self.at = NEVER

    def set(self, at: float) -> None:
        """Call at this time of the loop's clock, unless moved or cleared before."""
        self.at = at
        if at < self._wake:
            self._arm(at)

    def clear(self) -> None:
        self.at = NEVER

    def close(self) -> None:
        """Clear for good and drop the reference to the owner."""
        self.at = NEVER
        self._call = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._wake = NEVER

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wake = at
        self._timer = self._timers.start(at - self._timers.now(), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._wake = NEVER
        if self.at == NEVER:
            return
        if self._timers.now() < self.at:
            self._arm(self.at)
            return
        self.at = NEVER
        self._call()
