"""The attempts of one call: which candidate comes next, what is sent, what was learnt of each channel."""

from typing import Final

from yescale.domain.ids import CallId, ChannelId
from yescale.domain.journal import AttemptNote, OpenCall
from yescale.gateway.admission import Order
from yescale.gateway.leases import Reservation
from yescale.gateway.relay.relay import Relay
from yescale.gateway.relay.verdicts import Verdict, deadlines
from yescale.gateway.surfaces import Surface
from yescale.protocols.passthrough import Change
from yescale.routing.plan import choose
from yescale.routing.table import Candidate
from yescale.wire.client import Attempt, Sink

_AGAIN_S: Final = 0.1  # before the only channel is tried once more; twice as long each time


class Attempts:
    """`current` is the attempt under way; `candidate` where it, or the last one, went; `notes` the ended ones."""

    __slots__ = (
        "_body",
        "_call",
        "_order",
        "_relay",
        "_reservation",
        "_secret",
        "_sent_at",
        "_started",
        "_surface",
        "_tried",
        "candidate",
        "channel",
        "current",
        "limit",
        "losses",
        "notes",
    )

    def __init__(self, relay: Relay, surface: Surface, order: Order, reservation: Reservation) -> None:
        self._relay = relay
        self._surface = surface
        self._order = order
        self._reservation = reservation
        self._call = CallId("")
        self._body = b""
        self._started = 0.0
        self._secret = 0
        self._sent_at = 0.0
        self._tried: tuple[ChannelId, ...] = ()
        self.candidate: Candidate | None = None
        self.channel = ChannelId(0)  # of the current or the last candidate; 0 = there was none
        self.current: Attempt | None = None
        self.notes: tuple[AttemptNote, ...] = ()
        # What the grant pays for, where the client declared no limit and it pays for less than the model's maximum.
        self.limit: int | None = None
        ceiling = order.ceiling
        if reservation.amount < ceiling.most and order.peek.declared is None:
            self.limit = max(1, ceiling.output_tokens(reservation.amount))
        self.losses: tuple[str, ...] = ()  # the field that carries that limit, once sent

    def start(self, call: CallId, body: bytes, started: float) -> None:
        """What is tried, and since when."""
        self._call, self._body, self._started = call, body, started

    @property
    def secrets(self) -> tuple[str, ...]:
        """Of the current or the last candidate: they must not reach the client."""
        return () if self.candidate is None else self.candidate.channel.secrets

    def pick(self, verdict: Verdict) -> Candidate | float | None:
        """After a verdict: another candidate, or the seconds until the same may be tried again, or None."""
        relay, settings = self._relay, self._relay.settings
        now = relay.now()
        in_time = len(self._tried) < settings.max_attempts and now - self._started < settings.total_s
        if not verdict.retry or not in_time:
            return None
        other = choose(self._order.offer.tiers, relay.health, now, relay.rng, self._tried)
        if other is not None:
            return other
        if self.candidate is None or not verdict.again or relay.health.resting(self.channel, now):
            return None
        return _AGAIN_S * 2 ** len(self.notes) * relay.rng.uniform(0.5, 1.0)

    def send(self, candidate: Candidate, sink: Sink) -> bool:
        """Send the request; False where the channel's own settings make no request."""
        relay, channel = self._relay, candidate.channel
        now = relay.now()
        self.candidate = candidate
        self.channel = channel.id
        self._tried = (*self._tried, channel.id)
        self._secret = relay.health.pick_secret(channel, now)
        target = relay.targets.find(channel, self._surface.operation, self._secret)
        if target is None or target.format is not self._surface.format:
            return False
        change = Change(model=candidate.upstream_model, limit=self.limit, limit_field=target.limit_field)
        if self.limit is not None:
            self.losses = (self._order.peek.limit_field or target.limit_field,)
        body = target.format.rewrite(self._body, self._order.peek, change)
        relay.health.begin(channel.id)
        self._sent_at = now
        if not self.notes:
            relay.journal.open(self._call, self._describe)
        limits = deadlines(relay.settings, now - self._started)
        self.current = relay.client.send(target.origin, target.head, body, sink, limits, replayable=True)
        return True

    def forget_body(self) -> None:
        """No other attempt will follow."""
        self._body = b""

    def close(self, status: int, failure: str) -> None:
        """Write the current attempt down and let go of it."""
        if self.current is None:
            return
        self.current = None
        self._relay.health.end(self.channel)
        took = int((self._relay.now() - self._sent_at) * 1_000)
        self.notes = (*self.notes, AttemptNote(channel=self.channel, status=status, failure=failure, ms=took))

    def cancel(self) -> None:
        """Close the current attempt's connection; it stays to be written down."""
        if self.current is not None:
            self.current.cancel()

    def praise(self) -> None:
        """The channel answered."""
        self._relay.health.answered(self.channel, self._relay.now())

    def blame(self) -> None:
        """The channel failed: counted once per call, however often it was tried."""
        if self._tried.count(self.channel) == 1:
            self._relay.health.fail(self.channel, self._reservation.key.account, self._relay.now())

    def rest_secret(self, verdict: Verdict, status: int, wait: int | None) -> None:
        """Leave a secret alone that was refused (the operator is told) or that is asked to wait."""
        candidate, relay = self.candidate, self._relay
        if candidate is None:
            return
        if verdict.rest_secret:
            relay.health.rest_secret(candidate.channel, self._secret, relay.now(), relay.settings.secret_rest_s)
            relay.link.rested(candidate.channel.id, self._secret, status)
        elif wait and not verdict.own:
            relay.health.rest_secret(candidate.channel, self._secret, relay.now(), wait)

    def _describe(self) -> OpenCall:
        """The call as the journal says it while it lasts."""
        relay = self._relay
        return OpenCall(
            id=self._call,
            at_ms=relay.clock.wall_ms() - int((relay.now() - self._sent_at) * 1_000),
            key=self._reservation.key.id,
            account=self._reservation.key.account,
            model=self._order.peek.model,
            channel=self.channel,
            reserved=self._reservation.amount,
            stream=self._order.peek.stream,
        )
