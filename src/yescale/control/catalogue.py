"""Amounts as the catalogue writes them: decimal prices as exact integers, the units they are quoted for, conditions."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from types import MappingProxyType
from typing import Final, Literal, cast

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

_CONDITION: Final = re.compile(r"([a-z][a-z0-9_]{0,63}) (=|>|<=) (\S(?:.{0,62}\S)?)")
_WHOLE: Final = re.compile(r"[0-9]{1,15}")
_AND: Final = " & "
_PLURAL: Final = -1


def price_row(meter: Meter, usd: str, when: tuple[Condition, ...] = ()) -> NewPrice:
    """A price row of a decimal number of dollars per the meter's usual unit. Raises ValueError."""
    return NewPrice(meter=meter, per=unit_of(meter), price=parse_usd(usd), when=when)


def unit_of(meter: Meter) -> int:
    """How many units of a meter its list price is quoted for: a million tokens, 60 seconds, one request."""
    return _UNITS.get(meter, 1)


def name_unit(meter: Meter, per: int) -> str:
    """What a price is for, in words: `1,000,000 input tokens`, `1 request` (promise 17)."""
    words = meter.replace("_", " ").replace("1h", "(1 h)")
    if per != 1:
        return f"{per:,} {words}"
    return f"1 {words[:_PLURAL] if not words.endswith('searches') else words.removesuffix('es')}"


def fact_of(value: str | int) -> str | int:
    """A fact as conditions compare it: what is written in digits is a number."""
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def parse_conditions(text: str) -> tuple[Condition, ...]:
    """`context_tokens > 200000 & service_tier = flex`. Raises ValueError."""
    return tuple(_parse_condition(part) for part in text.split(_AND))


def _parse_condition(text: str) -> Condition:
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no condition; write for example `context_tokens > 200000` or `quality = high`")
    attribute, op, value = found.groups()
    known = fact_of(value)
    if op != "=" and not isinstance(known, int):
        raise ValueError(f"{text!r} compares with what is no number")
    return Condition(attribute, cast("Literal['=', '>', '<=']", op), known)


def format_conditions(when: Iterable[Condition]) -> str:
    """The inverse of `parse_conditions`."""
    return _AND.join(str(condition) for condition in when)


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
