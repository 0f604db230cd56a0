"""What all lines of one session have in common, and how they are written."""

from typing import Final

from msgspec import Struct

from yescale.domain.ids import CallId, ChannelId, PurseId
from yescale.domain.journal import AttemptNote, EndLine, OpenCall
from yescale.domain.link import KeyRecord
from yescale.domain.money import Nano
from yescale.gateway.admission import Order
from yescale.gateway.leases import Reservation
from yescale.gateway.relay.endings import Bill, Ending
from yescale.gateway.relay.relay import Relay
from yescale.routing.table import Candidate
from yescale.wire.server import Exchange

_MOST_ID: Final = 128  # characters of a client's own request id that are kept


class Times(Struct, frozen=True, kw_only=True):
    """On the loop's clock; `first` is 0 where nothing came."""

    began: float
    first: float = 0.0


class Book:
    """`id` is the session's; its responses are `id-1`, `id-2` and so on."""

    __slots__ = ("attempts", "candidate", "exchange", "id", "key", "order", "relay", "responses")

    def __init__(self, relay: Relay, exchange: Exchange, order: Order, key: KeyRecord, session: CallId) -> None:
        self.relay = relay
        self.exchange = exchange
        self.order = order
        self.key = key
        self.id = session
        self.candidate: Candidate | None = None
        self.attempts: tuple[AttemptNote, ...] = ()
        self.responses = 0

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
        backs = () if reservation is None else self.relay.purses.settle(reservation, bill.amount)
        return self.relay.journal.end(self._line(call, ending, bill, backs, times))

    def release(self, reservation: Reservation) -> None:
        """Money that was set aside is not needed."""
        backs = self.relay.purses.settle(reservation, 0)
        if backs:
            self.relay.journal.back(backs)

    def _line(
        self, call: CallId, ending: Ending, bill: Bill, backs: tuple[tuple[PurseId, Nano], ...], times: Times
    ) -> EndLine:
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
            charges=tuple((purse, bill.amount) for purse in (key.account_purse, key.key_purse)),
            attempts=self.attempts,
            first_ms=int((times.first - times.began) * 1_000) if times.first else -1,
            total_ms=int((relay.now() - times.began) * 1_000),
            snapshot=order.table.snapshot.version,
            backs=backs,
            ip=self.exchange.peer,
            client_request_id="" if own_id is None else own_id[:_MOST_ID].decode("ascii", "replace"),
            error=ending.code,
            note="; ".join(filter(None, (ending.note, bill.note))),
            tags=order.tags,
        )
