"""Channels: our accounts at providers. Their secrets go in and never come out."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import UNSET, Struct, UnsetType, convert, field
from msgspec.structs import asdict
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.accounts import is_account
from yescale.control.catalogue import format_usd, parse_usd
from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.control.secrets import SecretUnusable
from yescale.control.snapshot import seal_secrets, unseal_secrets
from yescale.domain.ids import ChannelId
from yescale.providers.registry import PROVIDERS
from yescale.store import changes
from yescale.store.channels import (
    ChannelRow,
    NewChannel,
    create_channel,
    delete_channel,
    find_channel,
    list_channels,
    update_channel,
)
from yescale.store.database import database_ms
from yescale.store.groups import list_groups

_ENABLED: Final = 1
_DISABLED: Final = 2
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_QUERY: Final = re.compile(r"[\w.-]+=[\w.-]+(?:&[\w.-]+=[\w.-]+)*", re.ASCII)  # as Azure's api-version
_MOST_WEIGHT: Final = 1_000_000


class AddChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`models`: our name to the provider's; a `*` in both carries a suffix over. `drain_s` and `drain_cost` (US dollars
    in decimals): how long, and for how much of further output, to read on for the usage after a client left.
    """

    name: str
    provider: str
    base_url: str
    secrets: tuple[str, ...]
    models: Mapping[str, str]
    groups: tuple[str, ...]
    priority: int = 0
    weight: int = 1
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    drain_s: float = 30.0
    drain_cost: str = "0.05"


class EditChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    id: ChannelId
    name: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    base_url: str | UnsetType = UNSET
    secrets: tuple[str, ...] | UnsetType = UNSET
    models: Mapping[str, str] | UnsetType = UNSET
    groups: tuple[str, ...] | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    weight: int | UnsetType = UNSET
    headers: Mapping[str, str] | UnsetType = UNSET
    drain_s: float | UnsetType = UNSET
    drain_cost: str | UnsetType = UNSET


class OneChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel by its number."""

    id: ChannelId


class MatchSecrets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel, and secrets to compare with those that it has."""

    id: ChannelId
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"MatchSecrets(id={self.id})"


