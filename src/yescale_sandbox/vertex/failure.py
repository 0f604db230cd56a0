"""How Vertex AI fails (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors)."""

from yescale_sandbox.gemini.refusal import RPC, bad_token, error_body
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.outage import Failure, Failures

# https://github.com/google-gemini/gemini-cli/issues/14831
_EXHAUSTED = (
    "Resource exhausted. Please try again later. Please refer to "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
)
_QUOTA = (
    "Quota exceeded for aiplatform.googleapis.com/generate_content_requests_per_minute_per_project_per_base_model with "
    "base model: gemini. Please submit a quota increase request."
)


def _reason(reason: str) -> tuple[JsonObject, ...]:
    return (
        {
            "@type": f"{RPC}.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": {"service": "aiplatform.googleapis.com"},
        },
    )


_BILLING = "This API method requires billing to be enabled. Please enable billing on the project then retry."
_DENIED = "Permission 'aiplatform.endpoints.predict' denied on the resource (or it may not exist)."
_BY_NAME = {
    "400": Failure(400, error_body("Request contains an invalid argument.")),
    "401": Failure(401, bad_token("aiplatform").body),
    "402": Failure(403, error_body(_BILLING, 403, _reason("BILLING_DISABLED"))),
    "403": Failure(403, error_body(_DENIED, 403, _reason("IAM_PERMISSION_DENIED"))),
    "404": Failure(404, error_body("Publisher Model was not found or your project does not have access to it.", 404)),
    "429": Failure(429, error_body(_EXHAUSTED, 429), (("retry-after", "1"),)),
    "quota": Failure(429, error_body(_QUOTA, 429)),
    "500": Failure(500, error_body("Internal error encountered.", 500)),
    "502": Failure(502, error_body("The service is currently unavailable.", 502)),
    "503": Failure(503, error_body("The service is currently unavailable.", 503)),
    "529": Failure(529, error_body("Overloaded", 529)),
    "redirect": Failure(307, b"", (("location", "/vertex/v1/elsewhere"),)),
}
FAILURES = Failures(_BY_NAME, error_body)
