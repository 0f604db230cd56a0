"""What every client can be asked for, and what it understood of the answer, in words of no client."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
TOOL = "get_weather"
TOLD = "The weather of a city."
PERSON: dict[str, Any] = {
    "title": "person",
    "description": "Somebody.",
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
    )
).decode()


@dataclass(frozen=True, kw_only=True)
class Called:
    """A call of a tool as the client shows it."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer as the client shows it; `turns` is the conversation up to it, in the client's own words."""

    text: str = ""
    thoughts: str = ""
    calls: tuple[Called, ...] = ()
    prompt: int = 0
    completion: int = 0
    pieces: int = 0
    turns: list[Any] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request. `result` answers the calls of `after`; `text` is the user's next message."""

    model: str
    text: str = ""
    stream: bool = False
    tool: bool = False
    image: bool = False
    schema: bool = False
    thinks: bool = False
    after: Said | None = None
    result: str = ""


class Client(Protocol):
    """One client, with a key and an address."""

    def ask(self, asked: Ask) -> Said:
        """Ask and read to the end. Raises what the client raises."""
        ...

    def close(self) -> None:
        """Leave nothing open."""
        ...
