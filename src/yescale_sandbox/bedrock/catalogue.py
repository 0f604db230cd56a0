"""The ids under which Bedrock knows Anthropic's models, and the betas that it takes.

https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html and /inference-profiles-support.html. An
unknown beta is refused: https://docs.litellm.ai/blog/claude-code-beta-headers-incident tells of an outage by it.
"""

import re
from collections.abc import Mapping

from yescale_sandbox.anthropic.catalogue import MODELS, Model
from yescale_sandbox.bedrock.refusal import RefusedError
from yescale_sandbox.jsontype import Json

BETAS = frozenset(
    {
        "compact-2026-01-12",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14",
        "effort-2025-11-24",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "mid-conversation-output-config-2026-07-01",
        "mid-conversation-tool-changes-2026-07-01",
        "output-128k-2025-02-19",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
    }
)
_SECOND = frozenset({"claude-3-5-sonnet-20241022"})
_BY_ID: Mapping[str, Model] = {
    f"anthropic.{model.dated}-v{2 if model.dated in _SECOND else 1}:0": model for model in MODELS
}
_PROFILE = re.compile(r"(?:us|eu|apac|jp|au|us-gov|global)\.")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]+:\d*:(?:foundation-model|inference-profile)/")


def find(model_id: str) -> Model:
    """The model of an id, of an inference profile, or of the ARN of one of them.

    Raises: RefusedError.
    """
    name = _ARN.sub("", model_id, count=1)
    model = _BY_ID.get(_PROFILE.sub("", name, count=1) if _PROFILE.match(name) else name)
    if model is None:
        raise RefusedError("The provided model identifier is invalid.")
    return model


def known_betas(names: Json) -> frozenset[str]:
    """The betas of a body, if all are known.

    Raises: RefusedError.
    """
    asked = names if isinstance(names, list) else [] if names is None else [names]
    found = frozenset(name for name in asked if isinstance(name, str) and name in BETAS)
    if len(found) < len(asked):
        raise RefusedError("invalid beta flag")
    return found
