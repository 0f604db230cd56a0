"""What a model costs in the customers' currency, and what is saved against the provider's own price (contract, 3.1)."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from msgspec import Struct

from yescale.control.catalogue import format_usd
from yescale.domain.money import NANO_PER_USD, RATIO_ONE, Nano, Ratio

_CENT: Final = Decimal("0.01")


class Market(Struct, frozen=True):
    """Top-up price of one US dollar of credit, and the market's rate of a US dollar, in dong."""

    vnd_per_credit: int = 8_000
    vnd_per_usd: int = 26_000


class Saving(Struct, frozen=True):
    """The three figures of the catalogue: dong at the provider, dong here, and the difference in percent."""

    official_vnd: Decimal
    here_vnd: Decimal
    percent: Decimal

    def explain(self, unit: str) -> str:
        """A bullet list of the three figures."""
        return (
            f"- Official price: {shorten(self.official_vnd)} VND{unit}\n"
            f"- YEScale price: {shorten(self.here_vnd)} VND{unit}\n"
            f"- Saving: {self.percent}%"
        )


def compare(market: Market, official: Nano, listed: Nano, ratio: Ratio) -> Saving:
    """The saving of a price; nothing is saved where the provider has no price."""
    official_vnd = Decimal(official) * market.vnd_per_usd / NANO_PER_USD
    here_vnd = Decimal(listed) * ratio * market.vnd_per_credit / (NANO_PER_USD * RATIO_ONE)
    percent = (official_vnd - here_vnd) / official_vnd * 100 if official_vnd else Decimal(0)
    return Saving(official_vnd, here_vnd, percent.quantize(_CENT, ROUND_HALF_UP))


def price_text(market: Market, listed: Nano, ratio: Ratio) -> str:
    """A price per request as the catalogue shows it: `0.04 ~ 400 VND`."""
    return f"{format_usd(listed)} ~ {shorten(compare(market, 0, listed, ratio).here_vnd)} VND"


def shorten(number: Decimal) -> str:
    """A number in decimals without trailing zeros, two decimals at most."""
    text = f"{number.quantize(_CENT, ROUND_HALF_UP):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
