"""The top-level fields of a JSON object in its bytes: where each lies, and that none is said twice.

A request has one long value, its messages or its input. It is left out (`omit`) before anything is searched.
"""

import re
from typing import Final

import msgspec

Span = tuple[int, int]
NOWHERE: Final[Span] = (0, 0)

_MOST_MARKS: Final = 400_000  # strings and brackets looked at in an odd body, so that it cannot hold the loop
# A field name with an escaped letter could hide a second `model` from a search.
_ESCAPED_NAME: Final = re.compile(rb"\\u00[5-7]")
_MARK: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)
_AFTER_NAME: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_SCALAR: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^\s,{}\[\]"]+', re.DOTALL)


class TooManyMarks(ValueError):
    """A body with more strings and brackets than are looked at."""


class Twice(ValueError):
    """A field is said twice."""


def find_long(body: bytes, name: bytes, value: bytes) -> Span:
    """Where `value` lies, the last value decoded of the field called `name`; NOWHERE where that is not certain.

    Leaving it out is safe: `"name":` before exactly these bytes is a field at some depth, never inside a string, and
    its value, taken out whole, holds no top-level field.
    """
    at = body.find(b'"%b"' % name)
    colon = _AFTER_NAME.match(body, at + len(name) + 2) if at >= 0 else None
    if colon is None or not body.startswith(value, colon.end()):
        return NOWHERE
    return colon.end(), colon.end() + len(value)


def omit(body: bytes, long: Span) -> bytes:
    """The body without its long value."""
    return body[: long[0]] + body[long[1] :]


def find_twice(around: bytes, body: bytes, names: re.Pattern[bytes]) -> str | None:
    """A field said twice, of those with a price or a route: providers differ in which one they take. `around` is the
    body without its long value. Raises TooManyMarks.
    """
    found = names.findall(around)
    if len(found) == len(set(found)) and (b"\\u" not in around or _ESCAPED_NAME.search(around) is None):
        return None
    try:
        members(body)
    except Twice as twice:
        return str(twice)
    return None


def place(body: bytes, long: Span, name: str) -> Span:
    """Where the value of a top-level field lies. The field is there: the decoder has read it."""
    around = omit(body, long)
    quoted = b'"%b"' % name.encode()
    at = around.find(quoted)
    if at >= 0 and around.find(quoted, at + 1) < 0 and _ESCAPED_NAME.search(around) is None:
        # The only such text outside of the long value, and the decoder found the field at the top: this is it.
        colon = _AFTER_NAME.match(around, at + len(quoted))
        value = _SCALAR.match(around, colon.end()) if colon is not None else None
        if value is not None:
            begin, end = value.span()
            moved = long[1] - long[0] if begin >= long[0] else 0
            return begin + moved, end + moved
    return members(body)[name]


def members(body: bytes) -> dict[str, Span]:
    """Name and place of each top-level value of valid JSON. Raises Twice, TooManyMarks."""
    found: dict[str, Span] = {}
    depth = 0
    name: str | None = None
    begin = 0
    for count, mark in enumerate(_MARK.finditer(body)):
        if count > _MOST_MARKS:
            raise TooManyMarks
        kind = mark.group()
        if kind in (b"{", b"["):
            depth += 1
        elif kind in (b"}", b"]"):
            depth -= 1
        if depth > 1:
            continue
        if name is None and kind.startswith(b'"'):
            name = msgspec.json.decode(kind, type=str)
        elif name is not None and kind == b":" and not begin:
            begin = mark.end()
        elif name is not None and kind in (b",", b"}") and (kind == b"," or not depth):
            _note(found, name, body, begin, mark.start())
            name, begin = None, 0
    return found


def _note(found: dict[str, Span], name: str, body: bytes, begin: int, end: int) -> None:
    if name in found:
        raise Twice(name)
    value = body[begin:end]
    found[name] = (begin + len(value) - len(value.lstrip()), end - len(value) + len(value.rstrip()))
