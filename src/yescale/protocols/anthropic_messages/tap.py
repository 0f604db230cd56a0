"""The tap on a stream of messages: whole events pass, usage is read, an error is withheld."""

from typing import Final

import msgspec

from yescale.domain.usage import Meter, Usage, tier_of
from yescale.protocols import sse
from yescale.protocols.anthropic_messages.errors import read_error
from yescale.protocols.anthropic_messages.responses import text_bytes
from yescale.protocols.anthropic_messages.schema import WireEvent, WireUsage
from yescale.protocols.anthropic_messages.taking import said
from yescale.protocols.anthropic_messages.usage import NONE_SAID, input_meters, merge, meters, read_usage, tier_word
from yescale.protocols.passthrough import UpstreamError

_EVENT: Final = msgspec.json.Decoder(WireEvent)
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_END: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_STARTS: Final = (b'_delta","text":"', b'_delta","thinking":"', b'_delta","partial_json":"')
_BACKSLASH: Final = 0x5C


class MessageTap:
    """One stream. Blocks of the usual deltas pass after a few byte searches.

    Until the usage of the whole has come, `usage` is the prompt's, with the little output that its start tells of.
    """

    __slots__ = ("_framer", "_wire", "done", "error", "finished", "partial", "text_bytes", "tier", "usage")

    def __init__(self, _: bool, max_event_bytes: int) -> None:
        self._framer = sse.Framer(max_event_bytes)
        self._wire = NONE_SAID
        self.usage: Usage | None = None
        self.partial = False
        self.done = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.text_bytes = 0
        self.tier = ""

    def feed(self, data: bytes) -> bytes:
        """The whole events of `data` and of what was held, but for an error and what follows."""
        if self.done or self.error is not None:
            return b""
        return self._listen(self._framer.feed(data))

    def finish(self) -> bytes:
        """What the upstream left open: an event without its blank line if it is whole, the end mark if it finished."""
        if self.done or self.error is not None:
            return b""
        tail = self._framer.finish().rstrip(b"\r\n")
        out = self._listen(tail + b"\n\n") if _is_whole(tail) else b""
        if self.finished and not self.done and self.error is None:
            self.done = True
            out += _END
        return out

    def _listen(self, block: bytes) -> bytes:
        if b"message_" in block or b'"error"' in block or b"event: error" in block or b"event:error" in block:
            return self._sift(block)
        self.text_bytes += _count_text(block)
        return block

    def _sift(self, block: bytes) -> bytes:
        kept: list[bytes] = []
        for event in sse.split(block):
            if self._hear(event):
                kept.append(event)
            if self.done or self.error is not None:
                break
        return b"".join(kept)

    def _hear(self, event: bytes) -> bool:
        """Take in one event; whether the client gets it."""
        name, data = sse.data_of(event)
        wire = _decode(data)
        if name == b"error" or wire.type == "error" or said(wire.error):
            self.error = read_error(data)
            return False
        match wire.type:
            case "message_start" if wire.message is not None:
                self._begin(read_usage(wire.message.usage))
                self.tier = tier_of(tier_word(self._wire))
            case "message_delta":
                self._end(wire)
            case "message_stop":
                self.done = True
            case _:
                self.text_bytes += _count_text(event)
        return True

    def _begin(self, wire: WireUsage) -> None:
        """The usage of the prompt has come."""
        self._wire = wire
        known = input_meters(wire)
        if known is not None:
            self.usage, self.partial = {**known, Meter.OUTPUT_TOKENS: max(0, wire.output_tokens or 0)}, True

    def _end(self, wire: WireEvent) -> None:
        self.finished = self.finished or (wire.delta is not None and wire.delta.stop_reason is not None)
        if not said(wire.usage):
            return
        self._wire = merge(self._wire, read_usage(wire.usage))
        self.tier = tier_of(tier_word(self._wire))
        usage = meters(self._wire)
        if usage is not None:
            self.usage, self.partial = usage, not self.finished


def _decode(data: bytes) -> WireEvent:
    """An event whatever it is: one that cannot be read says nothing."""
    try:
        return _EVENT.decode(data)
    except _BROKEN:
        return WireEvent()


def _is_whole(event: bytes) -> bool:
    """Whether an event that nothing closed is not half a one."""
    _, data = sse.data_of(event)
    try:
        _EVENT.decode(data)
    except _BROKEN:
        return False
    return True


def _count_text(block: bytes) -> int:
    """About how many bytes of output text: the usual shape by searches alone, any other by a pattern."""
    if block.find(b"\n\n") != len(block) - 2:
        return text_bytes(block)
    for mark in _STARTS:
        at = block.find(mark)
        if at >= 0:
            size = _measure(block, at + len(mark))
            return text_bytes(block) if size < 0 else size
    return text_bytes(block)


def _measure(block: bytes, start: int) -> int:
    """Bytes to the quote that ends a string; below 0 where its last letter hides it."""
    end = block.find(b'"', start)
    while end > 0 and block[end - 1] == _BACKSLASH:
        end = block.find(b'"', end + 1)
    return end - start if end >= 0 else -1
