"""One connection of a client: requests are read, handed over, and answered one after the other."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Final, cast

from yescale.wire.body import Body
from yescale.wire.exchange import Exchange
from yescale.wire.handshake import find_fault
from yescale.wire.heads import CONTINUE, STATUS_LINES, SWITCHING, Head
from yescale.wire.reader import Reader
from yescale.wire.sockets import has_unread
from yescale.wire.timers import NEVER, Deadline
from yescale.wire.tunnel import Tunnel

if TYPE_CHECKING:
    from collections.abc import Callable

    from yescale.wire.limits import TunnelLimits
    from yescale.wire.server import Server

_LOGGER: Final = logging.getLogger("yescale.wire")

# Phases. A connection reads while it answers (that is how it learns that the client left), but parses nothing then.
IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2
BUSY: Final = 3  # the request is whole, its answer is not
LINGER: Final = 4  # answered and closing; what still comes is dropped
CLOSED: Final = 5
SWITCHED: Final = 6  # a tunnel has taken over
_INCOMPLETE: Final = (HEAD, BODY)


class Connection(asyncio.Protocol):
    """The server's side of one connection."""

    __slots__ = (
        "_application",
        "_body",
        "_body_until",
        "_choked",
        "_deadline",
        "_exchange",
        "_keep_alive",
        "_left",
        "_limits",
        "_lines",
        "_now",
        "_peer",
        "_phase",
        "_reader",
        "_refused",
        "_server",
        "_stalled",
        "_started",
        "_stash",
        "_swallowed",
        "_transport",
        "_tunnel",
        "_waits",
        "dates",
    )

    _transport: asyncio.Transport
    _peer: str

    def __init__(self, server: Server) -> None:
        self._server = server
        self._application = server.application
        self._limits = server.limits
        self._lines = server.lines
        self.dates = server.dates
        self._deadline = Deadline(server.timers, self._expired)
        self._now = server.timers.now
        self._phase = IDLE
        self._exchange: Exchange | None = None
        self._reader: Reader | None = None  # of an unusual head, or of a chunked body
        self._keep_alive = False
        self._waits = False  # the client waits for 100 Continue before it sends the body
        self._left = 0  # bytes to come of a body of known length
        self._body: Body | None = None  # what came of it, if not all came with one read
        self._started = 0.0
        self._body_until = 0.0
        self._choked = False  # the client does not take its answer fast enough
        self._refused = False
        self._stalled = 0  # unsent bytes when last looked at
        self._stash = b""
        self._swallowed = 0
        self._tunnel: Tunnel | None = None

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        limits = self._limits
        transport.set_write_buffer_limits(limits.high_water, limits.low_water)
        name = transport.get_extra_info("peername")
        self._peer = name[0] if isinstance(name, tuple) else ""
        if not self._server.admit(self):
            self._turn_away()
        else:
            self._deadline.set(self._now() + self._server.idle_s)

    def data_received(self, data: bytes) -> None:
        """Read as far as one request at a time allows; the rest waits or is dropped, as the phase says."""
        position = 0
        size = len(data)
        while position < size:
            phase = self._phase
            if phase == IDLE and not self._choked:
                position = self._begin(data, position)
            elif phase == BODY:
                position = self._read_body(data, position)
            elif phase == HEAD:
                position = self._read_head(data, position)
            else:
                self._put_aside(data[position:])
                break
        if self._phase in _INCOMPLETE:
            self._await_more()

    def eof_received(self) -> None:
        """The client ended its side: as with nginx, that means it left, whatever it still could read.

        Answers already made are still flushed; the transport closes itself after this call.
        """
        exchange = self._exchange
        if exchange is not None and not exchange.done:
            self.abort()
        else:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = CLOSED
        self._deadline.close()
        self._server.forget(self)
        if self._refused:
            self._server.refused -= 1
        self._forget_reader()
        self._body = None
        self._stash = b""
        self._lose_client()

    def pause_writing(self) -> None:
        self._choked = True
        self._stalled = self._transport.get_write_buffer_size()
        if self._phase == BUSY:
            self._deadline.set(self._now() + self._limits.write_stall_s)
        exchange = self._exchange
        if exchange is not None and not exchange.done:
            exchange.paused = True
            if exchange.listener is not None:
                self._tell(exchange.listener.client_paused)

    def resume_writing(self) -> None:
        self._choked = False
        if self._phase == BUSY:
            self._deadline.clear()
        exchange = self._exchange
        if exchange is not None and not exchange.done:
            exchange.paused = False
            if exchange.listener is not None:
                self._tell(exchange.listener.client_resumed)
        elif self._phase == IDLE:
            self._take_stash()

    # --- requests

    def _begin(self, data: bytes, position: int) -> int:
        """Read the head of the next request: at once if it is a usual one, else with the parser."""
        self._started = self._now()
        if self._lines is not None:
            found = self._lines.read(data, position)
            if found is not None:
                head, position = found
                self._open(head)
                if self._phase == BODY and head.length == len(data) - position and not self._waits:
                    self._left = 0
                    self._receive(data[position:])  # as a rule all of a request comes with one read
                    return len(data)
                return position
        self._phase = HEAD
        self._reader = Reader(self._limits)
        return self._read_head(data, position)

    def _read_head(self, data: bytes, position: int) -> int:
        reader = cast("Reader", self._reader)
        position = reader.read_head(data, position)
        if reader.fault is not None:
            self._reject(*reader.fault)
        elif reader.head_done:
            head = reader.open()
            if not isinstance(head, Head):
                self._reject(*head)
                return position
            if head.chunked:
                self._body = reader.body
            else:
                self._forget_reader()
            if head.handshake:
                self._knock(head)
            else:
                self._open(head)
        return position

    def _knock(self, head: Head) -> None:
        """Somebody asks for a WebSocket."""
        door = self._server.door
        if door is None or not door.takes(head.line[2]):
            self._reject(426, "no WebSocket is spoken on this path")
            return
        fault = find_fault(head)
        if fault is not None:
            self._reject(*fault)
            return
        exchange = self._exchange = Exchange(self, self._transport, head, self._peer, self._started)
        self._keep_alive = False
        self._phase = BUSY
        self._deadline.clear()
        self._server.busy += 1
        try:
            door.knocked(exchange)
        except Exception:
            _LOGGER.exception("the application raised in knocked: its connection is cut")
            self.abort()

    def _forget_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read_body(self, data: bytes, position: int) -> int:
        if self._reader is not None:
            return self._read_chunks(self._reader, data, position)
        stop = min(len(data), position + self._left)
        self._left -= stop - position
        piece = data[position:stop]
        body = self._body
        if self._left:
            if body is None:
                body = self._body = Body()
            body.add(piece)
        elif body is None:
            self._receive(piece)
        else:
            body.add(piece)
            self._receive(body.take())
        return stop

    def _read_chunks(self, reader: Reader, data: bytes, position: int) -> int:
        position = reader.read_chunks(data, position)
        if reader.fault is not None:
            self._reject(*reader.fault)
        elif reader.complete:
            self._forget_reader()
            self._receive(reader.body.take())
        return position

    def _open(self, head: Head) -> None:
        """The head is valid: hand the request to the application, and see what it wants of the body."""
        started = self._started
        exchange = self._exchange = Exchange(self, self._transport, head, self._peer, started)
        length = self._left = head.length
        self._keep_alive = head.keep_alive
        self._waits = head.waits
        self._body_until = started + self._limits.body_s
        self._phase = BODY if length or head.chunked else BUSY
        self._server.busy += 1
        try:
            most = self._application.opened(exchange)
        except Exception:
            _LOGGER.exception("the application raised in opened: its connection is cut")
            self.abort()
            return
        if exchange.begun or exchange.done or exchange.gone:
            return
        if length > most:
            self._reject(413, "the body is too large")
        elif self._phase == BUSY:
            self._receive(b"")
        elif self._waits or self._reader is not None:
            self._expect(most)

    def _expect(self, most: int) -> None:
        """A body is to come that says how it must be read."""
        if self._reader is not None:
            self._reader.max_body = most
        if self._waits:
            self._waits = False
            self._transport.write(CONTINUE)

    def _receive(self, body: bytes) -> None:
        """The request is whole."""
        self._phase = BUSY
        self._body = None
        if self._choked:
            self._deadline.set(self._now() + self._limits.write_stall_s)
        else:
            self._deadline.at = NEVER
        exchange = self._exchange
        if exchange is None:
            self._ready()
        elif not exchange.begun:
            exchange.body = body
            try:
                self._application.received(exchange)
            except Exception:
                _LOGGER.exception("the application raised in received: its connection is cut")
                self.abort()

    # --- answers

    def start_answer(self) -> bool:
        """Whether the connection can serve another request after the answer that begins now."""
        keep = self._keep_alive and not self._server.draining
        if self._phase == BUSY:
            return keep
        if self._reader is not None:
            self._reader.max_body = sys.maxsize
        if self._body is None:
            self._body = Body()
        self._body.drop()
        return keep and not self._waits and self._left <= self._limits.discard

    def end_answer(self, *, keep: bool) -> None:
        self._exchange = None
        self._server.busy -= 1
        if keep and self._phase == BUSY and not self._stash:
            self._phase = IDLE
            self._deadline.set(self._now() + self._server.idle_s)
        elif not keep:
            if self._phase == BUSY and not self._stash:
                self._close()
            else:
                self._linger()
        elif self._phase == BUSY:
            self._ready()
        elif self._reader is not None:
            # The answer is out: read only a little more for the sake of the connection.
            self._reader.max_body = self._reader.body.size + self._limits.discard

    def switch(self, head: bytes, limits: TunnelLimits) -> Tunnel:
        """Hand the connection over to a tunnel, with what the client sent already."""
        self._exchange = None
        self._server.busy -= 1
        self._phase = SWITCHED
        self._deadline.close()
        self._transport.write(b"".join((SWITCHING, self.dates.line(), head, b"\r\n")))
        tunnel = self._tunnel = Tunnel(self._server.timers, limits, client=False)
        self._server.replace(self, tunnel)
        tunnel.open(self._transport, self._stash, choked=self._choked)
        self._stash = b""
        return tunnel

    def _ready(self) -> None:
        """Wait for the next request, or go on with the one that waits."""
        self._phase = IDLE
        self._deadline.set(self._now() + self._server.idle_s)
        if self._stash and not self._choked:
            self._take_stash()

    def _reject(self, status: int, reason: str, more: bytes = b"") -> None:
        """Answer a request that cannot be served, and close."""
        exchange = self._exchange
        if exchange is not None and exchange.begun:
            self.abort()
            return
        if exchange is not None or self._phase == HEAD:  # else the rest of a body whose answer is out
            self._write_rejection(status, reason, exchange, more)
            self._lose_client()
        self._linger()

    def _write_rejection(self, status: int, reason: str, exchange: Exchange | None, more: bytes = b"") -> None:
        try:
            head, body = self._application.reject(status, reason, exchange)
        except Exception:
            _LOGGER.exception("the application raised in reject: its connection is closed without an answer")
            return
        length = b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        shown = b"" if exchange is not None and exchange.method == b"HEAD" else body
        self._transport.write(b"".join((STATUS_LINES[status], self.dates.line(), head, more, length, shown)))

    def _turn_away(self) -> None:
        """One connection too many: say so to some, hang up on the rest."""
        self._phase = CLOSED
        if self._server.refused >= self._limits.max_refused:
            self._transport.abort()
            return
        self._refused = True
        self._server.refused += 1
        self._write_rejection(503, "too many connections", None)
        self._linger()

    def _lose_client(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        self._exchange = None
        self._server.busy -= 1
        exchange.gone = True
        listener = exchange.listener
        exchange.listener = None
        if listener is not None:
            self._tell(listener.client_gone)

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            _LOGGER.exception("a listener raised: its connection is cut")
            self.abort()

    # --- what waits

    def _put_aside(self, data: bytes) -> None:
        """Bytes that are not to be read now: keep them for later if the connection goes on."""
        if self._phase == LINGER:
            self._swallow(len(data))
        elif self._tunnel is not None:
            self._tunnel.data_received(data)
        elif self._phase != CLOSED:
            self._stash += data
            if len(self._stash) > self._limits.stash:
                self._transport.pause_reading()

    def _take_stash(self) -> None:
        stash = self._stash
        self._stash = b""
        self._transport.resume_reading()
        self.data_received(stash)

    # --- the end

    def drain(self) -> None:
        """Wait for one more request, but no longer than the server lingers."""
        if self._phase == IDLE:
            self._deadline.set(min(self._deadline.at, self._now() + self._server.idle_s))

    def abort(self) -> None:
        """Close at once and drop what is not sent."""
        self._phase = CLOSED
        self._lose_client()
        self._transport.abort()

    def _close(self) -> None:
        """Close once everything is sent."""
        self._phase = CLOSED
        self._stalled = self._transport.get_write_buffer_size()
        self._transport.close()
        self._deadline.set(self._now() + self._limits.write_stall_s)

    def _linger(self) -> None:
        """Close, but read on for a while: a reset, which unread bytes would cause, could swallow the answer."""
        self._phase = LINGER
        self._swallowed = len(self._stash)
        self._stash = b""
        self._deadline.set(self._now() + self._limits.linger_s)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()

    def _swallow(self, count: int) -> None:
        self._swallowed += count
        if self._swallowed > self._limits.discard:
            self._close()

    def _await_more(self) -> None:
        """Set the deadline of a request that is not whole."""
        if self._phase == HEAD:
            self._deadline.set(self._started + self._limits.head_s)
        elif self._phase == BODY:
            self._deadline.set(min(self._now() + self._limits.body_idle_s, self._body_until))

    def _expired(self) -> None:
        phase = self._phase
        if phase == HEAD:
            self._reject(408, "the head of the request took too long")
        elif phase == BODY:
            self._reject(408, "the body of the request took too long")
        elif phase == IDLE and not self._choked and has_unread(self._transport):
            self._deadline.set(self._now())  # a request came in this very moment: it is read before the next tick
        elif phase in (IDLE, LINGER):
            self._close()
        else:
            self._check_progress()

    def _check_progress(self) -> None:
        """Bytes wait to be sent: go on waiting as long as the client takes some."""
        size = self._transport.get_write_buffer_size()
        if size < self._stalled:
            self._stalled = size
            self._deadline.set(self._now() + self._limits.write_stall_s)
        else:
            self.abort()
