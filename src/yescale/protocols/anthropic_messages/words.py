"""The format's id and its fixed words, with what they mean in canonical form."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yescale.domain.chat import StopReason
from yescale.domain.content import HostedKind
from yescale.domain.ids import ProtocolId

ID: Final = ProtocolId("anthropic.messages")

# https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
STOP_REASONS: Final[Mapping[str, StopReason]] = MappingProxyType(
    {
        "end_turn": StopReason.END,
        "max_tokens": StopReason.LENGTH,
        "model_context_window_exceeded": StopReason.LENGTH,
        "stop_sequence": StopReason.STOP_SEQUENCE,
        "tool_use": StopReason.TOOL_CALLS,
        "pause_turn": StopReason.PAUSED,
        "refusal": StopReason.REFUSAL,
    }
)
STOP_WORDS: Final[Mapping[StopReason, str]] = MappingProxyType(
    {
        StopReason.END: "end_turn",
        StopReason.LENGTH: "max_tokens",
        StopReason.STOP_SEQUENCE: "stop_sequence",
        StopReason.TOOL_CALLS: "tool_use",
        StopReason.PAUSED: "pause_turn",
        StopReason.REFUSAL: "refusal",
        StopReason.FILTERED: "refusal",
        StopReason.ERROR: "end_turn",
        StopReason.OTHER: "end_turn",
    }
)

# Names in `server_tool_use`, and the stems of the tools' dated types.
HOSTED_NAMES: Final[Mapping[str, HostedKind]] = MappingProxyType(
    {
        "web_search": "web_search",
        "web_fetch": "web_fetch",
        "code_execution": "code_execution",
        "bash_code_execution": "code_execution",
    }
)
# How a tool of another format is asked for here. Those of 2025 are known to all models that have the tool at all.
HOSTED_TYPES: Final[Mapping[HostedKind, tuple[str, str]]] = MappingProxyType(
    {
        "web_search": ("web_search_20250305", "web_search"),
        "web_fetch": ("web_fetch_20250910", "web_fetch"),
        "url_context": ("web_fetch_20250910", "web_fetch"),
        "code_execution": ("code_execution_20250825", "code_execution"),
    }
)

# What a request says of its tier, ours in OpenAI's words; then what an answer says of the tier that served it.
TIERS_ASKED: Final[Mapping[str, str]] = MappingProxyType({"auto": "auto", "standard_only": "default"})
TIERS_SAID: Final[Mapping[str, str]] = MappingProxyType(
    {"auto": "auto", "default": "standard_only", "standard_only": "standard_only", "priority": "auto"}
)
TIERS_SERVED: Final[Mapping[str, str]] = MappingProxyType({"standard": "default"})
TIERS_SHOWN: Final[Mapping[str, str]] = MappingProxyType(
    {"default": "standard", "standard": "standard", "priority": "priority", "batch": "batch"}
)
