"""One connection of a client: requests are cut out of its bytes, checked, and answered one after the other.

The parser sees a head, then a body, each up to its exact end, so that limits count raw bytes, callers run outside its
callbacks, and bytes of the next request wait unparsed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from yescale.wire.exchange import Exchange
from yescale.wire.heads import (
    CONTINUE,
    METHODS,
    SINGLE,
    STATUS_LINES,
    VERSIONS,
    content_length,
    origin_form,
    plausible_host,
)
from yescale.wire.timers import LOG, Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from yescale.wire.server import Server

# Phases. A connection reads while it answers (that is how it learns that the client left), but parses nothing then.
IDLE: Final = 0
HEAD: Final = 1
LENGTH: Final = 2  # in a body of known length
CHUNKED: Final = 3
BUSY: Final = 4  # the request is whole, its answer is not
LINGER: Final = 5  # answered and closing; what still comes is dropped
CLOSED: Final = 6

_BLANK: Final = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """The server's side of one connection."""

    __slots__ = (
        "_advancing",
        "_body",
        "_body_size",
        "_body_until",
        "_choked",
        "_complete",
        "_deadline",
        "_discarding",
        "_exchange",
        "_fault",
        "_fed",
        "_handler",
        "_head_done",
        "_headers",
        "_keep_alive",
        "_limits",
        "_max_body",
        "_parser",
        "_peer",
        "_phase",
        "_refused",
        "_remaining",
        "_server",
        "_stalled",
        "_started",
        "_stash",
        "_swallowed",
        "_tail",
        "_target",
        "_transport",
        "_upgraded",
        "_waits",
        "dates",
    )

    _transport: asyncio.Transport
    _peer: str

    def __init__(self, server: Server) -> None:
        self._server = server
        self._handler = server.handler
        self._limits = server.limits
        self.dates = server.dates
        self._deadline = Deadline(server.timers, self._expired)
        self._parser: HttpRequestParser | None = None
        self._phase = IDLE
        self._exchange: Exchange | None = None
        self._advancing = False
        self._choked = False
        self._refused = False
        self._stalled = 0
        self._stash = b""
        self._swallowed = 0
        self._tail = b""
        self._reset()

    def _reset(self) -> None:
        """Forget the last request."""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_done = False
        self._complete = False
        self._discarding = False
        self._upgraded = False
        self._waits = False
        self._keep_alive = False
        self._fault: tuple[int, str] | None = None
        self._fed = 0
        self._remaining = 0
        self._body: bytes | bytearray = b""
        self._body_size = 0

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        limits = self._limits
        transport.set_write_buffer_limits(limits.high_water, limits.low_water)
        name = transport.get_extra_info("peername")
        self._peer = name[0] if isinstance(name, tuple) else ""
        if not self._server.admit(self):
            self._turn_away()
        elif self._server.draining:
            self.abort()
        else:
            self._parser = HttpRequestParser(self)
            self._deadline.set(self._server.timers.now() + limits.idle_s)

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase == LINGER:
            self._swallow(len(data))
        elif phase == BUSY or (self._choked and phase == IDLE):
            self._keep_for_later(data)
        elif phase != CLOSED:
            self._advance(data)

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
        self._parser = None
        self._stash = b""
        self._lose_client()

    def pause_writing(self) -> None:
        self._choked = True
        self._stalled = self._transport.get_write_buffer_size()
        if self._phase == BUSY:
            self._deadline.set(self._server.timers.now() + self._limits.write_stall_s)
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

    # --- what the parser calls: facts are noted, nothing is decided, nothing raises

    def on_url(self, url: bytes) -> None:
        if self._head_done:
            return
        self._target += url
        if len(self._target) > self._limits.max_target:
            self._fault = (414, "the request target is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:  # a trailer, or the stand-in head of a request whose upgrade we ignore
            return
        if len(self._headers) < self._limits.max_headers:
            self._headers.append((name.lower(), value))
        else:
            self._fault = (431, "the request has too many headers")

    def on_headers_complete(self) -> None:
        if not self._head_done:
            self._head_done = True
            assert self._parser is not None
            self._keep_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        self._body_size += len(data)
        if self._discarding:
            return
        body = self._body
        if not body:
            self._body = data
        elif self._body_size <= self._max_body:
            if isinstance(body, bytes):
                body = self._body = bytearray(body)
            body += data

    def on_message_complete(self) -> None:
        self._complete = True

    # --- requests out of bytes

    def _advance(self, data: bytes) -> None:
        """Parse as far as one request at a time allows."""
        self._advancing = True
        position = 0
        size = len(data)
        while position < size:
            phase = self._phase
            if phase <= HEAD and not (self._choked and phase == IDLE):
                position = self._read_head(data, position)
            elif phase == LENGTH:
                position = self._read_length(data, position)
            elif phase == CHUNKED:
                position = self._read_chunks(data, position)
            else:
                break
        self._advancing = False
        if position < size:
            self.data_received(data[position:])
        self._await_more()

    def _read_head(self, data: bytes, position: int) -> int:
        if self._phase == IDLE:
            self._phase = HEAD
            self._started = self._server.timers.now()
        end = self._after_blank_line(data, position)
        stop = len(data) if end < 0 else end
        most = position + self._limits.max_head_bytes - self._fed
        if self._feed(data, position, min(stop, most)):
            if stop > most:
                self._reject(431, "the head of the request is too large")
            elif self._head_done:
                self._fed = 0
                self._open()
        return stop

    def _read_length(self, data: bytes, position: int) -> int:
        stop = min(len(data), position + self._remaining)
        if self._feed(data, position, stop):
            self._remaining -= stop - position
            if self._complete:
                self._receive()
        return stop

    def _read_chunks(self, data: bytes, position: int) -> int:
        end = self._after_blank_line(data, position)
        stop = len(data) if end < 0 else end
        size = self._body_size
        if self._feed(data, position, stop):
            if self._body_size > size:
                self._fed = 0  # the parser buffers trailers: bytes that bring no body are bounded as a head is
            size = self._body_size
            if self._fed > self._limits.max_head_bytes:
                self._reject(431, "the trailers or chunk extensions are too large")
            elif size > self._max_body and not (self._discarding and self._exchange is not None):
                self._reject(413, "the body is too large")
            elif self._complete:
                self._receive()
        return stop

    def _after_blank_line(self, data: bytes, position: int) -> int:
        """Where a blank line ends, or -1. A head ends with the first one; a chunked body ends with one of them."""
        tail = self._tail
        if tail:
            split = (tail + data[position : position + 3]).find(_BLANK)
            if split >= 0:
                self._tail = b""
                return position + split + 4 - len(tail)
        found = data.find(_BLANK, position)
        if found >= 0:
            self._tail = b""
            return found + 4
        self._tail = (tail + data[max(position, len(data) - 3) :])[-3:]
        return -1

    def _feed(self, data: bytes, start: int, stop: int) -> bool:
        """Parse a piece; False if the request had to be refused."""
        assert self._parser is not None
        self._fed += stop - start
        try:
            self._parser.feed_data(data if stop - start == len(data) else data[start:stop])
        except HttpParserUpgrade:
            self._upgraded = True
        except HttpParserError as error:
            self._reject(*(self._fault or (400, f"malformed request: {error}")))
            return False
        if self._fault is not None:
            self._reject(*self._fault)
            return False
        return True

    def _open(self) -> None:
        """The head is complete: check it, hand it to the handler, and see what it wants of the body."""
        assert self._parser is not None
        exchange = Exchange(self, self._transport)
        exchange.method = self._parser.get_method()
        exchange.headers = self._headers
        exchange.peer = self._peer
        exchange.started = self._started
        fault = self._check_line(exchange) or self._check_headers(exchange)
        if fault is not None:
            self._reject(*fault)
            return
        if self._upgraded:
            self._ignore_upgrade()
        self._exchange = exchange
        self._server.busy += 1
        try:
            self._max_body = self._handler.opened(exchange)
        except Exception:
            LOG.exception("the handler raised in opened: its connection is cut")
            self.abort()
            return
        if exchange.begun or exchange.gone:
            self._max_body = self._body_size + self._limits.discard
        elif self._remaining > self._max_body:
            self._reject(413, "the body is too large")
        elif self._phase == BUSY:
            self._receive()
        elif self._waits:
            self._waits = False
            self._transport.write(CONTINUE)
        self._body_until = self._started + self._limits.body_s

    def _check_line(self, exchange: Exchange) -> tuple[int, str] | None:
        assert self._parser is not None
        version = VERSIONS.get(self._parser.get_http_version())
        if version is None:
            return 505, "only HTTP/1.0 and HTTP/1.1 are spoken here"
        exchange.version = version
        if exchange.method not in METHODS:
            return (405, "no proxy for CONNECT") if exchange.method == b"CONNECT" else (501, "unknown method")
        target = origin_form(exchange.method, self._target)
        if target is None:
            return 400, "the request target must be a path, or an http URL without user name and fragment"
        exchange.target = target
        exchange.path, _, exchange.query = target.partition(b"?")
        return None

    def _check_headers(self, exchange: Exchange) -> tuple[int, str] | None:
        found: dict[bytes, bytes] = {}
        for name, value in self._headers:
            if name in SINGLE:
                if name in found:
                    return 400, f"the header {name.decode()} came twice"
                found[name] = value
        host = found.get(b"host")
        if host is None:
            if exchange.version == (1, 1):
                return 400, "the Host header is missing"
        elif not plausible_host(host):
            return 400, "the Host header holds no host"
        if self._upgraded and (exchange.header(b"upgrade") or b"").lower() == b"websocket":
            return 426, "no WebSocket is spoken on this path"
        return self._check_framing(found, exchange.version)

    def _check_framing(self, found: dict[bytes, bytes], version: tuple[int, int]) -> tuple[int, str] | None:
        length = found.get(b"content-length")
        encoding = found.get(b"transfer-encoding")
        if encoding is not None:
            if version == (1, 0) or length is not None:
                return 400, "Transfer-Encoding needs HTTP/1.1 and no Content-Length"
            if encoding.strip(b" \t").lower() != b"chunked":
                return 501, "the only Transfer-Encoding understood is chunked"
            self._phase = CHUNKED
        else:
            size = 0 if length is None else content_length(length)
            if size is None:
                return 400, "Content-Length is no number"
            self._remaining = size
            self._phase = LENGTH if size else BUSY
        expect = found.get(b"expect")
        if expect is not None and version == (1, 1):
            if expect.strip(b" \t").lower() != b"100-continue":
                return 417, "the only expectation understood is 100-continue"
            self._waits = self._phase != BUSY
        return None

    def _ignore_upgrade(self) -> None:
        """Go on with a parser that never saw the Upgrade header, after which the old one reads no body.

        Clients that offer HTTP/2 this way on every request (that of Java does) go on in HTTP/1.1 when ignored.
        """
        framing = b"transfer-encoding: chunked" if self._phase == CHUNKED else b"content-length: %d" % self._remaining
        self._complete = False
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)

    def _receive(self) -> None:
        """The request is whole."""
        self._phase = BUSY
        if self._choked:
            self._deadline.set(self._server.timers.now() + self._limits.write_stall_s)
        else:
            self._deadline.clear()
        exchange = self._exchange
        if exchange is None:
            self._ready()
            return
        if exchange.begun:
            return
        body = self._body
        exchange.body = body if isinstance(body, bytes) else bytes(body)
        self._body = b""
        try:
            self._handler.received(exchange)
        except Exception:
            LOG.exception("the handler raised in received: its connection is cut")
            self.abort()

    # --- answers

    def start_answer(self) -> bool:
        """Whether the connection can serve another request after the answer that begins now."""
        keep = self._keep_alive and not self._server.draining
        if self._phase == BUSY:
            return keep
        self._discarding = True
        self._body = b""
        self._max_body = self._body_size + self._limits.discard
        return keep and not self._waits and self._remaining <= self._limits.discard

    def end_answer(self, *, keep: bool) -> None:
        if self._exchange is None:
            return
        self._exchange = None
        self._server.busy -= 1
        if not keep:
            if self._phase == BUSY and not self._stash:
                self._close()
            else:
                self._linger()
        elif self._phase == BUSY:
            self._ready()
        elif self._body_size > self._max_body:
            self._linger()

    def _ready(self) -> None:
        """Wait for the next request, or go on with the one that waits."""
        self._phase = IDLE
        self._reset()
        if self._server.draining:
            self._close()
            return
        self._deadline.set(self._server.timers.now() + self._limits.idle_s)
        if self._stash and not self._advancing and not self._choked:
            self._take_stash()

    def _reject(self, status: int, reason: str) -> None:
        """Answer a request that cannot be served, and close."""
        exchange = self._exchange
        if self._discarding:
            if exchange is None:
                self._linger()
            else:
                self.abort()
            return
        self._write_rejection(status, reason, exchange)
        self._lose_client()
        self._linger()

    def _write_rejection(self, status: int, reason: str, exchange: Exchange | None) -> None:
        try:
            head, body = self._handler.reject(status, reason, exchange)
        except Exception:
            LOG.exception("the handler raised in reject: its connection is closed without an answer")
            return
        length = b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        shown = b"" if exchange is not None and exchange.method == b"HEAD" else body
        self._transport.write(b"".join((STATUS_LINES[status], self.dates.line(), head, length, shown)))

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
            LOG.exception("a listener raised: its connection is cut")
            self.abort()

    # --- what waits

    def _keep_for_later(self, data: bytes) -> None:
        self._stash += data
        if len(self._stash) > self._limits.stash:
            self._transport.pause_reading()

    def _take_stash(self) -> None:
        stash = self._stash
        self._stash = b""
        self._transport.resume_reading()
        self._advance(stash)

    # --- the end

    def drain(self) -> None:
        """Close now if no request is under way."""
        if self._phase == IDLE:
            self._close()

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
        self._deadline.set(self._server.timers.now() + self._limits.write_stall_s)

    def _linger(self) -> None:
        """Close, but read on for a while: a reset, which unread bytes would cause, could swallow the answer."""
        self._phase = LINGER
        self._swallowed = len(self._stash)
        self._stash = b""
        self._deadline.set(self._server.timers.now() + self._limits.linger_s)
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
        elif self._phase in (LENGTH, CHUNKED):
            self._deadline.set(min(self._server.timers.now() + self._limits.body_idle_s, self._body_until))

    def _expired(self) -> None:
        phase = self._phase
        if phase == HEAD:
            self._reject(408, "the head of the request took too long")
        elif phase in (LENGTH, CHUNKED):
            self._reject(408, "the body of the request took too long")
        elif phase == LINGER or (phase == IDLE and not self._transport.get_write_buffer_size()):
            self._close()
        else:
            self._check_progress()

    def _check_progress(self) -> None:
        """Bytes wait to be sent: go on waiting as long as the client takes some."""
        size = self._transport.get_write_buffer_size()
        if size < self._stalled:
            self._stalled = size
            self._deadline.set(self._server.timers.now() + self._limits.write_stall_s)
        else:
            self.abort()
