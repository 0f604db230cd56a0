"""From a stream's events to the whole answer that they tell, and back."""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from yescale.domain.chat import ChatResponse, Choice, StopReason, TokenScore
from yescale.domain.content import Audio, Inline, Part, Refusal, Text, Thinking, ToolCall
from yescale.domain.events import (
    Cited,
    Event,
    MessageEnd,
    MessageStart,
    PartDelta,
    PartEnd,
    PartStart,
    Scored,
    StreamEnd,
    StreamError,
    UsageReport,
)
from yescale.domain.usage import Usage, tier_of

_UNENDED: Final = MessageEnd(reason=StopReason.OTHER)


class _Draft:
    """One choice as it grows. Deltas are kept apart and joined once: a long answer has many."""

    __slots__ = ("_grown", "_part", "end", "parts", "scores")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.scores: list[TokenScore] = []
        self.end = _UNENDED
        self._part: Part | None = None
        self._grown: dict[str, list[str]] = {}

    def start(self, part: Part) -> None:
        self.close()
        self._part = part

    def add(self, event: PartDelta) -> None:
        self._grown.setdefault(event.kind, []).append(event.data)

    def cite(self, event: Cited) -> None:
        if isinstance(self._part, Text):
            self._part = replace(self._part, citations=(*self._part.citations, event.citation))

    def close(self) -> None:
        if self._part is not None:
            grown = {kind: "".join(pieces) for kind, pieces in self._grown.items()}
            self.parts.append(_grow(self._part, grown))
        self._part = None
        self._grown.clear()

    def whole(self) -> Choice:
        self.close()
        end = self.end
        return Choice(
            parts=tuple(self.parts),
            reason=end.reason,
            raw_reason=end.raw_reason,
            stop_sequence=end.stop_sequence,
            scores=tuple(self.scores),
        )


def assemble(events: Iterable[Event]) -> ChatResponse:
    """The whole answer that a well-formed stream tells. An error event ends it where it stands."""
    start = MessageStart()
    drafts: dict[int, _Draft] = {}
    usage: Usage | None = None
    tier = ""
    for event in events:
        match event:
            case MessageStart():
                start = event
            case UsageReport():
                usage, tier = event.usage, event.tier or tier
            case StreamError() | StreamEnd():
                pass
            case _:
                _take(drafts.setdefault(event.choice, _Draft()), event)
    return ChatResponse(
        id=start.id,
        model=start.model,
        created=start.created,
        service_tier=tier or start.service_tier,
        choices=tuple(drafts[index].whole() for index in sorted(drafts)),
        usage=usage,
    )


def disassemble(response: ChatResponse) -> Iterator[Event]:
    """The events of a stream that tells this answer."""
    yield MessageStart(
        id=response.id, model=response.model, created=response.created, service_tier=response.service_tier
    )
    for number, choice in enumerate(response.choices):
        for index, part in enumerate(choice.parts):
            yield PartStart(index=index, part=part, choice=number)
            yield PartEnd(index=index, choice=number)
        if choice.scores:
            yield Scored(scores=choice.scores, choice=number)
        yield MessageEnd(
            reason=choice.reason, raw_reason=choice.raw_reason, stop_sequence=choice.stop_sequence, choice=number
        )
    if response.usage is not None:
        yield UsageReport(response.usage, tier=tier_of(response.service_tier))
    yield StreamEnd()


def _take(draft: _Draft, event: PartStart | PartDelta | Cited | PartEnd | Scored | MessageEnd) -> None:
    match event:
        case PartStart():
            draft.start(event.part)
        case PartDelta():
            draft.add(event)
        case Cited():
            draft.cite(event)
        case PartEnd():
            draft.close()
        case Scored():
            draft.scores += event.scores
        case MessageEnd():
            draft.end = event


def _grow(part: Part, grown: dict[str, str]) -> Part:
    """The part with what its deltas add."""
    match part:
        case Text() | Refusal():
            return replace(part, text=part.text + grown.get("text", ""))
        case Thinking():
            return replace(part, text=part.text + grown.get("text", ""), seal=grown.get("seal", part.seal))
        case ToolCall():
            arguments = part.arguments + grown.get("arguments", "")
            return replace(part, arguments=arguments, seal=grown.get("seal", part.seal))
        case Audio():
            held = part.source if isinstance(part.source, Inline) else Inline("", "")
            source = replace(held, data=held.data + grown["audio"]) if "audio" in grown else part.source
            return replace(part, source=source, transcript=part.transcript + grown.get("transcript", ""))
        case _:
            return part
