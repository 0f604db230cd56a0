"""Whole answers, both directions, and what settlement reads of one that passes through."""

import re
from typing import Final

import msgspec

from yescale.domain.chat import ChatResponse, Choice, StopReason
from yescale.domain.usage import tier_of
from yescale.protocols.anthropic_messages.answering import write_part
from yescale.protocols.anthropic_messages.blocks import BlockReader
from yescale.protocols.anthropic_messages.schema import WireAnswer, WireCount
from yescale.protocols.anthropic_messages.taking import take_text
from yescale.protocols.anthropic_messages.usage import meters, read_usage, tier_word, write_usage
from yescale.protocols.anthropic_messages.words import STOP_REASONS, STOP_WORDS, TIERS_SHOWN
from yescale.protocols.codec import Envelope, Garbled, Malformed
from yescale.protocols.passthrough import Answer

_ANSWER: Final = msgspec.json.Decoder(WireAnswer)
_COUNT: Final = msgspec.json.Decoder(WireCount)
_ENCODER: Final = msgspec.json.Encoder()
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_TEXT: Final = re.compile(
    rb'"(?:text|thinking|partial_json)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"|"input"\s*:\s*(\{[^{}]+\})'
)


def decode_response(body: bytes) -> ChatResponse:
    """The answer that a body tells. Raises Garbled."""
    try:
        wire = take_text(_ANSWER, body)
        parts = BlockReader(client=False).read_all(wire.content, "content")
    except Malformed as wrong:
        raise Garbled(f"no answer of the Messages API: {wrong}") from None
    usage = read_usage(wire.usage)
    reason = wire.stop_reason or ""
    return ChatResponse(
        id=wire.id,
        model=wire.model,
        choices=(
            Choice(
                parts=parts,
                reason=STOP_REASONS.get(reason, StopReason.OTHER),
                raw_reason=reason,
                stop_sequence=wire.stop_sequence or "",
            ),
        ),
        usage=meters(usage),
        service_tier=tier_word(usage),
    )


def encode_response(response: ChatResponse, envelope: Envelope) -> bytes:
    """The answer for an Anthropic client: its first choice, the only one that the format can say."""
    choice = response.choices[0] if response.choices else Choice(parts=(), reason=StopReason.OTHER)
    usage = write_usage(response.usage, envelope.input_tokens)
    if response.service_tier in TIERS_SHOWN:
        usage["service_tier"] = TIERS_SHOWN[response.service_tier]
    return _ENCODER.encode(
        {
            "id": message_id(envelope.id),
            "type": "message",
            "role": "assistant",
            "model": envelope.model,
            "content": [block for part in choice.parts for block in write_part(part)],
            "stop_reason": STOP_WORDS[choice.reason],
            "stop_sequence": choice.stop_sequence or None,
            "usage": usage,
        }
    )


def message_id(request_id: str) -> str:
    """The id of an answer of ours."""
    return f"msg_{request_id}"


def read_answer(body: bytes) -> Answer | None:
    """A message, or None if this is none."""
    try:
        wire = _ANSWER.decode(body)
    except _BROKEN:
        return None
    usage = read_usage(wire.usage)
    return Answer(meters(usage), text_bytes, tier=tier_of(tier_word(usage)))


def read_count(body: bytes) -> Answer | None:
    """A count of tokens, or None if this is none. Counting is free, and makes no use of any model."""
    try:
        _COUNT.decode(body)
    except _BROKEN:
        return None
    return Answer({}, text_bytes)


def text_bytes(data: bytes) -> int:
    """About how many bytes of model text lie in these bytes of JSON."""
    return sum(len(text) + len(arguments) for text, arguments in _TEXT.findall(data))
