"""Bedrock's error bodies: a message; what kind it is stands in the status and in a header.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from yescale.protocols.passthrough import UpstreamError

_LONGEST: Final = 2_000  # characters of a message that are kept


class WireError(Struct, frozen=True, gc=False):
    """Gateways in front of the service write its name in capitals; `__type` is that of older protocols."""

    message: Any = None
    Message: Any = None
    kind: Any = msgspec.field(default=None, name="__type")


_BODY: Final = msgspec.json.Decoder(WireError)


def read_error(body: bytes) -> UpstreamError:
    """What an error body says; a body that is none gives an empty error."""
    try:
        wire = _BODY.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return UpstreamError()
    kind = _words(wire.kind).rpartition("#")[2]
    return UpstreamError(message=_words(wire.message) or _words(wire.Message), code=kind, type=kind)


def _words(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
