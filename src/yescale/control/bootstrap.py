"""The first start: groups, catalogue, the root account, and with a sandbox a channel to it and a demo account.

Made once per database, by whichever node comes first. Later starts only follow the addresses.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control import sandbox
from yescale.control.catalogue_entries import Entry
from yescale.control.catalogue_file import read_seed
from yescale.control.notes import read_note, write_note
from yescale.control.operations.key_terms import Terms
from yescale.control.operations.keys import open_key
from yescale.control.operations.users import COMMON, ROOT, CreateUser, open_account
from yescale.control.secrets import Vault, hash_password, new_password
from yescale.control.seeding import store_entries
from yescale.control.snapshot import Private, seal_private
from yescale.domain.money import Nano, Ratio
from yescale.store import changes
from yescale.store.channels import list_channels, update_channel
from yescale.store.database import Database, database_ms
from yescale.store.groups import set_group
from yescale.store.meta import read_setting, set_once

_LOG: Final = logging.getLogger(__name__)
_DONE: Final = "bootstrap"
_ROOT: Final = "root"
_DEMO: Final = "demo"
_GROUPS: Final[tuple[tuple[str, Ratio], ...]] = (
    ("default", 1_000_000),
    ("normal", 1_000_000),
    ("openai", 1_000_000),
    ("openaivip", 1_500_000),
    ("claude", 1_750_000),
    ("gemini", 1_000_000),
    ("deepseek", 1_000_000),
    ("drawing", 1_250_000),
    ("music", 1_000_000),
)


class Addresses(Struct, frozen=True, kw_only=True):
    """Where this installation is reached. `sandbox_url` "" = it has none."""

    base_url: str
    sandbox_url: str = ""


async def prepare(database: Database, vault: Vault, note_file: Path, addresses: Addresses, trial: Nano) -> None:
    """Make what a first start makes, follow the addresses, and write the owner's note. Raises DatabaseAway."""
    note = await asyncio.to_thread(read_note, note_file)
    async with database.reading() as connection:
        first = await read_setting(connection, _DONE) is None
    password, password_hash, seed = new_password(), "", ()
    if first:
        hashing, reading = asyncio.to_thread(hash_password, password), asyncio.to_thread(read_seed)
        password_hash, seed = await asyncio.gather(hashing, reading)
    async with database.writing() as connection:
        now_ms = await database_ms(connection)
        if first and await set_once(connection, _DONE, "true", now_ms=now_ms):
            await _fill(connection, seed, now_ms)
            root = CreateUser(username=_ROOT, display_name="Administrator", role=ROOT)
            await open_account(connection, vault, root, password_hash, credit=0)
            note = {"admin_username": _ROOT, "admin_password": password}
        await _seal_headers(connection, vault, now_ms)
        await sandbox.follow(connection, vault, addresses.sandbox_url, seed, now_ms=now_ms)
        if addresses.sandbox_url:
            note |= await _open_demo(connection, vault, trial)
        await changes.note(connection, "snapshot", at_ms=now_ms)
        note |= {"base_url": addresses.base_url}
        note |= {"sandbox_url": addresses.sandbox_url} if addresses.sandbox_url else {}
        # Before the commit: a process that dies between the two must not leave keys that no one ever saw.
        if note != await asyncio.to_thread(read_note, note_file):
            await asyncio.to_thread(write_note, note_file, note)
            _LOG.info("what the first start made is in %s", note_file)


async def _seal_headers(connection: AsyncConnection, vault: Vault, now_ms: int) -> None:
    """Encrypt the headers of channels that an older version stored in clear: they may carry credentials."""
    for row in await list_channels(connection):
        if row.headers:
            sealed = seal_private(vault, Private(headers=row.headers))
            await update_channel(connection, row.id, now_ms=now_ms, sealed=sealed, headers={})


async def _fill(connection: AsyncConnection, seed: Sequence[Entry], now_ms: int) -> None:
    for name, ratio in _GROUPS:
        await set_group(connection, name, ratio, now_ms=now_ms)
    await store_entries(connection, seed, {}, now_ms=now_ms)


async def _open_demo(connection: AsyncConnection, vault: Vault, trial: Nano) -> dict[str, Any]:
    """The demo account, once, as the note says it."""
    now_ms = await database_ms(connection)
    if not await set_once(connection, f"{_DONE}/demo", "true", now_ms=now_ms):
        return {}
    asked = CreateUser(username=_DEMO, display_name="Demo", role=COMMON)
    account, access_key = await open_account(connection, vault, asked, None, trial)
    _, api_key = await open_key(connection, vault, account, Terms(name=_DEMO))
    return {"api_key": api_key, "access_key": access_key}
