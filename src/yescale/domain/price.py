"""Prices as rows, and what they make of a usage: lines that explain themselves."""

from typing import Literal

from msgspec import Struct

from yescale.domain.ids import ModelName, PriceId
from yescale.domain.money import Nano, Ratio
from yescale.domain.usage import Meter


class Condition(Struct, frozen=True):
    """`attribute op value`, for example `context_tokens > 200000` or `resolution = 1080p`."""

    attribute: str
    op: Literal["=", ">", "<="]
    value: str | int


class PriceRule(Struct, frozen=True, kw_only=True):
    """One immutable row: `per` units of `meter` cost `price`, where every condition holds. Superseded, never edited."""

    id: PriceId
    model: ModelName
    meter: Meter
    per: int  # 1_000_000 for "per million tokens"
    price: Nano
    when: tuple[Condition, ...] = ()


class Line(Struct, frozen=True, kw_only=True):
    """One explained amount: quantity x price / per x ratio, rounded half up once."""

    rule: PriceId
    meter: Meter
    quantity: int
    per: int
    price: Nano
    ratio: Ratio
    amount: Nano


class Quote(Struct, frozen=True):
    """What a usage costs, line by line."""

    lines: tuple[Line, ...] = ()

    @property
    def total(self) -> Nano:
        """The sum of the lines, in nano-dollars."""
        return sum(line.amount for line in self.lines)
