"""The betas of Anthropic's that clouds know: others are refused there with the whole request (promise 29).

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html,
https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude, and for what is newer than
these the table behind https://docs.litellm.ai/docs/tutorials/claude_code_beta_headers.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Both of them know.
_BOTH: Final = (
    b"compact-2026-01-12",
    b"computer-use-2025-01-24",
    b"computer-use-2025-11-24",
    b"context-1m-2025-08-07",
    b"context-management-2025-06-27",
    b"interleaved-thinking-2025-05-14",
    b"thinking-binding-controls-2026-08-01",
    b"thinking-display-updates-2026-08-18",
    b"tool-search-tool-2025-10-19",
)
_BEDROCK: Final = (
    b"computer-use-2024-10-22",
    b"dev-full-thinking-2025-05-14",
    b"effort-2025-11-24",
    b"fine-grained-tool-streaming-2025-05-14",
    b"mid-conversation-output-config-2026-07-01",
    b"mid-conversation-tool-changes-2026-07-01",
    b"output-128k-2025-02-19",
    b"token-efficient-tools-2025-02-19",
    b"tool-examples-2025-10-29",
)
_VERTEX: Final = (b"compact-2026-09-04", b"per-turn-control-2026-07-01", b"web-search-2025-03-05")
# What Anthropic itself calls the beta of several tools, of which clouds have one.
_RENAMED: Final = ((b"advanced-tool-use-2025-11-20", b"tool-search-tool-2025-10-19"),)


def _known(*names: bytes) -> Mapping[bytes, bytes]:
    return MappingProxyType({**{name: name for name in (*_BOTH, *names)}, **dict(_RENAMED)})


BEDROCK: Final = _known(*_BEDROCK)
VERTEX: Final = _known(*_VERTEX)
