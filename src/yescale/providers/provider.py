"""What a provider is, and how a request to one is headed. Pure."""

from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from msgspec import Struct

from yescale.domain.ids import ProviderId
from yescale.domain.snapshot import Channel
from yescale.protocols.passthrough import Format

_FORBIDDEN: Final = frozenset(
    {"content-length", "transfer-encoding", "connection", "host", "upgrade", "te", "trailer", "expect"}
)


class Auth(Protocol):
    """How a request is signed with a channel's secret."""

    def sign(self, secret: str) -> Mapping[str, str]:
        """The headers that carry the secret."""
        ...


class Bearer(Struct, frozen=True):
    """`Authorization: Bearer <secret>`."""

    def sign(self, secret: str) -> Mapping[str, str]:
        """The one header."""
        return {"authorization": f"Bearer {secret}"}


class Endpoint(Struct, frozen=True):
    """A provider's path for an operation, below its base URL, and the format spoken there."""

    format: Format
    path: str


class Provider(Struct, frozen=True, kw_only=True):
    """A company with an API. A channel may have another base URL."""

    id: ProviderId
    title: str
    base_url: str  # "" = every channel states its own
    auth: Auth
    endpoints: Mapping[str, Endpoint]  # by operation
    limit_field: str = "max_tokens"  # where a chat model of theirs takes an output limit


class BadChannel(ValueError):
    """A channel from which no request can be built; says what to mend, never a secret."""


def build_head(channel: Channel, provider: Provider, operation: str, secret: str) -> bytes:
    """Request line and header lines of a POST, without length and blank line. Raises BadChannel."""
    endpoint = provider.endpoints.get(operation)
    if endpoint is None:
        raise BadChannel(f"channel {channel.id}: provider {provider.id} has no endpoint for '{operation}'")
    url = urlsplit(channel.base_url or provider.base_url)
    target = quote(f"{url.path.rstrip('/')}{endpoint.path}", safe="/%:@!$&'()*+,;=~-._")
    headers = {
        "host": url.netloc or "localhost",
        **provider.auth.sign(secret),
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "accept-encoding": "identity",  # usage is read from the bytes as they pass
        "user-agent": "yescale",
        **{name.lower(): value for name, value in channel.headers.items() if name.lower() not in _FORBIDDEN},
    }
    for name, value in headers.items():
        if not _is_token(name) or not value.isascii() or any(c in value for c in "\r\n\0"):
            raise BadChannel(f"channel {channel.id}: header '{name[:40]!a}' holds a character that no header may")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {target} HTTP/1.1\r\n{lines}".encode("ascii")


def _is_token(name: str) -> bool:
    return name != "" and name.isascii() and all(c.isalnum() or c in "-_.!#$%&'*+^`|~" for c in name)
