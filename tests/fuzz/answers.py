"""Answers of upstreams: whatever comes, in whatever pieces, one ending, the same answer, and bounded state."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.fuzz.ends import Pipe
from tests.fuzz.pieces import LONGEST, cut, grains
from tests.wire.rig import OK, STREAM
from yescale.wire.attempt import Attempt
from yescale.wire.client import ClientLimits, Deadlines, Failure
from yescale.wire.timers import Timers
from yescale.wire.upstream import Upstream

TO_END = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end"
SEEDS = (
    OK,
    STREAM,
    TO_END,
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + STREAM,
    b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n",
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nT: u\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00",
)
WORDS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b":", b";", b"0\r\n\r\n", b"0x", b"+", b"-", b",",
    b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 X\r\n",
    b"HTTP/1.0 200 OK\r\n", b"HTTP/2.0 200 OK\r\n", b"ffffffffffffffff", b"3\r\nabc\r\n", b"101", b"099", b"1000",
)  # fmt: skip

WIDE = ClientLimits(max_head_bytes=4 * LONGEST, max_headers=LONGEST)
TIGHT = ClientLimits(max_head_bytes=120, max_headers=4)


@dataclass(frozen=True)
class Outcome:
    """What the owner of the attempt heard, and whether the connection went back to the pool and stayed."""

    data: bytes
    done: bool
    failure: Failure | None
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    kept: bool


class Sink:
    """Hears one attempt and minds the order of what it hears."""

    def __init__(self) -> None:
        self.data = b""
        self.done = False
        self.failure: Failure | None = None

    def received(self, attempt: Attempt, data: bytes, done: bool) -> None:
        assert attempt.status, "the first call comes with the head"
        assert not self.done, "nothing after the end"
        assert self.failure is None, "nothing after a failure"
        self.data += data
        self.done = done

    def failed(self, attempt: Attempt, failure: Failure) -> None:
        assert not self.done, "no failure after the end"
        assert self.failure is None, "a failure comes once"
        self.failure = failure


class Inn:
    """Where the connections come from and go back to. Its loop never runs, so that no time passes."""

    def __init__(self, limits: ClientLimits) -> None:
        self.timers = Timers(asyncio.new_event_loop())
        self.limits = limits
        self.kept: set[Upstream] = set()
        self.retried = 0

    def keep(self, upstream: Upstream) -> bool:
        self.kept.add(upstream)
        return True

    def forget(self, upstream: Upstream) -> None:
        self.kept.discard(upstream)

    def retry(self, attempt: Attempt) -> None:
        self.retried += 1

    def feed(self, pieces: Sequence[bytes], *, bare: bool) -> Outcome:
        """One attempt on a fresh connection, which then ends."""
        sink, pipe, upstream = Sink(), Pipe(), Upstream(self)
        upstream.connection_made(pipe)
        attempt = Attempt(b"GET / HTTP/1.1\r\n\r\n", b"", sink, Deadlines(), 0.0)
        attempt.bare = bare
        upstream.start(attempt, 0.0)
        for piece in pieces:
            if pipe.closed:
                break
            upstream.data_received(piece)
            assert len(upstream._headers) <= self.limits.max_headers or pipe.closed
            assert upstream._framing <= 2 * self.limits.max_head_bytes or pipe.closed
        kept = upstream in self.kept
        if not pipe.closed:
            upstream.eof_received()
        upstream.connection_lost(None)
        assert not self.kept, "a lost connection is in no pool"
        assert not self.retried, "what was never used before is not repeated"
        assert sink.done != (sink.failure is not None), "one ending, be it good or bad"
        return Outcome(sink.data, sink.done, sink.failure, attempt.status, tuple(attempt.headers), kept)


_WIDE = Inn(WIDE)
_TIGHT = Inn(TIGHT)


def check(data: bytes, places: Sequence[int]) -> None:
    """Raises where a promise of the client's side is broken."""
    for bare in (False, True):
        whole = _WIDE.feed([data], bare=bare)
        for pieces in (cut(data, places), grains(data)):
            same(_WIDE.feed(pieces, bare=bare), whole, blank=data.endswith((b"\r", b"\n")))
        assert not (bare and whole.data), "the answer to HEAD has no body"
    for pieces in ([data], cut(data, places), grains(data)):
        _TIGHT.feed(pieces, bare=False)


def same(split: Outcome, whole: Outcome, *, blank: bool) -> None:
    """A cut changes nothing, but for how much of a broken answer was heard before it broke.

    `blank`: a line break behind an answer, which the parser skips, spoils the connection only in a read of its own.
    """
    assert (split.done, split.failure) == (whole.done, whole.failure), "a cut changed the end"
    assert split.kept == whole.kept or (blank and whole.kept), "a cut changed what becomes of the connection"
    if whole.done:
        assert replace(split, kept=whole.kept) == whole, "a cut changed the answer"
    else:
        assert split.data.startswith(whole.data), "what was heard of a broken answer is its beginning"
