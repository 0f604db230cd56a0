"""JSON Schemas of tools and of structured output: what Anthropic accepts.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs lists what a format may not use.
"""

from collections.abc import Iterator, Mapping

from yescale_sandbox.jsontype import Json, JsonObject

MOST_DEPTH = 60
KINDS = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
INVALID = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). "
    "Learn more about tool use at https://docs.claude.com/en/docs/tool-use."
)
_BOUNDS = ("minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems")
_NOT_IN_FORMATS: Mapping[str, tuple[str, ...]] = {
    "integer": _BOUNDS,
    "number": _BOUNDS,
    "string": _BOUNDS,
    "array": _BOUNDS,
}


def fault(schema: JsonObject) -> str | None:
    """What is wrong with the schema of a tool's input; None if nothing is."""
    for union in ("oneOf", "allOf", "anyOf"):
        if union in schema:
            return "input_schema does not support oneOf, allOf, or anyOf at the top level"
    return INVALID if any(not _is_sound(node) for node, _ in _nodes(schema, 0)) else None


def strict_fault(schema: JsonObject) -> str | None:
    """What is wrong with the schema of an output format."""
    for node, depth in _nodes(schema, 0):
        if depth > MOST_DEPTH:
            return "Schema is too deeply nested"
        if not _is_sound(node):
            return INVALID
        kind = node.get("type")
        if kind == "object" and node.get("additionalProperties") is not False:
            return "For 'object' type, 'additionalProperties' must be explicitly set to false"
        unsupported = [name for name in _NOT_IN_FORMATS.get(str(kind), ()) if name in node]
        if unsupported:
            return f"For '{kind}' type, properties {', '.join(unsupported)} are not supported"
    return None


def _is_sound(node: JsonObject) -> bool:
    kind, properties, required = node.get("type"), node.get("properties", {}), node.get("required", [])
    kinds = kind if isinstance(kind, list) else [kind] if "type" in node else []
    return (
        all(isinstance(one, str) and one in KINDS for one in kinds)
        and isinstance(properties, dict)
        and all(isinstance(one, (dict, bool)) for one in properties.values())
        and isinstance(required, list)
        and all(isinstance(name, str) for name in required)
        and isinstance(node.get("enum", []), list)
        and isinstance(node.get("items", {}), (dict, bool))
    )


def _nodes(schema: JsonObject, depth: int) -> Iterator[tuple[JsonObject, int]]:
    yield schema, depth
    if depth > MOST_DEPTH:
        return
    for child in _children(schema):
        if isinstance(child, dict):
            yield from _nodes(child, depth + 1)


def _children(schema: JsonObject) -> Iterator[Json]:
    for group in ("properties", "$defs", "definitions"):
        members = schema.get(group)
        if isinstance(members, dict):
            yield from members.values()
    yield schema.get("items")
    for union in ("anyOf", "allOf", "oneOf"):
        options = schema.get(union)
        if isinstance(options, list):
            yield from options
