"""The attempts of one call: which candidate comes next, what is sent, what was learnt of each channel."""

import logging
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from yescale.domain.ids import CallId, ChannelId, PurseId
from yescale.domain.journal import AttemptNote, EndLine, OpenCall
from yescale.domain.limits import NO_LIMITS
from yescale.domain.link import Rested
from yescale.domain.money import Nano
from yescale.domain.snapshot import fingerprint
from yescale.domain.usage import Usage
from yescale.gateway import limit_words
from yescale.gateway.admission import Order, is_admin, output_limit, tags_of
from yescale.gateway.answers import deprecation_lines
from yescale.gateway.leases import Reservation
from yescale.gateway.relay.crossing import Crossing
from yescale.gateway.relay.endings import Bill, Ending, bill_failure
from yescale.gateway.relay.headers import pass_on
from yescale.gateway.relay.health import ONLY
from yescale.gateway.relay.relay import Relay
from yescale.gateway.relay.targets import Target
from yescale.gateway.relay.verdicts import (
    FIRST,
    FULL,
    NEGLIGIBLE_S,
    UNUSABLE,
    Verdict,
    deadlines,
    judge_answer,
    retry_after,
    with_wait,
)
from yescale.gateway.surfaces import Surface
from yescale.protocols.discretion import Discreet
from yescale.protocols.fields import splice
from yescale.protocols.overriding import override
from yescale.protocols.passthrough import Carrier, Change, UpstreamError
from yescale.providers.provider import BadChannel, Blame
from yescale.routing.plan import choose
from yescale.routing.table import Candidate
from yescale.wire.client import Attempt, Sink
from yescale.wire.server import Exchange

LOG: Final = logging.getLogger("yescale.relay")
_MOST_ID: Final = 128  # characters of a client's own request id that are kept
_BUSY_S: Final = 1.0  # that one of several secrets rests which is asked to wait without being told how long
_AGAIN_S: Final = 0.1  # before the only channel is tried once more; twice as long each time


