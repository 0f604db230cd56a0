"""The grammar of a stream's events: what every decoder must keep, and every encoder may rely on."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from yescale.domain.content import Audio, Part, Refusal, Text, Thinking, ToolCall
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
)

_GROWS: Final[Mapping[type[Part], frozenset[str]]] = MappingProxyType(
    {
        Text: frozenset({"text"}),
        Thinking: frozenset({"text", "seal"}),
        Refusal: frozenset({"text"}),
        ToolCall: frozenset({"arguments", "seal"}),
        Audio: frozenset({"audio", "transcript"}),
    }
)
_NOTHING: Final[frozenset[str]] = frozenset()


def check(events: Iterable[Event]) -> list[str]:
    """What is wrong with the order of a stream's events; nothing, if it is well formed and has its end."""
    grammar = _Grammar()
    found = [f"{number}: {fault}" for number, event in enumerate(events) for fault in grammar.hear(event)]
    return found if grammar.ended else [*found, "the stream has no end"]


class _Choice:
    """Where one choice stands."""

    __slots__ = ("due", "ended", "index", "part")

    def __init__(self) -> None:
        self.part: Part | None = None  # the open one
        self.index = -1
        self.due = 0  # the index of the next part
        self.ended = False

    def hear(self, event: PartStart | PartDelta | Cited | PartEnd | Scored | MessageEnd) -> Iterator[str]:
        if self.ended:
            yield f"{event} after its choice ended"
        match event:
            case PartStart():
                yield from self._start(event)
            case PartDelta() | Cited():
                kind = "text" if isinstance(event, Cited) else event.kind
                grows = _NOTHING if self.part is None else _GROWS.get(type(self.part), _NOTHING)
                if event.index != self.index or kind not in grows:
                    yield f"{event} does not fit the open part {self.index}: {self.part}"
            case PartEnd():
                if self.part is None or event.index != self.index:
                    yield f"part {event.index} ends and is not open"
                self.part = None
            case MessageEnd():
                if self.part is not None:
                    yield f"the choice ends within part {self.index}"
                self.ended = True
            case Scored():
                pass

    def _start(self, event: PartStart) -> Iterator[str]:
        if self.part is not None:
            yield f"part {event.index} starts within part {self.index}"
        if event.index != self.due:
            yield f"part {event.index} starts where {self.due} is due"
        self.part, self.index, self.due = event.part, event.index, event.index + 1


class _Grammar:
    """Where a stream stands."""

    def __init__(self) -> None:
        self.ended = False
        self._started = False
        self._choices: dict[int, _Choice] = {}

    def hear(self, event: Event) -> Iterator[str]:
        if self.ended:
            yield f"{event} after the end"
        if isinstance(event, MessageStart) == self._started:
            yield f"the message starts {'twice' if self._started else 'late'}: {event}"
        self._started = True
        match event:
            case StreamEnd():
                self.ended = True
                yield from (f"choice {n} has no end" for n, choice in self._choices.items() if not choice.ended)
            case StreamError():
                self.ended = True
            case PartStart() | PartDelta() | Cited() | PartEnd() | Scored() | MessageEnd():
                yield from self._choices.setdefault(event.choice, _Choice()).hear(event)
            case _:
                pass
