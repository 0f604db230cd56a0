"""Messages as clouds carry them: the model in the path, a version in the body, frames around events.

Both are Anthropic's format in an envelope, so they are written and read by the same code. Sources:
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html and
https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from yescale.domain.chat import ChatRequest
from yescale.domain.events import Event
from yescale.domain.ids import ProtocolId
from yescale.domain.loss import Loss
from yescale.domain.profile import Profile
from yescale.protocols import eventstream
from yescale.protocols.anthropic_messages import errors, request_writing, responses, stream_reading
from yescale.protocols.anthropic_messages.words import ID
from yescale.protocols.codec import Encoded, Garbled, UpstreamCodec
from yescale.protocols.eventstream import BadFrame, Frame
from yescale.protocols.passthrough import UpstreamFormat

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_ENCODER: Final = msgspec.json.Encoder()
# Fields of the envelope. Betas are asked for in a header, of which the provider's row says what goes on (promise 29).
_ENVELOPE: Final = ("anthropic_version", "anthropic_beta")
_NOT_THE_CLIENTS: Final = "it is the envelope's, and ours to write"


class WireChunk(Struct, frozen=True, gc=False):
    """What a frame of Bedrock's holds: one of Anthropic's events in base64."""

    bytes: str


class WireException(Struct, frozen=True, gc=False):
    """What a frame says of an error."""

    message: str = ""


_CHUNK: Final = msgspec.json.Decoder(WireChunk)
_EXCEPTION: Final = msgspec.json.Decoder(WireException)


def _in_envelope(version: str, in_path: tuple[str, ...]) -> Callable[[ChatRequest, Profile], Encoded]:
    own = {"anthropic_version": Raw(_ENCODER.encode(version))}

    def encode_request(request: ChatRequest, profile: Profile) -> Encoded:
        encoded = request_writing.encode_request(request, profile)
        fields = _FIELDS.decode(encoded.body)
        said = [name for name in _ENVELOPE if name in fields]
        losses = (*encoded.losses, *(Loss(f"extras.{name}", _NOT_THE_CLIENTS, "setting") for name in said))
        fields = {name: value for name, value in fields.items() if name not in (*in_path, *_ENVELOPE)}
        return replace(encoded, body=_ENCODER.encode(own | fields), losses=losses)

    return encode_request


class FrameDecoder:
    """A stream of frames: each event of Anthropic's in a frame of its own, an exception in place of an error event."""

    __slots__ = ("_framer", "_inner")

    def __init__(self, limit: int) -> None:
        self._framer = eventstream.Framer(limit)
        self._inner = stream_reading.MessageDecoder(limit)

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now."""
        try:
            frames = self._framer.feed(data)
        except BadFrame as error:
            raise Garbled(str(error)) from None
        return [event for frame in frames for event in self._inner.feed(_unframed(frame))]

    def finish(self) -> Sequence[Event]:
        """The stream is over: half a frame was cut."""
        return self._inner.finish()


def _unframed(frame: Frame) -> bytes:
    """A frame as the server-sent event that Anthropic itself would have sent."""
    try:
        if frame.failed:
            error = {"type": frame.name, "message": _EXCEPTION.decode(frame.payload).message}
            return b"event: error\ndata: %b\n\n" % _ENCODER.encode({"type": "error", "error": error})
        if frame.name != "chunk":
            return b""
        inner = b64decode(_CHUNK.decode(frame.payload).bytes, validate=True)
    except (msgspec.MsgspecError, UnicodeError, binascii.Error, ValueError, RecursionError):
        raise Garbled("a frame holds no event of the Messages API") from None
    return b"data: %b\n\n" % inner.replace(b"\r", b" ").replace(b"\n", b" ")


BEDROCK: Final = UpstreamFormat(
    id=ProtocolId("anthropic.bedrock"),
    read_error=errors.read_error,
    codec=UpstreamCodec(
        id=ProtocolId("anthropic.bedrock"),
        encode_request=_in_envelope("bedrock-2023-05-31", ("model", "stream")),
        decode_response=responses.decode_response,
        stream_decoder=FrameDecoder,
    ),
    stream_kind=eventstream.KIND,
    inside=ID,
)
VERTEX: Final = UpstreamFormat(
    id=ProtocolId("anthropic.vertex"),
    read_error=errors.read_error,
    codec=UpstreamCodec(
        id=ProtocolId("anthropic.vertex"),
        encode_request=_in_envelope("vertex-2023-10-16", ("model",)),
        decode_response=responses.decode_response,
        stream_decoder=stream_reading.MessageDecoder,
    ),
    inside=ID,
)
