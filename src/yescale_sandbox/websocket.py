"""WebSocket on bytes (RFC 6455): the handshake, the client's frames as messages, and the server's frames.

No extension is spoken. Whatever breaks the protocol ends it with the code of section 7.4.1 that fits.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

MOST_BYTES = 16_777_216
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_CONTROL_BYTES = 125
NORMAL, PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1000, 1002, 1007, 1009
_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class BrokenError(Exception):
    """The client broke the protocol; `code` closes the connection."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class Message(Struct, frozen=True):
    """A whole message."""

    data: bytes
    is_text: bool


class Ping(Struct, frozen=True):
    data: bytes


class Pong(Struct, frozen=True):
    data: bytes


class Close(Struct, frozen=True):
    """The client closes; without a code, it said none."""

    code: int | None


Happening: TypeAlias = Message | Ping | Pong | Close


def accepted(headers: Mapping[str, str]) -> str | None:
    """The answer to the key of a handshake; None if the headers ask for no WebSocket that is spoken here."""
    asks = headers.get("upgrade", "").lower() == "websocket" and "upgrade" in headers.get("connection", "").lower()
    key = headers.get("sec-websocket-key", "")
    try:
        is_key = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        is_key = False
    if not asks or not is_key or headers.get("sec-websocket-version") != "13":
        return None
    # The digest is the protocol's; it keeps no secret.
    return base64.b64encode(hashlib.sha1(f"{key}{_MAGIC}".encode(), usedforsecurity=False).digest()).decode()


class Decoder:
    """Bytes are pushed in, happenings come out."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = bytearray()
        self._message = bytearray()
        self._kind: int | None = None

    def feed(self, data: bytes) -> Iterator[Happening]:
        """Raises: BrokenError."""
        self._held += data
        while (frame := self._frame()) is not None:
            happening = self._taken(*frame)
            if happening is not None:
                yield happening

    def _frame(self) -> tuple[int, bool, bytes] | None:
        """The next whole frame: its kind, whether it ends a message, its unmasked payload."""
        if len(self._held) < 2:
            return None
        first, second = self._held[0], self._held[1]
        kind, ends, short = first & 15, bool(first & 128), second & 127
        if first & 112 or not second & 128:
            raise BrokenError(PROTOCOL_ERROR, "a reserved bit, or no mask")
        if kind not in (_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
            raise BrokenError(PROTOCOL_ERROR, "an unknown kind of frame")
        if kind >= _CLOSE and (short > _CONTROL_BYTES or not ends):
            raise BrokenError(PROTOCOL_ERROR, "a control frame that is long or in pieces")
        extra = {126: 2, 127: 8}.get(short, 0)
        start = 2 + extra + 4
        if len(self._held) < start:
            return None
        size = int.from_bytes(self._held[2 : 2 + extra], "big") if extra else short
        if size + len(self._message) > self._most:
            raise BrokenError(TOO_BIG, "a message that is too big")
        if len(self._held) < start + size:
            return None
        payload = _masked(bytes(self._held[start : start + size]), bytes(self._held[start - 4 : start]))
        del self._held[: start + size]
        return kind, ends, payload

    def _taken(self, kind: int, ends: bool, payload: bytes) -> Happening | None:
        if kind == _PING:
            return Ping(payload)
        if kind == _PONG:
            return Pong(payload)
        if kind == _CLOSE:
            return Close(_close_code(payload))
        if (kind == _CONTINUATION) is (self._kind is None):
            raise BrokenError(PROTOCOL_ERROR, "a frame that continues nothing, or interrupts a message")
        self._kind = self._kind or kind
        self._message += payload
        if not ends:
            return None
        message = Message(bytes(self._message), self._kind == _TEXT)
        self._kind = None
        self._message.clear()
        if message.is_text:
            _check_text(message.data)
        return message


def text(payload: bytes) -> bytes:
    return _framed(_TEXT, payload)


def pong(payload: bytes) -> bytes:
    return _framed(_PONG, payload)


def ping(payload: bytes) -> bytes:
    return _framed(_PING, payload)


def close(code: int, reason: str = "") -> bytes:
    return _framed(_CLOSE, code.to_bytes(2, "big") + reason.encode()[: _CONTROL_BYTES - 2])


def _framed(kind: int, payload: bytes) -> bytes:
    """One whole, unmasked frame, as servers send them."""
    size = len(payload)
    if size < 126:
        return bytes((128 | kind, size)) + payload
    if size < 65_536:
        return bytes((128 | kind, 126)) + size.to_bytes(2, "big") + payload
    return bytes((128 | kind, 127)) + size.to_bytes(8, "big") + payload


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    pattern = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ pattern).to_bytes(size, "big")


def _close_code(payload: bytes) -> int | None:
    if not payload:
        return None
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _CODES or 3000 <= code < 5000):
        raise BrokenError(PROTOCOL_ERROR, "a close without a code that may be sent")
    _check_text(payload[2:])
    return code


def _check_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        raise BrokenError(NOT_UTF8, "text that is not UTF-8") from None
