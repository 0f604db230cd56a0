"""WebSocket frames on bytes, for either side: RFC 6455, no extension.

Bytes are pushed in, whole messages and control frames come out. What breaks the protocol comes out as a Violation,
with the close code of section 7.4.1 that fits, and is the last thing that comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
_CONTINUATION: Final = 0
_KINDS: Final = frozenset({_CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSAID: Final = 1005  # a close frame without a code; never sent
LOST: Final = 1006  # the connection ended without a close frame; never sent
NOT_UTF8: Final = 1007
REFUSED: Final = 1008
TOO_BIG: Final = 1009
_SENDABLE: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
_PRIVATE: Final = range(3000, 5000)

_FIN: Final = 0x80
_MASKED: Final = 0x80
_RESERVED: Final = 0x70
_KIND_BITS: Final = 0x0F
_SHORT: Final = 125  # the longest payload whose length stands in the second byte, and that of any control frame
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
_LEAST: Final = 2  # bytes of a frame's head
_MOST_16: Final = 0xFFFF


class Message(Struct, frozen=True):
    """A whole message, its fragments joined; text is UTF-8."""

    data: bytes
    text: bool


class Ping(Struct, frozen=True):
    """To be answered with a pong of the same data."""

    data: bytes


class Pong(Struct, frozen=True):
    """An answer to a ping, or a sign of life."""

    data: bytes


class Close(Struct, frozen=True):
    """The peer closes; `code` is UNSAID where it gave none."""

    code: int
    reason: str


class Violation(Struct, frozen=True):
    """The peer broke the protocol, or sent more than is taken: the code to close with, and why."""

    code: int
    reason: str


Event = Message | Ping | Pong | Close | Violation


def frame(kind: int, payload: bytes, mask: bytes = b"") -> bytes:
    """One whole frame; `mask` are the four bytes that a client must choose at random."""
    size = len(payload)
    bit = _MASKED if mask else 0
    if size <= _SHORT:
        head = bytes((_FIN | kind, bit | size))
    elif size <= _MOST_16:
        head = bytes((_FIN | kind, bit | _TWO_BYTES)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FIN | kind, bit | _EIGHT_BYTES)) + size.to_bytes(8, "big")
    return head + (mask + masked(payload, mask) if mask else payload)


def closing(code: int, reason: str) -> bytes:
    """The payload of a close frame. A code that may not be sent is left out; a reason too long is shortened."""
    if not sendable(code):
        return b""
    words = reason.encode()[: _SHORT - 2].decode(errors="ignore")
    return code.to_bytes(2, "big") + words.encode()


def sendable(code: int) -> bool:
    """Whether a close code may stand in a frame (section 7.4)."""
    return code in _SENDABLE or code in _PRIVATE


def masked(payload: bytes, mask: bytes) -> bytes:
    """The payload under a mask of four bytes, or out of it."""
    size = len(payload)
    pattern = (mask * (size // len(mask) + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pattern, "little")).to_bytes(size, "little")


class Frames:
    """What one peer sends. `masks`: it is the client, whose frames must be masked; a server's must not be.

    `most` bytes are the longest message taken, whether it comes in one frame or in many.
    """

    __slots__ = ("_broken", "_held", "_kind", "_masks", "_message", "_most")

    def __init__(self, most: int, *, masks: bool) -> None:
        self._most = most
        self._masks = masks
        self._held = bytearray()
        self._message = bytearray()
        self._kind = 0  # of the message that is not whole; 0 = there is none
        self._broken = False

    def add(self, data: bytes) -> None:
        """Take bytes; `events` reads them."""
        if not self._broken:
            self._held += data

    def events(self) -> Iterator[Event]:
        """What is whole by now. Whoever stops asking is told the rest the next time."""
        while not self._broken:
            event = self._next()
            if event is None:
                return
            if isinstance(event, Violation):
                self._broken = True
                self._held.clear()
                self._message.clear()
            if not isinstance(event, _Fragment):
                yield event

    def _next(self) -> Event | _Fragment | None:
        held = self._held
        if len(held) < _LEAST:
            return None
        first, second = held[0], held[1]
        kind = first & _KIND_BITS
        fault = self._check(first, second, kind)
        if fault is not None:
            return fault
        extra = {_TWO_BYTES: 2, _EIGHT_BYTES: 8}.get(second & 0x7F, 0)
        start = _LEAST + extra + (4 if self._masks else 0)
        if len(held) < start:
            return None
        size = int.from_bytes(held[_LEAST : _LEAST + extra], "big") if extra else second & 0x7F
        if kind < CLOSE and size + len(self._message) > self._most:
            return Violation(TOO_BIG, f"a message may have {self._most} bytes at most")
        if len(held) < start + size:
            return None
        payload = bytes(held[start : start + size])
        if self._masks:
            payload = masked(payload, bytes(held[start - 4 : start]))
        del held[: start + size]
        return self._control(kind, payload) if kind >= CLOSE else self._data(kind, payload, ends=bool(first & _FIN))

    def _check(self, first: int, second: int, kind: int) -> Violation | None:
        """What the first two bytes of a frame must not say."""
        if first & _RESERVED:
            return Violation(PROTOCOL_ERROR, "a reserved bit is set, but no extension was agreed on")
        if kind not in _KINDS:
            return Violation(PROTOCOL_ERROR, "an unknown kind of frame")
        if bool(second & _MASKED) is not self._masks:
            return Violation(PROTOCOL_ERROR, "a frame must be masked by a client, and not by a server")
        if kind >= CLOSE and (not first & _FIN or second & 0x7F > _SHORT):
            return Violation(PROTOCOL_ERROR, "a control frame is too long, or comes in pieces")
        if (kind == _CONTINUATION) is (self._kind == 0) and kind < CLOSE:
            return Violation(PROTOCOL_ERROR, "a frame continues no message, or interrupts one")
        return None

    def _data(self, kind: int, payload: bytes, *, ends: bool) -> Event | _Fragment:
        self._kind = self._kind or kind
        if not ends:
            self._message += payload
            return _Fragment()
        if self._message:
            payload = bytes(self._message) + payload
            self._message = bytearray()
        text = self._kind == TEXT
        self._kind = 0
        if text and not _is_utf8(payload):
            return Violation(NOT_UTF8, "a text message is not UTF-8")
        return Message(payload, text)

    def _control(self, kind: int, payload: bytes) -> Event:
        if kind == PING:
            return Ping(payload)
        if kind == PONG:
            return Pong(payload)
        if not payload:
            return Close(UNSAID, "")
        code = int.from_bytes(payload[:2], "big")
        if len(payload) == 1 or not sendable(code):
            return Violation(PROTOCOL_ERROR, "a close frame without a code that may be sent")
        if not _is_utf8(payload[2:]):
            return Violation(NOT_UTF8, "the reason of a close frame is not UTF-8")
        return Close(code, payload[2:].decode())


class _Fragment(Struct, frozen=True):
    """A piece of a message that is not whole."""


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
