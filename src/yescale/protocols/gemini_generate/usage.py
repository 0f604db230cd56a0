"""`usageMetadata` both ways: https://ai.google.dev/api/generate-content#UsageMetadata

Google's prompt count includes cached tokens but not those of its tools' results; its candidates exclude the thoughts.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter, Usage, tier_of
from yescale.protocols.gemini_generate.writing import BROKEN, Wire

_INPUTS: Final[Mapping[str, Meter]] = MappingProxyType(
    {"AUDIO": Meter.AUDIO_INPUT_TOKENS, "IMAGE": Meter.IMAGE_INPUT_TOKENS}
)
_OUTPUTS: Final[Mapping[str, Meter]] = MappingProxyType(
    {"AUDIO": Meter.AUDIO_OUTPUT_TOKENS, "IMAGE": Meter.IMAGE_OUTPUT_TOKENS}
)
_MOST: Final = 2**53


class WireCount(Struct, frozen=True, gc=False, rename="camel"):
    """Tokens of one modality."""

    modality: str = ""
    token_count: int | None = None


class WireUsage(Struct, frozen=True, gc=False, rename="camel"):
    """`usageMetadata`."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    prompt_tokens_details: list[WireCount] | None = None
    cache_tokens_details: list[WireCount] | None = None
    candidates_tokens_details: list[WireCount] | None = None
    tool_use_prompt_tokens_details: list[WireCount] | None = None
    service_tier: object = None  # the Gemini API's word for the tier that served it
    traffic_type: object = None  # Vertex's


_USAGE: Final = msgspec.json.Decoder(WireUsage)


class Report(Struct, frozen=True, gc=False):
    """Disjoint meters, None = nothing that can be believed; and the tier that served it, "" = the usual one."""

    usage: Usage | None = None
    tier: str = ""


def read_report(raw: Raw | bytes) -> Report:
    """What a `usageMetadata` says. An explicit zero stays zero."""
    try:
        wire = _USAGE.decode(raw)
    except BROKEN:
        return Report()
    return Report(count(wire), _tier_of(wire.service_tier) or _tier_of(wire.traffic_type))


def _tier_of(word: object) -> str:
    """`flex`, `SERVICE_TIER_FLEX` and `ON_DEMAND_FLEX` are one."""
    if not isinstance(word, str):
        return ""
    return tier_of(word.lower().removeprefix("service_tier_").removeprefix("on_demand_"))


def count(wire: WireUsage) -> Usage | None:
    """The same of usage that is decoded."""
    if wire.prompt_token_count is None and wire.candidates_token_count is None and wire.thoughts_token_count is None:
        return None
    usage = {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}
    _count_input(usage, wire)
    left = wire.candidates_token_count or 0
    for meter, tokens in _by_modality(wire.candidates_tokens_details, _OUTPUTS).items():
        left = _take(usage, meter, tokens, left)
    usage[Meter.OUTPUT_TOKENS] = left
    if wire.thoughts_token_count:
        usage[Meter.REASONING_TOKENS] = wire.thoughts_token_count
    return usage if min(usage.values()) >= 0 and max(usage.values()) < _MOST else None


def _count_input(usage: dict[Meter, int], wire: WireUsage) -> None:
    tools = wire.tool_use_prompt_token_count or 0
    cached = wire.cached_content_token_count or 0
    left = _take(usage, Meter.CACHE_READ_TOKENS, cached, wire.prompt_token_count or 0) + tools
    known = _by_modality([*(wire.prompt_tokens_details or ()), *(wire.tool_use_prompt_tokens_details or ())], _INPUTS)
    from_cache = _by_modality(wire.cache_tokens_details, _INPUTS)
    for meter, tokens in known.items():
        left = _take(usage, meter, tokens - from_cache.get(meter, 0), left)
    usage[Meter.INPUT_TOKENS] = left


def _by_modality(details: Sequence[WireCount] | None, meters: Mapping[str, Meter]) -> Mapping[Meter, int]:
    found: dict[Meter, int] = {}
    for detail in details or ():
        if detail.modality in meters:
            meter = meters[detail.modality]
            found[meter] = found.get(meter, 0) + (detail.token_count or 0)
    return found


def _take(usage: dict[Meter, int], meter: Meter, tokens: int, left: int) -> int:
    """Move tokens of what is left to their own meter; never more than there are. Returns what stays."""
    taken = min(max(tokens, 0), left)
    if taken > 0:
        usage[meter] = taken
    return left - max(taken, 0)


def write_usage(usage: Usage) -> Wire:
    """`usageMetadata` with the overlaps that Google's counts have."""
    prompt = sum(usage.get(meter, 0) for meter in INPUT_METERS)
    thoughts = usage.get(Meter.REASONING_TOKENS, 0)
    candidates = sum(usage.get(meter, 0) for meter in OUTPUT_METERS) - thoughts
    wire: Wire = {"promptTokenCount": prompt, "candidatesTokenCount": candidates}
    if Meter.CACHE_READ_TOKENS in usage:
        wire["cachedContentTokenCount"] = usage[Meter.CACHE_READ_TOKENS]
    if Meter.REASONING_TOKENS in usage:
        wire["thoughtsTokenCount"] = thoughts
    wire["totalTokenCount"] = prompt + candidates + thoughts
    for name, total, meters in (
        ("promptTokensDetails", prompt, _INPUTS),
        ("candidatesTokensDetails", candidates, _OUTPUTS),
    ):
        known = {modality: usage[meter] for modality, meter in meters.items() if meter in usage}
        if known:
            counts = {"TEXT": total - sum(known.values())} | known
            wire[name] = [{"modality": word, "tokenCount": tokens} for word, tokens in counts.items()]
    return wire
