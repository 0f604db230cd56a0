"""OpenAI: https://platform.openai.com/docs/api-reference; `max_tokens` is deprecated there and refused by o-series."""

from typing import Final

from yescale.domain.ids import ProviderId
from yescale.protocols import openai_chat
from yescale.providers.provider import Bearer, Endpoint, Provider

ENDPOINTS: Final = {
    "chat": Endpoint(openai_chat.CHAT, "/chat/completions"),
    "embed": Endpoint(openai_chat.EMBEDDINGS, "/embeddings"),
}
OPENAI: Final = Provider(
    id=ProviderId("openai"),
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    auth=Bearer(),
    endpoints=ENDPOINTS,
    limit_field="max_completion_tokens",
)
