"""The stream of an upstream as canonical events, wherever the network cut it.

Items may grow side by side; events may not. The item that began first speaks, what the others say waits its turn.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from yescale.domain.content import Part
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
from yescale.domain.usage import tier_of
from yescale.protocols import sse
from yescale.protocols.codec import Garbled
from yescale.protocols.openai_responses.drafts import Cite, Draft, End, Grow, Op, Score, Start, draft_of
from yescale.protocols.openai_responses.errors import read_error
from yescale.protocols.openai_responses.items import BadItem, kind_of
from yescale.protocols.openai_responses.responses import why_ended
from yescale.protocols.openai_responses.schema import WireEvent, WireResponse, said
from yescale.protocols.openai_responses.searches import add_searches
from yescale.protocols.openai_responses.usage import meters
from yescale.protocols.reading import BROKEN, expect_text

_EVENT: Final = msgspec.json.Decoder(WireEvent)
_MOST_ITEMS: Final = 4_096
_STARTS: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
# What begins an item where a server leaves `output_item.added` out.
_IMPLIED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "response.content_part.added": "message",
        "response.output_text.delta": "message",
        "response.refusal.delta": "message",
        "response.reasoning_summary_text.delta": "reasoning",
        "response.reasoning_text.delta": "reasoning",
    }
)


class ResponsesDecoder:
    """One stream."""

    def __init__(self, limit: int) -> None:
        self._framer = sse.Framer(limit)
        self._limit = limit
        self._started = False
        self._over = False
        self._drafts: dict[int, Draft] = {}  # by output index
        self._queue: deque[Draft] = deque()  # those that are not whole, or whose words still wait
        self._count = 0  # items that began
        self._held = 0  # characters that waited
        self._index = -1
        self._parts: list[Part] = []  # the parts that began, for the reason of the end

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now. Raises Garbled."""
        try:
            return self._read(self._framer.feed(data))
        except sse.TooLong as error:
            raise Garbled(str(error)) from error

    def finish(self) -> Sequence[Event]:
        """What an event without its blank line says. Raises Garbled."""
        return self._read(self._framer.finish())

    def _read(self, block: bytes) -> list[Event]:
        events: list[Event] = []
        for event in sse.split(block):
            name, data = sse.data_of(event)
            if data and data != b"[DONE]" and not self._over:
                events += self._hear(name, data)
        return events

    def _hear(self, name: bytes, data: bytes) -> Iterator[Event]:
        try:
            wire = _EVENT.decode(expect_text(data))
            kind = wire.type or name.decode()
            if kind == "error" or (not kind and b'"error"' in data):
                yield from self._fail(data)
            elif kind in _ENDS and wire.response is not None:
                yield from self._end(kind, wire.response)
            elif kind in _STARTS:
                yield from self._start(wire.response or WireResponse())
            else:
                yield from self._item_event(kind, wire)
        except (*BROKEN, BadItem) as error:
            raise Garbled(f"no event of a response: {error}") from error

    def _start(self, wire: WireResponse) -> Iterator[Event]:
        if not self._started:
            self._started = True
            yield MessageStart(
                id=wire.id,
                model=wire.model,
                created=int(wire.created_at or 0),
                service_tier=wire.service_tier or "",
            )

    def _item_event(self, kind: str, wire: WireEvent) -> Iterator[Event]:
        index = wire.output_index
        draft = self._drafts.get(index)
        if draft is None or (draft.whole and kind == "response.output_item.added"):  # some servers count 0, 0, 0
            draft = self._begin(kind, wire)
            if draft is None:
                return
            yield from self._start(WireResponse())
        yield from self._say(draft, draft.hear(kind, wire))

    def _begin(self, kind: str, wire: WireEvent) -> Draft | None:
        """A new item, or nothing if the event adds to none that began."""
        item = kind_of(wire.item) if said(wire.item) else _IMPLIED.get(kind)
        if item is None:
            return None
        self._count += 1
        if self._count > _MOST_ITEMS:
            raise Garbled("the answer has too many items")
        draft = draft_of(item)
        self._drafts[wire.output_index] = draft
        self._queue.append(draft)
        return draft

    def _say(self, draft: Draft, ops: Iterable[Op]) -> Iterator[Event]:
        """Let the first open item speak, and those behind it as soon as it is their turn."""
        for op in ops:
            if self._queue and draft is self._queue[0]:
                yield from self._emit(op)
            else:
                self._wait(draft, op)
        while self._queue and self._queue[0].whole:
            self._queue.popleft()
            if self._queue:
                for op in self._queue[0].waiting:
                    yield from self._emit(op)
                self._queue[0].waiting.clear()

    def _wait(self, draft: Draft, op: Op) -> None:
        draft.waiting.append(op)
        self._held += len(op.data) if isinstance(op, Grow) else 1
        if self._held > self._limit:
            raise Garbled("items of the answer wait for one another too long")

    def _emit(self, op: Op) -> Iterator[Event]:
        match op:
            case Start():
                self._index += 1
                self._parts.append(op.part)
                yield PartStart(index=self._index, part=op.part)
            case Grow():
                yield PartDelta(index=self._index, kind=op.kind, data=op.data)
            case Cite():
                yield Cited(index=self._index, citation=op.citation)
            case Score():
                yield Scored(scores=op.scores)
            case End():
                yield PartEnd(index=self._index)

    def _end(self, kind: str, wire: WireResponse) -> Iterator[Event]:
        """The response is over: what was never streamed comes from its output (promise 22), then reason and usage."""
        yield from self._start(wire)
        output = wire.output or ()
        for index, item in enumerate(output):
            if index in self._drafts or self._count < len(output):
                yield from self._item_event("response.output_item.done", WireEvent(output_index=index, item=item))
        while self._queue:
            yield from self._say(self._queue[0], self._queue[0].close())
        usage = add_searches(meters(wire.usage), output)
        self._over = True
        if kind == "response.failed":
            if usage is not None:
                yield UsageReport(usage, tier=tier_of(wire.service_tier))
            error = wire.error
            yield StreamError(
                message=_word(error and error.message),
                code=_word(error and error.code),
                type=_word(error and error.type),
            )
            return
        reason, word = why_ended(wire, self._parts)
        yield MessageEnd(reason=reason, raw_reason=word)
        if usage is not None:
            yield UsageReport(usage, tier=tier_of(wire.service_tier))
        yield StreamEnd()

    def _fail(self, data: bytes) -> Iterator[Event]:
        yield from self._start(WireResponse())
        self._over = True
        error = read_error(data)
        yield StreamError(message=error.message, code=error.code, type=error.type)


def _word(value: object) -> str:
    return str(value) if value is not None else ""
