"""A call until it is admitted: who calls, what they ask for, and the money that it may cost."""

import logging
from itertools import chain
from typing import Final

from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.ids import ChannelId
from yescale.domain.journal import NoLine
from yescale.domain.limits import NO_LIMITS, Limits
from yescale.domain.link import KeyRecord, Refused
from yescale.gateway import (
    admission,
    alternatives,
    answers,
    group_choice,
    inflating,
    limit_words,
    metadata,
    preferences,
)
from yescale.gateway.admission import Credentials, Order
from yescale.gateway.keys import Unavailable
from yescale.gateway.leases import Reservation, Waiting
from yescale.gateway.limiter import LIMIT_CODES, Denied, Pending
from yescale.gateway.relay import conversation
from yescale.gateway.relay.conversation import Turn
from yescale.gateway.relay.passage import Passage
from yescale.gateway.relay.relay import Relay
from yescale.gateway.surfaces import Surface
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.passthrough import Peek
from yescale.protocols.wishes import Preferences
from yescale.routing.plan import choose
from yescale.routing.sticking import find_stick
from yescale.routing.table import Candidate
from yescale.wire.server import Exchange

LOG: Final = logging.getLogger("yescale.relay")
_MOST_NAME: Final = 128  # characters of a model name in a refusal's line
_MOST_FULL: Final = 50  # channels passed over for their limits


