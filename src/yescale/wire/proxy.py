"""An HTTP proxy on the way to an origin: it is asked for a tunnel by CONNECT, and then carries whatever passes.

https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6 says how; credentials are those of RFC 7617.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from contextlib import ExitStack, suppress
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

_PORT: Final = 3128
_MAX_PORT: Final = 65535
_MOST_BYTES: Final = 16 * 1024  # of its answer
_HOST: Final = re.compile(r"[a-z0-9._\-]+|[0-9a-f:.]*:[0-9a-f:.]*")
_ODD: Final = re.compile(r"[^\x21-\x7e]")
_AGREED: Final = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r]")
_BLANK: Final = b"\r\n\r\n"


class ProxyRefused(OSError):
    """The proxy gave no tunnel."""


class Proxy(msgspec.Struct, frozen=True, cache_hash=True):
    """Where it is, and who asks."""

    host: str
    port: int
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:  # a password must not reach a log through a representation
        return f"Proxy({self.shown!r})"

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """The proxy of `http://user:password@host:port`. Raises ValueError, saying what is wrong, never who asks."""
        if _ODD.search(url) is not None:
            raise ValueError("its URL holds a space or a character that is not printable ASCII")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError("its URL cannot be read") from None
        if parts.scheme != "http":
            raise ValueError("its URL must begin with http://")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("its URL has no path, query or fragment")
        try:
            port = parts.port or _PORT
        except ValueError:
            raise ValueError("its port is out of range") from None
        host = parts.hostname or ""
        if _HOST.fullmatch(host) is None or not 0 < port <= _MAX_PORT:
            raise ValueError("its URL has no valid host")
        return cls(host, port, unquote(parts.username or ""), unquote(parts.password or ""))

    @property
    def shown(self) -> str:
        """Its URL without who asks."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def ask(self, host: str, port: int) -> bytes:
        """The request for a tunnel."""
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = f"CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n".encode("ascii")
        if self.user or self.password:
            told = base64.b64encode(f"{self.user}:{self.password}".encode())
            lines += b"proxy-authorization: Basic " + told + b"\r\n"
        return lines + b"\r\n"


async def open_tunnel(loop: asyncio.AbstractEventLoop, proxy: Proxy, host: str, port: int) -> socket.socket:
    """A socket whose bytes go to the host. Raises OSError."""
    found = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    if not found:
        raise ProxyRefused("the proxy has no address")
    family, kind, number, _, address = found[0]
    with ExitStack() as stack:
        sock = stack.enter_context(socket.socket(family, kind, number))
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, address)
        await loop.sock_sendall(sock, proxy.ask(host, port))
        await _hear(loop, sock)
        stack.pop_all()
    return sock


async def _hear(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Read the proxy's answer to its blank line. The host speaks only when it is spoken to: nothing may follow."""
    answer = b""
    while _BLANK not in answer:
        piece = await loop.sock_recv(sock, 4_096)
        answer += piece
        if not piece or len(answer) > _MOST_BYTES:
            raise ProxyRefused("the proxy ended the connection or said too much")
    if _AGREED.match(answer) is None or not answer.endswith(_BLANK):
        raise ProxyRefused("the proxy refused a tunnel")
