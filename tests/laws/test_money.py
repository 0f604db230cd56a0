"""The money protocol under random schedules: the real bank, lease book, journal files and settlement, and all that can
go wrong between them. Whatever happens, what was served is charged once, and the laws of the books hold at every step.

`make test` runs a few hundred schedules, `make schedules` many thousands (SCHEDULES), for SCHEDULES_S seconds at most.
"""

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults.figures import publish
from tests.laws.banks import KEYS, Bank, FileBank, ServerBank, make_tables
from tests.laws.money_world import World

MANY = int(os.environ.get("SCHEDULES", "0"))
MOST_S = float(os.environ.get("SCHEDULES_S", "3600"))
FEW = {"sqlite": 200, "postgresql": 10}
BATCH = 250  # schedules of one run of Hypothesis, which remembers them all
STEPS = 50
MEMORY = Path("/dev/shm")  # commits and journals reach no disk here: what a power cut does is not played

WORKER = st.integers(0, 3)
ANY = st.integers(0, 20)
NAME = st.sampled_from([name for name, *_ in KEYS])
ACCOUNT = st.integers(1, 2)
CONTROL = st.integers(0, 1)
# What the next answer of control comes to.
FATE = st.sampled_from(("now", "now", "now", "now", "later", "later", "lost", "twice"))
LEAST, MORE = st.integers(0, 120), st.sampled_from((0, 0, 200, 1_500))
SHARE = st.integers(0, 100)
BURST = st.lists(st.tuples(WORKER, NAME, LEAST, MORE, FATE, SHARE), min_size=2, max_size=8)
Burst = list[tuple[int, str, int, int, str, int]]

Step = Coroutine[Any, Any, object]


class Schedule(RuleBasedStateMachine):
    """One schedule. `make`, `done` and `runner` are its test's."""

    make: Callable[[], tuple[Bank, tempfile.TemporaryDirectory[str]]]
    done: Counter[str]
    runner: asyncio.Runner
    world: World

    def play(self, step: Step) -> None:
        self.runner.run(step)

    @initialize(
        balances=st.tuples(st.sampled_from((300, 4_000, 50_000)), st.sampled_from((0, 150, 3_000))),
        limits=st.tuples(*[st.sampled_from((60, 700, 5_000))] * 3),
        troubles=st.sets(st.sampled_from(("overruns", "restores", "lost nodes", "edits"))),
    )
    def begin(self, balances: tuple[int, int], limits: tuple[int, ...], troubles: set[str]) -> None:
        bank, self.folder = self.make()
        self.world = World(bank, Path(self.folder.name))
        self.troubles = troubles
        self.play(self.world.open(balances, dict(zip(("plain", "dated", "other"), limits, strict=True))))
        if "restores" in troubles:
            self.play(self.world.back_up())

    # --- calls

    @rule(calls=BURST)
    def calls_come_and_go(self, calls: Burst) -> None:
        for worker, name, least, more, fate, share in calls:
            self.start(worker, name, least, more)
            self.play(self.world.answer_draw(worker, fate))
            self.world.end(worker, least, share, 0)
            self.play(self.world.check())

    @rule(calls=BURST, lines=st.integers(1, 6))
    def calls_go_on_while_others_are_settled(self, calls: Burst, lines: int) -> None:
        for worker, name, least, more, fate, share in calls:
            self.start(worker, name, least, more)
            self.play(self.world.answer_draw(worker, fate))
            self.play(self.world.settle_some(least, lines))
            if share < 40:
                self.world.end(worker, least, share, 0)

    @rule(calls=BURST)
    def calls_race_for_money(self, calls: Burst) -> None:
        for worker, name, least, more, _, _ in calls:
            self.start(worker, name, least, more)
        for worker, _, _, _, fate, _ in reversed(calls):
            self.play(self.world.answer_draw(worker, fate))

    def start(self, worker: int, name: str, least: int, more: int) -> None:
        self.world.living(worker).call(self.world.keys[name], least, least + more)

    @precondition(lambda self: self.world.flying)
    @rule(worker=WORKER, index=ANY, shares=st.lists(SHARE, min_size=1, max_size=6))
    def calls_end(self, worker: int, index: int, shares: list[int]) -> None:
        for share in shares:
            self.world.end(worker, index, share, 0)

    @precondition(lambda self: self.world.flying)
    @rule(worker=WORKER, seconds=st.sampled_from((0.1, 6.0)))
    def the_calls_of_a_worker_end(self, worker: int, seconds: float) -> None:
        self.world.living(worker).wait(seconds)
        for index in range(len(self.world.living(worker).flights)):
            self.world.end(worker, index, 90, 0)

    @precondition(lambda self: self.world.flying and "overruns" in self.troubles)
    @rule(worker=WORKER, index=ANY, more=st.sampled_from((1, 300, 60_000)))
    def call_overruns(self, worker: int, index: int, more: int) -> None:
        self.world.end(worker, index, 100, more)

    @precondition(lambda self: any(life.waiting for life in self.world.lives))
    @rule(worker=WORKER, index=ANY)
    def client_leaves(self, worker: int, index: int) -> None:
        self.world.living(worker).leave(index)

    # --- the wire

    @rule(worker=WORKER, fate=FATE)
    def control_answers(self, worker: int, fate: str) -> None:
        self.play(self.world.answer_draw(worker, fate))

    @precondition(lambda self: any(life.answers for life in self.world.lives))
    @rule(worker=WORKER)
    def late_answer_arrives(self, worker: int) -> None:
        self.world.deliver(worker)

    @precondition(lambda self: any(life.keys.asked for life in self.world.lives))
    @rule(worker=WORKER)
    def keys_are_fetched_again(self, worker: int) -> None:
        self.play(self.world.answer_keys(worker))

    @rule(worker=WORKER, back=st.booleans())
    def wire_breaks(self, worker: int, back: bool) -> None:
        self.world.living(worker).part()
        if back:
            self.world.living(worker).join()

    @precondition(lambda self: any(not life.link.up for life in self.world.lives))
    @rule(worker=WORKER)
    def wire_is_back(self, worker: int) -> None:
        self.world.living(worker).join()

    @rule(worker=WORKER, seconds=st.sampled_from((0.2, 1.5, 4.0, 12.0)))
    def wait(self, worker: int, seconds: float) -> None:
        self.world.living(worker).wait(seconds)

    # --- settlement

    @rule(life=ANY, lines=st.integers(1, 6))
    def some_lines_are_settled(self, life: int, lines: int) -> None:
        self.play(self.world.settle_some(life, lines))

    @rule(control=CONTROL)
    def control_reads_all(self, control: int) -> None:
        self.play(self.world.pass_over(control))

    @rule(control=CONTROL)
    def control_starts_anew(self, control: int) -> None:
        self.world.restart(control)

    @precondition(lambda self: self.world.done["kills"] < 3)
    @rule(worker=WORKER, torn=st.sampled_from((0, 0, 1, 50, 100)))
    def worker_is_killed(self, worker: int, torn: int) -> None:
        self.world.kill(worker, torn)

    # --- owners and operators

    @rule(account=ACCOUNT, amount=st.sampled_from((50, 900, 5_000)), times=st.integers(1, 2))
    def top_up(self, account: int, amount: int, times: int) -> None:
        self.play(self.world.top_up(account, amount, times))

    @precondition(lambda self: self.world.done["calls"] > 0)
    @rule(index=ANY, amount=st.none() | st.integers(1, 100))
    def refund(self, index: int, amount: int | None) -> None:
        self.play(self.world.give_back(index, amount))

    @rule(name=NAME)
    def recall(self, name: str) -> None:
        self.world.recall(self.world.keys[name].account_purse)
        self.world.recall(self.world.keys[name].key_purse)

    @precondition(lambda self: "edits" in self.troubles)
    @rule(name=NAME, remaining=st.sampled_from((0, 40, 800)))
    def set_limit(self, name: str, remaining: int) -> None:
        self.play(self.world.set_limit(name, remaining))

    @precondition(lambda self: "edits" in self.troubles)
    @rule(account=ACCOUNT, amount=st.sampled_from((20, 200, 2_000)))
    def take_away(self, account: int, amount: int) -> None:
        self.play(self.world.take_away(account, amount))

    @precondition(lambda self: "edits" in self.troubles and not self.world.done["keys closed"])
    @rule(name=NAME)
    def close_key(self, name: str) -> None:
        self.play(self.world.close_key(name))

    # --- disasters

    @precondition(lambda self: "restores" in self.troubles)
    @rule()
    def back_up(self) -> None:
        self.play(self.world.back_up())

    @precondition(lambda self: self.world.copied)
    @rule()
    def restore(self) -> None:
        self.play(self.world.restore())

    @precondition(lambda self: "lost nodes" in self.troubles and not self.world.done["lost nodes"])
    @rule(worker=WORKER)
    def node_is_lost(self, worker: int) -> None:
        self.play(self.world.lose_node(worker))

    @invariant()
    def the_books_hold(self) -> None:
        if hasattr(self, "world"):
            self.done["steps"] += 1
            self.play(self.world.check())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.play(self.world.finish())
            self.done["schedules"] += 1
            self.done.update(self.world.done)
            self.done.update({f"with {trouble}": 1 for trouble in self.troubles})
        finally:
            for life in self.world.lives:
                if life.alive:
                    life.kill(0)
            self.play(self.world.bank.close())
            self.folder.cleanup()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


