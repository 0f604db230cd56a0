"""Whoever speaks OpenAI's chat format at a base URL of their own."""

from typing import Final

from yescale.domain.ids import ProviderId
from yescale.protocols import openai_chat
from yescale.providers.openai import CHAT, COMPLETIONS, EMBEDDINGS, MODERATIONS
from yescale.providers.provider import Bearer, Endpoint, Provider

RERANK: Final = Endpoint(format=openai_chat.RERANK, path="/rerank")
OPENAI_COMPATIBLE: Final = Provider(
    id=ProviderId("openai_compatible"),
    title="OpenAI-compatible",
    base_url="",
    auth=Bearer(),
    endpoints={
        "chat": (CHAT,),
        "complete": (COMPLETIONS,),
        "embed": (EMBEDDINGS,),
        "moderate": (MODERATIONS,),
        "rerank": (RERANK,),
    },
)
