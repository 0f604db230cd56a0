"""The top-level fields of a JSON object in its bytes: where each lies, and that none is said twice.

A request has one long value, its messages or its input. It is left out (`omit`) before anything is searched.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

Span = tuple[int, int]
NOWHERE: Final[Span] = (0, 0)

NO_NAMES: Final[frozenset[str]] = frozenset()
_MOST_MARKS: Final = 400_000  # strings and brackets looked at in an odd body, so that it cannot hold the loop
# A field name with an escaped letter could hide a second `model` from a search.
_ESCAPED_NAME: Final = re.compile(rb"\\u00[5-7]")
_MARK: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)
_FIRST: Final = re.compile(rb"[ \t\r\n]*\{")
_AFTER_NAME: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_COMMA: Final = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_SCALAR: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^\s,{}\[\]"]+', re.DOTALL)


class TooManyMarks(ValueError):
    """A body with more strings and brackets than are looked at."""


class Twice(ValueError):
    """A field that price, route or rewrite read is said twice."""


def find_long(body: bytes, name: bytes, value: bytes, since: int = 0) -> Span:
    """Where `value` lies, a value decoded of the field that is called `name` first after `since`; else NOWHERE.

    Leaving it out is safe: `"name":` before exactly these bytes is a field at some depth, never inside a string, and
    its value, taken out whole, holds no top-level field.
    """
    at = body.find(b'"%b"' % name, since)
    if at < 0:
        return NOWHERE
    begin = at + len(name) + 3  # behind a colon, if nothing lies between, as a rule
    if not body.startswith(b":", begin - 1) or not body.startswith(value, begin):
        colon = _AFTER_NAME.match(body, begin - 1)
        if colon is None or not body.startswith(value, colon.end()):
            return NOWHERE
        begin = colon.end()
    return begin, begin + len(value)


def omit(body: bytes, long: Span) -> bytes:
    """The body without its long value."""
    return body[: long[0]] + body[long[1] :]


def omit_all(body: bytes, spans: Sequence[Span]) -> bytes:
    """The body without several long values, which follow one another."""
    if len(spans) == 1:
        return omit(body, spans[0])
    pieces: list[bytes] = []
    kept = 0
    for begin, end in spans:
        pieces.append(body[kept:begin])
        kept = end
    return b"".join((*pieces, body[kept:])) if pieces else body


def may_repeat(around: bytes, names: re.Pattern[bytes]) -> bool:
    """Whether one of these names may be said twice in a body without its long value; `members` tells for certain."""
    found = names.findall(around)
    return len(found) != len(set(found)) or may_escape(around)


def may_escape(around: bytes) -> bool:
    """Whether a name in a body without its long values may be written with escaped letters, as none is."""
    return b"\\u" in around and _ESCAPED_NAME.search(around) is not None


def place(body: bytes, long: Span, name: str, single: frozenset[str] = NO_NAMES) -> Span:
    """Where the value of a top-level field lies. The field is there: the decoder has read it. Raises as `members`."""
    return place_among(body, (long,), name, single)


def place_among(body: bytes, spans: Sequence[Span], name: str, single: frozenset[str] = NO_NAMES) -> Span:
    """The same in a body with several long values."""
    around = omit_all(body, spans)
    begin, end = _find_scalar(around, b'"%b"' % name.encode()) or members(around, single)[name]
    for start, stop in spans:
        if start > end:
            break
        end += stop - start
        begin += stop - start if start <= begin else 0
    return begin, end


def _find_scalar(around: bytes, quoted: bytes) -> Span | None:
    """The value behind a name that is said once, unless it is an object or an array."""
    at = around.find(quoted)
    if at < 0 or around.find(quoted, at + 1) >= 0 or _ESCAPED_NAME.search(around) is not None:
        return None
    # The only such text outside of the long value, and the decoder found the field at the top: this is it.
    colon = _AFTER_NAME.match(around, at + len(quoted))
    value = _SCALAR.match(around, colon.end()) if colon is not None else None
    return None if value is None else value.span()


def members(body: bytes, single: frozenset[str] = NO_NAMES) -> dict[str, Span]:
    """Name and place of each top-level value of valid JSON. Raises Twice where a `single` name is said twice, and
    TooManyMarks.
    """
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
            name = _read_name(kind)
        elif name is not None and kind == b":" and not begin:
            begin = mark.end()
        elif name is not None and kind in (b",", b"}") and (kind == b"," or not depth):
            if name in found and name in single:
                raise Twice(name)
            found[name] = _stripped(body, begin, mark.start())
            name, begin = None, 0
    return found


def cut(body: bytes, name: str, single: frozenset[str] = NO_NAMES) -> bytes:
    """The body without a top-level field, which is not the only one. Raises as `members`."""
    found = members(body, single).get(name)
    if found is None:
        return body
    begin, end = found
    opening = body.rfind(b'"', 0, body.rfind(b'"', 0, begin))  # no name that is looked for holds a quote
    comma = _COMMA.match(body, end)
    if comma is not None:
        return body[:opening] + body[comma.end() :]
    return body[: body.rfind(b",", 0, opening)] + body[end:]


def _read_name(quoted: bytes) -> str:
    """The name between the quotes. One that is no text is none of ours: the decoder skips such a field unread."""
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return quoted.decode("latin-1")


def _stripped(body: bytes, begin: int, end: int) -> Span:
    value = body[begin:end]
    return begin + len(value) - len(value.lstrip()), end - len(value) + len(value.rstrip())


def splice(body: bytes, edits: list[tuple[int, int, bytes]], added: bytes = b"") -> bytes:
    """The body with some places replaced and, in front of its first field, `added`."""
    first = _FIRST.match(body)
    start = first.end() if first is not None else 0
    view = memoryview(body)  # of a large body there must not be more than one copy
    pieces: list[bytes | memoryview] = [view[:start], added]
    at = start
    for begin, end, new in sorted(edits):
        pieces += (view[at:begin], new)
        at = end
    pieces.append(view[at:])
    return b"".join(pieces)
