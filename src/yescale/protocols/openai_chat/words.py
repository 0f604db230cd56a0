"""The words of this format, and what they mean in canonical form."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from yescale.domain.chat import StopReason
from yescale.domain.ids import ProtocolId

ID: Final = ProtocolId("openai.chat")
FILES: Final = frozenset({ID, ProtocolId("openai.responses")})  # a file's id at OpenAI means the same in both

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

# OpenAI's five words, then those of compatible servers: Mistral, DeepSeek, OpenRouter, vLLM.
_REASONS: Final[Mapping[str, StopReason]] = MappingProxyType(
    {
        "stop": StopReason.END,
        "length": StopReason.LENGTH,
        "tool_calls": StopReason.TOOL_CALLS,
        "function_call": StopReason.TOOL_CALLS,
        "content_filter": StopReason.FILTERED,
        "eos": StopReason.END,
        "end_turn": StopReason.END,
        "stop_sequence": StopReason.STOP_SEQUENCE,
        "max_tokens": StopReason.LENGTH,
        "model_length": StopReason.LENGTH,
        "error": StopReason.ERROR,
        "insufficient_system_resource": StopReason.ERROR,
    }
)
_WORDS: Final[Mapping[StopReason, str]] = MappingProxyType(
    {
        StopReason.END: "stop",
        StopReason.LENGTH: "length",
        StopReason.STOP_SEQUENCE: "stop",
        StopReason.TOOL_CALLS: "tool_calls",
        StopReason.REFUSAL: "content_filter",
        StopReason.FILTERED: "content_filter",
        StopReason.PAUSED: "stop",
        StopReason.ERROR: "stop",
        StopReason.OTHER: "stop",
    }
)

# What share of thinking an effort stands for, in tokens: the usual steps of the vendors that translate between them.
_BUDGETS: Final[tuple[tuple[int, Effort], ...]] = (
    (1_024, "minimal"),
    (4_096, "low"),
    (12_288, "medium"),
    (32_768, "high"),
)


def read_reason(word: str, *, calls: bool, refused: bool) -> StopReason:
    """Why a message ended. Some servers say `stop` behind tool calls, and OpenAI says it behind a refusal."""
    reason = _REASONS.get(word, StopReason.OTHER)
    if reason in (StopReason.END, StopReason.OTHER) and (calls or refused):
        return StopReason.TOOL_CALLS if calls else StopReason.REFUSAL
    return reason


def say_reason(reason: StopReason, *, refused: bool = False, legacy: bool = False) -> str:
    """The word for it. A refusal that is said as one ends with `stop`, as OpenAI's do."""
    if reason is StopReason.REFUSAL and refused:
        return "stop"
    return "function_call" if legacy and reason is StopReason.TOOL_CALLS else _WORDS[reason]


def effort_for(budget: int) -> Effort:
    """The effort that comes nearest to a budget of thinking tokens."""
    for most, effort in _BUDGETS:
        if budget <= most:
            return effort
    return "xhigh"
