"""A stream of Converse's read into events.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html; blocks other than calls
have no start of their own.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import StopReason
from yescale.domain.content import Part, Text, Thinking, ToolCall
from yescale.domain.events import (
    Cited,
    Event,
    MessageEnd,
    MessageStart,
    PartDelta,
    PartEnd,
    PartStart,
    StreamEnd,
    StreamError,
    UsageReport,
)
from yescale.domain.usage import tier_of
from yescale.protocols import eventstream
from yescale.protocols.bedrock_converse.responses import BROKEN, citation, redacted, stop_sequence
from yescale.protocols.bedrock_converse.schema import WireDelta, WireEvent, WireReasoningDelta
from yescale.protocols.bedrock_converse.usage import meters
from yescale.protocols.bedrock_converse.words import CLAUDE, STOP_REASONS
from yescale.protocols.codec import Garbled
from yescale.protocols.eventstream import BadFrame, Frame
from yescale.protocols.reading import expect_text

_EVENT: Final = msgspec.json.Decoder(WireEvent)
_NO_BLOCK: Final = -1
_NOTHING: Final = b"null"
_NO_INPUT: Final = "{}"


class ConverseDecoder:
    """One stream. Blocks become parts, counted anew; the usage comes behind the message's end."""

    __slots__ = ("_block", "_due", "_ended", "_framer", "_grew", "_over", "_part", "_started")

    def __init__(self, limit: int) -> None:
        self._framer = eventstream.Framer(limit)
        self._started = self._ended = self._over = False
        self._block = _NO_BLOCK  # the index that is open upstream
        self._part: Part | None = None  # the open one; a block of which nothing was said yet has none
        self._grew = False
        self._due = 0  # the index of the next part

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now."""
        events: list[Event] = []
        try:
            for frame in self._framer.feed(data):
                if not self._over:
                    events += self._hear(frame)
        except BadFrame as error:
            raise Garbled(str(error)) from None
        except BROKEN as error:
            raise Garbled(f"no stream of Converse: {error}") from None
        return events

    def finish(self) -> Sequence[Event]:
        """The stream is over: one that lacks its usage alone is whole, half a frame was cut."""
        if not self._ended or self._over:
            return ()
        self._over = True
        return (StreamEnd(),)

    def _hear(self, frame: Frame) -> Iterator[Event]:
        wire = _EVENT.decode(expect_text(frame.payload or b"{}"))
        if not self._started:
            self._started = True
            yield MessageStart()
        if frame.failed:
            self._over = True
            yield StreamError(message=wire.message, code=frame.name, type=frame.name)
            return
        match frame.name:
            case "contentBlockStart":
                yield from self._open(wire)
            case "contentBlockDelta":
                yield from self._grow(wire)
            case "contentBlockStop":
                yield from self._close(wire)
            case "messageStop":
                yield from self._stop(wire)
            case "metadata":
                yield from self._tell(wire)
            case _:
                pass

    def _open(self, wire: WireEvent) -> Iterator[Event]:
        self._enter(wire.content_block_index)
        call = wire.start.tool_use if wire.start is not None else None
        if call is not None:
            yield self._begin(ToolCall(id=call.tool_use_id, name=call.name, arguments=""))

    def _enter(self, index: int) -> None:
        if self._block != _NO_BLOCK or self._ended or index < 0:
            raise Garbled("a block starts within another, or behind the end, or counts from below zero")
        self._block, self._grew = index, False

    def _begin(self, part: Part) -> PartStart:
        self._part = part
        return PartStart(index=self._due, part=part)

    def _grow(self, wire: WireEvent) -> Iterator[Event]:
        if self._block == _NO_BLOCK:
            self._enter(wire.content_block_index)
        if wire.content_block_index != self._block:
            raise Garbled(f"a delta of block {wire.content_block_index} while {self._block} is open")
        delta = wire.delta or WireDelta()
        if delta.text is not None:
            yield from self._add_text(delta.text)
        if delta.tool_use is not None:
            yield from self._add_input(delta.tool_use.input)
        if delta.reasoning_content is not None:
            yield from self._add_thought(delta.reasoning_content)
        if bytes(delta.citation) != _NOTHING:
            yield from self._add_citation(delta.citation)

    def _add_text(self, text: str) -> Iterator[Event]:
        yield from self._as(Text(text=""))
        if text:
            yield PartDelta(index=self._due, kind="text", data=text)

    def _add_input(self, piece: str) -> Iterator[Event]:
        if not isinstance(self._part, ToolCall):
            raise Garbled("arguments of a call that did not start")
        if piece:
            self._grew = True
            yield PartDelta(index=self._due, kind="arguments", data=piece)

    def _add_thought(self, delta: WireReasoningDelta) -> Iterator[Event]:
        if delta.redacted_content is not None:
            if self._part is not None:
                raise Garbled("a sealed thought within another block")
            yield self._begin(redacted(delta.redacted_content))
            return
        yield from self._as(Thinking(origin=CLAUDE))
        if delta.text:
            yield PartDelta(index=self._due, kind="text", data=delta.text)
        if delta.signature:
            yield PartDelta(index=self._due, kind="seal", data=delta.signature)

    def _add_citation(self, raw: Raw) -> Iterator[Event]:
        yield from self._as(Text(text=""))
        yield Cited(index=self._due, citation=citation(raw))

    def _as(self, part: Part) -> Iterator[Event]:
        """See to it that a part of this kind is open."""
        if self._part is None:
            yield self._begin(part)
        elif type(self._part) is not type(part):
            raise Garbled("a delta of another kind than its block")

    def _close(self, wire: WireEvent) -> Iterator[Event]:
        if wire.content_block_index != self._block or self._block == _NO_BLOCK:
            raise Garbled(f"block {wire.content_block_index} ends while {self._block} is open")
        if isinstance(self._part, ToolCall) and not self._grew:
            yield PartDelta(index=self._due, kind="arguments", data=_NO_INPUT)
        if self._part is not None:
            yield PartEnd(index=self._due)
            self._due += 1
        self._block, self._part = _NO_BLOCK, None

    def _stop(self, wire: WireEvent) -> Iterator[Event]:
        if self._block != _NO_BLOCK or self._ended:
            raise Garbled("the message ends within a block, or twice")
        self._ended = True
        yield MessageEnd(
            reason=STOP_REASONS.get(wire.stop_reason, StopReason.OTHER),
            raw_reason=wire.stop_reason,
            stop_sequence=stop_sequence(wire.additional_model_response_fields),
        )

    def _tell(self, wire: WireEvent) -> Iterator[Event]:
        usage = meters(wire.usage)
        if usage is not None:
            yield UsageReport(usage, tier=tier_of(wire.service_tier and wire.service_tier.type))
        if self._ended:
            self._over = True
            yield StreamEnd()
