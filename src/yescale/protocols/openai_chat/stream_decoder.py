"""An upstream's stream of chunks as events. Chat never says where a part begins or ends: this works it out."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from yescale.domain.content import Audio, Citation, Inline, Part, Refusal, Text, Thinking, ToolCall
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
from yescale.domain.usage import tier_of
from yescale.protocols import sse
from yescale.protocols.codec import Garbled
from yescale.protocols.openai_chat import parts
from yescale.protocols.openai_chat.answers import call_id, read_reply, read_scores, whole_seconds
from yescale.protocols.openai_chat.chat_schema import WireCall, WireOutcome, WireReply, WireSound, WireTurn
from yescale.protocols.openai_chat.errors import read_error
from yescale.protocols.openai_chat.responses import meters, said
from yescale.protocols.openai_chat.turns import to_call
from yescale.protocols.openai_chat.words import ID, read_reason

_MOST_CHOICES: Final = 128
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Choice:
    """One choice: which part is open, and what is known of the call that it is."""

    __slots__ = ("_calls", "_id", "_index", "_number", "_open", "_refused", "_slot", "_thought", "reason")

    def __init__(self, number: int, message_id: str) -> None:
        self.reason = ""
        self._number = number
        self._id = message_id
        self._open: Part | None = None
        self._index = -1
        self._thought: list[str] = []  # what the open one says so far
        self._slot: int | None = None  # of the open call
        self._calls = 0
        self._refused = False

    def hear(self, wire: WireOutcome) -> Iterator[Event]:
        """What this piece adds."""
        delta = wire.delta or wire.message
        if wire.text:
            yield from self._grow(Text(text=""), "text", wire.text)
        if delta is not None:
            yield from self._hear_delta(delta)
        scores = tuple(read_scores(wire.logprobs))
        if scores:
            yield Scored(scores=scores, choice=self._number)
        self.reason = wire.finish_reason or self.reason

    def end(self) -> Iterator[Event]:
        """The choice is whole."""
        yield from self._close()
        reason = read_reason(self.reason, calls=self._calls > 0, refused=self._refused)
        yield MessageEnd(reason=reason, raw_reason=self.reason, choice=self._number)

    def _hear_delta(self, delta: WireTurn) -> Iterator[Event]:
        yield from self._think(delta)
        for part in parts.read_content(delta.content):
            yield from self._hear_part(part)
        for citation in parts.read_citations(delta.annotations or []):
            yield from self._cite(citation)
        if delta.refusal:
            self._refused = True
            yield from self._grow(Refusal(text=""), "text", delta.refusal)
        yield from self._hear_media(delta)
        for call in delta.tool_calls or ():
            yield from self._call(call)
        if delta.function_call is not None:
            yield from self._call(WireCall(index=0, function=delta.function_call))

    def _hear_part(self, part: Part) -> Iterator[Event]:
        match part:
            case Text(text=text) if text:
                yield from self._grow(Text(text=""), "text", text)
            case Thinking(text=text) if text:
                yield from self._muse(text)
            case Text() | Thinking():
                pass
            case _:
                yield from self._whole(part)

    def _hear_media(self, delta: WireTurn) -> Iterator[Event]:
        for image in delta.images or ():
            if image.image_url is not None:
                yield from self._whole(parts.read_picture(image.image_url))
        if delta.audio is not None:
            yield from self._speak(delta.audio)

    def _think(self, delta: WireTurn) -> Iterator[Event]:
        """Plain thoughts, and what the details beside them add: they repeat the text, and bring the seals."""
        plain = delta.reasoning_content or delta.reasoning or ""
        if plain:
            yield from self._muse(plain)
        for thought in parts.read_thoughts(delta.reasoning_details or []):
            if thought.redacted:
                yield from self._whole(thought)
                continue
            repeated = plain or (thought.seal and "".join(self._thought).endswith(thought.text))
            if thought.text and not repeated:
                yield from self._muse(thought.text)
            if thought.seal:
                yield from self._seal(thought)

    def _muse(self, text: str) -> Iterator[Event]:
        yield from self._grow(Thinking(origin=ID), "text", text)
        self._thought.append(text)

    def _seal(self, thought: Thinking) -> Iterator[Event]:
        """A seal ends the thought that it stands for."""
        if not isinstance(self._open, Thinking):
            yield from self._start(Thinking(origin=ID))
        yield PartDelta(index=self._index, kind="seal", data=thought.seal, choice=self._number)
        yield from self._close()

    def _cite(self, citation: Citation) -> Iterator[Event]:
        if not isinstance(self._open, Text):
            yield from self._start(Text(text=""))
        yield Cited(index=self._index, citation=citation, choice=self._number)

    def _speak(self, sound: WireSound) -> Iterator[Event]:
        if not isinstance(self._open, Audio):
            yield from self._start(Audio(source=Inline("", ""), id=sound.id or "", expires_at=sound.expires_at or 0))
        if sound.data:
            yield PartDelta(index=self._index, kind="audio", data=sound.data, choice=self._number)
        if sound.transcript:
            yield PartDelta(index=self._index, kind="transcript", data=sound.transcript, choice=self._number)

    def _call(self, wire: WireCall) -> Iterator[Event]:
        """A piece of a call: of the open one, or the first of the next."""
        piece = to_call(wire, wire.id or "")
        if not self._continues(wire, piece):
            if piece.id or piece.name:
                yield from self._start_call(wire, piece)
            elif piece.arguments:
                raise Garbled("arguments of a tool call that is not open")
            return
        if piece.arguments:
            yield PartDelta(index=self._index, kind="arguments", data=piece.arguments, choice=self._number)
        if piece.seal:
            yield PartDelta(index=self._index, kind="seal", data=piece.seal, choice=self._number)

    def _continues(self, wire: WireCall, piece: ToolCall) -> bool:
        """Another index, id or name is another call: some servers number them all 0, others leave the number out."""
        held = self._open
        if not isinstance(held, ToolCall) or piece.id not in ("", held.id) or piece.name not in ("", held.name):
            return False
        return wire.index is None or wire.index == self._slot

    def _start_call(self, wire: WireCall, piece: ToolCall) -> Iterator[Event]:
        number = self._calls
        self._calls += 1
        yield from self._start(replace(piece, id=piece.id or call_id(self._id, self._number, number)))
        self._slot = number if wire.index is None else wire.index

    def _grow(self, kind: Text | Thinking | Refusal, delta: DeltaKind, data: str) -> Iterator[Event]:
        """Text for the open part, if it is of this kind; else for a new one."""
        if type(self._open) is not type(kind):
            yield from self._start(kind)
        yield PartDelta(index=self._index, kind=delta, data=data, choice=self._number)

    def _start(self, part: Part) -> Iterator[Event]:
        yield from self._close()
        self._open = part
        self._index += 1
        self._thought = []
        yield PartStart(index=self._index, part=part, choice=self._number)

    def _whole(self, part: Part) -> Iterator[Event]:
        yield from self._start(part)
        yield from self._close()

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            self._open = None
            yield PartEnd(index=self._index, choice=self._number)


class ChatDecoder:
    """One stream. Choices end with the stream: until then a server may still say more of them."""

    __slots__ = ("_choices", "_ended", "_framer", "_limit", "_start")

    def __init__(self, limit: int) -> None:
        self._framer = sse.Framer(limit)
        self._limit = limit
        self._choices: dict[int, _Choice] = {}
        self._start: MessageStart | None = None
        self._ended = False

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now. Raises Garbled."""
        if self._ended:
            return ()
        try:
            block = self._framer.feed(data)
        except sse.TooLong as error:
            raise Garbled(str(error)) from error
        return [event for each in sse.split(block) for event in self._hear(each)]

    def finish(self) -> Sequence[Event]:
        """The stream is over. One whose choices all said why they stopped is whole, be its end mark missing."""
        if self._ended:
            return ()
        found = [*self._hear(self._framer.finish())]
        if not self._ended and self._choices and all(choice.reason for choice in self._choices.values()):
            found += self._end()
        return found

    def _hear(self, event: bytes) -> Iterator[Event]:
        if len(event) > self._limit:
            raise Garbled(f"an event is longer than {self._limit} bytes")
        name, data = sse.data_of(event)
        if self._ended or not data:
            return
        if data.strip() == b"[DONE]":
            yield from self._end()
            return
        if name == b"error":
            yield from self._fail(data)
            return
        wire = read_reply(data)
        if said(wire.error):
            yield from self._fail(data)
            return
        try:
            yield from self._hear_chunk(wire)
        except _BROKEN as error:
            raise Garbled(f"no chunk of a chat completion: {error}") from error

    def _hear_chunk(self, wire: WireReply) -> Iterator[Event]:
        yield from self._begin(wire)
        for outcome in wire.outcomes or ():
            yield from self._choice(outcome.index).hear(outcome)
        usage = meters(wire.usage)
        if usage is not None:
            partial = bool(wire.outcomes) and not self._finished
            yield UsageReport(usage, partial=partial, tier=tier_of(wire.service_tier))

    def _begin(self, wire: WireReply) -> Iterator[Event]:
        if self._start is None:
            self._start = MessageStart(
                id=wire.id or "",
                model=wire.model or "",
                created=whole_seconds(wire),
                service_tier=wire.service_tier or "",
            )
            yield self._start

    def _choice(self, number: int) -> _Choice:
        found = self._choices.get(number)
        if found is None:
            if not 0 <= number < _MOST_CHOICES:
                raise Garbled(f"a choice is numbered {number}")
            message_id = "" if self._start is None else self._start.id
            found = self._choices[number] = _Choice(number, message_id)
        return found

    @property
    def _finished(self) -> bool:
        """Whether a choice said why it stopped: what some servers count with every chunk is the last count then."""
        return any(choice.reason for choice in self._choices.values())

    def _end(self) -> Iterator[Event]:
        yield from self._begin(WireReply())
        for number in sorted(self._choices):
            yield from self._choices[number].end()
        self._ended = True
        yield StreamEnd()

    def _fail(self, data: bytes) -> Iterator[Event]:
        self._ended = True
        error = read_error(data)
        yield from self._begin(WireReply())
        yield StreamError(message=error.message, code=error.code, type=error.type)
