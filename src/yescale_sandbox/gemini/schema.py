"""Schemas of functions and answers: what Google checks in its OpenAPI subset, and the same as JSON Schema.

The words: github.com/agno-agi/agno/issues/2112 (properties), cline/cline/issues/7339 (items).
"""

from collections.abc import Iterator
from typing import cast

from yescale_sandbox.jsontype import Json, JsonObject

STRING_FORMATS = frozenset({"", "enum", "date-time"})
_SAME = ("description", "enum", "minItems", "maxItems", "required", "minLength", "maxLength", "pattern")
_BOUNDS = ("minimum", "maximum")


def faults(schema: JsonObject, place: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a schema in Google's subset: places and words."""
    kind = schema.get("type")
    properties = _members(schema)
    if kind is None and "anyOf" not in schema:
        yield place, "schema didn't specify the schema type field"
    if kind == "OBJECT" and not properties:
        yield f"{place}.properties", "should be non-empty for OBJECT type"
    if kind != "OBJECT" and properties:
        yield f"{place}.properties", "only allowed for OBJECT type"
    if kind == "ARRAY" and not isinstance(schema.get("items"), dict):
        yield f"{place}.items", "missing field."
    if kind == "STRING" and schema.get("format", "") not in STRING_FORMATS:
        yield f"{place}.format", "only 'enum' and 'date-time' are supported for STRING type"
    if schema.get("enum") and kind != "STRING":
        yield f"{place}.enum", "only allowed for STRING type"
    for index, name in enumerate(_names(schema)):
        if name not in properties:
            yield f"{place}.required[{index}]", "property is not defined"
    for child, where in _children(schema, place):
        yield from faults(child, where)


def as_json_schema(schema: JsonObject) -> JsonObject:
    """The schema in JSON Schema's words."""
    made: JsonObject = {key: schema[key] for key in (*_SAME, *_BOUNDS) if key in schema}
    kind = schema.get("type")
    if isinstance(kind, str):
        lower = kind.lower()
        made["type"] = [lower, "null"] if schema.get("nullable") else lower
    properties = _members(schema)
    if properties:
        made["properties"] = {name: as_json_schema(one) for name, one in properties.items()}
    items = schema.get("items")
    if isinstance(items, dict):
        made["items"] = as_json_schema(items)
    options = schema.get("anyOf")
    if isinstance(options, list):
        made["anyOf"] = [as_json_schema(one) for one in options if isinstance(one, dict)]
    if schema.get("format") == "date-time":
        made["format"] = "date-time"
    return made


def _children(schema: JsonObject, place: str) -> Iterator[tuple[JsonObject, str]]:
    for name, one in _members(schema).items():
        yield one, f"{place}.properties[{name}]"
    items = schema.get("items")
    if isinstance(items, dict):
        yield items, f"{place}.items"
    options = schema.get("anyOf")
    for index, one in enumerate(options if isinstance(options, list) else []):
        if isinstance(one, dict):
            yield one, f"{place}.any_of[{index}]"


def _members(schema: JsonObject) -> dict[str, JsonObject]:
    properties: Json = schema.get("properties")
    found = properties if isinstance(properties, dict) else {}
    return {name: cast(JsonObject, one) for name, one in found.items() if isinstance(one, dict)}


def _names(schema: JsonObject) -> list[Json]:
    required = schema.get("required")
    return required if isinstance(required, list) else []
