"""A small language for what a JSON field may hold; a value that does not fit is refused in Pydantic's words.

A chosen variant of a union stands in the path: github.com/anthropics/claude-code/issues/4378 (`content.1.tool_use.text:
Extra inputs are not permitted`), /31033 (`tools.0.custom...`), caozhiyuan/copilot-api/issues/145 (`.ephemeral.`).
"""

import re
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from yescale_sandbox.anthropic.refusal import RefusedError, either, shortened
from yescale_sandbox.jsontype import Json, JsonObject


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
            raise wrong(path, "Input should be a valid string")
        if len(value) < self.least:
            raise wrong(path, f"String should have at least {_counted(self.least, 'character')}")
        if self.most is not None and len(value) > self.most:
            raise wrong(path, f"String should have at most {_counted(self.most, 'character')}")
        if self.pattern is not None and not re.search(self.pattern, value):
            raise wrong(path, f"String should match pattern '{self.pattern}'")


class Flag(Struct, frozen=True):
    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, bool):
            raise wrong(path, "Input should be a valid boolean")


class Whole(Struct, frozen=True):
    least: int | None = None
    most: int | None = None

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            fraction = ", got a number with a fractional part" if isinstance(value, float) else ""
            raise wrong(path, f"Input should be a valid integer{fraction}")
        _check_bounds(value, path, self.least, self.most)


class Number(Struct, frozen=True):
    least: int
    most: int

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong(path, "Input should be a valid number")
        _check_bounds(value, path, self.least, self.most)


class Choice(Struct, frozen=True):
    values: tuple[str, ...]

    def check(self, value: Json, path: str) -> None:
        if value not in self.values:
            raise wrong(path, f"Input should be {either(self.values)}")


class Items(Struct, frozen=True):
    of: Shape
    least: int = 0
    most: int | None = None

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, list):
            raise wrong(path, "Input should be a valid list")
        if len(value) < self.least:
            raise wrong(
                path, f"List should have at least {_counted(self.least, 'item')} after validation, not {len(value)}"
            )
        if self.most is not None and len(value) > self.most:
            raise wrong(
                path, f"List should have at most {_counted(self.most, 'item')} after validation, not {len(value)}"
            )
        for index, item in enumerate(value):
            self.of.check(item, f"{path}.{index}")


class Field(Struct, frozen=True):
    shape: Shape
    required: bool = False
    nullable: bool = False


class Fields(Struct, frozen=True):
    """An object with these fields and no others."""

    known: Mapping[str, Field]

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong(path, "Input should be an object")
        check_fields(self.known, value, f"{path}.")


class Open(Struct, frozen=True):
    """Any object."""

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong(path, "Input should be a valid dictionary")


class Tagged(Struct, frozen=True):
    """An object whose field `tag` chooses among the variants; without it the `usual` one is meant, if there is one."""

    variants: Mapping[str, Fields]
    tag: str = "type"
    usual: str | None = None

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong(path, "Input should be an object")
        tag = value.get(self.tag, self.usual)
        if tag is None and self.usual is not None:
            tag = self.usual
        if tag is None:
            raise wrong(path, f"Unable to extract tag using discriminator '{self.tag}'")
        variant = self.variants.get(tag) if isinstance(tag, str) else None
        if variant is None:
            # https://github.com/dirac-run/dirac/issues/57
            expected = ", ".join(f"'{name}'" for name in self.variants)
            raise wrong(
                path,
                f"Input tag '{shortened(str(tag))}' found using '{self.tag}' does not match any of the expected tags: "
                f"{expected}",
            )
        variant.check(value, f"{path}.{tag}")


class TextOr(Struct, frozen=True):
    """A string, or something else."""

    other: Shape

    def check(self, value: Json, path: str) -> None:
        if not isinstance(value, str):
            self.other.check(value, path)


class ItemsOr(Struct, frozen=True):
    """A list, or an object."""

    items: Items
    other: Fields

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, dict):
            self.other.check(value, path)
        else:
            self.items.check(value, path)


def need(shape: Shape) -> Field:
    return Field(shape, required=True)


def may(shape: Shape) -> Field:
    """A field that may be left out, but not be null."""
    return Field(shape)


def maybe(shape: Shape) -> Field:
    return Field(shape, nullable=True)


def check_fields(known: Mapping[str, Field], value: JsonObject, prefix: str = "") -> None:
    """Check an object whose path is the prefix without its dot: first what is known, then what is not.

    Raises: RefusedError.
    """
    for name, field in known.items():
        if name in value:
            if not (field.nullable and value[name] is None):
                field.shape.check(value[name], prefix + name)
        elif field.required:
            raise wrong(prefix + name, "Field required")
    for name in value:
        if name not in known:
            raise wrong(prefix + shortened(name), "Extra inputs are not permitted")


def wrong(path: str, words: str) -> RefusedError:
    return RefusedError(f"{path}: {words}")


def _check_bounds(value: float, path: str, least: int | None, most: int | None) -> None:
    if least is not None and value < least:
        raise wrong(path, f"Input should be greater than or equal to {least}")
    if most is not None and value > most:
        raise wrong(path, f"Input should be less than or equal to {most}")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
