"""The items of an answer as they are written: each knows its events, and what it is when it is whole.

The order of events: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain.chat import TokenScore
from yescale.domain.content import (
    Audio,
    Citation,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from yescale.domain.custom_tools import unwrap_input
from yescale.domain.events import DeltaKind
from yescale.protocols.openai_responses.carriers import carry
from yescale.protocols.openai_responses.groups import spell_name
from yescale.protocols.openai_responses.input_items import Wire
from yescale.protocols.openai_responses.schema import OWN


class Signal(Struct, frozen=True, gc=False):
    """One event, but for its number."""

    type: str
    fields: Wire


class Item(Protocol):
    """An item that grows. `open` says that it may take another part; `wholes` are the items that came of it."""

    open: bool
    wholes: list[object]

    def takes(self, part: Part) -> bool:
        """Whether the next part goes into this item."""
        ...

    def start(self, part: Part) -> Iterator[Signal]:
        """A part begins."""
        ...

    def grow(self, kind: DeltaKind, words: str) -> Iterator[Signal]:
        """The part grows."""
        ...

    def end(self) -> Iterator[Signal]:
        """The part is whole."""
        ...

    def finish(self) -> Iterator[Signal]:
        """The item is whole."""
        ...


class MessageItem:
    """A run of texts and refusals."""

    def __init__(self, index: int, item_id: str) -> None:
        self.open = True
        self.wholes: list[object] = []
        self._index = index
        self._id = item_id
        self._contents: list[Wire] = []
        self._words: list[str] = []  # of the open content part
        self._refuses = False
        self._annotations: list[object] = []
        self._scores: list[Wire] = []

    def takes(self, part: Part) -> bool:
        return isinstance(part, Text | Refusal | Audio)

    def start(self, part: Part) -> Iterator[Signal]:
        if not self._contents:
            item: Wire = {
                "id": self._id,
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
            yield Signal("response.output_item.added", {"output_index": self._index, "item": item})
        self._words, self._annotations, self._scores = [], [], []
        self._refuses = isinstance(part, Refusal)
        self._contents.append(self._content())
        yield self._signal("response.content_part.added", {"part": self._content()})
        match part:
            case Text():
                yield from self.grow("text", part.text)
                for citation in part.citations:
                    yield from self.cite(citation)
            case Refusal():
                yield from self.grow("text", part.text)
            case Audio():
                yield from self.grow("transcript", part.transcript)
            case _:
                pass

    def grow(self, kind: DeltaKind, words: str) -> Iterator[Signal]:
        if kind not in {"text", "transcript"} or not words:  # sound itself has no place; its words do
            return
        self._words.append(words)
        if self._refuses:
            yield self._signal("response.refusal.delta", {"delta": words})
        else:
            yield self._signal("response.output_text.delta", {"delta": words, "logprobs": []})

    def cite(self, citation: Citation) -> Iterator[Signal]:
        """The open text rests on something."""
        annotation = _annotation(citation, sum(map(len, self._words)))
        if annotation is None or self._refuses:
            return
        number = len(self._annotations)
        self._annotations.append(annotation)
        yield self._signal(
            "response.output_text.annotation.added", {"annotation_index": number, "annotation": annotation}
        )

    def score(self, scores: Sequence[TokenScore]) -> None:
        """How likely the tokens of the last text were; told when the item is whole."""
        self._scores += map(_score, scores)
        if not self._refuses and self._contents:
            self._contents[-1] = self._content()

    def end(self) -> Iterator[Signal]:
        whole = self._contents[-1] = self._content()
        if self._refuses:
            yield self._signal("response.refusal.done", {"refusal": whole["refusal"]})
        else:
            yield self._signal("response.output_text.done", {"text": whole["text"], "logprobs": whole["logprobs"]})
        yield self._signal("response.content_part.done", {"part": whole})

    def finish(self) -> Iterator[Signal]:
        item = {
            "id": self._id,
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": self._contents,
        }
        self.wholes.append(item)
        yield Signal("response.output_item.done", {"output_index": self._index, "item": item})

    def _content(self) -> Wire:
        words = "".join(self._words)
        if self._refuses:
            return {"type": "refusal", "refusal": words}
        return {
            "type": "output_text",
            "text": words,
            "annotations": tuple(self._annotations),
            "logprobs": tuple(self._scores),
        }

    def _signal(self, kind: str, fields: Wire) -> Signal:
        place: Wire = {
            "item_id": self._id,
            "output_index": self._index,
            "content_index": len(self._contents) - 1,
        }
        return Signal(kind, place | fields)


class ThoughtItem:
    """Reasoning: what is told of it as a summary, its seal as the encrypted content."""

    def __init__(self, index: int, item_id: str) -> None:
        self.open = True
        self.wholes: list[object] = []
        self._index = index
        self._id = item_id
        self._thought = Thinking()
        self._words: list[str] = []

    def takes(self, part: Part) -> bool:
        return False

    def start(self, part: Part) -> Iterator[Signal]:
        if isinstance(part, Thinking):
            self._thought = part
            if part.origin == OWN and part.id:
                self._id = part.id
        item: Wire = {"id": self._id, "type": "reasoning", "summary": []}
        yield Signal("response.output_item.added", {"output_index": self._index, "item": item})
        if isinstance(part, Thinking):
            yield from self.grow("text", part.text)

    def grow(self, kind: DeltaKind, words: str) -> Iterator[Signal]:
        if kind == "seal":
            self._thought = replace(self._thought, seal=words)
        if kind != "text" or not words:
            return
        if not self._words:
            yield self._signal("response.reasoning_summary_part.added", {"part": _summary("")})
        self._words.append(words)
        yield self._signal("response.reasoning_summary_text.delta", {"delta": words})

    def end(self) -> Iterator[Signal]:
        self.open = False
        if self._words:
            words = "".join(self._words)
            yield self._signal("response.reasoning_summary_text.done", {"text": words})
            yield self._signal("response.reasoning_summary_part.done", {"part": _summary(words)})

    def finish(self) -> Iterator[Signal]:
        words = "".join(self._words)
        summary = [_summary(words)] if words else []
        item: Wire = {"id": self._id, "type": "reasoning", "summary": summary}
        sealed = carry(replace(self._thought, text=words))
        if sealed:
            item["encrypted_content"] = sealed
        self.wholes.append(item)
        yield Signal("response.output_item.done", {"output_index": self._index, "item": item})

    def _signal(self, kind: str, fields: Wire) -> Signal:
        place: Wire = {"item_id": self._id, "output_index": self._index, "summary_index": 0}
        return Signal(kind, place | fields)


class CallItem:
    """A call of a client's tool. One that came as a function's for a custom tool is told when its text is known."""

    def __init__(self, index: int, mark: str, *, custom: bool, group: str) -> None:
        self.open = True
        self.wholes: list[object] = []
        self._index = index
        self._mark = mark
        self._custom = custom
        self._group = group
        self._id = f"{'ctc' if custom else 'fc'}_{mark}"
        self._call = ToolCall(id="", name="", arguments="")
        self._words: list[str] = []

    def takes(self, part: Part) -> bool:
        return False

    def start(self, part: Part) -> Iterator[Signal]:
        if not isinstance(part, ToolCall):
            return
        self._call = part
        item = self._item("in_progress", "")
        yield Signal("response.output_item.added", {"output_index": self._index, "item": item})
        yield from self.grow("arguments", part.arguments)

    def grow(self, kind: DeltaKind, words: str) -> Iterator[Signal]:
        if kind == "seal":
            self._call = replace(self._call, seal=words)
        if kind == "arguments" and words:
            self._words.append(words)
            if self._custom == self._call.custom:
                yield self._delta(words)

    def end(self) -> Iterator[Signal]:
        self.open = False
        words = "".join(self._words)
        if self._custom != self._call.custom:
            words = unwrap_input(words)
            self._words = [words]
            if words:
                yield self._delta(words)
        if self._custom:
            yield self._signal("response.custom_tool_call_input.done", {"input": words})
        else:
            yield self._signal("response.function_call_arguments.done", {**self._name(), "arguments": words})

    def finish(self) -> Iterator[Signal]:
        item = self._item("completed", "".join(self._words))
        self.wholes.append(item)
        yield Signal("response.output_item.done", {"output_index": self._index, "item": item})
        seal = carry(self._call)
        if seal:
            carrier: Wire = {"id": f"rs_{self._mark}", "type": "reasoning", "summary": [], "encrypted_content": seal}
            self.wholes.append(carrier)
            for kind in ("response.output_item.added", "response.output_item.done"):
                yield Signal(kind, {"output_index": self._index + 1, "item": carrier})

    def _item(self, status: str, words: str) -> Wire:
        kind, field = ("custom_tool_call", "input") if self._custom else ("function_call", "arguments")
        head: Wire = {"id": self._id, "type": kind, "status": status, "call_id": self._call.id}
        return head | self._name() | {field: words}

    def _name(self) -> dict[str, str]:
        return spell_name(self._call.name, self._group)

    def _delta(self, words: str) -> Signal:
        kind = "custom_tool_call_input" if self._custom else "function_call_arguments"
        return self._signal(f"response.{kind}.delta", {"delta": words})

    def _signal(self, kind: str, fields: Wire) -> Signal:
        place: Wire = {"item_id": self._id, "output_index": self._index}
        return Signal(kind, place | fields)


def _summary(words: str) -> Wire:
    return {"type": "summary_text", "text": words}


def _annotation(citation: Citation, length: int) -> object:
    """A citation as an annotation of a text that is so long; None where neither place nor name is known."""
    if citation.origin == OWN and citation.raw is not None:
        return citation.raw
    if citation.url:
        return {
            "type": "url_citation",
            "url": citation.url,
            "title": citation.title,
            "start_index": max(citation.start, 0),
            "end_index": citation.end if citation.end >= 0 else length,
        }
    if citation.title:
        return {"type": "file_citation", "file_id": "", "filename": citation.title, "index": max(citation.start, 0)}
    return None


def _score(score: TokenScore) -> Wire:
    return {
        "token": score.token,
        "bytes": list(score.token.encode("utf-8", "replace")),
        "logprob": score.logprob,
        "top_logprobs": [
            {"token": token, "bytes": list(token.encode("utf-8", "replace")), "logprob": logprob}
            for token, logprob in score.top
        ],
    }
