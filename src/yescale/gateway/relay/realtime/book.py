"""What all lines of one session have in common, and how they are written."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain.ids import CallId, ChannelId, PurseId
from yescale.domain.journal import AttemptNote, EndLine, OpenCall
from yescale.domain.limits import NO_LIMITS, Limits
from yescale.domain.link import KeyRecord
from yescale.domain.money import Nano
from yescale.gateway.admission import Order
from yescale.gateway.demand import Demand
from yescale.gateway.leases import Reservation, Waiting
from yescale.gateway.limiter import NOTHING, Pending, Told
from yescale.gateway.rates import Holding
from yescale.gateway.relay.endings import Bill, Ending, tokens_used
from yescale.gateway.relay.relay import Relay
from yescale.routing.table import Candidate
from yescale.wire.server import Exchange

_MOST_ID: Final = 128  # characters of a client's own request id that are kept


class Times(Struct, frozen=True, kw_only=True):
    """On the loop's clock; `first` is 0 where nothing came."""

    began: float
    first: float = 0.0


class _Settled(Struct, frozen=True):
    """Who is charged, and what goes back to purses in the same line."""

    charges: tuple[tuple[PurseId, int], ...]
    backs: tuple[tuple[PurseId, Nano], ...] = ()


class Book:
    """`id` is the session's; its responses are `id-1`, `id-2` and so on."""

    __slots__ = ("_limits", "attempts", "candidate", "exchange", "id", "key", "order", "place", "relay", "responses")

    def __init__(self, relay: Relay, exchange: Exchange, order: Order, key: KeyRecord, session: CallId) -> None:
        self.relay = relay
        self.exchange = exchange
        self.order = order
        self.key = key
        self.id = session
        self.candidate: Candidate | None = None
        self.attempts: tuple[AttemptNote, ...] = ()
        self.responses = 0
        self.place: Holding | None = None  # what the session has of concurrency
        self._limits = (ChannelId(0), _of_windows(key, order, ChannelId(0)))

    @property
    def limits(self) -> Limits:
        """Those that hold for each response."""
        channel = ChannelId(0) if self.candidate is None else self.candidate.channel.id
        if self._limits[0] != channel:
            self._limits = (channel, _of_windows(self.key, self.order, channel))
        return self._limits[1]

    def admit(self, demand: Demand, then: Told) -> Waiting | Pending | None:
        """Set aside what a response may use."""
        limits = self.limits
        if not limits:
            return self.relay.purses.admit(self.key, demand.least, demand.most, then)
        return self.relay.limiter.admit(self.key, replace(demand, limits=(limits,)), then)

    def number(self) -> CallId:
        """The id of the next response."""
        self.responses += 1
        return CallId(f"{self.id}-{self.responses}")

    def open(self, call: CallId, reserved: Nano) -> None:
        """A response is under way."""
        relay, order, key = self.relay, self.order, self.key
        note = OpenCall(
            id=call,
            at_ms=relay.clock.wall_ms(),
            key=key.id,
            account=key.account,
            model=order.peek.model,
            channel=ChannelId(0) if self.candidate is None else self.candidate.channel.id,
            reserved=reserved,
            stream=True,
        )
        relay.journal.open(call, lambda: note)

    def close(self, call: CallId, ending: Ending, bill: Bill, reservation: Reservation | None, times: Times) -> bool:
        """Charge and write the line. False: what follows must wait for `journal.when_written`."""
        if call == self.id and self.place is not None:
            self.place.end(NOTHING)
        if reservation is None:
            settled = _Settled(tuple((purse, bill.amount) for purse in (self.key.account_purse, self.key.key_purse)))
        else:
            backs = self.relay.purses.settle(reservation, bill.amount, tokens_used(bill, reservation))
            settled = _Settled(reservation.charges, backs)
        return self.relay.journal.end(self._line(call, ending, bill, settled, times))

    def release(self, reservation: Reservation) -> None:
        """Money that was set aside is not needed."""
        backs = self.relay.purses.settle(reservation, 0, 0, 0)
        if backs:
            self.relay.journal.back(backs)

    def _line(self, call: CallId, ending: Ending, bill: Bill, settled: _Settled, times: Times) -> EndLine:
        relay, key, order, candidate = self.relay, self.key, self.order, self.candidate
        own_id = self.exchange.fields.get(b"x-request-id")
        return EndLine(
            n=0,
            id=call,
            at_ms=relay.clock.wall_ms(),
            key=key.id,
            account=key.account,
            username=key.username,
            key_name=key.name,
            group=order.offer.group.name,
            model=order.peek.model,
            upstream_model="" if candidate is None else candidate.upstream_model,
            channel=ChannelId(0) if candidate is None else candidate.channel.id,
            outcome=ending.outcome,
            status=ending.status,
            stream=True,
            usage=bill.usage,
            estimated=bill.estimated,
            lines=bill.lines,
            amount=bill.amount,
            charges=settled.charges,
            attempts=self.attempts,
            first_ms=int((times.first - times.began) * 1_000) if times.first else -1,
            total_ms=int((relay.now() - times.began) * 1_000),
            snapshot=order.table.snapshot.version,
            backs=settled.backs,
            ip=self.exchange.peer,
            client_request_id="" if own_id is None else own_id[:_MOST_ID].decode("ascii", "replace"),
            error=ending.code,
            note="; ".join(filter(None, (ending.note, bill.note))),
            tags=order.tags,
        )


def _of_windows(key: KeyRecord, order: Order, channel: ChannelId) -> Limits:
    own = order.table.channel_limits.get(channel, NO_LIMITS)
    return tuple([limit for limit in key.limits + order.offer.limits + own if limit.window])
