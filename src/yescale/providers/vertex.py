"""Google Vertex AI: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference

A channel's base URL names project and location, as
`https://us-central1-aiplatform.googleapis.com/v1/projects/PROJECT/locations/us-central1`; its secret is a service
account's JSON, which control exchanges for access tokens before workers see it.
"""

from typing import Final

from yescale.domain.ids import ProviderId
from yescale.protocols import gemini_generate
from yescale.protocols.anthropic_messages import clouds
from yescale.providers import anthropic, betas, google, quirks
from yescale.providers.provider import Bearer, Blame, Endpoint, Passed, Provider

_GOOGLE: Final = "/publishers/google/models/{model}"
_ANTHROPIC: Final = "/publishers/anthropic/models/{model}"
_BLAME: Final = (Blame(who="account", status=404, words="publisher model"),)

VERTEX: Final = Provider(
    id=ProviderId("vertex"),
    title="Google Vertex AI",
    base_url="",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(
                format=gemini_generate.GENERATE,
                path=f"{_GOOGLE}:generateContent",
                stream_path=f"{_GOOGLE}:streamGenerateContent",
                stream_query="alt=sse",
            ),
            Endpoint(
                format=gemini_generate.GENERATE_ARRAY,
                path=f"{_GOOGLE}:generateContent",
                stream_path=f"{_GOOGLE}:streamGenerateContent",
            ),
        ),
        "count": (Endpoint(format=gemini_generate.COUNT, path=f"{_GOOGLE}:countTokens"),),
    },
    profile=google.profile,
    blame=_BLAME,
)
# https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
VERTEX_ANTHROPIC: Final = Provider(
    id=ProviderId("vertex_anthropic"),
    title="Google Vertex AI (Claude)",
    base_url="",
    auth=Bearer(),
    endpoints={
        "chat": (
            Endpoint(
                format=clouds.VERTEX,
                path=f"{_ANTHROPIC}:rawPredict",
                stream_path=f"{_ANTHROPIC}:streamRawPredict",
                passes=(Passed(b"anthropic-beta", known=betas.VERTEX),),
                quirks=(quirks.leave_out("service_tier"),),
            ),
        )
    },
    profile=anthropic.profile,
    blame=_BLAME,
)
