"""What a call costs, written into the `usage` of its answer: US dollars, as OpenRouter says it in `usage.cost`.

The only edits of an answer, made where the client asked for them; every other byte stays as it was.
"""

from typing import Final

from yescale.domain.money import NANO_PER_USD, Nano
from yescale.domain.usage import Usage
from yescale.protocols import fields, sse
from yescale.protocols.tapping import Tap, UpstreamError

_USAGE: Final = (b'"usage":{', b'"usage": {')
_MOST_HELD: Final = 64 * 1024


class Withholding:
    """A tap that keeps back what follows the newest usage of a stream, which is its last event but one as a rule."""

    __slots__ = ("_held", "_tap", "done", "error", "finished", "partial", "text_bytes", "tier", "usage")

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._held = b""
        self.usage: Usage | None = None
        self.partial = False
        self.done = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.text_bytes = 0
        self.tier = ""

    def feed(self, data: bytes) -> bytes:
        """What the client may have now; at the end, all that was kept."""
        out = self._held + self._tap.feed(data)
        self._hear()
        at = -1 if self.done or len(out) > _MOST_HELD else _find_usage(out)
        self._held = out[at:] if at >= 0 else b""
        return out[:at] if at >= 0 else out

    def finish(self) -> bytes:
        """The stream is over."""
        out, self._held = self._held + self._tap.finish(), b""
        self._hear()
        return out

    def _hear(self) -> None:
        tap = self._tap
        self.usage, self.partial, self.text_bytes = tap.usage, tap.partial, tap.text_bytes
        self.tier = tap.tier
        self.done, self.finished, self.error = tap.done, tap.finished, tap.error


def price_events(events: bytes, amount: Nano) -> bytes:
    """The end of a stream, with the cost in the last usage that it holds; unchanged where it holds none."""
    at = _find_usage(events)
    if at < 0:
        return events
    end = at + len(next(sse.split(events[at:])))
    _, chunk = sse.data_of(events[at:end])
    return events[:at] + events[at:end].replace(chunk, price_answer(chunk, amount), 1) + events[end:]


def price_answer(body: bytes, amount: Nano) -> bytes:
    """A whole answer or a chunk with the cost in its usage; unchanged where it has none."""
    try:
        found = fields.members(body)
        begin, end = found.get("usage", fields.NOWHERE)
        usage = body[begin:end]
        if not usage.startswith(b"{"):
            return body
        inner = fields.members(usage)
    except fields.TooManyMarks:
        return body
    said = _dollars(amount)
    if "cost" in inner:
        start, stop = inner["cost"]
        return fields.splice(body, [(begin + start, begin + stop, said)])
    added = b'"cost":%b%b' % (said, b"," if inner else b"")
    return fields.splice(body, [(begin + 1, begin + 1, added)])


def _find_usage(events: bytes) -> int:
    """Where the last event begins that tells usage; -1 = none does."""
    found, at = -1, 0
    if any(mark in events for mark in _USAGE):
        for event in sse.split(events):
            if any(mark in event for mark in _USAGE):
                found = at
            at += len(event)
    return found


def _dollars(amount: Nano) -> bytes:
    """A JSON number, exact."""
    whole, rest = divmod(amount, NANO_PER_USD)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".").encode()
