"""API keys: stored as keyed hashes, shown masked. Limits are purses, which the ledger writes."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, KeyId, PurseId
from yescale.domain.link import AUTO, KeyRecord
from yescale.domain.money import Nano
from yescale.store.database import database_ms
from yescale.store.limits import limits_of_key
from yescale.store.search import containing
from yescale.store.tables import accounts, keys, old_secrets, purses


class NewKey(Struct, frozen=True, kw_only=True):
    """A key to be stored; make its purse first with `ledger.purses.open_key_purse`."""

    hash: bytes
    masked: str
    name: str
    account_id: AccountId
    group: str
    purse_id: PurseId
    models: tuple[str, ...] | None = None  # None = any
    allow_ips: tuple[str, ...] = ()
    status: int = 1
    created_at: int
    expires_at: int = -1
    groups: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    max_output: int = 0
    tags: dict[str, str] = {}


class KeyRow(Struct, frozen=True, kw_only=True):
    """A key as its owner sees it. Nano: `remaining` may be below zero for unlimited keys."""

    id: KeyId
    hash: bytes
    masked: str
    name: str
    account_id: AccountId
    group: str
    status: int
    models: tuple[str, ...] | None
    allow_ips: tuple[str, ...]
    created_at: int
    expires_at: int
    groups: tuple[str, ...] | None
    operations: tuple[str, ...] | None
    max_output: int
    tags: dict[str, str]
    deleted_ms: int | None
    purse_id: PurseId
    limited: bool
    granted: Nano
    spent: Nano
    balance: Nano
    held: Nano
    used_ms: int  # 0 = never
    calls: int

    @property
    def remaining(self) -> Nano:
        """What was granted and is not spent; a limited key shows at least 0."""
        return self.balance if self.limited else self.granted - self.spent

    @property
    def used(self) -> Nano:
        """What is gone: with `remaining` it always makes up what was granted."""
        return self.granted - self.remaining


_OF_PURSE: Final = frozenset({"limited", "granted", "spent", "balance", "held", "used_ms", "calls"})
_SELECT: Final = select(*[(purses if name in _OF_PURSE else keys).c[name] for name in KeyRow.__struct_fields__]).join(
    purses, purses.c.id == keys.c.purse_id
)
_BY_ID: Final = _SELECT.where(keys.c.id == bindparam("key"), keys.c.deleted_ms.is_(None))
_RECORD: Final = (
    select(
        keys.c.id,
        keys.c.name,
        keys.c.account_id.label("account"),
        accounts.c.username,
        keys.c.group,
        keys.c.status,
        accounts.c.status.label("account_status"),
        accounts.c.role,
        keys.c.expires_at,
        keys.c.models,
        keys.c.allow_ips,
        accounts.c.purse_id.label("account_purse"),
        keys.c.purse_id.label("key_purse"),
        purses.c.limited,
        keys.c.groups,
        keys.c.operations,
        keys.c.max_output,
        keys.c.tags,
    )
    .join(accounts, accounts.c.id == keys.c.account_id)
    .join(purses, purses.c.id == keys.c.purse_id)
    .where(keys.c.deleted_ms.is_(None), accounts.c.deleted_ms.is_(None))
)
_BY_HASH: Final = _RECORD.where(keys.c.hash == bindparam("hash"))
_BY_OLD: Final = (
    _RECORD.add_columns(old_secrets.c.until_ms)
    .join(old_secrets, old_secrets.c.key_id == keys.c.id)
    .where(old_secrets.c.hash == bindparam("hash"))
)
_KNOWN: Final = (
    select(keys.c.id, keys.c.account_id, keys.c.deleted_ms)
    .outerjoin(old_secrets, old_secrets.c.key_id == keys.c.id)
    .where(or_(keys.c.hash == bindparam("hash"), old_secrets.c.hash == bindparam("hash")))
)
_LOCK_SECRET: Final = select(keys.c.hash).where(keys.c.id == bindparam("key")).with_for_update()
_LISTS: Final = ("models", "groups", "operations")
_decode: Final = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_tags: Final = msgspec.json.Decoder(dict[str, str]).decode


async def create_key(connection: AsyncConnection, new: NewKey) -> KeyId:
    """Store a key and return its id."""
    values = _stored({name: getattr(new, name) for name in NewKey.__struct_fields__})
    return KeyId((await connection.execute(keys.insert().values(values).returning(keys.c.id))).scalar_one())


async def key_record(connection: AsyncConnection, key_hash: bytes) -> KeyRecord | None:
    """What a worker must know of the key with this secret; None where there is none or it is deleted.

    A secret that was replaced expires with its overlap, though the key does not.
    """
    row = (await connection.execute(_BY_HASH, {"hash": key_hash})).mappings().first()
    if row is not None:
        return await _limited(connection, _record(row))
    old = (await connection.execute(_BY_OLD, {"hash": key_hash})).mappings().first()
    if old is None or old["until_ms"] <= await database_ms(connection):
        return None
    until = old["until_ms"] // 1_000
    expires_at = min(until, old["expires_at"]) if old["expires_at"] >= 0 else until
    return await _limited(connection, _record({**old, "expires_at": expires_at}))


async def _limited(connection: AsyncConnection, record: KeyRecord) -> KeyRecord:
    return replace(record, limits=await limits_of_key(connection, record.account, record.id))


async def owner_of(connection: AsyncConnection, key_hash: bytes) -> tuple[KeyId, AccountId, bool] | None:
    """The key that has, or had, a secret, and whose it is; and whether it is deleted."""
    row = (await connection.execute(_KNOWN, {"hash": key_hash})).first()
    return None if row is None else (row[0], row[1], row[2] is not None)


async def replace_secret(
    connection: AsyncConnection, key: KeyId, key_hash: bytes, masked: str, until_ms: int | None
) -> tuple[bytes, ...]:
    """Give a key another secret; the one before works until then, or no more. Note what is returned in the feed."""
    before: bytes = (await connection.execute(_LOCK_SECRET, {"key": key})).scalar_one()
    dropped = await connection.execute(
        old_secrets.delete().where(old_secrets.c.key_id == key).returning(old_secrets.c.hash)
    )
    gone = tuple(dropped.scalars())
    await connection.execute(keys.update().where(keys.c.id == key), {"hash": key_hash, "masked": masked})
    if until_ms is not None:
        await connection.execute(old_secrets.insert(), {"hash": before, "key_id": key, "until_ms": until_ms})
    return (before, *gone)


async def other_secrets(connection: AsyncConnection, hashes: Collection[bytes]) -> tuple[bytes, ...]:
    """The secrets that the keys of these had before: a change of the key concerns them as well."""
    if not hashes:
        return ()
    of_keys = select(old_secrets.c.hash).join(keys, keys.c.id == old_secrets.c.key_id)
    return tuple((await connection.execute(of_keys.where(keys.c.hash.in_(hashes)))).scalars())


async def find_key(connection: AsyncConnection, key: KeyId) -> KeyRow | None:
    """The key of an id, unless it is deleted."""
    row = (await connection.execute(_BY_ID, {"key": key})).mappings().first()
    return None if row is None else _row(row)


async def list_keys(connection: AsyncConnection, account: AccountId, *, keyword: str = "") -> tuple[KeyRow, ...]:
    """The keys of an account whose name contains `keyword`, newest first, without the deleted."""
    query = _SELECT.where(keys.c.account_id == account, keys.c.deleted_ms.is_(None)).order_by(keys.c.id.desc())
    if keyword:
        query = query.where(containing(keys.c.name, keyword))
    return tuple(_row(row) for row in (await connection.execute(query)).mappings())


async def page_keys(
    connection: AsyncConnection, account: AccountId | None, *, before: int, limit: int
) -> tuple[KeyRow, ...]:
    """Keys of an account, or of all, newest first, those with a smaller id than `before` (0 = from the newest)."""
    query = _SELECT.where(keys.c.deleted_ms.is_(None)).order_by(keys.c.id.desc()).limit(limit)
    if account is not None:
        query = query.where(keys.c.account_id == account)
    if before:
        query = query.where(keys.c.id < before)
    return tuple(_row(row) for row in (await connection.execute(query)).mappings())


async def update_key(connection: AsyncConnection, key: KeyId, **fields: Any) -> bool:
    """Set columns of a key; False if there is none. Note the change in the feed in the same transaction."""
    values = _stored(fields)
    done = await connection.execute(keys.update().where(keys.c.id == key, keys.c.deleted_ms.is_(None)).values(values))
    return done.rowcount > 0


async def hashes_of(connection: AsyncConnection, ids: Iterable[KeyId]) -> tuple[bytes, ...]:
    """The hashes of these keys, for the change feed."""
    rows = await connection.execute(select(keys.c.hash).where(keys.c.id.in_(list(ids))))
    return tuple(rows.scalars())


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as their columns hold them."""
    values = dict(fields)
    for name in (*_LISTS, "tags"):
        if values.get(name) is not None:
            values[name] = msgspec.json.encode(values[name]).decode()
    if "allow_ips" in values:
        values["allow_ips"] = "\n".join(values["allow_ips"])
    return values


def _read(row: Any) -> dict[str, Any]:
    lists = {name: None if row[name] is None else _decode(row[name]) for name in _LISTS}
    return {**row, **lists, "allow_ips": _lines(row["allow_ips"]), "tags": _decode_tags(row["tags"])}


def _record(row: Any) -> KeyRecord:
    values = _read(row)
    values.pop("until_ms", None)
    values["groups"] = (values["groups"] or ()) if values["group"] == AUTO else ()
    values["tags"] = tuple(values["tags"].items())
    return KeyRecord(**values)


def _row(row: Any) -> KeyRow:
    return KeyRow(**_read(row))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n") if line.strip())
