"""A stream of Anthropic's read into events.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import StopReason
from yescale.domain.content import HostedCall, Part, Text, Thinking, ToolCall
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
from yescale.domain.usage import INPUT_METERS, tier_of
from yescale.protocols import sse
from yescale.protocols.anthropic_messages import citations, hosted
from yescale.protocols.anthropic_messages.blocks import BlockReader
from yescale.protocols.anthropic_messages.errors import read_error
from yescale.protocols.anthropic_messages.schema import WireBegun, WireDelta, WireEvent, WireToolUse
from yescale.protocols.anthropic_messages.taking import fields_of, kind_of, object_text, said, take_text
from yescale.protocols.anthropic_messages.usage import NONE_SAID, input_meters, merge, meters, read_usage, tier_word
from yescale.protocols.anthropic_messages.words import STOP_REASONS
from yescale.protocols.codec import Garbled, Malformed

_EVENT: Final = msgspec.json.Decoder(WireEvent)
_CALL: Final = msgspec.json.Decoder(WireToolUse)
_ENCODER: Final = msgspec.json.Encoder()
_NO_BLOCK: Final = -1
_NO_INPUT: Final = "{}"
_KINDS: Final = frozenset(
    {"content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"}
)


class MessageDecoder:
    """One stream. Blocks become parts, counted anew; a server tool's call comes whole, once its input is there."""

    __slots__ = (
        "_block", "_call", "_due", "_ended", "_framer", "_limit", "_over", "_part", "_pieces", "_reason", "_size",
        "_started", "_stop_sequence", "_usage",
    )  # fmt: skip

    def __init__(self, limit: int) -> None:
        self._framer = sse.Framer(limit)
        self._limit = limit
        self._usage = NONE_SAID
        self._started = self._ended = self._over = False
        self._block = _NO_BLOCK  # the index that is open upstream
        self._due = 0  # the index of the next part
        self._part: Part | None = None  # the open one
        self._call: Raw | None = None  # a server tool's call, held until its input is whole
        self._pieces: list[str] = []  # of that input
        self._size = 0  # characters of the open call's input
        self._reason = self._stop_sequence = ""

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that are whole by now."""
        try:
            return self._read(self._framer.feed(data))
        except sse.TooLong as error:
            raise Garbled(str(error)) from None

    def finish(self) -> Sequence[Event]:
        """What was held, if it is a whole event without its blank line; half a one was cut."""
        tail = self._framer.finish()
        return self._read(tail) if is_event(sse.data_of(tail)[1]) else []

    def _read(self, block: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            for each in sse.split(block):
                if self._over:
                    break
                name, data = sse.data_of(each)
                if data and data != b"[DONE]":
                    events += self._hear(name, data)
        except Malformed as wrong:
            raise Garbled(f"no stream of the Messages API: {wrong}") from None
        return events

    def _hear(self, name: bytes, data: bytes) -> Iterator[Event]:
        wire = take_text(_EVENT, data)
        kind = wire.type or name.decode("latin-1")
        if kind == "error" or said(wire.error):
            yield from self._fail(data)
        elif kind == "message_start":
            yield from self._begin(wire)
        elif kind in _KINDS:
            if not self._started:
                yield from self._start(WireBegun())
            yield from self._follow(kind, wire)

    def _follow(self, kind: str, wire: WireEvent) -> Iterator[Event]:
        match kind:
            case "content_block_start":
                return self._open(wire)
            case "content_block_delta":
                return self._grow(wire)
            case "content_block_stop":
                return self._close(wire)
            case "message_delta":
                return self._turn(wire)
            case _:
                return self._stop()

    def _fail(self, data: bytes) -> Iterator[Event]:
        self._over = True
        if not self._started:
            yield from self._start(WireBegun())
        error = read_error(data)
        yield StreamError(message=error.message, code=error.code, type=error.type)

    def _begin(self, wire: WireEvent) -> Iterator[Event]:
        if self._started:
            raise Garbled("the message starts twice")
        yield from self._start(wire.message or WireBegun())

    def _start(self, message: WireBegun) -> Iterator[Event]:
        """The prompt's usage comes first; of the output nothing is known yet."""
        self._started = True
        self._usage = read_usage(message.usage)
        usage = input_meters(self._usage)
        yield MessageStart(
            id=message.id,
            model=message.model,
            service_tier=tier_word(self._usage),
            input_tokens=sum(count for meter, count in (usage or {}).items() if meter in INPUT_METERS),
        )
        if usage is not None:
            yield UsageReport(usage, partial=True, tier=tier_of(tier_word(self._usage)))

    def _open(self, wire: WireEvent) -> Iterator[Event]:
        if self._block != _NO_BLOCK or self._ended or wire.index < 0:
            raise Garbled("a block starts within another, or behind the end, or counts from below zero")
        self._block = wire.index
        kind = kind_of(wire.content_block, "content_block")
        if kind in hosted.CALLS:
            self._call = wire.content_block.copy()
            return
        part = BlockReader(client=False).read(_with_input(kind, wire.content_block), "content_block")
        if isinstance(part, ToolCall) and part.arguments == _NO_INPUT:
            part = replace(part, arguments="")
        self._part = part
        yield PartStart(index=self._due, part=part)

    def _grow(self, wire: WireEvent) -> Iterator[Event]:
        delta = wire.delta or WireDelta()
        if wire.index != self._block or self._block == _NO_BLOCK:
            raise Garbled(f"a delta of block {wire.index} while {self._block} is open")
        if delta.partial_json is not None:
            yield from self._take_json(delta.partial_json)
            return
        if delta.text and isinstance(self._part, Text):
            yield PartDelta(index=self._due, kind="text", data=delta.text)
        if delta.thinking and isinstance(self._part, Thinking):
            yield PartDelta(index=self._due, kind="text", data=delta.thinking)
        if delta.signature and isinstance(self._part, Thinking):
            yield PartDelta(index=self._due, kind="seal", data=delta.signature)
        if said(delta.citation) and isinstance(self._part, Text):
            yield Cited(index=self._due, citation=citations.read(delta.citation, "delta.citation"))

    def _take_json(self, piece: str) -> Iterator[Event]:
        """Arguments come in deltas; a block that had them all at its start may only repeat them."""
        self._size += len(piece)
        if self._call is not None:
            if self._size > self._limit:
                raise Garbled(f"a call is longer than {self._limit} bytes")
            self._pieces.append(piece)
        elif isinstance(self._part, ToolCall) and piece and not self._part.arguments:
            yield PartDelta(index=self._due, kind="arguments", data=piece)

    def _close(self, wire: WireEvent) -> Iterator[Event]:
        if wire.index != self._block or self._block == _NO_BLOCK:
            raise Garbled(f"block {wire.index} ends while {self._block} is open")
        if self._call is not None:
            yield PartStart(index=self._due, part=self._whole_call(self._call))
        elif isinstance(self._part, ToolCall) and not self._size and not self._part.arguments:
            yield PartDelta(index=self._due, kind="arguments", data=_NO_INPUT)
        yield PartEnd(index=self._due)
        self._due += 1
        self._block, self._part, self._call = _NO_BLOCK, None, None
        self._pieces, self._size = [], 0

    def _whole_call(self, raw: Raw) -> HostedCall:
        """A server tool's call with the input that its deltas told."""
        fields = dict(fields_of(raw, "content_block"))
        text = "".join(self._pieces)
        if text.strip():
            whole = text.encode(errors="replace")
            fields["input"] = Raw(whole if object_text(text) else _ENCODER.encode({"_raw": text}))
        fields.setdefault("input", Raw(b"{}"))
        found = hosted.read_block("server_tool_use", Raw(_ENCODER.encode(fields)), "content_block")
        if not isinstance(found, HostedCall):
            raise Garbled("a call that is none")
        return found

    def _turn(self, wire: WireEvent) -> Iterator[Event]:
        """`message_delta`: why it ends, and the usage of the whole."""
        delta = wire.delta or WireDelta()
        self._reason = delta.stop_reason or self._reason
        self._stop_sequence = delta.stop_sequence or self._stop_sequence
        if said(wire.usage):
            self._usage = merge(self._usage, read_usage(wire.usage))
            usage = meters(self._usage)
            if usage is not None:
                yield UsageReport(usage, partial=not self._reason, tier=tier_of(tier_word(self._usage)))

    def _stop(self) -> Iterator[Event]:
        if self._block != _NO_BLOCK:
            raise Garbled("the message ends within a block")
        self._ended = self._over = True
        reason = STOP_REASONS.get(self._reason, StopReason.OTHER)
        yield MessageEnd(reason=reason, raw_reason=self._reason, stop_sequence=self._stop_sequence)
        yield StreamEnd()


def is_event(data: bytes) -> bool:
    """Whether the data of an event is whole."""
    try:
        _EVENT.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def _with_input(kind: str, raw: Raw) -> Raw:
    """A block as a stream begins it: some servers leave out of it what the deltas will say."""
    wanted = {"tool_use": "input", "text": "text", "thinking": "thinking"}.get(kind)
    if wanted is None:
        return raw
    fields = dict(fields_of(raw, "content_block"))
    if wanted in fields and said(fields[wanted]):
        return raw
    fields[wanted] = Raw(b"{}" if wanted == "input" else b'""')
    return Raw(_ENCODER.encode(fields))
