"""Settlement: what workers' journals say was spent becomes the books, each line exactly once.

The offset is compared and set first, in the same transaction as everything that the lines change.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, Text, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, Incarnation, KeyId, PurseId
from yescale.domain.journal import MOST
from yescale.domain.money import Nano
from yescale.ledger.journal_file import Record
from yescale.ledger.logbook import log_calls
from yescale.ledger.rows import Purse, lock_purses, read_leases, strain, write_leases, write_purses
from yescale.ledger.tally import Bill, Book, Reject, Tally, named
from yescale.store import changes
from yescale.store.bulk import BulkInsert, Statement, as_given, either, listed, padded, same
from yescale.store.database import CLOCKS, Unstorable, savepoint
from yescale.store.logs import insert_refusals
from yescale.store.tables import accounts, entries, journals, keys, postings, quarantine

_MAKE: Final = either(lambda make: make(journals).on_conflict_do_nothing(index_elements=["incarnation", "file"]))
_ADVANCE: Final = Statement(
    {
        name: journals.update()
        .where(
            journals.c.incarnation == bindparam("of"),
            journals.c.file == bindparam("number"),
            journals.c.off == bindparam("old"),
        )
        .values(off=bindparam("new"))
        .returning(journals.c.id, journals.c.n, clock)
        for name, clock in CLOCKS.items()
    }
)
_LAST_N: Final = select(journals.c.n).where(
    journals.c.incarnation == bindparam("of"), journals.c.file == bindparam("number")
)
_COUNT: Final = same(
    journals.update()
    .where(journals.c.id == bindparam("journal"))
    .values(
        n=bindparam("last"),
        ends=journals.c.ends + bindparam("more_ends"),
        amount=journals.c.amount + bindparam("more"),
        grown_ms=bindparam("now"),
    )
)
_OFFSETS: Final = select(journals.c.file, journals.c.off).where(journals.c.incarnation == bindparam("of"))
_ACCOUNTS: Final = listed(
    lambda given: select(accounts.c.id, accounts.c.purse_id, accounts.c.username).where(given.has(accounts.c.id))
)
_KEYS: Final = listed(lambda given: select(keys.c.id, keys.c.purse_id).where(given.has(keys.c.id)))
_ENTRIES: Final = listed(
    lambda given: (
        insert(entries)
        .from_select(
            ["kind", "account_id", "at_ms"],
            select(bindparam("kind", type_=Text), given.value, bindparam("now", type_=BigInteger)),
        )
        .returning(entries.c.account_id, entries.c.id)
    )
)
_POSTINGS: Final = BulkInsert(postings, ("entry_id", "book", "account_id", "amount"))
_QUARANTINE: Final = BulkInsert(quarantine, ("incarnation", "file", "off", "raw", "reason", "amount", "at_ms"))
_EXHAUST: Final = (
    keys.update()
    .where(keys.c.purse_id.in_(bindparam("ids", expanding=True)), keys.c.status == 1)
    .values(status=4)
    .returning(keys.c.hash)
)


class Overtaken(Exception):
    """Someone else settled this part of the file. Roll back, read the offset from the database, go on from there."""


class Batch(Struct, frozen=True, kw_only=True):
    """Records of one journal file between two offsets: at most a few hundred."""

    incarnation: Incarnation
    file: int
    start: int
    end: int
    records: tuple[Record, ...]


class Settled(Struct, frozen=True, kw_only=True):
    """What a batch did. `alarms` are for the operator: lost, unreadable or unapplicable lines."""

    calls: int = 0
    amount: Nano = 0
    shortfall: Nano = 0
    quarantined: int = 0
    alarms: tuple[str, ...] = ()
    exhausted: int = 0  # keys whose limit is used up now


class _Place(Struct, frozen=True):
    """The locked row of a journal file, with the number of the last line, and the database's time."""

    journal: int
    n: int
    now_ms: int


class _Done(Struct, frozen=True):
    settled: Settled
    n: int


async def settle(connection: AsyncConnection, batch: Batch) -> Settled:
    """Apply a batch in the caller's write transaction. Raises Overtaken, on which that must roll back.

    A line that cannot be applied goes to the quarantine and stops nothing.
    """
    place = await _advance(connection, batch)
    try:
        async with savepoint(connection):
            done = await _apply(connection, batch, batch.records, place)
    except Unstorable:
        done = await _apply_singly(connection, batch, place)
    await _COUNT.fetch(
        connection,
        journal=place.journal,
        last=done.n,
        more_ends=done.settled.calls,
        more=done.settled.amount,
        now=place.now_ms,
    )
    return done.settled


async def offsets(connection: AsyncConnection, incarnation: Incarnation) -> dict[int, int]:
    """How far each file of an incarnation is settled. Files that are not named: 0."""
    return {row.file: row.off for row in await connection.execute(_OFFSETS, {"of": incarnation})}


async def _advance(connection: AsyncConnection, batch: Batch) -> _Place:
    step = {"of": batch.incarnation, "number": batch.file, "old": batch.start, "new": batch.end}
    rows = await _ADVANCE.fetch(connection, **step)
    if not rows and batch.start == 0:
        fresh = {"incarnation": batch.incarnation, "file": batch.file}
        await connection.execute(_MAKE[connection.dialect.name], fresh)
        rows = await _ADVANCE.fetch(connection, **step)
    if not rows:
        raise Overtaken(f"Offset {batch.start} of file {batch.file} of {batch.incarnation} is no longer the newest.")
    journal, n, now_ms = rows[0]
    if n == 0 and batch.file > 1:
        n = (await connection.execute(_LAST_N, {"of": batch.incarnation, "number": batch.file - 1})).scalar() or 0
    return _Place(journal, n, now_ms)


