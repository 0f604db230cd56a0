"""The heads of answers and the errors that the gateway itself gives."""

from typing import Final

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.snapshot import Model
from yescale.gateway.cors import EXPOSE
from yescale.protocols.passthrough import Format
from yescale.wire.server import Exchange

JSON: Final = b"application/json"
# `request-id` is the name under which Anthropic's SDKs look for it.
_HEAD: Final = b"content-type: %b\r\nx-request-id: %b\r\nx-oneapi-request-id: %b\r\nrequest-id: %b\r\n" + EXPOSE
_WHOLE: Final = _HEAD + b"x-yescale-cost: %d\r\n"
_PLAIN: Final = b"content-type: application/json\r\nx-request-id: %b\r\nx-oneapi-request-id: %b\r\n"
_STREAM: Final = b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"

_DEPRECATED: Final = b"deprecation: true\r\n"
_MOST_ALTERNATIVE: Final = 256  # characters

# What the wire answers by itself, by status.
_WIRE_FAULTS: Final = {
    fault.status: fault
    for fault in (
        faults.MALFORMED,
        faults.WRONG_METHOD,
        faults.TOO_SLOW,
        faults.TOO_LARGE,
        faults.UPGRADE_REQUIRED,
        faults.HEAD_TOO_LARGE,
        faults.NOT_IMPLEMENTED,
        faults.UNAVAILABLE,
    )
}


def head(request_id: bytes, content_type: bytes = JSON) -> bytes:
    """The header lines of every answer on a model route."""
    return _HEAD % (content_type, request_id, request_id, request_id)


def whole_head(request_id: bytes, content_type: bytes, cost: int) -> bytes:
    """The header lines of an answer that came whole, and what it costs in nano-dollars."""
    return _WHOLE % (content_type, request_id, request_id, request_id, cost)


def plain_head(request_id: bytes) -> bytes:
    """The header lines of an answer that pages of other origins have no business with."""
    return _PLAIN % (request_id, request_id)


def stream_head(request_id: bytes, content_type: bytes) -> bytes:
    """The header lines of a stream of events."""
    return _HEAD % (content_type, request_id, request_id, request_id) + _STREAM


def deprecation_lines(model: Model) -> bytes:
    """The header lines that tell that a model will go, and what the operator names instead."""
    words = "".join(c for c in model.alternative[:_MOST_ALTERNATIVE] if c.isascii() and c.isprintable()).strip()
    return _DEPRECATED + (b"x-yescale-alternative: %b\r\n" % words.encode() if words else b"")


def refuse(exchange: Exchange, fault: Fault, form: Format, request_id: str, more: bytes = b"") -> None:
    """Answer with an error, whole; `more` = further header lines."""
    lines = head(request_id.encode()) + more
    if fault.retry_after_s is not None:
        lines += b"retry-after: %d\r\n" % fault.retry_after_s
    exchange.respond(fault.status, lines, form.render(fault, request_id))


def reject(status: int, reason: str, form: Format, request_id: str) -> tuple[bytes, bytes]:
    """Header lines and body of an error that the wire found."""
    known = _WIRE_FAULTS.get(status)
    fault = known.saying(f"{reason[:1].upper()}{reason[1:]}.") if known else faults.MALFORMED.saying(f"{reason}.")
    return head(request_id.encode()), form.render(fault, request_id)