class ListChannels(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them."""


async def add_channel(context: Context, asked: AddChannel) -> object:
    """Store a channel; workers use it at once."""
    fields = asdict(asked)
    async with context.database.writing() as connection:
        await _check(connection, fields)
        now_ms = await database_ms(connection)
        sealed = {"secrets": seal_secrets(context.vault, asked.secrets), "drain_cost": parse_usd(asked.drain_cost)}
        new = convert(fields | sealed, NewChannel)
        channel = await create_channel(connection, new, now_ms=now_ms)
        await changes.note(connection, "snapshot", at_ms=now_ms)
    await context.announce()
    return await _show(context, channel)


async def list_all_channels(context: Context, _asked: ListChannels) -> object:
    """Every channel, without its secrets."""
    async with context.database.reading() as connection:
        return [_view(context, row) for row in await list_channels(connection)]


async def match_secrets(context: Context, asked: MatchSecrets) -> object:
    """Whether a channel has just these secrets: how a file is compared with it, since they are never shown."""
    async with context.database.reading() as connection:
        row = await find_channel(connection, asked.id)
    if row is None:
        raise _unknown(asked.id)
    try:
        return {"same": unseal_secrets(context.vault, row.secrets) == asked.secrets}
    except SecretUnusable:
        return {"same": False}


async def edit_channel(context: Context, asked: EditChannel) -> object:
    """Change what is named."""
    fields = {name: value for name, value in asdict(asked).items() if value is not UNSET and name != "id"}
    async with context.database.writing() as connection:
        await _check(connection, fields)
        if "secrets" in fields:
            fields["secrets"] = seal_secrets(context.vault, fields["secrets"])
        if "drain_cost" in fields:
            fields["drain_cost"] = parse_usd(fields["drain_cost"])
        await _update(connection, asked.id, fields)
    await context.announce()
    return await _show(context, asked.id)


async def enable_channel(context: Context, asked: OneChannel) -> object:
    """Send calls to it again."""
    return await _set_status(context, asked.id, _ENABLED)


async def disable_channel(context: Context, asked: OneChannel) -> object:
    """Send no more calls to it."""
    return await _set_status(context, asked.id, _DISABLED)


async def remove_channel(context: Context, asked: OneChannel) -> object:
    """Take it away; its calls stay in the log."""
    async with context.database.writing() as connection:
        now_ms = await database_ms(connection)
        if not await delete_channel(connection, asked.id, now_ms=now_ms):
            raise _unknown(asked.id)
        await changes.note(connection, "snapshot", at_ms=now_ms)
    await context.announce()
    return {"id": asked.id, "deleted": True}


async def _set_status(context: Context, channel: ChannelId, status: int) -> object:
    async with context.database.writing() as connection:
        await _update(connection, channel, {"status": status})
    await context.announce()
    return await _show(context, channel)


async def _update(connection: AsyncConnection, channel: ChannelId, fields: Mapping[str, Any]) -> None:
    now_ms = await database_ms(connection)
    if not await update_channel(connection, channel, now_ms=now_ms, **fields):
        raise _unknown(channel)
    await changes.note(connection, "snapshot", at_ms=now_ms)


async def _show(context: Context, channel: ChannelId) -> object:
    async with context.database.reading() as connection:
        row = await find_channel(connection, channel)
    return None if row is None else _view(context, row)


def _view(context: Context, row: ChannelRow) -> dict[str, object]:
    try:
        secrets: int | str = len(unseal_secrets(context.vault, row.secrets))
    except SecretUnusable:
        secrets = "unreadable"
    return {
        "id": row.id,
        "name": row.name,
        "provider": row.provider,
        "base_url": row.base_url,
        "secrets": secrets,  # how many
        "models": dict(row.models),
        "groups": list(row.groups),
        "priority": row.priority,
        "weight": row.weight,
        "headers": sorted(row.headers),  # names: a value may be a credential
        "enabled": row.status == _ENABLED,
        "drain_s": row.drain_s,
        "drain_cost": format_usd(row.drain_cost),
    }


def _unknown(channel: ChannelId) -> OperationRefused:
    return OperationRefused(f"There is no channel {channel}; `channel list` shows them.")


async def _check(connection: AsyncConnection, fields: Mapping[str, Any]) -> None:
    for name, check in _CHECKS.items():
        if name in fields and (amiss := check(fields[name])):
            raise OperationRefused(amiss)
    if "groups" in fields:
        known = {group.name for group in await list_groups(connection)}
        missing = [name for name in fields["groups"] if name not in known]
        if missing:
            raise OperationRefused(f"There is no group {missing[0]!r}; make it with `group set`.")


def _amiss_in_name(name: str) -> str:
    return "" if name.strip() and "\x00" not in name else "A channel needs a name."


def _amiss_in_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return f"{url!r} is not a URL."
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_fits:
        return f"{url!r} is not a URL of the form https://host/path."
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "A base URL holds no user, password or fragment; secrets have a field of their own."
    if parts.query and not _QUERY.fullmatch(parts.query):
        return "The query of a base URL is of the form name=value; secrets have a field of their own."
    if any(ord(character) <= 0x20 or ord(character) >= 0x7F for character in url):
        return "A base URL holds no spaces and no characters beyond ASCII."
    return ""


def _amiss_in_secrets(secrets: tuple[str, ...]) -> str:
    fit = secrets and all(secret and (_VALUE.fullmatch(secret) or is_account(secret)) for secret in secrets)
    return "" if fit else "A channel needs at least one secret, of printable ASCII characters or a service account."


def _amiss_in_models(models: Mapping[str, str]) -> str:
    if not models:
        return "A channel needs at least one model."
    for name, upstream in models.items():
        if not name or not upstream or "\x00" in name + upstream:
            return "A model's name is empty."
        if "*" in upstream and not name.endswith("+*"):
            return f"{upstream!r} carries a suffix over, so {name!r} must end in +*."
    return ""


def _amiss_in_headers(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(value):
            return f"{name!r} is not a header that can be sent."
        if name.lower() in {"host", "content-length", "transfer-encoding", "connection", "authorization"}:
            return f"The header {name!r} is the gateway's own."
    return ""


def _amiss_in_weight(weight: int) -> str:
    return "" if 1 <= weight <= _MOST_WEIGHT else f"A weight lies between 1 and {_MOST_WEIGHT}."


def _amiss_in_priority(priority: int) -> str:
    return "" if abs(priority) <= _MOST_WEIGHT else f"A priority lies between -{_MOST_WEIGHT} and {_MOST_WEIGHT}."


def _amiss_in_drain(seconds: float) -> str:
    return "" if 0 <= seconds <= 3_600 else "drain_s lies between 0 and 3600 seconds."


def _amiss_in_drain_cost(usd: str) -> str:
    try:
        parse_usd(usd)
    except ValueError as error:
        return f"drain_cost: {error}."
    return ""


def _amiss_in_provider(provider: str) -> str:
    known = ", ".join(PROVIDERS)
    return "" if provider in PROVIDERS else f"There is no provider {provider[:40]!r}; this version knows: {known}."


_CHECKS: Final[Mapping[str, Callable[[Any], str]]] = {
    "name": _amiss_in_name,
    "provider": _amiss_in_provider,
    "base_url": _amiss_in_url,
    "secrets": _amiss_in_secrets,
    "models": _amiss_in_models,
    "headers": _amiss_in_headers,
    "weight": _amiss_in_weight,
    "priority": _amiss_in_priority,
    "drain_s": _amiss_in_drain,
    "drain_cost": _amiss_in_drain_cost,
}
