"""Frames of the link: a 4-byte big-endian length and a msgpack map, over one ordered stream (domain/link.py)."""

from asyncio import IncompleteReadError, StreamReader
from typing import Final, TypeVar

import msgspec
from msgspec.msgpack import Decoder

from yescale.domain.link import MAX_FRAME, FromControl, FromWorker
from yescale.domain.memory import FromMemory

M = TypeVar("M")

_LENGTH_BYTES: Final = 4
_ENCODER: Final = msgspec.msgpack.Encoder()
_FROM_WORKER: Final = msgspec.msgpack.Decoder(FromWorker)


class FrameBroken(ValueError):
    """The peer does not speak the link's protocol: close the connection."""


def encode_frame(message: FromControl | FromMemory) -> bytes:
    """One message as it goes over the socket."""
    body = _ENCODER.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


async def read_frame(reader: StreamReader, limit: int = MAX_FRAME) -> FromWorker | None:
    """The next message of a worker, or None at the end of the stream. Raises FrameBroken."""
    return await read_message(reader, _FROM_WORKER, limit)


async def read_message(reader: StreamReader, decoder: Decoder[M], limit: int) -> M | None:
    """The next message of any kind, or None at the end of the stream. Raises FrameBroken."""
    try:
        head = await reader.readexactly(_LENGTH_BYTES)
        length = int.from_bytes(head, "big")
        if length > limit:
            raise FrameBroken(f"a frame of {length} bytes is above the limit of {limit}")
        body = await reader.readexactly(length)
    except (IncompleteReadError, ConnectionError):
        return None
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameBroken(f"a frame cannot be read: {error}") from error
