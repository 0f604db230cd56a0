"""API keys: stored as keyed hashes, shown masked. Limits are purses, which the ledger writes."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, KeyId, PurseId
from yescale.domain.link import KeyRecord
from yescale.domain.money import Nano
from yescale.store.limits import limits_of_key
from yescale.store.search import containing
from yescale.store.tables import accounts, keys, purses


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
        keys.c.account_id,
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
    )
    .join(accounts, accounts.c.id == keys.c.account_id)
    .join(purses, purses.c.id == keys.c.purse_id)
    .where(keys.c.hash == bindparam("hash"), keys.c.deleted_ms.is_(None), accounts.c.deleted_ms.is_(None))
)
_decode: Final = msgspec.json.Decoder(tuple[str, ...]).decode


async def create_key(connection: AsyncConnection, new: NewKey) -> KeyId:
    """Store a key and return its id."""
    values = {name: getattr(new, name) for name in NewKey.__struct_fields__}
    values["models"] = None if new.models is None else msgspec.json.encode(new.models).decode()
    values["allow_ips"] = "\n".join(new.allow_ips)
    return KeyId((await connection.execute(keys.insert().values(values).returning(keys.c.id))).scalar_one())


async def key_record(connection: AsyncConnection, key_hash: bytes) -> KeyRecord | None:
    """What a worker must know of the key with this hash; None where there is none or it is deleted."""
    row = (await connection.execute(_RECORD, {"hash": key_hash})).mappings().first()
    if row is None:
        return None
    values: dict[str, Any] = {**row, "models": _models(row["models"]), "allow_ips": _lines(row["allow_ips"])}
    values["account"] = values.pop("account_id")
    values["limits"] = await limits_of_key(connection, values["account"], values["id"])
    return KeyRecord(**values)


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


async def update_key(connection: AsyncConnection, key: KeyId, **fields: Any) -> bool:
    """Set columns of a key; False if there is none. Note the change in the feed in the same transaction."""
    if "models" in fields and fields["models"] is not None:
        fields["models"] = msgspec.json.encode(fields["models"]).decode()
    if "allow_ips" in fields:
        fields["allow_ips"] = "\n".join(fields["allow_ips"])
    done = await connection.execute(keys.update().where(keys.c.id == key, keys.c.deleted_ms.is_(None)).values(fields))
    return done.rowcount > 0


async def hashes_of(connection: AsyncConnection, ids: Iterable[KeyId]) -> tuple[bytes, ...]:
    """The hashes of these keys, for the change feed."""
    rows = await connection.execute(select(keys.c.hash).where(keys.c.id.in_(list(ids))))
    return tuple(rows.scalars())


def _row(row: Any) -> KeyRow:
    values: dict[str, Any] = {**row, "models": _models(row["models"]), "allow_ips": _lines(row["allow_ips"])}
    return KeyRow(**values)


def _models(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else _decode(text)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n") if line.strip())
