"""Laws of the lease book, over random interleavings of calls, draws, settlement, recalls and broken links."""

from collections import deque
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.gateway.fakes import Bank, FakeLink, FakeRecord, Time, record
from yescale.domain.ids import PurseId
from yescale.domain.link import Changed, Draw, Drawn, KeyRecord, Recall, Recalled, Refused, Welcome
from yescale.gateway.keys import Found
from yescale.gateway.leases import Reservation, Waiting
from yescale.gateway.purses import Purses
from yescale.tuning import MoneySettings

WORKERS = st.integers(0, 1)
KEYS = (record(1), record(2, limited=True))
PURSES = (10, 11, 12)


class SameKey:
    def again(self, key: KeyRecord, then: Any) -> None:
        found: Found = key
        then(found)


class Worker:
    """A book and the queues between it and the bank."""

    def __init__(self, number: int, time: Time) -> None:
        self.number = number
        self.link = FakeLink(time)
        self.record = FakeRecord()
        self.purses = Purses(self.link, self.record, SameKey(), MoneySettings(), time, time)
        self.answers: deque[Drawn] = deque()
        self.settled = 0
        self.reservations: list[Reservation] = []
        self.waiting: list[Waiting] = []
        self.started = 0
        self.answered = 0
        self.cancelled = 0
        self.charged = 0

    def start(self, key: KeyRecord, least: int, most: int) -> None:
        self.started += 1
        waiting = self.purses.admit(key, least, most, lambda outcome: self.hear(outcome, least, most))
        if waiting is not None:
            self.waiting.append(waiting)

    def hear(self, outcome: Reservation | Refused, least: int, most: int) -> None:
        self.answered += 1
        if isinstance(outcome, Reservation):
            assert least <= outcome.amount <= most
            self.reservations.append(outcome)

    def end(self, index: int, share: int) -> None:
        reservation = self.reservations.pop(index % len(self.reservations))
        charged = reservation.amount * share // 100
        self.charged += charged
        backs = self.purses.settle(reservation, charged)
        self.record.end(tuple((purse, charged) for purse in reservation.pays), backs)


