"""A stream as one JSON array, as Google sends it without `alt=sse`: where its elements end, wherever it was cut."""

import re
from typing import Final

from yescale.protocols.sse import TooLong

_MARK: Final = re.compile(rb'["{}\[\]]')
_QUOTE: Final = re.compile(rb'["\\]')
_OPENS: Final = b"{["
_ELEMENT: Final = 2  # the depth within an element


class ArrayFramer:
    """Bytes in, whole elements out; an incomplete one is held back, at most `limit` bytes. Raises TooLong."""

    __slots__ = ("_at", "_begin", "_depth", "_held", "_in_string", "_limit", "closed")

    def __init__(self, limit: int) -> None:
        self._held = bytearray()
        self._at = 0  # everything before was looked at
        self._begin = 0  # of the element that is open
        self._depth = 0  # 1: between elements
        self._in_string = False
        self._limit = limit
        self.closed = False  # the array's bracket has come; what follows is not looked at

    def feed(self, data: bytes) -> list[bytes]:
        """The elements that are whole by now."""
        found: list[bytes] = []
        self._held += data
        while not self.closed and self._step(found):
            pass
        keep = self._begin if self._depth > 1 else self._at
        del self._held[:keep]
        self._at -= keep
        self._begin = 0
        if len(self._held) > self._limit:
            raise TooLong(f"an element is longer than {self._limit} bytes")
        return found

    def _step(self, found: list[bytes]) -> bool:
        """Go to the next mark; False where there is none yet."""
        mark = (_QUOTE if self._in_string else _MARK).search(self._held, self._at)
        if mark is None:
            self._at = len(self._held)
            return False
        kind = mark.group()
        if kind == b"\\":
            if mark.end() == len(self._held):
                self._at = mark.start()
                return False
            self._at = mark.end() + 1
            return True
        self._at = mark.end()
        if kind == b'"':
            self._in_string = not self._in_string
        else:
            self._bracket(kind, found)
        return True

    def _bracket(self, kind: bytes, found: list[bytes]) -> None:
        if kind in _OPENS:
            self._depth += 1 if self._depth or kind == b"[" else _ELEMENT  # one object alone is an element, too
            if self._depth == _ELEMENT:
                self._begin = self._at - 1
            return
        self._depth -= 1
        if self._depth == 1:
            found.append(bytes(self._held[self._begin : self._at]))
        self.closed = self._depth <= 0
