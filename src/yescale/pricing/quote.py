"""A quote: what a usage costs, as lines that explain themselves. Integers only; each line is rounded half up once."""

from collections.abc import Mapping
from math import gcd

from msgspec import Struct

from yescale.domain.ids import ModelName
from yescale.domain.money import RATIO_ONE, Ratio, divide_half_up
from yescale.domain.price import CONTEXT_TOKENS, SERVICE_TIER, USUAL_TIER, Line, PriceRule, Quote
from yescale.domain.usage import INPUT_METERS, Meter, Usage
from yescale.pricing.book import NO_FACTS, Facts, PriceBook


class Rate(Struct, frozen=True, gc=False):
    """A rule for one group: a unit costs `price` / `per` nano-dollars, the ratio included, in lowest terms."""

    rule: PriceRule
    ratio: Ratio
    price: int
    per: int


Rates = Mapping[Meter, Rate | None]


def find_rates(book: PriceBook, model: ModelName, ratio: Ratio) -> Rates:
    """The rates of a model for `quote_at`, as `PriceBook.flat` has its rules; empty where the price depends on more."""
    return {meter: None if rule is None else _reduce(rule, ratio) for meter, rule in book.flat(model).items()}


def _reduce(rule: PriceRule, ratio: Ratio) -> Rate:
    price, per = rule.price * ratio, rule.per * RATIO_ONE
    common = gcd(price, per)
    return Rate(rule, ratio, price // common, per // common)


def quote_at(rates: Rates, usage: Usage) -> tuple[Line, ...] | None:
    """The lines of `quote` at known rates; None where a meter has none."""
    lines: list[Line] = []
    for meter, count in usage.items():
        if not count:
            continue
        if meter not in rates:
            return None
        rate = rates[meter]
        if rate is not None:
            rule, per = rate.rule, rate.per
            lines.append(
                Line(
                    rule=rule.id,
                    meter=meter,
                    quantity=count,
                    per=rule.per,
                    price=rule.price,
                    ratio=rate.ratio,
                    amount=(2 * count * rate.price + per) // (2 * per),
                )
            )
    return tuple(lines)


def facts_of(usage: Usage, tier: str = "", said: Facts = NO_FACTS) -> Facts:
    """What a price may depend on of a call that used this much. `tier`: the one that served it, "" = the usual one;
    `said`: what whoever asks knows beside that, which goes before.
    """
    context = sum(count for meter, count in usage.items() if meter in INPUT_METERS)
    return {CONTEXT_TOKENS: context, SERVICE_TIER: tier or USUAL_TIER, **said}


def quote(book: PriceBook, model: ModelName, usage: Usage, ratio: Ratio, facts: Facts = NO_FACTS) -> Quote:
    """Price a usage under one book and one group ratio.

    `model` is the name whose rows apply (`Model.priced_as`). An answered call counts `Meter.REQUESTS: 1`, which is
    ignored where the model has no per-request row; tokens are ignored where it has nothing else. Raises Unpriced.
    """
    lines: list[Line] = []
    for meter, count in usage.items():
        if count:
            rule = book.find(model, meter, facts)
            if rule is not None:
                lines.append(explain(rule, meter, count, ratio))
    return Quote(tuple(lines))


def explain(rule: PriceRule, meter: Meter, quantity: int, ratio: Ratio) -> Line:
    """One line: `quantity` of `meter` at the rule's price x the group's ratio, rounded half up."""
    price, per = rule.price, rule.per
    return Line(
        rule=rule.id,
        meter=meter,
        quantity=quantity,
        per=per,
        price=price,
        ratio=ratio,
        amount=divide_half_up(quantity * price * ratio, per * RATIO_ONE),
    )
