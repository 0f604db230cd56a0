"""Faults: refusals as values. Each says whose fault it is, what to do next, and which HTTP status it is.

The `type` words are OpenAI's; other surfaces translate them. Messages never hold a secret.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

Blame = Literal["caller", "gateway", "upstream"]
FaultType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "insufficient_quota",
    "server_error",
    "upstream_error",
]


class Fault(Struct, frozen=True, kw_only=True):
    """A refusal: HTTP status, the words of the error body, and when to come back."""

    status: int
    type: FaultType
    code: str
    message: str
    blame: Blame
    param: str | None = None
    retry_after_s: int | None = None
    details: Mapping[str, str | int] = MappingProxyType({})  # further fields inside `error`

    def saying(
        self, message: str, *, param: str | None = None, retry_after_s: int | None = None, **details: str | int
    ) -> "Fault":
        """The same fault with its particulars."""
        return replace(
            self,
            message=message,
            param=param or self.param,
            retry_after_s=self.retry_after_s if retry_after_s is None else retry_after_s,
            details=details or self.details,
        )


def _caller(status: int, kind: FaultType, code: str, message: str) -> Fault:
    return Fault(status=status, type=kind, code=code, message=message, blame="caller")


def _gateway(status: int, code: str, message: str, retry_after_s: int | None = None) -> Fault:
    return Fault(
        status=status, type="server_error", code=code, message=message, blame="gateway", retry_after_s=retry_after_s
    )


def _upstream(status: int, code: str, message: str) -> Fault:
    return Fault(status=status, type="upstream_error", code=code, message=message, blame="upstream")


MALFORMED: Final = _caller(400, "invalid_request_error", "invalid_request", "The request is malformed.")
TWO_KEYS: Final = _caller(
    400, "invalid_request_error", "conflicting_api_keys", "The request carries two different API keys; send one."
)
MODEL_NOT_OFFERED: Final = _caller(
    400, "invalid_request_error", "model_not_offered", "The model is not offered to any group of this API key."
)
PREVIOUS_NOT_FOUND: Final = _caller(
    400, "invalid_request_error", "previous_response_not_found", "The previous response was not found."
)
MISSING_KEY: Final = _caller(
    401, "authentication_error", "missing_api_key", "No API key was sent; send it as 'Authorization: Bearer sk-...'."
)
INVALID_KEY: Final = _caller(
    401, "authentication_error", "invalid_api_key", "The API key is not valid; check it, or create one in the console."
)
KEY_DISABLED: Final = _caller(
    401, "authentication_error", "key_disabled", "The API key is disabled; enable it or use another."
)
KEY_EXPIRED: Final = _caller(401, "authentication_error", "key_expired", "The API key has expired; create a new one.")
KEY_EXHAUSTED: Final = _caller(
    401, "authentication_error", "key_exhausted", "The API key's quota is used up; raise it or use another key."
)
INSUFFICIENT_BALANCE: Final = _caller(
    402, "insufficient_quota", "insufficient_balance", "The account's balance does not cover this call; top up."
)
MODEL_NOT_ALLOWED: Final = _caller(403, "permission_error", "model_not_allowed", "This API key may not use that model.")
OPERATION_NOT_ALLOWED: Final = _caller(
    403, "permission_error", "operation_not_allowed", "This API key may not be used for that."
)
IP_NOT_ALLOWED: Final = _caller(
    403, "permission_error", "ip_not_allowed", "This API key may not be used from this address."
)
ACCOUNT_DISABLED: Final = _caller(
    403, "permission_error", "account_disabled", "The account is disabled; ask the operator."
)
MODEL_NOT_FOUND: Final = _caller(404, "not_found_error", "model_not_found", "The model does not exist.")
NO_PROVIDER_ALLOWED: Final = _caller(
    404,
    "not_found_error",
    "no_provider_allowed",
    "No provider that 'provider' allows serves this model; widen or leave out 'provider'.",
)
UNKNOWN_PATH: Final = _caller(404, "invalid_request_error", "unknown_url", "Invalid URL.")
RESPONSE_NOT_FOUND: Final = _caller(404, "invalid_request_error", "response_not_found", "The response was not found.")
WRONG_METHOD: Final = _caller(
    405, "invalid_request_error", "method_not_allowed", "This path does not answer that method."
)
TOO_SLOW: Final = _caller(408, "invalid_request_error", "request_timeout", "The request did not arrive in time.")
MODEL_DEPRECATED: Final = _caller(
    410, "invalid_request_error", "model_deprecated", "The model answers no more; use another."
)
TOO_LARGE: Final = _caller(413, "invalid_request_error", "request_too_large", "The request body is too large.")
UNSUPPORTED_ENCODING: Final = _caller(
    415,
    "invalid_request_error",
    "unsupported_content_encoding",
    "Send the body as it is, or compressed with gzip or deflate.",
)
UPGRADE_REQUIRED: Final = _caller(
    426, "invalid_request_error", "upgrade_not_supported", "This path speaks plain HTTP; it has no WebSocket."
)
RATE_LIMITED: Final = _caller(429, "rate_limit_error", "rate_limit_exceeded", "Too many requests; slow down.")
BUDGET_EXCEEDED: Final = _caller(429, "rate_limit_error", "budget_exceeded", "The budget of this period is used up.")
HEAD_TOO_LARGE: Final = _caller(
    431, "invalid_request_error", "headers_too_large", "The request's headers are too large."
)
INTERNAL: Final = _gateway(
    500, "internal_error", "The gateway failed; the operator can find this request id in its log."
)
NOT_IMPLEMENTED: Final = _gateway(501, "api_not_implemented", "API not implemented")
MODEL_NOT_PRICED: Final = _gateway(503, "model_not_priced", "The model has no price yet; the operator has been told.")
NO_CHANNEL: Final = _gateway(
    503, "no_channel_available", "Every channel for this model is resting; try again shortly.", 5
)
UNAVAILABLE: Final = _gateway(
    503, "temporarily_unavailable", "The gateway cannot admit calls right now; try again shortly.", 5
)
UPSTREAM_ERROR: Final = _upstream(502, "upstream_error", "The provider failed to answer this call; try again.")
UPSTREAM_CUT: Final = _upstream(
    502, "upstream_cut", "The provider broke off its answer; what came before is incomplete."
)
UPSTREAM_TIMEOUT: Final = _upstream(504, "upstream_timeout", "The provider did not answer in time.")
UPSTREAM_BUSY: Final = _upstream(429, "rate_limit_exceeded", "The provider is saturated; try again shortly.")
