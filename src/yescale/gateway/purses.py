"""The worker's lease book: what it was granted of each purse, and every call's reservation against it.

Per purse: `free` = granted - spent - returned - reserved. Calls that lack money wait for a draw; a grant and the
reservations that it pays happen in one callback. Nothing here waits, and nothing is a difference: totals only.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, Protocol, TypeVar

from yescale.domain.ids import PurseId
from yescale.domain.link import (
    INCARNATION_CLOSED,
    Changed,
    Draw,
    Drawn,
    FromControl,
    FromWorker,
    Granted,
    KeyRecord,
    Recall,
    Recalled,
    Refused,
    Want,
    Welcome,
)
from yescale.domain.money import Nano
from yescale.gateway.callbacks import run
from yescale.gateway.clock import Clock, Timer, Timers
from yescale.gateway.keys import Found, Unavailable
from yescale.gateway.leases import Admitted, Drawing, Lease, Refusal, Reservation, Waiting
from yescale.tuning import MoneySettings

M = TypeVar("M", bound=FromControl)
Backs = tuple[tuple[PurseId, Nano], ...]

_LOG: Final = logging.getLogger(__name__)
_MAX_WAITING: Final = 10_000  # calls that wait for money
_MAX_DRAWS: Final = 8  # for one call, where others take what was granted before it does
_DRAW_S: Final = 3.0  # an answer takes this long at most: a refusal may first recall what others hold
_WAIT_S: Final = 10.0  # a call waits this long at most, over all draws
_SLICES: Final = 10  # the book is swept in so many slices, each once in
_SWEEP_S: Final = 1.0
_PROBES: Final = 100  # purses whose totals are asked for in a second, after draws without an answer
_BACKS: Final = 1_000  # purses in one line of the journal
_UNAVAILABLE: Final = "temporarily_unavailable"
_UNKNOWN_PURSE: Final = "invalid_api_key"
_KEY_STATUS: Final = {2: "key_disabled", 3: "key_expired", 4: "key_exhausted"}


class Bank(Protocol):
    """What the book needs of the link."""

    up: bool
    alive_at: float

    def on(self, kind: type[M], callback: Callable[[M], object]) -> None: ...
    def send(self, message: FromWorker) -> bool: ...


class Record(Protocol):
    """What the book needs of the journal."""

    writable: bool
    stuck: bool
    last: int

    def back(self, purses: Backs) -> int: ...
    def when_written(self, then: Callable[[], object]) -> None: ...


class Refetch(Protocol):
    """What the book needs of the key cache."""

    def again(self, key: KeyRecord, then: Callable[[Found], None]) -> None: ...


class Purses:
    """The book of one worker. It writes returns through the journal itself; charges are written by who settles."""

    def __init__(
        self, link: Bank, journal: Record, keys: Refetch, settings: MoneySettings, timers: Timers, clock: Clock
    ) -> None:
        self.closed = False  # control holds this incarnation for dead
        self.in_flight = 0
        self.waiting = 0
        self._link = link
        self._journal = journal
        self._keys = keys
        self._settings = settings
        self._alive_for = settings.alive_for_s
        self._timers = timers
        self._now = clock.boot
        self._book: dict[PurseId, Lease] = {}
        self._awake: tuple[dict[PurseId, Lease], ...] = tuple({} for _ in range(_SLICES))
        self._slice = 0
        self._draws: dict[int, Drawing] = {}
        self._draw_number = 0
        self._unsure: dict[PurseId, Lease] = {}  # a draw of theirs was never answered
        self._news = 0
        self._closings: list[Callable[[], object]] = []
        link.on(Drawn, self._drawn)
        link.on(Recall, self._recalled)
        link.on(Changed, self._changed)
        link.on(Welcome, self._welcomed)
        self._sweeping: Timer = timers.start(_SWEEP_S / _SLICES, self._sweep)

    def reserve(self, key: KeyRecord, amount: Nano) -> Reservation | None:
        """Set money aside at once, as a rule; None says nothing about it: ask `admit`."""
        if key.limited:
            return None
        now = self._now()
        account = self._book.get(key.account_purse)
        if account is None or account.free < amount or now >= account.until or self._shut(now):
            return None
        return self._reserve(key, (account,), amount, now)

    def admit(self, key: KeyRecord, least: Nano, most: Nano, then: Admitted) -> Waiting | None:
        """Set money aside: as much as `most`, no less than `least`. None = `then` has been called already."""
        reservation = self.reserve(key, most)
        if reservation is not None:
            then(reservation)
            return None
        now = self._now()
        if self._shut(now):
            then(Refused(purse=key.account_purse, code=_UNAVAILABLE))
            return None
        ids = (key.account_purse, key.key_purse) if key.limited else (key.account_purse,)
        held = tuple([self._book.get(purse) or self._enter(purse) for purse in ids])
        call = Waiting(key, held, (least, most), then)
        call.since = now
        if self.waiting >= _MAX_WAITING:
            then(Refused(purse=key.account_purse, code=_UNAVAILABLE))
            return None
        self.waiting += 1
        self._advance([call], now)
        return None if call.done else call

    def settle(self, reservation: Reservation, charged: Nano) -> Backs:
        """End a reservation; once. The returned totals that go into the same line of the journal, as a rule none."""
        if not reservation.open:
            return ()
        reservation.open = False
        self.in_flight -= 1
        held = reservation.held
        left = reservation.amount - charged
        exact = False
        for lease in held:
            lease.spent += charged
            lease.free += left
            exact = exact or lease.exact
            if not lease.awake:
                self._wake(lease)
        if len(held) == 1:
            key_purse = reservation.key.key_purse
            own = self._book.get(key_purse) or self._enter(key_purse)
            own.spent += charged
            own.free -= charged
        return self._returned(held) if exact else ()

    def give_back(self) -> None:
        """Return everything that is free: the worker is about to end."""
        self._give(self._book.values())

    def close(self) -> None:
        """Refuse who waits, and stop."""
        self.closed = True
        self._sweeping.cancel()
        for draw in tuple(self._draws.values()):
            self._give_up(draw)

    def on_closed(self, callback: Callable[[], object]) -> None:
        """Hear that control closed this incarnation: drain and exit."""
        self._closings.append(callback)

    def _shut(self, now: float) -> bool:
        return self.closed or not self._journal.writable or now - self._link.alive_at > self._alive_for

    def _away(self, now: float) -> bool:
        """Is control gone for longer than a restart takes? Until then calls wait for it."""
        return not self._link.up and now - self._link.alive_at > self._settings.restart_s

    def _enter(self, purse: PurseId) -> Lease:
        entry = self._book[purse] = Lease(purse)
        return entry

    def _wake(self, lease: Lease) -> None:
        lease.awake = True
        lease.mark = lease.spent
        self._awake[lease.id % _SLICES][lease.id] = lease

    def _reserve(self, key: KeyRecord, held: tuple[Lease, ...], amount: Nano, now: float) -> Reservation:
        for lease in held:
            lease.free -= amount
            lease.used = now
            if not lease.awake:
                self._wake(lease)
            if lease.free < lease.low and lease.draw is None and self._link.up:
                self._draw([(lease, 0, amount)])
        self.in_flight += 1
        return Reservation(key, held, amount)

    def _advance(self, calls: Sequence[Waiting], now: float) -> None:
        """Admit or refuse, in order, whom the book can answer; draw once more for the others."""
        left = [call for call in calls if not self._answer(call, now)]
        demand: dict[PurseId, Nano] = {}
        for call in left:
            for lease in call.held:
                demand[lease.id] = demand.get(lease.id, 0) + call.most
        for call in left:
            if call.done:
                self.waiting -= 1
                continue
            lacking = [lease for lease in call.held if lease.left(now) < call.most]
            if not lacking:  # a call that was just answered has ended already
                self._finish(call, self._reserve(call.key, call.held, call.most, now))
                continue
            draw = next((lease.draw for lease in lacking if lease.draw is not None), None)
            if draw is None:
                call.draws += 1
                draw = self._draw([(lease, call.least, demand[lease.id]) for lease in lacking])
            draw.calls.append(call)

    def _answer(self, call: Waiting, now: float) -> bool:
        """True = the call needs no draw: admitted, refused, gone, or waiting for its key."""
        if call.done:
            self.waiting -= 1
            return True
        room = call.room(now)
        if room >= call.most or (room >= call.least and self._must_do(call)):
            if self._shut(now):
                self._refuse(call, _UNAVAILABLE)
            else:
                self._finish(call, self._reserve(call.key, call.held, min(room, call.most), now))
            return True
        if self._shut(now) or self._away(now) or call.draws >= _MAX_DRAWS or now - call.since > _WAIT_S:
            self._refuse(call, _UNAVAILABLE)
            return True
        refusal = self._standing(call, now)
        if refusal is None:
            return False
        if refusal.code == _UNKNOWN_PURSE and not call.refetched:
            call.refetched = True
            self._keys.again(call.key, lambda found: self._refetched(call, found))
        else:
            self._finish(call, refusal)
        return True

    def _must_do(self, call: Waiting) -> bool:
        """Is it of no use to draw for the rest of `most`?"""
        if call.draws > 0 or not self._link.up:
            return True
        return all(lease.tight for lease in call.held if lease.free < call.most)

    def _standing(self, call: Waiting, now: float) -> Refused | None:
        for lease in call.held:
            refusal = lease.refusal
            if (
                refusal is not None
                and now < refusal.until
                and refusal.news == self._news
                and call.least - lease.left(now) >= refusal.need
            ):
                return refusal.answer
        return None

    def _refetched(self, call: Waiting, found: Found) -> None:
        """A purse was unknown to control: with the key as it is now the call tries once more."""
        if isinstance(found, Unavailable):
            self._refuse(call, _UNAVAILABLE)
        elif found is None:
            self._refuse(call, _UNKNOWN_PURSE)
        elif found.account_status != 1:
            self._refuse(call, "account_disabled")
        elif found.status != 1:
            self._refuse(call, _KEY_STATUS.get(found.status, _UNKNOWN_PURSE))
        else:
            ids = (found.account_purse, found.key_purse) if found.limited else (found.account_purse,)
            call.key = found
            call.held = tuple(self._book.get(purse) or self._enter(purse) for purse in ids)
            self._advance([call], self._now())

    def _refuse(self, call: Waiting, code: str) -> None:
        self._finish(call, Refused(purse=call.key.account_purse, code=code))

    def _finish(self, call: Waiting, outcome: Reservation | Refused) -> None:
        self.waiting -= 1
        if call.done:
            return
        call.done = True
        run(call.then, outcome)

    def _draw(self, asks: Sequence[tuple[Lease, Nano, Nano]]) -> Drawing:
        self._draw_number += 1
        draw = Drawing(self._draw_number, asks)
        self._draws[draw.id] = draw
        for lease, _, _ in asks:
            lease.draw = draw
        draw.timer = self._timers.start(_DRAW_S, lambda: self._give_up(draw))
        self._ask(draw)
        return draw

    def _ask(self, draw: Drawing) -> None:
        for lease, least, most in draw.asks:
            used = lease.granted - lease.free
            ahead = int(max(lease.rate, lease.spent - lease.mark) * self._settings.ahead_s)
            want = used + max(least, most) + ahead
            draw.wants[lease.id] = Want(purse=lease.id, have=lease.granted, least=used + least, want=want)
        self._link.send(Draw(id=draw.id, wants=tuple(draw.wants.values())))

    def _end(self, draw: Drawing) -> None:
        del self._draws[draw.id]
        if draw.timer is not None:
            draw.timer.cancel()
        for lease, _, _ in draw.asks:
            lease.draw = None

    def _give_up(self, draw: Drawing) -> None:
        """Control did not answer. A late grant still enters the book; one that was lost with its link is asked for."""
        if self._draws.get(draw.id) is not draw:
            return
        self._end(draw)
        for lease, _, _ in draw.asks:
            self._unsure[lease.id] = lease
        now = self._now()
        for call in draw.calls:
            room = call.room(now)
            if call.done or room < call.least or self._shut(now):
                self._refuse(call, _UNAVAILABLE)
            else:
                self._finish(call, self._reserve(call.key, call.held, min(room, call.most), now))

    def _drawn(self, answer: Drawn) -> None:
        if answer.refused is not None and answer.refused.code == INCARNATION_CLOSED:
            self._close_life()
        now = self._now()
        draw = self._draws.get(answer.id)
        for granted in answer.granted:
            self._grant(granted, draw, now)
        if draw is None:
            return
        self._end(draw)
        if answer.refused is None or answer.refused.code != _UNAVAILABLE:
            for lease, _, _ in draw.asks:
                self._unsure.pop(lease.id, None)
        if answer.refused is not None and not self.closed:
            self._refused(draw, answer.refused, now)
        self._advance(draw.calls, now)

    def _close_life(self) -> None:
        if not self.closed:
            _LOG.error("control has closed this worker's leases; it drains and exits")
            self.closed = True
            for callback in self._closings:
                run(callback)

    def _grant(self, granted: Granted, draw: Drawing | None, now: float) -> None:
        lease = self._book.get(granted.purse) or self._enter(granted.purse)
        rise = max(0, granted.total - lease.granted)
        lease.granted += rise
        lease.free += rise
        lease.until = float("inf") if granted.valid_s is None else now + granted.valid_s
        if rise > 0:
            lease.refusal = None
        if not lease.awake:
            lease.used = now
            self._wake(lease)
        want = draw.wants.get(granted.purse) if draw is not None else None
        if want is None:
            return
        lease.tight = granted.total < want.want
        if rise > 0:
            lease.exact = granted.total <= want.least
        lease.low = 0 if lease.exact else rise // 4

    def _refused(self, draw: Drawing, answer: Refused, now: float) -> None:
        named = draw.wants.get(answer.purse)
        wants = [want for want in draw.wants.values() if want.least > want.have] if named is None else [named]
        for want in wants:
            self._book[want.purse].refusal = Refusal(
                answer, max(1, want.least - want.have), now + self._settings.refusal_s, self._news
            )

    def _returned(self, held: Iterable[Lease]) -> Backs:
        """What exact grants left over, for the line of the call that ends; not what waiting calls count on."""
        backs: list[tuple[PurseId, Nano]] = []
        for lease in held:
            if lease.exact and lease.free > 0 and (lease.draw is None or not lease.draw.calls):
                lease.refusal = None
                backs.append(lease.give())
        return tuple(backs)

    def _give(self, leases: Iterable[Lease]) -> int:
        """Return what is free of these; the number of the last line that says so. Nothing, while the disk is full."""
        if self._journal.stuck:
            return self._journal.last
        backs = [lease.give() for lease in leases if lease.free > 0]
        number = self._journal.last
        for start in range(0, len(backs), _BACKS):
            number = self._journal.back(tuple(backs[start : start + _BACKS]))
        return number

    def _known(self, purses: Iterable[PurseId]) -> list[Lease]:
        return [self._book[purse] for purse in dict.fromkeys(purses) if purse in self._book]

    def _recalled(self, recall: Recall) -> None:
        number = self._give(self._known(recall.purses))
        self._journal.when_written(lambda: self._link.send(Recalled(id=recall.id, n=number)))

    def _changed(self, changed: Changed) -> None:
        self._news += 1
        closed = self._known(changed.closed)
        self._give(closed)
        for lease in closed:
            lease.exact = True  # what calls in flight leave over goes back with their end

    def _welcomed(self, _: Welcome) -> None:
        """Control is back: it may not have heard what was asked, or the worker what was granted."""
        for draw in tuple(self._draws.values()):
            self._ask(draw)
        self._ask_unsure()

    def _ask_unsure(self) -> None:
        """Ask for the totals where a grant may have been lost: it would be held until this worker ends."""
        for lease in tuple(islice(self._unsure.values(), _PROBES)):
            if lease.draw is None:
                self._draw([(lease, 0, 0)])

    def _sweep(self) -> None:
        """One slice of the book: how fast is money spent, and what is idle?"""
        self._sweeping = self._timers.start(_SWEEP_S / _SLICES, self._sweep)
        now = self._now()
        self._slice = (self._slice + 1) % _SLICES
        if self._slice == 0 and self._unsure and self._link.up:
            self._ask_unsure()
        awake = self._awake[self._slice]
        idle: list[Lease] = []
        for lease in tuple(awake.values()):
            lease.rate = (lease.rate + lease.spent - lease.mark) // 2
            lease.mark = lease.spent
            lease.tight = False
            if now - lease.used < self._settings.idle_return_s or lease.draw is not None:
                continue
            if lease.free > 0:
                idle.append(lease)
            elif lease.rate == 0:
                lease.awake = False
                del awake[lease.id]
        if idle:
            self._give(idle)
