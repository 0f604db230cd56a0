"""The first start: groups, catalogue, the root account, and with a sandbox a channel to it and a demo account.

Made once per database, by whichever node comes first. Later starts only follow the addresses.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue import Entry, read_seed
from yescale.control.notes import read_note, write_note
from yescale.control.operations.catalogue import read_list_prices
from yescale.control.operations.keys import Terms, open_key
from yescale.control.operations.users import COMMON, ROOT, CreateUser, open_account
from yescale.control.secrets import Vault, hash_password, new_password
from yescale.control.snapshot import seal_secrets
from yescale.domain.ids import ChannelId, ModelName
from yescale.domain.money import Nano, Ratio
from yescale.store import changes
from yescale.store.catalogue import CatalogueEntry, set_model
from yescale.store.channels import ChannelRow, NewChannel, create_channel, list_channels, update_channel
from yescale.store.database import Database, database_ms
from yescale.store.groups import set_group
from yescale.store.meta import read_setting, set_once
from yescale.store.prices import set_prices

_LOG: Final = logging.getLogger(__name__)
_DONE: Final = "bootstrap"
_ROOT: Final = "root"
_DEMO: Final = "demo"
_SANDBOX: Final = "sandbox"
_ENABLED: Final = 1
_DISABLED: Final = 2
_SANDBOX_SECRET: Final = "sk-sandbox-yescale"  # noqa: S105 - opens nothing but the fake providers of this machine
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
_SANDBOX_GROUPS: Final = ("default", "normal", "openai", "openaivip")
_SANDBOX_OPERATIONS: Final = frozenset({"chat", "embed"})
_OPENAI: Final = "openai"


class Addresses(Struct, frozen=True, kw_only=True):
    """Where this installation is reached. `sandbox_url` "" = it has none."""

    base_url: str
    sandbox_url: str = ""

    @property
    def channel_url(self) -> str:
        """The base URL of the sandbox's OpenAI."""
        return f"{self.sandbox_url}/openai/v1"


async def prepare(database: Database, vault: Vault, note_file: Path, addresses: Addresses, trial: Nano) -> None:
    """Make what a first start makes, follow the addresses, and write the owner's note. Raises DatabaseAway."""
    note = await asyncio.to_thread(read_note, note_file)
    async with database.reading() as connection:
        first = await read_setting(connection, _DONE) is None
    password = new_password()
    password_hash = await asyncio.to_thread(hash_password, password) if first else ""
    async with database.writing() as connection:
        now_ms = await database_ms(connection)
        if first and await set_once(connection, _DONE, "true", now_ms=now_ms):
            await _fill(connection, now_ms)
            root = CreateUser(username=_ROOT, display_name="Administrator", role=ROOT)
            await open_account(connection, vault, root, password_hash, credit=0)
            note = {"admin_username": _ROOT, "admin_password": password}
        if addresses.sandbox_url:
            note |= await _follow_sandbox(connection, vault, addresses, trial)
        else:
            await _rest_sandbox(connection, now_ms)
        await changes.note(connection, "snapshot", at_ms=now_ms)
        note |= {"base_url": addresses.base_url}
        note |= {"sandbox_url": addresses.sandbox_url} if addresses.sandbox_url else {}
        # Before the commit: a process that dies between the two must not leave keys that no one ever saw.
        if note != await asyncio.to_thread(read_note, note_file):
            await asyncio.to_thread(write_note, note_file, note)
            _LOG.info("what the first start made is in %s", note_file)


async def _fill(connection: AsyncConnection, now_ms: int) -> None:
    for name, ratio in _GROUPS:
        await set_group(connection, name, ratio, now_ms=now_ms)
    for entry in read_seed():
        await set_model(connection, _catalogue_entry(entry), now_ms=now_ms)
        await set_prices(connection, entry.name, entry.prices, now_ms=now_ms)


def _catalogue_entry(entry: Entry) -> CatalogueEntry:
    official, listed = read_list_prices(entry.official), read_list_prices(entry.prices)
    return CatalogueEntry(
        name=entry.name,
        owner=entry.owner,
        created_at=entry.created,
        context_window=entry.context_window,
        max_output=entry.max_output,
        max_input=entry.context_window or None,
        input_modalities=entry.inputs,
        output_modalities=entry.outputs,
        operations=entry.operations,
        provider_name=entry.provider,
        category=entry.category,
        endpoint=entry.endpoint,
        group=entry.group,
        billing_type=listed.billing_type,
        official_request=official.request,
        official_input=official.input,
        official_output=official.output,
        list_request=listed.request,
        list_input=listed.input,
        list_output=listed.output,
        is_deprecation=int(entry.deprecated),
        is_hot=entry.hot,
        is_image=entry.image,
        knowledge_cutoff=entry.knowledge_cutoff or None,
        release_date=entry.released,
    )


async def _follow_sandbox(
    connection: AsyncConnection, vault: Vault, addresses: Addresses, trial: Nano
) -> dict[str, Any]:
    """Point the sandbox channel at the sandbox; make it and the demo account at the first start with one."""
    now_ms = await database_ms(connection)
    channel = await _sandbox_channel(connection)
    if channel is not None:
        there = {"base_url": addresses.channel_url, "status": _ENABLED}
        if (channel.base_url, channel.status) != tuple(there.values()):
            await update_channel(connection, ChannelId(channel.id), now_ms=now_ms, **there)
        return {}
    await _add_sandbox(connection, vault, addresses, now_ms)
    if not await set_once(connection, f"{_DONE}/demo", "true", now_ms=now_ms):
        return {}
    asked = CreateUser(username=_DEMO, display_name="Demo", role=COMMON)
    account, access_key = await open_account(connection, vault, asked, None, trial)
    _, api_key = await open_key(connection, vault, account, Terms(name=_DEMO))
    return {"api_key": api_key, "access_key": access_key}


async def _rest_sandbox(connection: AsyncConnection, now_ms: int) -> None:
    """Send no call to a sandbox that this start does not have."""
    channel = await _sandbox_channel(connection)
    if channel is not None and channel.status == _ENABLED:
        await update_channel(connection, ChannelId(channel.id), now_ms=now_ms, status=_DISABLED)


async def _sandbox_channel(connection: AsyncConnection) -> ChannelRow | None:
    return next((row for row in await list_channels(connection) if row.name == _SANDBOX), None)


async def _add_sandbox(connection: AsyncConnection, vault: Vault, addresses: Addresses, now_ms: int) -> None:
    names: dict[str, str] = {}
    for entry in read_seed():
        if entry.owner == _OPENAI and _SANDBOX_OPERATIONS & set(entry.operations):
            wildcard = ModelName(f"{entry.name}+*")
            names |= {entry.name: entry.name, wildcard: wildcard}
            scenario = replace(_catalogue_entry(entry), name=wildcard, priced_as=entry.name)
            await set_model(connection, scenario, now_ms=now_ms)
    new = NewChannel(
        name=_SANDBOX,
        provider=_OPENAI,
        base_url=addresses.channel_url,
        secrets=seal_secrets(vault, (_SANDBOX_SECRET,)),
        models=names,
        groups=_SANDBOX_GROUPS,
    )
    await create_channel(connection, new, now_ms=now_ms)
