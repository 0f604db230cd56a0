"""Where an attempt goes: origin and request head of a channel, built once per snapshot and secret."""

import logging
from typing import Final

from msgspec import Struct

from yescale.domain.ids import ChannelId
from yescale.domain.snapshot import Channel
from yescale.protocols.passthrough import Format
from yescale.providers.provider import BadChannel, build_head
from yescale.providers.registry import PROVIDERS
from yescale.wire.client import Origin

LOG: Final = logging.getLogger("yescale.relay")


class Target(Struct, frozen=True):
    """One channel's endpoint for one operation, signed with one secret."""

    origin: Origin
    head: bytes
    format: Format
    limit_field: str


class Targets:
    """A cache that lives as long as a snapshot does. A channel that cannot be used is logged once and left out."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[ChannelId, str, int], Target | None] = {}

    def find(self, channel: Channel, operation: str, secret: int) -> Target | None:
        """The target, or None where the channel is not usable."""
        place = (channel.id, operation, secret)
        if place not in self._known:
            self._known[place] = _build(channel, operation, secret)
        return self._known[place]


def _build(channel: Channel, operation: str, secret: int) -> Target | None:
    provider = PROVIDERS.get(channel.provider)
    if provider is None:
        LOG.error("channel %d names a provider that this version does not know: %s", channel.id, channel.provider)
        return None
    try:
        origin, _ = Origin.parse(channel.base_url or provider.base_url)
        head = build_head(channel, provider, operation, channel.secrets[secret] if channel.secrets else "")
    except BadChannel as error:
        LOG.error("%s; mend the channel", error)  # noqa: TRY400 - no defect: no traceback
        return None
    except ValueError:  # its text would hold the address, which may hold a password
        LOG.error("channel %d has a base URL that cannot be used; mend it", channel.id)  # noqa: TRY400 - as above
        return None
    return Target(origin, head, provider.endpoints[operation].format, provider.limit_field)
