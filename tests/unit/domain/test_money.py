"""Money as it is written for people: exact, never a float."""

import pytest

from yescale.domain.money import write_dollars


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (1_000_000, "$0.001"),
        (500_000_000, "$0.50"),
        (12_345_000_000, "$12.345"),
        (2**53 * 10**9 + 1, "$9007199254740992.000000001"),
    ],
)
def test_an_amount_is_written_exactly(amount: int, written: str) -> None:
    assert write_dollars(amount) == written
