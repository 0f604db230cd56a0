"""Calls whose two sides speak different formats: the request re-encoded, the answer translated as it comes. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from yescale.domain.chat import ChatRequest, ChatResponse
from yescale.domain.content import Audio, Image, Inline, Refusal, Text, Thinking, ToolCall
from yescale.domain.embedding import EmbedRequest
from yescale.domain.events import (
    Event,
    MessageEnd,
    MessageStart,
    PartDelta,
    PartStart,
    StreamEnd,
    StreamError,
    UsageReport,
)
from yescale.domain.loss import Loss
from yescale.domain.profile import Profile
from yescale.domain.usage import Usage, tier_of
from yescale.protocols.codec import (
    Codec,
    Encoded,
    Envelope,
    Garbled,
    Quirk,
    StreamDecoder,
    StreamEncoder,
    UpstreamCodec,
)
from yescale.protocols.embedding import EmbedCodec
from yescale.protocols.passthrough import BYTES_PER_TOKEN, Answer, AnyFormat, Change, Format, Tap, UpstreamError

# A picture has 1,290 tokens: https://ai.google.dev/gemini-api/docs/image-generation. Sound has about 20 a second, whose
# base64 has 64,000 characters as 24 kHz PCM.
_PICTURE: Final = 1_290 * BYTES_PER_TOKEN
_SOUND: Final = 64_000 // (20 * BYTES_PER_TOKEN)
_UNREADABLE: Final = UpstreamError(message="The provider's stream could not be read.")


def encode(
    request: ChatRequest, upstream: UpstreamCodec, profile: Profile, change: Change, quirks: Sequence[Quirk] = ()
) -> Encoded:
    """The request as an endpoint of another format takes it: its model, a limit where one must be, usage asked for."""
    limit = request.max_tokens if change.limit is None else change.limit
    request = replace(request, model=change.model, max_tokens=limit, usage_wanted=request.stream)
    lost: list[Loss] = []
    for quirk in quirks:
        request, losses = quirk(request)
        lost += losses
    encoded = upstream.encode_request(request, profile)
    return replace(encoded, losses=(*lost, *encoded.losses)) if lost else encoded


class Translation:
    """One call in translation: a Carrier from the endpoint's format to the client's."""

    __slots__ = ("_client", "_endpoint", "_envelope", "_upstream", "stream_kind")

    def __init__(self, client: Codec, endpoint: AnyFormat, upstream: UpstreamCodec, envelope: Envelope) -> None:
        self._client = client
        self._upstream = upstream
        self._envelope = envelope
        self._endpoint = endpoint
        self.stream_kind = endpoint.stream_kind

    def tap(self, _wants_usage: bool, max_event_bytes: int) -> Tap:
        """What the client wants of usage, the envelope's request says."""
        return TranslatingTap(
            self._upstream.stream_decoder(max_event_bytes), self._client.stream_encoder(self._envelope)
        )

    def read_answer(self, body: bytes) -> Answer | None:
        """A whole answer, with what the client gets; None: this is no answer of the upstream's format."""
        try:
            response = self._upstream.decode_response(body)
        except Garbled:
            return None
        size = _size_of(response)
        told = self._client.encode_response(response, self._envelope)
        return Answer(response.usage, lambda _: size, told, tier_of(response.service_tier))

    def read_error(self, body: bytes) -> UpstreamError:
        """What the upstream's error body says."""
        return self._endpoint.read_error(body)


class EmbedTranslation:
    """A call for embeddings in translation."""

    __slots__ = ("_client", "_endpoint", "_request", "_upstream", "stream_kind")

    def __init__(self, client: EmbedCodec, endpoint: Format, upstream: EmbedCodec, request: EmbedRequest) -> None:
        self._client = client
        self._endpoint = endpoint
        self._upstream = upstream
        self._request = request
        self.stream_kind = endpoint.stream_kind

    def tap(self, wants_usage: bool, max_event_bytes: int) -> Tap:
        """No answer of these is a stream; one that comes all the same is the endpoint's to read."""
        return self._endpoint.tap(wants_usage, max_event_bytes)

    def read_answer(self, body: bytes) -> Answer | None:
        """A whole answer, with what the client gets."""
        try:
            response = self._upstream.decode_response(body)
            answer = self._client.encode_response(replace(response, model=self._request.model), self._request)
        except Garbled:
            return None
        return Answer(response.usage, lambda _: 0, answer)

    def read_error(self, body: bytes) -> UpstreamError:
        """What the upstream's error body says."""
        return self._endpoint.read_error(body)


class TranslatingTap:
    """A stream in translation. The first bytes wait for what follows them: a stream that begins with an error has said
    nothing yet, and another candidate may be tried.
    """

    __slots__ = (
        "_decoder", "_encoder", "_held", "done", "error", "finished", "partial", "text_bytes", "tier", "usage",
    )  # fmt: skip

    def __init__(self, decoder: StreamDecoder, encoder: StreamEncoder) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._held = b""
        self.usage: Usage | None = None
        self.partial = False
        self.done = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.text_bytes = 0
        self.tier = ""

    def feed(self, data: bytes) -> bytes:
        """What the client may have now."""
        if self.done or self.error is not None:
            return b""
        try:
            return self._translate(self._decoder.feed(data))
        except Garbled:
            self.error = _UNREADABLE
            return b""

    def finish(self) -> bytes:
        """The upstream's stream is over."""
        if self.done or self.error is not None:
            return b""
        try:
            return self._translate(self._decoder.finish())
        except Garbled:
            self.error = _UNREADABLE
            return b""

    def _translate(self, events: Iterable[Event]) -> bytes:
        encode = self._encoder.encode
        out: list[bytes] = []
        for event in events:
            if isinstance(event, MessageStart):
                self._held = encode(event)
                continue
            match event:
                case PartDelta():
                    self.text_bytes += _weigh_delta(event)
                case PartStart():
                    self.text_bytes += _bytes_of(event.part)
                case UsageReport():
                    self.usage, self.partial, self.tier = event.usage, event.partial, event.tier
                case MessageEnd():
                    self.finished = True
                case StreamEnd():
                    self.done = True
                case StreamError():
                    self.error = UpstreamError(message=event.message, code=event.code, type=event.type)
                    break
                case _:
                    pass
            out.append(encode(event))
        said = b"".join(out)
        if not said:
            return b""
        held, self._held = self._held, b""
        return held + said


def _size_of(response: ChatResponse) -> int:
    return sum(_bytes_of(part) for choice in response.choices for part in choice.parts)


def _weigh_delta(delta: PartDelta) -> int:
    """The same of what a part grows by. Seals are no output."""
    match delta.kind:
        case "text" | "arguments" | "transcript":
            return _size(delta.data)
        case "audio":
            return len(delta.data) // _SOUND
        case "seal":
            return 0


def _bytes_of(part: object) -> int:
    """About how many bytes a model wrote for a part: for a picture or a sound, those of text of as many tokens."""
    match part:
        case Text() | Thinking() | Refusal():
            return _size(part.text)
        case ToolCall():
            return _size(part.name) + _size(part.arguments)
        case Image():
            return _PICTURE
        case Audio():
            return len(part.source.data) // _SOUND if isinstance(part.source, Inline) else 0
        case _:
            return 0


def _size(text: str) -> int:
    """Bytes as UTF-8: four of them count as a token in every script."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
