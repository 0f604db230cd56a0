"""Channels: our accounts at providers. Their secrets go in and never come out."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import asdict
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue import format_usd, parse_usd
from yescale.control.context import Context
from yescale.control.operations.channel_checks import CHECKS
from yescale.control.operations.refusals import OperationRefused
from yescale.control.secrets import SecretUnusable
from yescale.control.snapshot import Private, seal_private, seal_secrets, unseal_private, unseal_secrets
from yescale.domain.ids import ChannelId
from yescale.domain.snapshot import NO_OVERRIDES, Overrides
from yescale.store import changes
from yescale.store.channels import (
    DISABLED,
    ENABLED,
    REFUSED,
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
from yescale.wire.proxy import Proxy


class AddChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`models`: our name to the provider's; a `*` at the end of ours stands for any ending, a `*` in theirs for it.
    `drain_s` and `drain_cost` (US dollars in decimals): how long, and for how much of further output, to read on for
    the usage after a client left.
    """

    def __repr__(self) -> str:  # secrets must not reach a log through a representation
        return f"AddChannel(name={self.name!r})"

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
    body: Overrides = NO_OVERRIDES
    proxy: str = ""
    max_attempts: int = 0
    total_s: float = 0.0
    bills_failures: bool = False


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
    body: Overrides | UnsetType = UNSET
    proxy: str | UnsetType = UNSET
    max_attempts: int | UnsetType = UNSET
    total_s: float | UnsetType = UNSET
    bills_failures: bool | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"EditChannel(id={self.id})"


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
        fields["sealed"] = seal_private(context.vault, Private(headers=asked.headers, proxy=asked.proxy))
        fields["secrets"] = seal_secrets(context.vault, asked.secrets)
        fields["drain_cost"] = parse_usd(asked.drain_cost)
        new = NewChannel(**{name: value for name, value in fields.items() if name not in ("headers", "proxy")})
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
        if "headers" in fields or "proxy" in fields:
            fields |= await _seal_with(connection, context, asked.id, fields)
        fields.pop("proxy", None)
        await _update(connection, asked.id, fields)
    await context.announce()
    return await _show(context, asked.id)


async def _seal_with(
    connection: AsyncConnection, context: Context, channel: ChannelId, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """The encrypted column with headers or proxy changed; what stood in clear goes."""
    row = await find_channel(connection, channel)
    if row is None:
        raise _unknown(channel)
    try:
        known = unseal_private(context.vault, row)
    except SecretUnusable:
        known = Private()
    private = Private(headers=fields.get("headers", known.headers), proxy=fields.get("proxy", known.proxy))
    return {"sealed": seal_private(context.vault, private), "headers": {}}


async def enable_channel(context: Context, asked: OneChannel) -> object:
    """Send calls to it again."""
    return await _set_status(context, asked.id, ENABLED)


async def disable_channel(context: Context, asked: OneChannel) -> object:
    """Send no more calls to it."""
    return await _set_status(context, asked.id, DISABLED)


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
        await _update(connection, channel, {"status": status, "reason": ""})
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
        private = unseal_private(context.vault, row)
    except SecretUnusable:
        secrets, private = "unreadable", Private()
    standing = context.wellness.of(row.id)
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
        "headers": sorted(private.headers),  # names: a value may be a credential
        "enabled": row.status == ENABLED,
        "refused": row.reason if row.status == REFUSED else "",
        "drain_s": row.drain_s,
        "drain_cost": format_usd(row.drain_cost),
        "body": {"set": sorted(row.body.set), "default": sorted(row.body.default), "remove": sorted(row.body.remove)},
        "proxy": Proxy.parse(private.proxy).shown if private.proxy else "",
        "max_attempts": row.max_attempts,
        "total_s": row.total_s,
        "bills_failures": row.bills_failures,
        "resting_s": round(standing.rest_s, 1),
        "resting_secrets": len(standing.secrets),
        "first_byte_ms": dict(standing.first_byte_ms),
    }


def _unknown(channel: ChannelId) -> OperationRefused:
    return OperationRefused(f"There is no channel {channel}; `channel list` shows them.")


async def _check(connection: AsyncConnection, fields: Mapping[str, Any]) -> None:
    for name, check in CHECKS.items():
        if name in fields and (amiss := check(fields[name])):
            raise OperationRefused(amiss)
    if "groups" in fields:
        known = {group.name for group in await list_groups(connection)}
        missing = [name for name in fields["groups"] if name not in known]
        if missing:
            raise OperationRefused(f"There is no group {missing[0]!r}; make it with `group set`.")
