"""JSON Schemas of tools and of structured output: what OpenAI accepts, and the narrower subset of `strict`.

The words: github.com/moeru-ai/xsai/issues/202, vercel/ai/issues/6484, kevinwatt/mysql-mcp/issues/5.
"""

from collections.abc import Iterator

from msgspec import Struct

from yescale_sandbox.instance import target
from yescale_sandbox.jsontype import Json, JsonObject

NOT_PERMITTED = (
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "unevaluatedProperties",
    "propertyNames",
    "uniqueItems",
    "contains",
    "prefixItems",
)
MOST_DEPTH = 60
TYPELESS_IS_FINE = ("anyOf", "$ref", "enum", "const")


class Node(Struct, frozen=True):
    """A schema within the schema, with its place as OpenAI prints it."""

    schema: JsonObject
    place: tuple[str, ...]


def fault(schema: JsonObject, *, strict: bool) -> str | None:
    """What is wrong with the schema, in OpenAI's words; None if nothing is."""
    if not schema and not strict:
        return None
    if schema.get("type") != "object":
        kind = schema.get("type")
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
    for node in _nodes(Node(schema, ())):
        if len(node.place) > MOST_DEPTH:
            return "schema is nested too deeply."
        words = _array_fault(node.schema) or (_strict_fault(node.schema, schema) if strict else None)
        if words is not None:
            return f"In context={_printed(node.place)}, {words}"
    return None


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    if len(node.place) > MOST_DEPTH:
        return
    for child in _children(node):
        yield from _nodes(child)


def _children(node: Node) -> Iterator[Node]:
    for group in ("properties", "$defs", "definitions"):
        members = node.schema.get(group)
        if isinstance(members, dict):
            for name, schema in members.items():
                if isinstance(schema, dict):
                    yield Node(schema, (*node.place, group, name))
    items = node.schema.get("items")
    if isinstance(items, dict):
        yield Node(items, (*node.place, "items"))
    options = node.schema.get("anyOf")
    if isinstance(options, list):
        for index, schema in enumerate(options):
            if isinstance(schema, dict):
                yield Node(schema, (*node.place, "anyOf", str(index)))


def _array_fault(schema: JsonObject) -> str | None:
    is_array = "array" in _types(schema)
    if is_array and not any(key in schema for key in ("items", "prefixItems")):
        return "array schema missing items."
    return None


def _strict_fault(schema: JsonObject, root: JsonObject) -> str | None:
    for keyword in NOT_PERMITTED:
        if keyword in schema:
            return f"'{keyword}' is not permitted."
    if "$ref" in schema and target(schema["$ref"], root) is None:
        return f"reference to component '{schema['$ref']}' which was not found in the schema."
    if not _types(schema) and not any(key in schema for key in TYPELESS_IS_FINE):
        return "schema must have a 'type' key."
    return _object_fault(schema) if "object" in _types(schema) else None


def _object_fault(schema: JsonObject) -> str | None:
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    properties = schema.get("properties")
    names = list(properties) if isinstance(properties, dict) else []
    required = schema.get("required")
    listed = required if isinstance(required, list) else []
    words = "'required' is required to be supplied and to be an array including every key in properties."
    for name in names:
        if name not in listed:
            return f"{words} Missing '{name}'."
    for name in listed:
        if name not in names:
            return f"{words} Extra required key '{name}' supplied."
    return None


def _types(schema: JsonObject) -> list[Json]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind] if kind is not None else []


def _printed(place: tuple[str, ...]) -> str:
    if len(place) == 1:
        return f"('{place[0]}',)"
    return "(" + ", ".join(f"'{step}'" for step in place) + ")"
