"""Responses that are kept for their account until they expire. Nobody reads here what is in them: it is encrypted."""

from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.store.bulk import either
from yescale.store.database import database_ms
from yescale.store.tables import responses


class KeptRow(Struct, frozen=True, kw_only=True):
    """A response to be kept."""

    account: AccountId
    response: str
    sealed: bytes
    keep_ms: int  # how long


class Kept(Struct, frozen=True):
    """What one account has: rows and their bytes."""

    count: int
    size: int


_NAMED: Final = (responses.c.account_id == bindparam("account"), responses.c.response_id == bindparam("response"))
_PUT: Final = either(
    lambda insert: (made := insert(responses)).on_conflict_do_update(
        index_elements=["account_id", "response_id"],
        set_={name: made.excluded[name] for name in ("sealed", "size", "created_ms", "expires_ms")},
    )
)
_FIND: Final = select(responses.c.sealed).where(*_NAMED, responses.c.expires_ms > bindparam("now"))
_REMOVE: Final = responses.delete().where(*_NAMED, responses.c.expires_ms > bindparam("now"))
_WEIGH: Final = select(func.count(), func.coalesce(func.sum(responses.c.size), 0)).where(
    responses.c.account_id == bindparam("account")
)
_OLDEST: Final = (
    select(responses.c.id, responses.c.size)
    .where(responses.c.account_id == bindparam("account"))
    .order_by(responses.c.created_ms, responses.c.id)
    .limit(bindparam("most"))
)
_EXPIRED: Final = select(responses.c.id).where(responses.c.expires_ms <= bindparam("now")).limit(bindparam("most"))


async def put_response(connection: AsyncConnection, row: KeptRow) -> None:
    """Keep a response; one of the same account and id is replaced."""
    now = await database_ms(connection)
    values = {
        "account_id": row.account,
        "response_id": row.response,
        "sealed": row.sealed,
        "size": len(row.sealed),
        "created_ms": now,
        "expires_ms": now + row.keep_ms,
    }
    await connection.execute(_PUT[connection.dialect.name], values)


async def find_response(connection: AsyncConnection, account: AccountId, response: str) -> bytes | None:
    """What is kept of an account's response; None = nothing, or it has expired."""
    named = {"account": account, "response": response, "now": await database_ms(connection)}
    return (await connection.execute(_FIND, named)).scalar_one_or_none()


async def remove_response(connection: AsyncConnection, account: AccountId, response: str) -> bool:
    """Keep it no longer. False: there is none."""
    named = {"account": account, "response": response, "now": await database_ms(connection)}
    return (await connection.execute(_REMOVE, named)).rowcount > 0


async def weigh_responses(connection: AsyncConnection, account: AccountId) -> Kept:
    """How much an account has."""
    count, size = (await connection.execute(_WEIGH, {"account": account})).one()
    return Kept(int(count), int(size))


async def remove_oldest(connection: AsyncConnection, account: AccountId, bounds: Kept, most: int) -> int:
    """Remove an account's oldest responses until it is within its bounds, at most so many; how many went."""
    there = await weigh_responses(connection, account)
    count, size, going = there.count, there.size, list[int]()
    for row in (await connection.execute(_OLDEST, {"account": account, "most": most})).all():
        if count <= bounds.count and size <= bounds.size:
            break
        going.append(row.id)
        count, size = count - 1, size - row.size
    await connection.execute(responses.delete().where(responses.c.id.in_(going)))
    return len(going)


async def remove_expired(connection: AsyncConnection, most: int) -> int:
    """Remove responses that have expired, at most so many; how many went."""
    expired = _EXPIRED.params(now=await database_ms(connection), most=most)
    return (await connection.execute(responses.delete().where(responses.c.id.in_(expired)))).rowcount
