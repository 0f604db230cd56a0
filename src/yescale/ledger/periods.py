"""The periods of budgets: which one a moment lies in, and when it ends, at the midnight of a time zone."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from yescale.domain.limits import Window

_HOUR_MS: Final = 3_600_000
_UTC: Final = "UTC"


class NoSuchZone(Exception):
    """The machine knows no time zone of that name."""


class Period(Struct, frozen=True):
    """One window of a limit: its name, and its end in unix milliseconds; None = it has none."""

    label: str
    until_ms: int | None


def find_zone(name: str) -> ZoneInfo:
    """A time zone by its name. Raises NoSuchZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise NoSuchZone(f"There is no time zone {name!r}; names are such as UTC or Asia/Ho_Chi_Minh.") from error


def period_of(window: Window, zone: str, now_ms: int) -> Period:
    """The period of `now_ms`. Hours are those of the clock; weeks begin on Monday. Raises NoSuchZone."""
    match window:
        case "total":
            return Period("total", None)
        case "hour":
            start_ms = now_ms - now_ms % _HOUR_MS
            return Period(datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%Y-%m-%dT%HZ"), start_ms + _HOUR_MS)
        case _:
            here = find_zone(zone)
            midnight = datetime.fromtimestamp(now_ms / 1000, here).replace(hour=0, minute=0, second=0, microsecond=0)
            label, end = _calendar(window, midnight)
            label = label if zone == _UTC else f"{label} {zone}"
            return Period(label, int(end.timestamp() * 1000))


def _calendar(window: Window, midnight: datetime) -> tuple[str, datetime]:
    """Adding days to a time with a zone moves its calendar, so that a day may have 23 or 25 hours."""
    match window:
        case "week":
            monday = midnight - timedelta(days=midnight.weekday())
            return monday.strftime("%G-W%V"), monday + timedelta(days=7)
        case "month":
            first = midnight.replace(day=1)
            return first.strftime("%Y-%m"), (first + timedelta(days=32)).replace(day=1)
        case _:
            return midnight.strftime("%Y-%m-%d"), midnight + timedelta(days=1)
