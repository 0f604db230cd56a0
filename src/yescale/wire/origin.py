"""Where an upstream is: scheme, host and port, or the path of a Unix socket."""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from yescale.wire.proxy import Proxy

_PORTS: Final = {"http": 80, "https": 443}
_MAX_PORT: Final = 65535
_HOST: Final = re.compile(r"[a-z0-9._\-]+|[0-9a-f:.]*:[0-9a-f:.]*")
_ODD: Final = re.compile(r"[^\x21-\x7e]")


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """One place to connect to. A Unix socket has a `path`, and `host` "localhost" for its Host header."""

    scheme: Literal["http", "https", "unix"]
    host: str
    port: int
    path: str = ""
    via: Proxy | None = None  # what it is reached through

    @classmethod
    def parse(cls, url: str) -> tuple[Origin, str]:
        """The origin and the base path (no trailing slash) of a URL.

        `unix:/run/x.sock` names a socket and has no base path. Raises ValueError, saying what is wrong, for other
        schemes, user names, queries, fragments and bad hosts.
        """
        if _ODD.search(url) is not None:
            raise ValueError("the URL holds a space or a character that is not printable ASCII: escape it")
        parts = urlsplit(url)
        if parts.query or parts.fragment or "?" in url or "#" in url:
            raise ValueError("the URL of an origin has no query and no fragment")
        if parts.scheme == "unix":
            return _unix(parts), ""
        if parts.scheme not in _PORTS:
            raise ValueError(f"the URL must begin with http://, https:// or unix:, not {parts.scheme[:20]!r}")
        if "@" in parts.netloc:
            raise ValueError("the URL must not hold a user name or password")
        host = parts.hostname or ""
        if _HOST.fullmatch(host) is None:
            raise ValueError("the URL has no valid host")
        scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
        port = _PORTS[scheme] if parts.port is None else parts.port
        if not 0 < port <= _MAX_PORT:
            raise ValueError("the port of the URL is out of range")
        return cls(scheme, host, port), parts.path.rstrip("/")

    @property
    def authority(self) -> bytes:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = _PORTS.get(self.scheme, self.port)
        return (host if self.port == default else f"{host}:{self.port}").encode()


def _unix(parts: SplitResult) -> Origin:
    if parts.netloc or not parts.path.startswith("/"):
        raise ValueError("a Unix socket is written unix:/absolute/path")
    return Origin("unix", "localhost", 0, unquote(parts.path))
