"""The steps of a good answer: one write per event, with the pauses, cuts and oddities that scenarios ask for."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from yescale_sandbox.exchange import (
    JSON,
    LAST_CHUNK,
    SSE,
    Cut,
    Hang,
    Headers,
    Pause,
    Send,
    Step,
    framed,
    head,
    joined,
    whole,
)
from yescale_sandbox.outage import spoiled
from yescale_sandbox.scenario import Script

STALL_AFTER = 2
SLOW_PARTS = 4
MS_PER_S = 1000


class Event(Struct, frozen=True):
    """One event: its JSON, the name that its `event` line says, if any; `usage` says that it reports usage."""

    payload: bytes
    usage: bool = False
    name: str = ""


def server_sent(event: Event) -> bytes:
    """An event as text: its name, if it has one, and its data."""
    named = f"event: {event.name}\n".encode() if event.name else b""
    return named + b"data: " + event.payload + b"\n\n"


class Framing(Struct, frozen=True):
    """How a provider writes its events; the event that ends its streams, and the one that tells of an error. Before the
    first event stands `first` instead of what `write` puts in front of its payload, where there is any.
    """

    end: bytes
    error: bytes
    media: str = SSE
    write: Callable[[Event], bytes] = server_sent
    first: bytes = b""


class Played(Struct, frozen=True):
    """Steps, and what their end is called."""

    outcome: str
    steps: Iterator[Step]


def body_steps(body: bytes, script: Script, headers: Headers) -> Played:
    """A whole JSON body; in it, the usage counts as reported with the last byte."""
    if any(name in script for name in ("badjson", "cut", "stall")):
        outcome, steps = spoiled(body, script, headers)
        return Played(outcome, steps)
    start, sends = whole(200, JSON, body, headers)
    if "slow" in script:
        size = len(body) // SLOW_PARTS + 1
        sends = (Send(body[place : place + size]) for place in range(0, len(body), size))
    return Played("served", _slowed(joined(start, _reporting_last(sends)), script))


def stream_steps(events: Iterator[Event], script: Script, headers: Headers, framing: Framing) -> Played:
    """A stream of events."""
    lines = (("content-type", framing.media), ("cache-control", "no-cache"), ("transfer-encoding", "chunked"), *headers)
    broken = next((name for name in ("cut", "stall", "error", "badjson") if name in script), None)
    outcome = {"cut": "cut", "stall": "cut", "error": "failed", "badjson": "failed"}.get(broken or "", "served")
    sends = _opened(head(200, lines), _sent(events, script, framing))
    return Played(outcome, _slowed(_interrupted(sends, script, framing), script))


def _sent(events: Iterator[Event], script: Script, framing: Framing) -> Iterator[Send]:
    for number, event in enumerate(events, start=1):
        written = event
        if "badjson" in script and number == STALL_AFTER:
            written = Event(event.payload[: len(event.payload) // 2], event.usage, event.name)
        note = b": keep-alive\n\n" if "comment" in script and framing.media == SSE else b""
        data = framing.first + written.payload if framing.first and number == 1 else framing.write(written)
        yield Send(framed(note + data), 1, event.usage)
    if framing.end and "no-done" not in script:
        yield Send(framed(framing.end), 1)


def _opened(start: bytes, sends: Iterator[Send]) -> Iterator[Send]:
    """The head goes out with the first event."""
    first = next(sends)
    yield Send(start + first.data, first.events, first.usage)
    yield from sends


def _interrupted(sends: Iterator[Send], script: Script, framing: Framing) -> Iterator[Step]:
    """The sends, and the end of the stream: as it should be, or as a scenario wants it."""
    if "stall" in script:
        yield from _first(sends, STALL_AFTER)
        yield Hang()
    elif "cut" in script:
        yield from _cut(sends, script)
    elif "error" in script:
        yield from _first(sends, script.number("error"))
        yield Send(framed(framing.error) + LAST_CHUNK, 1)
    else:
        yield from sends
        yield Send(LAST_CHUNK)


def _cut(sends: Iterator[Send], script: Script) -> Iterator[Step]:
    """After a number of events, of which the final [DONE] is never one; or in the middle of the second."""
    held: Send | None = None
    count = script.chosen["cut"]
    for number, send in enumerate(sends):
        if held is not None:
            yield held
        held = send
        if count is None and number == 1:
            yield Send(send.data[: len(send.data) // 2])
            break
        if count is not None and number >= count:
            break
    yield Cut()


def _first(sends: Iterator[Send], count: int) -> Iterator[Send]:
    for _ in range(count):
        send = next(sends, None)
        if send is None:
            return
        yield send


def _reporting_last(sends: Iterator[Send]) -> Iterator[Send]:
    held = next(sends, None)
    for send in sends:
        if held is not None:
            yield held
        held = send
    if held is not None:
        yield Send(held.data, held.events, usage=True)


def _slowed(steps: Iterator[Step], script: Script) -> Iterator[Step]:
    pause = Pause(script.number("slow") / MS_PER_S)
    for number, step in enumerate(steps):
        if number and pause.seconds and isinstance(step, Send):
            yield pause
        yield step
