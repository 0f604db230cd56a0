"""A worker of the money schedules: the real lease book and the real journal files, on a wire that loses and delays."""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tests.unit.gateway.fakes import FakeLink, Time
from yescale.control.journals import find_open_calls
from yescale.domain.ids import CallId, ChannelId, Incarnation, ModelName, PurseId
from yescale.domain.journal import EndLine, OpenCall
from yescale.domain.link import INCARNATION_CLOSED, Changed, Draw, Drawn, KeyRecord, Recall, Refused, Welcome
from yescale.gateway.journal import Journal
from yescale.gateway.keys import Found
from yescale.gateway.leases import Reservation, Waiting
from yescale.gateway.money_needs import Backs
from yescale.gateway.purses import Purses
from yescale.tuning import JournalSettings, MoneySettings

NODE = "node"
SETTINGS = JournalSettings(file_bytes=3_000, free_floor_bytes=0)
MODEL = ModelName("m")


class Refetch:
    """Keys that are asked for once more, until someone answers."""

    def __init__(self) -> None:
        self.asked: deque[tuple[KeyRecord, Callable[[Found], None]]] = deque()

    def again(self, key: KeyRecord, then: Callable[[Found], None]) -> None:
        self.asked.append((key, then))


class Life:
    """One life of a worker. Its journal outlives it."""

    def __init__(self, journals: Path, number: int) -> None:
        self.incarnation = Incarnation(f"{number:032x}")
        self.alive = True
        self.time = Time()
        self.link = FakeLink(self.time)
        self.keys = Refetch()
        self.journal = Journal(journals, self.incarnation, NODE, SETTINGS, self.time, self.time)
        self.purses = Purses(self.link, self.journal, self.keys, MoneySettings(), self.time, self.time)
        self.folder = journals / self.incarnation
        self.answers: deque[Drawn] = deque()
        self.flights: dict[CallId, Reservation] = {}
        self.ended: dict[CallId, int] = {}
        self.charged: dict[PurseId, int] = {}
        self.waiting: list[Waiting] = []
        self._calls = 0

    # --- calls

    def call(self, key: KeyRecord, least: int, most: int) -> None:
        """A call that asks for money, now or when the draw is answered."""
        self._calls += 1
        name = CallId(f"{self.incarnation[-3:]}-{self._calls}")
        waiting = self.purses.admit(key, least, most, lambda outcome: self._admitted(name, outcome, least, most))
        if waiting is not None:
            self.waiting.append(waiting)

    def _admitted(self, name: CallId, outcome: Reservation | Refused, least: int, most: int) -> None:
        if not isinstance(outcome, Reservation):
            return
        assert least <= outcome.amount <= most
        self.flights[name] = outcome
        opened = OpenCall(
            id=name, at_ms=1, key=outcome.key.id, account=outcome.key.account, model=MODEL, channel=ChannelId(1),
            reserved=outcome.amount,
        )  # fmt: skip
        self.journal.open(name, lambda: opened)

    def end(self, index: int, share: int, more: int) -> int:
        """End a call that used a share (%) of what was reserved, and `more`; what it used."""
        name = list(self.flights)[index % len(self.flights)]
        reservation = self.flights.pop(name)
        amount = reservation.amount * share // 100 + more
        backs = self.purses.settle(reservation, amount)
        for purse in reservation.pays:
            self.charged[purse] = self.charged.get(purse, 0) + amount
        assert self.journal.end(_end_line(name, reservation, amount, backs))
        self.ended[name] = amount
        return amount

    def leave(self, index: int) -> None:
        """A client whose call waits goes away."""
        self.waiting = [waiting for waiting in self.waiting if not waiting.done]
        if self.waiting:
            self.waiting[index % len(self.waiting)].cancel()

    # --- the wire

    def next_draw(self) -> Draw | None:
        """What control reads next."""
        draw = next((message for message in self.link.sent if isinstance(message, Draw)), None)
        if draw is not None:
            self.link.sent.remove(draw)
        return draw

    def hear(self, answer: Drawn) -> None:
        self.link.say(answer)
        if answer.refused is not None and answer.refused.code == INCARNATION_CLOSED:
            assert self.purses.closed

    def part(self) -> None:
        """The wire breaks, with all that is on it."""
        self.link.part()
        self.answers.clear()

    def join(self) -> None:
        if not self.link.up:
            self.link.up = True
            self.link.alive_at = self.time.now
            self.link.say(Welcome(node=NODE, key_pepper=b"p"))

    def tell(self, message: Recall | Changed) -> None:
        """What control says unasked, if it can be heard."""
        if self.alive and self.link.up:
            self.link.say(message)

    def wait(self, seconds: float) -> None:
        self.time.pass_(seconds)
        if self.link.up:
            self.link.alive_at = self.time.now

    # --- the end

    def kill(self, torn: int) -> None:
        """kill -9: nothing more is said or written, save (%) a part of the line that was being written."""
        self.alive = False
        if torn and self.flights:
            name, reservation = next(iter(self.flights.items()))
            line = self.journal._bytes_of(_end_line(name, reservation, 1, ()))
            os.write(self.journal._fd, line[: max(1, (len(line) - 1) * torn // 100)])
        for file in (self.journal._fd, self.journal._lock):
            os.close(file)
        self.journal._fd = self.journal._lock = -1
        self.purses.close()

    def interrupted(self) -> set[CallId]:
        """The calls that its journal opens and does not end."""
        return {call.id for call in find_open_calls(self.folder)}

    def reserved(self, purse: PurseId) -> int:
        return sum(flight.amount for flight in self.flights.values() if purse in flight.purses)


def _end_line(name: CallId, reservation: Reservation, amount: int, backs: Backs) -> EndLine:
    return EndLine(
        n=0,
        id=name,
        at_ms=1,
        key=reservation.key.id,
        account=reservation.key.account,
        username="",
        key_name="",
        group="",
        model=MODEL,
        upstream_model="m",
        channel=ChannelId(1),
        outcome="ok",
        status=200,
        stream=False,
        usage={},
        estimated=False,
        lines=(),
        amount=amount,
        charges=tuple([(purse, amount) for purse in reservation.pays]),
        attempts=(),
        first_ms=1,
        total_ms=1,
        snapshot=1,
        backs=backs,
    )
