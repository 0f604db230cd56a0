"""Whole answers of Converse, and their blocks read into parts."""

import binascii
from base64 import b64decode
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import ChatResponse, Choice, StopReason
from yescale.domain.content import Citation, Image, Inline, Opaque, Part, Text, Thinking, ToolCall
from yescale.protocols.bedrock_converse.schema import (
    WireAnswer,
    WireBlock,
    WireCitation,
    WireCited,
    WireMore,
    WireReasoning,
    WireToolUse,
)
from yescale.protocols.bedrock_converse.usage import meters
from yescale.protocols.bedrock_converse.words import CLAUDE, ID, STOP_REASONS
from yescale.protocols.codec import Garbled
from yescale.protocols.reading import expect_text

_ANSWER: Final = msgspec.json.Decoder(WireAnswer)
_BLOCK: Final = msgspec.json.Decoder(WireBlock)
_CITATION: Final = msgspec.json.Decoder(WireCitation)
_MORE: Final = msgspec.json.Decoder(WireMore | None)
BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, binascii.Error)
_NULL: Final = b"null"


def decode_response(body: bytes) -> ChatResponse:
    """The answer that a body tells; Converse gives it neither an id nor the model's name. Raises Garbled."""
    try:
        wire = _ANSWER.decode(expect_text(body))
        parts = tuple(_read(raw) for raw in wire.output.message.content)
    except BROKEN as wrong:
        raise Garbled(f"no answer of Converse: {wrong}") from None
    choice = Choice(
        parts=parts,
        reason=STOP_REASONS.get(wire.stop_reason, StopReason.OTHER),
        raw_reason=wire.stop_reason,
        stop_sequence=stop_sequence(wire.additional_model_response_fields),
    )
    tier = wire.service_tier.type if wire.service_tier is not None else ""
    return ChatResponse(id="", model="", choices=(choice,), usage=meters(wire.usage), service_tier=tier)


def stop_sequence(fields: Raw) -> str:
    """Which one ended a message of Claude's, if it says so."""
    try:
        more = _MORE.decode(fields)
    except BROKEN:
        return ""
    return (more.stop_sequence or "") if more is not None else ""


def _read(raw: Raw) -> Part:
    wire = _BLOCK.decode(raw)
    if wire.text is not None:
        return Text(text=wire.text)
    if wire.tool_use is not None:
        return _call(wire.tool_use)
    if wire.reasoning_content is not None:
        return _thought(wire.reasoning_content)
    if wire.citations_content is not None:
        return _cited(wire.citations_content)
    if wire.image is not None:
        return Image(source=Inline(f"image/{wire.image.format}", wire.image.source.bytes))
    return Opaque(origin=ID, raw=raw.copy())


def _call(wire: WireToolUse) -> ToolCall:
    arguments = bytes(wire.input)
    return ToolCall(id=wire.tool_use_id, name=wire.name, arguments="{}" if arguments == _NULL else arguments.decode())


def _thought(wire: WireReasoning) -> Thinking:
    if wire.redacted_content is not None:
        return redacted(wire.redacted_content)
    text = wire.reasoning_text
    if text is None:
        return Thinking()
    return Thinking(text=text.text, seal=text.signature, origin=CLAUDE if text.signature else None)


def redacted(packed: str) -> Thinking:
    """A thought of which there is nothing but the seal. Raises binascii.Error or UnicodeError."""
    return Thinking(seal=b64decode(packed, validate=True).decode(), origin=CLAUDE, redacted=True)


def _cited(wire: WireCited) -> Text:
    text = "".join(words.text for words in wire.content)
    return Text(text=text, citations=tuple(citation(raw) for raw in wire.citations))


def citation(raw: Raw) -> Citation:
    """One citation. Raises msgspec's errors."""
    wire = _CITATION.decode(raw)
    web = wire.location.web if wire.location is not None else None
    return Citation(
        url=web.url if web is not None else "",
        title=wire.title,
        quote="".join(words.text for words in wire.source_content),
        origin=ID,
        raw=raw.copy(),
    )