class Attempts:
    """`current` is the attempt under way; `candidate` where it, or the last one, went; `notes` the ended ones.

    `order` is what is being tried: the one asked for, then those that may be instead of it.
    """

    __slots__ = (
        "_blame",
        "_body",
        "_call",
        "_crossing",
        "_exchange",
        "_probe",
        "_relay",
        "_reservation",
        "_secret",
        "_sent_at",
        "_since",
        "_started",
        "_surface",
        "_tried",
        "candidate",
        "carrier",
        "channel",
        "current",
        "limit",
        "losses",
        "notes",
        "order",
        "owed",
        "told",
    )

    def __init__(self, relay: Relay, surface: Surface, order: Order, reservation: Reservation) -> None:
        self._relay = relay
        self._surface = surface
        self.order = order
        self._reservation = reservation
        self._call = CallId("")
        self._blame: tuple[Blame, ...] = ()  # what the current attempt's provider means by its errors
        self._body = b""
        self._exchange: Exchange | None = None
        self._started = 0.0
        self._secret = ONLY
        self._probe = False
        self._sent_at = 0.0
        self._tried: tuple[ChannelId, ...] = ()
        self._since = 0  # from which of them on they are for the model that is being tried
        self.candidate: Candidate | None = None
        self.channel = ChannelId(0)  # of the current or the last candidate; 0 = there was none
        self.current: Attempt | None = None
        self.notes: tuple[AttemptNote, ...] = ()
        short = reservation.amount < order.ceiling.most or reservation.output is not None or order.most_output
        self.limit = _output_limit(order, reservation) if short else None
        self.losses: tuple[str, ...] = ()  # what could not be said, and the field that carries that limit
        self.owed: tuple[Bill, ...] = ()  # for attempts that failed and whose provider charges for them
        self.told: tuple[str, ...] = ()  # those of them that the client is told of
        self.carrier: Carrier = surface.format  # how the current attempt's answer is read
        self._crossing: Crossing | None = None

    def start(self, call: CallId, body: bytes, exchange: Exchange) -> None:
        """What is tried, and for whom."""
        self._call, self._body, self._exchange, self._started = call, body, exchange, exchange.started

    @property
    def secrets(self) -> tuple[str, ...]:
        """Of the current or the last candidate: they must not reach the client."""
        return () if self.candidate is None else self.candidate.channel.secrets

    def pick(self, verdict: Verdict) -> Candidate | float | None:
        """After a verdict: another candidate, or the seconds until the same may be tried again, or None.

        First every channel of the model, then other secrets of the last one, then the next model.
        """
        now = self._relay.now()
        if not verdict.retry or now - self._started >= self._relay.settings.total_s:
            return None
        step = self._pick_here(verdict, now)
        while step is None and self.order.rest:
            self._go_on()
            step = self._pick_here(FIRST, now)
        if step is not None:
            return step
        if not verdict.again or not self._may_repeat(now):
            return None
        return _AGAIN_S * 2 ** len(self.notes) * self._relay.rng.uniform(0.5, 1.0)

    def _pick_here(self, verdict: Verdict, now: float) -> Candidate | None:
        """A candidate for the model that is being tried; a channel that another was tried on comes last."""
        relay, order, here = self._relay, self.order, self._tried[self._since :]
        if len(here) >= relay.settings.max_attempts:
            return None
        tiers = order.offer.tiers
        other = choose(tiers, relay.health, now, relay.rng, self._tried, order.stick)
        if other is None and self._since:
            other = choose(tiers, relay.health, now, relay.rng, here, order.stick)
        if other is not None or not verdict.spares or self.candidate is None:
            return other
        several = len(self.candidate.channel.secrets) > 1
        return self.candidate if several and self._may_repeat(now) else None

    def _may_repeat(self, now: float) -> bool:
        """Whether the last channel may be tried once more."""
        here = self._tried[self._since :]
        if self.candidate is None or self.channel not in here:
            return False
        most = self.candidate.channel.max_attempts or self._relay.settings.max_attempts
        in_bounds = len(here) < self._relay.settings.max_attempts and here.count(self.channel) < most
        return in_bounds and not self._relay.health.resting(self.channel, now)

    def _go_on(self) -> None:
        """To the next model: it is charged at its own price."""
        self.order = replace(self.order.rest[0], rest=self.order.rest[1:])
        self._since = len(self._tried)
        self._crossing = None
        self.limit = _output_limit(self.order, self._reservation)

    def send(self, candidate: Candidate, sink: Sink) -> Verdict | None:
        """Send the request. A verdict, where there is none that this channel could get."""
        relay, channel = self._relay, candidate.channel
        now = relay.now()
        target = self._aim(candidate, now)
        if isinstance(target, Verdict):
            return target
        self._blame = target.blame
        unfit = candidate.thinking or (self.order.peek.late_system and not target.profile.late_system)
        native = target.format is self._surface.format and not unfit
        parcel = self._rewrite(target, candidate) if native else self._translate(target, candidate)
        if isinstance(parcel, Verdict):
            return parcel
        head, body = parcel
        if channel.body is not None:
            body = override(body, channel.body)
        if target.signing is not None:
            try:
                head += target.signing.lines(body, relay.clock.wall_ms() // 1_000)
            except BadChannel as error:
                LOG.error("%s; mend the channel", error)  # noqa: TRY400 - no defect: no traceback
                return UNUSABLE
        # Providers keep it beside their own id: https://platform.openai.com/docs/api-reference/debugging-requests
        head += b"x-client-request-id: %b\r\n" % self._call.encode()
        self._probe = relay.health.begin(channel, self._secret)
        self._sent_at = now
        if not self.notes:
            relay.journal.open(self._call, self._describe)
        spent, limits = now - self._started, relay.settings.deadlines
        if channel.total_s or spent >= NEGLIGIBLE_S:
            limits = deadlines(relay.settings, spent, channel.total_s)
        self.current = relay.client.send(target.origin, head, body, sink, limits, replayable=True)
        return None

    def _aim(self, candidate: Candidate, now: float) -> Target | Verdict:
        """Where an attempt at a candidate goes, which is noted as tried; a verdict where the channel cannot be used."""
        relay, order, channel = self._relay, self.order, candidate.channel
        self.candidate = candidate
        self.channel = channel.id
        self._tried = (*self._tried, channel.id)
        if order.table.channel_limits and not self._shift(channel.id):
            return FULL
        self._secret = relay.health.pick_secret(channel, now, order.stick) if len(channel.secrets) > 1 else ONLY
        return relay.targets.find(candidate, order, self._surface.format.id, self._secret) or UNUSABLE

    def _shift(self, channel: ChannelId) -> bool:
        """Have the limits of this channel in place of those of the one before."""
        reservation, limits = self._reservation, self.order.table.channel_limits
        if reservation.channel == channel:
            return True
        gone, come = limits.get(reservation.channel, NO_LIMITS), limits.get(channel, NO_LIMITS)
        return self._relay.limiter.shift(reservation, gone, come, channel)

    def _rewrite(self, target: Target, candidate: Candidate) -> tuple[bytes, bytes]:
        """Head and body for an endpoint that speaks the client's format."""
        form = self._surface.format  # which is the target's
        self.carrier = Discreet(form, target.charges) if target.charges else form
        field = target.profile.limit_field
        self.losses = self.told = () if self.limit is None else (self.order.peek.limit_field or field,)
        change = Change(
            model=candidate.upstream_model,
            limit=self.limit,
            limit_field=field,
            ask_usage=target.profile.asks_usage,
        )
        head = target.head
        if target.passes:
            going = pass_on(self._exchange, target.passes)
            self.losses += going.losses
            head += going.head
        return head, form.rewrite(self._body, self.order.peek, change)

    def _translate(self, target: Target, candidate: Candidate) -> tuple[bytes, bytes] | Verdict:
        """Head and body for an endpoint that speaks another format."""
        if self._crossing is None:
            created = self._relay.clock.wall_ms() // 1_000
            self._crossing = Crossing(self._surface.format, self.order, self._call, created)
        change = Change(model=candidate.upstream_model, limit=self.limit)
        parcel = self._crossing.encode(target, self._body, change, thinking=candidate.thinking)
        if isinstance(parcel, Verdict):
            return parcel
        going = pass_on(self._exchange, target.passes, self._surface.format.headers)
        self.carrier, self.losses, self.told = parcel.carrier, parcel.losses + going.losses, parcel.told
        body = splice(parcel.body, [], going.members) if going.members else parcel.body
        return target.head + parcel.head + going.head, body

    def head_lines(self) -> bytes:
        """What our header lines say of the answer: its limits, another model than was asked, losses, a model on its way
        out, the channel to administrators.
        """
        model, reservation = self.order.offer.model, self._reservation
        plain = model.name == self.order.peek.model and not model.deprecation and reservation.taken is None
        if plain and not self.told and not is_admin(reservation.key):
            return b""
        lines = b""
        if reservation.taken is not None:
            relay = self._relay
            meters = reservation.taken.meters
            lines = limit_words.lines(meters, self._surface.format, relay.clock.boot(), relay.clock.wall_ms())
        if model.name != self.order.peek.model:
            lines += b"x-yescale-model: %b\r\n" % quote(model.name).encode("ascii")
        if self.told:
            lines += b"x-yescale-losses: %b\r\n" % ", ".join(self.told).encode("ascii", "replace")
        if model.deprecation:
            lines += deprecation_lines(model)
        if is_admin(reservation.key):
            lines += b"x-yescale-channel: %d\r\n" % self.channel
        return lines

    def forget_body(self) -> None:
        """No other attempt will follow."""
        self._body = b""

    def close(self, status: int, failure: str) -> None:
        """Write the current attempt down and let go of it."""
        if self.current is None:
            return
        self.current = None
        if self.candidate is not None:
            self._relay.health.end(self.candidate.channel, self._secret, probe=self._probe)
        took = int((self._relay.now() - self._sent_at) * 1_000)
        self.notes = (*self.notes, AttemptNote(channel=self.channel, status=status, failure=failure, ms=took))

    def cancel(self) -> None:
        """Close the current attempt's connection; it stays to be written down."""
        if self.current is not None:
            self.current.cancel()

    def praise(self) -> None:
        """The channel answered."""
        health, current, candidate = self._relay.health, self.current, self.candidate
        if candidate is None:
            return
        if (health.untold or health.by_speed) and current is not None and current.first_byte_at:
            health.time(self.channel, candidate.upstream_model, current.first_byte_at - self._sent_at)
        if health.unwell:
            health.answered(candidate.channel, self._secret, self._relay.now())

    def blame(self) -> None:
        """The channel failed: counted once per call, however often it was tried."""
        if self._tried.count(self.channel) == 1:
            self._relay.health.fail(self.channel, self._reservation.key.account, self._relay.now())

    def owe(self, usage: Usage | None) -> None:
        """The attempt failed, having reported this."""
        if self.candidate is not None and self.candidate.channel.bills_failures:
            owed = bill_failure(self.order, usage)
            if owed.amount:
                self.owed = (*self.owed, owed)

    def judge(self, attempt: Attempt, body: bytes) -> tuple[Verdict, UpstreamError]:
        """What an answer means that is none, and what it says; a secret that it complains of is left alone."""
        error = self.carrier.read_error(body)
        verdict = judge_answer(attempt.status, error, self._blame)
        wait = retry_after(attempt.header(b"retry-after"))
        self._rest_secret(verdict, attempt.status, wait)
        return with_wait(verdict, wait), error

    def _rest_secret(self, verdict: Verdict, status: int, wait: int | None) -> None:
        """Leave a secret alone that was refused (the operator is told) or that is asked to wait."""
        candidate, relay = self.candidate, self._relay
        if candidate is None:
            return
        channel, now = candidate.channel, relay.now()
        if verdict.rest_secret:
            relay.health.refuse_secret(channel, self._secret, now, status)
            name = fingerprint(channel.secrets[self._secret]) if channel.secrets else ""
            relay.link.rested(Rested(channel=channel.id, secret=max(0, self._secret), status=status, fingerprint=name))
        elif verdict.spares and (wait or len(channel.secrets) > 1):
            relay.health.rest_secret(channel, self._secret, now, wait or _BUSY_S)
        elif wait and not verdict.own:
            relay.health.rest_secret(channel, self._secret, now, wait)

    def line(self, ending: Ending, bill: Bill, backs: tuple[tuple[PurseId, Nano], ...], first_at: float) -> EndLine:
        """The call as the journal says it at its end. `first_at`: when the answer began; 0 = it did not."""
        relay, key, order = self._relay, self._reservation.key, self.order
        exchange, candidate, now = self._exchange, self.candidate, relay.now()
        own_id = None if exchange is None else exchange.header(b"x-request-id")
        model = order.offer.model.name
        note = f"{ending.note}; {bill.note}" if ending.note and bill.note else ending.note or bill.note
        if model != order.peek.model:
            instead = f"in place of {order.peek.model[:_MOST_ID]}"
            note = f"{note}; {instead}" if note else instead
        return EndLine(
            n=0,
            id=self._call,
            at_ms=relay.clock.wall_ms(),
            key=key.id,
            account=key.account,
            username=key.username,
            key_name=key.name,
            group=order.offer.group.name,
            model=model,
            upstream_model="" if candidate is None else candidate.upstream_model,
            channel=self.channel,
            outcome=ending.outcome,
            status=ending.status,
            stream=order.peek.stream,
            usage=bill.usage,
            estimated=bill.estimated,
            lines=bill.lines,
            amount=bill.amount,
            charges=self._reservation.charges,
            attempts=self.notes,
            first_ms=int((first_at - self._started) * 1_000) if first_at else -1,
            total_ms=int((now - self._started) * 1_000),
            snapshot=order.table.snapshot.version,
            backs=backs,
            ip="" if exchange is None else exchange.peer,
            client_request_id="" if own_id is None else own_id[:_MOST_ID].decode("ascii", "replace"),
            error=ending.code,
            note=note,
            losses=self.losses,
            tags=tags_of(order) if order.tags else order.peek.tags,
        )

    def _describe(self) -> OpenCall:
        """The call as the journal says it while it lasts."""
        relay = self._relay
        return OpenCall(
            id=self._call,
            at_ms=relay.clock.wall_ms() - int((relay.now() - self._sent_at) * 1_000),
            key=self._reservation.key.id,
            account=self._reservation.key.account,
            model=self.order.peek.model,
            channel=self.channel,
            reserved=self._reservation.amount,
            stream=self.order.peek.stream,
            tags=tags_of(self.order),
        )


def _output_limit(order: Order, reservation: Reservation) -> int | None:
    """What goes upstream: what money, the key and limits allow, where the client declared none and the model's maximum
    is more.
    """
    limit = output_limit(order, reservation.amount)
    if reservation.output is None or order.peek.declared is not None:
        return limit
    return reservation.output if limit is None else min(limit, reservation.output)
