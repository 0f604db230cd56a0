"""One request of a client and its one answer, as the caller of the server sees them."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final, Protocol

from yescale.wire.handshake import accept
from yescale.wire.heads import BODILESS, STATUS_LINES

if TYPE_CHECKING:
    import asyncio

    from yescale.wire.heads import Dates, Head
    from yescale.wire.limits import TunnelLimits
    from yescale.wire.tunnel import Tunnel

_LARGE: Final = 64 * 1024  # from here on two buffers in one system call are cheaper than one copy
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Listener(Protocol):
    """Who makes an answer and wants to hear of the client. Calls come from the event loop, once per change.

    `client_paused` may come while `begin` or `write` still runs.
    """

    def client_gone(self) -> None: ...
    def client_paused(self) -> None: ...
    def client_resumed(self) -> None: ...


class Line(Protocol):
    """The connection under an exchange."""

    dates: Dates

    def start_answer(self) -> bool:
        """Whether the connection can serve another request after this answer; asked once, before its head."""
        ...

    def end_answer(self, *, keep: bool) -> None: ...

    def switch(self, head: bytes, limits: TunnelLimits) -> Tunnel:
        """Send the 101 and become a tunnel."""
        ...


class Exchange:
    """A request, valid from `Application.opened` on, and the way to answer it.

    Header names are lower-cased; `fields` has the first value of each. `body` is valid from `Application.received` on.
    After `done` or `gone` every call that answers does nothing. `head` is extra header lines, each ended by CRLF (build
    them with `heads.header_line`); Content-Length, Transfer-Encoding, Date and Connection are added here.
    """

    __slots__ = (
        "_chunked",
        "_keep",
        "_line",
        "_silent",
        "_transport",
        "begun",
        "body",
        "done",
        "fields",
        "gone",
        "headers",
        "listener",
        "method",
        "path",
        "paused",
        "peer",
        "query",
        "started",
        "target",
        "version",
    )

    method: bytes
    target: bytes
    path: bytes
    query: bytes

    def __init__(self, line: Line, transport: asyncio.Transport, head: Head, peer: str, started: float) -> None:
        self._line = line
        self._transport = transport
        self.method, self.target, self.path, self.query = head.line
        self.headers = head.headers
        self.fields = head.fields
        self.version = head.version
        self.peer = peer
        self.started = started
        self._chunked = False
        self._keep = False
        self._silent = False
        self.body = b""
        self.listener: Listener | None = None
        self.begun = False
        self.done = False
        self.gone = False
        self.paused = False

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; the name in lower case."""
        return self.fields.get(name)

    def respond(self, status: int, head: bytes, body: bytes) -> None:
        """Send one whole answer in one write."""
        if self.done or self.gone:
            return
        connection = self._open(status, streamed=False)
        self.done = True
        line = self._line
        length = b"\r\n" if status in BODILESS else b"content-length: %d\r\n\r\n" % len(body)
        if self._silent:
            body = b""
        if len(body) < _LARGE:
            self._transport.write(b"".join((STATUS_LINES[status], line.dates.line(), connection, head, length, body)))
        else:
            front = b"".join((STATUS_LINES[status], line.dates.line(), connection, head, length))
            self._transport.writelines((front, body))
        self.listener = None
        line.end_answer(keep=self._keep)

    def begin(self, status: int, head: bytes, first: bytes = b"") -> None:
        """Start a streamed answer: its head and first bytes in one write."""
        if self.done or self.gone:
            return
        connection = self._open(status, streamed=True)
        front = (STATUS_LINES[status], self._line.dates.line(), connection, head)
        if self._chunked:
            start = b"%x\r\n%b\r\n" % (len(first), first) if first and not self._silent else b""
            self._transport.write(b"".join((*front, b"transfer-encoding: chunked\r\n\r\n", start)))
        else:
            self._transport.write(b"".join((*front, b"\r\n", b"" if self._silent else first)))

    def write(self, data: bytes) -> None:
        """Send one chunk. Empty data sends nothing: an empty chunk would end the answer."""
        if self.done or self.gone or self._silent or not data:
            return
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self, last: bytes = b"") -> None:
        """Send the last chunk and the terminator in one write; the connection goes on or closes."""
        if self.done or self.gone:
            return
        self.done = True
        if self._silent:
            pass
        elif self._chunked:
            self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last) if last else b"0\r\n\r\n")
        elif last:
            self._transport.write(last)
        self._finish()

    def cut(self, last: bytes = b"") -> None:
        """Send `last`, then close so that the client sees a truncated answer; without a head, just close.

        A chunked answer misses its terminator. One delimited by the end of the connection ends in a reset, its only
        possible sign of truncation, which may overtake bytes on their way.
        """
        if self.done or self.gone:
            return
        if self.begun:
            self.write(last)
        self.done = True
        self._keep = False
        if self.begun and not self._chunked and not self._silent:
            self._reset_on_close()
        self._finish()

    def switch(self, head: bytes, limits: TunnelLimits) -> Tunnel:
        """Take a handshake that came by `Door.knocked`: the connection is a WebSocket from here on. The proof that it
        was understood is added to `head`; nothing is read before somebody listens.
        """
        if self.begun or self.gone:
            raise RuntimeError("the answer has begun, or the client is gone: there is nothing to switch")
        self.begun = self.done = True
        self.listener = None
        proof = accept(self.fields[b"sec-websocket-key"])
        return self._line.switch(b"sec-websocket-accept: %b\r\n%b" % (proof, head), limits)

    def _open(self, status: int, *, streamed: bool) -> bytes:
        """Settle how the answer is framed; the Connection header line that says so."""
        if self.begun:
            raise RuntimeError("the answer has begun: only write, end and cut may follow")
        self.begun = True
        modern = self.version == (1, 1)
        self._silent = self.method == b"HEAD" or status in BODILESS
        self._chunked = streamed and modern and status not in BODILESS
        self._keep = self._line.start_answer() and (modern or not streamed)
        if self._keep:
            return b"" if modern else b"connection: keep-alive\r\n"
        return b"connection: close\r\n"

    def _finish(self) -> None:
        self.listener = None
        self._line.end_answer(keep=self._keep)

    def _reset_on_close(self) -> None:
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
