"""How Ark fails: https://www.volcengine.com/docs/82379/1299023; every message ends with the id of the request."""

import msgspec

from yescale_sandbox.exchange import Headers
from yescale_sandbox.jsontype import Json
from yescale_sandbox.outage import Failure, Failures

REQUEST_ID = "021718049470528d92fcbe0865fdffdde55b8c8e6c8e9a5a7ffb1"


class RefusedError(Exception):
    """The request is at fault."""

    def __init__(
        self, message: str, code: str, *, param: str = "", status: int = 400, type_: str = "BadRequest"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(message, code=code, param=param, type_=type_)


def error_body(message: str, *, code: str = "InvalidParameter", param: str = "", type_: str = "BadRequest") -> bytes:
    error: Json = {"code": code, "message": f"{message} Request id: {REQUEST_ID}", "param": param, "type": type_}
    return msgspec.json.encode({"error": error})


def missing(name: str) -> RefusedError:
    return RefusedError(f"The request failed because it is missing `{name}` parameter.", "MissingParameter", param=name)


def invalid(name: str, words: str = "") -> RefusedError:
    detail = f" {words}" if words else ""
    return RefusedError(
        f"A parameter specified in the request is not valid: {name}{detail}.", "InvalidParameter", param=name
    )


def unknown_model(name: str) -> RefusedError:
    """https://github.com/volcengine/volcengine-python-sdk and its users quote it."""
    return RefusedError(
        f"The model or endpoint {name[:80]} does not exist or you do not have access to it.",
        "InvalidEndpointOrModel.NotFound",
        status=404,
        type_="NotFound",
    )


# https://github.com/can1357/oh-my-pi/issues/3440
def no_such_key() -> RefusedError:
    return RefusedError(
        "The API key or AK/SK in the request is missing or invalid.",
        "AuthenticationError",
        status=401,
        type_="Unauthorized",
    )


_RETRY: Headers = (("retry-after", "1"),)


def _failure(status: int, message: str, code: str, type_: str, headers: Headers = ()) -> Failure:
    return Failure(status, error_body(message, code=code, type_=type_), headers)


_OVERDUE = "The request failed because your account has an overdue balance."
_OVERLOADED = "The service is currently unable to handle additional requests due to server overload."
_INTERNAL = "The service encountered an unexpected internal error."
_RATE = "Rate limit exceeded for Requests Per Minute (RPM) of the endpoint."
FAILURES = Failures(
    {
        "400": _failure(400, "The request failed.", "InvalidParameter", "BadRequest"),
        "401": Failure(401, no_such_key().body),
        "402": _failure(403, _OVERDUE, "AccountOverdueError", "Forbidden"),
        "403": _failure(403, "The request is forbidden in this region.", "AccessDenied", "Forbidden"),
        "404": Failure(404, unknown_model("deepseek-v3-1-250821").body),
        "429": _failure(429, _RATE, "RateLimitExceeded.EndpointRPMExceeded", "TooManyRequests", _RETRY),
        "quota": _failure(429, "Your account has exceeded its quota.", "QuotaExceeded", "TooManyRequests"),
        "500": _failure(500, _INTERNAL, "InternalServiceError", "InternalServerError"),
        "502": _failure(502, _INTERNAL, "InternalServiceError", "InternalServerError"),
        "503": _failure(503, _OVERLOADED, "ServerOverloaded", "TooManyRequests"),
        "529": _failure(429, _OVERLOADED, "ServerOverloaded", "TooManyRequests"),
        "redirect": Failure(307, b"", (("location", "/ark/api/v3/chat/elsewhere"),)),
    },
    error_body,
)
