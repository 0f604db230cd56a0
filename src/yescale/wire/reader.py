"""Requests out of bytes: the parser with everything around it that makes it strict and bounded.

The parser is fed each head and each body up to its exact end. So limits count raw bytes (the parser itself buffers
partial headers without one), nobody is called from inside its callbacks, and the next request waits unparsed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from yescale.wire.heads import METHODS, SINGLE, VERSIONS, content_length, origin_form, plausible_host

if TYPE_CHECKING:
    from yescale.wire.exchange import Exchange
    from yescale.wire.limits import Limits

Fault = tuple[int, str]  # the status and the reason of a refusal

_BLANK: Final = b"\r\n\r\n"


class Reader:
    """Reads one request after the other. After each call see `fault`, `head_done` and `complete`."""

    __slots__ = (
        "_body",
        "_body_size",
        "_complaint",
        "_discarding",
        "_fed",
        "_headers",
        "_limits",
        "_parser",
        "_tail",
        "_target",
        "_upgraded",
        "chunked",
        "complete",
        "fault",
        "head_done",
        "keep_alive",
        "max_body",
        "remaining",
        "waits",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parser = HttpRequestParser(self)
        self._tail = b""
        self.reset()

    def reset(self) -> None:
        """Forget the last request."""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._upgraded = False
        self._discarding = False
        self._complaint: Fault | None = None  # of the parser; about a complete head we may know a better word
        self._fed = 0  # bytes of the head, then bytes since the last one of the body
        self._body: bytes | bytearray = b""
        self._body_size = 0
        self.fault: Fault | None = None
        self.head_done = False
        self.complete = False
        self.keep_alive = False
        self.chunked = False
        self.remaining = 0  # of a body of known length
        self.max_body = sys.maxsize
        self.waits = False  # the client waits for 100 Continue before it sends the body

    def read_head(self, data: bytes, position: int) -> int:
        """Read up to the end of the head; where to go on."""
        end = self._after_blank_line(data, position)
        stop = len(data) if end < 0 else end
        most = position + self._limits.max_head_bytes - self._fed
        self._feed(data, position, min(stop, most))
        if self.fault is None and not self.head_done:
            self.fault = self._complaint
            if stop > most and self.fault is None:
                self.fault = (431, "the head of the request is too large")
        return stop

    def read_body(self, data: bytes, position: int) -> int:
        """Read up to the end of the body; where to go on."""
        if self.chunked:
            return self._read_chunks(data, position)
        size = len(data)
        stop = min(size, position + self.remaining)
        self.remaining -= stop - position
        self._parser.feed_data(data if stop - position == size else data[position:stop])
        return stop

    def open(self, exchange: Exchange) -> Fault | None:
        """Check a complete head and set the facts of its request, or say why it is refused."""
        exchange.headers = self._headers
        self._headers = []  # takes trailers, and the stand-in head of a request whose upgrade is ignored
        fault = self._check_line(exchange) or self._check_headers(exchange) or self._complaint
        if fault is None and self._upgraded:
            self._ignore_upgrade()
        return fault

    def take_body(self) -> bytes:
        body = self._body
        self._body = b""
        return body if isinstance(body, bytes) else bytes(body)

    def discard(self) -> None:
        """Keep nothing of what still comes of the body."""
        self._discarding = True
        self._body = b""
        self.max_body = sys.maxsize

    def bound_discard(self) -> None:
        """The answer is out: read only a little more for the sake of the connection."""
        self.max_body = self._body_size + self._limits.discard

    def close(self) -> None:
        """Break the cycle with the parser, which holds bound methods."""
        del self._parser

    # --- what the parser calls: facts are noted, nothing raises

    def on_url(self, url: bytes) -> None:
        if not self.head_done:
            self._target += url
            if len(self._target) > self._limits.max_target:
                self.fault = (414, "the request target is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        if len(headers) < self._limits.max_headers:
            headers.append((name.lower(), value))
        else:
            self.fault = self.fault or (431, "the request has too many headers")

    def on_headers_complete(self) -> None:
        if not self.head_done:
            self.head_done = True
            self.keep_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        self._body_size += len(data)
        if self._body_size > self.max_body:
            self.fault = (413, "the body is too large")
        elif not self._discarding:
            body = self._body
            if not body:
                self._body = data
                return
            if isinstance(body, bytes):
                body = self._body = bytearray(body)
            body += data

    def on_message_complete(self) -> None:
        self.complete = True

    # --- pieces

    def _read_chunks(self, data: bytes, position: int) -> int:
        end = self._after_blank_line(data, position)
        stop = len(data) if end < 0 else end
        size = self._body_size
        self._feed(data, position, stop)
        self.fault = self.fault or self._complaint
        if self._body_size > size:
            self._fed = 0
        elif self._fed > self._limits.max_head_bytes and self.fault is None:
            self.fault = (431, "the trailers or chunk extensions of the body are too large")
        return stop

    def _after_blank_line(self, data: bytes, position: int) -> int:
        """Where a blank line ends, or -1. A head ends with the first one; a chunked body ends with one of them."""
        tail = self._tail
        if tail:
            split = (tail + data[position : position + 3]).find(_BLANK)
            if split >= 0:
                self._tail = b""
                return position + split + len(_BLANK) - len(tail)
        found = data.find(_BLANK, position)
        if found >= 0:
            self._tail = b""
            return found + len(_BLANK)
        self._tail = (tail + data[max(position, len(data) - 3) :])[-3:]
        return -1

    def _feed(self, data: bytes, start: int, stop: int) -> None:
        self._fed += stop - start
        try:
            self._parser.feed_data(data if stop - start == len(data) else data[start:stop])
        except HttpParserUpgrade:
            self._upgraded = True
        except HttpParserError as error:
            self._complaint = (400, f"malformed request: {error}")

    # --- checks of a head

    def _check_line(self, exchange: Exchange) -> Fault | None:
        version = VERSIONS.get(self._parser.get_http_version())
        if version is None:
            return 505, "only HTTP/1.0 and HTTP/1.1 are spoken here"
        method = self._parser.get_method()
        if method not in METHODS:
            return (405, "this is no proxy for CONNECT") if method == b"CONNECT" else (501, "unknown method")
        target = origin_form(method, self._target)
        if target is None:
            return 400, "the request target must be a path, or an http URL without user name and fragment"
        exchange.version = version
        exchange.method = method
        exchange.target = target
        exchange.path, _, exchange.query = target.partition(b"?")
        return None

    def _check_headers(self, exchange: Exchange) -> Fault | None:
        found: dict[bytes, bytes] = {}
        for name, value in exchange.headers:
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

    def _check_framing(self, found: dict[bytes, bytes], version: tuple[int, int]) -> Fault | None:
        """Of both headers at once, of a bad length and of repeated encodings the parser itself has complained."""
        encoding = found.get(b"transfer-encoding")
        if encoding is not None:
            if version == (1, 0):
                return 400, "Transfer-Encoding needs HTTP/1.1"
            if encoding.strip(b" \t").lower() != b"chunked":
                return 501, "the only Transfer-Encoding understood is chunked"
            self.chunked = True
        else:
            length = content_length(found.get(b"content-length", b"0"))
            if length is None:
                return 400, "the Content-Length is no sane number"
            self.remaining = length
        expect = found.get(b"expect")
        if expect is not None and version == (1, 1):
            if expect.lower() != b"100-continue":
                return 417, "the only expectation understood is 100-continue"
            self.waits = self.chunked or self.remaining > 0
        return None

    def _ignore_upgrade(self) -> None:
        """Go on with a parser that never saw the Upgrade header, after which the old one reads no body.

        Clients that offer HTTP/2 this way on every request (Java's own does) go on in HTTP/1.1 when ignored.
        """
        framing = b"transfer-encoding: chunked" if self.chunked else b"content-length: %d" % self.remaining
        self.complete = False
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
