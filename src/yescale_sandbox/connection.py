"""HTTP/1.1 on one connection: reads requests, plays answers step by step, and notices when the client goes away.

Written on asyncio and httptools, because the scenarios need what servers hide: cuts, resets, silence, no HTTP at all.
"""

import asyncio
import os
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

import httptools
from msgspec import Struct

from yescale_sandbox import websocket
from yescale_sandbox.conversation import Conversation
from yescale_sandbox.exchange import Cut, Hang, Pause, Request, Reset, Send, Step, Switch, head
from yescale_sandbox.record import Entry

POLICY, INTERNAL = 1008, 1011  # RFC 6455, section 7.4.1

Site: TypeAlias = Callable[[Request], tuple[Iterator[Step], Entry | None]]


class Limits(Struct, frozen=True):
    """What one connection may ask of the sandbox."""

    head_bytes: int = 65_536
    body_bytes: int = 67_108_864
    pipelined: int = 16
    high_water_bytes: int = 65_536
    burst_steps: int = 64
    hang_s: float = 900.0


class Connection(asyncio.Protocol):
    """One client. Answers are played in the order of the requests, one at a time."""

    def __init__(self, site: Site, limits: Limits, connections: "set[Connection]") -> None:
        self._site = site
        self._limits = limits
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._in_head = True
        self._heads = 0
        self._body = bytearray()
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._steps: Iterator[Step] | None = None
        self._entry: Entry | None = None
        self._keep_alive = True
        self._upgrading = False
        self._early = b""
        self._conversation: Conversation | None = None
        self._turns: deque[Iterator[Step]] = deque()
        self._choked = False
        self._closing = False
        self._timer: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.high_water_bytes)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._closing = True
        self._stop_timer()
        self._waiting.clear()
        self._end_entry(gone=True)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._upgrading:
            self._converse(data)
            return
        was_in_head, heads = self._in_head, self._heads
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(400)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrading = True
            self._converse(data[upgrade.args[0] :])
        # The parser shows no header before its end, so bytes of an unfinished head are counted here.
        if was_in_head and heads == self._heads:
            self._count_head(len(data))

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        if self._timer is None:
            self._advance()

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._head_bytes = 0
        self._in_head = True
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._heads += 1
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limits.body_bytes:
            self._refuse(413)
        elif self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if len(self._body) + len(body) > self._limits.body_bytes:
            self._refuse(413)
        if not self._closing:
            self._body += body

    def on_message_complete(self) -> None:
        if self._closing:
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, path, query, self._headers, bytes(self._body))
        self._body = bytearray()
        self._in_head = True
        self._head_bytes = 0
        self._waiting.append((request, self._parser.should_keep_alive()))
        if len(self._waiting) > self._limits.pipelined:
            self._refuse(429)
        elif self._steps is None:
            self._begin()

    def shut(self) -> None:
        """Close because the server stops."""
        self._closing = True
        self._transport.close()

    def _begin(self) -> None:
        request, self._keep_alive = self._waiting.popleft()
        try:
            self._steps, self._entry = self._site(request)
        except Exception:
            self._confess()
            return
        self._advance()

    def _advance(self) -> None:
        """Play steps until one waits. Called again by the timer, or by the transport when the client reads on."""
        self._timer = None
        if self._choked or self._closing or self._steps is None:
            return
        try:
            self._play(self._steps)
        except Exception:
            self._confess()

    def _play(self, steps: Iterator[Step]) -> None:
        for _ in range(self._limits.burst_steps):
            step = next(steps, None)
            if isinstance(step, Send):
                self._write(step)
                if self._choked:
                    return
            elif isinstance(step, Pause):
                self._timer = self._loop.call_later(step.seconds, self._advance)
                return
            elif isinstance(step, Switch):
                self._switch(step)
            elif isinstance(step, Hang):
                self._timer = self._loop.call_later(self._limits.hang_s, self._cut)
                return
            else:
                self._finish(step)
                return
        self._timer = self._loop.call_soon(self._advance)

    def _switch(self, step: Switch) -> None:
        """What the client sent before it was asked is heard when the steps at hand are played."""
        self._conversation = Conversation(step.talk)
        self._loop.call_soon(self._converse, b"")

    def _converse(self, data: bytes) -> None:
        """Bytes after an upgrade; until the switch they wait, and without one they mean nothing."""
        self._early += data
        if len(self._early) > self._limits.body_bytes:
            self._cut()
        if self._conversation is None and self._steps is None:
            self._cut()
        if self._conversation is None or self._closing:
            return
        early, self._early = self._early, b""
        try:
            self._hear(self._conversation, early)
        except Exception:
            self._confess()

    def _hear(self, conversation: Conversation, data: bytes) -> None:
        for reply in conversation.feed(data):
            if isinstance(reply, Send):
                self._write(reply)
            elif isinstance(reply, Cut):
                self._cut()
                return
            else:
                self._turns.append(reply)
        if len(self._turns) > self._limits.pipelined:
            self._write(Send(websocket.close(POLICY, "too many messages at once")))
            self._cut()
        elif self._steps is None:
            self._next_turn()

    def _next_turn(self) -> None:
        if self._turns:
            self._steps = self._turns.popleft()
            self._timer = self._loop.call_soon(self._advance)

    def _write(self, send: Send) -> None:
        self._transport.write(send.data)
        if self._entry is not None:
            self._entry.sent(send)

    def _finish(self, step: Cut | Reset | None) -> None:
        if isinstance(step, Cut):
            self._cut()
            return
        if isinstance(step, Reset):
            self._end_entry(gone=False)
            self._closing = True
            _linger_zero(self._transport)
            self._transport.abort()
            return
        self._steps = None
        if self._conversation is not None:
            self._next_turn()
            return
        self._end_entry(gone=False)
        if not self._keep_alive or self._upgrading:
            self._closing = True
            self._transport.close()
        elif self._waiting:
            self._begin()

    def _cut(self) -> None:
        self._end_entry(gone=False)
        self._closing = True
        self._transport.close()

    def _end_entry(self, *, gone: bool) -> None:
        if self._entry is not None:
            self._entry.finish(gone=gone)
            self._entry = None

    def _refuse(self, status: int) -> None:
        """Answer what is not worth a record, and close."""
        if not self._closing:
            self._closing = True
            self._transport.write(head(status, (("content-length", "0"), ("connection", "close"))))
            self._transport.close()

    def _confess(self) -> None:
        sys.stderr.write("The sandbox itself failed; this is its fault, not the client's.\n" + traceback.format_exc())
        self._end_entry(gone=False)
        self._closing = True
        if self._conversation is not None:
            self._transport.write(websocket.close(INTERNAL, "the sandbox itself failed"))
            self._transport.close()
            return
        body = b'{"error":{"message":"The sandbox itself failed. See its log.","type":"sandbox_fault"}}'
        lines = (("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close"))
        self._transport.write(head(500, lines) + body)
        self._transport.close()

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self._limits.head_bytes:
            self._refuse(431)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _linger_zero(transport: asyncio.Transport) -> None:
    """Make the coming close a reset. Set on a duplicate, because uvloop's socket object sets no options."""
    held = cast(socket.socket, transport.get_extra_info("socket"))
    with socket.socket(fileno=os.dup(held.fileno())) as twin:
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
