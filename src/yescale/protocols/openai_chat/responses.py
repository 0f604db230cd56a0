"""Whole answers: their usage as meters that do not overlap, and the size of their text for an estimate."""

import re
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.usage import Meter, Usage, tier_of
from yescale.protocols.openai_chat.schema import WireAnswer, WireOddAnswer, WireUsage, WireVectors
from yescale.protocols.passthrough import Answer

_ANSWER: Final = msgspec.json.Decoder(WireAnswer)
_ODD_ANSWER: Final = msgspec.json.Decoder(WireOddAnswer)
_VECTORS: Final = msgspec.json.Decoder(WireVectors)
_USAGE: Final = msgspec.json.Decoder(WireUsage)
_TEXT: Final = re.compile(
    rb'"(?:content|reasoning_content|reasoning|arguments|refusal|text|transcript)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"'
)
_ARRAY: Final = ord("[")
_BROKEN: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_chat(body: bytes) -> Answer | None:
    """A chat completion, or None if this is none."""
    try:
        wire = _ANSWER.decode(body)
        choices, usage = wire.choices, count(wire.usage)
    except msgspec.ValidationError:
        return _read_odd(_ODD_ANSWER, body)
    except _BROKEN:
        return None
    tier = "" if wire.service_tier is None else tier_of(wire.service_tier)
    return Answer(usage, text_bytes, tier=tier) if memoryview(choices)[0] == _ARRAY else None


def read_embeddings(body: bytes) -> Answer | None:
    """A list of vectors, or None if this is none."""
    return _read_odd(_VECTORS, body)


def _read_odd(
    decoder: msgspec.json.Decoder[WireOddAnswer] | msgspec.json.Decoder[WireVectors], body: bytes
) -> Answer | None:
    """An answer whatever its usage looks like."""
    try:
        wire = decoder.decode(body)
    except _BROKEN:
        return None
    if memoryview(wire.items)[0] != _ARRAY:
        return None
    return Answer(meters(wire.usage), text_bytes, tier=tier_of(wire.service_tier))


def text_bytes(data: bytes) -> int:
    """About how many bytes of model text lie in these bytes of JSON."""
    return sum(map(len, _TEXT.findall(data)))


def said(raw: Raw) -> bool:
    """Whether a field is there and not null."""
    return len(memoryview(raw)) != len(b"null") or bytes(memoryview(raw)) != b"null"


def meters(raw: Raw) -> Usage | None:
    """Usage as it came, as disjoint meters; None = nothing that can be believed was reported."""
    if not said(raw):
        return None
    try:
        return count(_USAGE.decode(raw))
    except _BROKEN:
        return None


def count(wire: WireUsage | None) -> Usage | None:
    """Disjoint meters: OpenAI's prompt count includes cached, audio and image tokens, its completion count reasoning
    and audio. An explicit zero stays zero.
    """
    if wire is None or (wire.prompt_tokens is None and wire.completion_tokens is None):
        return None
    usage = {Meter.INPUT_TOKENS: wire.prompt_tokens or 0, Meter.OUTPUT_TOKENS: wire.completion_tokens or 0}
    inputs, outputs = wire.prompt_tokens_details, wire.completion_tokens_details
    if wire.prompt_cache_hit_tokens or (
        inputs is not None and (inputs.cached_tokens or inputs.audio_tokens or inputs.image_tokens)
    ):
        _add_input(usage, wire)
    if outputs is not None and (outputs.reasoning_tokens or outputs.audio_tokens or outputs.image_tokens):
        _add_output(usage, wire)
    for amount in usage.values():
        if amount < 0:
            return None
    return usage


def _add_input(usage: dict[Meter, int], wire: WireUsage) -> None:
    left = wire.prompt_tokens or 0
    details = wire.prompt_tokens_details
    cached = wire.prompt_cache_hit_tokens or 0
    if details is not None:
        left = _take(usage, Meter.CACHE_READ_TOKENS, details.cached_tokens or cached, left)
        left = _take(usage, Meter.AUDIO_INPUT_TOKENS, details.audio_tokens or 0, left)
        left = _take(usage, Meter.IMAGE_INPUT_TOKENS, details.image_tokens or 0, left)
    elif cached:
        left = _take(usage, Meter.CACHE_READ_TOKENS, cached, left)
    usage[Meter.INPUT_TOKENS] = left


def _add_output(usage: dict[Meter, int], wire: WireUsage) -> None:
    left = wire.completion_tokens or 0
    details = wire.completion_tokens_details
    if details is not None:
        reasoning = details.reasoning_tokens or 0
        if reasoning and wire.total_tokens == (wire.prompt_tokens or 0) + left + reasoning:
            left += reasoning  # xAI counts reasoning beside the completion, as its total shows
        left = _take(usage, Meter.REASONING_TOKENS, reasoning, left)
        left = _take(usage, Meter.AUDIO_OUTPUT_TOKENS, details.audio_tokens or 0, left)
        left = _take(usage, Meter.IMAGE_OUTPUT_TOKENS, details.image_tokens or 0, left)
    usage[Meter.OUTPUT_TOKENS] = left


def _take(usage: dict[Meter, int], meter: Meter, count: int, left: int) -> int:
    """Move `count` of what is left to its own meter; never more than there is. Returns what stays."""
    taken = min(count, left)
    if taken:
        usage[meter] = taken
    return left - taken
