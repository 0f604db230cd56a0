"""Events of OpenAI's Realtime as far as they price a session: what a client asks for, what a response used.

Sources: https://platform.openai.com/docs/api-reference/realtime-client-events, .../realtime-server-events and
https://platform.openai.com/docs/guides/realtime-costs. Both the general form and the older beta form are read.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName, ProtocolId
from yescale.domain.usage import Meter, Usage
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.openai_chat.schema import NOTHING
from yescale.protocols.passthrough import BYTES_PER_TOKEN, Change, Peek
from yescale.protocols.reading import wrong

ID: Final = ProtocolId("openai.realtime")
OPENING_TOKENS: Final = 1_024  # of the instructions that a session begins with
ENDLESS: Final = 1 << 40  # more than any context window holds
_IMAGE_TOKENS: Final = 4_096  # of one image, which may be named by a short URL
_BOUND_BYTES: Final = 2  # of text that may be one token, where it must not be undercounted
# Ten tokens a second of input, twenty of output; base64 of a second has 64,000 characters as 24 kHz PCM and 10,667 as
# G.711. The bound goes by the shorter form, the estimate by the usual one.
_HEARD_BYTES: Final = 1_024
_SPOKEN_BYTES: Final = 3_200
# Where the upstream hears by itself when somebody has stopped talking, any of these may be followed by a response.
_TRIGGERS: Final = frozenset(
    {
        "response.create",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "conversation.item.create",
        "session.update",
    }
)
_BROKEN: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class ClientEvent(Struct, frozen=True, kw_only=True):
    """What a client's event means for the price."""

    type: str
    id: str | None = None
    tokens: int = 0  # that it can add to the prompt of a response at most
    limit: int | None = None  # of output tokens, where it asks for a response and says one
    model: str | None = None  # that it would change the session to
    transcribes: bool = False  # it asks for a second model to write down what is heard

    @property
    def triggers(self) -> bool:
        """Whether a response may come of it."""
        return self.type in _TRIGGERS


class ServerEvent(Struct, frozen=True, kw_only=True):
    """What an upstream's event says of a response, or of the session."""

    type: str
    response: str = ""  # its id
    status: str = ""
    code: str = ""  # of the error that a failed response names
    usage: Usage | None = None
    text_bytes: int = 0  # of what it adds to the answer
    audio_tokens: int = 0
    limit: int | None = None  # of output tokens, that the session has from here on; None = no other than the model's


class _Part(Struct, frozen=True):
    type: str | None = None
    audio: Raw = NOTHING


class _Item(Struct, frozen=True):
    content: list[_Part] | None = None


class _Response(Struct, frozen=True):
    model: Raw = NOTHING
    max_output_tokens: Raw = NOTHING
    max_response_output_tokens: Raw = NOTHING
    input: list[_Item] | None = None
    prompt: Raw = NOTHING


class _Heard(Struct, frozen=True):
    transcription: Raw = NOTHING


class _Audio(Struct, frozen=True):
    input: _Heard | None = None


class _Session(Struct, frozen=True):
    type: Raw = NOTHING
    model: Raw = NOTHING
    prompt: Raw = NOTHING
    audio: _Audio | None = None
    input_audio_transcription: Raw = NOTHING


class _Asked(Struct, frozen=True):
    type: str
    event_id: str | None = None
    session: _Session | None = None
    response: _Response | None = None
    item: _Item | None = None


class _Cached(Struct, frozen=True):
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _Details(Struct, frozen=True):
    cached_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    cached_tokens_details: _Cached | None = None


class _Usage(Struct, frozen=True):
    input_tokens: int
    output_tokens: int
    input_token_details: _Details | None = None
    output_token_details: _Details | None = None


class _Error(Struct, frozen=True):
    code: str | None = None


class _StatusDetails(Struct, frozen=True):
    error: _Error | None = None


class _Told(Struct, frozen=True):
    id: str = ""
    status: str = ""
    status_details: _StatusDetails | None = None
    usage: Raw = NOTHING


class _Settings(Struct, frozen=True):
    max_output_tokens: int | str | None = None
    max_response_output_tokens: int | str | None = None


class _Said(Struct, frozen=True):
    type: str
    response: _Told | None = None
    response_id: str = ""
    delta: Raw = NOTHING
    session: _Settings | None = None


_ASKED: Final = msgspec.json.Decoder(_Asked)
_SAID: Final = msgspec.json.Decoder(_Said)
_USAGE: Final = msgspec.json.Decoder(_Usage)
_ANY: Final = msgspec.json.Decoder()
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_ENCODER: Final = msgspec.json.Encoder()


def peek(_body: bytes, words: PathWords = NO_WORDS) -> Peek | Fault:
    """What the address of a session says."""
    if not words.model:
        return wrong("model", "Name the model in the address: /v1/realtime?model=...")
    return Peek(model=ModelName(words.model), prompt_tokens=OPENING_TOKENS, stream=True)


def keep(body: bytes, _peek: Peek, _change: Change) -> bytes:
    """A handshake has no body to change."""
    return body


