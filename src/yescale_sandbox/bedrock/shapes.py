"""A small language for what a JSON field may hold; a value that does not fit is refused in Bedrock's words.

Paths are pointers as `#/messages/0/content`; the words are those that `refusal.malformed` cites.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from yescale_sandbox.bedrock.refusal import RefusedError, malformed
from yescale_sandbox.jsontype import Json

VALUE_SHOWN = 60


class Shape(Protocol):
    """What a value must be."""

    def check(self, value: Json, path: str) -> None:
        """Raises: RefusedError."""
        ...


class Text(Struct, frozen=True):
    least: int = 0
    most: int | None = None
    pattern: str | None = None

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type("String", value, path)
        if len(value) < self.least:
            raise malformed(f"{path}: expected minLength: {self.least}, actual: {len(value)}")
        if self.most is not None and len(value) > self.most:
            raise malformed(f"{path}: expected maxLength: {self.most}, actual: {len(value)}")
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            raise malformed(f"{path}: string [{value[:VALUE_SHOWN]}] does not match pattern {self.pattern}")


class Flag(Struct, frozen=True):
    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, bool):
            raise wrong_type("Boolean", value, path)


class Number(Struct, frozen=True):
    least: int
    most: int | None = None
    whole: bool = False

    def check(self, value: Json, path: str) -> None:
        fits = isinstance(value, int) if self.whole else isinstance(value, (int, float))
        if isinstance(value, bool) or not fits or not isinstance(value, (int, float)):
            raise wrong_type("Integer" if self.whole else "Number", value, path)
        if value < self.least:
            raise malformed(f"{path}: {value} is not greater or equal to {self.least}")
        if self.most is not None and value > self.most:
            raise malformed(f"{path}: {value} is not less or equal to {self.most}")


class Choice(Struct, frozen=True):
    values: tuple[str, ...]

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type("String", value, path)
        if value not in self.values:
            raise malformed(f"{path}: {value[:VALUE_SHOWN]} is not a valid enum value")


class Items(Struct, frozen=True):
    of: Shape
    least: int = 0
    most: int | None = None

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type("JSONArray", value, path)
        if len(value) < self.least:
            raise malformed(f"{path}: expected minimum item count: {self.least}, found: {len(value)}")
        if self.most is not None and len(value) > self.most:
            raise malformed(f"{path}: expected maximum item count: {self.most}, found: {len(value)}")
        for index, item in enumerate(value):
            self.of.check(item, f"{path}/{index}")


class Field(Struct, frozen=True):
    shape: Shape
    required: bool = False


class Fields(Struct, frozen=True):
    """An object with these fields and no others; of a `union` just one."""

    known: Mapping[str, Field]
    union: bool = False

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type("JSONObject", value, path)
        for name, field in self.known.items():
            if field.required and name not in value:
                raise malformed(f"{path}: required key [{name}] not found")
        for name in value:
            if name not in self.known:
                raise malformed(f"{path}: extraneous key [{name[:VALUE_SHOWN]}] is not permitted")
        if self.union and len(value) != 1:
            raise malformed(f"{path}: {len(value)} of the keys {list(self.known)} are set instead of one")
        for name, one in value.items():
            self.known[name].shape.check(one, f"{path}/{name}")


class Open(Struct, frozen=True):
    """Any object."""

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type("JSONObject", value, path)


class Pairs(Struct, frozen=True):
    """An object with free keys and texts."""

    of: Text
    most: int

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type("JSONObject", value, path)
        if len(value) > self.most:
            raise malformed(f"{path}: maximum size: [{self.most}], found: [{len(value)}]")
        for name, one in value.items():
            self.of.check(one, f"{path}/{name[:VALUE_SHOWN]}")


def need(shape: Shape) -> Field:
    return Field(shape, required=True)


def one_of(**known: Shape) -> Fields:
    """An object of which just one field is there."""
    return Fields({name: Field(shape) for name, shape in known.items()}, union=True)


# A bool is an int, so it comes first.
_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "Boolean"),
    (int, "Integer"),
    (float, "Double"),
    (str, "String"),
    (list, "JSONArray"),
    (dict, "JSONObject"),
)


def wrong_type(expected: str, value: Json, path: str) -> RefusedError:
    found = next((name for kind, name in _NAMES if isinstance(value, kind)), "Null")
    return malformed(f"{path}: expected type: {expected}, found: {found}")
