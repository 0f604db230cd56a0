"""Events written as a stream of Anthropic's, for a client.

Blocks are numbered as they are written: a part may be none, one, or a call and the seal beside it.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import StopReason
from yescale.domain.content import Audio, Part, Refusal, Text, Thinking, ToolCall
from yescale.domain.events import (
    Cited,
    Event,
    MessageEnd,
    MessageStart,
    PartDelta,
    PartEnd,
    PartStart,
    StreamEnd,
    UsageReport,
)
from yescale.domain.usage import Usage
from yescale.protocols.anthropic_messages import citations
from yescale.protocols.anthropic_messages.answering import (
    carried,
    carry_seal,
    open_call,
    words_of,
    write_citations,
    write_part,
)
from yescale.protocols.anthropic_messages.prompting import Block
from yescale.protocols.anthropic_messages.responses import message_id
from yescale.protocols.anthropic_messages.taking import fields_of
from yescale.protocols.anthropic_messages.usage import write_usage
from yescale.protocols.anthropic_messages.words import STOP_WORDS, TIERS_SHOWN
from yescale.protocols.codec import Envelope

_ENCODER: Final = msgspec.json.Encoder()
_UNENDED: Final = MessageEnd(reason=StopReason.OTHER)
_CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use", "tool_use"})


class MessageEncoder:
    """One stream: its first choice, the only one that the format can say."""

    __slots__ = ("_end", "_envelope", "_next", "_open", "_part", "_seal", "_usage")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._usage: Usage | None = None
        self._end = _UNENDED
        self._next = 0  # the index of the next block
        self._open = False  # whether that block is begun
        self._part: Part | None = None
        self._seal = ""

    def encode(self, event: Event) -> bytes:
        """What this event adds."""
        match event:
            case MessageStart():
                return self._begin(event)
            case UsageReport():
                self._usage = event.usage
                return b""
            case StreamEnd():
                return self._finish()
            case PartStart() | PartDelta() | Cited() | PartEnd() | MessageEnd() if event.choice == 0:
                return self._take(event)
            case _:
                return b""

    def _take(self, event: PartStart | PartDelta | Cited | PartEnd | MessageEnd) -> bytes:
        match event:
            case PartStart():
                return self._start(event.part)
            case PartDelta():
                return self._grow(event)
            case Cited():
                wire = citations.write(event.citation)
                return b"" if wire is None else self._text_open() + self._delta("citations_delta", citation=wire)
            case PartEnd():
                return self._close()
            case MessageEnd():
                self._end = event
                return b""

    def _begin(self, event: MessageStart) -> bytes:
        usage = write_usage({}) | write_usage(None, event.input_tokens or self._envelope.input_tokens)
        if event.service_tier in TIERS_SHOWN:
            usage["service_tier"] = TIERS_SHOWN[event.service_tier]
        message: Block = {
            "id": message_id(self._envelope.id),
            "type": "message",
            "role": "assistant",
            "model": self._envelope.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return _frame("message_start", message=message)

    def _start(self, part: Part) -> bytes:
        """A text begins with its first letter, so that an empty one is no block; whole parts come at their end."""
        self._part, self._seal = part, ""
        match part:
            case Text() | Refusal() | Audio():
                text = words_of(part)
                cited = write_citations(part.citations) if isinstance(part, Text) else []
                out = self._say(text) if text else b""
                if cited:
                    out += self._text_open()
                return out + b"".join(self._delta("citations_delta", citation=each) for each in cited)
            case Thinking() if not part.redacted:
                self._seal = part.seal
                out = self._begin_block({"type": "thinking", "thinking": "", "signature": ""})
                return out + (self._delta("thinking_delta", thinking=part.text) if part.text else b"")
            case ToolCall():
                out = b"".join(map(self._whole, carry_seal(part))) + self._begin_block(open_call(part))
                if part.custom:
                    out += self._delta("input_json_delta", partial_json='{"input":"')
                return out + self._argue(part.arguments)
            case _:
                return b""

    def _grow(self, event: PartDelta) -> bytes:
        part, data = self._part, event.data
        if event.kind == "seal":
            self._seal = data
            return b""
        match part:
            case ToolCall():
                return self._argue(data)
            case Thinking():
                return self._delta("thinking_delta", thinking=data)
            case Audio() if event.kind == "audio":
                return b""
            case _:
                return self._say(data) if data else b""

    def _argue(self, piece: str) -> bytes:
        """A piece of a call's arguments; free text goes inside a string."""
        if not piece:
            return b""
        if isinstance(self._part, ToolCall) and self._part.custom:
            piece = _ENCODER.encode(piece)[1:-1].decode()
        return self._delta("input_json_delta", partial_json=piece)

    def _close(self) -> bytes:
        part, seal = self._part, self._seal
        self._part = None
        match part:
            case Text() | Refusal() | Audio():
                return self._end_block() if self._open else b""
            case Thinking() if not part.redacted:
                signature = carried(seal, part.origin)
                said = self._delta("signature_delta", signature=signature) if signature else b""
                return said + self._end_block()
            case ToolCall():
                closed = self._delta("input_json_delta", partial_json='"}') if part.custom else b""
                late = carry_seal(replace(part, seal=seal)) if seal else []
                return closed + self._end_block() + b"".join(map(self._whole, late))
            case Thinking() if seal:
                return b"".join(map(self._whole, write_part(replace(part, seal=seal))))
            case None:
                return b""
            case _:
                return b"".join(map(self._whole, write_part(part)))

    def _say(self, text: str) -> bytes:
        return self._text_open() + self._delta("text_delta", text=text)

    def _text_open(self) -> bytes:
        return b"" if self._open else self._begin_block({"type": "text", "text": ""})

    def _begin_block(self, block: Block | Raw) -> bytes:
        self._open = True
        return _frame("content_block_start", index=self._next, content_block=block)

    def _delta(self, kind: str, **said: object) -> bytes:
        return _frame("content_block_delta", index=self._next, delta={"type": kind, **said})

    def _end_block(self) -> bytes:
        out = _frame("content_block_stop", index=self._next)
        self._open = False
        self._next += 1
        return out

    def _whole(self, block: Block | Raw) -> bytes:
        """A block that is known whole: text and input in one delta, as Anthropic's own come; any other at its start."""
        fields = dict(fields_of(_ENCODER.encode(block)))
        kind = bytes(fields.get("type", b"")).strip(b'"').decode(errors="replace")
        if kind == "text":
            text = msgspec.json.decode(fields["text"], type=str)
            return self._say(text) + self._end_block()
        if kind in _CALLS and "input" in fields:
            written = bytes(fields["input"]).decode(errors="replace")
            fields["input"] = Raw(b"{}")
            said = self._begin_block(Raw(_ENCODER.encode(fields)))
            return said + self._delta("input_json_delta", partial_json=written) + self._end_block()
        return self._begin_block(block) + self._end_block()

    def _finish(self) -> bytes:
        """The usage stands in the last event but one, whenever it came."""
        usage = write_usage(self._usage, self._envelope.input_tokens)
        usage.pop("cache_creation", None)
        delta = {"stop_reason": STOP_WORDS[self._end.reason], "stop_sequence": self._end.stop_sequence or None}
        return _frame("message_delta", delta=delta, usage=usage) + _frame("message_stop")


def _frame(name: str, **said: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _ENCODER.encode({"type": name, **said}))
