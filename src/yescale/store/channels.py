"""Channels: our accounts at providers. Secrets are stored as the encrypted bytes that control makes of them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from sqlalchemy import RowMapping, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import ChannelId
from yescale.domain.money import NANO_PER_USD, Nano
from yescale.domain.snapshot import NO_OVERRIDES, Overrides
from yescale.store.tables import channels

ENABLED: Final = 1
DISABLED: Final = 2
REFUSED: Final = 3  # disabled since its provider refused every secret; a probe or the operator enables it again


class NewChannel(Struct, frozen=True, kw_only=True):
    """A channel to be stored. `secrets` is encrypted."""

    name: str
    provider: str
    base_url: str
    secrets: bytes
    models: Mapping[str, str]
    groups: tuple[str, ...]
    priority: int = 0
    weight: int = 1
    headers: Mapping[str, str] = field(default_factory=dict[str, str])  # in clear, of an older version
    sealed: bytes | None = None  # headers and proxy, encrypted
    body: Overrides = NO_OVERRIDES
    status: int = ENABLED
    reason: str = ""  # why it is REFUSED
    drain_s: float = 30.0
    drain_cost: Nano = NANO_PER_USD // 20
    max_attempts: int = 0
    total_s: float = 0.0
    bills_failures: bool = False


class ChannelRow(NewChannel, frozen=True, kw_only=True):
    """A stored channel."""

    id: ChannelId
    created_ms: int
    updated_ms: int

    def __repr__(self) -> str:  # secrets must not reach a log through a representation
        return f"ChannelRow(id={self.id}, name={self.name!r}, provider={self.provider!r})"


_JSON: Final = frozenset({"models", "groups", "headers", "body"})
_SELECT: Final = (
    select(*[channels.c[name] for name in ChannelRow.__struct_fields__])
    .where(channels.c.deleted_ms.is_(None))
    .order_by(channels.c.id)
)
_BY_ID: Final = _SELECT.where(channels.c.id == bindparam("channel"))


async def create_channel(connection: AsyncConnection, new: NewChannel, *, now_ms: int) -> ChannelId:
    """Store a channel and return its id. Note a snapshot change in the same transaction."""
    values = _columns({name: getattr(new, name) for name in NewChannel.__struct_fields__})
    values |= {"created_ms": now_ms, "updated_ms": now_ms}
    return ChannelId((await connection.execute(channels.insert().values(values).returning(channels.c.id))).scalar_one())


async def update_channel(connection: AsyncConnection, channel: ChannelId, *, now_ms: int, **fields: Any) -> bool:
    """Set fields of a channel; False if there is none."""
    values = _columns(fields) | {"updated_ms": now_ms}
    done = await connection.execute(
        channels.update().where(channels.c.id == channel, channels.c.deleted_ms.is_(None)).values(values)
    )
    return done.rowcount > 0


async def switch_channel(
    connection: AsyncConnection, channel: ChannelId, states: tuple[int, int], reason: str, *, now_ms: int
) -> bool:
    """From one status to another; False if it has a third."""
    before, after = states
    done = await connection.execute(
        channels.update()
        .where(channels.c.id == channel, channels.c.status == before, channels.c.deleted_ms.is_(None))
        .values(status=after, reason=reason, updated_ms=now_ms)
    )
    return done.rowcount > 0


async def delete_channel(connection: AsyncConnection, channel: ChannelId, *, now_ms: int) -> bool:
    """Take a channel away; its row stays for the logs. False if there is none."""
    return await update_channel(connection, channel, now_ms=now_ms, deleted_ms=now_ms)


async def find_channel(connection: AsyncConnection, channel: ChannelId) -> ChannelRow | None:
    """The channel of an id."""
    row = (await connection.execute(_BY_ID, {"channel": channel})).mappings().first()
    return None if row is None else _row(row)


async def list_channels(connection: AsyncConnection, *, enabled_only: bool = False) -> tuple[ChannelRow, ...]:
    """All channels, by id."""
    query = _SELECT.where(channels.c.status == ENABLED) if enabled_only else _SELECT
    return tuple(_row(row) for row in (await connection.execute(query)).mappings())


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: msgspec.json.encode(value).decode() if name in _JSON else value for name, value in fields.items()}


def _row(row: RowMapping) -> ChannelRow:
    values = {str(name): msgspec.json.decode(value) if name in _JSON else value for name, value in row.items()}
    return msgspec.convert(values, ChannelRow)
