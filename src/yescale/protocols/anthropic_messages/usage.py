"""Usage, both directions. Anthropic's input counts are disjoint already; its output count includes thoughts.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching (tracking cache performance).
"""

from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import asdict, replace

from yescale.domain.usage import OUTPUT_METERS, Meter, Usage
from yescale.protocols.anthropic_messages.schema import WireUsage
from yescale.protocols.anthropic_messages.taking import said
from yescale.protocols.anthropic_messages.words import TIERS_SERVED

_USAGE: Final = msgspec.json.Decoder(WireUsage)
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)

NONE_SAID: Final = WireUsage()
FAST: Final = "fast"
_UNCACHED: Final = (Meter.INPUT_TOKENS, Meter.AUDIO_INPUT_TOKENS, Meter.IMAGE_INPUT_TOKENS)


def read_usage(raw: Raw) -> WireUsage:
    """A `usage`; one that cannot be read says nothing."""
    if not said(raw):
        return NONE_SAID
    try:
        return _USAGE.decode(raw)
    except _BROKEN:
        return NONE_SAID


def merge(earlier: WireUsage, later: WireUsage) -> WireUsage:
    """What two reports of one stream say together: counts are cumulative, and the later one leaves out what stands."""
    return replace(earlier, **{name: value for name, value in asdict(later).items() if value is not None})


def input_meters(wire: WireUsage) -> dict[Meter, int] | None:
    """The meters of the prompt; None = nothing that can be believed was said."""
    if wire.input_tokens is None:
        return None
    usage = {Meter.INPUT_TOKENS: wire.input_tokens}
    written = wire.cache_creation_input_tokens or 0
    split = wire.cache_creation
    for_hour = (split.ephemeral_1h_input_tokens or 0) if split is not None else 0
    for_minutes = (split.ephemeral_5m_input_tokens or 0) if split is not None else 0
    counts = {
        Meter.CACHE_READ_TOKENS: wire.cache_read_input_tokens or 0,
        Meter.CACHE_WRITE_TOKENS: max(written - for_hour, for_minutes),
        Meter.CACHE_WRITE_1H_TOKENS: for_hour,
    }
    usage.update({meter: count for meter, count in counts.items() if count})
    return None if min(usage.values()) < 0 or for_hour < 0 else usage


def meters(wire: WireUsage) -> Usage | None:
    """All meters; None = nothing that can be believed was reported. An explicit zero stays zero."""
    if wire.input_tokens is None and wire.output_tokens is None:
        return None
    usage = input_meters(replace(wire, input_tokens=wire.input_tokens or 0))
    if usage is None:
        return None
    output = wire.output_tokens or 0
    details = wire.output_tokens_details
    thoughts = min((details.thinking_tokens or 0) if details is not None else 0, output)
    usage[Meter.OUTPUT_TOKENS] = output - thoughts
    if thoughts:
        usage[Meter.REASONING_TOKENS] = thoughts
    searches = (wire.server_tool_use.web_search_requests or 0) if wire.server_tool_use is not None else 0
    if searches:
        usage[Meter.WEB_SEARCHES] = searches
    return None if min(usage.values()) < 0 else usage


def tier_word(wire: WireUsage) -> str:
    """The tier that served a call, in OpenAI's words; what was hurried costs like none other.

    https://platform.claude.com/docs/en/api/service-tiers and /build-with-claude/fast-mode
    """
    word = wire.service_tier or ""
    return FAST if wire.speed == FAST else TIERS_SERVED.get(word, word)


def write_usage(usage: Usage | None, estimate: int = 0) -> dict[str, object]:
    """A `usage` for a client. `estimate`: of the prompt, where nobody said its size (promise 24)."""
    if usage is None:
        return {"input_tokens": estimate, "output_tokens": 0}
    minutes = usage.get(Meter.CACHE_WRITE_TOKENS, 0)
    hour = usage.get(Meter.CACHE_WRITE_1H_TOKENS, 0)
    wire: dict[str, object] = {
        "input_tokens": sum(usage.get(meter, 0) for meter in _UNCACHED),
        "cache_creation_input_tokens": minutes + hour,
        "cache_read_input_tokens": usage.get(Meter.CACHE_READ_TOKENS, 0),
        "cache_creation": {"ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour},
        "output_tokens": sum(usage.get(meter, 0) for meter in OUTPUT_METERS),
    }
    if Meter.REASONING_TOKENS in usage:
        wire["output_tokens_details"] = {"thinking_tokens": usage[Meter.REASONING_TOKENS]}
    if Meter.WEB_SEARCHES in usage:
        wire["server_tool_use"] = {"web_search_requests": usage[Meter.WEB_SEARCHES], "web_fetch_requests": 0}
    return wire
