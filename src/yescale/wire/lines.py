"""Request heads of the usual shape, read without the parser: each line is looked up among those seen before.

Nothing is decided here that the strict reader would decide otherwise: a line is known only after a grammar narrower
than the parser's has passed it, and a head with anything unusual in it is left to the reader.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from yescale.wire.heads import METHODS, Head, plausible_host

if TYPE_CHECKING:
    from yescale.wire.limits import Limits

_BLANK: Final = b"\r\n\r\n"
_REQUEST: Final = re.compile(rb"([A-Z]+) (/[!\x22$-~]*) HTTP/1\.1")  # a path and a query, and no fragment
_HEADER: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([!-~](?:[\t -~]*[!-~])?)")
_LENGTH_NAMES: Final = frozenset({b"Content-Length", b"content-length"})  # as they are written; others are read slowly
_MAX_LENGTH_DIGITS: Final = 18
# What changes how the body or the connection is read. The reader knows what each of these means, and in which version.
_UNUSUAL: Final = frozenset({b"content-length", b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
_LONGEST_TARGET: Final = 1024
_LONGEST_LINE: Final = 512  # longer ones are read each time, so that what is remembered stays small


class _Unusual(Exception):
    """A line for the strict reader."""


class _RequestLines(dict[bytes, tuple[bytes, bytes, bytes, bytes]]):
    """Method, target, path and query by request line."""

    __slots__ = ("_longest", "_most")

    def __init__(self, most: int, longest: int) -> None:
        super().__init__()
        self._most = most
        self._longest = longest

    def __missing__(self, line: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        found = _REQUEST.fullmatch(line)
        if found is None:
            raise _Unusual
        method, target = found.groups()
        if method not in METHODS or len(target) > self._longest:
            raise _Unusual
        path, _, query = target.partition(b"?")
        if len(self) >= self._most:
            self.clear()
        facts = self[line] = (method, target, path, query)
        return facts


class _HeaderLines(dict[bytes, tuple[bytes, bytes]]):
    """Lower-case name and value by header line. A length is checked each time and never remembered."""

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __missing__(self, line: bytes) -> tuple[bytes, bytes]:
        name, _, value = line.partition(b": ")
        if name in _LENGTH_NAMES and value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS:
            return b"content-length", value
        found = _HEADER.fullmatch(line)
        if found is None:
            raise _Unusual
        name, value = found[1].lower(), found[2]
        if _unusual(name, value):
            raise _Unusual
        if len(line) > _LONGEST_LINE:
            return name, value
        if len(self) >= self._most:
            self.clear()
        pair = self[line] = (name, value)
        return pair


class Lines:
    """The lines that one server has seen, `most` of each kind: when there are more, all are forgotten."""

    __slots__ = ("_headers", "_most_bytes", "_most_headers", "_requests")

    def __init__(self, limits: Limits, most: int) -> None:
        self._most_bytes = limits.max_head_bytes - len(_BLANK)
        self._most_headers = limits.max_headers
        self._requests = _RequestLines(most, min(limits.max_target, _LONGEST_TARGET))
        self._headers = _HeaderLines(most)

    def read(self, data: bytes, position: int) -> tuple[Head, int] | None:
        """The head that begins here and where it ends, or None if it is not here whole or is not a usual one."""
        end = data.find(_BLANK, position)
        if end < 0 or end - position > self._most_bytes:
            return None
        lines = data[position:end].split(b"\r\n")
        try:
            line = self._requests[lines.pop(0)]
            headers = list(map(self._headers.__getitem__, lines))
        except _Unusual:
            return None
        fields = dict(headers)
        count = len(headers)
        if len(fields) < count or count > self._most_headers or b"host" not in fields:
            return None
        return Head(line, headers, fields, int(fields.get(b"content-length", 0))), end + len(_BLANK)


def _unusual(name: bytes, value: bytes) -> bool:
    """Whether a header is one that the strict reader must look at."""
    if name == b"host":
        return not plausible_host(value)
    if name == b"connection":
        return value.lower() != b"keep-alive"
    return name in _UNUSUAL or name.startswith(b"proxy-")
