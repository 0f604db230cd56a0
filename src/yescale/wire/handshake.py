"""The handshake of a WebSocket, on both sides: RFC 6455, section 4."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yescale.wire.heads import Head

_VERSION: Final = b"13"
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_NAMES: Final = (b"sec-websocket-key", b"sec-websocket-version")
_WANTED: Final = b"upgrade: websocket\r\nsec-websocket-version: 13\r\n"


def accept(key: bytes) -> bytes:
    """What proves that a server read the handshake: its answer to the Sec-WebSocket-Key."""
    digest = hashlib.sha1(key.strip() + _MAGIC, usedforsecurity=False).digest()
    return base64.b64encode(digest)


def find_fault(head: Head) -> tuple[int, str, bytes] | None:
    """Why a request that asks for a WebSocket gets none: status, reason, further header lines."""
    if head.line[0] != b"GET" or head.version != (1, 1):
        return 400, "a WebSocket is asked for with GET and HTTP/1.1", b""
    fields = head.fields
    if b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0":
        return 400, "the handshake of a WebSocket has no body", b""
    names = [name for name, _ in head.headers if name in _NAMES]
    if len(names) != len(set(names)):
        return 400, "a header of the WebSocket's handshake came twice", b""
    if fields.get(b"sec-websocket-version", b"").strip() != _VERSION:
        return 426, "the only version of WebSocket spoken here is 13", _WANTED
    if not _is_key(fields.get(b"sec-websocket-key", b"")):
        return 400, "the Sec-WebSocket-Key is not sixteen bytes in base64", b""
    return None


def request_lines(key: bytes) -> bytes:
    """The header lines of a handshake, but for a subprotocol."""
    return b"%bconnection: Upgrade\r\nsec-websocket-key: %b\r\n" % (_WANTED, key)


def is_proven(headers: Sequence[tuple[bytes, bytes]], key: bytes) -> bool:
    """Whether the headers of a 101 are the answer to our key. Their names are in lower case."""
    said = dict(reversed(headers))
    if said.get(b"upgrade", b"").strip().lower() != b"websocket" or b"sec-websocket-extensions" in said:
        return False
    words = [word.strip().lower() for word in said.get(b"connection", b"").split(b",")]
    return b"upgrade" in words and said.get(b"sec-websocket-accept", b"").strip() == accept(key)


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value.strip(), validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False
