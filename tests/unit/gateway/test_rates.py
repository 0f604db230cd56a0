"""Rates and concurrency of workers over the buckets of control: never more than the limit, whoever asks and ends."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.gateway.fakes import FakeLink, Time
from yescale.control.rates import Buckets
from yescale.domain.ids import Incarnation, LimitId
from yescale.domain.limits import Limit, Sums
from yescale.domain.link import Give, Peers, Take, Taken, Welcome
from yescale.gateway.rates import Exceeded, Holding, Rates


def limit(amount: int, what: Any = "requests", window: Any = "minute", number: int = 1) -> Limit:
    return Limit(id=LimitId(number), scope="key", subject="7", what=what, window=window, amount=amount)


def at_once(amount: int) -> Limit:
    return limit(amount, "concurrency", "")


ONE: Sums = (0, 0, 1)


class Desk:
    """A worker's rates, and the way to control, on which messages wait."""

    def __init__(self, time: Time, buckets: Buckets, slot: int = 0) -> None:
        self.time = time
        self.link = FakeLink(time)
        self.buckets = buckets
        self.name = Incarnation(f"w{slot}")
        self.rates = Rates(self.link, slot, time, time)
        self.answers: deque[Taken] = deque()
        self.got: list[Holding | Exceeded] = []

    def take(self, *limits: Limit, least: Sums = ONE, most: Sums | None = None) -> None:
        most = least if most is None else most
        meters = self.rates.find(limits)
        holding = self.rates.take(meters, most)
        if holding is not None:
            self.got.append(holding)
        else:
            self.rates.ask(meters, least, most, self.got.append)

    def control_reads(self) -> None:
        sent, self.link.sent = self.link.sent, []
        for message in sent:
            if isinstance(message, Take):
                self.answers.append(self.buckets.take(self.name, message))
            else:
                self.buckets.give(self.name, message)

    def answer(self) -> None:
        """Control answers everything."""
        while self.link.sent or self.answers:
            self.control_reads()
            while self.answers:
                self.link.say(self.answers.popleft())

    @property
    def held(self) -> list[Holding]:
        return [outcome for outcome in self.got if isinstance(outcome, Holding)]

    @property
    def refused(self) -> list[Exceeded]:
        return [outcome for outcome in self.got if isinstance(outcome, Exceeded)]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def buckets(time: Time) -> Buckets:
    return Buckets(time.boot)


@pytest.fixture
def desk(time: Time, buckets: Buckets) -> Desk:
    return Desk(time, buckets)


