"""What a wire format is to translation: six pure functions around the canonical form. No clock, no id is made here."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from msgspec import Struct

from yescale.domain.chat import ChatRequest, ChatResponse
from yescale.domain.events import Event
from yescale.domain.faults import Fault
from yescale.domain.ids import ProtocolId
from yescale.domain.loss import Loss
from yescale.domain.profile import Profile

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Malformed(ValueError):
    """A request that its format does not allow; `fault` names the field. The only exception of a request's decoder."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Garbled(ValueError):
    """An upstream's answer that is none of its format. The only exception of an answer's decoders."""


class PathWords(Struct, frozen=True, gc=False):
    """What a request says in its path instead of its body."""

    model: str = ""
    stream: bool = False


NO_WORDS: Final = PathWords()


class Encoded(Struct, frozen=True):
    """A request for an upstream: its body, what could not be said, headers that it needs beside the channel's."""

    body: bytes
    losses: tuple[Loss, ...] = ()
    headers: Mapping[str, str] = NO_HEADERS


class Envelope(Struct, frozen=True, kw_only=True):
    """What a client's answer needs beside the upstream's: ours to choose, or the client's own words to repeat."""

    id: str  # our request id; a format adds its own prefix
    model: str  # as the client named it
    created: int  # unix seconds
    request: ChatRequest
    input_tokens: int = 0  # our estimate, for formats that say the prompt's size first (promise 24)


class Quirk(Protocol):
    """A tweak of a request that a provider needs, by name, beside what its format and profile say. Pure."""

    def __call__(self, request: ChatRequest) -> tuple[ChatRequest, tuple[Loss, ...]]:
        """The request as the provider takes it, and what it lost by that."""
        ...


class StreamDecoder(Protocol):
    """Upstream bytes in, canonical events out, wherever the network cut them. Both raise Garbled."""

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now."""
        ...

    def finish(self) -> Sequence[Event]:
        """The stream is over: what was held. StreamEnd comes only if the format's end was seen."""
        ...


class StreamEncoder(Protocol):
    """Canonical events in, client bytes out: whole events of the client's format, or nothing yet."""

    def encode(self, event: Event) -> bytes:
        """What this event adds; StreamEnd writes the format's end. StreamError is never handed in."""
        ...


class UpstreamCodec(Struct, frozen=True, kw_only=True):
    """The half of a wire format of chat that faces providers."""

    id: ProtocolId
    encode_request: Callable[[ChatRequest, Profile], Encoded]
    decode_response: Callable[[bytes], ChatResponse]  # raises Garbled
    stream_decoder: Callable[[int], StreamDecoder]  # the longest event in bytes


class Codec(UpstreamCodec, frozen=True, kw_only=True):
    """One wire format of chat, in both directions."""

    decode_request: Callable[[bytes, PathWords], ChatRequest]  # raises Malformed
    encode_response: Callable[[ChatResponse, Envelope], bytes]
    stream_encoder: Callable[[Envelope], StreamEncoder]
