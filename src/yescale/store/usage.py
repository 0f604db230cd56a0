"""Roll-ups: what an account used in an hour by key, model, group and channel, or by tag; added to, and summed up."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Label, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.domain.money import Nano
from yescale.domain.usage import Meter
from yescale.store.bulk import Addition, BulkAdd
from yescale.store.calls import tokens_of
from yescale.store.search import matching
from yescale.store.tables import accounts, keys, rollups, tag_rollups

HOUR_MS: Final = 3_600_000
_HOURS: Final = 24
_FIGURES: Final = ("calls", "failed", "amount", "paid", "refunded")
METERS: Final = tuple(Meter)


_ADD: Final = BulkAdd(rollups, ("account_id", "hour", "key_id", "model", "group", "channel_id"))
_ADD_TAGGED: Final = BulkAdd(tag_rollups, ("account_id", "name", "hour", "value"))


async def add_usage(connection: AsyncConnection, rows: Sequence[Addition], tagged: Sequence[Addition]) -> None:
    """Add to the roll-ups; no place twice. Lock the accounts' purses first: then writers cannot wait in a circle."""
    await _ADD.run(connection, rows)
    await _ADD_TAGGED.run(connection, tagged)


class UsageFilter(Struct, frozen=True, kw_only=True):
    """What is summed up, by which headings. None, 0 and "" = any; `model` may hold `*`; hours inclusive.

    With `tag_name`, calls with such a tag: by hour, day, account and tag alone.
    """

    by: tuple[str, ...]
    first_hour: int
    last_hour: int
    account: AccountId | None = None
    key: int = 0
    model: str = ""
    group: str = ""
    channel: int = 0
    tag_name: str = ""
    tag_value: str = ""
    limit: int = 1_000
    skip: int = 0


class UsageRow(Struct, frozen=True, kw_only=True):
    """What was used under the headings, whose values stand in the order in which they were asked for.

    An hour counts from 1970, a day too; `usage` is empty for tags.
    """

    headings: tuple[Any, ...]
    calls: int
    failed: int
    amount: Nano
    paid: Nano
    refunded: Nano
    prompt_tokens: int
    completion_tokens: int
    usage: dict[Meter, int]


HEADINGS: Final[Mapping[str, ColumnElement[Any]]] = MappingProxyType(
    {
        "hour": rollups.c.hour,
        "day": rollups.c.hour // _HOURS,
        "account": rollups.c.account_id,
        "key": rollups.c.key_id,
        "model": rollups.c.model,
        "group": rollups.c.group,
        "channel": rollups.c.channel_id,
    }
)
TAG_HEADINGS: Final[Mapping[str, ColumnElement[Any]]] = MappingProxyType(
    {
        "hour": tag_rollups.c.hour,
        "day": tag_rollups.c.hour // _HOURS,
        "account": tag_rollups.c.account_id,
        "tag": tag_rollups.c.value,
    }
)
_SUMS: Final = tuple(func.sum(rollups.c[name]) for name in (*_FIGURES, *METERS))
_TAG_SUMS: Final = tuple(func.sum(tag_rollups.c[name]) for name in (*_FIGURES, "prompt_tokens", "completion_tokens"))


async def usage_by(connection: AsyncConnection, wanted: UsageFilter) -> tuple[tuple[UsageRow, ...], bool]:
    """The sums in the order of their headings, and whether there are more than the limit."""
    tagged = bool(wanted.tag_name)
    known, sums = (TAG_HEADINGS, _TAG_SUMS) if tagged else (HEADINGS, _SUMS)
    columns: list[Label[Any]] = [known[name].label(f"heading_{place}") for place, name in enumerate(wanted.by)]
    query = (
        select(*columns, *sums)
        .where(*(_tagged(wanted) if tagged else _conditions(wanted)))
        .group_by(*columns)
        .order_by(*columns)
        .limit(wanted.limit + 1)
        .offset(wanted.skip)
    )
    rows = (await connection.execute(query)).all()
    show = _tag_row if tagged else _row
    return tuple(show(row, len(columns)) for row in rows[: wanted.limit]), len(rows) > wanted.limit


async def key_names(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, str]:
    """What keys are called, the deleted too."""
    rows = await connection.execute(select(keys.c.id, keys.c.name).where(keys.c.id.in_(ids)))
    return {row[0]: row[1] for row in rows}


async def account_names(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, str]:
    """The login names of accounts."""
    rows = await connection.execute(select(accounts.c.id, accounts.c.username).where(accounts.c.id.in_(ids)))
    return {row[0]: row[1] for row in rows}


def _conditions(wanted: UsageFilter) -> list[ColumnElement[bool]]:
    exact = (
        (rollups.c.account_id, wanted.account),
        (rollups.c.key_id, wanted.key),
        (rollups.c.group, wanted.group),
        (rollups.c.channel_id, wanted.channel),
    )
    found: list[ColumnElement[bool]] = [column == value for column, value in exact if value]
    found += [rollups.c.hour >= wanted.first_hour, rollups.c.hour <= wanted.last_hour]
    if wanted.model:
        found.append(matching(rollups.c.model, wanted.model))
    return found


def _tagged(wanted: UsageFilter) -> list[ColumnElement[bool]]:
    exact = ((tag_rollups.c.account_id, wanted.account), (tag_rollups.c.value, wanted.tag_value))
    found: list[ColumnElement[bool]] = [column == value for column, value in exact if value]
    found.append(tag_rollups.c.name == wanted.tag_name)
    return [*found, tag_rollups.c.hour >= wanted.first_hour, tag_rollups.c.hour <= wanted.last_hour]


def _row(row: Sequence[Any], headings: int) -> UsageRow:
    calls, failed, amount, paid, refunded, *counts = (int(value) for value in row[headings:])
    usage = {meter: value for meter, value in zip(METERS, counts, strict=True) if value}
    prompt, completion = tokens_of(usage)
    return UsageRow(
        headings=tuple(row[:headings]),
        calls=calls,
        failed=failed,
        amount=amount,
        paid=paid,
        refunded=refunded,
        prompt_tokens=prompt,
        completion_tokens=completion,
        usage=usage,
    )


def _tag_row(row: Sequence[Any], headings: int) -> UsageRow:
    calls, failed, amount, paid, refunded, prompt, completion = (int(value) for value in row[headings:])
    return UsageRow(
        headings=tuple(row[:headings]),
        calls=calls,
        failed=failed,
        amount=amount,
        paid=paid,
        refunded=refunded,
        prompt_tokens=prompt,
        completion_tokens=completion,
        usage={},
    )
