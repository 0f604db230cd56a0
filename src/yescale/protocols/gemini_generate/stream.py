"""The stream decoder: chunks of partial candidates in, parts with a beginning and an end out.

Gemini has no end mark: the stream is whole when every candidate has said why it ended and the connection closed in
good order. Until then the last part stays open, because sources and signatures may still come for it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import Choice, StopReason
from yescale.domain.content import Audio, Citation, Inline, Part, Text, Thinking, ToolCall
from yescale.domain.events import (
    Cited,
    DeltaKind,
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
from yescale.protocols import sse
from yescale.protocols.codec import Garbled, Malformed
from yescale.protocols.gemini_generate.array import ArrayFramer
from yescale.protocols.gemini_generate.audio import Joiner
from yescale.protocols.gemini_generate.citations import read_citations
from yescale.protocols.gemini_generate.errors import read_error
from yescale.protocols.gemini_generate.members import is_null
from yescale.protocols.gemini_generate.parts import Calls, decode_part
from yescale.protocols.gemini_generate.reasons import read_reason
from yescale.protocols.gemini_generate.responses import call_stem, decode_answer, listen, read_block, read_scores
from yescale.protocols.gemini_generate.schema import WireAnswer, WireCandidate
from yescale.protocols.gemini_generate.searches import Searches
from yescale.protocols.gemini_generate.usage import read_report

_MOST_CHOICES: Final = 128


class _Choice:
    """One candidate as it grows."""

    __slots__ = ("_audio", "_blocked", "_called", "_calls", "_cited", "_index", "_number", "_open", "_texts", "reason")

    def __init__(self, number: int, calls: Calls) -> None:
        self._number = number
        self._calls = calls
        self._index = -1  # of the last part
        self._open: Part | None = None
        self._audio = Joiner()
        self._cited: list[Citation] = []
        self._texts: list[list[str]] = []  # of each visible text, for the places of citations
        self._blocked = False
        self._called = False
        self.reason = ""

    def hear(self, candidate: WireCandidate) -> Iterator[Event]:
        raws = [] if candidate.content is None else candidate.content.parts or []
        for number, raw in enumerate(raws):
            for part in decode_part(Raw(bytes(raw)), f"content.parts[{number}]", self._calls):
                yield from self._grow(part)
        if candidate.logprobs_result is not None:
            scores = read_scores(candidate.logprobs_result)
            yield from [Scored(scores=scores, choice=self._number)] if scores else []
        if candidate.cites:
            yield from self._cite(candidate)
        self.reason = candidate.finish_reason or self.reason

    def block(self, blocked: Choice) -> Iterator[Event]:
        self._blocked = True
        self.reason = blocked.raw_reason
        for part in blocked.parts:
            yield from self._grow(part)

    def end(self) -> Iterator[Event]:
        yield from self._close()
        reason = StopReason.FILTERED if self._blocked else read_reason(self.reason, called=self._called)
        yield MessageEnd(reason=reason, raw_reason=self.reason, choice=self._number)

    def _grow(self, part: Part) -> Iterator[Event]:
        """Text goes on where text stood; everything else is whole."""
        match part:
            case Text() if not part.text:
                pass
            case Text():
                yield from self._ensure(Text(text=""))
                self._texts[-1].append(part.text)
                yield self._delta("text", part.text)
            case Thinking(redacted=False):
                yield from self._ensure(Thinking(origin=part.origin))
                yield from [self._delta("text", part.text)] if part.text else []
                if part.seal:
                    yield self._delta("seal", part.seal)
                    yield from self._close()
            case Audio(source=Inline(media_type, data)):
                yield from self._ensure(Audio(source=Inline(media_type, "")))
                joined = self._audio.add(data)
                yield from [self._delta("audio", joined)] if joined else []
            case _:
                self._called = self._called or isinstance(part, ToolCall)
                yield from self._start(part)
                yield from self._close()

    def _ensure(self, part: Part) -> Iterator[Event]:
        """Such a part is open."""
        if self._open != part:
            yield from self._start(part)

    def _start(self, part: Part) -> Iterator[Event]:
        yield from self._close()
        self._index += 1
        self._open = part
        if isinstance(part, Text):
            self._texts.append([part.text])
        yield PartStart(index=self._index, part=part, choice=self._number)

    def _close(self) -> Iterator[Event]:
        rest = self._audio.end()
        if rest:
            yield self._delta("audio", rest)
        if self._open is not None:
            yield PartEnd(index=self._index, choice=self._number)
        self._open = None

    def _delta(self, kind: DeltaKind, data: str) -> PartDelta:
        return PartDelta(index=self._index, kind=kind, data=data, choice=self._number)

    def _cite(self, candidate: WireCandidate) -> Iterator[Event]:
        """Only the open text can be cited: what stands at an earlier one keeps its source and loses its place."""
        found = read_citations(candidate, ["".join(text) for text in self._texts])
        placed = [one for one in found if one.citation not in self._cited]  # some chunks repeat what others said
        self._cited += [one.citation for one in placed]
        if placed and not isinstance(self._open, Text):
            yield from self._start(Text(text=""))
        last = len(self._texts) - 1
        for one in placed:
            citation = one.citation if one.text == last else replace(one.citation, start=-1, end=-1)
            yield Cited(index=self._index, citation=citation, choice=self._number)


class _Chunks:
    """What the chunks say, in whichever form they came."""

    __slots__ = ("_choices", "_failed", "_id", "_reported", "_searches", "_started")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._id = ""
        self._started = False
        self._failed = False
        self._reported: UsageReport | None = None
        self._searches = Searches()

    def hear(self, data: bytes) -> Iterator[Event]:
        """The events of one chunk. Raises Garbled."""
        if self._failed:
            return
        wire = decode_answer(data)
        if not self._started:
            self._started = True
            self._id = wire.response_id or ""
            yield MessageStart(id=self._id, model=wire.model_version or "")
        if not is_null(wire.error):
            self._failed = True
            error = read_error(data)
            yield StreamError(message=error.message, code=error.code, type=error.type)
            return
        try:
            yield from self._hear_candidates(wire)
        except Malformed as error:
            raise Garbled(error.fault.message) from error
        yield from self._tell(wire)

    def _hear_candidates(self, wire: WireAnswer) -> Iterator[Event]:
        for candidate in wire.candidates or ():
            if not 0 <= candidate.index < _MOST_CHOICES:
                raise Garbled("a candidate has no possible number")
            yield from self._choice(candidate.index).hear(candidate)
        blocked = read_block(wire)
        if blocked is not None and not self._choices:
            yield from self._choice(0).block(blocked)

    def _choice(self, number: int) -> _Choice:
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _Choice(number, Calls(call_stem(self._id, number)))
        return choice

    def _tell(self, wire: WireAnswer) -> Iterator[Event]:
        listen(self._searches, wire)
        said, known = read_report(wire.usage_metadata), self._reported
        usage = self._searches.beside(said.usage or (known and known.usage) or None)
        tier = said.tier or (known.tier if known else "")
        report = None if usage is None else UsageReport(usage, partial=not self._finished, tier=tier)
        if report is not None and report != known:
            self._reported = report
            yield report

    @property
    def _finished(self) -> bool:
        """Whether every candidate said why it ended."""
        return bool(self._choices) and all(choice.reason for choice in self._choices.values())

    def end(self) -> Iterator[Event]:
        """The stream is over: the end of every candidate, if all have one; else it was cut."""
        if self._failed or not self._finished:
            return
        for choice in self._choices.values():
            yield from choice.end()
        yield StreamEnd()


class SseDecoder:
    """A stream of server-sent events."""

    __slots__ = ("_chunks", "_framer")

    def __init__(self, limit: int) -> None:
        self._framer = sse.Framer(limit)
        self._chunks = _Chunks()

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now."""
        try:
            block = self._framer.feed(data)
        except sse.TooLong as error:
            raise Garbled(str(error)) from error
        return [event for one in sse.split(block) for event in self._hear(one)]

    def finish(self) -> Sequence[Event]:
        """What was held, and the end. A last chunk without its blank line counts if it is whole."""
        try:
            held = list(self._hear(self._framer.finish()))
        except Garbled:
            return []
        return [*held, *self._chunks.end()]

    def _hear(self, event: bytes) -> Iterator[Event]:
        _, data = sse.data_of(event)
        return self._chunks.hear(data) if data and data != b"[DONE]" else iter(())


class ArrayDecoder:
    """A stream as one JSON array."""

    __slots__ = ("_chunks", "_framer")

    def __init__(self, limit: int) -> None:
        self._framer = ArrayFramer(limit)
        self._chunks = _Chunks()

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now."""
        try:
            elements = self._framer.feed(data)
        except sse.TooLong as error:
            raise Garbled(str(error)) from error
        return [event for element in elements for event in self._chunks.hear(element)]

    def finish(self) -> Sequence[Event]:
        """The end, if the array was closed."""
        return list(self._chunks.end()) if self._framer.closed else []
