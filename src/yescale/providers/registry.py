"""All providers. To add one: a value in a module of its own, and a line here."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from yescale.domain.ids import ProviderId
from yescale.providers.anthropic import ANTHROPIC
from yescale.providers.azure import AZURE, AZURE_V1
from yescale.providers.bedrock import BEDROCK, BEDROCK_ANTHROPIC
from yescale.providers.compatible import COMPATIBLE
from yescale.providers.google import GOOGLE
from yescale.providers.openai import OPENAI, OPENAI_RESPONSES
from yescale.providers.openai_compatible import OPENAI_COMPATIBLE
from yescale.providers.provider import Provider
from yescale.providers.vertex import VERTEX, VERTEX_ANTHROPIC


def index(providers: Iterable[Provider]) -> Mapping[ProviderId, Provider]:
    """Providers by id. Raises ValueError where two share one."""
    found: dict[ProviderId, Provider] = {}
    for provider in providers:
        if provider.id in found:
            raise ValueError(f"two providers are called '{provider.id}'")
        found[provider.id] = provider
    return MappingProxyType(found)


PROVIDERS: Final = index(
    (
        *(OPENAI, OPENAI_RESPONSES, ANTHROPIC, GOOGLE),
        *(AZURE, AZURE_V1, BEDROCK, BEDROCK_ANTHROPIC, VERTEX, VERTEX_ANTHROPIC),
        *COMPATIBLE,
        OPENAI_COMPATIBLE,
    )
)
