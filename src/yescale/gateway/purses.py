"""The worker's lease book: what it was granted of each purse, and every call's reservation against it.

Per purse: `free` = granted - spent - returned - reserved. Calls that lack money wait for a draw; a grant and the
reservations that it pays happen in one callback. Nothing here waits, and nothing is a difference: totals only.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from yescale.domain.ids import PurseId
from yescale.domain.limits import REQUESTS, Limits, Sums
from yescale.domain.link import (
    INCARNATION_CLOSED,
    PERIOD_OVER,
    Changed,
    Draw,
    Drawn,
    Granted,
    KeyRecord,
    Recall,
    Recalled,
    Refused,
    Want,
    Welcome,
)
from yescale.domain.money import Nano
from yescale.gateway.budgets import Budgets
from yescale.gateway.callbacks import run
from yescale.gateway.clock import Clock, Timer, Timers
from yescale.gateway.keys import Found, Unavailable
from yescale.gateway.leases import NO_BESIDE, Admitted, Beside, Drawing, Lease, Refusal, Reservation, Waiting
from yescale.gateway.money_needs import Backs, Bank, Record, Refetch
from yescale.tuning import MoneySettings

_LOG: Final = logging.getLogger(__name__)
_MAX_WAITING: Final = 10_000  # calls that wait for money
_MAX_DRAWS: Final = 8  # for one call, where others take what was granted before it does
_OVERTAKEN: Final = 4  # draws after which newcomers wait behind it
_DRAW_S: Final = 3.0  # an answer takes this long at most: a refusal may first recall what others hold
_WAIT_S: Final = 10.0  # a call waits this long at most, over all draws
_SLICES: Final = 10  # the book is swept in so many slices, each once in
_SWEEP_S: Final = 1.0
_PROBES: Final = 100  # purses whose totals are asked for in a second, after draws without an answer
_BACKS: Final = 1_000  # purses in one line of the journal
_UNAVAILABLE: Final = "temporarily_unavailable"
_UNKNOWN_PURSE: Final = "invalid_api_key"
_KEY_STATUS: Final = {2: "key_disabled", 3: "key_expired", 4: "key_exhausted"}


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
        self._budgets = Budgets()
        self._awake: tuple[dict[PurseId, Lease], ...] = tuple({} for _ in range(_SLICES))
        self._slice = 0
        self._draws: dict[int, Drawing] = {}
        self._draw_number = 0
        self._unsure: dict[Lease, None] = {}  # a draw of theirs was never answered
        self._news = 0
        self._closings: list[Callable[[], object]] = []
        link.on(Drawn, self._drawn)
        link.on(Recall, self._recalled)
        link.on(Changed, self._changed)
        link.on(Welcome, self._welcomed)
        self._sweeping: Timer = timers.start(_SWEEP_S / _SLICES, self._sweep)

    def reserve(self, key: KeyRecord, amount: Nano, beside: Beside = NO_BESIDE) -> Reservation | None:
        """Set money aside at once, as a rule; None says nothing about it: ask `admit`."""
        now = self._now()
        if key.limited or beside.budgets:
            sums = (amount, beside.most_tokens, 1)
            held = self._hold(key, beside.budgets, sums, now)
            for lease in held:
                if lease.free < sums[lease.unit] or now >= lease.until or lease.pressed:
                    return None
            return None if self._shut(now) else self._reserve(key, held, sums, now)
        account = self._book.get(key.account_purse)
        if account is None or account.free < amount or now >= account.until or account.pressed or self._shut(now):
            return None
        return self._reserve(key, (account,), (amount, beside.most_tokens, 1), now)

    def admit(
        self, key: KeyRecord, least: Nano, most: Nano, then: Admitted, beside: Beside = NO_BESIDE
    ) -> Waiting | None:
        """Set money aside: as much as `most`, no less than `least`. None = `then` has been called already."""
        reservation = self.reserve(key, most, beside)
        if reservation is not None:
            then(reservation)
            return None
        now = self._now()
        if self._shut(now) or self.waiting >= _MAX_WAITING:
            then(Refused(purse=key.account_purse, code=_UNAVAILABLE))
            return None
        sums = ((least, beside.least_tokens, 1), (most, beside.most_tokens, 1))
        call = Waiting(key, self._hold(key, beside.budgets, sums[1], now), sums, then)
        call.budgets = beside.budgets
        call.since = now
        self.waiting += 1
        before = next((lease.draw for lease in call.held if lease.draw is not None and lease.pressed), None)
        if before is not None:
            before.calls.append(call)
            return call
        self._advance([call], now)
        return None if call.done else call

    def settle(self, reservation: Reservation, charged: Nano, tokens: int = 0, requests: int = 1) -> Backs:
        """End a reservation; once. The returned totals that go into the same line of the journal, as a rule none."""
        if not reservation.open:
            return ()
        reservation.open = False
        self.in_flight -= 1
        held, sums = reservation.held, reservation.sums
        used = reservation.used = (charged, tokens, requests)
        exact = False
        for lease in held:
            unit = lease.unit
            lease.spent += used[unit]
            lease.free += sums[unit] - used[unit]
            exact = exact or lease.exact
            if not lease.awake:
                self._wake(lease)
        if reservation.taken is not None:
            reservation.taken.end(used)
        if not reservation.key.limited:
            key_purse = reservation.key.key_purse
            own = self._book.get(key_purse) or self._enter(key_purse)
            own.spent += charged
            own.free -= charged
        return self._returned(held) if exact else ()

    def move(self, reservation: Reservation, gone: Limits, come: Limits) -> bool:
        """Take from some budgets instead of others, at once. False: not yet, it is drawn for; or not at all.

        What counts requests stays: one was made.
        """
        now, sums = self._now(), reservation.sums
        fresh = [self._budgets.find(limit, now) for limit in come if sums[limit.unit]]
        lacking = [lease for lease in fresh if lease.left(now) < sums[lease.unit]]
        if lacking:
            if all(lease.draw is None for lease in lacking):
                self._draw([(lease, sums[lease.unit], sums[lease.unit]) for lease in lacking])
            return False
        ids = {limit.id for limit in gone if limit.unit != REQUESTS}
        for lease in fresh:
            lease.free -= sums[lease.unit]
            lease.used = now
        kept: list[Lease] = []
        for lease in reservation.held:
            if lease.limit in ids:
                lease.free += sums[lease.unit]
            else:
                kept.append(lease)
        reservation.held = (*kept, *fresh)
        return True

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

    def _hold(self, key: KeyRecord, budgets: Limits, most: Sums, now: float) -> tuple[Lease, ...]:
        """The leases that a call needs: its account's, its key's where that limits, those of budgets that it uses."""
        book = self._book
        account = book.get(key.account_purse) or self._enter(key.account_purse)
        held = (account, book.get(key.key_purse) or self._enter(key.key_purse)) if key.limited else (account,)
        if not budgets:
            return held
        return held + tuple([self._budgets.find(limit, now) for limit in budgets if most[limit.unit]])

    def _enter(self, purse: PurseId) -> Lease:
        entry = self._book[purse] = Lease(purse)
        return entry

    def _wake(self, lease: Lease) -> None:
        lease.awake = True
        lease.mark = lease.spent
        self._awake[lease.id % _SLICES][lease.id] = lease

    def _reserve(self, key: KeyRecord, held: tuple[Lease, ...], sums: Sums, now: float) -> Reservation:
        for lease in held:
            lease.free -= sums[lease.unit]
            lease.used = now
            if not lease.awake:
                self._wake(lease)
            if lease.free < lease.low and lease.draw is None and self._link.up:
                self._draw([(lease, 0, sums[lease.unit])])
        self.in_flight += 1
        return Reservation(key, held, sums)

    def _advance(self, calls: Sequence[Waiting], now: float) -> None:
        """Admit or refuse, in order, whom the book can answer; draw once more for the others."""
        left = [call for call in calls if not self._answer(call, now)]
        demand: dict[PurseId, Nano] = {}
        for call in left:
            for lease in call.held:
                demand[lease.id] = demand.get(lease.id, 0) + call.most[lease.unit]
        for call in left:
            if call.done:
                self.waiting -= 1
                continue
            lacking = [lease for lease in call.held if lease.left(now) < call.most[lease.unit]]
            if not lacking:  # a call that was just answered has ended already
                self._finish(call, self._reserve(call.key, call.held, call.most, now))
                continue
            draw = next((lease.draw for lease in lacking if lease.draw is not None), None)
            if draw is None:
                call.draws += 1
                draw = self._draw([(lease, call.least[lease.unit], demand[lease.id]) for lease in lacking])
                for lease in lacking:
                    lease.pressed = call.draws > _OVERTAKEN
            draw.calls.append(call)

    def _answer(self, call: Waiting, now: float) -> bool:
        """True = the call needs no draw: admitted, refused, gone, or waiting for its key."""
        if call.done:
            self.waiting -= 1
            return True
        if call.budgets and any(now >= lease.until for lease in call.held):
            call.held = self._hold(call.key, call.budgets, call.most, now)
        room = call.room(now)
        if room == call.most or (call.fits(room) and self._must_do(call)):
            if self._shut(now):
                self._refuse(call, _UNAVAILABLE)
            else:
                self._finish(call, self._reserve(call.key, call.held, room, now))
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
        return all(lease.tight for lease in call.held if lease.free < call.most[lease.unit])

    def _standing(self, call: Waiting, now: float) -> Refused | None:
        for lease in call.held:
            refusal = lease.refusal
            if (
                refusal is not None
                and now < refusal.until
                and refusal.news == self._news
                and call.least[lease.unit] - lease.left(now) >= refusal.need
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
            now = self._now()
            call.key = found
            call.held = self._hold(found, call.budgets, call.most, now)
            self._advance([call], now)

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
            purse = lease.id if lease.id > 0 else PurseId(0)
            draw.wants[lease] = Want(purse=purse, have=lease.granted, least=used + least, want=want, limit=lease.limit)
        self._link.send(Draw(id=draw.id, wants=tuple(draw.wants.values())))

    def _end(self, draw: Drawing) -> None:
        del self._draws[draw.id]
        if draw.timer is not None:
            draw.timer.cancel()
        for lease, _, _ in draw.asks:
            lease.draw = None
            lease.pressed = False

    def _give_up(self, draw: Drawing) -> None:
        """Control did not answer. A late grant still enters the book; one that was lost with its link is asked for."""
        if self._draws.get(draw.id) is not draw:
            return
        self._end(draw)
        for lease, _, _ in draw.asks:
            self._unsure[lease] = None
        now = self._now()
        for call in draw.calls:
            room = call.room(now)
            if call.done or not call.fits(room) or self._shut(now):
                self._refuse(call, _UNAVAILABLE)
            else:
                self._finish(call, self._reserve(call.key, call.held, room, now))

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
                self._unsure.pop(lease, None)
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
        lease = self._book.get(granted.purse)
        if lease is None and (lease := self._budgets.adopt(granted)) is not None:
            self._book[lease.id] = lease
        lease = lease or self._enter(granted.purse)
        rise = max(0, granted.total - lease.granted)
        lease.granted += rise
        lease.free += rise
        lease.until = float("inf") if granted.valid_s is None else now + granted.valid_s
        if rise > 0:
            lease.refusal = None
        if not lease.awake:
            lease.used = now
            self._wake(lease)
        want = draw.wants.get(lease) if draw is not None else None
        if want is None:
            return
        lease.tight = granted.total < want.want
        if rise > 0:
            lease.exact = granted.total <= want.least
        lease.low = 0 if lease.exact else rise // 4

    def _refused(self, draw: Drawing, answer: Refused, now: float) -> None:
        named = [each for each in draw.wants if each.id == answer.purse or (each.limit and each.limit == answer.limit)]
        for lease, want in draw.wants.items():
            if lease not in named and (named or want.least <= want.have):
                continue
            if answer.code == PERIOD_OVER:
                lease.until = now
            else:
                need = max(1, want.least - want.have)
                lease.refusal = Refusal(answer, need, now + self._settings.refusal_s, self._news)

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
        for lease in tuple(islice(self._unsure, _PROBES)):
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
                if lease.limit and now >= lease.until:
                    self._book.pop(lease.id, None)
                    self._budgets.forget(lease)
        if idle:
            self._give(idle)
