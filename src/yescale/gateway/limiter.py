"""Limits of a call: what it needs of rates, then of budgets and money; all of it, or a refusal that names the limit."""

from collections.abc import Callable
from typing import Final

from yescale.domain.faults import BUDGET_EXCEEDED
from yescale.domain.faults import RATE_LIMITED as RATE_FAULT
from yescale.domain.ids import ChannelId
from yescale.domain.limits import MONEY, TOKENS, Limits, Sums
from yescale.domain.link import KeyRecord, Refused
from yescale.gateway.demand import Demand
from yescale.gateway.leases import Beside, Reservation, Waiting
from yescale.gateway.purses import Purses
from yescale.gateway.rates import Awaiting, Exceeded, Holding, Meter, Rates

RATE_LIMITED: Final = RATE_FAULT.code
LIMIT_CODES: Final = frozenset({RATE_LIMITED, BUDGET_EXCEEDED.code})
NOTHING: Final[Sums] = (0, 0, 0)


class Denied(Refused, frozen=True, kw_only=True):
    """A refusal by a rate, with the meters of the call."""

    meters: tuple[Meter, ...] = ()


Told = Callable[[Reservation | Refused], None]


class Pending:
    """A call that waits for its rates, then for its money."""

    __slots__ = ("_waiting", "holding")

    def __init__(self) -> None:
        self.holding: Holding | None = None  # while it waits for money
        self._waiting: Awaiting | Waiting | None = None

    @property
    def waits(self) -> bool:
        """Whether it has not been answered yet."""
        return self._waiting is not None

    def wait_for(self, waiting: Awaiting | Waiting | None) -> None:
        """What it waits for now."""
        self._waiting = waiting

    def cancel(self) -> None:
        """The client left."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self.holding is not None:
            self.holding.end(NOTHING)


class Limiter:
    """Admits limited calls; those without limits have no business here."""

    __slots__ = ("_purses", "_rates")

    def __init__(self, purses: Purses, rates: Rates) -> None:
        self._purses = purses
        self._rates = rates

    def reserve(self, key: KeyRecord, demand: Demand) -> Reservation | None:
        """Set all aside at once, as a rule; None says nothing about it: ask `admit`."""
        rates, budgets = self._rates.split(demand.limits)
        holding: Holding | None = None
        if rates:
            holding = self._rates.take(rates, (demand.most, demand.most_tokens, 1))
            if holding is None:
                return None
        beside = Beside(budgets, demand.most_tokens, demand.most_tokens)
        reservation = self._purses.reserve(key, demand.most, beside)
        if reservation is None:
            if holding is not None:
                holding.end(NOTHING)
            return None
        reservation.taken = holding
        return reservation

    def admit(self, key: KeyRecord, demand: Demand, then: Told) -> Pending | None:
        """Set all aside: as much as the most, no less than the least. None = `then` has been called already."""
        rates, budgets = self._rates.split(demand.limits)
        pending = Pending()
        if not rates:
            self._pay(key, demand, (budgets, None), pending, then)
            return pending if pending.waits else None

        def taken(outcome: Holding | Exceeded) -> None:
            pending.wait_for(None)
            if isinstance(outcome, Exceeded):
                then(_denied(key, outcome))
            else:
                self._pay(key, demand, (budgets, outcome), pending, then)

        least, most = (demand.least, demand.least_tokens, 1), (demand.most, demand.most_tokens, 1)
        waiting = self._rates.ask(rates, least, most, taken)
        if waiting is not None:
            pending.wait_for(waiting)
        return pending if pending.waits else None

    def shift(self, reservation: Reservation, gone: Limits, come: Limits, channel: ChannelId) -> bool:
        """Take the limits of another channel in place of those of the one before, at once.

        False: it is asked for and may be there a moment later, or the channel is used up.
        """
        rates, budgets = self._rates.split((come,))
        holding: Holding | None = None
        if rates:
            holding = self._rates.take(rates, reservation.sums)
            if holding is None:
                self._rates.ask(rates, reservation.sums, reservation.sums, _keep_in_hand)
                return False
        old_rates, old_budgets = self._rates.split((gone,))
        if not self._purses.move(reservation, old_budgets, budgets):
            if holding is not None:
                holding.end(NOTHING)
            return False
        if reservation.taken is None:
            reservation.taken = holding
        else:
            reservation.taken.swap(old_rates, holding)
        reservation.channel = channel
        return True

    def _pay(
        self, key: KeyRecord, demand: Demand, rest: tuple[Limits, Holding | None], pending: Pending, then: Told
    ) -> None:
        budgets, holding = rest
        pending.holding = holding
        most, most_tokens = demand.most, demand.most_tokens
        if holding is not None:
            most, most_tokens = holding.sums[MONEY], holding.sums[TOKENS]

        def told(outcome: Reservation | Refused) -> None:
            pending.wait_for(None)
            pending.holding = None
            if isinstance(outcome, Refused):
                if holding is not None:
                    holding.end(NOTHING)
            else:
                outcome.taken = holding
                tokens = outcome.sums[TOKENS]
                if tokens < demand.most_tokens:
                    outcome.output = max(1, (tokens - demand.prompt) // demand.n)
            then(outcome)

        beside = Beside(budgets, demand.least_tokens, most_tokens)
        waiting = self._purses.admit(key, demand.least, most, told, beside)
        if waiting is not None:
            pending.wait_for(waiting)


def _keep_in_hand(outcome: Holding | Exceeded) -> None:
    """Whoever asked tries again, and takes it then."""
    if isinstance(outcome, Holding):
        outcome.end(NOTHING)


def _denied(key: KeyRecord, exceeded: Exceeded) -> Denied:
    return Denied(
        purse=key.account_purse,
        code=RATE_LIMITED,
        limit=exceeded.refused,
        valid_s=exceeded.after_s,
        meters=exceeded.meters,
    )
