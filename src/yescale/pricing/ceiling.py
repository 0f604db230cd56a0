"""The worst case of a call, against which it is admitted."""

from typing import Final

from msgspec import Struct

from yescale.domain.money import RATIO_ONE, Nano, Ratio
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import Model
from yescale.pricing.book import PriceBook

UNSTATED_OUTPUT: Final = 131_072  # tokens; where the catalogue states no maximum


class Ask(Struct, frozen=True):
    """What a request may use: its prompt at most, the output limit that it declares (None = none), its choices."""

    prompt_tokens: int
    declared: int | None = None
    n: int = 1
    outputs: bool = True  # False: the operation makes no output tokens (embeddings)


class Ceiling(Struct, frozen=True):
    """Between `least` and `most` a call may be admitted; with a declared limit they are equal."""

    least: Nano
    most: Nano
    base: Nano  # input and per-request part, in both
    token_price: Nano  # of one million million output tokens of all choices, ratio included; 0 = output is free

    def output_tokens(self, granted: Nano) -> int:
        """How many output tokens per choice a grant pays for, the base being paid first."""
        if not self.token_price:
            return UNSTATED_OUTPUT
        return max(0, granted - self.base) * _SCALE // self.token_price


_SCALE: Final = 10**12


def ceiling(book: PriceBook, model: Model, ratio: Ratio, ask: Ask, least_output: int) -> Ceiling:
    """The least and the most that a call may have to be admitted with.

    Dearest meter and tier in each direction; rounded up, so that no usage within the limits can cost more.
    Raises Unpriced.
    """
    dearest = book.dearest(model.priced_as)
    base = _cost(dearest.request, 1, ratio) + _cost(dearest.input, ask.prompt_tokens, ratio)
    if not ask.outputs or dearest.output is None:
        return Ceiling(base, base, base, 0)
    maximum = model.max_output or UNSTATED_OUTPUT
    most = ask.declared if ask.declared is not None else maximum
    least = ask.declared if ask.declared is not None else min(least_output, maximum)
    rule = dearest.output
    token_price = -(-_SCALE * rule.price * ratio * ask.n // (rule.per * RATIO_ONE))
    return Ceiling(base + _cost(rule, least * ask.n, ratio), base + _cost(rule, most * ask.n, ratio), base, token_price)


def _cost(rule: PriceRule | None, quantity: int, ratio: Ratio) -> Nano:
    return 0 if rule is None else -(-quantity * rule.price * ratio // (rule.per * RATIO_ONE))
