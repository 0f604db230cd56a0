"""How Azure fails: its gateway's errors have a code and a message alone."""

import msgspec

from yescale_sandbox.azure import filtering
from yescale_sandbox.exchange import Headers
from yescale_sandbox.openai import failure as openai
from yescale_sandbox.outage import Failure, Failures

DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
# https://github.com/chatboxai/chatbox/issues/646
NO_DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
    "please wait a moment and try again."
)
# https://github.com/langchain-ai/langchain/issues/2221
_RATE = (
    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token "
    "rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second."
)
_QUOTA = "Your resource has exceeded its monthly usage limit. The limit is reset at the start of the next month."
_INTERNAL = "The server had an error while processing your request. Sorry about that!"
_RETRY: Headers = (("retry-after", "1"), ("retry-after-ms", "1000"))


class GatewayError(Exception):
    """The request does not get as far as a model."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(message, code=code)


def error_body(message: str, *, code: str = "BadRequest") -> bytes:
    return msgspec.json.encode({"error": {"code": code, "message": message}})


FAILURES = Failures(
    {
        **openai.FAILURES.by_name,
        "filter-prompt": Failure(400, filtering.prompt_refused()),
        "400": Failure(400, error_body("The request is invalid: this deployment answers every call so.")),
        "401": Failure(401, error_body(DENIED, code="401")),
        "402": Failure(403, error_body(_QUOTA, code="QuotaExceeded")),
        "403": Failure(403, error_body("Access denied due to Virtual Network/Firewall rules.", code="AccessDenied")),
        "404": Failure(404, error_body(NO_DEPLOYMENT, code="DeploymentNotFound")),
        "429": Failure(429, error_body(_RATE, code="429"), _RETRY),
        "quota": Failure(403, error_body(_QUOTA, code="QuotaExceeded")),
        "500": Failure(500, error_body(_INTERNAL, code="InternalServerError")),
        "503": Failure(503, error_body("The service is temporarily unavailable.", code="ServiceUnavailable")),
        "redirect": Failure(307, b"", (("location", "/azure/openai/elsewhere"),)),
    },
    error_body,
)
