"""API keys, for the operator's command line and the System API alike. A key is shown whole once, when it is made."""

import re
import time
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.context import Context
from yescale.control.limits import MOST_QUOTA, nano_of_limit, remaining_quota
from yescale.control.operations.refusals import OperationRefused
from yescale.control.operations.users import find_user
from yescale.control.secrets import Vault, hash_api_key, mask_api_key, new_api_key
from yescale.domain.addresses import read_network
from yescale.domain.ids import AccountId, KeyId
from yescale.domain.money import Nano
from yescale.ledger.purses import Limited, NoSuchKey, delete_key, open_key_purse, set_key_limit
from yescale.store import changes, keys
from yescale.store.database import database_ms
from yescale.store.groups import list_groups
from yescale.store.keys import KeyRow, NewKey

NAME_BYTES: Final = 30
_ENABLED: Final = 1
_DISABLED: Final = 2
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]+")
_MOST_MODELS: Final = 1_000


class Terms(Struct, frozen=True, kw_only=True):
    """What a new key may do. `remaining`: nano; None = unlimited. `models` None = any."""

    name: str
    group: str = "default"
    remaining: Nano | None = None
    expires_at: int = -1
    models: tuple[str, ...] | None = None
    allow_ips: tuple[str, ...] = ()


class CreateKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`quota`: what the key may spend, in 1/500,000 of a US dollar; left out: as much as the account has."""

    username: str
    name: str
    group: str = "default"
    quota: int | None = None
    expires_at: int = -1
    models: tuple[str, ...] | None = None
    allow_ips: tuple[str, ...] = ()


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
    enabled: bool | UnsetType = UNSET


class OneKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key by its number."""

    id: KeyId


async def create_key(context: Context, asked: CreateKey) -> object:
    """Make a key for an account."""
    terms = Terms(
        name=asked.name,
        group=asked.group,
        remaining=None if asked.quota is None else _nano(asked.quota),
        expires_at=asked.expires_at,
        models=asked.models,
        allow_ips=asked.allow_ips,
    )
    async with context.database.writing() as connection:
        user = await find_user(connection, asked.username)
        key, secret = await open_key(connection, context.vault, user.id, terms)
    await context.announce()
    return {"id": key, "key": secret, "name": asked.name, "username": asked.username, "group": asked.group}


async def open_key(connection: AsyncConnection, vault: Vault, account: AccountId, terms: Terms) -> tuple[KeyId, str]:
    """Store a key with its purse; its id, and the key itself. Raises OperationRefused."""
    await check_terms(connection, _fields(terms))
    secret = new_api_key()
    purse = await open_key_purse(connection, account, granted=terms.remaining or 0, limited=terms.remaining is not None)
    new = NewKey(
        hash=hash_api_key(vault.pepper, secret),
        masked=mask_api_key(secret),
        name=terms.name,
        account_id=account,
        group=terms.group,
        purse_id=purse,
        models=terms.models,
        allow_ips=terms.allow_ips,
        created_at=await database_ms(connection) // 1000,
        expires_at=terms.expires_at,
    )
    return await keys.create_key(connection, new), secret


async def list_all_keys(context: Context, asked: ListKeys) -> object:
    """The account's keys, masked."""
    await context.catch_up()
    async with context.database.reading() as connection:
        user = await find_user(connection, asked.username)
        return [view_key(row) for row in await keys.list_keys(connection, user.id)]


async def edit_key(context: Context, asked: EditKey) -> object:
    """Change a key; in force everywhere within a second."""
    fields: dict[str, Any] = {
        name: value
        for name in ("name", "group", "expires_at", "models", "allow_ips")
        if (value := getattr(asked, name)) is not UNSET
    }
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


async def check_terms(connection: AsyncConnection, fields: dict[str, Any]) -> None:
    """Whether a key may be as asked. Raises OperationRefused."""
    if "name" in fields and (not _NAME.fullmatch(fields["name"]) or len(fields["name"].encode()) > NAME_BYTES):
        raise OperationRefused(f"name: a key's name has 1 to {NAME_BYTES} bytes without control characters.")
    if "group" in fields and fields["group"] not in {group.name for group in await list_groups(connection)}:
        raise OperationRefused(f"group: there is no group {fields['group']!r}.")
    if "expires_at" in fields and fields["expires_at"] != -1 and fields["expires_at"] <= time.time():
        raise OperationRefused("expired_time: that time is past; -1 means never.")
    models = fields.get("models")
    if models is not None and (len(models) > _MOST_MODELS or not all(_NAME.fullmatch(name) for name in models)):
        raise OperationRefused("model_limits: name at least one model, each without control characters.")
    for network in fields.get("allow_ips", ()):
        if read_network(network) is None:
            raise OperationRefused(f"allow_ips: {network!r} is no address or network.")


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
    }


async def _limit(connection: AsyncConnection, asked: EditKey) -> Limited | None:
    if asked.quota is UNSET:
        return None
    if asked.quota is None:
        return await set_key_limit(connection, asked.id, limited=False)
    return await set_key_limit(connection, asked.id, remaining=_nano(asked.quota), limited=True)


def _nano(quota: int) -> Nano:
    if not 0 <= quota <= MOST_QUOTA:
        raise OperationRefused(f"quota: a whole number between 0 and {MOST_QUOTA}.")
    return nano_of_limit(quota)


def _fields(terms: Terms) -> dict[str, Any]:
    return {"name": terms.name, "group": terms.group, "expires_at": terms.expires_at, "models": terms.models,
            "allow_ips": terms.allow_ips}  # fmt: skip
