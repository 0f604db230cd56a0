"""The entries of the lease book: what is known of each purse, of each call that waits for money, and of each draw."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from yescale.domain.ids import ChannelId, LimitId, PurseId
from yescale.domain.limits import MONEY, NO_LIMITS, Limits, Sums
from yescale.domain.link import NO_LIMIT, KeyRecord, Refused, Want
from yescale.domain.money import Nano
from yescale.gateway.clock import Timer
from yescale.gateway.rates import Holding


class Lease:
    """What this worker was granted of one purse, and where it went.

    `free` is below zero after an overrun, or where a purse is charged that does not limit.
    """

    __slots__ = (
        "awake", "draw", "exact", "free", "granted", "id", "limit", "low", "mark", "pressed", "rate",
        "refusal", "returned", "spent", "tight", "unit", "until", "used",
    )  # fmt: skip

    def __init__(self, purse: PurseId, limit: LimitId = NO_LIMIT, unit: int = MONEY) -> None:
        self.id = purse  # below 0: a budget's, which control has not told yet
        self.limit = limit
        self.unit = unit  # what it counts: a place of Sums
        self.granted: Nano = 0
        self.spent: Nano = 0
        self.returned: Nano = 0
        self.free: Nano = 0
        self.low: Nano = 0  # below it the worker draws ahead
        self.exact = False  # the last grant was what was needed and no more: others need the rest
        self.tight = False  # the last grant was less than wanted: what is there must do
        self.until = float("inf")  # a dated purse may be spent so long
        self.used = 0.0  # when a call was admitted last
        self.awake = False  # in the sweep
        self.mark: Nano = 0  # `spent` at the last sweep
        self.rate: Nano = 0  # spending per second, halved with each quiet second
        self.draw: Drawing | None = None
        self.pressed = False  # who waits for that draw was overtaken again and again: newcomers wait behind
        self.refusal: Refusal | None = None

    def left(self, now: float) -> Nano:
        """What may be spent now."""
        return self.free if now < self.until else min(self.free, 0)

    def give(self) -> tuple[PurseId, Nano]:
        """Return what is free; the new returned total."""
        self.returned += self.free
        self.free = 0
        self.low = 0
        return self.id, self.returned


class Refusal:
    """A refusal that the worker repeats by itself: for this much or more, until then, unless there is news."""

    __slots__ = ("answer", "need", "news", "until")

    def __init__(self, answer: Refused, need: Nano, until: float, news: int) -> None:
        self.answer = answer
        self.need = need
        self.until = until
        self.news = news


class Beside(Struct, frozen=True, gc=False):
    """What a call takes of budgets besides its money: the tokens that it needs at least, and at most."""

    budgets: Limits = NO_LIMITS
    least_tokens: int = 0
    most_tokens: int = 0


NO_BESIDE: Final = Beside()


class Reservation:
    """What is set aside for a call in flight: `sums` in each purse of `purses`. `pays`: who is charged at the end.

    `taken`: of limits that are no purses; `output`: the output tokens that limits allow, where that is less than asked.
    """

    __slots__ = ("amount", "channel", "held", "key", "open", "output", "sums", "taken", "used")

    def __init__(self, key: KeyRecord, held: tuple[Lease, ...], sums: Sums) -> None:
        self.key = key
        self.held = held
        self.amount: Nano = sums[MONEY]
        self.sums = sums
        self.open = True
        self.used: Sums = (0, 0, 0)  # at its end
        self.taken: Holding | None = None
        self.output: int | None = None
        self.channel = ChannelId(0)  # whose limits are among them

    @property
    def purses(self) -> tuple[PurseId, ...]:
        """The purses that limit this call."""
        return tuple(lease.id for lease in self.held)

    @property
    def exact(self) -> bool:
        """Was the last grant of one of them just what was needed?"""
        return any(lease.exact for lease in self.held)

    @property
    def pays(self) -> tuple[PurseId, ...]:
        """The purses that are charged, each the whole amount."""
        return self.key.account_purse, self.key.key_purse

    @property
    def charges(self) -> tuple[tuple[PurseId, int], ...]:
        """At its end: each purse that is charged, and how much of what it counts."""
        key, used = self.key, self.used
        amount = used[MONEY]
        paid = ((key.account_purse, amount), (key.key_purse, amount))
        if len(self.held) == 1 + key.limited:
            return paid
        return paid + tuple([(lease.id, used[lease.unit]) for lease in self.held if lease.limit])


Admitted = Callable[[Reservation | Refused], None]


class Waiting:
    """A call that waits for money."""

    __slots__ = ("budgets", "done", "draws", "held", "key", "least", "most", "refetched", "since", "then")

    def __init__(self, key: KeyRecord, held: tuple[Lease, ...], sums: tuple[Sums, Sums], then: Admitted) -> None:
        self.key = key
        self.held = held
        self.least, self.most = sums
        self.then = then
        self.budgets: Limits = NO_LIMITS
        self.since = 0.0
        self.draws = 0
        self.refetched = False
        self.done = False

    def cancel(self) -> None:
        """The client left: `then` is not called; what is granted stays in the book."""
        self.done = True

    def room(self, now: float) -> Sums:
        """As much of `most` as all its purses can pay."""
        room = list(self.most)
        for lease in self.held:
            room[lease.unit] = min(room[lease.unit], lease.left(now))
        return room[0], room[1], room[2]

    def fits(self, room: Sums) -> bool:
        """Whether it can do with that."""
        least = self.least
        return room[0] >= least[0] and room[1] >= least[1] and room[2] >= least[2]


class Drawing:
    """A draw that control has not answered, and the calls that wait for it. `asks`: least and most beyond the used."""

    __slots__ = ("asks", "calls", "id", "timer", "wants")

    def __init__(self, number: int, asks: Sequence[tuple[Lease, Nano, Nano]]) -> None:
        self.id = number
        self.asks = asks
        self.calls: list[Waiting] = []
        self.wants: dict[Lease, Want] = {}
        self.timer: Timer | None = None
