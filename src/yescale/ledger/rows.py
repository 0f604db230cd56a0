"""Purses and leases under lock: read in id order, worked on in memory, written back whole."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, Incarnation, LimitId, PurseId
from yescale.domain.money import Nano
from yescale.store.bulk import as_given, bulk_update, bulk_upsert, listed
from yescale.store.database import database_ms
from yescale.store.tables import leases, purses


class Purse(Struct, gc=False):
    """The working copy of a locked purse row. granted - spent = balance - over, always."""

    id: PurseId
    account_id: AccountId
    scope: str
    until_ms: int | None
    limited: bool
    closed: bool
    granted: Nano
    spent: Nano
    balance: Nano
    held: Nano
    over: Nano
    calls: int
    used_ms: int
    strained_ms: int
    unit: str  # nano, token, request
    limit_id: LimitId | None  # of a budget

    def pay(self, amount: Nano) -> Nano:
        """Charge in full: the balance pays what it can, which is returned; the rest is `over`."""
        paid = amount if amount < self.balance else self.balance
        self.balance -= paid
        self.over += amount - paid
        self.spent += amount
        return paid

    def take_back(self, amount: Nano, *, beside: bool) -> None:
        """Undo a charge. The account's own purse gets what it paid; one `beside` it first loses what is `over`."""
        undone = min(self.over, amount) if beside else 0
        self.spent -= amount
        self.over -= undone
        self.balance += amount - undone

    def put(self, amount: Nano) -> None:
        """Add money of its own."""
        self.granted += amount
        self.balance += amount


class Lease(Struct, gc=False):
    """What one incarnation may spend of one purse: three totals that only grow."""

    purse_id: PurseId
    incarnation: Incarnation
    granted: Nano = 0
    settled: Nano = 0
    returned: Nano = 0

    @property
    def outstanding(self) -> Nano:
        """Granted and neither spent nor returned, as far as control knows."""
        return max(0, self.granted - self.settled - self.returned)


_LOCK: Final = listed(
    lambda given: (
        select(*[purses.c[name] for name in Purse.__struct_fields__])
        .where(given.has(purses.c.id))
        .order_by(purses.c.id)
        .with_for_update()
    )
)
_LEASES: Final = listed(
    lambda given: select(*[leases.c[name] for name in Lease.__struct_fields__]).where(
        leases.c.incarnation == bindparam("incarnation"), given.has(leases.c.purse_id)
    )
)
_NEW: Final = purses.insert().returning(purses.c.id)
_MOVED: Final = ("granted", "spent", "balance", "held", "over", "calls", "used_ms", "strained_ms")
_WRITE_PURSES: Final = bulk_update(purses, "id", _MOVED)
_WRITE_LEASES: Final = bulk_upsert(leases, ("purse_id", "incarnation"), ("granted", "settled", "returned"))


async def lock_purses(connection: AsyncConnection, ids: Iterable[PurseId]) -> dict[PurseId, Purse]:
    """The purses that exist, locked in id order until the transaction ends."""
    wanted = set(ids)
    rows = await _LOCK.fetch(connection, given=as_given(wanted)) if wanted else ()
    return {row[0]: Purse(*row) for row in rows}


async def read_leases(
    connection: AsyncConnection, incarnation: Incarnation, ids: Iterable[PurseId]
) -> dict[PurseId, Lease]:
    """The leases of an incarnation on these purses, a fresh one where there is none. Lock the purses first."""
    wanted = set(ids)
    rows = await _LEASES.fetch(connection, given=as_given(wanted), incarnation=incarnation) if wanted else ()
    found = {row[0]: Lease(*row) for row in rows}
    found.update({purse: Lease(purse_id=purse, incarnation=incarnation) for purse in wanted.difference(found)})
    return found


async def write_purses(connection: AsyncConnection, rows: Iterable[Purse]) -> None:
    """Write the figures back, in id order."""
    await _WRITE_PURSES.run(connection, sorted(rows, key=attrgetter("id")))


async def write_leases(connection: AsyncConnection, rows: Iterable[Lease]) -> None:
    """Write the totals back, making what is new."""
    await _WRITE_LEASES.run(connection, list(rows))


async def new_purse(
    connection: AsyncConnection, account: AccountId, scope: str, *, granted: Nano = 0, limited: bool = True
) -> PurseId:
    """Make a purse with money of its own: only a key's limit, since an account's money needs an entry."""
    row = {"account_id": account, "scope": scope, "granted": granted, "balance": granted, "limited": limited}
    return PurseId((await connection.execute(_NEW, row)).scalar_one())


async def strain(connection: AsyncConnection, purse: Purse) -> None:
    """Remember that `held` may exceed the balance for a good reason, if it does."""
    if purse.held > purse.balance and not purse.strained_ms:
        purse.strained_ms = await database_ms(connection)
