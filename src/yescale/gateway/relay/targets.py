"""Where an attempt goes: origin and request head of a channel's endpoint, built once per snapshot and secret."""

import logging
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain.ids import ChannelId, ProtocolId
from yescale.domain.profile import Profile
from yescale.domain.snapshot import Channel
from yescale.gateway.admission import Order
from yescale.protocols.codec import Quirk
from yescale.protocols.passthrough import AnyFormat, UpstreamFormat
from yescale.providers.provider import (
    BadChannel,
    Blame,
    Head,
    Passed,
    Request,
    Signer,
    Unsigned,
    build_head,
    header_lines,
)
from yescale.providers.registry import PROVIDERS
from yescale.routing.table import Candidate, Table
from yescale.wire.client import Origin
from yescale.wire.proxy import Proxy

LOG: Final = logging.getLogger("yescale.relay")
_MOST: Final = 10_000  # of what is kept: a wildcard lets any name of a model through


class Signing(Struct, frozen=True):
    """What signs each request of a target anew."""

    sign: Signer
    head: Head
    channel: Channel
    secret: str

    def lines(self, body: bytes, now_s: int) -> bytes:
        """The header lines that carry the signature. Raises BadChannel."""
        unsigned = Unsigned(host=self.head.host, target=self.head.target, body=body, secret=self.secret, now_s=now_s)
        return header_lines(self.channel, self.sign(unsigned))


class Target(Struct, frozen=True, kw_only=True):
    """One channel's endpoint for one operation and model, signed with one secret."""

    origin: Origin
    head: bytes
    format: AnyFormat
    profile: Profile
    passes: tuple[Passed, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    charges: tuple[str, ...] = ()
    blame: tuple[Blame, ...] = ()
    signing: Signing | None = None


_Place = tuple[ChannelId, str, str, ProtocolId, bool, int]


class Targets:
    """A cache that lives as long as a snapshot does. A channel that cannot be used is logged once and left out."""

    __slots__ = ("_known", "_table")

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[_Place, Target | None] = {}

    def find(self, candidate: Candidate, order: Order, spoken: ProtocolId, secret: int) -> Target | None:
        """The target, or None where the channel is not usable."""
        stream = order.peek.stream
        place = (candidate.channel.id, candidate.upstream_model, order.operation, spoken, stream, secret)
        if order.table is not self._table:  # an older call: its channels may have been changed since
            return _build(candidate, place)
        try:
            return self._known[place]
        except KeyError:
            if len(self._known) >= _MOST:
                self._known.clear()
            target = self._known[place] = _build(candidate, place)
            return target


def _build(candidate: Candidate, place: _Place) -> Target | None:
    channel = candidate.channel
    _, _, operation, spoken, stream, secret = place
    provider = PROVIDERS.get(channel.provider)
    if provider is None:
        LOG.error("channel %d names a provider that this version does not know: %s", channel.id, channel.provider)
        return None
    endpoint = provider.endpoint(operation, spoken)
    if endpoint is None:
        LOG.error("channel %d: its provider %s has no endpoint for '%s'", channel.id, provider.id, operation)
        return None
    request = Request(
        endpoint=endpoint,
        model=candidate.upstream_model,
        stream=stream,
        secret=channel.secrets[secret] if channel.secrets else "",
    )
    try:
        origin, _ = Origin.parse((channel.base_url or provider.base_url).partition("?")[0])
        if channel.proxy:
            origin = replace(origin, via=Proxy.parse(channel.proxy))
        head = build_head(channel, provider, request)
    except BadChannel as error:
        LOG.error("%s; mend the channel", error)  # noqa: TRY400 - no defect: no traceback
        return None
    except ValueError:  # its text would hold the address, which may hold a password
        LOG.error("channel %d has a base URL or a proxy that cannot be used; mend it", channel.id)  # noqa: TRY400 - as above
        return None
    return Target(
        origin=origin,
        head=head.lines,
        format=endpoint.format,
        profile=provider.profile(candidate.upstream_model),
        passes=endpoint.passes if _carries(endpoint.format, spoken) else (),
        quirks=endpoint.quirks,
        charges=provider.charges,
        blame=provider.blame,
        signing=Signing(provider.auth, head, channel, request.secret) if callable(provider.auth) else None,
    )


def _carries(form: AnyFormat, spoken: ProtocolId) -> bool:
    """Whether requests of the client's format go on as they are, be it in an envelope."""
    return form.id == spoken or (isinstance(form, UpstreamFormat) and form.inside == spoken)
