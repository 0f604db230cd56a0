"""A quote: what a usage costs, as lines that explain themselves. Integers only; each line is rounded half up once."""

from yescale.domain.ids import ModelName
from yescale.domain.money import RATIO_ONE, Ratio, divide_half_up
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
