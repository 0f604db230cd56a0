"""Usage for those who ask: roll-ups summed up under headings, with the words that the headings have outside."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from yescale.control.context import Context
from yescale.domain.tags import NAMES, parse_tag
from yescale.store.usage import UsageFilter, UsageRow, account_names, key_names, usage_by

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
MONTH_S: Final = 30 * DAY_S


class UnknownTag(Exception):
    """No such tag can be given to a call; says which can."""


class Line(Struct, frozen=True):
    """One row, its headings as they are shown: by name, days and hours as text, keys and accounts with their names."""

    headings: Mapping[str, Any]
    row: UsageRow


def read_tag(written: str) -> tuple[str, str]:
    """`NAME`, for all of its values, or `NAME:VALUE`. Raises UnknownTag."""
    if not written or written in NAMES:
        return written, ""
    tag = parse_tag(written)
    if tag is None:
        raise UnknownTag(f"say NAME or NAME:VALUE, where NAME is one of {', '.join(NAMES)}")
    return tag


async def sum_up(desk: Context, wanted: UsageFilter) -> tuple[list[Line], bool]:
    """The rows, journals settled first; and whether there are more than the limit."""
    await desk.catch_up()
    async with desk.database.reading() as connection:
        rows, more = await usage_by(connection, wanted)
        keys = await key_names(connection, _values(rows, wanted.by, "key"))
        accounts = await account_names(connection, _values(rows, wanted.by, "account"))
    return [Line(_show(row, wanted.by, keys, accounts), row) for row in rows], more


def _values(rows: Sequence[UsageRow], by: tuple[str, ...], heading: str) -> Sequence[int]:
    if heading not in by:
        return ()
    place = by.index(heading)
    return sorted({row.headings[place] for row in rows})


def _show(
    row: UsageRow, by: tuple[str, ...], keys: Mapping[int, str], accounts: Mapping[int, str]
) -> Mapping[str, Any]:
    shown: dict[str, Any] = dict(zip(by, row.headings, strict=True))
    if "hour" in shown:
        shown["hour"] = datetime.fromtimestamp(shown["hour"] * HOUR_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if "day" in shown:
        shown["day"] = datetime.fromtimestamp(shown["day"] * DAY_S, UTC).date().isoformat()
    if "key" in shown:
        shown["key_name"] = keys.get(shown["key"], "")
    if "account" in shown:
        shown["username"] = accounts.get(shown["account"], "")
    return shown
