"""API keys, for the operator's command line and the System API alike. A key is shown whole once, when it is made."""

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.context import Context
from yescale.control.limits import MOST_QUOTA, nano_of_limit, remaining_quota
from yescale.control.operations.key_terms import Terms, check_terms
from yescale.control.operations.refusals import OperationRefused
from yescale.control.operations.users import find_user
from yescale.control.secrets import Vault, hash_api_key, mask_api_key, new_api_key
from yescale.domain.ids import AccountId, KeyId
from yescale.domain.money import Nano
from yescale.ledger.purses import Limited, NoSuchKey, delete_key, open_key_purse, set_key_limit
from yescale.store import changes, keys
from yescale.store.database import database_ms
from yescale.store.keys import KeyRow, NewKey

_ENABLED: Final = 1
_DISABLED: Final = 2
_FIELDS: Final = (
    "name",
    "group",
    "expires_at",
    "models",
    "allow_ips",
    "groups",
    "operations",
    "max_output",
    "tags",
)


class CreateKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`quota`: what the key may spend, in 1/500,000 of a US dollar; left out: as much as the account has."""

    username: str
    name: str
    group: str = "default"
    quota: int | None = None
    expires_at: int = -1
    models: tuple[str, ...] | None = None
    allow_ips: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    max_output: int = 0
    tags: dict[str, str] = {}


class ListKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one account."""

    username: str


class EditKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays. `quota`: absolute, what may still be spent; null = unlimited."""

    id: KeyId
    name: str | UnsetType = UNSET
    group: str | UnsetType = UNSET
    quota: int | UnsetType | None = UNSET
    expires_at: int | UnsetType = UNSET
    models: tuple[str, ...] | UnsetType | None = UNSET
    allow_ips: tuple[str, ...] | UnsetType = UNSET
    groups: tuple[str, ...] | UnsetType | None = UNSET
    operations: tuple[str, ...] | UnsetType | None = UNSET
    max_output: int | UnsetType = UNSET
    tags: dict[str, str] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class OneKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key by its number."""

    id: KeyId


async def create_key(context: Context, asked: CreateKey) -> object:
    """Make a key for an account."""
    terms = Terms(
        name=asked.name,
        group=asked.group,
        remaining=None if asked.quota is None else read_quota(asked.quota),
        expires_at=asked.expires_at,
        models=asked.models,
        allow_ips=asked.allow_ips,
        groups=asked.groups,
        operations=asked.operations,
        max_output=asked.max_output,
        tags=asked.tags,
    )
    async with context.database.writing() as connection:
        user = await find_user(connection, asked.username)
        key, secret = await open_key(connection, context.vault, user.id, terms)
    await context.announce()
    return {"id": key, "key": secret, "name": asked.name, "username": asked.username, "group": asked.group}


async def open_key(connection: AsyncConnection, vault: Vault, account: AccountId, terms: Terms) -> tuple[KeyId, str]:
    """Store a key with its purse; its id, and the key itself. Raises OperationRefused."""
    secret = new_api_key()
    return await store_key(connection, vault, account, terms, secret), secret


async def store_key(connection: AsyncConnection, vault: Vault, account: AccountId, terms: Terms, secret: str) -> KeyId:
    """Store a key whose secret is given. Raises OperationRefused."""
    fields = {name: getattr(terms, name) for name in _FIELDS}
    await check_terms(connection, fields)
    purse = await open_key_purse(connection, account, granted=terms.remaining or 0, limited=terms.remaining is not None)
    new = NewKey(
        hash=hash_api_key(vault.pepper, secret),
        masked=mask_api_key(secret),
        account_id=account,
        purse_id=purse,
        created_at=await database_ms(connection) // 1000,
        **fields,
    )
    return await keys.create_key(connection, new)


async def list_all_keys(context: Context, asked: ListKeys) -> object:
    """The account's keys, masked."""
    await context.catch_up()
    async with context.database.reading() as connection:
        user = await find_user(connection, asked.username)
        return [view_key(row) for row in await keys.list_keys(connection, user.id)]


async def edit_key(context: Context, asked: EditKey) -> object:
    """Change a key; in force everywhere within a second."""
    fields: dict[str, Any] = {name: value for name in _FIELDS if (value := getattr(asked, name)) is not UNSET}
    if asked.enabled is not UNSET:
        fields["status"] = _ENABLED if asked.enabled else _DISABLED
    async with context.database.writing() as connection:
        row = await find_one(connection, asked.id)
        await check_terms(connection, fields)
        limited = await _limit(connection, asked)
        if fields:
            await keys.update_key(connection, asked.id, **fields)
        await changes.note(connection, "key", key_hash=row.hash, at_ms=await database_ms(connection))
        edited = await find_one(connection, asked.id)
    if limited is not None and limited.recall:
        context.recall(limited.purse)
    await context.announce()
    return view_key(edited)


async def remove_key(context: Context, asked: OneKey) -> object:
    """Delete a key; calls in flight end and are charged."""
    try:
        async with context.database.writing() as connection:
            await delete_key(connection, asked.id)
    except NoSuchKey as error:
        raise OperationRefused(str(error)) from error
    await context.announce()
    return {"id": asked.id, "deleted": True}


async def find_one(connection: AsyncConnection, key: KeyId) -> KeyRow:
    """A key by its number. Raises OperationRefused."""
    row = await keys.find_key(connection, key)
    if row is None:
        raise OperationRefused(f"There is no key {key}; `key list` shows them.")
    return row


def view_key(row: KeyRow) -> dict[str, object]:
    """A key for the operator."""
    return {
        "id": row.id,
        "key": row.masked,
        "name": row.name,
        "account": row.account_id,
        "group": row.group,
        "status": row.status,
        "quota": remaining_quota(row) if row.limited else None,
        "used_nano": row.used,
        "expires_at": row.expires_at,
        "models": None if row.models is None else list(row.models),
        "allow_ips": list(row.allow_ips),
        "groups": None if row.groups is None else list(row.groups),
        "operations": None if row.operations is None else list(row.operations),
        "max_output": row.max_output,
        "tags": row.tags,
    }


async def _limit(connection: AsyncConnection, asked: EditKey) -> Limited | None:
    if asked.quota is UNSET:
        return None
    if asked.quota is None:
        return await set_key_limit(connection, asked.id, limited=False)
    return await set_key_limit(connection, asked.id, remaining=read_quota(asked.quota), limited=True)


def read_quota(quota: int) -> Nano:
    """A limit as it is stored. Raises OperationRefused."""
    if not 0 <= quota <= MOST_QUOTA:
        raise OperationRefused(f"quota: a whole number between 0 and {MOST_QUOTA}.")
    return nano_of_limit(quota)
