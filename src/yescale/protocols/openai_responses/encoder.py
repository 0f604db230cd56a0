"""Canonical events as a client's stream of a response, or as the response that the stream's last event carries."""

from collections.abc import Iterator
from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

from yescale.domain.assembly import disassemble
from yescale.domain.chat import ChatResponse, StopReason
from yescale.domain.content import (
    Audio,
    File,
    HostedCall,
    HostedResult,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from yescale.domain.custom_tools import custom_names
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
from yescale.protocols.codec import Envelope
from yescale.protocols.openai_responses.answers import Ending, status_of, write_response
from yescale.protocols.openai_responses.groups import groups_of
from yescale.protocols.openai_responses.hosted_items import hosted_item, picture_item, raw_item
from yescale.protocols.openai_responses.input_items import Wire
from yescale.protocols.openai_responses.output_items import (
    CallItem,
    Item,
    MessageItem,
    Signal,
    ThoughtItem,
)
from yescale.protocols.openai_responses.schema import OWN

_JSON: Final = msgspec.json.Encoder()


class _Writer:
    """An answer as it grows: its items and the events that tell them. There is no `n`: one choice is told."""

    def __init__(self, envelope: Envelope) -> None:
        self.output: list[object] = []  # the items that are whole
        self.ending = Ending()
        self._envelope = envelope
        self._custom = custom_names(envelope.request.tools)
        self._groups = groups_of(envelope.request.tools)
        self._item: Item | None = None  # the open one

    def hear(self, event: Event) -> Iterator[Signal]:
        """What one event adds."""
        match event:
            case MessageStart():
                self.ending = replace(self.ending, service_tier=event.service_tier)
                for kind in ("response.created", "response.in_progress"):
                    yield Signal(kind, {"response": self.response(Ending())})
            case PartStart() | PartDelta() | Cited() | PartEnd() | Scored() | MessageEnd():
                if event.choice == 0:
                    yield from self._tell(event)
            case UsageReport():
                self.ending = replace(self.ending, usage=event.usage)
            case StreamEnd():
                yield from self._close()
                self.ending = replace(self.ending, reason=self.ending.reason or StopReason.OTHER)
                kind = f"response.{status_of(self.ending.reason)}"
                yield Signal(kind, {"response": self.response(self.ending)})
            case StreamError():
                pass
            case _:
                assert_never(event)

    def response(self, ending: Ending) -> Wire:
        """The response object with the items that are whole."""
        return write_response(self._envelope, tuple(self.output), ending)

    def _tell(self, event: PartStart | PartDelta | Cited | PartEnd | Scored | MessageEnd) -> Iterator[Signal]:
        item = self._item
        match event:
            case PartStart():
                yield from self._start(event.part)
            case PartDelta() if item is not None:
                yield from item.grow(event.kind, event.data)
            case Cited() if isinstance(item, MessageItem):
                yield from item.cite(event.citation)
            case Scored() if isinstance(item, MessageItem):
                item.score(event.scores)
            case PartEnd() if item is not None:
                yield from item.end()
                if not item.open:
                    yield from self._close()
            case MessageEnd():
                yield from self._close()
                self.ending = replace(self.ending, reason=event.reason, raw_reason=event.raw_reason)
            case _:
                pass

    def _start(self, part: Part) -> Iterator[Signal]:
        """A part begins, in the open item if that takes it."""
        if self._item is not None and self._item.takes(part):
            yield from self._item.start(part)
            return
        yield from self._close()
        self._item = self._item_of(part)
        if self._item is not None:
            yield from self._item.start(part)

    def _item_of(self, part: Part) -> Item | None:
        """A new item for a part, or nothing for what an answer of this format cannot show."""
        index = len(self.output)
        mark = f"{self._envelope.id}_{index}"
        match part:
            case Text() | Refusal() | Audio():
                return MessageItem(index, f"msg_{mark}")
            case Thinking():
                return ThoughtItem(index, f"rs_{mark}")
            case ToolCall():
                custom = part.custom or part.name in self._custom
                return CallItem(index, mark, custom=custom, group=self._groups.get(part.name, ""))
            case HostedCall():
                return hosted_item(index, mark, part)
            case Image():
                return picture_item(index, mark, part)
            case Opaque() if part.origin == OWN:
                return raw_item(index, part.raw)
            case Opaque() | HostedResult() | File() | ToolResult():
                return None
            case _:
                assert_never(part)

    def _close(self) -> Iterator[Signal]:
        """The open item is whole."""
        item, self._item = self._item, None
        if item is None:
            return
        yield from item.finish()
        self.output += item.wholes


class ResponsesEncoder:
    """One stream."""

    def __init__(self, envelope: Envelope) -> None:
        self._writer = _Writer(envelope)
        self._number = 0

    def encode(self, event: Event) -> bytes:
        """The events that this one adds."""
        return b"".join(map(self._write, self._writer.hear(event)))

    def _write(self, signal: Signal) -> bytes:
        fields = {"type": signal.type, "sequence_number": self._number, **signal.fields}
        self._number += 1
        # What a client or a provider wrote is given back byte for byte, and a line end in it would end the line.
        line = _JSON.encode(fields).replace(b"\n", b"").replace(b"\r", b"")
        return b"event: %b\ndata: %b\n\n" % (signal.type.encode(), line)


def encode_response(response: ChatResponse, envelope: Envelope) -> bytes:
    """A whole answer: the response with which a stream of it would end."""
    writer = _Writer(envelope)
    for event in disassemble(response):
        for _ in writer.hear(event):
            pass
    return _JSON.encode(writer.response(writer.ending))
