"""What a provider charges us, taken out of the usage that goes to a client; every other byte stays as it was."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from yescale.domain.usage import Usage
from yescale.protocols import fields, sse
from yescale.protocols.passthrough import Answer, Carrier
from yescale.protocols.tapping import Tap, UpstreamError

# Where formats tell usage: by itself, or in the answer that an event of Responses or of Messages carries.
_HOLDERS: Final = ("response", "message")


class Discreet:
    """A Carrier that leaves out members of `usage` by their names."""

    __slots__ = ("_carrier", "_names", "stream_kind")

    def __init__(self, carrier: Carrier, names: Sequence[str]) -> None:
        self._carrier = carrier
        self._names = names
        self.stream_kind = carrier.stream_kind

    def tap(self, wants_usage: bool, max_event_bytes: int) -> Tap:
        """The tap of a stream."""
        return _DiscreetTap(self._carrier.tap(wants_usage, max_event_bytes), self._leave_out)

    def read_answer(self, body: bytes) -> Answer | None:
        """A whole answer, with what the client gets."""
        answer = self._carrier.read_answer(body)
        told = body if answer is None or answer.translated is None else answer.translated
        kept = self._leave_out(told)
        return answer if answer is None or kept is told else replace(answer, translated=kept)

    def read_error(self, body: bytes) -> UpstreamError:
        """What the upstream's error body says."""
        return self._carrier.read_error(body)

    def _leave_out(self, body: bytes) -> bytes:
        return leave_out(body, self._names)


class _DiscreetTap:
    """Another tap, of whose events those that tell usage are looked at."""

    __slots__ = ("_leave_out", "_tap", "done", "error", "finished", "partial", "text_bytes", "usage")

    def __init__(self, tap: Tap, leave: Callable[[bytes], bytes]) -> None:
        self._tap = tap
        self._leave_out = leave
        self.usage: Usage | None = None
        self.partial = False
        self.done = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.text_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """What may be forwarded now."""
        return self._pass(self._tap.feed(data))

    def finish(self) -> bytes:
        """The stream is over."""
        return self._pass(self._tap.finish())

    def _pass(self, out: bytes) -> bytes:
        tap = self._tap
        self.usage, self.partial, self.text_bytes = tap.usage, tap.partial, tap.text_bytes
        self.done, self.finished, self.error = tap.done, tap.finished, tap.error
        return b"".join(map(self._look_at, sse.split(out))) if b'"usage"' in out else out

    def _look_at(self, event: bytes) -> bytes:
        _, data = sse.data_of(event)
        kept = self._leave_out(data)
        if kept is data:
            return event
        return event.replace(data, kept, 1) if data in event else b"data: %b\n\n" % kept.replace(b"\n", b" ")


def leave_out(body: bytes, names: Sequence[str]) -> bytes:
    """The JSON without these members of its usage; the body itself where it has none, or is none that we read."""
    if not any(b'"%b"' % name.encode() in body for name in names):
        return body
    try:
        found = fields.members(body)
        places = [found.get("usage", fields.NOWHERE)]
        for holder in _HOLDERS:
            begin, end = found.get(holder, fields.NOWHERE)
            inner = (
                fields.members(body[begin:end]).get("usage", fields.NOWHERE) if body[begin:end][:1] == b"{" else None
            )
            places += [] if inner is None else [(begin + inner[0], begin + inner[1])]
        edits = [(begin, end, _without(body[begin:end], names)) for begin, end in places if body[begin:end][:1] == b"{"]
    except fields.TooManyMarks:
        return body
    changed = [edit for edit in edits if edit[2] != body[edit[0] : edit[1]]]
    return fields.splice(body, changed) if changed else body


def _without(usage: bytes, names: Sequence[str]) -> bytes:
    for name in names:
        while name in (inner := fields.members(usage)):
            usage = fields.cut(usage, name) if len(inner) > 1 else b"{}"
    return usage
