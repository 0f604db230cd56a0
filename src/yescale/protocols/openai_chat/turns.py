"""From the messages of a request to canonical turns."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import Message
from yescale.domain.content import Audio, CachePoint, File, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from yescale.domain.faults import Fault
from yescale.domain.seals import unwrap_seal
from yescale.protocols.codec import Malformed
from yescale.protocols.openai_chat import parts
from yescale.protocols.openai_chat.chat_schema import WireCall, WireCalled, WireTurn
from yescale.protocols.openai_chat.responses import said
from yescale.protocols.openai_chat.words import ID
from yescale.protocols.reading import read, wrong

T = TypeVar("T")

_TURN: Final = msgspec.json.Decoder(WireTurn)
_NAMES: Final = msgspec.json.Decoder(dict[str, Raw])
_KNOWN: Final = frozenset(WireTurn.__struct_fields__)
_SYSTEM: Final = ("system", "developer")
_ROLES: Final = (*_SYSTEM, "user", "assistant", "tool", "function")


class Turns:
    """Reads messages one after the other. Results of tools join the user's turn that they stand before."""

    __slots__ = ("_calls", "_legacy", "_results", "extras", "messages", "system")

    def __init__(self) -> None:
        self.system: list[Text] = []
        self.messages: list[Message] = []
        self.extras: dict[str, Raw] = {}  # fields of single messages that no other format knows
        self._results: list[ToolResult] = []
        self._calls: dict[str, ToolCall] = {}  # by id
        self._legacy: dict[str, str] = {}  # the id that we gave to the last legacy call of a function

    def read(self, number: int, raw: Raw) -> None:
        """Take in one message. Raises Malformed."""
        where = f"messages[{number}]"
        wire = checked(read(_TURN, bytes(raw), where))
        if wire.role not in _ROLES:
            raise Malformed(wrong(f"{where}.role", f"'{where}.role' must be one of {', '.join(_ROLES)}."))
        self._keep_unknown(number, raw)
        content = tuple(_read_content(wire, f"{where}.content"))
        match wire.role:
            case "tool":
                self._take_result(wire, content, where)
            case "function":
                self._take_legacy_result(wire, content, where)
            case "assistant":
                self._add("assistant", self._spoken(wire, content, number), wire.name)
            case "user":
                self._add("user", content, wire.name)
            case _:
                self._add_system(content, where)

    def finish(self) -> tuple[Message, ...]:
        """All turns."""
        self._flush()
        return tuple(self.messages)

    def _keep_unknown(self, number: int, raw: Raw) -> None:
        where = f"messages[{number}]"
        for name, value in checked(read(_NAMES, bytes(raw), where)).items():
            if name not in _KNOWN and said(value):
                self.extras[f"{where}.{name}"] = Raw(bytes(value))

    def _add(self, role: str, content: tuple[Part, ...], name: str | None) -> None:
        if role == "user":
            held, self._results = tuple(self._results), []
            self.messages.append(Message(role="user", parts=(*held, *content), name=name or ""))
            return
        self._flush()
        self.messages.append(Message(role="assistant", parts=content, name=name or ""))

    def _add_system(self, content: tuple[Part, ...], where: str) -> None:
        if not all(isinstance(part, Text) for part in content):
            raise Malformed(wrong(f"{where}.content", f"'{where}.content' may hold only text."))
        self._flush()
        if self.messages:
            self.messages.append(Message(role="system", parts=content))
        else:
            self.system += (part for part in content if isinstance(part, Text))

    def _flush(self) -> None:
        """Results that no words of the user follow are a turn of their own."""
        if self._results:
            self.messages.append(Message(role="user", parts=tuple(self._results)))
            self._results = []

    def _take_result(self, wire: WireTurn, content: tuple[Part, ...], where: str) -> None:
        if wire.tool_call_id is None:
            field = f"{where}.tool_call_id"
            raise Malformed(wrong(field, f"'{field}' is required."))
        call = self._calls.get(wire.tool_call_id)
        name = wire.name or ("" if call is None else call.name)
        self._hold(wire.tool_call_id, name, content, where, custom=call is not None and call.custom)

    def _take_legacy_result(self, wire: WireTurn, content: tuple[Part, ...], where: str) -> None:
        if wire.name is None:
            raise Malformed(wrong(f"{where}.name", f"'{where}.name' is required."))
        self._hold(self._legacy.get(wire.name, f"call_{wire.name}"), wire.name, content, where)

    def _hold(self, call_id: str, name: str, content: tuple[Part, ...], where: str, custom: bool = False) -> None:
        held = tuple(part for part in content if isinstance(part, Text | Image | File))
        if len(held) != len(content):
            raise Malformed(wrong(f"{where}.content", f"'{where}.content' may hold only text, images and files."))
        # A mark stands at the end of what it covers: here the whole result.
        cache = next((part.cache for part in reversed(held) if part.cache is not None), None)
        held = tuple(replace(part, cache=None) for part in held)
        self._results.append(ToolResult(call_id=call_id, name=name, content=held, custom=custom, cache=cache))

    def _spoken(self, wire: WireTurn, content: tuple[Part, ...], number: int) -> tuple[Part, ...]:
        """What the model said: thoughts, words, sound, calls, in the order in which they arose."""
        calls = [*self._read_calls(wire.tool_calls or (), f"messages[{number}].tool_calls")]
        if wire.function_call is not None:
            calls.append(self._legacy_call(wire.function_call, number))
        self._calls.update({call.id: call for call in calls})
        refusals = [Refusal(text=wire.refusal)] if wire.refusal else []
        sound = [Audio(id=wire.audio.id)] if wire.audio is not None and wire.audio.id else []
        return (*thoughts_of(wire, unwrap=True), *content, *refusals, *sound, *calls)

    def _read_calls(self, calls: Iterable[WireCall], where: str) -> Iterator[ToolCall]:
        for index, wire in enumerate(calls):
            if not wire.id:
                field = f"{where}[{index}].id"
                raise Malformed(wrong(field, f"'{field}' is required."))
            call = to_call(wire, wire.id)
            if not call.name:
                field = f"{where}[{index}].function.name"
                raise Malformed(wrong(field, f"'{field}' is required."))
            seal, origin = unwrap_seal(call.seal, ID) if call.seal else ("", None)
            yield replace(call, seal=seal, origin=origin)

    def _legacy_call(self, wire: WireCalled, number: int) -> ToolCall:
        """Legacy calls have no id: where they stand tells them apart."""
        name = wire.name or ""
        if not name:
            field = f"messages[{number}].function_call.name"
            raise Malformed(wrong(field, f"'{field}' is required."))
        self._legacy[name] = f"call_{number}_{name}"
        return ToolCall(id=self._legacy[name], name=name, arguments=wire.arguments or "")


