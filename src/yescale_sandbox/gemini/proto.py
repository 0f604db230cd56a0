"""JSON read as Google's protocol buffers: what fits comes out in one spelling, all that does not is complained of.

Names are camelCase or snake_case, null is absent, one value may stand for a list of one, numbers may be text, and an
enum is a number or a name in any case: https://protobuf.dev/programming-guides/json and `protostream_objectwriter.cc`.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec
from msgspec import Struct

from yescale_sandbox.gemini.refusal import VALUE_SHOWN, RefusedError, misread
from yescale_sandbox.jsontype import Json, JsonObject

MOST_DEPTH = 60
INT32 = 2**31
INT64 = 2**63


class Scalar(Struct, frozen=True):
    """A value of one of protobuf's own types."""

    type: str


class Enum(Struct, frozen=True):
    name: str
    values: tuple[str, ...]


class Message(Struct, frozen=True):
    """A message by its name in the tables."""

    name: str


class Repeated(Struct, frozen=True):
    of: "Scalar | Enum | Message"


class Map(Struct, frozen=True):
    """Free keys; faults are placed by the number of the entry, as Google does."""

    of: Message | Scalar


class Free(Struct, frozen=True):
    """Any JSON (`google.protobuf.Value`), or any object (`google.protobuf.Struct`)."""

    object: bool = False


Kind: TypeAlias = Scalar | Enum | Message | Repeated | Map | Free
Fields: TypeAlias = Mapping[str, Kind]


class Tables(Struct, frozen=True):
    """The messages of one API: their fields, and of which of them only one may be there."""

    package: str
    messages: Mapping[str, Fields]
    oneofs: Mapping[str, tuple[str, frozenset[str]]]


class MisfitError(Exception):
    """A scalar that does not fit; the words replace the value in the complaint."""


def read(tables: Tables, name: str, body: JsonObject) -> JsonObject:
    """The body as the named message, in camelCase, its enums as names.

    Raises: RefusedError.
    """
    reader = _Reader(tables)
    made = reader.message(name, body, "")
    if reader.violations:
        raise misread(reader.violations)
    return made


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda found: "_" + found.group(1).lower(), name)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


class _Reader:
    """Reads one body and gathers its faults."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.violations: list[tuple[str, str]] = []

    def message(self, name: str, value: JsonObject, path: str) -> JsonObject:
        fields = self._tables.messages[name]
        if path.count(".") > MOST_DEPTH:
            raise RefusedError("Message too deep. Max recursion depth reached for key 'properties'.")
        made: JsonObject = {}
        for given, one in value.items():
            known = camel(given)
            if known not in fields:
                self._unknown(given, path, "Cannot find field.")
            elif one is not None:
                self._field(known, fields[known], one, path, made)
        self._check_oneof(name, made, path)
        return made

    def _field(self, known: str, kind: Kind, value: Json, path: str, made: JsonObject) -> None:
        place = f"{path}.{snake(known)}" if path else snake(known)
        if isinstance(value, list) and not isinstance(kind, (Repeated, Free)):
            self._unknown(snake(known), path, "Proto field is not repeating, cannot start list.")
            return
        made[known] = self._value(kind, value, place)

    def _value(self, kind: Kind, value: Json, place: str) -> Json:
        if isinstance(kind, Repeated):
            items = value if isinstance(value, list) else [value]
            many = isinstance(value, list)
            return [
                self._value(kind.of, one, f"{place}[{index}]" if many else place) for index, one in enumerate(items)
            ]
        if isinstance(kind, Map):
            return self._map(kind, value, place)
        if isinstance(kind, Message):
            if isinstance(value, dict):
                return self.message(kind.name, value, place)
            self._invalid(place, f"type.googleapis.com/{self._tables.package}.{kind.name}", _shown(value))
            return None
        if isinstance(kind, Free):
            if kind.object and not isinstance(value, dict):
                self._invalid(place, "type.googleapis.com/google.protobuf.Struct", _shown(value))
            return value
        return self._scalar(kind, value, place)

    def _map(self, kind: Map, value: Json, place: str) -> Json:
        if not isinstance(value, dict):
            self._invalid(place, "Map", _shown(value))
            return None
        return {
            key: self._value(kind.of, one, f"{place}[{index}].value") for index, (key, one) in enumerate(value.items())
        }

    def _scalar(self, kind: Scalar | Enum, value: Json, place: str) -> Json:
        of = kind.type if isinstance(kind, Scalar) else f"type.googleapis.com/{self._tables.package}.{kind.name}"
        if isinstance(value, (dict, list)):
            self._invalid(
                place, of, f"Starting an {'object' if isinstance(value, dict) else 'array'} on a scalar field"
            )
            return None
        try:
            return _SCALARS[kind.type](value) if isinstance(kind, Scalar) else _enum(kind, value)
        except MisfitError as misfit:
            self._invalid(place, of, str(misfit) or _shown(value))
            return None

    def _check_oneof(self, name: str, made: JsonObject, path: str) -> None:
        if name not in self._tables.oneofs:
            return
        group, members = self._tables.oneofs[name]
        found = [field for field in made if field in members]
        for extra in found[1:]:
            # The words are of protobuf's `proto_writer.cc`.
            self._invalid(path, "oneof", f"oneof field '{group}' is already set. Cannot set '{extra}'")

    def _unknown(self, name: str, path: str, why: str) -> None:
        at = f" at '{path}'" if path else ""
        words = f'Invalid JSON payload received. Unknown name "{name[:VALUE_SHOWN]}"{at}: {why}'
        self.violations.append((path, words))

    def _invalid(self, place: str, of: str, shown: str) -> None:
        self.violations.append((place, f"Invalid value at '{place}' ({of}), {shown}"))


def _shown(value: Json) -> str:
    return msgspec.json.encode(value).decode()[:VALUE_SHOWN]


def _text(value: Json) -> Json:
    if not isinstance(value, str):
        raise MisfitError
    return value


def _flag(value: Json) -> Json:
    if isinstance(value, bool):
        return value
    if value in {"true", "false"}:
        return value == "true"
    raise MisfitError


def _real(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise MisfitError
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise MisfitError from None
    if not math.isfinite(number):
        raise MisfitError
    return number


def _whole(bound: int) -> Callable[[Json], Json]:
    def reader(value: Json) -> Json:
        number = _real(value)
        if not isinstance(number, float) or not number.is_integer() or not -bound <= number < bound:
            raise MisfitError
        return int(number)

    return reader


def _bytes(value: Json) -> Json:
    """Base64 of either alphabet, with or without its padding (github.com/musistudio/claude-code-router/issues/845)."""
    if not isinstance(value, str):
        raise MisfitError
    try:
        decoded(value)
    except (binascii.Error, ValueError):
        raise MisfitError(f'Base64 decoding failed for "{value[:VALUE_SHOWN]}"') from None
    return value


def decoded(text: str) -> bytes:
    """Raises: binascii.Error, ValueError."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _enum(kind: Enum, value: Json) -> Json:
    if isinstance(value, str) and value.upper() in kind.values:
        return value.upper()
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(kind.values):
        return kind.values[value]
    raise MisfitError


_SCALARS: Mapping[str, Callable[[Json], Json]] = {
    "TYPE_STRING": _text,
    "TYPE_BOOL": _flag,
    "TYPE_FLOAT": _real,
    "TYPE_DOUBLE": _real,
    "TYPE_INT32": _whole(INT32),
    "TYPE_INT64": _whole(INT64),
    "TYPE_BYTES": _bytes,
}
