"""The entries of the lease book: what is known of each purse, of each call that waits for money, and of each draw."""

from collections.abc import Callable, Sequence

from yescale.domain.ids import PurseId
from yescale.domain.link import KeyRecord, Refused, Want
from yescale.domain.money import Nano
from yescale.gateway.clock import Timer


class Lease:
    """What this worker was granted of one purse, and where it went.

    `free` is below zero after an overrun, or where a purse is charged that does not limit.
    """

    __slots__ = (
        "awake", "draw", "exact", "free", "granted", "id", "low", "mark", "rate",
        "refusal", "returned", "spent", "tight", "until", "used",
    )  # fmt: skip

    def __init__(self, purse: PurseId) -> None:
        self.id = purse
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


class Reservation:
    """Money set aside for a call in flight: `amount` in each purse of `purses`. `pays`: who is charged at the end."""

    __slots__ = ("amount", "held", "key", "open")

    def __init__(self, key: KeyRecord, held: tuple[Lease, ...], amount: Nano) -> None:
        self.key = key
        self.held = held
        self.amount = amount
        self.open = True

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


Admitted = Callable[[Reservation | Refused], None]


class Waiting:
    """A call that waits for money."""

    __slots__ = ("done", "draws", "held", "key", "least", "most", "refetched", "since", "then")

    def __init__(self, key: KeyRecord, held: tuple[Lease, ...], sums: tuple[Nano, Nano], then: Admitted) -> None:
        self.key = key
        self.held = held
        self.least, self.most = sums
        self.then = then
        self.since = 0.0
        self.draws = 0
        self.refetched = False
        self.done = False

    def cancel(self) -> None:
        """The client left: `then` is not called; what is granted stays in the book."""
        self.done = True

    def room(self, now: float) -> Nano:
        """What all its purses can pay."""
        return min([lease.left(now) for lease in self.held])


class Drawing:
    """A draw that control has not answered, and the calls that wait for it. `asks`: least and most beyond the used."""

    __slots__ = ("asks", "calls", "id", "timer", "wants")

    def __init__(self, number: int, asks: Sequence[tuple[Lease, Nano, Nano]]) -> None:
        self.id = number
        self.asks = asks
        self.calls: list[Waiting] = []
        self.wants: dict[PurseId, Want] = {}
        self.timer: Timer | None = None
