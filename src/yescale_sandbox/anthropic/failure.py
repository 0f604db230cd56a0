"""How Anthropic fails: status and body of each scenario (https://platform.claude.com/docs/en/api/errors).

An account without credit gets status 400 and a sentence, not 429: github.com/continuedev/continue/issues/5499.
"""

from yescale_sandbox.anthropic.refusal import error_body
from yescale_sandbox.exchange import Headers
from yescale_sandbox.outage import Failure, Failures
from yescale_sandbox.playback import Framing

_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase "
    "credits."
)
_RATE = (
    "This request would exceed your organization's rate limit of 30,000 input tokens per minute. For details, refer to "
    "https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. Please reduce the "
    "prompt length or the maximum tokens requested, or try again later."
)
_REGION = "Access to Anthropic models is not allowed from unsupported countries, regions, or territories."
_RETRY: Headers = (("retry-after", "1"), ("x-should-retry", "true"))
ELSEWHERE = "/anthropic/v1/elsewhere"

# Scenario, status, words.
_ROWS = (
    ("400", 400, "Invalid request: this model answers every call so."),
    ("401", 401, "invalid x-api-key"),
    ("402", 402, "There is an issue with your billing or payment information."),
    ("403", 403, _REGION),
    ("404", 404, "model: this model is gone"),
    ("429", 429, _RATE),
    ("quota", 400, _CREDIT),
    ("500", 500, "Internal server error"),
    ("502", 502, "Bad gateway"),
    ("503", 503, "Service temporarily unavailable"),
    ("529", 529, "Overloaded"),
)


def failures(call_id: str) -> Failures:
    """The ways to fail, with the id of the request in them."""
    rows = {
        name: Failure(status, error_body(words, status, call_id), _RETRY if name == "429" else ())
        for name, status, words in _ROWS
    }
    rows["redirect"] = Failure(307, b"", (("location", ELSEWHERE),))
    return Failures(rows, lambda words: error_body(words, 400, call_id))


def framing(call_id: str) -> Framing:
    """Streams end with their own last event; an error is an event (/docs/en/build-with-claude/streaming)."""
    return Framing(b"", b"event: error\ndata: " + error_body("Overloaded", 529, call_id) + b"\n\n")
