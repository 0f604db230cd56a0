"""A quote: what a usage costs, as lines that explain themselves. Integers only; each line is rounded half up once."""

from yescale.domain.ids import ModelName
from yescale.domain.money import RATIO_ONE, Nano, Ratio, divide_half_up
from yescale.domain.price import Line, PriceRule, Quote
from yescale.domain.usage import Meter, Usage
from yescale.pricing.book import NO_FACTS, Facts, PriceBook


def quote(book: PriceBook, model: ModelName, usage: Usage, ratio: Ratio, facts: Facts = NO_FACTS) -> Quote:
    """Price a usage under one book and one group ratio.

    `model` is the name whose rows apply (`Model.priced_as`). An answered call counts `Meter.REQUESTS: 1`, which is
    ignored where the model has no per-request row; tokens are ignored where it has nothing else. Raises Unpriced.
    """
    lines: list[Line] = []
    flat = book.flat(model)
    for meter, count in usage.items():
        if count:
            rule = flat[meter] if meter in flat else book.find(model, meter, facts)
            if rule is not None:
                lines.append(explain(rule, meter, count, ratio))
    return Quote(tuple(lines))


def explain(rule: PriceRule, meter: Meter, quantity: int, ratio: Ratio) -> Line:
    """One line: `quantity` of `meter` at the rule's price."""
    return Line(
        rule=rule.id,
        meter=meter,
        quantity=quantity,
        per=rule.per,
        price=rule.price,
        ratio=ratio,
        amount=amount(rule, quantity, ratio),
    )


def amount(rule: PriceRule, quantity: int, ratio: Ratio) -> Nano:
    """quantity x price / per x ratio, rounded half up."""
    return divide_half_up(quantity * rule.price * ratio, rule.per * RATIO_ONE)
