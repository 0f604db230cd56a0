"""One item of a streamed answer as it grows: its events in, steps of parts out.

A server may say a text or arguments in deltas, only when they are done, or both: what was not seen is added from what
is whole (promise 22).
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from yescale.domain.chat import TokenScore
from yescale.domain.content import Citation, Part, Refusal, Text, Thinking, ToolCall
from yescale.domain.events import DeltaKind
from yescale.protocols.openai_responses.items import BadItem, read_citation, read_item
from yescale.protocols.openai_responses.responses import token_scores
from yescale.protocols.openai_responses.schema import OWN, WireContent, WireEvent, WireMessage, WireThought, said


class Start(Struct, frozen=True):
    """A part begins."""

    part: Part


class Grow(Struct, frozen=True):
    """The open part grows."""

    kind: DeltaKind
    data: str


class Cite(Struct, frozen=True):
    """The open text rests on something."""

    citation: Citation


class Score(Struct, frozen=True):
    """How likely the last tokens were."""

    scores: tuple[TokenScore, ...]


class End(Struct, frozen=True):
    """The open part is whole."""


Op = Start | Grow | Cite | Score | End


class WireCallHead(Struct, frozen=True, gc=False):
    """A call whose arguments are still to come."""

    call_id: str = ""
    name: str = ""
    arguments: str | None = None
    input: str | None = None


_MESSAGE: Final = msgspec.json.Decoder(WireMessage)
_CONTENT: Final = msgspec.json.Decoder(WireContent)
_THOUGHT: Final = msgspec.json.Decoder(WireThought)
_CALL: Final = msgspec.json.Decoder(WireCallHead)
_ITEM_DONE: Final = "response.output_item.done"
_WORDS: Final[Mapping[str, type[Text | Refusal]]] = MappingProxyType(
    {"output_text": Text, "text": Text, "refusal": Refusal}
)


class Draft(Protocol):
    """One item. `waiting` is what it said before it was its turn."""

    whole: bool
    waiting: list[Op]

    def hear(self, kind: str, wire: WireEvent) -> Iterable[Op]:
        """What an event adds. Raises BadItem and msgspec's errors."""
        ...

    def close(self) -> Iterable[Op]:
        """Nothing more will come."""
        ...


class MessageDraft:
    """A message: texts and refusals, one after another."""

    def __init__(self) -> None:
        self.whole = False
        self.waiting: list[Op] = []
        self._at = -1  # the content part that began last
        self._open = False
        self._seen = 0  # characters of it
        self._cited = 0

    def hear(self, kind: str, wire: WireEvent) -> Iterator[Op]:
        if self.whole:
            return
        match kind:
            case "response.content_part.added" | "response.content_part.done":
                yield from self._part(_CONTENT.decode(wire.part), wire.content_index)
                if kind.endswith("done") and wire.content_index == self._at:
                    yield from self._end()
            case "response.output_text.delta" | "response.refusal.delta" if isinstance(wire.delta, str):
                begun = Text(text="") if kind == "response.output_text.delta" else Refusal(text="")
                yield from self._grow(begun, wire.content_index, wire.delta)
                if wire.logprobs:
                    yield Score(token_scores(wire.logprobs))
            case "response.output_text.done" if wire.text is not None:
                yield from self._top_up(Text(text=""), wire.content_index, wire.text)
            case "response.refusal.done" if wire.refusal is not None:
                yield from self._top_up(Refusal(text=""), wire.content_index, wire.refusal)
            case "response.output_text.annotation.added" if said(wire.annotation):
                yield from self._cite(wire.content_index, read_citation(wire.annotation))
            case "response.output_item.done":
                yield from self._finish(_MESSAGE.decode(wire.item))
            case _:
                pass

    def close(self) -> Iterator[Op]:
        self.whole = True
        yield from self._end()

    def _finish(self, wire: WireMessage) -> Iterator[Op]:
        if isinstance(wire.content, str):
            yield from self._top_up(Text(text=""), max(self._at, 0), wire.content)
        else:
            for number, raw in enumerate(wire.content):
                yield from self._part(_CONTENT.decode(raw), number)
        yield from self.close()

    def _part(self, wire: WireContent, at: int) -> Iterator[Op]:
        """A content part as far as it is said."""
        kind = _WORDS.get(wire.type)
        if kind is None:
            return
        yield from self._top_up(kind(text=""), at, wire.text or wire.refusal or "")
        for raw in (wire.annotations or ())[self._cited :]:
            yield from self._cite(at, read_citation(raw))

    def _begin(self, part: Text | Refusal, at: int) -> Iterator[Op]:
        if at <= self._at:
            return
        yield from self._end()
        self._at, self._open, self._seen, self._cited = at, True, 0, 0
        yield Start(part)

    def _grow(self, part: Text | Refusal, at: int, words: str) -> Iterator[Op]:
        yield from self._begin(part, at)
        if self._open and at == self._at and words:
            self._seen += len(words)
            yield Grow("text", words)

    def _top_up(self, part: Text | Refusal, at: int, words: str) -> Iterator[Op]:
        yield from self._begin(part, at)
        if at == self._at:
            yield from self._grow(part, at, words[self._seen :])

    def _cite(self, at: int, citation: Citation) -> Iterator[Op]:
        if self._open and at == self._at:
            self._cited += 1
            yield Cite(citation)

    def _end(self) -> Iterator[Op]:
        if self._open:
            self._open = False
            yield End()


