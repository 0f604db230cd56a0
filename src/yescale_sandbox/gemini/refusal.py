"""Google's error object, and the exception by which a request is refused with it.

https://cloud.google.com/apis/design/errors: code, message, status and typed details.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from yescale_sandbox.exchange import Headers
from yescale_sandbox.jsontype import Json, JsonObject

RPC = "type.googleapis.com/google.rpc"
VALUE_SHOWN = 100

# https://cloud.google.com/apis/design/errors#handling_errors
STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    529: "UNAVAILABLE",
}


class RefusedError(Exception):
    """The request is at fault. `body` is what Google answers."""

    def __init__(
        self, message: str, *, code: int = 400, details: Sequence[JsonObject] = (), headers: Headers = ()
    ) -> None:
        super().__init__(message)
        self.status = code
        self.headers = headers
        self.body = error_body(message, code, details)


def error_body(message: str, code: int = 400, details: Sequence[JsonObject] = (), status: str = "") -> bytes:
    """The error object; a status that is not the usual one of the code may be given."""
    error: JsonObject = {"code": code, "message": message, "status": status or STATUSES[code]}
    if details:
        error["details"] = [*details]
    return msgspec.json.format(msgspec.json.encode({"error": error}), indent=2) + b"\n"


def misread(violations: Iterable[tuple[str, str]]) -> RefusedError:
    """A body that does not fit, with every fault as place and words (github.com/zed-industries/zed/issues/44875)."""
    rows: list[Json] = []
    lines: list[str] = []
    for place, words in violations:
        lines.append(words)
        rows.append({"field": place, "description": words} if place else {"description": words})
    return RefusedError("\n".join(lines), details=({"@type": f"{RPC}.BadRequest", "fieldViolations": rows},))


def no_such_model(model: str, version: str, method: str) -> RefusedError:
    """https://github.com/wwardaww/gnome-gemini-ai/issues/22"""
    return RefusedError(
        f"models/{model[:VALUE_SHOWN]} is not found for API version {version}, or is not supported for {method}. "
        "Call ListModels to see the list of available models and their supported methods.",
        code=404,
    )


def bad_key() -> RefusedError:
    """https://github.com/cequence-io/openai-scala-client/issues/109"""
    words = "API key not valid. Please pass a valid API key."
    return RefusedError(
        words,
        details=(
            {
                "@type": f"{RPC}.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {"@type": f"{RPC}.LocalizedMessage", "locale": "en-US", "message": words},
        ),
    )


def no_key() -> RefusedError:
    """https://github.com/PublicAffairs/openai-gemini/issues/92"""
    return RefusedError(
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
        "other form of API consumer identity to call this API.",
        code=403,
    )


def bad_token(service: str) -> RefusedError:
    """What Google says of an OAuth token that it does not know or that ran out."""
    return RefusedError(
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        code=401,
        details=(
            {
                "@type": f"{RPC}.ErrorInfo",
                "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
                "domain": "googleapis.com",
                "metadata": {"service": f"{service}.googleapis.com"},
            },
        ),
        headers=(("www-authenticate", 'Bearer realm="https://accounts.google.com/"'),),
    )
