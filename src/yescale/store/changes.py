"""The change feed: rows numbered under one locked counter row, so that no slow commit is ever missed.

The counter is locked until commit: note changes last in a transaction, after every other lock.
"""

from typing import Final, Literal

from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, PurseId
from yescale.store.tables import changes, counters

Kind = Literal["key", "account", "purse", "snapshot"]


class Change(Struct, frozen=True, kw_only=True):
    """Something that a cache holds is different now: a key, all of an account, a closed purse, or the snapshot."""

    number: int
    kind: Kind
    key_hash: bytes | None = None
    account_id: AccountId | None = None
    purse_id: PurseId | None = None
    at_ms: int = 0


_NEXT: Final = (
    counters.update().where(counters.c.name == "changes").values(value=counters.c.value + 1).returning(counters.c.value)
)
_AFTER: Final = (
    select(changes).where(changes.c.number > bindparam("number")).order_by(changes.c.number).limit(bindparam("most"))
)
_LATEST: Final = select(counters.c.value).where(counters.c.name == "changes")
_FORGET: Final = changes.delete().where(changes.c.at_ms < bindparam("before_ms"))


async def note(
    connection: AsyncConnection,
    kind: Kind,
    *,
    key_hash: bytes | None = None,
    account: AccountId | None = None,
    purse: PurseId | None = None,
    at_ms: int,
) -> int:
    """Append a change and return its number. Holds the feed's lock until commit."""
    number: int = (await connection.execute(_NEXT)).scalar_one()
    row = {
        "number": number,
        "kind": kind,
        "key_hash": key_hash,
        "account_id": account,
        "purse_id": purse,
        "at_ms": at_ms,
    }
    await connection.execute(changes.insert(), row)
    return number


async def after(connection: AsyncConnection, number: int, most: int = 1_000) -> tuple[Change, ...]:
    """The changes behind `number`, in order, at most `most`."""
    rows = await connection.execute(_AFTER, {"number": number, "most": most})
    return tuple(Change(**row) for row in rows.mappings())


async def latest(connection: AsyncConnection) -> int:
    """The number of the newest change; 0 = none yet."""
    return (await connection.execute(_LATEST)).scalar_one()


async def forget(connection: AsyncConnection, before_ms: int) -> None:
    """Drop old changes; whoever is further behind than that starts anew."""
    await connection.execute(_FORGET, {"before_ms": before_ms})
