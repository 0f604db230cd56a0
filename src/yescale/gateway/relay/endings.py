"""What a call is charged: usage reported, or estimated and marked so; and its line in the journal. Pure."""

from typing import Final

from msgspec import Struct

from yescale.domain.journal import Outcome
from yescale.domain.limits import TOKENS
from yescale.domain.money import Nano
from yescale.domain.price import Line
from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter, Usage, tokens_of
from yescale.gateway.admission import UNSTATED_CONTEXT, Order
from yescale.gateway.leases import Reservation
from yescale.pricing.book import Facts, Unpriced
from yescale.pricing.quote import facts_of, quote, quote_at
from yescale.protocols.passthrough import BYTES_PER_TOKEN, Answer, Tap

_REQUESTS: Final = Meter.REQUESTS
_ENDLESS: Final = 2**62
NOT_REPORTED: Final = "usage not reported: estimated"
NOT_BELIEVED: Final = "usage not believed: estimated"
IN_PART: Final = "usage reported in part: output estimated"


class Ending(Struct, frozen=True, kw_only=True, gc=False):
    """How a call ended for the client."""

    outcome: Outcome
    status: int  # what the client got, or would have
    code: str = ""  # of the error that it saw
    note: str = ""


class Served(Struct, frozen=True, gc=False):
    """What an upstream did for a call: its own count, if it gave one, and about how much text came. `believed`: the
    count has been looked at; `partial`: it was made before the end. `tier`: which one it says served the call, "" = the
    usual one.
    """

    reported: Usage | None
    text_bytes: int
    believed: bool = False
    partial: bool = False
    tier: str = ""


class Bill(Struct, frozen=True):
    """What a call used and costs."""

    usage: dict[Meter, int]
    lines: tuple[Line, ...] = ()
    amount: Nano = 0
    estimated: bool = False
    note: str = ""


NOTHING: Final = Bill({})


def bill(order: Order, served: Served) -> Bill:
    """Price what was served: the reported usage if it can be believed, else an estimate from sizes."""
    if order.free:
        return NOTHING
    reported, note = served.reported, ""
    if reported is not None and (served.believed or believable(order, reported)):
        usage = dict(reported)
        if served.partial:
            _add_output(usage, served.text_bytes)
            note = IN_PART
    else:
        usage = _estimate(order, served.text_bytes)
        note = NOT_REPORTED if reported is None else NOT_BELIEVED
    usage.setdefault(_REQUESTS, 1)  # a rerank counts its searches so
    lines = None if served.tier else quote_at(order.offer.rates, usage)
    if lines is None:
        lines, gaps = _price(order, usage, served.tier)
        if gaps:
            gap = f"no price for {', '.join(gaps)}"
            note = f"{note}; {gap}" if note else gap
    amount = 0
    for line in lines:
        amount += line.amount
    return Bill(usage, lines, amount, note != "", note)


def tokens_used(bill: Bill, reservation: Reservation) -> int:
    """What is charged to those who count tokens; where nobody does, 0."""
    return tokens_of(bill.usage) if reservation.sums[TOKENS] else 0


def bill_failure(order: Order, usage: Usage | None) -> Bill:
    """What an attempt that failed is charged by a provider that charges for those: only what it reported itself."""
    if not usage or not believable(order, usage):
        return NOTHING
    return bill(order, Served(usage, 0, believed=True))


def add_failures(bill: Bill, failures: tuple[Bill, ...]) -> Bill:
    """The call's bill with those of attempts that failed before: lines of their own, and a note that says so."""
    amount = sum(failure.amount for failure in failures)
    note = f"failed attempts charged: {amount} nano"
    return Bill(
        bill.usage,
        (*bill.lines, *(line for failure in failures for line in failure.lines)),
        bill.amount + amount,
        bill.estimated,
        f"{bill.note}; {note}" if bill.note else note,
    )


def measure(order: Order, answer: Answer, body: bytes) -> Served:
    """What a whole answer says of itself; its text is measured only where its usage cannot be believed."""
    usage = answer.usage
    if usage is not None and believable(order, usage):
        return Served(usage, 0, believed=True, tier=answer.tier)
    return Served(usage, answer.text_bytes(body), tier=answer.tier)


def heard(tap: Tap) -> Served:
    """What a stream says of itself so far."""
    return Served(tap.usage, tap.text_bytes, partial=tap.partial, tier=tap.tier)


def affordable_bytes(order: Order, cost: Nano) -> int:
    """About how much output text costs this much; without end where output is free."""
    ceiling = order.ceiling
    return cost * ceiling.per // ceiling.price * BYTES_PER_TOKEN if ceiling.price else _ENDLESS


def believable(order: Order, usage: Usage) -> bool:
    """Whether the model can have used this much at all; where the catalogue states no limit, any usage is."""
    model = order.offer.model
    inputs = outputs = 0
    for meter, count in usage.items():
        if meter in INPUT_METERS:
            inputs += count
        elif meter in OUTPUT_METERS:
            outputs += count
    if model.context_window and inputs > model.context_window:
        return False
    return not model.max_output or outputs <= model.max_output * order.peek.n


def _estimate(order: Order, text_bytes: int) -> dict[Meter, int]:
    """Tokens from sizes. The prompt's bound counts two bytes as a token; the usual rule is four."""
    prompt = min(order.peek.prompt_tokens // 2, order.offer.model.context_window or UNSTATED_CONTEXT)
    usage = {Meter.INPUT_TOKENS: max(1, prompt)}
    if order.peek.outputs:
        usage[Meter.OUTPUT_TOKENS] = -(-text_bytes // BYTES_PER_TOKEN)
    return usage


def _add_output(usage: dict[Meter, int], text_bytes: int) -> None:
    """Raise a count that was made before the end to what came by then, where that is more."""
    counted = sum(count for meter, count in usage.items() if meter in OUTPUT_METERS)
    more = -(-text_bytes // BYTES_PER_TOKEN) - counted
    if more > 0:
        usage[Meter.OUTPUT_TOKENS] = usage.get(Meter.OUTPUT_TOKENS, 0) + more


def _price(order: Order, usage: dict[Meter, int], tier: str) -> tuple[tuple[Line, ...], list[Meter]]:
    """The lines, and the meters that no row prices: they cost nothing, and the note names them."""
    book, offer = order.table.book, order.offer
    name, ratio = offer.model.priced_as, offer.group.ratio
    facts = facts_of(usage, tier)
    try:
        return quote(book, name, usage, ratio, facts).lines, []
    except Unpriced:
        return _price_apart(order, usage, facts)


def _price_apart(order: Order, usage: dict[Meter, int], facts: Facts) -> tuple[tuple[Line, ...], list[Meter]]:
    book, name, ratio = order.table.book, order.offer.model.priced_as, order.offer.group.ratio
    lines: list[Line] = []
    gaps: list[Meter] = []
    for meter, count in usage.items():
        try:
            lines += quote(book, name, {meter: count}, ratio, facts).lines
        except Unpriced:
            gaps.append(meter)
    return tuple(lines), gaps