class ThoughtDraft:
    """Reasoning: pieces of a summary, or of the thoughts themselves, and the seal when it is done."""

    def __init__(self) -> None:
        self.whole = False
        self.waiting: list[Op] = []
        self._begun = False
        self._from = ""  # whether summary or content is what is told: the first that came
        self._at = -1  # the piece that began last
        self._seen = 0

    def hear(self, kind: str, wire: WireEvent) -> Iterator[Op]:
        if self.whole:
            return
        thought = _THOUGHT.decode(wire.item) if said(wire.item) else WireThought()
        if not self._begun:
            self._begun = True
            yield Start(Thinking(origin=OWN, id=thought.id or ""))
        match kind:
            case "response.reasoning_summary_text.delta" if isinstance(wire.delta, str):
                yield from self._grow("summary", wire.summary_index, wire.delta)
            case "response.reasoning_summary_text.done" if wire.text is not None:
                yield from self._top_up("summary", wire.summary_index, wire.text)
            case "response.reasoning_text.delta" if isinstance(wire.delta, str):
                yield from self._grow("content", wire.content_index, wire.delta)
            case "response.reasoning_text.done" if wire.text is not None:
                yield from self._top_up("content", wire.content_index, wire.text)
            case "response.output_item.done":
                yield from self._finish(thought)
            case _:
                pass

    def close(self) -> Iterator[Op]:
        self.whole = True
        if self._begun:
            yield End()

    def _finish(self, thought: WireThought) -> Iterator[Op]:
        source = self._from or ("summary" if thought.summary else "content")
        for number, piece in enumerate((thought.summary if source == "summary" else thought.content) or ()):
            yield from self._top_up(source, number, piece.text)
        if thought.encrypted_content:
            yield Grow("seal", thought.encrypted_content)
        yield from self.close()

    def _grow(self, source: str, at: int, words: str) -> Iterator[Op]:
        self._from = self._from or source
        if source != self._from or at < self._at:
            return
        if at > self._at:
            if self._at >= 0:
                yield Grow("text", "\n\n")
            self._at, self._seen = at, 0
        if words:
            self._seen += len(words)
            yield Grow("text", words)

    def _top_up(self, source: str, at: int, words: str) -> Iterator[Op]:
        seen = self._seen if at == self._at else 0
        yield from self._grow(source, at, words[seen:])


class CallDraft:
    """A call of a client's tool. It begins when its name is known."""

    def __init__(self, *, custom: bool) -> None:
        self.whole = False
        self.waiting: list[Op] = []
        self._custom = custom
        self._begun = False
        self._seen = 0

    def hear(self, kind: str, wire: WireEvent) -> Iterator[Op]:
        if self.whole:
            return
        call = _CALL.decode(wire.item) if said(wire.item) else WireCallHead()
        if not self._begun and call.name and call.call_id:
            self._begun = True
            yield Start(ToolCall(id=call.call_id, name=call.name, arguments="", custom=self._custom))
        match kind:
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                yield from self._grow(wire.delta if isinstance(wire.delta, str) else "")
            case "response.function_call_arguments.done" | "response.custom_tool_call_input.done":
                yield from self._grow((wire.arguments or wire.input or "")[self._seen :])
            case "response.output_item.done":
                if not self._begun:
                    raise BadItem("name", "a call needs a name and an id")
                yield from self._grow((call.arguments or call.input or "")[self._seen :])
                yield from self.close()
            case _:
                pass

    def close(self) -> Iterator[Op]:
        self.whole = True
        if self._begun:
            yield End()

    def _grow(self, words: str) -> Iterator[Op]:
        if self._begun and words:
            self._seen += len(words)
            yield Grow("arguments", words)


class WholeDraft:
    """An item that is told when it is done."""

    def __init__(self) -> None:
        self.whole = False
        self.waiting: list[Op] = []

    def hear(self, kind: str, wire: WireEvent) -> Iterator[Op]:
        if kind == _ITEM_DONE and not self.whole:
            for part in read_item(wire.item)[1]:
                yield Start(part)
                yield End()
            self.whole = True

    def close(self) -> Iterator[Op]:
        self.whole = True
        yield from ()


def draft_of(item: str) -> Draft:
    """A draft of an item of this type."""
    match item:
        case "message":
            return MessageDraft()
        case "reasoning":
            return ThoughtDraft()
        case "function_call" | "custom_tool_call":
            return CallDraft(custom=item == "custom_tool_call")
        case _:
            return WholeDraft()
