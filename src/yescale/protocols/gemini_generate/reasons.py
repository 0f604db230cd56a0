"""Why an answer ended, both ways: https://ai.google.dev/api/generate-content#FinishReason"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yescale.domain.chat import StopReason

_REASONS: Final[Mapping[str, StopReason]] = MappingProxyType(
    {
        "STOP": StopReason.END,
        "MAX_TOKENS": StopReason.LENGTH,
        "SAFETY": StopReason.FILTERED,
        "RECITATION": StopReason.FILTERED,
        "LANGUAGE": StopReason.FILTERED,
        "BLOCKLIST": StopReason.FILTERED,
        "PROHIBITED_CONTENT": StopReason.FILTERED,
        "SPII": StopReason.FILTERED,
        "MODEL_ARMOR": StopReason.FILTERED,
        "IMAGE_SAFETY": StopReason.FILTERED,
        "IMAGE_PROHIBITED_CONTENT": StopReason.FILTERED,
        "IMAGE_RECITATION": StopReason.FILTERED,
        "CONTINUATION": StopReason.PAUSED,
        "MALFORMED_FUNCTION_CALL": StopReason.ERROR,
        "MALFORMED_RESPONSE": StopReason.ERROR,
        "MISSING_THOUGHT_SIGNATURE": StopReason.ERROR,
        "TOO_MANY_TOOL_CALLS": StopReason.ERROR,
        "UNEXPECTED_TOOL_CALL": StopReason.ERROR,
    }
)
_WORDS: Final[Mapping[StopReason, str]] = MappingProxyType(
    {
        StopReason.END: "STOP",
        StopReason.STOP_SEQUENCE: "STOP",
        StopReason.TOOL_CALLS: "STOP",
        StopReason.LENGTH: "MAX_TOKENS",
        StopReason.REFUSAL: "SAFETY",
        StopReason.FILTERED: "SAFETY",
    }
)


def read_reason(word: str, *, called: bool) -> StopReason:
    """The reason; Gemini says STOP, too, where it called functions."""
    reason = _REASONS.get(word, StopReason.OTHER)
    return StopReason.TOOL_CALLS if called and reason is StopReason.END else reason


def write_reason(reason: StopReason) -> str:
    """Google's word."""
    return _WORDS.get(reason, "OTHER")
