"""Prices as rows, and what they make of a usage: lines that explain themselves."""

from typing import Final, Literal

from msgspec import Struct

from yescale.domain.ids import ModelName, PriceId
from yescale.domain.money import Nano, Ratio
from yescale.domain.usage import Meter

CONTEXT_TOKENS: Final = "context_tokens"  # the fact that every call of tokens has: the size of its prompt
SERVICE_TIER: Final = "service_tier"  # as the answer says that it was served
USUAL_TIER: Final = "default"


class Condition(Struct, frozen=True):
    """`attribute op value`, for example `context_tokens > 200000` or `resolution = 1080p`."""

    attribute: str
    op: Literal["=", ">", "<="]
    value: str | int

    def __str__(self) -> str:
        return f"{self.attribute} {self.op} {self.value}"


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
