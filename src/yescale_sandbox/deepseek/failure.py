"""How DeepSeek fails: https://api-docs.deepseek.com/quick_start/error_codes; bodies as its users quote them."""

import msgspec

from yescale_sandbox.exchange import Headers
from yescale_sandbox.jsontype import Json
from yescale_sandbox.outage import Failure, Failures


class RefusedError(Exception):
    """The request is at fault."""

    def __init__(self, message: str, *, status: int = 400, type_: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(message, type_=type_)


def error_body(message: str, *, type_: str = "invalid_request_error") -> bytes:
    """The error object: its `code` is the same whatever the matter (github.com/Aider-AI/aider/issues/4851)."""
    error: Json = {"message": message, "type": type_, "param": None, "code": "invalid_request_error"}
    return msgspec.json.encode({"error": error})


def no_such_key(key: str) -> RefusedError:
    """https://github.com/musistudio/claude-code-router/issues/142"""
    return RefusedError(
        f"Authentication Fails, Your api key: ****{key[-4:]} is invalid", status=401, type_="authentication_error"
    )


_RETRY: Headers = (("retry-after", "1"),)
_BUSY = "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers."
FAILURES = Failures(
    {
        "400": Failure(400, error_body("Invalid request: this model answers every call so.")),
        "401": Failure(
            401, error_body("Authentication Fails, Your api key: ****dbox is invalid", type_="authentication_error")
        ),
        "402": Failure(402, error_body("Insufficient Balance", type_="unknown_error")),
        "403": Failure(403, error_body("Content Exists Risk")),
        "404": Failure(404, b'{"error_msg":"Not Found. Please check the configuration."}'),
        "429": Failure(429, error_body("Rate limit reached", type_="rate_limit_error"), _RETRY),
        "quota": Failure(402, error_body("Insufficient Balance", type_="unknown_error")),
        "500": Failure(500, error_body("Internal Server Error", type_="internal_server_error")),
        "502": Failure(502, b"<html><body>502 Bad Gateway</body></html>"),
        "503": Failure(503, error_body(_BUSY, type_="service_unavailable_error")),
        "529": Failure(529, error_body(_BUSY, type_="service_unavailable_error")),
        "redirect": Failure(307, b"", (("location", "/deepseek/elsewhere"),)),
    },
    error_body,
)
