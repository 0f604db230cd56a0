"""Parts: the pieces that a message is made of, in the union of what the wire formats can say.

A part that only one format has travels as `Opaque`, or with its `origin` and its bytes, and only that format gets it
back. Nothing is dropped in silence: an encoder that cannot say a part records a Loss.
"""

from typing import Literal

from msgspec import Raw, Struct

from yescale.domain.ids import ProtocolId


class CachePoint(Struct, frozen=True, gc=False):
    """A wish to cache the prompt up to and including the part that carries it."""

    ttl: Literal["5m", "1h"] = "5m"


class Inline(Struct, frozen=True, gc=False):
    """Bytes within the request, as base64 that is never decoded on its way."""

    media_type: str
    data: str


class Url(Struct, frozen=True, gc=False):
    """A web address that the provider fetches."""

    url: str
    media_type: str = ""  # "" = not said


class Stored(Struct, frozen=True, gc=False):
    """A file id that means something only to the format that issued it."""

    file_id: str
    origin: ProtocolId
    media_type: str = ""


Source = Inline | Url | Stored


class Citation(Struct, frozen=True, kw_only=True):
    """What a text rests on. `start` and `end` count characters of the text it stands at; -1 = not said."""

    url: str = ""
    title: str = ""
    quote: str = ""
    start: int = -1
    end: int = -1
    origin: ProtocolId | None = None  # who can read `raw`
    raw: Raw | None = None  # as its format wrote it


class Text(Struct, frozen=True, kw_only=True):
    """Words of a user, a model or a system prompt."""

    text: str
    citations: tuple[Citation, ...] = ()
    cache: CachePoint | None = None


class Image(Struct, frozen=True, kw_only=True):
    """A picture, in either direction."""

    source: Source
    detail: Literal["auto", "low", "high"] | None = None
    cache: CachePoint | None = None


class Audio(Struct, frozen=True, kw_only=True):
    """Sound, in either direction. `id` names what the model spoke earlier; then `source` may be absent."""

    source: Source | None = None
    transcript: str = ""
    id: str = ""
    expires_at: int = 0  # unix seconds until which `id` is known; 0 = not said


class File(Struct, frozen=True, kw_only=True):
    """A document: PDF, plain text, or another kind that its media type names."""

    source: Source
    name: str = ""
    context: str = ""  # what is said of it beside its title
    cited: bool = False  # the answer is to cite from it
    cache: CachePoint | None = None


class Thinking(Struct, frozen=True, kw_only=True):
    """Reasoning of a model. `seal` is its provider's opaque proof, which only `origin` can read."""

    text: str = ""
    seal: str = ""
    origin: ProtocolId | None = None
    redacted: bool = False  # there is nothing but the seal
    id: str = ""  # where the origin names it


class ToolCall(Struct, frozen=True, kw_only=True):
    """A call of a client's tool. `arguments` is the text exactly as the model wrote it, be it malformed."""

    id: str
    name: str
    arguments: str
    custom: bool = False  # the arguments are free text, not JSON
    seal: str = ""
    origin: ProtocolId | None = None
    cache: CachePoint | None = None


class ToolResult(Struct, frozen=True, kw_only=True):
    """What a client's tool answered."""

    call_id: str
    name: str = ""  # of the tool, where the format says it
    content: tuple["Text | Image | File", ...] = ()
    failed: bool = False
    custom: bool = False
    cache: CachePoint | None = None


HostedKind = Literal["web_search", "web_fetch", "code_execution", "url_context", "file_search", "other"]


class HostedCall(Struct, frozen=True, kw_only=True):
    """A call that the provider made of a tool of its own."""

    id: str
    tool: HostedKind
    arguments: str  # JSON; of code_execution {"language": ..., "code": ...}
    origin: ProtocolId
    raw: Raw  # as its format wrote it


class HostedResult(Struct, frozen=True, kw_only=True):
    """What the provider's own tool answered. `text` is the output of code that ran, where it is shown."""

    call_id: str
    tool: HostedKind
    origin: ProtocolId
    raw: Raw
    text: str = ""
    failed: bool = False


class Refusal(Struct, frozen=True, kw_only=True):
    """The model's words by which it refuses."""

    text: str


class Opaque(Struct, frozen=True, kw_only=True):
    """A part that no other format can say, kept byte for byte for the one that can."""

    origin: ProtocolId
    raw: Raw


Part = Text | Image | Audio | File | Thinking | ToolCall | ToolResult | HostedCall | HostedResult | Refusal | Opaque
