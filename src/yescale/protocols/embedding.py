"""What a wire format is to the translation of embeddings: four pure functions, and their numbers in base64."""

import base64
import binascii
import struct
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from yescale.domain.embedding import EmbedRequest, EmbedResponse
from yescale.domain.ids import ProtocolId
from yescale.protocols.codec import Encoded, Garbled, PathWords

_WIDTH: Final = 4  # bytes of a float32


class EmbedCodec(Struct, frozen=True, kw_only=True):
    """One wire format of embeddings, in both directions."""

    id: ProtocolId
    decode_request: Callable[[bytes, PathWords], EmbedRequest]  # raises Malformed
    encode_request: Callable[[EmbedRequest, str], Encoded]  # the second is the upstream's name of the model
    decode_response: Callable[[bytes], EmbedResponse]  # raises Garbled
    encode_response: Callable[[EmbedResponse, EmbedRequest], bytes]


def pack(vector: Sequence[float]) -> str:
    """A vector as base64 of little-endian float32. Raises Garbled for a number that is none of those."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError as error:
        raise Garbled("a number of a vector is too large") from error


def unpack(packed: str) -> tuple[float, ...]:
    """The way back. Raises Garbled."""
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Garbled("a vector is not base64") from error
    if len(data) % _WIDTH:
        raise Garbled("a vector is not of float32")
    return struct.unpack(f"<{len(data) // _WIDTH}f", data)