def test_of_many_calls_as_many_are_let_in_as_the_limit_says_over_any_number_of_workers(
    time: Time, buckets: Buckets
) -> None:
    """promise 3"""
    for workers in (1, 4):
        desks = [Desk(time, buckets, slot) for slot in range(workers)]
        for _ in range(200 // workers):
            for desk in desks:
                desk.take(limit(30, number=workers))
        for desk in desks:
            desk.answer()
        assert sum(len(desk.held) for desk in desks) == 30


def test_a_bucket_fills_evenly_over_its_minute(desk: Desk) -> None:
    for _ in range(7):
        desk.take(limit(6))
        desk.answer()
    assert (len(desk.held), len(desk.refused)) == (6, 1)
    assert 9 < desk.refused[0].after_s <= 10
    desk.time.pass_(10.1)
    desk.take(limit(6))
    desk.take(limit(6))
    desk.answer()
    assert len(desk.held) == 7


def test_a_busy_worker_takes_ahead_what_it_needed_of_late_and_asks_no_more_for_each_call(desk: Desk) -> None:
    for _ in range(100):
        desk.take(limit(6_000))
        desk.answer()
    desk.time.pass_(1.5)
    asked = 0
    for _ in range(50):
        desk.take(limit(6_000))
        asked += len(desk.link.sent)
        desk.answer()
    assert len(desk.held) == 150
    assert asked <= 2


def test_tokens_are_taken_between_the_least_and_the_most_and_given_back(desk: Desk) -> None:
    tokens = limit(8_000, "tokens")
    desk.take(tokens, least=(0, 100, 1), most=(0, 5_000, 1))
    desk.answer()
    (holding,) = desk.held
    assert holding.sums == (0, 1_000, 1)
    holding.end((0, 50, 1))
    desk.take(tokens, least=(0, 950, 1))
    assert len(desk.held) == 2, "out of what the first one left over"
    holding.end((0, 0, 0))
    desk.time.pass_(3.5)
    assert desk.link.take(Give) == [], "nothing is given back twice"


def test_what_lies_idle_goes_back_to_the_bucket_and_what_was_used_beyond_it_is_taken_from_it(desk: Desk) -> None:
    tokens = limit(6_000, "tokens")
    desk.take(tokens, least=(0, 600, 1))
    desk.answer()
    desk.held[0].end((0, 100, 1))
    desk.time.pass_(4)
    assert desk.link.take(Give) == [Give(unused=((LimitId(1), 500),))]
    desk.take(tokens, least=(0, 600, 1))
    desk.answer()
    desk.held[1].end((0, 5_600, 1))
    desk.time.pass_(1.1)
    ((_, missing),) = desk.link.take(Give)[0].unused
    assert -5_000 <= missing <= -4_900
    desk.buckets.give(desk.name, Give(unused=((LimitId(1), -(10**9)),)))
    desk.take(tokens, least=(0, 1, 1))
    desk.answer()
    assert 58 < desk.refused[0].after_s < 61, "it is made up for within a minute, however much it was"


def test_of_several_limits_all_are_taken_or_none(desk: Desk) -> None:
    desk.take(limit(5), limit(100, "tokens", number=2), least=(0, 200, 1))
    desk.answer()
    assert [refusal.refused for refusal in desk.refused] == [2]
    for _ in range(5):
        desk.take(limit(5))
        desk.answer()
    assert len(desk.held) == 5


def test_an_edit_holds_at_once_for_what_is_in_hand(desk: Desk) -> None:
    desk.take(limit(800), least=ONE, most=(0, 0, 100))
    desk.answer()
    desk.held[0].end((0, 0, 0))
    desk.take(limit(1))
    desk.answer()
    assert len(desk.refused) == 1, "what was taken counts, whatever is in hand"
    desk.time.pass_(60.1)
    for _ in range(2):
        desk.take(limit(1))
        desk.answer()
    assert len(desk.held) == 2


def test_without_an_answer_each_worker_keeps_its_share_until_there_is_one(time: Time, buckets: Buckets) -> None:
    desks = [Desk(time, buckets, slot) for slot in range(4)]
    for desk in desks:
        desk.link.say(Peers(workers=4, nodes=1))
        for _ in range(10):
            desk.take(limit(10))
    time.pass_(0.2)
    assert [len(desk.held) for desk in desks] == [3, 3, 2, 2], "together they make up the limit"
    desk = desks[0]
    desk.take(limit(10))
    assert len(desk.refused) == 8
    desk.link.say(Taken(id=0))
    desk.take(limit(10))
    desk.link.sent = desk.link.sent[-1:]
    desk.answer()
    assert len(desk.held) == 4


def test_while_the_link_is_down_nobody_waits(desk: Desk) -> None:
    desk.link.up = False
    for _ in range(3):
        desk.take(limit(2))
    assert (len(desk.held), len(desk.refused)) == (2, 1)


def test_a_call_that_left_while_it_waited_carries_nothing(desk: Desk) -> None:
    waiting = desk.rates.ask(desk.rates.find((at_once(1),)), ONE, ONE, desk.got.append)
    assert waiting is not None
    waiting.cancel()
    desk.answer()
    assert desk.got == []
    desk.take(at_once(1))
    desk.answer()
    assert len(desk.held) == 1


def test_a_control_that_begins_anew_hears_what_is_carried(desk: Desk) -> None:
    desk.take(at_once(2))
    desk.answer()
    desk.buckets = Buckets(desk.time.boot)
    desk.link.say(Welcome(node="n", key_pepper=b""))
    desk.answer()
    other = Desk(desk.time, desk.buckets, 1)
    for _ in range(2):
        other.take(at_once(2))
        other.answer()
    assert len(other.held) == 1


STEPS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(("take", "end", "read", "hear"))), max_size=60)


@settings(max_examples=300)
@given(STEPS, st.integers(1, 3))
def test_calls_at_once_never_exceed_their_limit_and_room_is_never_lost(
    steps: list[tuple[int, str]], amount: int
) -> None:
    """Whatever the order in which questions, answers and ends of calls cross each other."""
    time = Time()
    buckets = Buckets(time.boot)
    desks = [Desk(time, buckets, slot) for slot in range(2)]
    carried: list[list[Holding]] = [[], []]
    for number, step in steps:
        desk = desks[number]
        if step == "take":
            desk.take(at_once(amount))
        elif step == "end" and carried[number]:
            carried[number].pop().end(ONE)
        elif step == "read":
            desk.control_reads()
        elif step == "hear" and desk.answers:
            desk.link.say(desk.answers.popleft())
        carried[number] += desk.held
        desk.got.clear()
        assert sum(map(len, carried)) <= amount
    for number, desk in enumerate(desks):
        desk.answer()
        carried[number] += desk.held
        desk.got.clear()
        for holding in carried[number]:
            holding.end(ONE)
        desk.answer()
    time.pass_(0.02)
    for _ in range(amount):
        desks[0].take(at_once(amount))
        desks[0].answer()
    assert len(desks[0].held) == amount
