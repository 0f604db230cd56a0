"""Budgets: limits whose windows are purses, made by the first draw of each period and kept in step with the limit."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import BigInteger, and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import LimitId, PurseId
from yescale.domain.limits import MONEY, REQUESTS, TOKENS, UNITS
from yescale.domain.link import PERIOD_OVER, Refused, Want
from yescale.ledger.periods import period_of
from yescale.ledger.rows import lock_purses, strain, write_purses
from yescale.store.bulk import Given, Query, Statement, as_given, either, listed
from yescale.store.database import database_ms
from yescale.store.tables import limits, purses

SCOPE: Final = "budget"
_UNIT: Final = {"money": UNITS[MONEY], "tokens": UNITS[TOKENS], "requests": UNITS[REQUESTS]}
_OPEN: Final = or_(purses.c.until_ms.is_(None), purses.c.until_ms > bindparam("now", type_=BigInteger))


def _current(given: Given, *, lock: bool) -> Query:
    query = (
        select(
            limits.c.id,
            limits.c.what,
            limits.c.window,
            limits.c.zone,
            limits.c.amount,
            limits.c.account_id,
            limits.c.deleted_ms,
            purses.c.id,
        )
        .outerjoin(purses, and_(purses.c.limit_id == limits.c.id, _OPEN))
        .where(given.has(limits.c.id))
        .order_by(limits.c.id, purses.c.id)
    )
    return query.with_for_update(read=True, of=limits) if lock else query


_CURRENT: Final = listed(lambda given: _current(given, lock=False))
_LOCKED: Final = listed(lambda given: _current(given, lock=True))  # a purse must not be made of what is being changed
_MAKE: Final = either(lambda insert: insert(purses).on_conflict_do_nothing(index_elements=["limit_id", "period"]))
_OF_LIMIT: Final = select(purses.c.id).where(purses.c.limit_id == bindparam("limit"), _OPEN).order_by(purses.c.id)


class Bounded(Struct, frozen=True):
    """The purse of a limit after an edit. `recall`: leases hold more than what is left; recall it."""

    purse: PurseId
    recall: bool


class _Current(Struct, frozen=True):
    """A limit, and the purse of its current period, if there is one."""

    limit: LimitId
    what: str
    window: Any
    zone: str
    amount: int
    account: int
    deleted_ms: int | None
    purse: PurseId | None


async def with_purses(connection: AsyncConnection, wants: Sequence[Want]) -> Sequence[Want] | Refused:
    """The same wants, those of limits with the purse of the current period, which is made at its first use.

    Refused where a want names the purse of a period that is over, in whose totals it counts.
    """
    asked = {want.limit for want in wants if want.limit}
    if not asked:
        return wants
    now_ms = await database_ms(connection)
    current = await _read(connection, _CURRENT, asked, now_ms)
    if any(each.purse is None for each in current.values()):
        for each in (await _read(connection, _LOCKED, asked, now_ms)).values():  # in the order of ids, as all do
            if each.purse is None:
                await _make(connection, each, now_ms)
        current = await _read(connection, _CURRENT, asked, now_ms)
    found: list[Want] = []
    for want in wants:
        purse = current[want.limit].purse if want.limit in current else None
        if not want.limit:
            found.append(want)
        elif purse is None or want.purse not in (0, purse):
            return Refused(purse=want.purse, code=PERIOD_OVER, limit=want.limit)
        else:
            found.append(replace(want, purse=purse))
    return found


async def set_budget(connection: AsyncConnection, limit: LimitId, amount: int | None) -> tuple[Bounded, ...]:
    """Bring the purse of the current period in step with its limit; None = it counts and refuses no more.

    What was used in it stays used. Run it in the transaction that changes the limit.
    """
    found = (await connection.execute(_OF_LIMIT, {"limit": limit, "now": await database_ms(connection)})).scalars()
    locked = await lock_purses(connection, found)
    for purse in locked.values():
        if amount is not None:
            purse.granted = amount
            purse.balance = max(0, amount - purse.spent)
            purse.over = max(0, purse.spent - amount)
        await strain(connection, purse)
    await write_purses(connection, locked.values())
    await connection.execute(purses.update().where(purses.c.id.in_(list(locked))), {"limited": amount is not None})
    return tuple(Bounded(each.id, amount is not None and each.held > each.balance) for each in locked.values())


async def _read(
    connection: AsyncConnection, statement: Statement, asked: set[LimitId], now_ms: int
) -> dict[LimitId, _Current]:
    rows = await statement.fetch(connection, given=as_given(asked), now=now_ms)
    return {row[0]: _Current(*row) for row in rows}


async def _make(connection: AsyncConnection, limit: _Current, now_ms: int) -> None:
    period = period_of(limit.window, limit.zone, now_ms)
    row = {
        "account_id": limit.account,
        "scope": SCOPE,
        "unit": _UNIT[limit.what],
        "period": period.label,
        "until_ms": period.until_ms,
        "limited": limit.deleted_ms is None,
        "granted": limit.amount,
        "balance": limit.amount,
        "limit_id": limit.limit,
    }
    await connection.execute(_MAKE[connection.dialect.name], row)
