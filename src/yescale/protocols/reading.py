"""Bodies decoded, and what is wrong with them said in our words, with the field at fault."""

import re
from typing import Final, TypeVar

import msgspec

from yescale.domain.faults import MALFORMED, Fault

T = TypeVar("T")

BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what a decoder raises of bad bytes
_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `([^`]+)`")


def expect_text(body: bytes) -> bytes:
    """The body, if it is UTF-8: a decoder does not look into what it leaves Raw. Raises UnicodeDecodeError."""
    if not body.isascii():
        body.decode()
    return body


def read_text(decoder: msgspec.json.Decoder[T], body: bytes) -> T | Fault:
    """Decode a body of which something is written on as it was."""
    try:
        return decoder.decode(expect_text(body))
    except BROKEN as error:
        return explain(error)


def read(decoder: msgspec.json.Decoder[T], body: bytes, field: str = "") -> T | Fault:
    """Decode a body, or the value of one of its fields."""
    try:
        return decoder.decode(body)
    except BROKEN as error:
        return explain(error, field)


def explain(error: Exception, field: str = "") -> Fault:
    """What one of the BROKEN means of a body, or of the value of one of its fields."""
    match error:
        case msgspec.ValidationError():
            return _explain(str(error), field)
        case msgspec.DecodeError():
            where = str(error).removeprefix("JSON is malformed: ").lower()
            return wrong(None, f"The body is not valid JSON: {where}.")
        case UnicodeDecodeError():
            return wrong(None, f"The body is not valid JSON: a string is not UTF-8 ({error.reason}).")
        case _:
            return wrong(None, "The body is not valid JSON for this API: nested too deep.")


def wrong(field: str | None, message: str) -> Fault:
    """The caller's mistake in a field."""
    return MALFORMED.saying(message, param=field)


def _explain(error: str, outer: str) -> Fault:
    """A validation error in our words, with the field at fault."""
    missing = _MISSING.search(error)
    path = _PATH.search(error)
    inner = path.group(1) if path is not None else ""
    inside = f"{outer}.{inner}" if outer and inner and not inner.startswith("[") else outer + inner
    if missing is not None:
        field = f"{inside}.{missing.group(1)}" if inside else missing.group(1)
        return wrong(field, f"'{field}' is required.")
    if not inside:
        return wrong(None, f"The body must be a JSON object: {error}.")
    reason = error[: path.start()] if path is not None else error
    return wrong(inside, f"'{inside}' is of the wrong type: {reason.lower().replace('`', '')}.")
