"""The bank: raises leases against purses, all or none, and never twice for the same question."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import Incarnation, PurseId
from yescale.domain.link import INCARNATION_CLOSED, NO_LIMIT, PERIOD_OVER, Granted, Refused, Want
from yescale.ledger.budgets import SCOPE, with_purses
from yescale.ledger.incarnations import open_incarnation
from yescale.ledger.rows import Lease, Purse, lock_purses, read_leases, strain, write_leases, write_purses
from yescale.store.database import database_ms
from yescale.store.tables import incarnations

_SHARE: Final = 8  # one draw takes beyond its need at most this part of what is free, so that others find some
# FOR SHARE: many draws at a time, but none while the incarnation is being closed.
_STANDING: Final = (
    select(incarnations.c.closed_ms).where(incarnations.c.id == bindparam("incarnation")).with_for_update(read=True)
)


async def draw(
    connection: AsyncConnection, incarnation: Incarnation, wants: Sequence[Want], *, node: str = ""
) -> tuple[Granted, ...] | Refused:
    """Raise the leases of `incarnation` to what it wants, all or none. Totals: asking again changes nothing.

    Run it in a write transaction of its own and commit before answering, also when it refuses: what the worker says it
    was granted (`have`) is believed, which mends a database that went back in time.
    """
    if await _closed(connection, incarnation, node):
        return Refused(purse=wants[0].purse, code=INCARNATION_CLOSED)
    named = await with_purses(connection, wants)
    if isinstance(named, Refused):
        return named
    asked = {want.purse: want for want in sorted(named, key=lambda want: want.purse)}
    purses = await lock_purses(connection, asked)
    for purse_id in asked:
        if purse_id not in purses or purses[purse_id].closed:
            return Refused(purse=purse_id, code="invalid_api_key")
    leases = await read_leases(connection, incarnation, asked)
    before = {purse_id: (lease.granted, purses[purse_id].held) for purse_id, lease in leases.items()}
    for purse_id, want in asked.items():
        await _believe(connection, purses[purse_id], leases[purse_id], want.have)
    now_ms = await database_ms(connection) if any(purse.until_ms is not None for purse in purses.values()) else 0
    refusal = next(
        (
            refused
            for purse_id, want in asked.items()
            if (refused := _refusal(purses[purse_id], leases[purse_id], want, now_ms))
        ),
        None,
    )
    if refusal is None:
        for purse_id, want in asked.items():
            _raise(purses[purse_id], leases[purse_id], want)
    moved = [lease for purse_id, lease in leases.items() if (lease.granted, purses[purse_id].held) != before[purse_id]]
    await write_purses(connection, [purses[lease.purse_id] for lease in moved])
    await write_leases(connection, moved)
    return refusal or tuple(_answer(purses[purse_id], leases[purse_id], now_ms) for purse_id in asked)


async def _closed(connection: AsyncConnection, incarnation: Incarnation, node: str) -> bool:
    row = (await connection.execute(_STANDING, {"incarnation": incarnation})).one_or_none()
    if row is None:  # a restored database does not know who lives
        await open_incarnation(connection, incarnation, node=node)
        row = (await connection.execute(_STANDING, {"incarnation": incarnation})).one()
    return row.closed_ms is not None


async def _believe(connection: AsyncConnection, purse: Purse, lease: Lease, have: int) -> None:
    if have > lease.granted:
        held_before = lease.outstanding
        lease.granted = have
        purse.held += lease.outstanding - held_before
        await strain(connection, purse)


def _rise(lease: Lease, total: int) -> int:
    return max(0, total - lease.settled - lease.returned) - lease.outstanding if total > lease.granted else 0


def _refusal(purse: Purse, lease: Lease, want: Want, now_ms: int) -> Refused | None:
    expired = purse.until_ms is not None and purse.until_ms <= now_ms
    need = _rise(lease, want.least)
    if not expired and (not purse.limited or need <= 0 or need <= purse.balance - purse.held):
        return None
    return Refused(
        purse=purse.id,
        code=PERIOD_OVER if expired and purse.limit_id is not None else _code(purse),
        balance=purse.balance,
        held=purse.held,
        limit=purse.limit_id or NO_LIMIT,
        valid_s=_left_s(purse, now_ms),
    )


def _code(purse: Purse) -> str:
    if purse.until_ms is not None or purse.scope == SCOPE:
        return "budget_exceeded"
    if purse.scope == "key" and purse.balance == 0:
        return "key_exhausted"
    return "insufficient_balance"


def _left_s(purse: Purse, now_ms: int) -> float | None:
    return None if purse.until_ms is None else (purse.until_ms - now_ms) / 1000


def _raise(purse: Purse, lease: Lease, want: Want) -> None:
    need = _rise(lease, want.least)
    ahead = _rise(lease, max(want.least, want.want))
    rise = max(need, min(ahead, (purse.balance - purse.held) // _SHARE)) if purse.limited else ahead
    if rise > 0:
        # An overrun or a restore may have left the lease below what was spent of it: start from there.
        lease.granted = max(lease.granted, lease.settled + lease.returned) + rise
        purse.held += rise


def _answer(purse: Purse, lease: Lease, now_ms: int) -> Granted:
    return Granted(
        purse=PurseId(purse.id),
        total=lease.granted,
        valid_s=_left_s(purse, now_ms),
        limit=purse.limit_id or NO_LIMIT,
    )
