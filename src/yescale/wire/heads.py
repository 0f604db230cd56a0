"""Heads of messages: status lines, header lines that cannot be split, and the checks of what a client sent.

The rules are those of RFC 9110 and RFC 9112, on the strict side where they leave a choice.
"""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
STATUS_LINES: Final[tuple[bytes, ...]] = tuple(
    b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, "").encode()) for status in range(1000)
)
SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS: Final = frozenset({204, 304})
METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
VERSIONS: Final = {"1.1": (1, 1), "1.0": (1, 0)}
# Headers that may come once: a second one would let two readers of the same request disagree.
SINGLE: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"content-encoding", b"authorization", b"expect"}
)

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BREAK: Final = re.compile(rb"[\x00\r\n]")
_BAD_TARGET: Final = re.compile(rb"[^\x21-\x7e]")
_HOST_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:[]"
_ABSOLUTE: Final = re.compile(rb"https?://[^/?#@]+((?:[/?][^#]*)?)", re.IGNORECASE)
_MAX_LENGTH_DIGITS: Final = 18


class Head(msgspec.Struct, frozen=True):
    """The head of a valid request: what it says, and what that means for its body and its connection."""

    line: tuple[bytes, bytes, bytes, bytes]  # method, target, path, query
    headers: list[tuple[bytes, bytes]]  # names in lower case
    fields: dict[bytes, bytes]  # the first value of each name
    length: int = 0  # of the body, unless that is chunked
    chunked: bool = False
    waits: bool = False  # the client waits for 100 Continue before it sends the body
    keep_alive: bool = True
    version: tuple[int, int] = (1, 1)
    handshake: bool = False  # it asks for a WebSocket; nothing else of that is checked yet


def header_line(name: bytes, value: bytes) -> bytes:
    """One header line with its CRLF.

    Raises ValueError if the name is no token or the value would break the line: whoever made them must refuse them
    sooner.
    """
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"not a header name: {name[:80]!r}")
    if _BREAK.search(value) is not None:
        raise ValueError(f"the value of header {name.decode()} holds a line break or NUL")
    return b"%b: %b\r\n" % (name, value)


def request_line(method: bytes, target: bytes) -> bytes:
    """The first line of a request with its CRLF. Raises ValueError if either part would break it."""
    if _TOKEN.fullmatch(method) is None:
        raise ValueError(f"not a method: {method[:80]!r}")
    if not target or _BAD_TARGET.search(target) is not None:
        raise ValueError("a request target must be printable ASCII without spaces: escape it")
    return b"%b %b HTTP/1.1\r\n" % (method, target)


def origin_form(method: bytes, target: bytes) -> bytes | None:
    """The target as `/path?query` (or `*` of OPTIONS), or None if it is no target that we serve.

    An absolute target loses its scheme and host; its host is not compared with Host, because nothing is decided on
    either.
    """
    if b"#" in target:
        return None
    if target[:1] == b"/":
        return target
    if target == b"*":
        return target if method == b"OPTIONS" else None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return None
    rest = absolute.group(1)
    return rest if rest[:1] == b"/" else b"/" + rest


def plausible_host(value: bytes) -> bool:
    """Whether a Host value holds a name or address and perhaps a port, and nothing that could pass for a path."""
    return value != b"" and not value.translate(None, _HOST_CHARACTERS)


def content_length(value: bytes) -> int | None:
    """The number, or None if the value is not plain digits of a sane count."""
    digits = value.strip(b" \t")
    return int(digits) if digits.isdigit() and len(digits) <= _MAX_LENGTH_DIGITS else None


class Dates:
    """The Date header line, made once a second."""

    __slots__ = ("_clock", "_line", "_now", "_until")

    def __init__(self, now: Callable[[], float], clock: Callable[[], float] = time.time) -> None:
        self._now = now
        self._clock = clock
        self._until = 0.0
        self._line = b""

    def line(self) -> bytes:
        now = self._now()
        if now >= self._until:
            wall = self._clock()
            self._line = b"date: %b\r\n" % formatdate(wall, usegmt=True).encode()
            self._until = now + 1 - wall % 1
        return self._line
