"""Unusual requests out of bytes: the parser with everything around it that makes it strict and bounded.

The parser is fed a head and a chunked body up to their exact ends. So limits count raw bytes (the parser itself buffers
partial headers without one), nobody is called from inside its callbacks, and what follows waits unparsed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from yescale.wire.body import Body
from yescale.wire.heads import METHODS, SINGLE, VERSIONS, Head, content_length, origin_form, plausible_host

if TYPE_CHECKING:
    from yescale.wire.limits import Limits

Fault = tuple[int, str]  # the status and the reason of a refusal

_BLANK: Final = b"\r\n\r\n"
_CHUNKED: Final = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"


class Reader:
    """Reads one request: its head, and its body if that is chunked. See `fault`, `head_done` and `complete`."""

    __slots__ = (
        "_chunked",
        "_complaint",
        "_fed",
        "_handshake",
        "_headers",
        "_keep_alive",
        "_length",
        "_limits",
        "_line",
        "_parser",
        "_tail",
        "_target",
        "_upgraded",
        "_version",
        "_waits",
        "body",
        "complete",
        "fault",
        "head_done",
        "max_body",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parser = HttpRequestParser(self)
        self._tail = b""
        self._target = b""
        self._line = (b"", b"", b"", b"")
        self._version = (1, 1)
        self._headers: list[tuple[bytes, bytes]] = []
        self._upgraded = False
        self._handshake = False
        self._complaint: Fault | None = None  # of the parser; about a complete head we may know a better word
        self._fed = 0  # bytes of the head, then bytes since the last one of the body
        self._keep_alive = False
        self._chunked = False
        self._length = 0
        self._waits = False
        self.body = Body()
        self.fault: Fault | None = None
        self.head_done = False
        self.complete = False
        self.max_body = sys.maxsize

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

    def open(self) -> Head | Fault:
        """Check a complete head: what it says, or why it is refused."""
        headers = self._headers
        self._headers = []  # takes trailers, and the stand-in head of a request whose upgrade is ignored
        fields = dict(reversed(headers))
        fault = self._check_line() or self._check_headers(headers, fields) or self._complaint
        if fault is not None:
            return fault
        if self._upgraded and self._chunked:
            self._ignore_upgrade()
        return Head(
            self._line,
            headers,
            fields,
            self._length,
            self._chunked,
            self._waits,
            self._keep_alive,
            self._version,
            self._handshake,
        )

    def read_chunks(self, data: bytes, position: int) -> int:
        """Read up to the end of a chunked body; where to go on."""
        end = self._after_blank_line(data, position)
        stop = len(data) if end < 0 else end
        size = self.body.size
        self._feed(data, position, stop)
        self.fault = self.fault or self._complaint
        if self.body.size > size:
            self._fed = 0
        elif self._fed > self._limits.max_head_bytes and self.fault is None:
            self.fault = (431, "the trailers or chunk extensions of the body are too large")
        return stop

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
            self._keep_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        if self.body.size + len(data) > self.max_body:
            self.fault = (413, "the body is too large")
        else:
            self.body.add(data)

    def on_message_complete(self) -> None:
        self.complete = True

    # --- pieces

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

    def _check_line(self) -> Fault | None:
        version = VERSIONS.get(self._parser.get_http_version())
        if version is None:
            return 505, "only HTTP/1.0 and HTTP/1.1 are spoken here"
        method = self._parser.get_method()
        if method not in METHODS:
            return (405, "this is no proxy for CONNECT") if method == b"CONNECT" else (501, "unknown method")
        target = origin_form(method, self._target)
        if target is None:
            return 400, "the request target must be a path, or an http URL without user name and fragment"
        path, _, query = target.partition(b"?")
        self._line = (method, target, path, query)
        self._version = version
        return None

    def _check_headers(self, headers: list[tuple[bytes, bytes]], fields: dict[bytes, bytes]) -> Fault | None:
        if len(fields) < len(headers):
            names = [name for name, _ in headers if name in SINGLE]
            for name in names:
                if names.count(name) > 1:
                    return 400, f"the header {name.decode()} came twice"
        host = fields.get(b"host")
        if host is None:
            if self._version == (1, 1):
                return 400, "the Host header is missing"
        elif not plausible_host(host):
            return 400, "the Host header holds no host"
        if self._upgraded and fields.get(b"upgrade", b"").lower() == b"websocket":
            self._handshake = True  # the path says whether there is one, before anything else of it is looked at
            return None
        return self._check_framing(fields)

    def _check_framing(self, fields: dict[bytes, bytes]) -> Fault | None:
        """Of both headers at once, of a bad length and of repeated encodings the parser itself has complained."""
        modern = self._version == (1, 1)
        encoding = fields.get(b"transfer-encoding")
        if encoding is not None:
            if not modern:
                return 400, "Transfer-Encoding needs HTTP/1.1"
            if encoding.strip(b" \t").lower() != b"chunked":
                return 501, "the only Transfer-Encoding understood is chunked"
            self._chunked = True
        else:
            length = content_length(fields.get(b"content-length", b"0"))
            if length is None:
                return 400, "the Content-Length is no sane number"
            self._length = length
        expect = fields.get(b"expect")
        if expect is not None and modern:
            if expect.lower() != b"100-continue":
                return 417, "the only expectation understood is 100-continue"
            self._waits = self._chunked or self._length > 0
        return None

    def _ignore_upgrade(self) -> None:
        """Go on with a parser that never saw the Upgrade header, after which the old one reads no body.

        Clients that offer HTTP/2 this way on every request (Java's own does) go on in HTTP/1.1 when ignored.
        """
        self.complete = False
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(_CHUNKED)
