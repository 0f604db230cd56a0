"""The snapshot that workers serve from: built whole from the database, with the providers' secrets opened and service
accounts exchanged for tokens.
"""

import logging
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from yescale.control.secrets import SecretUnusable, Vault, seal, unseal
from yescale.control.tokens import Tokens
from yescale.domain.ids import ModelName, ProviderId
from yescale.domain.snapshot import Channel, Snapshot
from yescale.store import changes
from yescale.store.catalogue import list_models
from yescale.store.channels import ChannelRow, NewChannel, list_channels
from yescale.store.database import Database
from yescale.store.groups import list_groups
from yescale.store.limits import shared_limits
from yescale.store.prices import current_prices
from yescale.tuning import MoneySettings

_LOG: Final = logging.getLogger(__name__)
_PLACE: Final = "channel secrets"
_SECRETS: Final = msgspec.json.Decoder(tuple[str, ...])


class Private(Struct, frozen=True, kw_only=True):
    """Of a channel, beside its secrets: headers that it sets, and the proxy that it is reached through."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    proxy: str = ""

    def __repr__(self) -> str:
        return f"Private(headers={sorted(self.headers)})"


_PRIVATE_PLACE: Final = "channel headers"
_PRIVATE: Final = msgspec.json.Decoder(Private)


class Snapshots:
    """The newest snapshot, and how to make a newer one."""

    def __init__(self, database: Database, vault: Vault, money: MoneySettings, tokens: Tokens) -> None:
        self.current = Snapshot(version=0)
        self._opened: tuple[Channel, ...] = ()
        self._tokens = tokens
        self._database = database
        self._vault = vault
        self._money = money

    async def refresh(self) -> None:
        """Build it anew. Its version is the number of the newest change. Raises DatabaseAway."""
        async with self._database.reading() as connection:
            version = await changes.latest(connection)
            groups = await list_groups(connection)
            models = await list_models(connection)
            channels = await list_channels(connection, enabled_only=True)
            prices = await current_prices(connection)
            limits = await shared_limits(connection)
        opened = (open_channel(row, self._vault) for row in channels)
        self._opened = tuple(channel for channel in opened if channel is not None)
        self.current = Snapshot(
            version=version,
            groups=groups,
            models=tuple(row.model for row in models),
            channels=self._tokens.wear(self._opened),
            prices=prices,
            insufficient_funds_status=self._money.insufficient_funds_status,
            minimum_balance=self._money.minimum_balance,
            limits=limits,
        )

    def renew(self) -> None:
        """The same with the tokens of now."""
        self.current = replace(self.current, channels=self._tokens.wear(self._opened))


def open_channel(row: ChannelRow, vault: Vault) -> Channel | None:
    """A channel as calls need it; None where its secrets cannot be opened, which the log says."""
    try:
        secrets, private = unseal_secrets(vault, row.secrets), unseal_private(vault, row)
    except SecretUnusable as error:
        _LOG.error("alarm: channel %d (%s) is left out: %s", row.id, row.name, error)
        return None
    return Channel(
        id=row.id,
        name=row.name,
        provider=ProviderId(row.provider),
        base_url=row.base_url,
        secrets=secrets,
        models={ModelName(name): upstream for name, upstream in row.models.items()},
        groups=row.groups,
        priority=row.priority,
        weight=row.weight,
        headers=private.headers,
        drain_s=row.drain_s,
        drain_cost=row.drain_cost,
        body=row.body or None,
        proxy=private.proxy,
        max_attempts=row.max_attempts,
        total_s=row.total_s,
        bills_failures=row.bills_failures,
    )


def seal_private(vault: Vault, private: Private) -> bytes | None:
    """What of a channel may hold a credential beside its secrets, as it is stored; None = there is nothing."""
    empty = private == Private()
    return None if empty else seal(vault.channels, msgspec.json.encode(private).decode(), _PRIVATE_PLACE)


def unseal_private(vault: Vault, row: NewChannel) -> Private:
    """The same, opened. Raises SecretUnusable."""
    if row.sealed is None:
        return Private(headers=row.headers)
    return _PRIVATE.decode(unseal(vault.channels, row.sealed, _PRIVATE_PLACE))


def seal_secrets(vault: Vault, secrets: tuple[str, ...]) -> bytes:
    """A channel's secrets as they are stored."""
    return seal(vault.channels, msgspec.json.encode(secrets).decode(), _PLACE)


def unseal_secrets(vault: Vault, sealed: bytes) -> tuple[str, ...]:
    """A channel's secrets as its provider takes them. Raises SecretUnusable."""
    return _SECRETS.decode(unseal(vault.channels, sealed, _PLACE))
