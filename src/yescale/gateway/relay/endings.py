"""What a call is charged: usage reported, or estimated and marked so; and its line in the journal. Pure."""

from typing import Final

from msgspec import Struct

from yescale.domain.ids import ModelName
from yescale.domain.journal import Outcome
from yescale.domain.money import Nano
from yescale.domain.price import Line
from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter, Usage
from yescale.gateway.admission import UNSTATED_CONTEXT, Order
from yescale.pricing.book import Facts, Unpriced
from yescale.pricing.quote import quote
from yescale.protocols.passthrough import BYTES_PER_TOKEN

_TOKEN_SCALE: Final = 10**12  # Ceiling.token_price is for so many tokens
_ENDLESS: Final = 2**62
NOT_REPORTED: Final = "usage not reported: estimated"
NOT_BELIEVED: Final = "usage not believed: estimated"


class Ending(Struct, frozen=True, kw_only=True):
    """How a call ended for the client."""

    outcome: Outcome
    status: int  # what the client got, or would have
    code: str = ""  # of the error that it saw
    note: str = ""


class Served(Struct, frozen=True):
    """What an upstream did for a call: its own count, if it gave one, and about how much text came."""

    reported: Usage | None
    text_bytes: int


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
    usage: dict[Meter, int]
    if served.reported is None:
        usage, note = _estimate(order, served.text_bytes), NOT_REPORTED
    elif not believable(order, served.reported):
        usage, note = _estimate(order, served.text_bytes), NOT_BELIEVED
    else:
        usage, note = dict(served.reported), ""
    usage[Meter.REQUESTS] = 1
    lines, gaps = _price(order, usage)
    amount = sum(line.amount for line in lines)
    notes = [part for part in (note, f"no price for {', '.join(gaps)}" if gaps else "") if part]
    return Bill(usage, lines, amount, bool(note), "; ".join(notes))


def affordable_bytes(order: Order, cost: Nano) -> int:
    """About how much output text costs this much; without end where output is free."""
    price = order.ceiling.token_price
    return cost * _TOKEN_SCALE // price * BYTES_PER_TOKEN if price else _ENDLESS


def believable(order: Order, usage: Usage) -> bool:
    """Whether the model can have used this much at all; where the catalogue states no limit, any usage is."""
    model = order.model
    if model.context_window and _total(usage, INPUT_METERS) > model.context_window:
        return False
    return not model.max_output or _total(usage, OUTPUT_METERS) <= model.max_output * order.peek.n


def _estimate(order: Order, text_bytes: int) -> dict[Meter, int]:
    """Tokens from sizes. The prompt's bound counts two bytes as a token; the usual rule is four."""
    prompt = min(order.peek.prompt_tokens // 2, order.model.context_window or UNSTATED_CONTEXT)
    usage = {Meter.INPUT_TOKENS: max(1, prompt)}
    if order.peek.outputs:
        usage[Meter.OUTPUT_TOKENS] = -(-text_bytes // BYTES_PER_TOKEN)
    return usage


def _price(order: Order, usage: dict[Meter, int]) -> tuple[tuple[Line, ...], list[Meter]]:
    """The lines, and the meters that no row prices: they cost nothing, and the note names them."""
    book, name, ratio = order.table.book, order.model.priced_as, order.group.ratio
    facts = {"context_tokens": _total(usage, INPUT_METERS)}
    try:
        return quote(book, name, usage, ratio, facts).lines, []
    except Unpriced:
        return _price_apart(order, usage, facts)


def _price_apart(order: Order, usage: dict[Meter, int], facts: Facts) -> tuple[tuple[Line, ...], list[Meter]]:
    lines: list[Line] = []
    gaps: list[Meter] = []
    for meter, count in usage.items():
        try:
            lines += quote(
                order.table.book, ModelName(order.model.priced_as), {meter: count}, order.group.ratio, facts
            ).lines
        except Unpriced:
            gaps.append(meter)
    return tuple(lines), gaps


def _total(usage: Usage, meters: frozenset[Meter]) -> int:
    return sum(count for meter, count in usage.items() if meter in meters)
