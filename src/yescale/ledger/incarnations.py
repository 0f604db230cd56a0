"""Lives of workers: opened at their first word, closed when their writer is proven gone."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, Incarnation, KeyId, PurseId
from yescale.domain.journal import EndLine, OpenCall
from yescale.domain.money import Nano
from yescale.ledger.logbook import log_calls
from yescale.ledger.rows import lock_purses, read_leases, write_leases, write_purses
from yescale.ledger.tally import Charge
from yescale.store.bulk import either, padded
from yescale.store.database import database_ms
from yescale.store.tables import accounts, incarnations, journals, keys, leases

_OPEN: Final = either(lambda insert: insert(incarnations).on_conflict_do_nothing(index_elements=["id"]))
_LOCK: Final = (
    select(incarnations.c.closed_ms, incarnations.c.ended_ms)
    .where(incarnations.c.id == bindparam("incarnation"))
    .with_for_update()
)
_OFFSETS: Final = select(journals.c.file, journals.c.off).where(journals.c.incarnation == bindparam("incarnation"))
_LEASED: Final = select(leases.c.purse_id).where(leases.c.incarnation == bindparam("incarnation"))
_NAMES: Final = (
    select(
        keys.c.id, keys.c.name, keys.c.group, keys.c.purse_id, accounts.c.id, accounts.c.username, accounts.c.purse_id
    )
    .join(accounts, accounts.c.id == keys.c.account_id)
    .where(keys.c.id.in_(bindparam("ids", expanding=True)))
)
_UNENDED: Final = select(incarnations.c.id).where(
    incarnations.c.ended_ms.is_(None), incarnations.c.node == bindparam("node")
)


class NotReadToTheEnd(Exception):
    """The journal of a dead worker holds more than what is settled. Settle on, then close it again."""


class Closed(Struct, frozen=True, kw_only=True):
    """What a death released and left behind."""

    released: Nano  # over all purses
    interrupted: int  # calls


class _Names(Struct, frozen=True):
    key_id: KeyId
    key_name: str
    group: str
    key_purse: PurseId
    account_id: AccountId
    username: str
    account_purse: PurseId | None


async def open_incarnation(
    connection: AsyncConnection, incarnation: Incarnation, *, node: str, slot: int = 0, program: str = ""
) -> None:
    """Make an incarnation known; again is harmless."""
    row = {
        "id": incarnation,
        "node": node,
        "slot": slot,
        "program": program,
        "opened_ms": await database_ms(connection),
    }
    await connection.execute(_OPEN[connection.dialect.name], row)


async def unended(connection: AsyncConnection, node: str) -> tuple[Incarnation, ...]:
    """The incarnations of a node whose journals are not read to the end."""
    return tuple((await connection.execute(_UNENDED, {"node": node})).scalars())


async def close_incarnation(
    connection: AsyncConnection,
    incarnation: Incarnation,
    opens: Sequence[OpenCall],
    sizes: Mapping[int, int],
    *,
    node: str = "",
) -> Closed:
    """The death of a worker whose lock control holds: its leases are given back, its open calls are `interrupted`.

    `opens`: the calls without an end, over all its files; `sizes`: the size of each file, which must be settled so far
    (a torn tail as a line that cannot be read). Raises NotReadToTheEnd. Again is harmless.
    """
    standing = await _lock(connection, incarnation, node)
    if standing.ended_ms is not None:
        return Closed(released=0, interrupted=0)
    offsets = {row.file: row.off for row in await connection.execute(_OFFSETS, {"incarnation": incarnation})}
    behind = [file for file, size in sizes.items() if offsets.get(file, 0) < size]
    if behind:
        raise NotReadToTheEnd(f"File {behind[0]} of incarnation {incarnation} is not settled to its end; settle first.")
    names = await _names(connection, [call.key for call in opens])
    released = await _release(connection, incarnation, opens, names)
    await log_calls(connection, [Charge(_interrupted(call, names.get(call.key)), 0) for call in opens], {}, None)
    now_ms = await database_ms(connection)
    await connection.execute(
        incarnations.update().where(incarnations.c.id == incarnation),
        {"closed_ms": standing.closed_ms or now_ms, "ended_ms": now_ms},
    )
    return Closed(released=released, interrupted=len(opens))


async def reclaim(connection: AsyncConnection, incarnation: Incarnation) -> Nano:
    """Give back the leases of a lost node's worker, whose journal cannot be read now. Its late charges still apply.

    Returns what was released; the journal is closed by `close_incarnation` if the node ever comes back.
    """
    standing = await _lock(connection, incarnation, "")
    released = await _release(connection, incarnation, (), {}, lost=True)
    if standing.closed_ms is None:
        now_ms = await database_ms(connection)
        await connection.execute(incarnations.update().where(incarnations.c.id == incarnation), {"closed_ms": now_ms})
    return released


class _Standing(Struct, frozen=True):
    closed_ms: int | None
    ended_ms: int | None


async def _lock(connection: AsyncConnection, incarnation: Incarnation, node: str) -> _Standing:
    row = (await connection.execute(_LOCK, {"incarnation": incarnation})).one_or_none()
    if row is None:
        await open_incarnation(connection, incarnation, node=node)
        row = (await connection.execute(_LOCK, {"incarnation": incarnation})).one()
    return _Standing(row.closed_ms, row.ended_ms)


async def _release(
    connection: AsyncConnection,
    incarnation: Incarnation,
    opens: Sequence[OpenCall],
    names: Mapping[KeyId, _Names],
    *,
    lost: bool = False,
) -> Nano:
    leased: set[PurseId] = set((await connection.execute(_LEASED, {"incarnation": incarnation})).scalars())
    callers = [names[call.key] for call in opens if call.key in names]
    counted = [purse for caller in callers for purse in (caller.account_purse, caller.key_purse) if purse is not None]
    purses = await lock_purses(connection, leased.union(counted))
    held = await read_leases(connection, incarnation, leased)
    released = 0
    now_ms = await database_ms(connection)
    for purse_id, lease in held.items():
        rest = lease.outstanding
        lease.returned += rest
        released += rest
        if purse_id in purses:
            purses[purse_id].held = max(0, purses[purse_id].held - rest)
            if lost:
                purses[purse_id].strained_ms = purses[purse_id].strained_ms or now_ms
    for purse_id in counted:
        if purse_id in purses:
            purses[purse_id].calls += 1
    await write_purses(connection, purses.values())
    await write_leases(connection, held.values())
    return released


async def _names(connection: AsyncConnection, ids: Sequence[KeyId]) -> dict[KeyId, _Names]:
    if not ids:
        return {}
    rows = await connection.execute(_NAMES, {"ids": padded(ids)})
    return {row[0]: _Names(*row) for row in rows}


def _interrupted(call: OpenCall, caller: _Names | None) -> EndLine:
    return EndLine(
        n=0,
        id=call.id,
        at_ms=call.at_ms,
        key=call.key,
        account=call.account,
        username=caller.username if caller else "",
        key_name=caller.key_name if caller else "",
        group=caller.group if caller else "",
        model=call.model,
        upstream_model="",
        channel=call.channel,
        outcome="interrupted",
        status=0,
        stream=call.stream,
        usage={},
        estimated=False,
        lines=(),
        amount=0,
        charges=(),
        attempts=(),
        first_ms=-1,
        total_ms=-1,
        snapshot=0,
        error="interrupted",
        tags=call.tags,
        note="The gateway process ended before the call did; nothing was charged.",
    )
