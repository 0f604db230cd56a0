"""A worker's half of rates and concurrency: chunks taken from control's buckets, and how many calls it carries.

A chunk is good for two seconds. Where control does not answer within 50 ms, each worker goes on with its share of every
limit until it does. Nothing here is money: what a broken link loses is forfeited.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

from yescale.domain.ids import LimitId
from yescale.domain.limits import MINUTE_S, Limit, Limits, Sums
from yescale.domain.link import Ask, FromControl, FromWorker, Give, Peers, Take, Taken, Welcome
from yescale.gateway.callbacks import run
from yescale.gateway.clock import Clock, Timer, Timers

M = TypeVar("M", bound=FromControl)

GOOD_S: Final = 2.0
_ANSWER_S: Final = 0.05
_REPEAT_S: Final = 0.25  # a worker repeats a refusal by itself this long at most
_REPEAT_AT_ONCE_S: Final = 0.01  # and one of calls at once, of which any may end
_MOST_ROUNDS: Final = 4  # of asking again, where others take what was given before it is used
_SWEEP_S: Final = 1.0
_TRIED: Final[Sums] = (0, 0, 1)
_MOST_SPLITS: Final = 20_000
_MOST_WAITING: Final = 10_000


class Source(Protocol):
    """What the rates need of the link."""

    up: bool

    def on(self, kind: type[M], callback: Callable[[M], object]) -> None: ...
    def on_down(self, callback: Callable[[], object]) -> None: ...
    def send(self, message: FromWorker) -> bool: ...


class Meter:
    """One limit as this worker knows it. `free`: of the chunk, until `until`; `carried`: calls at once."""

    __slots__ = (
        "amount", "asking", "at_once", "carried", "free", "id", "left", "mark", "own", "own_at", "rate",
        "refused_until", "shown", "told_at", "unit", "unsure", "until", "used", "what",
    )  # fmt: skip

    def __init__(self, limit: Limit) -> None:
        self.id = limit.id
        self.what = limit.what
        # Calls are told of rates; a channel's figures are the operator's.
        self.shown = limit.scope != "channel" and limit.window != ""
        self.unit = limit.unit
        self.at_once = limit.window == ""
        self.amount = limit.amount
        self.free = 0
        self.until = 0.0
        self.carried = 0
        self.asking = 0  # questions about it that are not answered
        self.unsure = False  # control may count calls that are not carried
        self.left = limit.amount  # in control's bucket, as of `told_at`
        self.told_at = 0.0
        self.refused_until = 0.0
        self.used = 0  # since the start
        self.mark = 0  # `used` at the last sweep
        self.rate = 0  # use per second
        self.own = -1.0  # the bucket of this worker's own share; -1 = full
        self.own_at = 0.0

    def lacks(self, need: int, now: float) -> bool:
        """Whether control must be asked for this much."""
        return self.at_once or self.free < need or now >= self.until

    def remaining(self, now: float) -> int:
        """About what may still be used."""
        amount = self.amount
        left = self.left + int((now - self.told_at) * amount / MINUTE_S)
        if self.free > 0 and now < self.until:
            left += self.free
        return amount if left > amount else left if left > 0 else 0


class Exceeded:
    """Which limit refused, and in how many seconds it might not."""

    __slots__ = ("after_s", "meters", "refused")

    def __init__(self, refused: LimitId, after_s: float, meters: tuple[Meter, ...]) -> None:
        self.refused = refused
        self.after_s = after_s
        self.meters = meters


class Holding:
    """What one call has of rates and concurrency; `sums` of each. Ended once."""

    __slots__ = ("_open", "_rates", "meters", "sums")

    def __init__(self, rates: "Rates", meters: tuple[Meter, ...], sums: Sums) -> None:
        self._rates = rates
        self._open = True
        self.meters = meters
        self.sums = sums

    def end(self, used: Sums) -> None:
        """The call is over: what it did not use goes back."""
        if self._open:
            self._open = False
            self._rates.give(self.meters, self.sums, used)

    def swap(self, gone: tuple[Meter, ...], come: "Holding | None") -> None:
        """Have what another holding has, in place of what some limits gave; one request was made of those."""
        self._rates.give([meter for meter in self.meters if meter in gone], self.sums, _TRIED)
        kept = tuple([meter for meter in self.meters if meter not in gone])
        self.meters = kept if come is None else kept + come.meters

    def part_at_once(self) -> "Holding | None":
        """What it has of concurrency, to be ended apart."""
        at_once = tuple([meter for meter in self.meters if meter.at_once])
        self.meters = tuple([meter for meter in self.meters if not meter.at_once])
        return Holding(self._rates, at_once, self.sums) if at_once else None


Answered = Callable[[Holding | Exceeded], None]


class Awaiting:
    """A call that waits for control to say what it may have."""

    __slots__ = ("_done", "least", "meters", "most", "number", "rounds", "then", "timer")

    def __init__(self, meters: tuple[Meter, ...], least: Sums, most: Sums, then: Answered) -> None:
        self.meters = meters
        self.least = least
        self.most = most
        self.then = then
        self.number = 0
        self.rounds = 0
        self.timer: Timer | None = None
        self._done = False

    def cancel(self) -> None:
        """The client left: what is granted stays in the chunks."""
        self._done = True

    @property
    def done(self) -> bool:
        """Whether nobody waits any more."""
        return self._done


class Rates:
    """The meters of one worker."""

    def __init__(self, link: Source, slot: int, timers: Timers, clock: Clock) -> None:
        self._link = link
        self._slot = slot
        self._timers = timers
        self._now = clock.boot
        self._meters: dict[LimitId, Meter] = {}
        self._splits: dict[int, tuple[Limits, tuple[Meter, ...], Limits]] = {}
        self._waiting: dict[int, Awaiting] = {}
        self._number = 0
        self._peers = Peers(workers=1, nodes=1)
        self._alone = False  # control did not answer in time
        self._probed_at = 0.0
        link.on(Taken, self._taken)
        link.on(Peers, self._told)
        link.on(Welcome, self._welcomed)
        link.on_down(self._parted)
        self._sweeping: Timer = timers.start(_SWEEP_S, self._sweep)

    def close(self) -> None:
        """Stop."""
        self._sweeping.cancel()

    def split(self, parts: Iterable[Limits]) -> tuple[tuple[Meter, ...], Limits]:
        """The meters of rates and concurrency; and the budgets. Whoever calls often shows the same parts each time."""
        meters: tuple[Meter, ...] = ()
        budgets: Limits = ()
        for part in parts:
            if part:
                of_part = self._split(part)
                meters, budgets = meters + of_part[0], budgets + of_part[1]
        return meters, budgets

    def _split(self, limits: Limits) -> tuple[tuple[Meter, ...], Limits]:
        known = self._splits.get(id(limits))
        if known is not None and known[0] is limits:
            return known[1], known[2]
        meters = self.find([limit for limit in limits if not limit.is_budget])
        budgets = tuple([limit for limit in limits if limit.is_budget])
        if len(self._splits) >= _MOST_SPLITS:
            self._splits.clear()
        self._splits[id(limits)] = (limits, meters, budgets)
        return meters, budgets

    def take(self, meters: tuple[Meter, ...], sums: Sums) -> Holding | None:
        """What a call may use, at once, out of what is in hand; None says nothing about it: ask `ask`."""
        now = self._now()
        for meter in meters:
            if meter.at_once or meter.free < sums[meter.unit] or now >= meter.until:
                return None
        for meter in meters:
            need = sums[meter.unit]
            meter.free -= need
            meter.used += need
        return Holding(self, meters, sums)

    def ask(self, meters: tuple[Meter, ...], least: Sums, most: Sums, then: Answered) -> Awaiting | None:
        """What a call may use: as much as `most`, no less than `least`. None = `then` has been called already."""
        now = self._now()
        call = Awaiting(meters, least, most, then)
        refused = next((meter for meter in call.meters if now < meter.refused_until and least[meter.unit]), None)
        if refused is not None:
            then(Exceeded(refused.id, refused.refused_until - now, call.meters))
            return None
        if self._alone or not self._link.up or len(self._waiting) >= _MOST_WAITING:
            then(self._share(call, now))
            self._probe(now)
            return None
        self._send(call, now)
        return call

    def find(self, limits: Iterable[Limit]) -> tuple[Meter, ...]:
        """The meters of those limits that are no purses."""
        found: list[Meter] = []
        for limit in limits:
            meter = self._meters.get(limit.id)
            found.append(meter if meter is not None and meter.amount == limit.amount else self._enter(limit))
        return tuple(found)

    def give(self, meters: Sequence[Meter], sums: Sums, used: Sums) -> None:
        """A call is over."""
        now = self._now()
        fewer: list[tuple[LimitId, int]] | None = None
        for meter in meters:
            if meter.at_once:
                fewer = fewer or []
                meter.carried -= 1
                meter.refused_until = 0.0
                meter.unsure = meter.unsure or meter.asking > 0
                fewer.append((meter.id, meter.carried + meter.asking))
                continue
            unit = meter.unit
            left = sums[unit] - used[unit]
            if left:
                meter.free += left
                meter.used -= left
                if now >= meter.until:
                    meter.until = now + GOOD_S
        if fewer:
            self._link.send(Give(at_once=tuple(fewer)))

    def _enter(self, limit: Limit) -> Meter:
        """A meter for a limit, or the same one for a limit that was edited: what is in hand was taken of another."""
        meter = self._meters.get(limit.id)
        if meter is None:
            meter = self._meters[limit.id] = Meter(limit)
        meter.amount = meter.left = limit.amount
        meter.free = min(0, meter.free)
        meter.refused_until = 0.0
        meter.told_at = self._now()
        return meter

    def _hold(self, meters: tuple[Meter, ...], sums: Sums) -> Holding:
        for meter in meters:
            if meter.at_once:
                meter.carried += 1
            else:
                meter.free -= sums[meter.unit]
                meter.used += sums[meter.unit]
        return Holding(self, meters, sums)

    # --- control

    def _send(self, call: Awaiting, now: float) -> None:
        self._number += 1
        call.number = self._number
        asks: list[Ask] = []
        for meter in call.meters:
            need, want = call.least[meter.unit], call.most[meter.unit]
            if meter.at_once:
                need = want = meter.carried + meter.asking + 1
            elif meter.lacks(want, now):
                in_hand = min(0, meter.free) if meter.asking or now >= meter.until else meter.free
                ahead = 0 if meter.asking else max(meter.rate, meter.used - meter.mark)
                need, want = max(0, need - in_hand), want - in_hand + ahead
            else:
                continue
            meter.asking += 1
            asks.append(Ask(limit=meter.id, amount=meter.amount, need=need, want=want, at_once=meter.at_once))
        self._waiting[call.number] = call
        call.timer = self._timers.start(_ANSWER_S, lambda: self._give_up(call))
        self._link.send(Take(id=call.number, asks=tuple(asks)))

    def _taken(self, answer: Taken) -> None:
        now = self._now()
        self._alone = False
        for given in answer.given:
            meter = self._meters.get(given.limit)
            if meter is not None and not meter.at_once:
                meter.free = given.amount + (meter.free if now < meter.until else min(0, meter.free))
                meter.until = now + GOOD_S
                meter.left, meter.told_at = given.left, now
        call = self._waiting.pop(answer.id, None)
        if call is None:
            self._give_late(answer)
            return
        self._end(call)
        if call.done:
            self._give_late(answer)
        elif answer.refused:
            refusal = self._refuse(call, answer, now)
            self._correct(call.meters)
            run(call.then, refusal)
        else:
            self._settle(call, now)

    def _settle(self, call: Awaiting, now: float) -> None:
        """As much as the chunks have; where another call was quicker, ask again."""
        sums = list(call.most)
        for meter in call.meters:
            if not meter.at_once:
                sums[meter.unit] = min(sums[meter.unit], meter.free if now < meter.until else 0)
        lacking = next((meter for meter in call.meters if sums[meter.unit] < call.least[meter.unit]), None)
        if lacking is None:
            holding = self._hold(call.meters, (sums[0], sums[1], sums[2]))
            self._correct(call.meters)
            run(call.then, holding)
        elif call.rounds < _MOST_ROUNDS:
            call.rounds += 1
            self._send(call, now)
        else:
            run(call.then, Exceeded(lacking.id, 1.0, call.meters))

    def _correct(self, meters: Iterable[Meter]) -> None:
        """Say how many calls are carried, where answers and ends of calls crossed each other."""
        counts = [(meter.id, meter.carried) for meter in meters if meter.at_once and meter.unsure and not meter.asking]
        if counts:
            for meter in meters:
                meter.unsure = False
            self._link.send(Give(at_once=tuple(counts)))

    def _refuse(self, call: Awaiting, answer: Taken, now: float) -> Exceeded:
        meter = self._meters.get(answer.refused)
        if meter is not None and meter.at_once:
            meter.refused_until = now + _REPEAT_AT_ONCE_S
            meter.unsure = meter.unsure or meter.asking > 0
        elif meter is not None:
            meter.left, meter.told_at = answer.left, now
            if call.least[meter.unit] <= 1 or answer.left <= 0:
                meter.refused_until = now + min(answer.after_s, _REPEAT_S)
        return Exceeded(answer.refused, answer.after_s, call.meters)

    def _give_late(self, answer: Taken) -> None:
        """Nobody waits for it any more: calls at once are as many as they are."""
        meters = [self._meters[each.limit] for each in answer.given if each.limit in self._meters]
        for meter in meters:
            meter.unsure = meter.at_once
        self._correct(meters)

    def _end(self, call: Awaiting) -> None:
        if call.timer is not None:
            call.timer.cancel()
        for meter in call.meters:
            meter.asking = max(0, meter.asking - 1)

    def _give_up(self, call: Awaiting) -> None:
        """Control did not answer in time: this worker's share decides until it does."""
        if self._waiting.pop(call.number, None) is None:
            return
        self._alone = True
        self._end(call)
        if not call.done:
            run(call.then, self._share(call, self._now()))

    # --- alone

    def _share(self, call: Awaiting, now: float) -> Holding | Exceeded:
        """Out of this worker's share of each limit."""
        sums = list(call.most)
        for meter in call.meters:
            part = self._part(meter.amount)
            if meter.at_once:
                room = part - meter.carried
            else:
                room = self._fill(meter, part, now)
                sums[meter.unit] = min(sums[meter.unit], room)
            if room < call.least[meter.unit]:
                wait_s = (call.least[meter.unit] - room) * MINUTE_S / part if part else MINUTE_S
                return Exceeded(meter.id, 1.0 if meter.at_once else wait_s, call.meters)
        for meter in call.meters:
            if not meter.at_once:
                meter.own = max(0.0, meter.own - sums[meter.unit])
                meter.free += sums[meter.unit]  # which `_hold` takes
        return self._hold(call.meters, (sums[0], sums[1], sums[2]))

    def _part(self, amount: int) -> int:
        """Of a limit: the shares of all workers make up that of the node."""
        node = max(min(amount, 1), amount // self._peers.nodes)
        part, rest = divmod(node, max(1, self._peers.workers))
        return part + (self._slot % max(1, self._peers.workers) < rest)

    def _fill(self, meter: Meter, part: int, now: float) -> int:
        filled = part if meter.own < 0 else meter.own + (now - meter.own_at) * part / MINUTE_S
        meter.own = min(float(part), filled)
        meter.own_at = now
        return int(meter.own)

    def _probe(self, now: float) -> None:
        """Ask control whether it is there again."""
        if self._link.up and now - self._probed_at >= _SWEEP_S:
            self._probed_at = now
            self._link.send(Take(id=0, asks=()))

    def _told(self, peers: Peers) -> None:
        self._peers = peers

    def _welcomed(self, _: Welcome) -> None:
        """A control that begins anew does not know what is carried."""
        self._alone = False
        counts = tuple((meter.id, meter.carried) for meter in self._meters.values() if meter.at_once and meter.carried)
        if counts:
            self._link.send(Give(at_once=counts))

    def _parted(self) -> None:
        for call in tuple(self._waiting.values()):
            self._give_up(call)

    def _sweep(self) -> None:
        """How fast is each used; and what lay idle for too long goes back, as what was used beyond it does."""
        self._sweeping = self._timers.start(_SWEEP_S, self._sweep)
        now = self._now()
        back: list[tuple[LimitId, int]] = []
        for meter in tuple(self._meters.values()):
            meter.rate = (meter.rate + max(0, meter.used - meter.mark)) // 2
            meter.mark = meter.used
            if meter.free and (now >= meter.until or meter.free < 0):
                back.append((meter.id, meter.free))
                meter.free = 0
            if not (meter.rate or meter.carried or meter.asking) and now - meter.told_at > 2 * MINUTE_S:
                del self._meters[meter.id]
                self._splits.clear()
        if back:
            self._link.send(Give(unused=tuple(back)))