@pytest.mark.timeout(MOST_S + 600)
def test_what_is_served_is_charged_once_and_nothing_stays_held_in_a_file(folder: Path) -> None:
    """promise 1, promise 2, promise 12, promise 31: SQLite, with databases that are put back."""
    template = folder / "template.db"
    asyncio.run(make_tables(f"sqlite:///{template}", filled=True))

    def make() -> tuple[Bank, tempfile.TemporaryDirectory[str]]:
        place = tempfile.TemporaryDirectory(dir=folder)
        return FileBank(Path(place.name), template), place

    play("sqlite", make)


@pytest.mark.timeout(MOST_S + 600)
def test_what_is_served_is_charged_once_and_nothing_stays_held_on_a_server(folder: Path, postgres_url: str) -> None:
    """The same on PostgreSQL, with fewer schedules."""
    asyncio.run(make_tables(postgres_url, filled=False))

    def make() -> tuple[Bank, tempfile.TemporaryDirectory[str]]:
        return ServerBank(postgres_url), tempfile.TemporaryDirectory(dir=folder)

    play("postgresql", make)


def play(name: str, make: Callable[[], tuple[Bank, tempfile.TemporaryDirectory[str]]]) -> None:
    """Schedules in batches, until there were enough or the time is over."""
    most = FEW[name] if not MANY else max(FEW[name], MANY * FEW[name] // FEW["sqlite"])
    give_up = time.monotonic() + MOST_S
    done: Counter[str] = Counter()
    with asyncio.Runner() as runner:
        kind = type("Schedule", (Schedule,), {"make": staticmethod(make), "done": done, "runner": runner})
        while done["schedules"] < most and time.monotonic() < give_up:
            run_state_machine_as_test(kind, settings=_settings(min(BATCH, most - done["schedules"])))
    publish("schedules", name, dict(done))


def _settings(schedules: int) -> settings:
    return settings(
        max_examples=schedules,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if not MANY else (Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
    )
