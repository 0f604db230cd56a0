"""From Google's `Schema`, a subset of OpenAPI 3.0, to JSON Schema: https://ai.google.dev/api/caching#Schema

The way back is not needed: `parametersJsonSchema` and `responseJsonSchema` take JSON Schema as it is
(https://ai.google.dev/gemini-api/docs/structured-output#json-schema-support).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw

from yescale.protocols.gemini_generate.members import STRING, Members, each, refuse, value_of
from yescale.protocols.gemini_generate.writing import ENCODER, Wire

_MAP: Final = msgspec.json.Decoder(dict[str, Raw])
_LENGTHS: Final = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_DEEPEST: Final = 64
_NULL: Final[Wire] = {"type": "null"}


def to_json_schema(raw: Raw, where: str) -> Raw:
    """The same schema in JSON Schema's words. Raises Malformed."""
    return Raw(ENCODER.encode(_convert(raw, where, 0)))


def _convert(raw: Raw, where: str, depth: int) -> Wire:
    if depth > _DEEPEST:
        raise refuse(where, f"'{where}' is nested too deep.")
    members = Members(raw, where)
    schema: Wire = {}
    kind = members.take("type", STRING)
    nullable = members.take_raw("nullable")
    if kind is not None:
        word = kind.lower()
        schema["type"] = [word, "null"] if nullable == Raw(b"true") else word
    for name in _LENGTHS:  # int64, which ProtoJSON writes as strings
        length = members.take_int(name)
        if length is not None:
            schema[name] = length
    for name, convert in _NESTED.items():
        value = members.take_raw(name)
        if value is not None:
            schema[name] = convert(value, members.path(name), depth + 1)
    members.take_raw("propertyOrdering")  # JSON Schema has no order; the properties stand in theirs
    example = members.take_raw("example")
    if example is not None:
        schema["examples"] = [example]
    schema.update(members.rest())
    if kind is None and nullable == Raw(b"true"):
        schema = {"anyOf": [schema, _NULL]}
    return schema


def _convert_each(raw: Raw, where: str, depth: int) -> list[Wire]:
    return [_convert(one, f"{where}[{n}]", depth) for n, one in enumerate(each(raw, where))]


def _convert_named(raw: Raw, where: str, depth: int) -> Wire:
    return {name: _convert(one, f"{where}.{name}", depth) for name, one in value_of(raw, where, _MAP).items()}


_NESTED: Final[Mapping[str, Callable[[Raw, str, int], object]]] = MappingProxyType(
    {"properties": _convert_named, "items": _convert, "anyOf": _convert_each}
)
