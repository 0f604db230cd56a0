"""How the Gemini API fails: status and body of each scenario (https://ai.google.dev/gemini-api/docs/troubleshooting)."""

from yescale_sandbox.gemini.refusal import RPC, bad_key, error_body
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.outage import Failure, Failures

QUOTA_PAGE = "https://ai.google.dev/gemini-api/docs/rate-limits"
_HELP: JsonObject = {
    "@type": f"{RPC}.Help",
    "links": [{"description": "Learn more about Gemini API quotas", "url": QUOTA_PAGE}],
}
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    f"head to: {QUOTA_PAGE}."
)


def _exceeded(quota: str) -> JsonObject:
    """https://github.com/RooCodeInc/Roo-Code/issues/3883"""
    return {
        "@type": f"{RPC}.QuotaFailure",
        "violations": [
            {
                "quotaMetric": "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count",
                "quotaId": quota,
                "quotaDimensions": {"location": "global", "model": "gemini-2.5-flash"},
                "quotaValue": "250000",
            }
        ],
    }


_RETRY: JsonObject = {"@type": f"{RPC}.RetryInfo", "retryDelay": "1s"}
_RATE = (_exceeded("GenerateContentPaidTierInputTokensPerModelPerMinute"), _HELP, _RETRY)
_INTERNAL = (
    "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/"
    "troubleshooting"
)
_FREE_TIER = "Gemini API free tier is not available in your country. Please enable billing on your project."

_BY_NAME = {
    "400": Failure(400, error_body("Request contains an invalid argument.")),
    "401": Failure(400, bad_key().body),
    "402": Failure(400, error_body(_FREE_TIER, status="FAILED_PRECONDITION")),
    "403": Failure(403, error_body("Permission denied: Consumer has been suspended.", 403)),
    "404": Failure(404, error_body("The model is not found, or is not supported for generateContent.", 404)),
    "429": Failure(429, error_body(_QUOTA, 429, _RATE), (("retry-after", "1"),)),
    "quota": Failure(429, error_body(_QUOTA, 429, (_exceeded("GenerateRequestsPerDayPerProjectPerModel"), _HELP))),
    "500": Failure(500, error_body(_INTERNAL, 500)),
    "502": Failure(502, error_body("The service is currently unavailable.", 502)),
    # https://github.com/google-gemini/gemini-cli/issues/5191
    "503": Failure(503, error_body("The model is overloaded. Please try again later.", 503)),
    "529": Failure(529, error_body("Overloaded", 529)),
    "redirect": Failure(307, b"", (("location", "/gemini/v1beta/elsewhere"),)),
}
FAILURES = Failures(_BY_NAME, error_body)
