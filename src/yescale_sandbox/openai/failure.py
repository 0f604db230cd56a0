"""How OpenAI fails: status and body of each scenario."""

from yescale_sandbox.exchange import Headers
from yescale_sandbox.openai.refusal import error_body
from yescale_sandbox.outage import Failure, Failures

_SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
)
_QUOTA_LINK = "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
_RATE = (
    "Rate limit reached for gpt-4o in organization org-sandbox on tokens per min (TPM): Limit 30000, Used 29500, "
    "Requested 1000. Please try again in 1s. Visit https://platform.openai.com/account/rate-limits to learn more."
)
_RETRY: Headers = (("retry-after", "1"), ("retry-after-ms", "1000"))

_BY_NAME = {
    "400": Failure(400, error_body("Invalid request: this model answers every call so.")),
    "401": Failure(
        401,
        error_body(
            "Incorrect API key provided: sk-sandb************************dbox. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            code="invalid_api_key",
        ),
    ),
    "402": Failure(
        402,
        error_body(
            "You have no credits remaining. Add credits to continue using the API.",
            type_="insufficient_quota",
            code="credit_balance_exhausted",
        ),
    ),
    "403": Failure(
        403,
        error_body(
            "Country, region, or territory not supported",
            type_="request_forbidden",
            code="unsupported_country_region_territory",
        ),
    ),
    "404": Failure(
        404, error_body("The model does not exist or you do not have access to it.", code="model_not_found")
    ),
    "429": Failure(429, error_body(_RATE, type_="tokens", code="rate_limit_exceeded"), _RETRY),
    "quota": Failure(429, error_body(_QUOTA + _QUOTA_LINK, type_="insufficient_quota", code="insufficient_quota")),
    "500": Failure(500, error_body(_SERVER_ERROR, type_="server_error")),
    "502": Failure(502, error_body("Bad gateway.", type_="cf_bad_gateway", code=502)),
    "503": Failure(503, error_body("The engine is currently overloaded, please try again later", type_="server_error")),
    "529": Failure(529, error_body("Overloaded", type_="overloaded_error")),
    "redirect": Failure(307, b"", (("location", "/openai/v1/elsewhere"),)),
}
FAILURES = Failures(_BY_NAME, error_body)
