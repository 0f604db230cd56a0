"""Redemption codes: stored as keyed hashes, claimed once, counted where they are guessed."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import BigInteger, bindparam, case, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.domain.money import Nano
from yescale.store.bulk import either
from yescale.store.tables import accounts, code_tries, codes


class NewCode(Struct, frozen=True, kw_only=True):
    """A code to be stored."""

    hash: bytes
    masked: str
    batch: str
    amount: Nano
    expires_ms: int | None
    created_ms: int
    actor_id: AccountId | None = None


class CodeRow(Struct, frozen=True, kw_only=True):
    """A code as its operator sees it. `username`: who redeemed it."""

    id: int
    masked: str
    batch: str
    amount: Nano
    expires_ms: int | None
    created_ms: int
    voided_ms: int | None
    redeemed_ms: int | None
    account_id: AccountId | None
    username: str | None = None


class CodeFilter(Struct, frozen=True, kw_only=True):
    """Which codes, newest first; None = any. `below`: those with a smaller number."""

    batch: str | None = None
    account: AccountId | None = None
    below: int | None = None
    limit: int = 100


_COLUMNS: Final = tuple(codes.c[name] for name in CodeRow.__struct_fields__ if name != "username")
_INSERT: Final = codes.insert().returning(codes.c.id, sort_by_parameter_order=True)
_FIND: Final = select(*_COLUMNS).where(codes.c.hash == bindparam("of_hash"))
_CLAIM: Final = (
    codes.update()
    .where(
        codes.c.hash == bindparam("of_hash"),
        codes.c.redeemed_ms.is_(None),
        codes.c.voided_ms.is_(None),
        or_(codes.c.expires_ms.is_(None), codes.c.expires_ms > bindparam("now")),
    )
    .values(redeemed_ms=bindparam("now"), account_id=bindparam("account"))
    .returning(*_COLUMNS)
)
_OVER: Final = code_tries.c.since_ms <= bindparam("before", type_=BigInteger)
_TRY: Final = either(
    lambda insert: (
        insert(code_tries)
        .values(account_id=bindparam("account"), since_ms=bindparam("now"), tries=1)
        .on_conflict_do_update(
            index_elements=["account_id"],
            set_={
                "since_ms": case((_OVER, bindparam("now", type_=BigInteger)), else_=code_tries.c.since_ms),
                "tries": case((_OVER, 1), else_=code_tries.c.tries + 1),
            },
        )
        .returning(code_tries.c.tries, code_tries.c.since_ms)
    )
)
_TRY_BACK: Final = (
    code_tries.update()
    .where(code_tries.c.account_id == bindparam("account"), code_tries.c.tries > 0)
    .values(tries=code_tries.c.tries - 1)
)


async def insert_codes(connection: AsyncConnection, rows: Sequence[NewCode]) -> list[int]:
    """Store codes; their numbers, in order."""
    return list((await connection.execute(_INSERT, [asdict(row) for row in rows])).scalars())


async def claim_code(connection: AsyncConnection, code_hash: bytes, account: AccountId, now_ms: int) -> CodeRow | None:
    """Make a code the account's, if it is still anyone's; of many at once exactly one gets it."""
    row = await connection.execute(_CLAIM, {"of_hash": code_hash, "account": account, "now": now_ms})
    return _row(row.mappings().one_or_none())


async def find_code(connection: AsyncConnection, code_hash: bytes) -> CodeRow | None:
    """The code with this hash."""
    return _row((await connection.execute(_FIND, {"of_hash": code_hash})).mappings().one_or_none())


async def list_codes(connection: AsyncConnection, wanted: CodeFilter) -> list[CodeRow]:
    """Codes, newest first."""
    query = (
        select(*_COLUMNS, accounts.c.username)
        .outerjoin(accounts, accounts.c.id == codes.c.account_id)
        .order_by(codes.c.id.desc())
        .limit(wanted.limit)
    )
    if wanted.batch is not None:
        query = query.where(codes.c.batch == wanted.batch)
    if wanted.account is not None:
        query = query.where(codes.c.account_id == wanted.account)
    if wanted.below is not None:
        query = query.where(codes.c.id < wanted.below)
    return [CodeRow(**row) for row in (await connection.execute(query)).mappings()]


async def void_codes(
    connection: AsyncConnection, now_ms: int, *, code: int | None = None, batch: str | None = None
) -> int:
    """Let codes be redeemed no more, one or a whole batch; how many that were."""
    query = codes.update().where(codes.c.redeemed_ms.is_(None), codes.c.voided_ms.is_(None))
    query = query.where(codes.c.id == code if batch is None else codes.c.batch == batch)
    return (await connection.execute(query.values(voided_ms=now_ms))).rowcount


async def take_try(connection: AsyncConnection, account: AccountId, now_ms: int, window_ms: int) -> tuple[int, int]:
    """Count one code that an account tries: how many since when, this one included."""
    given = {"account": account, "now": now_ms, "before": now_ms - window_ms}
    row = (await connection.execute(_TRY[connection.dialect.name], given)).one()
    return row.tries, row.since_ms


async def give_try_back(connection: AsyncConnection, account: AccountId) -> None:
    """The code that was tried was a good one."""
    await connection.execute(_TRY_BACK, {"account": account})


def _row(row: Any) -> CodeRow | None:
    return None if row is None else CodeRow(**row)