class Call:
    """States: head read, key known, body read, money asked for. Then a Passage takes over, or it was refused."""

    __slots__ = (
        "_body",
        "_candidate",
        "_coding",
        "_credentials",
        "_ended",
        "_exchange",
        "_full",
        "_id",
        "_key",
        "_limits",
        "_order",
        "_relay",
        "_surface",
        "_turn",
        "_waiting",
        "_words",
    )

    def __init__(self, relay: Relay, exchange: Exchange, surface: Surface, words: PathWords = NO_WORDS) -> None:
        self._relay = relay
        self._surface = surface
        self._words = words
        self._exchange = exchange
        self._id = relay.ids.mint()
        self._coding = 0  # how the body is compressed
        self._credentials: Credentials | None = None
        self._key: KeyRecord | None = None
        self._body: bytes | None = None
        self._order: Order | None = None
        self._candidate: Candidate | None = None
        self._waiting: Waiting | Pending | None = None
        self._limits: tuple[Limits, ...] = ()
        self._full: tuple[ChannelId, ...] = ()  # channels whose limits refused this call
        self._turn: Turn | None = None
        self._ended = False

    # --- from the wire

    def open(self) -> None:
        """The head is here: find out who calls, before the body is read."""
        exchange = self._exchange
        exchange.listener = self
        encoding = exchange.fields.get(b"content-encoding")
        if encoding is not None:
            coding = inflating.find_coding(encoding)
            if isinstance(coding, Fault):
                self._refuse(coding)
                return
            self._coding = coding
        credentials = admission.find_credentials(exchange, self._surface)
        if isinstance(credentials, Fault):
            self._refuse(credentials)
            return
        self._credentials = credentials
        keys = self._relay.keys
        known = keys.recall(credentials.key)
        if known is None:
            keys.find(credentials.key, self._key_found)
        else:
            self._check(known, credentials)

    def receive(self) -> None:
        """The body is here."""
        self._body = self._exchange.body
        if self._key is not None and not self._ended:
            self._start(self._key, self._body)

    def client_gone(self) -> None:
        """The client left before anything was reserved or sent: there is nothing to settle."""
        self._ended = True
        if self._waiting is not None:
            self._waiting.cancel()

    def client_paused(self) -> None:
        """Nothing is being written yet."""

    def client_resumed(self) -> None:
        """Nothing is being written yet."""

    # --- admission

    def _key_found(self, found: KeyRecord | Unavailable | None) -> None:
        if self._ended or self._credentials is None:
            return
        if found is None or isinstance(found, Unavailable):
            self._refuse(faults.INVALID_KEY if found is None else faults.UNAVAILABLE)
            return
        self._check(found, self._credentials)

    def _check(self, key: KeyRecord, credentials: Credentials) -> None:
        self._key = key
        now_s = self._relay.clock.wall_ms() // 1_000 if key.expires_at >= 0 else 0
        fault = admission.check_key(key, credentials, self._exchange.peer, now_s)
        if fault is not None:
            self._refuse(fault)
        elif self._body is not None:
            self._start(key, self._body)

    def _start(self, key: KeyRecord, body: bytes) -> None:
        try:
            self._admit(key, body)
        except Exception:
            LOG.exception("call %s could not be admitted: a defect of the gateway", self._id)
            self._refuse(faults.INTERNAL)

    def _admit(self, key: KeyRecord, body: bytes) -> None:
        """Check the request and reserve what it can cost at most."""
        relay = self._relay
        if self._coding:
            inflated = inflating.inflate(body, self._coding, relay.settings.max_body_bytes)
            if isinstance(inflated, Fault):
                self._refuse(inflated)
                return
            self._body, self._coding = inflated, 0
            body = inflated
        peek = self._surface.format.peek(body, self._words)
        if isinstance(peek, Fault):
            self._refuse(peek)
            return
        if peek.wishes is not None:
            self._body = body = peek.wishes.body
        if self._surface.keeps and self._turn is None and self._recall(key, body):
            return
        order = self._judge(peek, key)
        if isinstance(order, Fault):
            self._refuse(order, peek.model)
            return
        if order.offer.chooses and relay.routing.stick:
            order = _stick(order, key, body)
        candidate = choose(order.offer.tiers, relay.health, relay.now(), relay.rng, (), order.stick)
        if candidate is None and not (order.rest and self._is_served(order.rest)):
            self._do_without(order, body)
            return
        bound = key.limits or order.offer.limits or order.table.channel_limits
        if bound or (order.rest and alternatives.limits_of(order)):
            self._bound(order, key, candidate)
        else:
            self._reserve(order, key, candidate)

    def _reserve(self, order: Order, key: KeyRecord, candidate: Candidate | None) -> None:
        """Set aside what the call can cost at most, and go on where there is that much. No candidate: of another model
        there is one.
        """
        relay, ceiling, floor = self._relay, order.ceiling, order.table.snapshot.minimum_balance
        least, most = alternatives.bounds(order) if order.rest else (ceiling.least, ceiling.most)
        most = most if most > floor else floor
        reservation = relay.purses.reserve(key, most)
        if reservation is not None:
            self._go(order, reservation, candidate)
            return
        self._order = order
        self._candidate = candidate
        self._waiting = relay.purses.admit(key, max(floor, least), most, self._admitted)
        self._candidate = None  # whoever waits for money chooses anew

    def _bound(self, order: Order, key: KeyRecord, candidate: Candidate | None) -> None:
        """The same for a call that has limits: its key's and account's, its group's and models', its channel's."""
        relay = self._relay
        own = NO_LIMITS if candidate is None else order.table.channel_limits.get(candidate.channel.id, NO_LIMITS)
        least_output = relay.money.least_output_tokens
        if self._surface.whole and order.offer.tariff is not None:
            least_output = order.offer.tariff.max_output
        self._limits = (key.limits, alternatives.limits_of(order), own)
        demand = alternatives.demand_of(order, self._limits, least_output)
        self._order, self._candidate = order, candidate
        reservation = relay.limiter.reserve(key, demand)
        if reservation is not None:
            self._admitted(reservation)
            return
        waiting = relay.limiter.admit(key, demand, self._admitted)
        if waiting is None:
            return  # answered, and perhaps waiting elsewhere by now
        self._waiting = waiting
        if not own:
            self._candidate = None  # whoever waits chooses anew

    def _try_elsewhere(self, refused: Refused) -> bool:
        """Whether a channel's own limit refused, and another channel may take the call."""
        order, key, candidate = self._order, self._key, self._candidate
        if order is None or key is None or candidate is None or len(self._full) >= _MOST_FULL:
            return False
        if refused.limit not in {limit.id for limit in order.table.channel_limits.get(candidate.channel.id, NO_LIMITS)}:
            return False
        self._full = (*self._full, candidate.channel.id)
        relay = self._relay
        other = choose(order.offer.tiers, relay.health, relay.now(), relay.rng, self._full)
        if other is None:
            return False
        self._bound(order, key, other)
        return True

    def _judge(self, peek: Peek, key: KeyRecord) -> Order | Fault:
        """What the call is allowed to be, with all that its head asks for."""
        relay = self._relay
        judge = self._judge_groups if key.groups else self._judge_one
        order = judge(peek, key)
        if peek.wishes is not None or isinstance(order, Fault) or order.offer.model.fallbacks:
            order = self._judge_others(order, peek, key)
        if isinstance(order, Fault):
            if order is faults.MODEL_NOT_PRICED:
                relay.link.unpriced(peek.model)
            return order
        if metadata.HEADER in self._exchange.fields:
            tags = metadata.read_metadata(self._exchange.headers)
            if isinstance(tags, Fault):
                return tags
            rest = tuple(replace(other, tags=admission.add_tags(other.tags, tags)) for other in order.rest)
            order = replace(order, tags=admission.add_tags(order.tags, tags), rest=rest)
        if self._credentials is not None and self._credentials.channel is not None:
            order = admission.pin(order, self._credentials.channel)
        wanted = None if peek.wishes is None else peek.wishes.preferences
        return order if wanted is None else alternatives.change_each(order, lambda each: self._prefer(each, wanted))

    def _judge_one(self, peek: Peek, key: KeyRecord) -> Order | Fault:
        relay = self._relay
        least_output = relay.money.least_output_tokens
        return admission.judge(peek, key, relay.table, self._surface, least_output, self._words)

    def _judge_others(self, first: Order | Fault, peek: Peek, key: KeyRecord) -> Order | Fault:
        """With what may be tried in place of it; those go where their conversations went, too."""
        judge, relay = self._judge_groups if key.groups else self._judge_one, self._relay
        order = alternatives.find_order(first, peek, relay.table, lambda asked: judge(asked, key))
        if isinstance(order, Fault) or not order.rest or not relay.routing.stick or self._body is None:
            return order
        body = self._body
        rest = tuple(_stick(other, key, body) if other.offer.chooses else other for other in order.rest)
        return replace(order, rest=rest)

    def _is_served(self, orders: tuple[Order, ...]) -> bool:
        """Whether any of these has a channel right now."""
        relay = self._relay
        now = relay.now()
        return any(choose(order.offer.tiers, relay.health, now, relay.rng) is not None for order in orders)

    def _judge_groups(self, peek: Peek, key: KeyRecord) -> Order | Fault:
        """The same for a key of several groups."""
        relay = self._relay
        now = relay.now()

        def is_served(order: Order) -> bool:
            return choose(order.offer.tiers, relay.health, now, relay.rng) is not None

        return group_choice.find_order(key, peek.model, lambda one: self._judge_one(peek, one), is_served)

    def _prefer(self, order: Order, wanted: Preferences) -> Order | Fault:
        preferred = preferences.prefer(order, wanted)
        if isinstance(preferred, Fault) or wanted.fallbacks or wanted.order:
            return preferred
        first = choose(preferred.offer.tiers, self._relay.health, self._relay.now(), self._relay.rng)
        return preferred if first is None else admission.pin(preferred, first.channel.id)

    def _recall(self, key: KeyRecord, body: bytes) -> bool:
        """Put what the call goes on from before its own words, and then begin anew; False: it is not kept."""
        turn = conversation.begin(self._relay.memory, key.account, body)
        if turn is None:
            return False
        if isinstance(turn, Fault):
            self._refuse(turn)
        else:
            self._turn = turn
            turn.recall(self._recalled)
        return True

    def _recalled(self, body: bytes | Fault) -> None:
        if self._ended or self._key is None:
            return
        if isinstance(body, Fault):
            self._refuse(body)
            return
        self._body = body
        self._start(self._key, body)

    def _admitted(self, outcome: Reservation | Refused) -> None:
        self._waiting = None
        order = self._order
        if order is None or self._ended:
            return
        if not isinstance(outcome, Refused):
            outcome.channel = ChannelId(0) if self._candidate is None else self._candidate.channel.id
            self._go(order, outcome, self._candidate)
        elif outcome.code in LIMIT_CODES:
            if not self._try_elsewhere(outcome):
                self._refuse(
                    limit_words.explain(outcome, chain.from_iterable(self._limits)),
                    order.peek.model,
                    self._figures(outcome),
                )
        else:
            status = order.table.snapshot.insufficient_funds_status
            least, _ = alternatives.bounds(order)
            self._refuse(admission.explain_refusal(outcome, least, status), order.peek.model)

    def _figures(self, refused: Refused) -> bytes:
        """The header lines of a refusal by a rate."""
        clock = self._relay.clock
        meters = refused.meters if isinstance(refused, Denied) else ()
        return limit_words.lines(meters, self._surface.format, clock.boot(), clock.wall_ms())

    def _go(self, order: Order, reservation: Reservation, candidate: Candidate | None) -> None:
        """Money is set aside: from here on the passage ends the call."""
        self._ended = True
        body, self._body = self._body or b"", None
        passage = Passage(self._relay, self._exchange, self._surface, order, reservation)
        passage.turn = self._turn
        passage.start(self._id, body, candidate)

    def _do_without(self, order: Order, body: bytes) -> None:
        """No channel can take the call: answer with an estimate where that is an answer."""
        if self._surface.estimate is None:
            self._refuse(self._all_rest(order), order.peek.model)
            return
        self._ended = True
        self._exchange.respond(200, answers.head(self._id.encode()), self._surface.estimate(body))

    def _all_rest(self, order: Order) -> Fault:
        tiers = [tier for each in (order, *order.rest) for tier in each.offer.tiers]
        channels = [candidate.channel.id for tier in tiers for candidate in tier.candidates]
        left = self._relay.health.rest_left(channels, self._relay.now())
        return faults.NO_CHANNEL.saying(faults.NO_CHANNEL.message, retry_after_s=int(left) + 1)

    def _refuse(self, fault: Fault, model: str = "", more: bytes = b"") -> None:
        """Answer with an error: nothing was reserved. Unknown keys leave no line."""
        self._ended = True
        key = self._key
        if key is not None:
            line = NoLine(
                n=0,
                at_ms=self._relay.clock.wall_ms(),
                key=key.id,
                account=key.account,
                code=fault.code,
                count=1,
                model=model[:_MOST_NAME],
                id=self._id,
            )
            self._relay.journal.no(line)
        answers.refuse(self._exchange, fault, self._surface.format, self._id, more)


def _stick(order: Order, key: KeyRecord, body: bytes) -> Order:
    """The same for a conversation that goes where it went before."""
    stick = find_stick(body, key.account, order.offer.model.name, caches=order.offer.caches)
    return replace(order, stick=stick) if stick else order
