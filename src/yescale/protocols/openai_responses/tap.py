"""The pass-through side of answers: whole events pass, usage is read from any event that ends a stream."""

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.usage import Usage, tier_of
from yescale.protocols import sse
from yescale.protocols.openai_responses.errors import read_error, read_failure
from yescale.protocols.openai_responses.schema import NOTHING
from yescale.protocols.openai_responses.searches import add_searches_of
from yescale.protocols.openai_responses.usage import meters
from yescale.protocols.passthrough import Answer, UpstreamError
from yescale.protocols.reading import BROKEN

_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_MAY_END: Final = re.compile(rb"response\.(?:completed|incomplete|failed|cancelled)|\"error\"|event: ?error")
_DELTA: Final = re.compile(rb'"delta"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')
_TEXT: Final = re.compile(rb'"(?:text|arguments|input|refusal)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')
_OUTPUT: Final = re.compile(rb'"output"\s*:\s*\[')
_ARRAY: Final = ord("[")


class WireEnd(Struct, frozen=True, gc=False):
    """A response, of which only the usage is read, what was searched for, and which tier served it."""

    usage: Raw = NOTHING
    output: Raw = NOTHING
    service_tier: object = None


class WireEndEvent(Struct, frozen=True, gc=False):
    """An event that may end a stream."""

    type: str = ""
    response: WireEnd | None = None


class WireAnswer(Struct, frozen=True, gc=False):
    """A whole answer."""

    output: Raw
    usage: Raw = NOTHING
    service_tier: object = None


_EVENT: Final = msgspec.json.Decoder(WireEndEvent)
_ANSWER: Final = msgspec.json.Decoder(WireAnswer)


def read_answer(body: bytes) -> Answer | None:
    """A whole answer, or None if this is none."""
    try:
        wire = _ANSWER.decode(body)
    except BROKEN:
        return None
    if memoryview(wire.output)[0] != _ARRAY:
        return None
    usage = add_searches_of(meters(wire.usage), wire.output)
    return Answer(usage, text_bytes, tier=tier_of(wire.service_tier))


def text_bytes(data: bytes) -> int:
    """About how many bytes of model text lie in the output of these bytes of JSON."""
    output = _OUTPUT.search(data)
    return sum(map(len, _TEXT.findall(data, output.end()))) if output is not None else 0


class ResponsesTap:
    """One stream. A `response.failed` is withheld as an error, its usage heard."""

    def __init__(self, _keep_usage: bool, max_event_bytes: int) -> None:
        self._framer = sse.Framer(max_event_bytes)
        self.usage: Usage | None = None
        self.partial = False  # usage comes with the end
        self.done = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.text_bytes = 0
        self.tier = ""

    def feed(self, data: bytes) -> bytes:
        """The whole events of `data` and of what was held, but for those that the client must not see."""
        return b"" if self.done or self.error is not None else self._listen(self._framer.feed(data))

    def finish(self) -> bytes:
        """What the upstream left open: the event without its blank line, if that ends the stream."""
        if self.done or self.error is not None:
            return b""
        tail = self._framer.finish().rstrip(b"\r\n")
        out = self._listen(tail + b"\n\n") if tail else b""
        return out if self.done else b""

    def _listen(self, block: bytes) -> bytes:
        if _MAY_END.search(block) is None:
            self.text_bytes += _count(block)
            return block
        kept: list[bytes] = []
        for event in sse.split(block):
            if self._hear(event):
                kept.append(event)
            if self.done or self.error is not None:
                break
        return b"".join(kept)

    def _hear(self, event: bytes) -> bool:
        """Take in one event; whether the client gets it."""
        if _MAY_END.search(event) is None:  # as alone, so in company: a cut must change nothing
            self.text_bytes += _count(event)
            return True
        name, data = sse.data_of(event)
        try:
            wire = _EVENT.decode(data)
        except BROKEN:
            wire = WireEndEvent()
        kind = wire.type or name.decode("latin-1")
        if kind in _ENDS and wire.response is not None:
            self.usage = add_searches_of(meters(wire.response.usage), wire.response.output) or self.usage
            self.tier = tier_of(wire.response.service_tier)
        if kind == "error" or name == b"error" or (not kind and b'"error"' in data):
            self.error = read_error(data)
        elif kind == "response.failed":
            self.error = read_failure(data)
        elif kind in _ENDS:
            self.done = self.finished = True
        else:
            self.text_bytes += _count(event)
        return self.error is None


def _count(block: bytes) -> int:
    """About how many bytes of output text the deltas hold."""
    return sum(map(len, _DELTA.findall(block)))
