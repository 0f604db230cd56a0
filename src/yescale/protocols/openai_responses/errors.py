"""Error bodies and error events in OpenAI's form: ours rendered, the upstream's read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from yescale.domain.faults import Fault
from yescale.protocols.openai_responses.schema import WireError, WireErrorBody, WireResponse
from yescale.protocols.passthrough import UpstreamError
from yescale.protocols.reading import BROKEN

_BODY: Final = msgspec.json.Decoder(WireErrorBody)
_JSON: Final = msgspec.json.Encoder()
_LONGEST: Final = 2_000  # characters of an upstream's message that are kept
# The only codes of a failed response that the SDK's types and Codex have use for; others are the server's error.
_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rate_limit_exceeded": "rate_limit_exceeded",
        "insufficient_balance": "insufficient_quota",
        "context_length_exceeded": "context_length_exceeded",
    }
)


class _FailedEvent(msgspec.Struct, frozen=True, gc=False):
    response: WireResponse | None = None


_FAILED: Final = msgspec.json.Decoder(_FailedEvent)


def render(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer, naming the request."""
    return _JSON.encode({"error": _error(fault, request_id)})


def render_event(fault: Fault, request_id: str) -> bytes:
    """The same as the end of a stream that has begun: an `error` event, then `response.failed`, as OpenAI sends them.

    OpenAI's SDKs raise on any event with a top-level `error`; Codex heeds `response.failed` alone. How many events went
    before is not known here; readers do not check `sequence_number`.
    """
    error = _error(fault, request_id)
    message = {
        "type": "error",
        "sequence_number": 0,
        "code": fault.code,
        "message": error["message"],
        "param": fault.param,
        "error": error,
    }
    failed: dict[str, object] = {
        "type": "response.failed",
        "sequence_number": 1,
        "response": {
            "id": f"resp_{request_id}",
            "object": "response",
            "created_at": 0,
            "status": "failed",
            "error": {"code": _CODES.get(fault.code, "server_error"), "message": error["message"]},
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": "",
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": None,
        },
    }
    return b"event: error\ndata: %b\n\nevent: response.failed\ndata: %b\n\n" % (
        _JSON.encode(message),
        _JSON.encode(failed),
    )


def _error(fault: Fault, request_id: str) -> dict[str, str | int | None]:
    return {
        "message": f"{fault.message} (request id: {request_id})",
        "type": fault.type,
        "param": fault.param,
        "code": fault.code,
        **fault.details,
    }


def read_error(body: bytes) -> UpstreamError:
    """What an upstream's error body or event says; one that is none gives an empty error."""
    try:
        wire = _BODY.decode(body)
    except BROKEN:
        return UpstreamError()
    match wire.error:
        case WireError() as error:
            return _upstream(error)
        case str() as message:
            return UpstreamError(message=message[:_LONGEST])
        case None:
            return _upstream(WireError(message=wire.message or wire.detail, code=wire.code, param=wire.param))


def read_failure(data: bytes) -> UpstreamError:
    """What a `response.failed` event says."""
    try:
        response = _FAILED.decode(data).response
    except BROKEN:
        return UpstreamError()
    return UpstreamError() if response is None or response.error is None else _upstream(response.error)


def _upstream(error: WireError) -> UpstreamError:
    return UpstreamError(
        message=_words(error.message),
        code=_words(error.code),
        type=_words(error.type),
        param=_words(error.param) or None,
    )


def _words(value: object) -> str:
    return str(value)[:_LONGEST] if isinstance(value, str | int) and not isinstance(value, bool) else ""
