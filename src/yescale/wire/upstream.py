"""One connection to an upstream: it carries one attempt after the other, and is never reused after anything odd."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from yescale.wire.attempt import Failure
from yescale.wire.heads import VERSIONS
from yescale.wire.timers import Deadline

if TYPE_CHECKING:
    from yescale.wire.attempt import Attempt
    from yescale.wire.limits import ClientLimits
    from yescale.wire.timers import Timers

_LARGE: Final = 64 * 1024  # from here on two buffers in one system call are cheaper than one copy
_INTERIM: Final = range(100, 200)
_SWITCHING: Final = 101


class Home(Protocol):
    """Where connections come from and go back to."""

    timers: Timers
    limits: ClientLimits

    def keep(self, upstream: Upstream) -> bool: ...
    def forget(self, upstream: Upstream) -> None: ...
    def retry(self, attempt: Attempt) -> None: ...


class Upstream(asyncio.Protocol):
    """The client's side of one connection."""

    __slots__ = (
        "_attempt",
        "_blocked",
        "_complete",
        "_deadline",
        "_delimited",
        "_fault",
        "_framing",
        "_head_done",
        "_headers",
        "_home",
        "_keep_alive",
        "_left",
        "_length",
        "_most",
        "_now",
        "_out",
        "_parser",
        "_raw",
        "_rest",
        "_secure",
        "_sending",
        "_surplus",
        "_told",
        "_used",
        "connected",
        "lost",
        "transport",
    )

    transport: asyncio.Transport  # once connected
    _parser: HttpResponseParser

    def __init__(self, home: Home) -> None:
        self._home = home
        self._now = home.timers.now
        self._most = home.limits.max_head_bytes
        self._attempt: Attempt | None = None
        self._deadline = Deadline(home.timers, self._expired)
        self._blocked = False  # the transport holds bytes of the request
        self._rest = memoryview(b"")  # of a large body, not yet handed to the transport
        self._secure = False
        self._sending = False  # the request is not out yet
        self._used = False
        self._out: list[bytes] = []
        self.lost = False
        self.connected = False
        self._reset()

    def _reset(self) -> None:
        """Forget the last answer."""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_done = False
        self._told = False
        self._complete = False
        self._delimited = True  # by the end of the connection, until a header says otherwise
        self._length = b""  # of the body, if a header tells it
        self._left = 0  # bytes to come of a body that is counted
        self._fault = False
        self._surplus = False
        self._keep_alive = False
        self._raw = 0
        self._framing = 0

    # --- what attempts ask

    def start(self, attempt: Attempt, now: float) -> None:
        """Send the request of an attempt, head and body in one write."""
        transport = self.transport
        self._attempt = attempt
        attempt.carrier = self
        attempt.reused = self._used
        attempt.sent = True
        self._used = True
        body = attempt.body
        if len(body) < _LARGE:
            transport.write(attempt.head + body)
        elif not self._secure:
            transport.writelines((attempt.head, body))
        else:
            transport.write(attempt.head)
            self._rest = memoryview(body)
            self._send_rest()
        deadlines = attempt.deadlines
        self._sending = transport.get_write_buffer_size() > 0
        at = now + (deadlines.send_s if self._sending else deadlines.first_byte_s)
        total_at = attempt.total_at
        self._deadline.set(at if at < total_at else total_at)
        if attempt.paused:
            self.pause(attempt)

    def pause(self, attempt: Attempt) -> None:
        self.transport.pause_reading()
        if self._head_done:
            self._deadline.set(attempt.total_at)

    def resume(self, attempt: Attempt) -> None:
        self.transport.resume_reading()
        if self._head_done:
            self._await_more(attempt)

    def shut(self) -> None:
        """Close at once and tell the attempt, if one is under way."""
        self._fail(Failure.CUT if self._head_done else Failure.RESET)

    def drop(self) -> None:
        """Close at once, never to be used again."""
        self._attempt = None
        self._rest = memoryview(b"")
        self._deadline.close()
        self._home.forget(self)
        if self.connected:
            self.transport.abort()

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast("asyncio.Transport", transport)
        self.connected = True
        self._parser = HttpResponseParser(self)
        self._secure = transport.get_extra_info("sslcontext") is not None
        # resume_writing must come when the last byte is out; TLS would call pause_writing for an empty buffer at 0.
        transport.set_write_buffer_limits(1 if self._secure else 0, 0)

    def data_received(self, data: bytes) -> None:
        attempt = self._attempt
        if attempt is None:
            self.drop()
            return
        if not attempt.answered:
            attempt.answered = True
            attempt.first_byte_at = self._now()
        if self._left:
            self._count(data)
        elif not (self._parse(data) if self._head_done else self._parse_head(data)):
            self._fail(Failure.GARBAGE)
            return
        if self._complete:
            self._finish(attempt)
        elif self._head_done:
            self._hand_on(attempt)

    def eof_received(self) -> None:
        """A clean end ends an answer that only the end of the connection delimits; any other is told as lost."""
        attempt = self._attempt
        if attempt is not None and self._head_done and self._delimited:
            self._keep_alive = False
            self._finish(attempt)

    def connection_lost(self, exc: Exception | None) -> None:
        attempt = self._attempt
        head_done = self._head_done
        self.lost = True
        self.drop()
        del self._parser
        if attempt is None:
            return
        if attempt.reused and not attempt.answered and attempt.replayable:
            self._home.retry(attempt)
        else:
            attempt.fail(Failure.CUT if head_done else Failure.RESET)

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._send_rest()
        attempt = self._attempt
        if self._sending and attempt is not None and not self._blocked:
            self._sending = False
            if not self._head_done:
                self._await_head(attempt)

    # --- what the parser calls: facts are noted, nothing is decided, nothing raises

    def on_message_begin(self) -> None:
        if self._complete:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:  # else a trailer, or surplus
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        attempt = self._attempt
        if self._head_done or attempt is None:
            return
        headers = self._headers
        if len(headers) > self._home.limits.max_headers:
            self._fault = True
        fields = dict(headers)
        if len(fields) < len(headers):
            fields = dict(reversed(headers))
        encoding = fields.get(b"transfer-encoding")
        length = fields.get(b"content-length")
        self._delimited = encoding is None and length is None
        if encoding is not None:
            self._fault = self._fault or not _is_chunked(headers)
        status = self._parser.get_status_code()
        if status < _INTERIM.stop or self._parser.get_http_version() not in VERSIONS:
            if status in _INTERIM and status != _SWITCHING:
                self._fault = self._fault or not self._delimited  # its body would be taken for that of the answer
                self._headers = []
                return
            self._fault = True
        if length is not None:
            self._length = length
        self._head_done = True
        attempt.status = status
        attempt.headers = headers
        attempt.fields = fields
        attempt.head = attempt.body = b""
        self._complete = attempt.bare

    def on_body(self, data: bytes) -> None:
        if not self._complete:
            self._out.append(data)

    def on_message_complete(self) -> None:
        if self._head_done and not self._complete:
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()

    # --- requests out

    def _send_rest(self) -> None:
        """Send a large body through TLS piece by piece: it would encrypt and buffer all of it, and hide how much."""
        while self._rest and not self._blocked:
            piece = self._rest[:_LARGE]
            self._rest = self._rest[_LARGE:]
            self.transport.write(piece)

    # --- answers out of bytes

    def _parse(self, data: bytes) -> bool:
        """Feed the parser; False if this is no answer that we can trust."""
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            # After the end of an answer nothing can spoil it any more, but the connection is not to be trusted.
            self._surplus = True
            return self._complete and not self._fault
        if self._out:
            self._framing = 0
            return not self._fault
        # The parser buffers trailers: bytes that bring no body are bounded as a head is.
        self._framing += len(data)
        return not self._fault and self._framing <= self._most * 2

    def _parse_head(self, data: bytes) -> bool:
        """The same while the head is not whole, which must not take more bytes and headers than it may."""
        room = self._most - self._raw
        self._raw += len(data)
        if len(data) > room:
            if not self._parse(data[:room]) or not self._head_done:
                return False
            data = data[room:]
        sound = self._parse(data)
        if not self._head_done:
            return sound and len(self._headers) <= self._home.limits.max_headers
        if sound and self._length and not self._complete:
            self._start_counting()
        return sound

    def _start_counting(self) -> None:
        """The rest of a body of known length needs no parser, and is handed on as it comes; the next answer does."""
        self._left = int(self._length) - sum(map(len, self._out))
        self._keep_alive = self._parser.should_keep_alive()
        self._parser = HttpResponseParser(self)

    def _count(self, data: bytes) -> None:
        """Take what belongs to a body of known length."""
        left = self._left
        self._out.append(data[:left])
        if len(data) < left:
            self._left = left - len(data)
        else:
            self._left = 0
            self._complete = True
            self._surplus = len(data) > left

    def _hand_on(self, attempt: Attempt) -> None:
        out = self._out
        if out or not self._told:
            self._told = True
            self._out = []
            if not attempt.deliver(out[0] if len(out) == 1 else b"".join(out), done=False):
                self.drop()
        if self._attempt is not None and not attempt.paused:
            at = self._now() + attempt.deadlines.idle_s
            total_at = attempt.total_at
            self._deadline.set(at if at < total_at else total_at)

    def _finish(self, attempt: Attempt) -> None:
        """The answer is whole. The connection is out of the way before the sink hears it."""
        out = self._out
        self._out = []
        self._attempt = None
        attempt.carrier = None
        if self._keep_alive and not self._surplus and not self._sending:
            if attempt.paused:
                self.transport.resume_reading()
            self._reset()
            if self._home.keep(self):
                self._deadline.set(self._now() + self._home.limits.idle_s)
        else:
            self.drop()
        attempt.deliver(out[0] if len(out) == 1 else b"".join(out), done=True)

    def _fail(self, failure: Failure) -> None:
        attempt = self._attempt
        self.drop()
        if attempt is not None:
            attempt.fail(failure)

    # --- deadlines

    def _await_head(self, attempt: Attempt) -> None:
        self._deadline.set(min(self._now() + attempt.deadlines.first_byte_s, attempt.total_at))

    def _await_more(self, attempt: Attempt) -> None:
        self._deadline.set(min(self._now() + attempt.deadlines.idle_s, attempt.total_at))

    def _expired(self) -> None:
        attempt = self._attempt
        if attempt is None:
            self.drop()
        elif self._now() >= attempt.total_at:
            self._fail(Failure.TOTAL_TIMEOUT)
        elif self._head_done:
            self._fail(Failure.IDLE_TIMEOUT)
        elif not self._sending:
            self._fail(Failure.FIRST_BYTE_TIMEOUT)
        elif self.transport.get_write_buffer_size():
            self._fail(Failure.SEND_TIMEOUT)
        else:
            self._sending = False
            self._await_head(attempt)


def _is_chunked(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether no encoding of a body is named but the one that the parser undoes."""
    return all(value.strip(b" \t").lower() == b"chunked" for name, value in headers if name == b"transfer-encoding")
