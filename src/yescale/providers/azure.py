"""Azure OpenAI: https://learn.microsoft.com/azure/ai-foundry/openai/reference and .../openai/api-version-lifecycle

A channel's base URL is the resource's, as `https://NAME.openai.azure.com?api-version=2024-10-21`; its models' upstream
names are deployments. A key goes in Azure's own header, a token of Entra's as a bearer.
"""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from yescale.domain.ids import ProviderId
from yescale.protocols import openai_chat
from yescale.providers import openai
from yescale.providers.provider import Blame, Endpoint, Provider

_TOKEN: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")  # what Entra gives out is a JWT
_DEPLOYED: Final = "/openai/deployments/{model}"
_V1: Final = "/openai/v1"
_BLAME: Final = (
    Blame(who="account", status=404, code="DeploymentNotFound"),
    Blame(who="account", status=404, code="404"),
)


class KeyOrToken(Struct, frozen=True):
    """The secret in the header that its shape asks for."""

    def sign(self, secret: str) -> Mapping[str, str]:
        """The one header."""
        return {"authorization": f"Bearer {secret}"} if _TOKEN.fullmatch(secret) else {"api-key": secret}


AZURE: Final = Provider(
    id=ProviderId("azure"),
    title="Azure OpenAI (deployments)",
    base_url="",
    auth=KeyOrToken(),
    endpoints={
        "chat": (Endpoint(format=openai_chat.CHAT, path=f"{_DEPLOYED}/chat/completions"),),
        "complete": (Endpoint(format=openai_chat.COMPLETIONS, path=f"{_DEPLOYED}/completions"),),
        "embed": (Endpoint(format=openai_chat.EMBEDDINGS, path=f"{_DEPLOYED}/embeddings"),),
    },
    profile=openai.profile,
    blame=_BLAME,
)
# The newer paths, which name the deployment in the body and need no version.
AZURE_V1: Final = Provider(
    id=ProviderId("azure_v1"),
    title="Azure OpenAI (v1)",
    base_url="",
    auth=KeyOrToken(),
    endpoints={
        "chat": (
            Endpoint(format=openai_chat.CHAT, path=f"{_V1}/chat/completions"),
            Endpoint(format=openai.RESPONSES.format, path=f"{_V1}/responses"),
        ),
        "complete": (Endpoint(format=openai_chat.COMPLETIONS, path=f"{_V1}/completions"),),
        "embed": (Endpoint(format=openai_chat.EMBEDDINGS, path=f"{_V1}/embeddings"),),
    },
    profile=openai.profile,
    blame=_BLAME,
)
