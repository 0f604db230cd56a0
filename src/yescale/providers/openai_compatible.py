"""Whoever speaks OpenAI's chat format at a base URL of their own."""

from typing import Final

from yescale.domain.ids import ProviderId
from yescale.providers.openai import ENDPOINTS
from yescale.providers.provider import Bearer, Provider

OPENAI_COMPATIBLE: Final = Provider(
    id=ProviderId("openai_compatible"), title="OpenAI-compatible", base_url="", auth=Bearer(), endpoints=ENDPOINTS
)
