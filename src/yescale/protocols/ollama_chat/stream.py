"""A stream of Ollama's read into events: one JSON object a line, the last of which is done."""

from collections.abc import Iterator, Sequence
from typing import Final

from yescale.domain.content import Text, Thinking
from yescale.domain.events import (
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
from yescale.protocols.codec import Garbled
from yescale.protocols.ollama_chat.responses import meters, read_answer, read_calls, read_reason, read_scores
from yescale.protocols.ollama_chat.schema import WireAnswer

_LINE: Final = b"\n"


class LineDecoder:
    """One stream. Thoughts and words become parts, which a piece of the other kind ends; calls come whole."""

    __slots__ = ("_calls", "_due", "_held", "_limit", "_open", "_over", "_started")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._started = self._over = False
        self._open: Text | Thinking | None = None
        self._due = 0  # the index of the next part
        self._calls = 0

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now."""
        self._held += data
        *lines, rest = self._held.split(_LINE) if _LINE in data else (self._held,)
        if len(rest) > self._limit or any(len(line) > self._limit for line in lines):
            raise Garbled(f"a line is longer than {self._limit} bytes")
        self._held = bytearray(rest)
        return [event for line in lines for event in self._read(bytes(line))]

    def finish(self) -> Sequence[Event]:
        """The stream is over: a last line may lack its break; half a one was cut."""
        tail, self._held = bytes(self._held), bytearray()
        try:
            return list(self._read(tail))
        except Garbled:
            return []

    def _read(self, line: bytes) -> Iterator[Event]:
        if self._over or not line.strip():
            return
        wire = read_answer(line)
        if not self._started:
            self._started = True
            yield MessageStart(model=wire.model)
        if wire.error is not None:
            self._over = True
            yield StreamError(message=wire.error)
            return
        yield from self._hear(wire)
        if wire.done:
            yield from self._end(wire)

    def _hear(self, wire: WireAnswer) -> Iterator[Event]:
        message = wire.message
        if message is not None and message.thinking:
            yield from self._grow(Thinking(), message.thinking)
        if message is not None and message.content:
            yield from self._grow(Text(text=""), message.content)
        scores = read_scores(wire)
        if scores:
            yield Scored(scores=scores)
        for call in read_calls(wire, self._calls):
            yield from self._close()
            self._calls += 1
            yield PartStart(index=self._due, part=call)
            yield PartEnd(index=self._due)
            self._due += 1

    def _grow(self, kind: Text | Thinking, piece: str) -> Iterator[Event]:
        if type(self._open) is not type(kind):
            yield from self._close()
            self._open = kind
            yield PartStart(index=self._due, part=kind)
        yield PartDelta(index=self._due, kind="text", data=piece)

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            self._open = None
            yield PartEnd(index=self._due)
            self._due += 1

    def _end(self, wire: WireAnswer) -> Iterator[Event]:
        self._over = True
        yield from self._close()
        reason = read_reason(wire, called=self._calls > 0)
        yield MessageEnd(reason=reason, raw_reason=wire.done_reason or "")
        usage = meters(wire)
        if usage is not None:
            yield UsageReport(usage)
        yield StreamEnd()
