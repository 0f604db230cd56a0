"""Error bodies in OpenAI's form: ours rendered, the upstream's read."""

from typing import Final

import msgspec

from yescale.domain.faults import Fault
from yescale.protocols.openai_chat.schema import WireError, WireErrorBody
from yescale.protocols.passthrough import UpstreamError

_BODY: Final = msgspec.json.Decoder(WireErrorBody)
_ENCODER: Final = msgspec.json.Encoder()
_LONGEST: Final = 2_000  # characters of an upstream's message that are kept


def render(fault: Fault, request_id: str) -> bytes:
    """The body of an error answer, naming the request."""
    error: dict[str, str | int | None] = {
        "message": f"{fault.message} (request id: {request_id})",
        "type": fault.type,
        "param": fault.param,
        "code": fault.code,
    }
    error.update(fault.details)
    return _ENCODER.encode({"error": error})


def render_event(fault: Fault, request_id: str) -> bytes:
    """The same as an event of a stream that has begun."""
    return b"data: %b\n\n" % render(fault, request_id)


def read_error(body: bytes) -> UpstreamError:
    """What an upstream's error body says; a body that is none gives an empty error."""
    try:
        wire = _BODY.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UpstreamError()
    match wire.error:
        case WireError() as error:
            return UpstreamError(
                message=_words(error.message),
                code=_words(error.code),
                type=_words(error.type),
                param=_field(error.param),
            )
        case str() as message:
            return UpstreamError(message=message[:_LONGEST], code=_words(wire.code))
        case None if wire.base_resp is not None and wire.base_resp.status_code:
            told = wire.base_resp
            return UpstreamError(message=_words(told.status_msg), code=str(told.status_code))
        case None:
            return UpstreamError(message=_words(wire.message) or _words(wire.detail), code=_words(wire.code))


def _words(value: object) -> str:
    return str(value)[:_LONGEST] if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _field(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value else None
