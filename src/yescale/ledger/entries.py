"""Double entry for everything that is not a call: top-ups, redemptions, trials, adjustments, refunds.

Each is unique on (source, outside id): a repeated request finds the first one's entry and changes nothing. An account's
posting is what its balance gains; the other half goes to the book that it came from.
"""

from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, CallId, PurseId
from yescale.domain.limits import MONEY, UNITS
from yescale.domain.money import Nano
from yescale.ledger.logbook import log_refund
from yescale.ledger.rows import Purse, lock_purses, strain, write_purses
from yescale.store import changes
from yescale.store.bulk import either
from yescale.store.calls import CallRow, find_call, mark_refunded
from yescale.store.database import database_ms
from yescale.store.logs import MANAGED, REFUNDED, TOPPED_UP, NewLog, insert_logs
from yescale.store.tables import accounts, entries, keys, postings

_ENTER: Final = either(
    lambda insert: (
        insert(entries).on_conflict_do_nothing(index_elements=["source", "outside_id"]).returning(entries.c.id)
    )
)
_FIRST: Final = (
    select(entries.c.id, entries.c.kind, entries.c.account_id, entries.c.call_id, postings.c.amount)
    .join(postings, postings.c.entry_id == entries.c.id)
    .where(
        entries.c.source == bindparam("of_source"),
        entries.c.outside_id == bindparam("of_outside_id"),
        postings.c.book == "account",
    )
)
_ACCOUNT: Final = select(accounts.c.purse_id, accounts.c.username).where(accounts.c.id == bindparam("account"))
_REVIVE: Final = (
    keys.update()
    .where(keys.c.purse_id == bindparam("purse"), keys.c.status == 4)
    .values(status=1)
    .returning(keys.c.hash)
)
_REFUNDS: Final = "refund"  # the source of their outside ids
_LOG_TYPES: Final = {"topup": TOPPED_UP, "redemption": TOPPED_UP, "trial": TOPPED_UP, "refund": REFUNDED}


class NoSuchAccount(Exception):
    """The account does not exist."""


class NoSuchCall(Exception):
    """The call does not exist, or not in this account."""


class NotCovered(Exception):
    """The amount is more than what is there: the balance of an adjustment, what is left of a call to refund."""


class ReusedId(Exception):
    """The outside id stands for another entry: other account, kind or amount. Use a new id for a new entry."""


class NewEntry(Struct, frozen=True, kw_only=True):
    """What to enter. `amount` is what the account gains; negative only for adjustments."""

    kind: str  # topup, redemption, trial, adjustment, refund
    account: AccountId
    amount: Nano
    source: str  # who gave the outside id: a payment provider, "admin", "code" ...
    outside_id: str
    note: str = ""
    actor: AccountId | None = None
    call_id: CallId | None = None


class Entered(Struct, frozen=True, kw_only=True):
    """The entry, and the balance now. `recall`: leases hold more than what is left; recall the purse."""

    id: int
    balance: Nano
    purse: PurseId
    repeated: bool = False
    recall: bool = False


async def enter(connection: AsyncConnection, new: NewEntry) -> Entered:
    """Enter it, or find that it was entered. Raises NoSuchAccount, NoSuchCall, NotCovered, ReusedId."""
    if new.amount == 0 or (new.amount < 0 and new.kind != "adjustment"):
        raise NotCovered("The amount must be more than zero.")
    account = (await connection.execute(_ACCOUNT, {"account": new.account})).one_or_none()
    if account is None or account.purse_id is None:
        raise NoSuchAccount(f"Account {new.account} does not exist.")
    now_ms = await database_ms(connection)
    row = {
        "kind": new.kind,
        "account_id": new.account,
        "at_ms": now_ms,
        "source": new.source,
        "outside_id": new.outside_id,
        "call_id": new.call_id,
        "note": new.note,
        "actor_id": new.actor,
    }
    entry_id = (await connection.execute(_ENTER[connection.dialect.name], row)).scalar_one_or_none()
    if entry_id is None:
        return await _repeated(connection, new, account.purse_id)
    purse = await (
        _refund(connection, new, account.purse_id) if new.call_id else _move(connection, new, account.purse_id)
    )
    book = "revenue" if new.call_id else new.kind
    await connection.execute(
        postings.insert(),
        [
            {"entry_id": entry_id, "book": "account", "account_id": new.account, "amount": new.amount},
            {"entry_id": entry_id, "book": book, "account_id": None, "amount": -new.amount},
        ],
    )
    await _log(connection, new, account.username, now_ms)
    await changes.note(connection, "account", account=new.account, at_ms=now_ms)
    return Entered(id=entry_id, balance=purse.balance, purse=purse.id, recall=purse.held > purse.balance)


