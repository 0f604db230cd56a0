"""Accounts: made, listed, enabled and disabled; their passwords and access keys."""

import asyncio
import re
from typing import Final

from msgspec import Struct
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control import notes
from yescale.control.catalogue import MAX_AMOUNT, format_usd, parse_usd
from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.control.secrets import Vault, hash_access_key, hash_password, mask_access_key, new_access_key
from yescale.domain.ids import AccountId
from yescale.domain.money import Nano, quota_balance
from yescale.ledger.entries import trial
from yescale.ledger.purses import open_account_purse
from yescale.store import changes
from yescale.store.accounts import (
    AccountRow,
    NewAccount,
    account_named,
    create_account,
    list_accounts,
    set_access_key,
    update_account,
)
from yescale.store.database import database_ms

COMMON: Final = 1
ADMIN: Final = 10
ROOT: Final = 100
ENABLED: Final = 1
DISABLED: Final = 2
_ROLES: Final = frozenset({COMMON, ADMIN, ROOT})
_USERNAME: Final = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_LEAST_PASSWORD: Final = 8
_MOST_PASSWORD: Final = 256


class CreateUser(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new account. `trial_usd`: credit to begin with, if not the usual."""

    username: str
    display_name: str = ""
    email: str = ""
    password: str = ""
    role: int = COMMON
    group: str = "default"
    trial_usd: str | None = None


class OneUser(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account by its login name."""

    username: str


class ListUsers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Those whose login name or mail contains a word."""

    keyword: str = ""
    page: int = 1
    page_size: int = 100


class SetPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new password for an account."""

    username: str
    password: str


async def find_user(connection: AsyncConnection, username: str) -> AccountRow:
    """The account of a login name. Raises OperationRefused."""
    row = await account_named(connection, username)
    if row is None or row.deleted_ms is not None:
        raise OperationRefused(f"There is no user {username!r}; `user list` shows them.")
    return row


async def create_user(context: Context, asked: CreateUser) -> object:
    """Make an account with its access key, which is shown this once, and its first credit."""
    if not _USERNAME.fullmatch(asked.username):
        raise OperationRefused("A login name has 1 to 64 of the characters A-Z a-z 0-9 . _ @ + -.")
    if asked.role not in _ROLES:
        raise OperationRefused("A role is 1 (common), 10 (admin) or 100 (root).")
    credit = context.trial if asked.trial_usd is None else _read_usd(asked.trial_usd)
    password_hash = None
    if asked.password:
        _check_password(asked.password)
        password_hash = await asyncio.to_thread(hash_password, asked.password)
    try:
        async with context.database.writing() as connection:
            account, access_key = await open_account(connection, context.vault, asked, password_hash, credit)
    except IntegrityError:
        raise OperationRefused(f"The login name {asked.username!r} is taken.") from None
    await context.announce()
    return {"id": account, "username": asked.username, "access_key": access_key, "credit_usd": format_usd(credit)}


async def open_account(
    connection: AsyncConnection, vault: Vault, asked: CreateUser, password_hash: str | None, credit: Nano
) -> tuple[AccountId, str]:
    """Store an account with its purse and its first credit; its id and access key."""
    access_key = new_access_key()
    new = NewAccount(
        username=asked.username,
        display_name=asked.display_name or asked.username,
        email=asked.email,
        role=asked.role,
        group=asked.group,
        password_hash=password_hash,
        access_hash=hash_access_key(vault.pepper, access_key),
        access_masked=mask_access_key(access_key),
        created_ms=await database_ms(connection),
    )
    account = await create_account(connection, new)
    await open_account_purse(connection, account)
    if credit:
        await trial(connection, account, credit)
    return account, access_key


async def list_users(context: Context, asked: ListUsers) -> object:
    """One page of accounts with their figures."""
    await context.catch_up()
    page, page_size = max(1, asked.page), min(max(1, asked.page_size), 1_000)
    async with context.database.reading() as connection:
        rows, total = await list_accounts(connection, keyword=asked.keyword, page=page, page_size=page_size)
    return {"items": [_view(row) for row in rows], "total": total, "page": page, "page_size": page_size}


async def enable_user(context: Context, asked: OneUser) -> object:
    """Let the account's keys work again."""
    return await _set_status(context, asked.username, ENABLED)


async def disable_user(context: Context, asked: OneUser) -> object:
    """Refuse the account's keys, here and on every node within a second."""
    return await _set_status(context, asked.username, DISABLED)


async def set_password(context: Context, asked: SetPassword) -> object:
    """Replace a password; the first one leaves the note of the first start."""
    _check_password(asked.password)
    password_hash = await asyncio.to_thread(hash_password, asked.password)
    async with context.database.writing() as connection:
        user = await find_user(connection, asked.username)
        await update_account(connection, user.id, password_hash=password_hash)
    if context.note_file is not None:
        await asyncio.to_thread(notes.forget_password, context.note_file, asked.username)
    return {"username": asked.username, "changed": True}


async def renew_access_key(context: Context, asked: OneUser) -> object:
    """Replace the access key; the new one is shown this once, the old one is void."""
    access_key = new_access_key()
    async with context.database.writing() as connection:
        user = await find_user(connection, asked.username)
        hashed = hash_access_key(context.vault.pepper, access_key)
        await set_access_key(connection, user.id, hashed, mask_access_key(access_key))
    return {"username": asked.username, "access_key": access_key}


async def _set_status(context: Context, username: str, status: int) -> object:
    async with context.database.writing() as connection:
        user = await find_user(connection, username)
        if user.role == ROOT and status == DISABLED:
            raise OperationRefused("The root account cannot be disabled.")
        await update_account(connection, user.id, status=status)
        await changes.note(connection, "account", account=user.id, at_ms=await database_ms(connection))
    await context.announce()
    return {"username": username, "enabled": status == ENABLED}


def _check_password(password: str) -> None:
    if not _LEAST_PASSWORD <= len(password) <= _MOST_PASSWORD:
        raise OperationRefused(f"A password has {_LEAST_PASSWORD} to {_MOST_PASSWORD} characters.")


def _read_usd(text: str) -> Nano:
    try:
        return parse_usd(text, MAX_AMOUNT)
    except ValueError as error:
        raise OperationRefused(f"{error}.") from error


def _view(row: AccountRow) -> dict[str, object]:
    return {
        "id": row.id,
        "username": row.username,
        "display_name": row.display_name,
        "email": row.email,
        "role": row.role,
        "enabled": row.status == ENABLED,
        "group": row.group,
        "balance_usd": format_usd(row.balance),
        "balance_nano": row.balance,
        "quota": quota_balance(row.balance),
        "held_nano": row.held,
        "request_count": row.request_count,
    }
