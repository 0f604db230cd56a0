"""Requests of clients: whatever comes, in whatever pieces, the same verdict, no exception, and bounded state."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fuzz.ends import Pipe
from tests.fuzz.pieces import LONGEST, cut, grains
from tests.wire.rig import Desk, statuses
from tests.wire.test_odd_requests import CASES
from yescale.wire.connection import Connection
from yescale.wire.heads import SINGLE, header_line, request_line
from yescale.wire.server import Exchange, Limits, Server
from yescale.wire.timers import Timers

SEEDS = tuple(request for request, _, _ in CASES.values() if len(request) < LONGEST)
WORDS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b";", b"0\r\n\r\n", b"0x", b"+", b"-", b",", b"#",
    b"?", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"transfer-encoding: identity\r\n",
    b"Host: y\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Authorization: b\r\n", b"Connection: keep-alive\r\n",
    b"HTTP/1.0", b"HTTP/1.1", b"HTTP/0.9", b"HTTP/2.0", b"GET ", b"POST ", b"HEAD ", b"CONNECT ", b"OPTIONS * ",
    b"PRI ", b"http://z/", b"ffffffffffffffff", b"3\r\nabc\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
)  # fmt: skip

# Nothing that fits in one input is over these, so that no cut can matter.
WIDE = Limits(max_head_bytes=4 * LONGEST, max_target=4 * LONGEST, max_headers=LONGEST, stash=4 * LONGEST)
# These are met all the time.
TIGHT = Limits(max_head_bytes=300, max_headers=6, max_target=40, stash=100, discard=200)
TIGHT_BODY = 60
SPOKEN = {100, 200, 400, 405, 413, 414, 417, 426, 431, 501, 505}
# What is said to us alone, and not sent on.
HOP = {b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"}
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_TARGET = re.compile(rb"/[\x21-\x22\x24-\x7e]*|\*")

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Request:
    """What the application was told."""

    method: bytes
    target: bytes
    headers: Headers
    body: bytes
    version: tuple[int, int]


@dataclass(frozen=True)
class Outcome:
    """What came of feeding pieces."""

    requests: tuple[Request, ...]
    statuses: tuple[int, ...]
    over: bool  # the connection takes no more requests


class Counter:
    """A server without a listener. One serves all inputs: its loop never runs, so that no time passes."""

    def __init__(self, limits: Limits, most: int, known_lines: int = 100) -> None:
        self.desk = Desk(most=most)
        self.server = Server(self.desk, limits, Timers(asyncio.new_event_loop()), known_lines=known_lines)

    def feed(self, pieces: Sequence[bytes], *, late: bool = False) -> Outcome:
        """One connection's life. `late`: answers are given only when everything has come."""
        desk, server = self.desk, self.server
        desk.on_received = hold if late else answer
        desk.seen.clear()
        desk.rejected.clear()
        desk.whole.clear()
        pipe = Pipe()
        connection = server.protocol()
        connection.connection_made(pipe)
        for piece in pieces:
            if pipe.closed:
                break
            connection.data_received(piece)
            bounded(connection, server.limits, desk.most, len(piece))
        answered = 0
        while answered < len(desk.whole):
            answer(desk.whole[answered])
            answered += 1
        over = connection._phase > 3
        told = tuple(Request(e.method, e.target, tuple(e.headers), e.body, e.version) for e in desk.whole)
        connection.connection_lost(None)
        assert server.busy == 0, "every exchange has ended"
        assert server.connections == 0
        return Outcome(told, tuple(statuses(bytes(pipe.written))), over)


def answer(exchange: Exchange) -> None:
    exchange.respond(200, b"", b"")


def hold(exchange: Exchange) -> None:
    """Later."""


def bounded(connection: Connection, limits: Limits, most: int, read: int) -> None:
    """What a connection keeps depends on its limits and on one read, not on all that came."""
    body, reader = connection._body, connection._reader
    assert body is None or sum(map(len, body._pieces)) <= most
    assert len(connection._stash) <= limits.stash + read + LONGEST
    if reader is None or reader.fault is not None:
        return  # no parser is at work
    assert len(reader._headers) <= limits.max_headers, "headers are counted while they are parsed"
    assert len(reader._target) <= limits.max_head_bytes
    assert reader._fed <= limits.max_head_bytes + read


_WIDE = Counter(WIDE, LONGEST)
_PARSED = Counter(WIDE, LONGEST, known_lines=0)  # every head goes through the parser
_TIGHT = Counter(TIGHT, TIGHT_BODY)


def check(data: bytes, places: Sequence[int]) -> None:
    """Raises where a promise of the server's side is broken."""
    whole = _WIDE.feed([data])
    assert set(whole.statuses) <= SPOKEN, whole.statuses
    assert _PARSED.feed([data]) == whole, "the parser reads a head differently"
    for pieces in (cut(data, places), grains(data)):
        assert _WIDE.feed(pieces) == whole, "a cut changed the verdict"
    assert _WIDE.feed(cut(data, places), late=True).requests == whole.requests, "a late answer changed the verdict"
    for request in whole.requests:
        plain(request)
    for pieces in ([data], cut(data, places), grains(data)):
        assert set(_TIGHT.feed(pieces).statuses) <= SPOKEN


def plain(request: Request) -> None:
    """An accepted request can be sent on in one way only, and is then read as the same."""
    assert _TARGET.fullmatch(request.target), request.target
    names = [name for name, _ in request.headers]
    assert all(_NAME.fullmatch(name) for name in names)
    assert all(names.count(name) <= 1 for name in SINGLE)
    kept = tuple((name, value) for name, value in request.headers if name not in HOP)
    lines = [header_line(name, value) for name, value in kept]
    if b"host" not in names:
        lines.append(b"host: x\r\n")
        kept += ((b"host", b"x"),)
    head = b"".join((request_line(request.method, request.target), *lines))
    size = b"content-length: %d\r\n\r\n" % len(request.body)
    (again,) = _WIDE.feed([head + size + request.body]).requests
    assert (again.method, again.target, again.body) == (request.method, request.target, request.body)
    assert again.headers[:-1] == kept
