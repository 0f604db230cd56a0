"""Ollama's errors: a sentence, in a body or as a line of a stream. Source: https://docs.ollama.com/api/errors"""

from typing import Final

import msgspec
from msgspec import Struct

from yescale.protocols.passthrough import UpstreamError
from yescale.protocols.reading import BROKEN

_LONGEST: Final = 2_000  # characters of a message that are kept


class WireError(Struct, frozen=True, gc=False):
    """An error."""

    error: str


_BODY: Final = msgspec.json.Decoder(WireError)


def read_error(body: bytes) -> UpstreamError:
    """What an error body says; a body that is none gives an empty error."""
    try:
        return UpstreamError(message=_BODY.decode(body).error[:_LONGEST])
    except BROKEN:
        return UpstreamError()
