"""Instances of JSON Schemas: for a schema and a word to quote, one value that validates.

Covers what tools and structured output use: types and lists of types, enum and const, anyOf, oneOf, allOf, local $ref,
bounds, formats. A `pattern` is met only if one of a few common spellings meets it.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import cast

from yescale_sandbox.jsontype import Json, JsonObject

DEEP = 6
DEEPEST = 60
MOST_ITEMS = 1_000
MOST_CHARS = 10_000
FORMATS: Mapping[str, str] = {
    "date-time": "2025-01-02T03:04:05Z",
    "date": "2025-01-02",
    "time": "03:04:05Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "uri": "https://example.com/",
}
SPELLINGS = (
    *(
        "a",
        "A",
        "1",
        "ab",
        "abc",
        "ABC",
        "12",
        "123",
        "1234",
        "12345",
        "Abc",
        "a1",
        "A1",
        "abc-123",
        "ABC-123",
        "abc_123",
    ),
    *(
        "AB-1234",
        "ABC123",
        "#aabbcc",
        "1.5",
        "1.2.3",
        "2025-01-02",
        "03:04",
        "+15550100",
        "555-0100",
        "en",
        "en-US",
        "USD",
    ),
    *FORMATS.values(),
)


class InstanceMaker:
    """Makes instances of one document's schemas; `quote` is put into every string that is free."""

    def __init__(self, root: JsonObject, quote: str) -> None:
        self._root = root
        self._quote = quote
        self._makers: Mapping[str, Callable[[JsonObject, int], Json]] = {
            "object": self._object,
            "array": self._array,
            "string": lambda schema, _: self._string(schema),
            "integer": lambda schema, _: _number(schema, 1),
            "number": lambda schema, _: _number(schema, 0.5),
            "boolean": lambda _schema, _depth: True,
            "null": lambda _schema, _depth: None,
        }

    def make(self, schema: Json, depth: int = 0) -> Json:
        """A value for a schema. Past a few levels the smallest choice is taken, so that recursion ends."""
        if not isinstance(schema, dict) or depth > DEEPEST:
            return self._quote
        if "$ref" in schema:
            return self.make(target(schema["$ref"], self._root), depth + 1)
        if "const" in schema:
            return schema["const"]
        options = schema.get("enum")
        if isinstance(options, list) and options:
            return options[0]
        merged = self._merged(schema)
        for union in ("anyOf", "oneOf"):
            choices = merged.get(union)
            if isinstance(choices, list) and choices:
                return self.make(self._choice(choices, depth), depth + 1)
        return self._makers.get(_type(merged, depth), self._makers["string"])(merged, depth)

    def _merged(self, schema: JsonObject) -> JsonObject:
        """The schema with its `allOf` folded in: properties and required names united, the rest overwritten."""
        parts = schema.get("allOf")
        if not isinstance(parts, list):
            return schema
        whole: JsonObject = {key: value for key, value in schema.items() if key != "allOf"}
        for part in parts:
            found = target(part["$ref"], self._root) if isinstance(part, dict) and "$ref" in part else part
            if isinstance(found, dict):
                for key, value in self._merged(found).items():
                    whole[key] = _united(whole.get(key), value)
        return whole

    def _choice(self, choices: list[Json], depth: int) -> Json:
        if depth < DEEP:
            return choices[0]
        return min(choices, key=_weight)

    def _object(self, schema: JsonObject, depth: int) -> Json:
        properties = schema.get("properties")
        required = schema.get("required")
        names = required if isinstance(required, list) else []
        known = properties if isinstance(properties, dict) else {}
        made: JsonObject = {
            name: self.make(one, depth + 1) for name, one in known.items() if name in names or depth < DEEP
        }
        for name in names:
            if isinstance(name, str) and name not in made:
                made[name] = self._quote
        return made

    def _array(self, schema: JsonObject, depth: int) -> Json:
        first = schema.get("prefixItems")
        made = [self.make(one, depth + 1) for one in first] if isinstance(first, list) else []
        least = min(_whole(schema.get("minItems"), 0), MOST_ITEMS)
        count = max(least, 1 if depth < DEEP and not made and schema.get("maxItems") != 0 else 0)
        while len(made) < count:
            made.append(self.make(schema.get("items", {}), depth + 1))
        if schema.get("uniqueItems") is True:
            made = [_apart(value, index) for index, value in enumerate(made)]
        return made

    def _string(self, schema: JsonObject) -> str:
        form = schema.get("format")
        if isinstance(form, str) and form in FORMATS:
            return FORMATS[form]
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            return _spelled(pattern, self._quote)
        least, most = min(_whole(schema.get("minLength"), 0), MOST_CHARS), _whole(schema.get("maxLength"), 200)
        text = self._quote[:most]
        return text if len(text) >= least else text.ljust(least, ".")


def target(reference: Json, root: JsonObject) -> JsonObject | None:
    """The schema that a local reference points to; None if there is none."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Json = root
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _type(schema: JsonObject, depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        names = [name for name in kind if isinstance(name, str)]
        if depth >= DEEP and "null" in names:
            return "null"
        return next((name for name in names if name != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _weight(choice: Json) -> int:
    if not isinstance(choice, dict):
        return 1
    return {"null": 0, "object": 3, "array": 2}.get(str(choice.get("type")), 4 if "$ref" in choice else 1)


def _united(one: Json, other: Json) -> Json:
    if isinstance(one, dict) and isinstance(other, dict):
        return one | other
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    return other


def _number(schema: JsonObject, usual: float) -> float:
    """The usual value if the bounds allow it, else the nearest that they and `multipleOf` allow."""
    whole = schema.get("type") != "number"
    step = _real(schema.get("multipleOf"), 1 if whole else 0)
    low = _real(schema.get("minimum"), -math.inf)
    high = _real(schema.get("maximum"), math.inf)
    over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    gap = step or 0.25
    if isinstance(over, (int, float)):
        low = max(low, over + gap)
    if isinstance(under, (int, float)):
        high = min(high, under - gap)
    value = min(max(usual, low), high)
    if step:
        value = math.ceil(value / step) * step if low > usual else math.floor(value / step) * step
    return int(value) if value == int(value) else value


def _apart(value: Json, index: int) -> Json:
    """The value, made different from its neighbours."""
    if isinstance(value, str):
        return f"{value} {index}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value + index
    return value


def _spelled(pattern: str, quote: str) -> str:
    try:
        fits = re.compile(pattern).search
    except re.error:
        return quote
    return next((text for text in SPELLINGS if fits(text)), quote)


def _whole(value: Json, default: int) -> int:
    return int(value) if isinstance(value, (int, float)) else default


def _real(value: Json, default: float) -> float:
    return cast(float, value) if isinstance(value, (int, float)) else default
