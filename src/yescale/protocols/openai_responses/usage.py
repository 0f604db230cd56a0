"""Usage as meters that do not overlap, and back: OpenAI's input count includes what is cached, its output reasoning."""

from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter, Usage
from yescale.protocols.openai_responses.schema import WireUsage, said
from yescale.protocols.reading import BROKEN

_USAGE: Final = msgspec.json.Decoder(WireUsage)
_WRITES: Final = (Meter.CACHE_WRITE_TOKENS, Meter.CACHE_WRITE_1H_TOKENS)


def meters(raw: Raw) -> Usage | None:
    """Usage as it came; None = nothing that can be believed was reported. An explicit zero stays zero (promise 11)."""
    if not said(raw):
        return None
    try:
        wire = _USAGE.decode(raw)
    except BROKEN:
        return None
    if wire.input_tokens is None and wire.output_tokens is None:
        return None
    usage: dict[Meter, int] = {}
    left, out = wire.input_tokens or 0, wire.output_tokens or 0
    if wire.input_tokens_details is not None:
        left = _take(usage, Meter.CACHE_READ_TOKENS, wire.input_tokens_details.cached_tokens, left)
        left = _take(usage, Meter.CACHE_WRITE_TOKENS, wire.input_tokens_details.cache_write_tokens, left)
    if wire.output_tokens_details is not None:
        out = _take(usage, Meter.REASONING_TOKENS, wire.output_tokens_details.reasoning_tokens, out)
    usage |= {Meter.INPUT_TOKENS: left, Meter.OUTPUT_TOKENS: out}
    return None if min(usage.values()) < 0 else usage


def _take(usage: dict[Meter, int], meter: Meter, count: int | None, left: int) -> int:
    """Move `count` of what is left to its own meter; never more than there is. Returns what stays."""
    taken = min(count or 0, left)
    if taken:
        usage[meter] = taken
    return left - taken


def write_usage(usage: Usage) -> dict[str, object]:
    """`usage` of an answer, every detail said, as the SDK's types demand."""
    received = sum(count for meter, count in usage.items() if meter in INPUT_METERS)
    made = sum(count for meter, count in usage.items() if meter in OUTPUT_METERS)
    return {
        "input_tokens": received,
        "input_tokens_details": {
            "cached_tokens": usage.get(Meter.CACHE_READ_TOKENS, 0),
            "cache_write_tokens": sum(usage.get(meter, 0) for meter in _WRITES),
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": usage.get(Meter.REASONING_TOKENS, 0)},
        "total_tokens": received + made,
    }
