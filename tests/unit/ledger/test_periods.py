"""Periods of budgets: where a moment lies, and when its window ends."""

from datetime import datetime

import pytest

from yescale.domain.limits import Window
from yescale.ledger.periods import NoSuchZone, Period, period_of


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("window", "zone", "now", "label", "until"),
    [
        ("hour", "UTC", "2026-03-01T10:59:59Z", "2026-03-01T10Z", "2026-03-01T11:00:00Z"),
        ("day", "UTC", "2026-03-01T00:00:00Z", "2026-03-01", "2026-03-02T00:00:00Z"),
        ("day", "UTC", "2026-12-31T23:59:59Z", "2026-12-31", "2027-01-01T00:00:00Z"),
        ("day", "Asia/Ho_Chi_Minh", "2026-03-01T17:00:00Z", "2026-03-02 Asia/Ho_Chi_Minh", "2026-03-02T17:00:00Z"),
        ("day", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29 Europe/Berlin", "2026-03-29T22:00:00Z"),
        ("day", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25 Europe/Berlin", "2026-10-25T23:00:00Z"),
        ("week", "UTC", "2027-01-03T23:00:00Z", "2026-W53", "2027-01-04T00:00:00Z"),
        ("month", "UTC", "2026-12-31T23:00:00Z", "2026-12", "2027-01-01T00:00:00Z"),
        ("month", "Asia/Tokyo", "2026-01-31T15:00:00Z", "2026-02 Asia/Tokyo", "2026-02-28T15:00:00Z"),
    ],
)
def test_a_period_has_the_name_and_the_end_that_the_calendar_of_its_zone_says(
    window: Window, zone: str, now: str, label: str, until: str
) -> None:
    assert period_of(window, zone, ms(now)) == Period(label, ms(until))


def test_a_limit_in_all_has_one_period_for_ever() -> None:
    assert (
        period_of("total", "UTC", 0) == period_of("total", "UTC", ms("2026-01-01T00:00:00Z")) == Period("total", None)
    )


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../etc/passwd", "/etc/passwd", "UTC\0"])
def test_a_zone_that_is_not_known_is_refused(zone: str) -> None:
    with pytest.raises(NoSuchZone):
        period_of("day", zone, 0)
