"""Anthropic: https://platform.claude.com/docs/en/api/overview"""

from typing import Final

from yescale.domain.ids import ProviderId
from yescale.domain.profile import Profile
from yescale.protocols import anthropic_messages
from yescale.providers.provider import Endpoint, KeyHeader, Passed, Provider

_HEADERS: Final = {"anthropic-version": "2023-06-01"}
_BETAS: Final = (Passed(b"anthropic-beta"),)  # https://platform.claude.com/docs/en/api/beta-headers
_WITHOUT_THOUGHTS: Final = ("claude-3-5", "claude-3-haiku", "claude-3-opus", "claude-3-sonnet", "claude-2")
_BUDGETED: Final = ("claude-3-7", "claude-sonnet-4", "claude-opus-4", "claude-haiku-4")
_ADAPTIVE: Final = ("claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-6")
# https://platform.claude.com/docs/en/build-with-claude/structured-outputs
_WITH_SCHEMAS: Final = ("claude-sonnet-4-5", "claude-opus-4-1", "claude-opus-4-5", "claude-haiku-4-5", *_ADAPTIVE)


def profile(model: str) -> Profile:
    """What a Claude takes: budgets of thought up to 4.5, its own measure from 4.6 on:
    https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
    """
    old = model.startswith(_WITHOUT_THOUGHTS)
    budgeted = model.startswith(_BUDGETED) and not model.startswith(_ADAPTIVE)
    return Profile(
        thinks="no" if old else "budget" if budgeted else "adaptive",
        late_system=False,
        schemas=model.startswith(_WITH_SCHEMAS) or not (old or budgeted),
    )


ANTHROPIC: Final = Provider(
    id=ProviderId("anthropic"),
    title="Anthropic",
    base_url="https://api.anthropic.com",
    auth=KeyHeader("x-api-key"),
    endpoints={
        "chat": (Endpoint(format=anthropic_messages.MESSAGES, path="/v1/messages", headers=_HEADERS, passes=_BETAS),),
        "count": (
            Endpoint(
                format=anthropic_messages.COUNT_TOKENS,
                path="/v1/messages/count_tokens",
                headers=_HEADERS,
                passes=_BETAS,
            ),
        ),
    },
    profile=profile,
)
