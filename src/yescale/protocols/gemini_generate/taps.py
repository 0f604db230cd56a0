"""The taps: streams pass unchanged, usage and ends are read. Gemini repeats its usage in every chunk; the last counts.

A stream of Gemini's ends without a mark: it is done when it is over, and every candidate had said why it ended.
"""

import re
from typing import Final

import msgspec

from yescale.domain.usage import Usage
from yescale.protocols import sse
from yescale.protocols.gemini_generate.array import ArrayFramer
from yescale.protocols.gemini_generate.errors import read_error
from yescale.protocols.gemini_generate.members import is_null
from yescale.protocols.gemini_generate.schema import WireMarks
from yescale.protocols.gemini_generate.searches import Searches, read_queries
from yescale.protocols.gemini_generate.usage import read_report
from yescale.protocols.gemini_generate.writing import BROKEN
from yescale.protocols.passthrough import Answer, UpstreamError

_MARKS: Final = msgspec.json.Decoder(WireMarks)
_TEXT: Final = re.compile(rb'"(?:text|code|output)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')
_ARGUMENTS: Final = re.compile(rb'"args"\s*:\s*\{([^{}]*)\}')


def text_bytes(data: bytes) -> int:
    """About how many bytes of model text lie in these bytes of JSON."""
    count = sum(map(len, _TEXT.findall(data)))
    return count + sum(map(len, _ARGUMENTS.findall(data))) if b'"args"' in data else count


def read_answer(body: bytes) -> Answer | None:
    """A whole answer, or None if this is none: no candidates, and nothing that says why."""
    try:
        wire = _MARKS.decode(body)
    except BROKEN:
        return None
    blocked = wire.prompt_feedback is not None and wire.prompt_feedback.block_reason is not None
    if not wire.candidates and not blocked:
        return None
    report, searches = read_report(wire.usage_metadata), Searches()
    for candidate in wire.candidates or ():
        searches.hear(read_queries(candidate.grounding_metadata), wire.model_version or "")
    return Answer(searches.beside(report.usage), text_bytes, tier=report.tier)


class _Ear:
    """What a stream said so far."""

    __slots__ = (
        "_ended", "_open", "_searches", "done", "error", "finished", "partial", "text_bytes", "tier", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.partial = True
        self.done = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.text_bytes = 0
        self.tier = ""
        self._searches = Searches()
        self._open: set[int] = set()  # candidates that have not said why they ended
        self._ended: set[int] = set()

    def end(self) -> None:
        """The stream is over: it is done, if every candidate had ended."""
        self.done = self.finished and not self._open and self.error is None

    def hear(self, data: bytes) -> bool:
        """Take in one chunk; whether the client gets it."""
        try:
            wire = _MARKS.decode(data)
        except BROKEN:
            return True
        if not is_null(wire.error):
            self.error = read_error(data)
            return False
        report = read_report(wire.usage_metadata)
        self.tier = report.tier or self.tier
        for candidate in wire.candidates or ():
            self._searches.hear(read_queries(candidate.grounding_metadata), wire.model_version or "")
        self.usage = self._searches.beside(report.usage or self.usage)
        self.text_bytes += text_bytes(data)
        self._mark(wire)
        return True

    def _mark(self, wire: WireMarks) -> None:
        for candidate in wire.candidates or ():
            if candidate.finish_reason is not None:
                self._ended.add(candidate.index)
                self._open.discard(candidate.index)
            elif candidate.index not in self._ended:
                self._open.add(candidate.index)
        blocked = wire.prompt_feedback is not None and wire.prompt_feedback.block_reason is not None
        self.finished = self.finished or blocked or bool(self._ended)
        self.partial = not self.finished or bool(self._open)


class SseTap(_Ear):
    """One stream of server-sent events."""

    __slots__ = ("_framer",)

    def __init__(self, keep_usage: bool, max_event_bytes: int) -> None:
        super().__init__()
        del keep_usage  # usage stands in the chunks of text, and every client gets it
        self._framer = sse.Framer(max_event_bytes)

    def feed(self, data: bytes) -> bytes:
        """The whole events of `data` and of what was held, up to an error."""
        return b"" if self.error is not None else self._listen(self._framer.feed(data))

    def finish(self) -> bytes:
        """What was held: a last event without its blank line, if it is whole."""
        tail = self._framer.finish().rstrip(b"\r\n")
        if self.error is not None:
            return b""
        _, data = sse.data_of(tail)
        if tail and not _is_whole(data):
            return b""
        out = self._listen(tail + b"\r\n\r\n") if tail else b""
        self.end()
        return out

    def _listen(self, block: bytes) -> bytes:
        passed = 0
        for event in sse.split(block):
            _, data = sse.data_of(event)
            if data and not self.hear(data):
                break
            passed += len(event)
        return block[:passed]


class ArrayTap(_Ear):
    """One stream as a JSON array. Elements go on one by one; the closing bracket waits for a good end."""

    __slots__ = ("_begun", "_framer")

    def __init__(self, keep_usage: bool, max_event_bytes: int) -> None:
        super().__init__()
        del keep_usage
        self._framer = ArrayFramer(max_event_bytes)
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        """The whole elements of `data` and of what was held, up to an error."""
        if self.error is not None:
            return b""
        out: list[bytes] = []
        for element in self._framer.feed(data):
            if not self.hear(element):
                break
            out += (b",\r\n" if self._begun else b"[", element)
            self._begun = True
        return b"".join(out)

    def finish(self) -> bytes:
        """The closing bracket, if the upstream sent its own and every candidate had ended."""
        if self._framer.closed:
            self.end()
        return b"]" if self.done else b""


def _is_whole(data: bytes) -> bool:
    """Whether an event that nothing closed is not half a one."""
    try:
        _MARKS.decode(data)
    except BROKEN:
        return False
    return True
