"""The catalogue seed: which models a first start knows, read from its YAML; decimal prices as exact integers."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from yescale.domain.ids import ModelName
from yescale.domain.money import NANO_PER_USD, RATIO_ONE, Nano, Ratio
from yescale.domain.price import Condition
from yescale.domain.usage import Meter
from yescale.store.prices import NewPrice

MILLION: Final = 1_000_000
_UNITS: Final[Mapping[Meter, int]] = MappingProxyType(
    {meter: MILLION for meter in Meter if meter.endswith("_tokens")} | {Meter.CHARACTERS: MILLION, Meter.SECONDS: 60}
)
_MOST_DIGITS: Final = 24
MAX_PRICE: Final = 1_000_000  # US dollars; a price above it is a mistake of the decimal point
MAX_AMOUNT: Final = 1_000_000_000  # US dollars, of one top-up

Dollars = Mapping[Meter, str]  # per million, per minute or per piece, as decimal text


class LongContext(Struct, frozen=True, forbid_unknown_fields=True):
    """Other prices for calls whose prompt is longer than `above` tokens."""

    above: int
    price: Dollars


class SeedModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the seed file; what is empty is taken from its family."""

    name: ModelName
    price: Dollars
    official: Dollars = msgspec.field(default_factory=dict[Meter, str])  # the provider's own price where it differs
    long_context: LongContext | None = None
    context: int = 0
    output: int = 0
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    category: str = ""
    endpoint: str = ""
    released: date | None = None
    cutoff: str = ""
    hot: bool = False
    image: bool = False
    deprecated: bool = False


class Family(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models of one provider that share a group, a path and operations."""

    provider: str
    owner: str
    group: str
    category: str
    endpoint: str
    operations: tuple[str, ...]
    models: tuple[SeedModel, ...]
    inputs: tuple[str, ...] = ("text",)
    outputs: tuple[str, ...] = ("text",)
    context: int = 0
    image: bool = False


class Entry(Struct, frozen=True, kw_only=True):
    """One model, complete."""

    name: ModelName
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
    released: str  # as a date
    knowledge_cutoff: str
    hot: bool
    image: bool
    deprecated: bool
    prices: tuple[NewPrice, ...]
    official: tuple[NewPrice, ...]  # one for each of `prices` without conditions


def read_seed() -> tuple[Entry, ...]:
    """The models of the seed file."""
    text = files(__package__ or __name__).joinpath("catalogue.yaml").read_bytes()
    families = msgspec.yaml.decode(text, type=tuple[Family, ...])
    return tuple(_complete(family, model) for family in families for model in family.models)


def _complete(family: Family, model: SeedModel) -> Entry:
    released = model.released or date(2024, 1, 1)
    return Entry(
        name=model.name,
        provider=family.provider,
        owner=family.owner,
        group=family.group,
        category=model.category or family.category,
        endpoint=model.endpoint or family.endpoint,
        operations=model.operations or family.operations,
        inputs=model.inputs or family.inputs,
        outputs=model.outputs or family.outputs,
        context_window=model.context or family.context,
        max_output=model.output,
        released=released.isoformat(),
        created=int(datetime(released.year, released.month, released.day, tzinfo=UTC).timestamp()),
        knowledge_cutoff=model.cutoff,
        hot=model.hot,
        image=model.image or family.image,
        deprecated=model.deprecated,
        prices=_prices(model.price, model.long_context),
        official=_prices({**model.price, **model.official}, None),
    )


def _prices(price: Dollars, long_context: LongContext | None) -> tuple[NewPrice, ...]:
    rows = [price_row(meter, text) for meter, text in price.items()]
    if long_context is not None:
        condition = Condition("context_tokens", ">", long_context.above)
        rows.extend(price_row(meter, text, (condition,)) for meter, text in long_context.price.items())
    return tuple(rows)


def price_row(meter: Meter, usd: str, when: tuple[Condition, ...] = ()) -> NewPrice:
    """A price row of a decimal number of dollars per the meter's usual unit. Raises ValueError."""
    return NewPrice(meter=meter, per=_UNITS.get(meter, 1), price=parse_usd(usd), when=when)


def unit_of(meter: Meter) -> int:
    """How many units of a meter its list price is quoted for: a million tokens, 60 seconds, one request."""
    return _UNITS.get(meter, 1)


def parse_usd(text: str, most: int = MAX_PRICE) -> Nano:
    """Dollars as decimal text to exact nano-dollars: no float, no rounding. Raises ValueError."""
    return _parse(text, NANO_PER_USD, most, "an amount of US dollars")


def parse_ratio(text: str) -> Ratio:
    """A multiplier as decimal text to exact millionths. Raises ValueError."""
    return _parse(text, RATIO_ONE, 1_000, "a ratio")


def _parse(text: str, scale: int, most: int, what: str) -> int:
    try:
        number = Decimal(text if len(text) <= _MOST_DIGITS else "none")  # longer ones would be rounded on the way
    except InvalidOperation:
        raise ValueError(f"{text!r} is not {what}; write it in decimals, for example 1.25") from None
    if not number.is_finite() or not 0 <= number <= most:
        raise ValueError(f"{text!r} is not {what} between 0 and {most}")
    scaled = number * scale
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text!r} has too many decimals for {what}; the smallest step is {Decimal(1) / scale:f}")
    return int(scaled)


def format_scaled(value: int, scale: int) -> str:
    """An exact integer as the shortest decimal text: the inverse of the parsers."""
    text = f"{Decimal(value) / scale:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


format_usd: Final = partial(format_scaled, scale=NANO_PER_USD)
format_ratio: Final = partial(format_scaled, scale=RATIO_ONE)
