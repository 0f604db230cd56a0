"""Purses as their owners see them: made, limited, read, closed. Closed, never removed: calls in flight are charged."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, KeyId, PurseId
from yescale.domain.money import Nano
from yescale.ledger.rows import Purse, lock_purses, new_purse, strain, write_purses
from yescale.store import changes
from yescale.store.bulk import padded
from yescale.store.database import database_ms
from yescale.store.tables import accounts, keys, purses

_KEY: Final = select(keys.c.purse_id, keys.c.status, keys.c.hash).where(
    keys.c.id == bindparam("key"), keys.c.deleted_ms.is_(None)
)
_OWNED: Final = select(accounts.c.purse_id).where(accounts.c.id == bindparam("account")).with_for_update()
_CLOSE: Final = (
    purses.update()
    .where(purses.c.id.in_(bindparam("ids", expanding=True)), purses.c.closed.is_(False))
    .values(closed=True)
    .returning(purses.c.id)
)
_READ: Final = select(*[purses.c[name] for name in Purse.__struct_fields__]).where(
    purses.c.id.in_(bindparam("ids", expanding=True))
)


class NoSuchKey(Exception):
    """The key does not exist or is deleted."""


class Limited(Struct, frozen=True, kw_only=True):
    """A key's limit after an edit. `recall`: leases hold more than what is left; recall the purse."""

    purse: PurseId
    remaining: Nano
    held: Nano
    recall: bool


async def open_account_purse(connection: AsyncConnection, account: AccountId) -> PurseId:
    """The account's purse, made if it has none. Money comes into it by entries alone."""
    owned: PurseId | None = (await connection.execute(_OWNED, {"account": account})).scalar_one()
    if owned is not None:
        return owned
    purse = await new_purse(connection, account, "account")
    await connection.execute(accounts.update().where(accounts.c.id == account), {"purse_id": purse})
    return purse


async def open_key_purse(connection: AsyncConnection, account: AccountId, *, granted: Nano, limited: bool) -> PurseId:
    """A purse for a key that is about to be stored. An unlimited one counts and never refuses."""
    return await new_purse(connection, account, "key", granted=granted, limited=limited)


async def set_key_limit(
    connection: AsyncConnection, key: KeyId, *, remaining: Nano | None = None, limited: bool | None = None
) -> Limited:
    """Set what a key may still spend (absolute), or whether that limits it. Revives an exhausted key.

    Raises NoSuchKey. The change is in the feed with the commit; where `recall`, recall the purse behind it.
    """
    found = (await connection.execute(_KEY, {"key": key})).one_or_none()
    if found is None:
        raise NoSuchKey(f"Key {key} does not exist.")
    purse = (await lock_purses(connection, [found.purse_id]))[found.purse_id]
    if remaining is not None:
        purse.granted = purse.spent + remaining
        purse.balance = remaining
        purse.over = 0
    if limited is not None and limited != purse.limited:
        purse.limited = limited
        await connection.execute(purses.update().where(purses.c.id == purse.id), {"limited": limited})
    await strain(connection, purse)
    await write_purses(connection, [purse])
    if purse.balance > 0 or not purse.limited:
        await connection.execute(keys.update().where(keys.c.id == key, keys.c.status == 4), {"status": 1})
    await changes.note(connection, "key", key_hash=found.hash, at_ms=await database_ms(connection))
    recall = purse.limited and purse.held > purse.balance
    return Limited(purse=purse.id, remaining=purse.balance, held=purse.held, recall=recall)


async def delete_key(connection: AsyncConnection, key: KeyId) -> PurseId:
    """Delete a key: its purse closes, what it holds is to be recalled. Raises NoSuchKey."""
    found = (await connection.execute(_KEY, {"key": key})).one_or_none()
    if found is None:
        raise NoSuchKey(f"Key {key} does not exist.")
    await _close(connection, [found.purse_id])
    now_ms = await database_ms(connection)
    await connection.execute(keys.update().where(keys.c.id == key), {"deleted_ms": now_ms})
    await changes.note(connection, "key", key_hash=found.hash, at_ms=now_ms)
    await changes.note(connection, "purse", purse=found.purse_id, at_ms=now_ms)
    return PurseId(found.purse_id)


async def close_purses(connection: AsyncConnection, ids: Iterable[PurseId]) -> None:
    """Grant nothing more from these purses; what is out is to be given back, calls in flight are charged."""
    closed = await _close(connection, ids)
    now_ms = await database_ms(connection)
    for purse in closed:
        await changes.note(connection, "purse", purse=purse, at_ms=now_ms)


async def read_purses(connection: AsyncConnection, ids: Iterable[PurseId]) -> dict[PurseId, Purse]:
    """The purses that exist, as they are now, without a lock."""
    wanted = padded(ids)
    rows = (await connection.execute(_READ, {"ids": wanted})).mappings() if wanted else ()
    return {row["id"]: Purse(**row) for row in rows}


async def _close(connection: AsyncConnection, ids: Iterable[PurseId]) -> list[PurseId]:
    locked = await lock_purses(connection, ids)
    if not locked:
        return []
    return sorted((await connection.execute(_CLOSE, {"ids": padded(locked)})).scalars())