def _read_content(wire: WireTurn, where: str) -> Iterator[Part]:
    found = checked(read(parts.CONTENT, bytes(wire.content), where))
    mark = parts.cache_point(wire.cache_control)
    if isinstance(found, str):
        if found or wire.role != "assistant":
            yield Text(text=found, cache=mark)
        return
    last = len(found or ()) - 1
    for index, raw in enumerate(found or ()):
        place = f"{where}[{index}]"
        part_wire = checked(read(parts.PART, bytes(raw), place))
        part = parts.to_part(part_wire, raw)
        if part is None:
            field = f"{place}.{parts.FIELDS[part_wire.type]}"
            raise Malformed(wrong(field, f"'{field}' is required."))
        yield _marked(part, mark) if index == last else part


def _marked(part: Part, mark: CachePoint | None) -> Part:
    """A mark at a message stands at its last part."""
    if mark is not None and isinstance(part, Text | Image | File):
        return replace(part, cache=part.cache or mark)
    return part


def thoughts_of(wire: WireTurn, *, unwrap: bool) -> Iterator[Thinking]:
    """The thoughts of a message. Details say more than the plain text beside them, which repeats what they show."""
    found = [*parts.read_thoughts(wire.reasoning_details or [])]
    plain = wire.reasoning_content or wire.reasoning or ""
    if plain and not any(thought.text for thought in found):
        yield from _give_text(plain, found, unwrap=unwrap)
        return
    for thought in found:
        yield _unsealed(thought) if unwrap else thought


def _give_text(plain: str, found: list[Thinking], *, unwrap: bool) -> Iterator[Thinking]:
    """A seal that came without its text belongs to the plain one, if it is the only such."""
    bare = [thought for thought in found if not thought.redacted and thought.seal]
    if len(bare) != 1:
        yield Thinking(text=plain, origin=ID)
    for thought in found:
        whole = replace(thought, text=plain) if len(bare) == 1 and thought is bare[0] else thought
        if whole.text or whole.seal:
            yield _unsealed(whole) if unwrap else whole


def _unsealed(thought: Thinking) -> Thinking:
    if not thought.seal:
        return thought
    seal, origin = unwrap_seal(thought.seal, ID)
    return replace(thought, seal=seal, origin=origin)


def to_call(wire: WireCall, call_id: str) -> ToolCall:
    """A call of a tool, its seal as it is carried."""
    google = wire.extra_content.google if wire.extra_content is not None else None
    seal = (google.thought_signature or "") if google is not None else ""
    origin = ID if seal else None
    if wire.custom is not None:
        name, text = wire.custom.name or "", wire.custom.input or ""
        return ToolCall(id=call_id, name=name, arguments=text, custom=True, seal=seal, origin=origin)
    called = wire.function or WireCalled()
    return ToolCall(id=call_id, name=called.name or "", arguments=called.arguments or "", seal=seal, origin=origin)


def checked(found: T | Fault) -> T:
    """What was read, unless it is a fault. Raises Malformed."""
    if isinstance(found, Fault):
        raise Malformed(found)
    return found
