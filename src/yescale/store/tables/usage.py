"""What was used by the hour: sums of call rows, written in their transactions; of all calls, and of those with a tag.

The account comes first in both keys: whoever adds to an account's rows has locked its purse.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from yescale.domain.usage import Meter
from yescale.store.tables.columns import count, metadata


def _figures() -> Iterator[Column[int]]:
    return (count(name) for name in ("calls", "failed", "amount", "paid", "refunded"))


def _part(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


rollups: Final = Table(
    "rollups",
    metadata,
    _part("account_id"),
    _part("hour"),  # whole hours since 1970
    _part("key_id"),
    Column("model", Text, primary_key=True),
    Column("group", Text, primary_key=True),
    _part("channel_id"),
    *_figures(),
    *[count(meter.value) for meter in Meter],
    Index("ix_rollups_hour", "hour"),  # for what is asked of all accounts
    sqlite_with_rowid=False,
)

tag_rollups: Final = Table(
    "tag_rollups",
    metadata,
    _part("account_id"),
    Column("name", Text, primary_key=True),
    _part("hour"),
    Column("value", Text, primary_key=True),
    *_figures(),
    count("prompt_tokens"),
    count("completion_tokens"),
    sqlite_with_rowid=False,
)