def read_client(data: bytes) -> ClientEvent | None:
    """A client's event, or None if it is none that can be read."""
    try:
        event = _ASKED.decode(data)
    except _BROKEN:
        return None
    session, response = event.session or _Session(), event.response or _Response()
    heard = session.audio.input if session.audio is not None else None
    transcriptions = (session.input_audio_transcription, heard.transcription if heard is not None else NOTHING)
    return ClientEvent(
        type=event.type,
        id=event.event_id,
        tokens=ENDLESS if _said(session.prompt) or _said(response.prompt) else _weigh(data, event),
        limit=_limit(response.max_output_tokens) or _limit(response.max_response_output_tokens),
        model=_model(session.model) or _model(response.model),
        transcribes=any(map(_said, transcriptions)) or bytes(memoryview(session.type)) == b'"transcription"',
    )


def read_server(data: bytes) -> ServerEvent | None:
    """An upstream's event, or None if it is none that can be read."""
    try:
        event = _SAID.decode(data)
    except _BROKEN:
        return None
    kind, told = event.type, event.response or _Told()
    if kind.endswith(".delta") and kind.startswith("response."):
        size = len(memoryview(event.delta)) - 2
        spoken = kind in ("response.output_audio.delta", "response.audio.delta")
        return ServerEvent(
            type=kind,
            response=event.response_id,
            text_bytes=0 if spoken else size,
            audio_tokens=-(-size // _SPOKEN_BYTES) if spoken else 0,
        )
    error = told.status_details.error if told.status_details is not None else None
    return ServerEvent(
        type=kind,
        response=told.id,
        status=told.status,
        code="" if error is None else error.code or "",
        usage=meters(told.usage),
        limit=None if event.session is None else _session_limit(event.session),
    )


def meters(raw: Raw) -> Usage | None:
    """Usage as disjoint meters; cached tokens cost the same whatever they were, and are in none of the others."""
    if not _said(raw):
        return None
    try:
        wire = _USAGE.decode(raw)
    except _BROKEN:
        return None
    heard, spoken = wire.input_token_details or _Details(), wire.output_token_details or _Details()
    cached = heard.cached_tokens_details or _Cached()
    usage: dict[Meter, int] = {}
    left = _take(usage, Meter.CACHE_READ_TOKENS, heard.cached_tokens, wire.input_tokens)
    left = _take(usage, Meter.AUDIO_INPUT_TOKENS, (heard.audio_tokens or 0) - (cached.audio_tokens or 0), left)
    left = _take(usage, Meter.IMAGE_INPUT_TOKENS, (heard.image_tokens or 0) - (cached.image_tokens or 0), left)
    usage[Meter.INPUT_TOKENS] = left
    usage[Meter.OUTPUT_TOKENS] = _take(usage, Meter.AUDIO_OUTPUT_TOKENS, spoken.audio_tokens, wire.output_tokens)
    return None if min(usage.values()) < 0 else usage


def estimate(prompt_tokens: int, text_bytes: int, audio_tokens: int) -> Usage:
    """About what a response used that was broken off."""
    usage = {Meter.INPUT_TOKENS: prompt_tokens, Meter.OUTPUT_TOKENS: -(-text_bytes // BYTES_PER_TOKEN)}
    return usage | {Meter.AUDIO_OUTPUT_TOKENS: audio_tokens} if audio_tokens else usage


def rename(data: bytes, model: str, name: str) -> bytes:
    """The event with this model of its session called by that name; untouched where it is not that model's."""
    try:
        event = _OBJECT.decode(data)
        session = _OBJECT.decode(event["session"])
        if _ANY.decode(session["model"]) != model:
            return data
    except (*_BROKEN, KeyError):
        return data
    session["model"] = Raw(_ENCODER.encode(name))
    event["session"] = Raw(_ENCODER.encode(session))
    return _ENCODER.encode(event)


def render_error(fault: Fault, event_id: str, asked: str | None) -> bytes:
    """An `error` event; `asked` is the id of the client's event that it answers."""
    error = {
        "type": fault.type,
        "code": fault.code,
        "message": fault.message,
        "param": fault.param,
        "event_id": asked,
    }
    return _ENCODER.encode({"type": "error", "event_id": event_id, "error": error | dict(fault.details)})


def cancel(response: str) -> bytes:
    """The event that stops a response; its end, with its usage, follows."""
    return _ENCODER.encode({"type": "response.cancel", "response_id": response})


def _take(usage: dict[Meter, int], meter: Meter, count: int | None, left: int) -> int:
    taken = min(max(0, count or 0), left)
    if taken:
        usage[meter] = taken
    return left - taken


def _weigh(data: bytes, event: _Asked) -> int:
    if event.type == "input_audio_buffer.append":
        return -(-len(data) // _HEARD_BYTES)
    items = [event.item or _Item(), *((event.response or _Response()).input or ())]
    parts = [part for item in items for part in item.content or ()]
    audio = _sizes(part.audio for part in parts)
    images = sum(part.type == "input_image" for part in parts)
    return (len(data) - audio) // _BOUND_BYTES + -(-audio // _HEARD_BYTES) + images * _IMAGE_TOKENS


def _sizes(raws: Iterable[Raw]) -> int:
    return sum(len(memoryview(raw)) for raw in raws)


def _said(raw: Raw) -> bool:
    return bytes(memoryview(raw)) not in (b"", b"null")


def _limit(raw: Raw) -> int | None:
    number = bytes(memoryview(raw))
    return int(number) if number.isdigit() and len(number) <= len("999999999") else None


def _model(raw: Raw) -> str | None:
    """A model that is named, in whatever shape."""
    return str(_ANY.decode(raw)) if _said(raw) else None


def _session_limit(session: _Settings) -> int | None:
    for said in (session.max_output_tokens, session.max_response_output_tokens):
        if isinstance(said, int):
            return said
    return None