async def _apply_singly(connection: AsyncConnection, batch: Batch, place: _Place) -> _Done:
    total, n = Settled(), place.n
    for record in batch.records:
        try:
            async with savepoint(connection):
                done = await _apply(connection, batch, (record,), _Place(place.journal, n, place.now_ms))
        except Unstorable as error:
            reject = Reject(record, f"the database refuses it: {error}")
            await _reject(connection, batch, [reject], place.now_ms)
            n = max(n, record.line.n) if record.line is not None else n
            done = _Done(Settled(quarantined=1, alarms=_alarms(batch, [], [reject])), n)
        n = done.n
        total = _sum(total, done.settled)
    return _Done(total, n)


def _sum(one: Settled, other: Settled) -> Settled:
    return Settled(
        calls=one.calls + other.calls,
        amount=one.amount + other.amount,
        shortfall=one.shortfall + other.shortfall,
        quarantined=one.quarantined + other.quarantined,
        alarms=one.alarms + other.alarms,
        exhausted=one.exhausted + other.exhausted,
    )


async def _apply(connection: AsyncConnection, batch: Batch, records: Sequence[Record], place: _Place) -> _Done:
    book, usernames = await _read(connection, batch.incarnation, records)
    tally = Tally(book, place.n)
    for record in records:
        tally.take(record)
    strained, emptied = tally.close()
    for purse in strained:
        await strain(connection, purse)
    await write_purses(connection, book.purses.values())
    await write_leases(connection, tally.leased)
    entered = await _enter(connection, tally.bills, place.now_ms)
    await log_calls(connection, tally.charges, entered, place.journal)
    await insert_refusals(connection, tally.refusals, usernames)
    await _reject(connection, batch, tally.rejects, place.now_ms)
    exhausted = await _exhaust(connection, emptied, place.now_ms) if emptied else 0
    return _Done(
        Settled(
            calls=len(tally.charges),
            amount=sum([bill.paid + bill.rest for bill in tally.bills.values()]),
            shortfall=sum([bill.rest for bill in tally.bills.values()]),
            quarantined=len(tally.rejects),
            alarms=_alarms(batch, tally.alarms, tally.rejects),
            exhausted=exhausted,
        ),
        tally.n,
    )


async def _read(
    connection: AsyncConnection, incarnation: Incarnation, records: Sequence[Record]
) -> tuple[Book, dict[AccountId, str]]:
    ids = named(records)
    account_rows = await _by_id(connection, _ACCOUNTS, ids.accounts)
    account_purses = {account: purse for account, purse, _ in account_rows if purse is not None}
    key_purses: dict[KeyId, PurseId] = dict(await _by_id(connection, _KEYS, ids.keys))
    purses = await lock_purses(connection, ids.purses.union(account_purses.values(), key_purses.values()))
    leases = await read_leases(connection, incarnation, purses)
    book = Book(purses=purses, leases=leases, account_purses=account_purses, key_purses=key_purses)
    return book, {account: username for account, _, username in account_rows}


async def _by_id(connection: AsyncConnection, statement: Statement, ids: Iterable[int]) -> Sequence[Any]:
    wanted = [number for number in ids if 0 < number <= MOST]
    return await statement.fetch(connection, given=as_given(wanted)) if wanted else ()


async def _enter(connection: AsyncConnection, bills: dict[AccountId, Bill], now_ms: int) -> dict[AccountId, int]:
    if not bills:
        return {}
    rows = await _ENTRIES.fetch(connection, given=as_given(bills), kind="calls", now=now_ms)
    entered: dict[AccountId, int] = dict(rows)
    posted: list[tuple[int, str, int | None, Nano]] = []
    for account, bill in bills.items():
        entry = entered[account]
        posted.append((entry, "revenue", None, bill.paid + bill.rest))
        if bill.paid:
            posted.append((entry, "account", account, -bill.paid))
        if bill.rest:
            posted.append((entry, "shortfall", None, -bill.rest))
    await _POSTINGS.run(connection, posted)
    return entered


async def _reject(connection: AsyncConnection, batch: Batch, rejects: Sequence[Reject], now_ms: int) -> None:
    await _QUARANTINE.run(
        connection,
        [
            (batch.incarnation, batch.file, reject.record.off, reject.record.raw, reject.reason, reject.amount, now_ms)
            for reject in rejects
        ],
    )


async def _exhaust(connection: AsyncConnection, emptied: Sequence[Purse], now_ms: int) -> int:
    ids = padded(purse.id for purse in emptied)
    hashes = (await connection.execute(_EXHAUST, {"ids": ids})).scalars().all()
    for key_hash in hashes:
        await changes.note(connection, "key", key_hash=key_hash, at_ms=now_ms)
    return len(hashes)


def _alarms(batch: Batch, said: Sequence[str], rejects: Sequence[Reject]) -> tuple[str, ...]:
    place = f"journal {batch.incarnation}/{batch.file}"
    quarantined = (f"{place} at {reject.record.off}: quarantined, {reject.reason}" for reject in rejects)
    return (*(f"{place}: {sentence}" for sentence in said), *quarantined)
