"""Error bodies in Anthropic's form: ours rendered, the upstream's read.

Source: https://platform.claude.com/docs/en/api/errors
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from yescale.domain.faults import Fault
from yescale.protocols.anthropic_messages.schema import WireError, WireErrorBody
from yescale.protocols.passthrough import UpstreamError

_BODY: Final = msgspec.json.Decoder(WireErrorBody)
_ENCODER: Final = msgspec.json.Encoder()
_LONGEST: Final = 2_000  # characters of an upstream's message that are kept

_BY_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)


def render(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer. Our code stands where Anthropic's would, in `details.error_code`."""
    details: dict[str, str | None] = {"error_code": fault.code}
    if fault.param is not None:
        details["param"] = fault.param
    error: dict[str, object] = {
        "type": word_of(fault),
        "message": f"{fault.message} (request id: {request_id})",
        "details": details,
    }
    error.update(fault.details)
    return _ENCODER.encode({"type": "error", "error": error, "request_id": request_id})


def render_event(fault: Fault, request_id: str) -> bytes:
    """The same as an event of a stream that has begun."""
    return b"event: error\ndata: %b\n\n" % render(fault, request_id)


def word_of(fault: Fault) -> str:
    """Anthropic's word for a fault: by its status, as theirs are."""
    word = _BY_STATUS.get(fault.status)
    if word is not None:
        return word
    return "invalid_request_error" if 400 <= fault.status < 500 else "api_error"


def read_error(body: bytes) -> UpstreamError:
    """What an upstream's error body or event says; a body that is none gives an empty error."""
    try:
        wire = _BODY.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return UpstreamError()
    match wire.error:
        case WireError() as error:
            details = error.details
            return UpstreamError(
                message=_words(error.message),
                code=_words(details.error_code if details is not None else None) or _words(error.code),
                type=_words(error.type),
                param=_words(error.param) or None,
            )
        case str() as message:
            return UpstreamError(message=message[:_LONGEST])
        case None:
            return UpstreamError(message=_words(wire.message) or _words(wire.detail))


def _words(value: object) -> str:
    return str(value)[:_LONGEST] if isinstance(value, str | int) and not isinstance(value, bool) else ""