async def trial(connection: AsyncConnection, account: AccountId, amount: Nano) -> Entered:
    """The credit of a new account, once."""
    return await enter(
        connection,
        NewEntry(kind="trial", account=account, amount=amount, source="trial", outside_id=str(account), note="Trial"),
    )


async def refund(
    connection: AsyncConnection,
    call_id: CallId,
    amount: Nano | None,
    *,
    outside_id: str,
    note: str = "",
    actor: AccountId | None = None,
) -> Entered:
    """Give back part of what a call paid, or (None) all that is left. Together, refunds never exceed what it paid."""
    call = await find_call(connection, call_id)
    if call is None:
        raise NoSuchCall(f"Call {call_id} does not exist.")
    if amount is None:
        where = {"of_source": _REFUNDS, "of_outside_id": outside_id}
        first = (await connection.execute(_FIRST, where)).one_or_none()
        amount = call.paid - call.refunded if first is None else int(first.amount)
        if amount == 0:
            raise _nothing_left(call)
    return await enter(
        connection,
        NewEntry(
            kind="refund",
            account=call.account_id,
            amount=amount,
            source=_REFUNDS,
            outside_id=outside_id,
            note=note,
            actor=actor,
            call_id=call_id,
        ),
    )


async def _repeated(connection: AsyncConnection, new: NewEntry, purse_id: PurseId) -> Entered:
    where = {"of_source": new.source, "of_outside_id": new.outside_id}
    first = (await connection.execute(_FIRST, where)).one()
    if (first.kind, first.account_id, first.call_id, first.amount) != (new.kind, new.account, new.call_id, new.amount):
        raise ReusedId(f"{new.source} {new.outside_id} was entered before, for something else; use a new id.")
    purse = (await lock_purses(connection, [purse_id]))[purse_id]
    return Entered(id=first.id, balance=purse.balance, purse=purse_id, repeated=True, recall=purse.held > purse.balance)


async def _move(connection: AsyncConnection, new: NewEntry, purse_id: PurseId) -> Purse:
    purse = (await lock_purses(connection, [purse_id]))[purse_id]
    if purse.balance + new.amount < 0:
        raise NotCovered(f"The balance is {purse.balance} nano-dollars; it cannot pay {-new.amount}.")
    purse.put(new.amount)
    await strain(connection, purse)
    await write_purses(connection, [purse])
    return purse


async def _refund(connection: AsyncConnection, new: NewEntry, account_purse: PurseId) -> Purse:
    call = await _call(connection, new)
    charged = dict(call.explained.charges)
    purses = await lock_purses(connection, {account_purse, *charged})
    if not await mark_refunded(connection, call.call_id, new.amount):
        raise _nothing_left(call)
    await log_refund(connection, call, new.amount)
    revived = [purse.id for purse in purses.values() if purse.balance == 0 and purse.scope == "key"]
    for purse in purses.values():
        if purse.unit != UNITS[MONEY]:
            continue  # what was used stays used: money alone is refunded
        purse.take_back(new.amount, beside=purse.id != account_purse)
    await write_purses(connection, purses.values())
    now_ms = await database_ms(connection)
    for purse_id in revived:
        if purses[purse_id].balance > 0:
            for key_hash in (await connection.execute(_REVIVE, {"purse": purse_id})).scalars().all():
                await changes.note(connection, "key", key_hash=key_hash, at_ms=now_ms)
    return purses[account_purse]


def _nothing_left(call: CallRow) -> NotCovered:
    return NotCovered(f"Call {call.call_id} paid {call.paid} nano-dollars, of which {call.refunded} are refunded.")


async def _call(connection: AsyncConnection, new: NewEntry) -> CallRow:
    call = await find_call(connection, new.call_id) if new.call_id else None
    if call is None or call.account_id != new.account:
        raise NoSuchCall(f"Account {new.account} has no call {new.call_id}.")
    return call


async def _log(connection: AsyncConnection, new: NewEntry, username: str, now_ms: int) -> None:
    log = NewLog(
        at_ms=now_ms,
        type=_LOG_TYPES.get(new.kind, MANAGED),
        account_id=new.account,
        username=username,
        amount=new.amount,
        content=new.note or new.kind,
        request_id=new.call_id or "",
        actor_id=new.actor,
    )
    await insert_logs(connection, [log])
