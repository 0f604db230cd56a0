"""Frames of the link, the worker's half: a 4-byte big-endian length and a msgpack map, in both directions, bounded."""

import logging
import struct
from typing import Final, Generic, TypeVar

import msgspec
from msgspec.msgpack import Decoder

from yescale.domain.link import MAX_FRAME, FromControl, FromWorker
from yescale.domain.memory import ToMemory

M = TypeVar("M")

_LENGTH: Final = struct.Struct(">I")
_ENCODER: Final = msgspec.msgpack.Encoder()
FROM_CONTROL: Final = msgspec.msgpack.Decoder(FromControl)
_LOG: Final = logging.getLogger(__name__)


class BrokenFrame(Exception):
    """The other side sent what is no frame of ours: the connection cannot be trusted any further."""


def encode(message: FromWorker | ToMemory) -> bytes:
    """One message as a frame."""
    body = _ENCODER.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames(Generic[M]):
    """Cuts what arrives into messages."""

    def __init__(self, decoder: Decoder[M], limit: int = MAX_FRAME) -> None:
        self._decoder = decoder
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[M]:
        """The messages that are complete now. One of an unknown type or shape is skipped: control is upgraded first.

        Raises BrokenFrame for a frame over the limit or one that is no msgpack.
        """
        rest = self._rest
        rest += data
        messages: list[M] = []
        at = 0
        while len(rest) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(rest, at)
            if length > self._limit:
                raise BrokenFrame(f"a frame of {length} bytes, over the limit of {self._limit}")
            end = at + _LENGTH.size + length
            if len(rest) < end:
                break
            message = self._decode(bytes(rest[at + _LENGTH.size : end]))
            if message is not None:
                messages.append(message)
            at = end
        del rest[:at]
        return messages

    def _decode(self, body: bytes) -> M | None:
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            # Its frame is whole, so the next one can be trusted: one strange message must not end the link for ever.
            _LOG.error("a message of control is skipped, it does not fit this program's format: %s", error)
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BrokenFrame(f"a message that cannot be read: {error}") from error
