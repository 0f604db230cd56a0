"""OpenAI: https://platform.openai.com/docs/api-reference; `max_tokens` is deprecated there and refused by o-series."""

from typing import Final

from yescale.domain.ids import ProviderId
from yescale.domain.profile import Profile
from yescale.protocols import openai_chat, openai_responses
from yescale.providers.provider import Bearer, Endpoint, Passed, Provider

CHAT: Final = Endpoint(format=openai_chat.CHAT, path="/chat/completions")
RESPONSES: Final = Endpoint(format=openai_responses.RESPONSES, path="/responses")
COMPLETIONS: Final = Endpoint(format=openai_chat.COMPLETIONS, path="/completions")
EMBEDDINGS: Final = Endpoint(format=openai_chat.EMBEDDINGS, path="/embeddings")
REALTIME: Final = Endpoint(
    format=openai_chat.REALTIME,
    path="/realtime",
    method="GET",
    query="model={model}",
    passes=(Passed(b"openai-beta", (b"realtime=",)), Passed(b"openai-safety-identifier")),
)
MODERATIONS: Final = Endpoint(format=openai_chat.MODERATIONS, path="/moderations")

_DESCRIPTION_CHARS: Final = 1_024  # https://github.com/OpenHands/OpenHands/issues/4838 shows the refusal
_OTHERS: Final = {
    "complete": (COMPLETIONS,),
    "embed": (EMBEDDINGS,),
    "moderate": (MODERATIONS,),
    "realtime": (REALTIME,),
}


def profile(model: str) -> Profile:
    """What an OpenAI model takes: reasoning models refuse how tokens are drawn, and call system words developer's:
    https://platform.openai.com/docs/guides/reasoning
    """
    reasons = model.startswith(("o1", "o3", "o4", "gpt-5")) and "chat" not in model
    return Profile(
        limit_field="max_completion_tokens",
        thinks="effort" if reasons else "no",
        samples=not reasons,
        developer=reasons,
        description_chars=_DESCRIPTION_CHARS,
        custom_tools=True,
        searches="search" in model,  # https://platform.openai.com/docs/guides/tools-web-search, "Chat Completions"
    )


OPENAI: Final = Provider(
    id=ProviderId("openai"),
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    auth=Bearer(),
    endpoints={"chat": (CHAT, RESPONSES), **_OTHERS},
    profile=profile,
)
# The same company for models that answer in Responses alone, or reason better there.
OPENAI_RESPONSES: Final = Provider(
    id=ProviderId("openai_responses"),
    title="OpenAI (Responses)",
    base_url="https://api.openai.com/v1",
    auth=Bearer(),
    endpoints={"chat": (RESPONSES,), **_OTHERS},
    profile=profile,
)
