"""A small language for what a JSON field may hold; a value that does not fit is refused in OpenAI's words.

The words: github.com/pydantic/pydantic-ai/issues/2653 (type), songquanpeng/one-api/issues/1319 (unknown),
home-assistant/core/issues/121325 (length), thisisartium/continuous-alignment-testing/issues/25 (bounds).
"""

import re
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.refusal import RefusedError, listed, missing, shortened, unknown_parameter

VALUE_SHOWN = 20


class Shape(Protocol):
    """What a value must be. `article` names it in a complaint about the type."""

    @property
    def article(self) -> str: ...

    def check(self, value: Json, path: str) -> None:
        """Raises: RefusedError."""
        ...


class Text(Struct, frozen=True):
    most: int | None = None
    least: int = 0
    pattern: str | None = None

    @property
    def article(self) -> str:
        return "a string"

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type(self, value, path)
        if len(value) < self.least:
            raise RefusedError(
                f"Invalid '{path}': empty string. Expected a string with minimum length {self.least}, "
                "but got an empty string instead.",
                param=path,
                code="empty_string",
            )
        if self.most is not None and len(value) > self.most:
            raise RefusedError(
                f"Invalid '{path}': string too long. Expected a string with maximum length {self.most}, "
                f"but got a string with length {len(value)} instead.",
                param=path,
                code="string_above_max_length",
            )
        if self.pattern is not None and not re.search(self.pattern, value):
            raise RefusedError(
                f"Invalid '{path}': string does not match pattern. "
                f"Expected a string that matches the pattern '{self.pattern}'.",
                param=path,
                code="invalid_value",
            )


class Flag(Struct, frozen=True):
    @property
    def article(self) -> str:
        return "a boolean"

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, bool):
            raise wrong_type(self, value, path)


class Whole(Struct, frozen=True):
    least: int | None = None
    most: int | None = None

    @property
    def article(self) -> str:
        return "an integer"

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(self, value, path)
        _check_bounds("integer", value, path, self.least, self.most)


class Number(Struct, frozen=True):
    least: int
    most: int

    @property
    def article(self) -> str:
        return "a decimal"

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong_type(self, value, path)
        _check_bounds("decimal", value, path, self.least, self.most)


class Choice(Struct, frozen=True):
    values: tuple[str, ...]

    @property
    def article(self) -> str:
        return f"one of {listed(self.values, 'or')}" if len(self.values) > 1 else listed(self.values)

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type(self, value, path)
        if value not in self.values:
            raise invalid_value(value, self.values, path)


class Items(Struct, frozen=True):
    of: Shape
    noun: str = "objects"
    least: int = 0
    most: int | None = None

    @property
    def article(self) -> str:
        return f"an array of {self.noun}"

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type(self, value, path)
        if len(value) < self.least:
            raise RefusedError(
                f"Invalid '{path}': empty array. Expected an array with minimum length {self.least}, "
                "but got an empty array instead.",
                param=path,
                code="empty_array",
            )
        if self.most is not None and len(value) > self.most:
            raise RefusedError(
                f"Invalid '{path}': array too long. Expected an array with maximum length {self.most}, "
                f"but got an array with length {len(value)} instead.",
                param=path,
                code="array_above_max_length",
            )
        for index, item in enumerate(value):
            self.of.check(item, f"{path}[{index}]")


class Field(Struct, frozen=True):
    shape: Shape
    required: bool = False
    nullable: bool = False


class Fields(Struct, frozen=True):
    """An object with these fields and no others; complaints come in the order required, unknown, then table order."""

    known: Mapping[str, Field]

    @property
    def article(self) -> str:
        return "an object"

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(self, value, path)
        check_fields(self.known, value, f"{path}.")


def need(shape: Shape) -> Field:
    return Field(shape, required=True)


def maybe(shape: Shape) -> Field:
    return Field(shape, nullable=True)


class Open(Struct, frozen=True):
    """Any object."""

    @property
    def article(self) -> str:
        return "an object"

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(self, value, path)


class Anything(Struct, frozen=True):
    """Any JSON value."""

    @property
    def article(self) -> str:
        return "a value"

    def check(self, value: Json, path: str) -> None:
        pass


class Tagged(Struct, frozen=True):
    """An object whose field `tag` chooses among the variants."""

    tag: str
    variants: Mapping[str, Fields]

    @property
    def article(self) -> str:
        return "an object"

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(self, value, path)
        if self.tag not in value:
            raise missing(f"{path}.{self.tag}")
        Choice(tuple(self.variants)).check(value[self.tag], f"{path}.{self.tag}")
        self.variants[str(value[self.tag])].check(value, path)


class Either(Struct, frozen=True):
    """A string or something else."""

    text: Shape
    other: Shape
    article: str

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, str):
            self.text.check(value, path)
        elif isinstance(value, (dict, list)) and isinstance(value, list) is isinstance(self.other, Items):
            self.other.check(value, path)
        else:
            raise wrong_type(self, value, path)


class Pairs(Struct, frozen=True):
    """An object with free keys."""

    of: Shape
    most: int | None = None
    most_key: int | None = None

    @property
    def article(self) -> str:
        return "an object"

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(self, value, path)
        if self.most is not None and len(value) > self.most:
            raise RefusedError(
                f"Invalid '{path}': too many properties. Expected an object with at most {self.most} properties, "
                f"but got an object with {len(value)} properties instead.",
                param=path,
                code="object_above_max_properties",
            )
        for key, item in value.items():
            if self.most_key is not None and len(key) > self.most_key:
                raise RefusedError(
                    f"Invalid property name in '{path}': '{shortened(key, VALUE_SHOWN)}' is too long. "
                    f"Expected a string with maximum length {self.most_key}, "
                    f"but got a string with length {len(key)} instead.",
                    param=f"{path}.{key}",
                    code="property_name_above_max_length",
                )
            self.of.check(item, f"{path}.{key}")


def check_fields(known: Mapping[str, Field], value: JsonObject, prefix: str = "") -> None:
    """Check an object whose path is the prefix without its dot.

    Raises: RefusedError.
    """
    for name, field in known.items():
        if field.required and name not in value:
            raise missing(prefix + name)
    for name in value:
        if name not in known:
            raise unknown_parameter(prefix + name)
    for name, field in known.items():
        if name in value and not (field.nullable and value[name] is None):
            field.shape.check(value[name], prefix + name)


def wrong_type(shape: Shape, value: Json, path: str) -> RefusedError:
    return RefusedError(
        f"Invalid type for '{path}': expected {shape.article}, but got {_type_name(value)} instead.",
        param=path,
        code="invalid_type",
    )


def invalid_value(value: str, values: tuple[str, ...], path: str) -> RefusedError:
    return RefusedError(
        f"Invalid value: '{shortened(value, VALUE_SHOWN)}'. Supported values are: {listed(values)}.",
        param=path,
        code="invalid_value",
    )


def _check_bounds(noun: str, value: float, path: str, least: int | None, most: int | None) -> None:
    beyond = None
    if least is not None and value < least:
        beyond = f"below minimum value. Expected a value >= {least}", f"{noun}_below_min_value"
    elif most is not None and value > most:
        beyond = f"above maximum value. Expected a value <= {most}", f"{noun}_above_max_value"
    if beyond is not None:
        words, code = beyond
        raise RefusedError(f"Invalid '{path}': {noun} {words}, but got {value} instead.", param=path, code=code)


# A bool is an int, so it comes first.
_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a decimal number"),
    (str, "a string"),
    (list, "an array"),
)


def _type_name(value: Json) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _TYPE_NAMES if isinstance(value, kind)), "an object")
