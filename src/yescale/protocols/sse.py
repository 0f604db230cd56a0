"""Server-sent events on bytes: where events end (LF, CRLF or CR), wherever the network cut them.

Specification: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import re
from collections.abc import Iterator
from typing import Final

_EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_LONGEST_END: Final = 4  # CRLF CRLF


class TooLong(ValueError):
    """One event is longer than the limit."""


class Framer:
    """Bytes in, whole events out, every byte in its place; an incomplete tail is held back, at most `limit` bytes."""

    __slots__ = ("_limit", "held")

    def __init__(self, limit: int) -> None:
        self.held = bytearray()  # of an event that is not whole yet
        self._limit = limit

    def feed(self, data: bytes) -> bytes:
        """All events that are complete by now, possibly none. Raises TooLong."""
        held = self.held
        if not held:
            if data.endswith(b"\n\n"):
                return data
            end = _last_end(data, 0)
            held += data[end:]
            self._check()
            return data[:end]
        since = max(0, len(held) - _LONGEST_END)
        held += data
        end = _last_end(held, since)
        if not end:
            self._check()
            return b""
        block = bytes(held[:end])
        del held[:end]
        self._check()
        return block

    def finish(self) -> bytes:
        """What was held when the stream ended: an event without its blank line, or nothing."""
        tail = bytes(self.held)
        self.held.clear()
        return tail

    def _check(self) -> None:
        if len(self.held) > self._limit:
            raise TooLong(f"an event is longer than {self._limit} bytes")


def _last_end(data: bytes | bytearray, since: int) -> int:
    """Just behind the last blank line that lies at or after `since`; 0 = there is none.

    CR CR LF at a cut may leave its LF to the next block: a blank line more, which readers ignore.
    """
    end = _behind(data, b"\n\n", since)
    if data.find(b"\r", since) < 0:
        return end
    return max(end, _behind(data, b"\n\r\n", since), _behind(data, b"\r\r", since))


def _behind(data: bytes | bytearray, mark: bytes, since: int) -> int:
    at = data.rfind(mark, since)
    return at + len(mark) if at >= 0 else 0


def split(block: bytes) -> Iterator[bytes]:
    """The events of a block of whole events, each with its blank line; a tail without one comes last."""
    start = 0
    for end in _EVENT_END.finditer(block):
        yield block[start : end.end()]
        start = end.end()
    if start < len(block):
        yield block[start:]


def data_of(event: bytes) -> tuple[bytes, bytes]:
    """The `event` and `data` fields of one event, data lines joined by LF; both empty in a comment."""
    name = b""
    data: list[bytes] = []
    for line in _LINE_END.split(event):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return name, b"\n".join(data)
