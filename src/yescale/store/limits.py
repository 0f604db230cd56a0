"""Limits: rows that are set, read and taken away. Their purses are the ledger's."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, KeyId, LimitId
from yescale.domain.limits import Limit, Limits, Scope, What, Window
from yescale.store.bulk import either
from yescale.store.tables import limits


class NewLimit(Struct, frozen=True, kw_only=True):
    """A limit to be set. `account_id`: whose its purses are; `zone`: whose midnight ends its days."""

    scope: Scope
    subject: str
    what: What
    window: Window
    amount: int
    zone: str
    account_id: AccountId


class LimitRow(NewLimit, frozen=True, kw_only=True):
    """A limit that is set."""

    id: LimitId
    created_ms: int
    updated_ms: int


_SHARED: Final = ("group", "model", "channel")
_STANDING: Final = limits.c.deleted_ms.is_(None)
_ROWS: Final = select(*[limits.c[name] for name in LimitRow.__struct_fields__]).where(_STANDING).order_by(limits.c.id)
_RECORDS: Final = select(*[limits.c[name] for name in Limit.__struct_fields__]).where(_STANDING).order_by(limits.c.id)
_OF_GATEWAY: Final = _RECORDS.where(limits.c.scope.in_(_SHARED))
_OF_KEY: Final = _RECORDS.where(
    or_(
        and_(limits.c.scope == "account", limits.c.subject == bindparam("account")),
        and_(limits.c.scope == "key", limits.c.subject == bindparam("key")),
    )
)
_SET: Final = either(
    lambda insert: (
        (made := insert(limits))
        .on_conflict_do_update(
            index_elements=["scope", "subject", "what", "window"],
            set_={name: made.excluded[name] for name in ("amount", "zone", "account_id", "updated_ms")}
            | {"deleted_ms": None},
        )
        .returning(limits.c.id)
    )
)


async def set_limit(connection: AsyncConnection, new: NewLimit, now_ms: int) -> LimitId:
    """Set a limit, or change the one of the same scope, subject, count and window. Bring its purses up to date."""
    row = {name: getattr(new, name) for name in NewLimit.__struct_fields__}
    row |= {"created_ms": now_ms, "updated_ms": now_ms, "deleted_ms": None}
    return LimitId((await connection.execute(_SET[connection.dialect.name], row)).scalar_one())


async def delete_limit(connection: AsyncConnection, limit: LimitId, now_ms: int) -> None:
    """Take a limit away; its number comes back with it, should it be set again."""
    await connection.execute(limits.update().where(limits.c.id == limit).values(deleted_ms=now_ms))


async def find_limit(connection: AsyncConnection, limit: LimitId) -> LimitRow | None:
    """A limit that stands."""
    row = (await connection.execute(_ROWS.where(limits.c.id == limit))).mappings().first()
    return None if row is None else LimitRow(**row)


async def list_limits(connection: AsyncConnection, *, scope: str = "", subject: str = "") -> Sequence[LimitRow]:
    """The limits that stand, oldest first; of a scope, or of one subject in it."""
    query = _ROWS if not scope else _ROWS.where(limits.c.scope == scope)
    query = query if not subject else query.where(limits.c.subject == subject)
    return [LimitRow(**row) for row in (await connection.execute(query)).mappings()]


async def shared_limits(connection: AsyncConnection) -> Limits:
    """Those of groups, models and channels, as the snapshot has them."""
    return tuple(Limit(**row) for row in (await connection.execute(_OF_GATEWAY)).mappings())


async def limits_of_key(connection: AsyncConnection, account: AccountId, key: KeyId) -> Limits:
    """Those of an account and of its key, as the key's record has them."""
    asked = {"account": str(account), "key": str(key)}
    return tuple(Limit(**row) for row in (await connection.execute(_OF_KEY, asked)).mappings())
