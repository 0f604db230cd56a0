"""What a call used: counts per meter. Meters never overlap; decoders subtract at the border."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class Meter(enum.StrEnum):
    """One countable kind of use. Token meters exclude one another: cached input is not also input."""

    INPUT_TOKENS = "input_tokens"
    CACHE_READ_TOKENS = "cache_read_tokens"
    CACHE_WRITE_TOKENS = "cache_write_tokens"
    CACHE_WRITE_1H_TOKENS = "cache_write_1h_tokens"
    AUDIO_INPUT_TOKENS = "audio_input_tokens"
    IMAGE_INPUT_TOKENS = "image_input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REASONING_TOKENS = "reasoning_tokens"
    AUDIO_OUTPUT_TOKENS = "audio_output_tokens"
    IMAGE_OUTPUT_TOKENS = "image_output_tokens"
    REQUESTS = "requests"
    IMAGES = "images"
    CHARACTERS = "characters"
    SECONDS = "seconds"
    PAGES = "pages"
    WEB_SEARCHES = "web_searches"


_USUAL_TIERS: Final = frozenset({"", "auto", "default", "standard", "standard_only", "unspecified", "on_demand"})

Usage = Mapping[Meter, int]
NO_USAGE: Final[Usage] = MappingProxyType({})

INPUT_METERS: Final = frozenset(
    {
        Meter.INPUT_TOKENS,
        Meter.CACHE_READ_TOKENS,
        Meter.CACHE_WRITE_TOKENS,
        Meter.CACHE_WRITE_1H_TOKENS,
        Meter.AUDIO_INPUT_TOKENS,
        Meter.IMAGE_INPUT_TOKENS,
    }
)
OUTPUT_METERS: Final = frozenset(
    {Meter.OUTPUT_TOKENS, Meter.REASONING_TOKENS, Meter.AUDIO_OUTPUT_TOKENS, Meter.IMAGE_OUTPUT_TOKENS}
)


_TOKEN_METERS: Final = INPUT_METERS | OUTPUT_METERS


def tokens_of(usage: Usage) -> int:
    """All tokens, in and out."""
    return sum([count for meter, count in usage.items() if meter in _TOKEN_METERS])


def tier_of(word: object) -> str:
    """The tier that an answer says it was served by, where that is not the usual one; else ""."""
    return word if isinstance(word, str) and word not in _USUAL_TIERS else ""
