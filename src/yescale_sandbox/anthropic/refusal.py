"""Anthropic's error object (https://platform.claude.com/docs/en/api/errors), and the exception that refuses with it."""

from collections.abc import Mapping

import msgspec

from yescale_sandbox.exchange import Headers

KINDS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
VALUE_SHOWN = 100


class RefusedError(Exception):
    """The request is at fault."""

    def __init__(self, message: str, *, status: int = 400, headers: Headers = ()) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.headers = headers


def error_body(message: str, status: int, call_id: str) -> bytes:
    """The body that goes with a status."""
    error = {"type": KINDS.get(status, "api_error"), "message": message}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": call_id})


def shortened(value: str) -> str:
    """A value of the client as errors show it."""
    return value if len(value) <= VALUE_SHOWN else f"{value[:VALUE_SHOWN]}..."


def either(values: tuple[str, ...], mark: str = "'") -> str:
    """`'a'`, `'a' or 'b'`, or `'a', 'b' or 'c'`, as Pydantic lists what it would take."""
    *first, last = [f"{mark}{value}{mark}" for value in values]
    return f"{', '.join(first)} or {last}" if first else last
