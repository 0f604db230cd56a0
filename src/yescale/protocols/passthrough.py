"""What the relay needs of a wire format to carry its calls unchanged: a Format value and the shapes it deals in."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName, ProtocolId
from yescale.domain.tags import NO_TAGS, Tags
from yescale.domain.usage import Usage
from yescale.protocols.codec import PathWords, UpstreamCodec
from yescale.protocols.embedding import EmbedCodec
from yescale.protocols.tapping import Tap, UpstreamError
from yescale.protocols.wishes import Wishes

__all__ = ["Answer", "Carrier", "Change", "Format", "Peek", "Tap", "UpstreamError", "scrub"]

BYTES_PER_TOKEN: Final = 4  # of text, where usage must be estimated; the usual rule of thumb


_SHORTEST_SECRET: Final = 6  # shorter ones are placeholders, and might be words of the message


class Peek(Struct, frozen=True, kw_only=True, gc=False):
    """The few things that price and route need of a request."""

    model: ModelName
    prompt_tokens: int  # never less than what it can count as
    stream: bool = False
    wants_usage: bool = False  # the client asked for usage in its stream
    declared: int | None = None  # output limit in tokens per choice; None = none said
    limit_field: str = ""  # said as null: the name under which a limit would go
    options_said: bool = False  # `stream_options` is there, be it null
    n: int = 1
    outputs: bool = True  # False: makes no output tokens
    late_system: bool = False  # a system message may stand among the turns, which not every model takes (promise 25)
    long: tuple[int, int] = (0, 0)  # where the one long value of the body lies, if that is certain
    texts: Sequence[tuple[int, int]] = ()  # where long texts of the body lie, those of which that is certain
    tags: Tags = NO_TAGS  # the end user whom the body names
    wishes: Wishes | None = None  # what it asks of the gateway itself


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """What may differ in the request that goes up."""

    model: str
    limit: int | None = None  # output tokens that the grant pays for, where the client declared none
    limit_field: str = "max_tokens"
    ask_usage: bool = True  # False: the upstream refuses to be asked, and tells it anyway


class Answer(Struct, frozen=True, gc=False):
    """A whole answer, read: its usage (None = not reported or unreadable), and how to measure its text."""

    usage: Usage | None
    text_bytes: Callable[[bytes], int]
    translated: bytes | None = None  # what the client gets, where that is not the body itself
    tier: str = ""  # which one the upstream says served the call; "" = the usual one, or it says none


def scrub(text: bytes, secrets: tuple[str, ...]) -> bytes:
    """The same without our secrets, which some servers repeat in their errors."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret.encode(), b"***")
    return text


class Carrier(Protocol):
    """How an answer is read on its way to the client: by the format that both sides speak, or in translation."""

    @property
    def tap(self) -> Callable[[bool, int], Tap]:
        """The tap of a stream, as of a Format."""
        ...

    @property
    def read_answer(self) -> Callable[[bytes], Answer | None]:
        """A whole answer; None: this is none."""
        ...

    @property
    def read_error(self) -> Callable[[bytes], UpstreamError]:
        """The upstream's error body."""
        ...

    @property
    def stream_kind(self) -> bytes:
        """The content type of the upstream's stream, without parameters."""
        ...


class Format(Struct, frozen=True, kw_only=True):
    """One wire format of one operation. All functions are pure."""

    id: ProtocolId
    peek: Callable[[bytes, PathWords], Peek | Fault]
    rewrite: Callable[[bytes, Peek, Change], bytes]
    tap: Callable[[bool, int], Tap]  # (whether the client asked for usage, bytes of an event at most)
    read_answer: Callable[[bytes], Answer | None]  # None: this is no answer of this format
    render: Callable[[Fault, str], bytes]  # the error body, naming the request id
    render_event: Callable[[Fault, str], bytes]  # the same as an event of a stream
    read_error: Callable[[bytes], UpstreamError]
    codec: UpstreamCodec | EmbedCodec | None = None  # None: calls of this format are carried unchanged or not at all
    stream_kind: bytes = b"text/event-stream"  # its content type, without parameters
    keepalive: bytes = b": keepalive\n\n"  # what a silent stream may send between events; empty = nothing can be sent
    headers: tuple[bytes, ...] = ()  # of a request that say something of it, and are missed where it is translated


class UpstreamFormat(Struct, frozen=True, kw_only=True):
    """A wire format of chat that providers alone speak: every call is translated to it."""

    id: ProtocolId
    read_error: Callable[[bytes], UpstreamError]
    codec: UpstreamCodec
    stream_kind: bytes = b"text/event-stream"
    inside: ProtocolId | None = None  # the clients' format that it carries in an envelope


AnyFormat = Format | UpstreamFormat
