"""Accounts: who calls and who pays. Money is in their purse, which the ledger writes."""

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, PurseId
from yescale.domain.money import Nano
from yescale.store.search import containing
from yescale.store.tables import accounts, purses


class NewAccount(Struct, frozen=True, kw_only=True):
    """An account to be stored. Open its purse with `ledger.purses.open_account_purse` in the same transaction."""

    username: str
    display_name: str = ""
    email: str = ""
    telegram_id: str = ""
    role: int = 1
    status: int = 1
    group: str = "default"
    password_hash: str | None = None
    access_hash: bytes | None = None
    access_masked: str = ""
    created_ms: int


class AccountRow(Struct, frozen=True, kw_only=True):
    """An account with its figures. granted = ever put in; granted - spent = balance - over."""

    id: AccountId
    username: str
    display_name: str
    email: str
    telegram_id: str
    role: int
    status: int
    group: str
    password_hash: str | None
    access_masked: str
    created_ms: int
    deleted_ms: int | None
    purse_id: PurseId
    balance: Nano
    held: Nano
    granted: Nano
    spent: Nano
    request_count: int

    def __repr__(self) -> str:  # a password hash must not reach a log through a representation
        return f"AccountRow(id={self.id}, username={self.username!r})"


_OF_PURSE: Final = {
    "balance": "balance",
    "held": "held",
    "granted": "granted",
    "spent": "spent",
    "request_count": "calls",
}
_SELECT: Final = select(
    *[
        purses.c[_OF_PURSE[name]].label(name) if name in _OF_PURSE else accounts.c[name]
        for name in AccountRow.__struct_fields__
    ]
).join(purses, purses.c.id == accounts.c.purse_id)
_BY_ID: Final = _SELECT.where(accounts.c.id == bindparam("account"))
_BY_USERNAME: Final = _SELECT.where(accounts.c.username == bindparam("username"))
_BY_ACCESS: Final = _SELECT.where(accounts.c.access_hash == bindparam("hash"), accounts.c.deleted_ms.is_(None))


async def create_account(connection: AsyncConnection, new: NewAccount) -> AccountId:
    """Store an account and return its id. Its purse is still to be opened."""
    values = {name: getattr(new, name) for name in NewAccount.__struct_fields__}
    return AccountId((await connection.execute(accounts.insert().values(values).returning(accounts.c.id))).scalar_one())


async def find_account(connection: AsyncConnection, account: AccountId) -> AccountRow | None:
    """The account of an id."""
    return _row((await connection.execute(_BY_ID, {"account": account})).mappings().first())


async def account_named(connection: AsyncConnection, username: str) -> AccountRow | None:
    """The account of a login name."""
    return _row((await connection.execute(_BY_USERNAME, {"username": username})).mappings().first())


async def account_of_access_key(connection: AsyncConnection, access_hash: bytes) -> AccountRow | None:
    """The account whose access key has this keyed hash; deleted ones have none."""
    return _row((await connection.execute(_BY_ACCESS, {"hash": access_hash})).mappings().first())


async def set_access_key(
    connection: AsyncConnection, account: AccountId, access_hash: bytes | None, masked: str
) -> None:
    """Replace the access key; the old one is gone."""
    await update_account(connection, account, access_hash=access_hash, access_masked=masked)


async def update_account(connection: AsyncConnection, account: AccountId, **fields: Any) -> bool:
    """Set columns of an account; False if there is none. Note the change in the feed where workers must know."""
    done = await connection.execute(accounts.update().where(accounts.c.id == account).values(fields))
    return done.rowcount > 0


async def list_accounts(
    connection: AsyncConnection, *, keyword: str = "", page: int = 1, page_size: int = 100
) -> tuple[tuple[AccountRow, ...], int]:
    """One page of the accounts whose login name or mail contains `keyword`, oldest first, and how many there are."""
    found = containing(accounts.c.username, keyword) | containing(accounts.c.email, keyword)
    total = (await connection.execute(select(func.count()).select_from(accounts).where(found))).scalar_one()
    query = _SELECT.where(found).order_by(accounts.c.id).limit(page_size).offset((page - 1) * page_size)
    rows = (await connection.execute(query)).mappings()
    return tuple(AccountRow(**row) for row in rows), total


def _row(row: Any) -> AccountRow | None:
    return None if row is None else AccountRow(**row)
