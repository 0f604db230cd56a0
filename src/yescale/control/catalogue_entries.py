"""A model of a catalogue file, complete: what its family says filled in, its prices as rows."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from yescale.domain.ids import ModelName, PriceId
from yescale.domain.money import Nano
from yescale.domain.price import PriceRule
from yescale.domain.usage import Meter
from yescale.store.prices import NewPrice

PER_REQUEST: Final = "pay-per-request"
PER_TOKEN: Final = "pay-per-token"  # noqa: S105  a kind of billing, no secret


class Entry(Struct, frozen=True, kw_only=True):
    """One model, complete."""

    name: ModelName
    priced_as: str
    provider: str
    owner: str
    group: str
    category: str
    endpoint: str
    operations: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    context_window: int
    max_output: int
    created: int  # unix seconds
    released: str  # as a date; "" = not stated
    knowledge_cutoff: str
    hot: bool
    image: bool
    stage: int  # on its way out: 0, GOING, GONE
    alternative: str
    source: str
    read: str  # as a date
    prices: tuple[NewPrice, ...]
    official: tuple[NewPrice, ...]  # one for each of `prices` without conditions


def as_rules(model: ModelName, prices: Iterable[NewPrice]) -> tuple[PriceRule, ...]:
    """Rows that are not stored yet, as a book takes them."""
    return tuple(
        PriceRule(id=PriceId(n), model=model, meter=row.meter, per=row.per, price=row.price, when=row.when)
        for n, row in enumerate(prices, 1)
    )


class ListPrices(Struct, frozen=True):
    """What the public list shows of a model's prices: those without conditions."""

    billing_type: str
    request: Nano | None
    input: Nano | None
    output: Nano | None


def read_list_prices(rules: Sequence[NewPrice]) -> ListPrices:
    """The list prices among a model's rules."""
    plain = {rule.meter: rule.price for rule in rules if not rule.when}
    request = plain.get(Meter.REQUESTS, plain.get(Meter.IMAGES))
    entry = plain.get(Meter.INPUT_TOKENS)
    billing_type = PER_REQUEST if request is not None and entry is None else PER_TOKEN
    return ListPrices(billing_type, request, entry, plain.get(Meter.OUTPUT_TOKENS))
