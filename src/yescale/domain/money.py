"""Money is an integer count of nano-dollars inside and of quota outside; nothing is ever a float."""

from typing import Final

Nano = int  # billionths of a US dollar
Ratio = int  # millionths: a group's multiplier of 1.75 is 1_750_000
Quota = int  # what the outside sees: 500,000 quota = 1 USD

NANO_PER_USD: Final = 1_000_000_000
NANO_PER_QUOTA: Final = 2_000
QUOTA_PER_USD: Final = 500_000
RATIO_ONE: Final[Ratio] = 1_000_000


def divide_half_up(numerator: int, denominator: int) -> int:
    """The quotient of two non-negative integers, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


def quota_of(amount: Nano) -> Quota:
    """An amount on a row, in quota, rounded half away from zero."""
    rounded = divide_half_up(abs(amount), NANO_PER_QUOTA)
    return rounded if amount >= 0 else -rounded


def quota_balance(balance: Nano) -> Quota:
    """What is left, in quota, rounded down: never more than can be spent."""
    return balance // NANO_PER_QUOTA


def write_dollars(amount: Nano) -> str:
    """An amount that is not negative, exactly, with two decimals or as many as it needs: `$0.50`, `$0.0005`."""
    whole, rest = divmod(amount, NANO_PER_USD)
    return f"${whole}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"
