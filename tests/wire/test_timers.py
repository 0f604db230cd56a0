"""The timer wheel and the moving deadline."""

from __future__ import annotations

import asyncio

import pytest

from tests.wire.rig import until
from yescale.wire.timers import Deadline, Timers


async def test_calls_come_in_time_never_early_and_cancelled_ones_never() -> None:
    timers = Timers(asyncio.get_running_loop(), 0.01)
    came: dict[float, float] = {}
    start = timers.now()
    for seconds in (0.0, 0.005, 0.03, 0.05):
        timers.start(seconds, lambda seconds=seconds: came.setdefault(seconds, timers.now() - start))
    never = timers.start(0.02, lambda: came.setdefault(-1, 0))
    never.cancel()
    never.cancel()
    await until(lambda: len(came) == 4)
    assert -1 not in came
    assert all(late >= seconds for seconds, late in came.items())
    timers.close()


async def test_a_wheel_without_timers_does_not_turn_and_starts_again() -> None:
    timers = Timers(asyncio.get_running_loop(), 0.01)
    came: list[int] = []
    timers.start(0, lambda: came.append(1))
    await until(lambda: timers._handle is None)
    assert came == [1]
    await asyncio.sleep(0.05)
    timers.start(0, lambda: came.append(2))
    await until(lambda: came == [1, 2])
    timers.close()


async def test_a_call_may_start_and_cancel_timers_of_its_own_tick() -> None:
    timers = Timers(asyncio.get_running_loop(), 0.01)
    came: list[str] = []
    pair = []

    def first_of_both() -> None:
        came.append("one of two")
        for timer in pair:
            timer.cancel()
        timers.start(0, lambda: came.append("next"))

    pair += [timers.start(0.005, first_of_both), timers.start(0.005, first_of_both)]
    await until(lambda: "next" in came)
    assert came == ["one of two", "next"]
    timers.close()


async def test_a_call_that_raises_is_logged_and_the_others_come(caplog: pytest.LogCaptureFixture) -> None:
    timers = Timers(asyncio.get_running_loop(), 0.01)
    came: list[int] = []

    def fail() -> None:
        raise RuntimeError("a defect")

    timers.start(0, fail)
    timers.start(0, lambda: came.append(1))
    await until(lambda: came)
    assert "a timer's call raised" in caplog.text
    timers.close()


async def test_a_closed_wheel_forgets_everything() -> None:
    timers = Timers(asyncio.get_running_loop(), 0.01)
    came: list[int] = []
    timers.start(0, lambda: came.append(1))
    timers.close()
    timers.close()
    await asyncio.sleep(0.04)
    assert came == []


async def test_timers_that_are_cancelled_hold_no_memory() -> None:
    """promise 34"""
    timers = Timers(asyncio.get_running_loop())
    for _ in range(10_000):
        timers.start(3600, lambda: None).cancel()
    assert sum(len(slot) for slot in timers._slots.values()) == 0
    assert len(timers._slots) < 100
    timers.close()


async def test_a_deadline_moves_later_and_earlier() -> None:
    timers = Timers(asyncio.get_running_loop(), 0.01)
    came: list[float] = []
    deadline = Deadline(timers, lambda: came.append(timers.now()))
    start = timers.now()
    deadline.set(start + 0.03)
    deadline.set(start + 0.1)
    await until(lambda: came)
    assert came[0] - start >= 0.1
    start = timers.now()
    deadline.set(start + 100)
    deadline.set(start + 0.02)
    await until(lambda: len(came) == 2)
    assert 0.02 <= came[1] - start < 50
    timers.close()


async def test_a_deadline_cleared_or_closed_never_comes() -> None:
    timers = Timers(asyncio.get_running_loop(), 0.01)
    came: list[int] = []
    cleared = Deadline(timers, lambda: came.append(1))
    cleared.set(timers.now())
    cleared.clear()
    closed = Deadline(timers, lambda: came.append(2))
    closed.close()
    closed.set(timers.now())
    closed.close()
    await asyncio.sleep(0.04)
    assert came == []
    cleared.set(timers.now())
    await until(lambda: came == [1])
    timers.close()
