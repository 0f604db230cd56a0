"""Quotes: what a usage costs, or the most that a call can cost, by the arithmetic that charges calls (promise 17)."""

from typing import Annotated, Final

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue import fact_of, format_conditions, format_ratio, format_usd, name_unit
from yescale.control.views import QuoteLineView, Text
from yescale.domain.ids import ModelName, PriceId
from yescale.domain.money import Ratio
from yescale.domain.price import Line, PriceRule, Quote
from yescale.domain.snapshot import Model
from yescale.domain.usage import Meter, Usage
from yescale.pricing.book import Facts, PriceBook, Unpriced
from yescale.pricing.ceiling import Ask, explain_bound
from yescale.pricing.quote import facts_of, quote
from yescale.store.catalogue import find_model
from yescale.store.groups import list_groups
from yescale.store.prices import current_prices

_MOST_COUNT: Final = 10**12
_MOST_FACTS: Final = 32
_USUAL_GROUP: Final = "default"

Count = Annotated[StrictInt, Field(ge=0, le=_MOST_COUNT)]
Fact = Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")] | Annotated[StrictInt, Field(ge=0, le=_MOST_COUNT)]


class QuoteRefused(Exception):
    """A quote that cannot be given; `param` names what is wrong."""

    def __init__(self, param: str, message: str, *, unknown: bool = False) -> None:
        super().__init__(f"{param}: {message}")
        self.param, self.unknown = param, unknown


class Sketch(BaseModel):
    """What a call may use at most: its prompt, the output limit that it declares (the model's own, where it declares
    none), its choices.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt_tokens: Count = 0
    max_tokens: Count | None = None
    n: Annotated[StrictInt, Field(ge=1, le=1_000)] = 1


class AskQuote(BaseModel):
    """Either a usage, as counts by meter, or the sketch of a call. `facts`: what prices may depend on beside it, such
    as `service_tier`, `size`, `quality` or `duration`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: Text
    group: Text | None = None
    usage: dict[Meter, Count] | None = None
    call: Sketch | None = None
    facts: Annotated[dict[Text, Fact], Field(max_length=_MOST_FACTS)] = {}


class Quoted(Struct, frozen=True, kw_only=True):
    """A quote with all that explains it. `exact`: a call that uses this much is charged just that."""

    model: ModelName
    group: str
    exact: bool
    quote: Quote
    lines: tuple[QuoteLineView, ...]


class _Offer(Struct, frozen=True):
    """What is asked for, as the database has it now."""

    model: Model
    group: str
    ratio: Ratio
    rules: tuple[PriceRule, ...]


async def find_quote(connection: AsyncConnection, asked: AskQuote) -> Quoted:
    """The quote at the prices of now. Raises QuoteRefused."""
    if (asked.usage is None) == (asked.call is None):
        raise QuoteRefused("usage", "say either `usage`, counts by meter, or `call`, the sketch of one.")
    offer = await _find_offer(connection, asked)
    book = PriceBook(offer.rules)
    try:
        if asked.usage is not None:
            found = _price_usage(book, offer, asked.usage, asked.facts)
        else:
            found = explain_bound(book, offer.model, _ask_of(asked.call or Sketch(), offer.model), offer.ratio)
    except Unpriced as unpriced:
        raise QuoteRefused("usage", f"{unpriced}.") from unpriced
    rules = {rule.id: rule for rule in offer.rules}
    lines = tuple(_show(line, rules) for line in found.lines)
    return Quoted(model=offer.model.name, group=offer.group, exact=asked.usage is not None, quote=found, lines=lines)


async def _find_offer(connection: AsyncConnection, asked: AskQuote) -> _Offer:
    row = await find_model(connection, ModelName(asked.model))
    if row is None or not row.enabled:
        raise QuoteRefused("model", f"there is no model {asked.model!r}; GET /yescale/models shows them.", unknown=True)
    ratios = {group.name: group.ratio for group in await list_groups(connection)}
    group = (row.group or _USUAL_GROUP) if asked.group is None else asked.group
    if group not in ratios:
        raise QuoteRefused("group", f"there is no group {group!r}.", unknown=True)
    model = row.model
    rules = await current_prices(connection, model.priced_as)
    if not PriceBook(rules).priced(model.priced_as):
        raise QuoteRefused("model", f"{asked.model!r} has no price, and calls of it are refused.")
    return _Offer(model, group, ratios[group], rules)


def _price_usage(book: PriceBook, offer: _Offer, usage: Usage, said: Facts) -> Quote:
    """As an answered call is charged, which is one request if nothing else is said."""
    counted = {**usage}
    counted.setdefault(Meter.REQUESTS, 1)
    facts = facts_of(counted, said={name: fact_of(value) for name, value in said.items()})
    return quote(book, offer.model.priced_as, counted, offer.ratio, facts)


def _ask_of(call: Sketch, model: Model) -> Ask:
    prompt = min(call.prompt_tokens, model.context_window) if model.context_window else call.prompt_tokens
    talks = not {"embed", "rerank", "moderate"}.issuperset(model.operations)
    return Ask(prompt, call.max_tokens, call.n, talks)


def _show(line: Line, rules: dict[PriceId, PriceRule]) -> QuoteLineView:
    return QuoteLineView(
        meter=str(line.meter),
        quantity=line.quantity,
        per=line.per,
        unit=name_unit(line.meter, line.per),
        when=format_conditions(rules[line.rule].when),
        price_usd=format_usd(line.price),
        price_nano=line.price,
        ratio=format_ratio(line.ratio),
        amount_nano=line.amount,
    )
