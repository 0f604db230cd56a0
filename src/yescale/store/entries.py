"""The ledger's entries as they are read: what came in and went out beside the calls."""

from collections.abc import Collection
from typing import Final

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.domain.money import Nano
from yescale.store.tables import accounts, entries, postings


class EntryRow(Struct, frozen=True, kw_only=True):
    """An entry that is no batch of calls. `amount` is what the account gained; `actor`: who made it, by name."""

    id: int
    kind: str
    at_ms: int
    account_id: AccountId
    username: str
    amount: Nano
    outside_id: str
    call_id: str | None
    note: str
    actor: str | None


class EntryFilter(Struct, frozen=True, kw_only=True):
    """Which entries, newest first; None = any. `below`: those with a smaller number."""

    kinds: Collection[str]
    account: AccountId | None = None
    below: int | None = None
    limit: int = 100


_ACTORS: Final = accounts.alias("actors")
_SELECT: Final = (
    select(
        entries.c.id,
        entries.c.kind,
        entries.c.at_ms,
        entries.c.account_id,
        accounts.c.username,
        postings.c.amount,
        entries.c.outside_id,
        entries.c.call_id,
        entries.c.note,
        _ACTORS.c.username.label("actor"),
    )
    .join(postings, (postings.c.entry_id == entries.c.id) & (postings.c.book == "account"))
    .join(accounts, accounts.c.id == entries.c.account_id)
    .outerjoin(_ACTORS, _ACTORS.c.id == entries.c.actor_id)
    .order_by(entries.c.id.desc())
)


async def list_entries(connection: AsyncConnection, wanted: EntryFilter) -> list[EntryRow]:
    """Entries, newest first."""
    query = _SELECT.where(entries.c.kind.in_(sorted(wanted.kinds))).limit(wanted.limit)
    if wanted.account is not None:
        query = query.where(entries.c.account_id == wanted.account)
    if wanted.below is not None:
        query = query.where(entries.c.id < wanted.below)
    return [EntryRow(**row) for row in (await connection.execute(query)).mappings()]


async def find_entry(connection: AsyncConnection, entry: int) -> EntryRow:
    """The entry with this number, which exists."""
    return EntryRow(**(await connection.execute(_SELECT.where(entries.c.id == entry))).mappings().one())