class Gateway(RuleBasedStateMachine):
    """Two workers and a bank; calls never cost more than was reserved."""

    @initialize(account=st.integers(0, 3_000), key=st.integers(0, 600))
    def begin(self, account: int, key: int) -> None:
        self.time = Time()
        self.start = {10: account, 11: 10**6, 12: key}
        self.bank = Bank(self.start)
        self.workers = [Worker(number, self.time) for number in range(2)]

    @rule(
        worker=WORKERS, key=st.sampled_from(KEYS), least=st.integers(0, 200), more=st.sampled_from((0, 0, 300, 2_000))
    )
    def call(self, worker: int, key: KeyRecord, least: int, more: int) -> None:
        self.workers[worker].start(key, least, least + more)

    @rule(worker=WORKERS, index=st.integers(0, 50), share=st.integers(0, 100))
    def end_call(self, worker: int, index: int, share: int) -> None:
        if self.workers[worker].reservations:
            self.workers[worker].end(index, share)

    @rule(worker=WORKERS, index=st.integers(0, 50))
    def leave(self, worker: int, index: int) -> None:
        desk = self.workers[worker]
        desk.waiting = [waiting for waiting in desk.waiting if not waiting.done]
        if desk.waiting:
            desk.waiting[index % len(desk.waiting)].cancel()
            desk.cancelled += 1

    @rule(worker=WORKERS, twice=st.booleans())
    def control_reads(self, worker: int, twice: bool) -> None:
        desk = self.workers[worker]
        for draw in desk.link.take(Draw)[:1]:
            desk.answers.extend([self.bank.draw(worker, draw)] * (1 + twice))

    @rule(worker=WORKERS)
    def answer_arrives(self, worker: int) -> None:
        desk = self.workers[worker]
        if desk.answers:
            desk.link.say(desk.answers.popleft())

    @rule(worker=WORKERS)
    def an_old_answer_arrives_last(self, worker: int) -> None:
        self.workers[worker].answers.rotate(-1)

    @rule(worker=WORKERS)
    def link_breaks(self, worker: int) -> None:
        self.workers[worker].link.part()
        self.workers[worker].answers.clear()

    @rule(worker=WORKERS)
    def link_returns(self, worker: int) -> None:
        if self.workers[worker].link.up:
            return
        self.workers[worker].link.up = True
        self.workers[worker].link.say(Welcome(node="n", key_pepper=b"p"))

    @rule(worker=WORKERS, lines=st.integers(1, 4))
    def settle(self, worker: int, lines: int) -> None:
        desk = self.workers[worker]
        for charges, backs in desk.record.lines[desk.settled : desk.settled + lines]:
            self.bank.settle(worker, charges, backs)
            desk.settled += 1

    @rule(worker=WORKERS, purses=st.lists(st.sampled_from(PURSES), unique=True))
    @precondition(lambda self: all(worker.link.up for worker in self.workers))
    def recall(self, worker: int, purses: list[int]) -> None:
        desk = self.workers[worker]
        desk.link.say(Recall(id=1, purses=tuple(PurseId(purse) for purse in purses)))
        (recalled,) = desk.link.take(Recalled)
        assert recalled.n == desk.record.last

    @rule(worker=WORKERS, closed=st.booleans())
    def change(self, worker: int, closed: bool) -> None:
        self.workers[worker].link.say(Changed(closed=(PurseId(12),) if closed else ()))

    @rule(seconds=st.sampled_from((0.2, 1.5, 4.0, 12.0)))
    def wait(self, seconds: float) -> None:
        self.time.pass_(seconds)
        for desk in self.workers:
            desk.link.alive_at = self.time.now

    @invariant()
    def a_purse_is_never_held_above_its_balance(self) -> None:
        for purse in PURSES:
            assert self.bank.balance[purse] >= 0
            if purse != 11:  # never limits, so it is charged without a lease
                assert self.bank.held(purse) <= self.bank.balance[purse]
        assert self.bank.shortfall == 0

    @invariant()
    def no_worker_reserves_or_returns_what_it_was_not_granted(self) -> None:
        for desk in self.workers:
            for purse in (10, 12):
                lease = desk.purses._book.get(PurseId(purse))
                if lease is None:
                    continue
                reserved = sum(taken.amount for taken in desk.reservations if purse in taken.purses)
                assert lease.free >= 0
                assert lease.granted == lease.spent + lease.returned + reserved + lease.free
                assert lease.granted <= self.bank.leases.get((desk.number, purse), [0])[0]

    @invariant()
    def calls_in_flight_are_covered_by_the_balance(self) -> None:
        """promise 1"""
        for purse in (10, 12):
            flying = sum(taken.amount for desk in self.workers for taken in desk.reservations if purse in taken.purses)
            unsettled = sum(
                amount
                for desk in self.workers
                for charges, _ in desk.record.lines[desk.settled :]
                for charged, amount in charges
                if charged == purse
            )
            assert flying + unsettled <= self.bank.balance[purse]

    @invariant()
    def every_call_has_one_outcome(self) -> None:
        for desk in self.workers:
            assert desk.purses.in_flight == len(desk.reservations)
            unanswered = desk.started - desk.answered - desk.cancelled
            assert 0 <= unanswered <= desk.purses.waiting <= unanswered + desk.cancelled

    def teardown(self) -> None:
        """Nothing leaks: when all is over, nothing waits, nothing is held, and what was charged is what is gone."""
        if not hasattr(self, "workers"):
            return
        for desk in self.workers:
            self.link_breaks(desk.number)
            self.time.pass_(15)
            assert desk.purses.waiting == 0
            self.link_returns(desk.number)
            while desk.link.sent:
                for draw in desk.link.take(Draw):
                    desk.link.say(self.bank.draw(desk.number, draw))
            while desk.reservations:
                desk.end(0, 50)
            self.time.pass_(8)
            self.settle_all(desk)
        assert [self.bank.held(purse) for purse in PURSES] == [0, 0, 0]
        charged = sum(desk.charged for desk in self.workers)
        assert self.start[10] - self.bank.balance[10] == charged

    def settle_all(self, desk: Worker) -> None:
        for charges, backs in desk.record.lines[desk.settled :]:
            self.bank.settle(desk.number, charges, backs)
        desk.settled = len(desk.record.lines)


Gateway.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
)
TestGateway = Gateway.TestCase
