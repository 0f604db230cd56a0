"""From a flat list of items to turns: neighbours on one side make one turn, and a new message begins a new one."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import Message
from yescale.domain.content import Part, Refusal, Text, Thinking, ToolCall
from yescale.protocols.codec import Malformed
from yescale.protocols.openai_responses.carriers import call_seal, open_carrier
from yescale.protocols.openai_responses.items import BadItem, Role, kind_of, read_item
from yescale.protocols.reading import BROKEN, explain, wrong

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
# What few items say and only OpenAI understands: which part of its work a message is, and who called a tool.
_SELDOM: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "message": ("phase",),
        "function_call": ("caller",),
        "function_call_output": ("caller",),
        "custom_tool_call": ("caller",),
        "custom_tool_call_output": ("caller",),
    }
)


class Turns:
    """The turns of a request as its items come in. The leading system words are kept apart."""

    def __init__(self, instructions: str | None) -> None:
        self.system: list[Text] = [] if instructions is None else [Text(text=instructions)]
        self.messages: list[Message] = []
        self.unread: dict[str, Raw] = {}  # fields of items that no other format has, by their places
        self._role: Role = "user"
        self._parts: list[Part] = []

    def add(self, raw: Raw, field: str) -> None:
        """Take in the next item. Raises Malformed."""
        kind, role, parts = _read(raw, field)
        if kind in _SELDOM and any(b'"%b"' % name.encode() in bytes(raw) for name in _SELDOM[kind]):
            fields = _FIELDS.decode(raw)
            self.unread |= {f"{field}.{name}": Raw(bytes(fields[name])) for name in _SELDOM[kind] if name in fields}
        if role == "system" and not self.messages and not self._parts:
            words = [part for part in parts if isinstance(part, Text)]
            self.system += words
            role, parts = "user", tuple(part for part in parts if part not in words)  # what is no text
        if kind == "message" and (role != "assistant" or self._has_spoken()):
            self.close()
        self._join(role, parts)
        if kind == "message" and role != "assistant":
            self.close()

    def close(self) -> None:
        """The open turn is whole."""
        if self._parts:
            self.messages.append(Message(role=self._role, parts=tuple(self._parts)))
        self._parts = []

    def _join(self, role: Role, parts: tuple[Part, ...]) -> None:
        if role != self._role:
            self.close()
        self._role = role
        for part in parts:
            _join(self._parts, part)

    def _has_spoken(self) -> bool:
        return self._role != "assistant" or any(isinstance(part, Text | Refusal) for part in self._parts)


def _join(parts: list[Part], part: Part) -> None:
    """Add a part, or the seal that it carries for the call before it."""
    thought = open_carrier(part) if isinstance(part, Thinking) else None
    seal = None if thought is None else call_seal(thought)
    if seal is None:
        parts.append(thought or part)
    elif parts and isinstance(call := parts[-1], ToolCall):
        parts[-1] = replace(call, seal=seal[0], origin=seal[1])


def _read(raw: Raw, field: str) -> tuple[str, Role, tuple[Part, ...]]:
    try:
        return kind_of(raw), *read_item(raw)
    except BadItem as error:
        raise Malformed(wrong(f"{field}.{error.field}", f"'{field}.{error.field}' is wrong: {error}.")) from error
    except BROKEN as error:
        raise Malformed(explain(error, field)) from error
