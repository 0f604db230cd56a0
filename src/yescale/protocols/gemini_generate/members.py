"""JSON objects as Google reads them: names in camelCase or snake_case, null for absent, one value for a list of one.

Source: https://protobuf.dev/programming-guides/json/
"""

import math
import re
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from yescale.domain.faults import Fault
from yescale.protocols.codec import Malformed
from yescale.protocols.reading import BROKEN, expect_text, explain, read, wrong

T = TypeVar("T")

STRING: Final = msgspec.json.Decoder(str)
NUMBER: Final = msgspec.json.Decoder(int | float, strict=False)  # ProtoJSON takes "1.5" for 1.5
FLAG: Final = msgspec.json.Decoder(bool)
STRINGS: Final = msgspec.json.Decoder(list[str])
NUMBERS: Final = msgspec.json.Decoder(list[float])
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])
_HUMP: Final = re.compile(r"_([a-z0-9])")
_ARRAY: Final = ord("[")
_NULL: Final = b"null"


def camel(name: str) -> str:
    """The name as Google's own documents spell it."""
    return _HUMP.sub(lambda found: found.group(1).upper(), name) if "_" in name else name


def is_null(raw: Raw | bytes) -> bool:
    """Whether a value is null, which says nothing."""
    return len(memoryview(raw)) == len(_NULL) and bytes(raw) == _NULL


def refuse(field: str | None, message: str) -> Malformed:
    """The exception for a caller's mistake in a field."""
    return Malformed(wrong(field, message))


def each(raw: Raw | bytes, where: str) -> Sequence[Raw]:
    """The elements of an array; Google takes a single value for an array of one."""
    if memoryview(raw)[0] != _ARRAY:
        return [Raw(bytes(raw))]
    return value_of(raw, where, _LIST)


def value_of(raw: Raw | bytes, where: str, decoder: msgspec.json.Decoder[T]) -> T:
    """A value of one type."""
    try:
        return decoder.decode(raw)
    except BROKEN:
        found = read(decoder, bytes(raw), where)  # for its words
        if isinstance(found, Fault):
            raise Malformed(found) from None
        return found


def expect(body: bytes) -> bytes:
    """A body, if it is text: what stays Raw is written on as it was. Raises Malformed."""
    try:
        return expect_text(body)
    except UnicodeDecodeError as error:
        raise Malformed(explain(error)) from error


def text_of(raw: Raw, where: str) -> str:
    """A value as it was written; what stays Raw was not read yet, and may be no UTF-8."""
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise refuse(where, f"'{where}' is not UTF-8.") from error


class Members:
    """The members of one object, taken one by one; what is left over is not known to us. All raise Malformed."""

    __slots__ = ("_left", "_where")

    def __init__(self, raw: Raw | bytes, where: str = "") -> None:
        self._where = where
        self._left: dict[str, Raw] = {}
        for name, value in value_of(raw, where, _OBJECT).items():
            if is_null(value):
                continue
            spelled = camel(name) if "_" in name else name
            if spelled in self._left:
                field = self.path(spelled)
                raise refuse(field, f"'{field}' is said twice; say it once.")
            self._left[spelled] = value

    def path(self, name: str) -> str:
        """Where a member stands in the body."""
        return f"{self._where}.{name}" if self._where else name

    def has(self, name: str) -> bool:
        """Whether it is said and not taken yet."""
        return name in self._left

    def take(self, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        """A member of one type; None = not said."""
        raw = self._left.pop(name, None)
        return None if raw is None else value_of(raw, self.path(name), decoder)

    def take_int(self, name: str) -> int | None:
        """A whole number, be it written 40, 40.0 or "40"."""
        found = self.take(name, NUMBER)
        if found is None or isinstance(found, int) or found.is_integer():
            return None if found is None else int(found)
        raise refuse(self.path(name), f"'{self.path(name)}' must be a whole number.")

    def take_number(self, name: str) -> float | None:
        """A number, or one in quotes."""
        found = self.take(name, NUMBER)
        if found is not None and not math.isfinite(found):
            raise refuse(self.path(name), f"'{self.path(name)}' must be a number.")
        return found

    def take_raw(self, name: str) -> Raw | None:
        """A member as it was written."""
        return self._left.pop(name, None)

    def take_all(self, name: str) -> Sequence[Raw]:
        """The elements of a list; none, if it is not said."""
        raw = self._left.pop(name, None)
        return [] if raw is None else each(raw, self.path(name))

    def rest(self) -> dict[str, Raw]:
        """What was not taken."""
        return self._left


def open_member(outer: Members, name: str) -> Members | None:
    """The members of an object within an object; None = not said."""
    raw = outer.take_raw(name)
    return None if raw is None else Members(raw, outer.path(name))
