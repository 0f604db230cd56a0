"""What a provider is, and how a request to one is headed. Pure."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, Protocol
from urllib.parse import quote, urlsplit

from msgspec import Struct

from yescale.domain.ids import ProtocolId, ProviderId
from yescale.domain.profile import Profile
from yescale.domain.snapshot import Channel
from yescale.protocols.codec import Quirk
from yescale.protocols.passthrough import AnyFormat, UpstreamError

_FORBIDDEN: Final = frozenset(
    {"content-length", "transfer-encoding", "connection", "host", "upgrade", "te", "trailer", "expect"}
)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_NO_WORDS: Final[Mapping[bytes, bytes]] = MappingProxyType({})
_PATH: Final = "/%:@!$&'()*+,;=~-._"
_QUERY: Final = "/%:@!$&'()*+,;=~-._?"
_SEGMENT: Final = ":@~-._"  # a model's name must not leave its place in the path


class Auth(Protocol):
    """How a request is signed with a channel's secret, where the secret alone decides."""

    def sign(self, secret: str) -> Mapping[str, str]:
        """The headers that carry the secret."""
        ...


class Bearer(Struct, frozen=True):
    """`Authorization: Bearer <secret>`."""

    def sign(self, secret: str) -> Mapping[str, str]:
        """The one header."""
        return {"authorization": f"Bearer {secret}"}


class KeyHeader(Struct, frozen=True):
    """The secret alone in a header of the provider's own."""

    name: str

    def sign(self, secret: str) -> Mapping[str, str]:
        """The one header."""
        return {self.name: secret}


class Unsigned(Struct, frozen=True, kw_only=True, gc=False):
    """A request as a signature covers it: `target` is path and query as sent."""

    host: str
    target: str
    body: bytes
    secret: str
    now_s: int  # unix seconds


class Signer(Protocol):
    """How a request is signed where its body and the time are signed too."""

    def __call__(self, request: Unsigned) -> Mapping[str, str]:
        """The headers that carry the signature. Raises BadChannel where the secret is none of its kind."""
        ...


class Passed(Struct, frozen=True):
    """A header of the client that goes on to this endpoint where both sides speak the same format, or this one carries
    the client's in an envelope: a list of words between commas, of which only those pass that are `known`, each by
    the name that it has here; where nothing is, those that begin with one of `words` (promise 29).
    """

    name: bytes
    words: tuple[bytes, ...] = (b"",)
    known: Mapping[bytes, bytes] = _NO_WORDS
    member: str = ""  # the field of the body that takes them, as a list of strings, in place of a header

    def choose(self, said: Iterable[bytes]) -> tuple[bytes, ...]:
        """Those that pass, each once."""
        if self.known:
            return tuple(dict.fromkeys(self.known[word] for word in said if word in self.known))
        return tuple(word for word in said if word.startswith(self.words))


class Endpoint(Struct, frozen=True, kw_only=True):
    """A provider's path for an operation, below its base URL, and the format spoken there.

    `{model}` in a path or a query stands for the upstream's model name; `query` follows a `?`.
    """

    format: AnyFormat
    path: str
    method: str = "POST"
    stream_path: str = ""  # "" = the same
    query: str = ""
    stream_query: str = ""
    headers: Mapping[str, str] = _NOTHING
    passes: tuple[Passed, ...] = ()
    quirks: tuple[Quirk, ...] = ()  # of requests that are translated; what passes unchanged stays untouched


class Blame(Struct, frozen=True, kw_only=True):
    """A row of what a provider's errors mean where their status says too little or something else. What a row leaves
    out fits anything.
    """

    who: Literal["account", "busy", "caller", "provider"]  # ours there, all of them now, the client, its machines
    status: int = 0
    code: str = ""  # as `code` or as `type`
    words: str = ""  # of the message, in lower case

    def fits(self, status: int, error: UpstreamError) -> bool:
        """Whether this row speaks of an error."""
        return (
            self.status in (0, status)
            and self.code in ("", error.code, error.type)
            and self.words in error.message.lower()
        )


def know_nothing(_model: str) -> Profile:
    """The profile of a model of which nothing is known."""
    return Profile()


class Provider(Struct, frozen=True, kw_only=True):
    """A company with an API. A channel may have another base URL."""

    id: ProviderId
    title: str
    base_url: str  # "" = every channel states its own
    auth: Auth | Signer
    endpoints: Mapping[str, tuple[Endpoint, ...]]  # by operation; the first is what others are translated to
    profile: Callable[[str], Profile] = know_nothing  # by upstream model
    charges: tuple[str, ...] = ()  # members of `usage` by which it tells what it charges us: no client sees them
    blame: tuple[Blame, ...] = ()  # the first row that fits says what an error means; else its status does

    def endpoint(self, operation: str, spoken: ProtocolId) -> Endpoint | None:
        """The endpoint of an operation that speaks the client's format, else the first that can be translated to."""
        found = self.endpoints.get(operation, ())
        own = next((endpoint for endpoint in found if endpoint.format.id == spoken), None)
        return own or next((endpoint for endpoint in found if endpoint.format.codec is not None), None)


class BadChannel(ValueError):
    """A channel from which no request can be built; says what to mend, never a secret."""


class Request(Struct, frozen=True, kw_only=True):
    """What the head of a request depends on."""

    endpoint: Endpoint
    model: str
    stream: bool
    secret: str


class Head(Struct, frozen=True, gc=False):
    """A request's head without length and blank line, and what a signature must know of it."""

    lines: bytes
    host: str
    target: str


def build_head(channel: Channel, provider: Provider, request: Request) -> Head:
    """Request line and header lines. A query of the base URL goes with every request. Raises BadChannel."""
    endpoint = request.endpoint
    url = urlsplit(channel.base_url or provider.base_url)
    path = endpoint.stream_path if request.stream and endpoint.stream_path else endpoint.path
    query = endpoint.stream_query if request.stream and endpoint.stream_query else endpoint.query
    target = quote(url.path.rstrip("/"), safe=_PATH) + path.replace("{model}", quote(request.model, safe=_SEGMENT))
    host = url.netloc.rpartition("@")[2] or "localhost"
    own = {name.lower(): value for name, value in channel.headers.items() if name.lower() not in _FORBIDDEN}
    headers = {
        "host": host,
        **({} if callable(provider.auth) else provider.auth.sign(request.secret)),
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "accept-encoding": "identity",  # usage is read from the bytes as they pass
        "user-agent": "yescale",
        **endpoint.headers,
        **own,
    }
    headers = {name: value for name, value in headers.items() if value or name not in own}
    query = "&".join(part for part in (url.query, query) if part)
    query = query.replace("{model}", quote(request.model, safe="~-._"))
    target = f"{target}?{quote(query, safe=_QUERY)}" if query else target
    return Head(
        f"{endpoint.method} {target} HTTP/1.1\r\n".encode("ascii") + header_lines(channel, headers), host, target
    )


def header_lines(channel: Channel, headers: Mapping[str, str]) -> bytes:
    """Header lines, each checked. Raises BadChannel."""
    for name, value in headers.items():
        if not _is_token(name) or not value.isascii() or any(c in value for c in "\r\n\0"):
            raise BadChannel(f"channel {channel.id}: header '{name[:40]!a}' holds a character that no header may")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


def _is_token(name: str) -> bool:
    return name != "" and name.isascii() and all(c.isalnum() or c in "-_.!#$%&'*+^`|~" for c in name)
