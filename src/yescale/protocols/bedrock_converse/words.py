"""The format's id and its fixed words, with what they mean in canonical form."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yescale.domain.chat import StopReason
from yescale.domain.ids import ProtocolId

ID: Final = ProtocolId("bedrock.converse")
# Thoughts that are sealed here are Claude's, and their seals hold on every platform that serves Claude:
# https://platform.claude.com/docs/en/build-with-claude/extended-thinking#thinking-encryption
CLAUDE: Final = ProtocolId("anthropic.messages")

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, `stopReason`
STOP_REASONS: Final[Mapping[str, StopReason]] = MappingProxyType(
    {
        "end_turn": StopReason.END,
        "tool_use": StopReason.TOOL_CALLS,
        "max_tokens": StopReason.LENGTH,
        "model_context_window_exceeded": StopReason.LENGTH,
        "stop_sequence": StopReason.STOP_SEQUENCE,
        "guardrail_intervened": StopReason.FILTERED,
        "content_filtered": StopReason.FILTERED,
        "malformed_model_output": StopReason.ERROR,
        "malformed_tool_use": StopReason.ERROR,
    }
)
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ServiceTier.html
TIERS: Final = frozenset({"priority", "default", "flex", "reserved"})

PICTURES: Final[Mapping[str, str]] = MappingProxyType(
    {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
)
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html, `format`
DOCUMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/pdf": "pdf",
        "text/csv": "csv",
        "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "text/html": "html",
        "text/plain": "txt",
        "text/markdown": "md",
    }
)
