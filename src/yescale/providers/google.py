"""Google AI Studio: https://ai.google.dev/api"""

from typing import Final

from yescale.domain.ids import ProviderId
from yescale.domain.profile import Profile
from yescale.protocols import gemini_generate
from yescale.providers.provider import Endpoint, KeyHeader, Provider

_GENERATE: Final = Endpoint(
    format=gemini_generate.GENERATE,
    path="/models/{model}:generateContent",
    stream_path="/models/{model}:streamGenerateContent",
    stream_query="alt=sse",
)
_GENERATE_ARRAY: Final = Endpoint(
    format=gemini_generate.GENERATE_ARRAY,
    path="/models/{model}:generateContent",
    stream_path="/models/{model}:streamGenerateContent",
)


def profile(model: str) -> Profile:
    """What a Gemini takes: https://ai.google.dev/gemini-api/docs/thinking and .../thought-signatures"""
    third = model.startswith("gemini-3")
    thinks = model.startswith("gemini-2.5") and "image" not in model and "tts" not in model
    return Profile(thinks="effort" if third else "budget" if thinks else "no", seals_required=third)


GOOGLE: Final = Provider(
    id=ProviderId("google"),
    title="Google AI Studio",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    auth=KeyHeader("x-goog-api-key"),
    endpoints={
        "chat": (_GENERATE, _GENERATE_ARRAY),
        "count": (Endpoint(format=gemini_generate.COUNT, path="/models/{model}:countTokens"),),
        # A batch of one says all that a single request can, so others are translated to it.
        "embed": (
            Endpoint(format=gemini_generate.BATCH_EMBED, path="/models/{model}:batchEmbedContents"),
            Endpoint(format=gemini_generate.EMBED, path="/models/{model}:embedContent"),
        ),
    },
    profile=profile,
)
