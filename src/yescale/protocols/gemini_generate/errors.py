"""Error bodies in Google's form: ours rendered, the upstream's read. https://cloud.google.com/apis/design/errors"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from yescale.domain.faults import Fault
from yescale.protocols.gemini_generate.writing import BROKEN, ENCODER, Wire
from yescale.protocols.passthrough import UpstreamError

_LONGEST: Final = 2_000  # characters of an upstream's words that are kept
_LONGEST_WAIT_S: Final = 86_400
_TYPE: Final = "type.googleapis.com/google.rpc."
_CLIENT: Final = 500  # lower statuses are the caller's
# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto names the status of each code
_STATUSES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "UNAUTHENTICATED",
        402: "RESOURCE_EXHAUSTED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        408: "DEADLINE_EXCEEDED",
        409: "ABORTED",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        500: "INTERNAL",
        501: "UNIMPLEMENTED",
        504: "DEADLINE_EXCEEDED",
    }
)


class WireDetail(Struct, frozen=True, gc=False, rename="camel"):
    """One of `details`: ErrorInfo or RetryInfo."""

    kind: str = msgspec.field(name="@type", default="")
    reason: Any = None
    retry_delay: Any = None


class WireError(Struct, frozen=True, gc=False):
    """`error`."""

    code: Any = None
    message: Any = None
    status: Any = None
    details: list[WireDetail] | None = None


class WireBody(Struct, frozen=True, gc=False):
    """An error body."""

    error: WireError | None = None


_BODY: Final = msgspec.json.Decoder(WireBody)
_BODIES: Final = msgspec.json.Decoder(list[WireBody])  # of a stream in JSON it is an array of one


def render(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer, naming the request."""
    return ENCODER.encode(_error(fault, request_id))


def render_event(fault: Fault, request_id: str) -> bytes:
    """The same as an event of a stream that has begun."""
    return b"data: %b\r\n\r\n" % render(fault, request_id)


def render_element(fault: Fault, request_id: str) -> bytes:
    """The same as the last element of an array that has begun."""
    return b",\r\n%b]" % render(fault, request_id)


def _error(fault: Fault, request_id: str) -> Wire:
    status = _STATUSES.get(fault.status, "INVALID_ARGUMENT" if fault.status < _CLIENT else "UNAVAILABLE")
    metadata = {"requestId": request_id} | {name: str(value) for name, value in fault.details.items()}
    details: list[Wire] = [
        {"@type": f"{_TYPE}ErrorInfo", "reason": fault.code, "domain": "yescale", "metadata": metadata}
    ]
    if fault.param is not None:
        violation = {"field": fault.param, "description": fault.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    if fault.retry_after_s is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{fault.retry_after_s}s"})
    message = f"{fault.message} (request id: {request_id})"
    return {"error": {"code": fault.status, "message": message, "status": status, "details": details}}


def read_error(body: bytes) -> UpstreamError:
    """What an upstream's error body says; a body that is none gives an empty error."""
    try:
        wires = _BODIES.decode(body) if body.lstrip()[:1] == b"[" else [_BODY.decode(body)]
    except BROKEN:
        return UpstreamError()
    error = wires[0].error if wires else None
    return UpstreamError() if error is None else _read(error)


def _read(error: WireError) -> UpstreamError:
    details = error.details or []
    reason = next((_words(detail.reason) for detail in details if detail.kind.endswith("ErrorInfo")), "")
    status = _words(error.status)
    return UpstreamError(
        message=_words(error.message),
        code=reason or status or _words(error.code),
        type=status,
        retry_after_s=next((seconds for detail in details if (seconds := _seconds(detail.retry_delay))), None),
    )


def _words(value: object) -> str:
    return str(value)[:_LONGEST] if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _seconds(delay: object) -> int | None:
    """A Duration in JSON is seconds and an `s`: https://protobuf.dev/programming-guides/json/"""
    if not isinstance(delay, str) or not delay.endswith("s"):
        return None
    try:
        seconds = float(delay[:-1])
    except ValueError:
        return None
    return math.ceil(seconds) if 0 < seconds < _LONGEST_WAIT_S else None
