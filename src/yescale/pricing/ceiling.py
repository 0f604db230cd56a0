"""The worst case of a call, against which it is admitted."""

from math import gcd
from typing import Final

from msgspec import Struct

from yescale.domain.money import RATIO_ONE, Nano, Ratio
from yescale.domain.price import Line, PriceRule, Quote
from yescale.domain.snapshot import Model
from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter
from yescale.pricing.book import PriceBook

UNSTATED_OUTPUT: Final = 131_072  # tokens; where the catalogue states no maximum
_FREE: Final = (0, 1)
_PARTS: Final = {Meter.INPUT_TOKENS: len(INPUT_METERS), Meter.OUTPUT_TOKENS: len(OUTPUT_METERS)}


class Ask(Struct, frozen=True, gc=False):
    """What a request may use: its prompt at most, the output limit that it declares (None = none), its choices."""

    prompt_tokens: int
    declared: int | None = None
    n: int = 1
    outputs: bool = True  # False: the operation makes no output tokens (embeddings)


class Tariff(Struct, frozen=True, kw_only=True, gc=False):
    """What a worst case is made of: the dearest meter and tier in each direction, a group's ratio included.

    Prices are exact fractions of nano-dollars per token, as numerator and denominator.
    """

    request: Nano
    input_price: int
    input_per: int
    output_price: int
    output_per: int
    max_output: int  # tokens that one choice can have

    def bound(self, ask: Ask, least_output: int) -> "Ceiling":
        """The least and the most that a call may have to be admitted with.

        Rounded up, so that no usage within the limits can cost more. `least_output`: the tokens that must be covered
        where the request declares no limit.
        """
        base = self.request - (-ask.prompt_tokens * self.input_price // self.input_per)
        if not ask.outputs or not self.output_price:
            return Ceiling(base, base, base, 0, 1)
        price = self.output_price * ask.n
        if ask.declared is not None:
            most = base - (-ask.declared * price // self.output_per)
            return Ceiling(most, most, base, price, self.output_per)
        least = base - (-min(least_output, self.max_output) * price // self.output_per)
        most = base - (-self.max_output * price // self.output_per)
        return Ceiling(least, most, base, price, self.output_per)


class Ceiling(Struct, frozen=True, gc=False):
    """Between `least` and `most` a call may be admitted; with a declared limit they are equal."""

    least: Nano
    most: Nano
    base: Nano  # input and per-request part, in both
    price: int  # of `per` output tokens of all choices; 0 = output is free
    per: int

    def output_tokens(self, granted: Nano) -> int:
        """How many output tokens per choice a grant pays for, the base being paid first."""
        if not self.price:
            return UNSTATED_OUTPUT
        return max(0, granted - self.base) * self.per // self.price


def find_tariff(book: PriceBook, model: Model, ratio: Ratio) -> Tariff:
    """The tariff of a model under one book for a group's ratio. Raises Unpriced."""
    dearest = book.dearest(model.priced_as)
    request_price, request_per = _fraction(dearest.request, ratio)
    input_price, input_per = _fraction(dearest.input, ratio)
    output_price, output_per = _fraction(dearest.output, ratio)
    return Tariff(
        request=-(-request_price // request_per),
        input_price=input_price,
        input_per=input_per,
        output_price=output_price,
        output_per=output_per,
        max_output=model.max_output or UNSTATED_OUTPUT,
    )


def explain_bound(book: PriceBook, model: Model, ask: Ask, ratio: Ratio) -> Quote:
    """The most that a call can cost within its limits: a line for each direction, at its dearest meter and tier.

    Raises Unpriced.
    """
    dearest = book.dearest(model.priced_as)
    declared = (model.max_output or UNSTATED_OUTPUT) if ask.declared is None else ask.declared
    output_tokens = declared * ask.n if ask.outputs else 0
    parts = (
        (dearest.request, Meter.REQUESTS, 1),
        (dearest.input, Meter.INPUT_TOKENS, ask.prompt_tokens),
        (dearest.output, Meter.OUTPUT_TOKENS, output_tokens),
    )
    return Quote(tuple(_bound_line(rule, meter, count, ratio) for rule, meter, count in parts if rule and count))


def _bound_line(rule: PriceRule, meter: Meter, quantity: int, ratio: Ratio) -> Line:
    """Rounded up; where a token has a price in fractions, by what each of a direction's meters may be rounded up."""
    price, per = _fraction(rule, ratio)
    slack = _PARTS.get(meter, 0) // 2 if per != 1 else 0
    return Line(
        rule=rule.id,
        meter=meter,
        quantity=quantity,
        per=rule.per,
        price=rule.price,
        ratio=ratio,
        amount=-(-quantity * price // per) + slack,
    )


def _fraction(rule: PriceRule | None, ratio: Ratio) -> tuple[int, int]:
    """In lowest terms: small integers are quicker."""
    if rule is None:
        return _FREE
    price, per = rule.price * ratio, rule.per * RATIO_ONE
    common = gcd(price, per)
    return price // common, per // common
