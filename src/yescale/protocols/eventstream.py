"""Amazon's binary framing of events, `application/vnd.amazon.eventstream`: messages with headers and two checksums.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html and, for all types of headers,
https://smithy.io/2.0/aws/amazon-eventstream.html.
"""

import struct
from binascii import crc32
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

KIND: Final = b"application/vnd.amazon.eventstream"
_PRELUDE: Final = struct.Struct(">III")  # length of the message, length of its headers, checksum of these two
_CHECKED: Final = 8  # bytes of the prelude that its checksum covers
_CHECKSUM: Final = 4
_LEAST: Final = _PRELUDE.size + _CHECKSUM
_STRING: Final = 7
_SIZED: Final = frozenset({6, _STRING})  # types whose value begins with its length
_SIZES: Final[Mapping[int, int]] = MappingProxyType({0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16})


class BadFrame(ValueError):
    """Bytes that are no message, or more than one may hold."""


class Frame(Struct, frozen=True):
    """One message. Of its headers those that are texts are kept."""

    headers: Mapping[str, str]
    payload: bytes

    @property
    def name(self) -> str:
        """What kind of event or exception this is."""
        said = self.headers
        return said.get(":event-type") or said.get(":exception-type") or said.get(":error-code", "")

    @property
    def failed(self) -> bool:
        """Whether this tells of an error instead of an event."""
        return self.headers.get(":message-type") in ("exception", "error")


class Framer:
    """Bytes in, whole messages out, wherever the network cut them; at most `limit` bytes are held."""

    __slots__ = ("_held", "_limit")

    def __init__(self, limit: int) -> None:
        self._held = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[Frame]:
        """The messages that are whole by now. Raises BadFrame."""
        self._held += data
        found: list[Frame] = []
        at = 0
        while (size := self._size(at)) and len(self._held) - at >= size:
            found.append(_read(bytes(self._held[at : at + size])))
            at += size
        del self._held[:at]
        return found

    def _size(self, at: int) -> int:
        """Of the message that begins here; 0 while that is not known."""
        held = self._held
        if len(held) - at < _PRELUDE.size:
            return 0
        size, headers, checksum = _PRELUDE.unpack_from(held, at)
        if crc32(held[at : at + _CHECKED]) != checksum:
            raise BadFrame("the checksum of a prelude is wrong")
        if not _LEAST + headers <= size <= max(self._limit, _LEAST):
            raise BadFrame(f"a message says that it has {size} bytes and {headers} of headers")
        return size


def _read(message: bytes) -> Frame:
    if crc32(message[:-_CHECKSUM]) != int.from_bytes(message[-_CHECKSUM:], "big"):
        raise BadFrame("the checksum of a message is wrong")
    _, headers, _ = _PRELUDE.unpack_from(message)
    begin = _PRELUDE.size + headers
    try:
        named = dict(_headers(message[_PRELUDE.size : begin]))
    except (IndexError, KeyError, struct.error, UnicodeDecodeError):
        raise BadFrame("the headers of a message cannot be read") from None
    return Frame(named, message[begin:-_CHECKSUM])


def _headers(block: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(block):
        begin, at = at + 1, at + 1 + block[at]
        name, kind = block[begin:at].decode(), block[at]
        at += 1
        if kind in _SIZED:
            (size,) = struct.unpack_from(">H", block, at)
            at += 2
        else:
            size = _SIZES[kind]
        value, at = block[at : at + size], at + size
        if at > len(block):
            raise IndexError
        if kind == _STRING:
            yield name, value.decode()
