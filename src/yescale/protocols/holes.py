"""Long base64 kept out of a translation: cut from a body before it is decoded, put back where it stands when encoded.

A picture of many megabytes would else be held as text, again in the encoder's buffer, and again in the body.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

_SHORTEST: Final = 256 * 1024  # bytes worth the trouble
_KEPT: Final = 64  # of the beginning stay: it tells what kind of file it is
_MOST: Final = 256
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_WHERE: Final = re.compile(rb'(?:;base64,|"data"[ \t\r\n]*:[ \t\r\n]*")\Z')
_LONGEST_WHERE: Final = 64


class Punched(Struct, frozen=True):
    """A body with holes, and by the mark that stands in each what was there."""

    body: bytes
    holes: tuple[tuple[bytes, int, int], ...]


def punch(body: bytes) -> Punched | None:
    """The body without its long base64; None where there is none, or where a mark would not be one."""
    if len(body) < _SHORTEST:
        return None
    view = memoryview(body)
    pieces: list[bytes | memoryview] = []
    holes: list[tuple[bytes, int, int]] = []
    at = 0
    for begin, end in _runs(body):
        mark = b"ysHole%03d" % len(holes)  # with what is kept of no length that base64 may have: nobody decodes it
        pieces += (view[at : begin + _KEPT], mark)
        holes.append((mark, begin + _KEPT, end))
        at = end
        if len(holes) == _MOST:
            break
    if not holes:
        return None
    punched = b"".join((*pieces, view[at:]))
    if any(punched.count(mark) != 1 for mark, _, _ in holes):
        return None
    return Punched(punched, tuple(holes))


def fill(encoded: bytes, punched: Punched, source: bytes) -> bytes | None:
    """What was encoded with the holes filled; None where one of them did not come out as it went in."""
    view, out = memoryview(source), memoryview(encoded)
    places = sorted((encoded.find(mark), mark, begin, end) for mark, begin, end in punched.holes)
    pieces: list[memoryview] = []
    at = 0
    for place, mark, begin, end in places:
        if place < 0 or encoded.find(mark, place + 1) >= 0:
            return None
        pieces += (out[at:place], view[begin:end])
        at = place + len(mark)
    return b"".join((*pieces, out[at:]))


def _runs(body: bytes) -> Iterator[tuple[int, int]]:
    """Where long base64 lies, the whole value of a string or of a data URL. Any such run covers one of the windows, and
    begins in the one before, which it does not cover: no byte is looked at more than a few times.
    """
    window = _SHORTEST // 2
    at = 0
    while at + window <= len(body):
        if _BASE64.fullmatch(body, at, at + window) is None:
            at += window
            continue
        least = max(0, at - window)
        begin = max(body.rfind(b'"', least, at), body.rfind(b",", least, at)) + 1
        end = body.find(b'"', at)
        if end < 0:
            return
        whole = end - begin >= _SHORTEST and _BASE64.fullmatch(body, begin, end) is not None
        if whole and _WHERE.search(body, max(0, begin - _LONGEST_WHERE), begin) is not None:
            yield begin, end
        at = max(end, at + window)
