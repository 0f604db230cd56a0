"""A WebSocket asked for at an upstream: a connection of its own, which carries one handshake and becomes a tunnel."""

from __future__ import annotations

import base64
import logging
import os
from typing import TYPE_CHECKING, Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade

from yescale.wire.attempt import Attempt, Failure, Sink
from yescale.wire.handshake import is_proven, request_lines
from yescale.wire.tunnel import Tunnel
from yescale.wire.upstream import Upstream

if TYPE_CHECKING:
    from yescale.wire.limits import Deadlines, TunnelLimits
    from yescale.wire.upstream import Home

_LOGGER: Final = logging.getLogger("yescale.wire")
_SWITCHING: Final = b"HTTP/1.1 101"
_BLANK: Final = b"\r\n\r\n"


class Dialer(Sink, Protocol):
    """Who asks for a WebSocket. An answer other than 101 is heard as that of any request."""

    def opened(self, attempt: Attempt, tunnel: Tunnel) -> None:
        """The upstream agreed; nothing is read before `tunnel.listen`. The attempt is over."""
        ...


class Dial(Attempt):
    """An attempt to get a WebSocket."""

    __slots__ = ("_dialer", "key", "limits")

    def __init__(self, head: bytes, dialer: Dialer, deadlines: Deadlines, started: float, limits: TunnelLimits) -> None:
        self.key = base64.b64encode(os.urandom(16))
        self.limits = limits
        self._dialer = dialer
        super().__init__(head + request_lines(self.key) + b"\r\n", b"", dialer, deadlines, started)

    def open(self, tunnel: Tunnel) -> None:
        """Wire's own: the handshake is proven."""
        self.over = True
        self.carrier = None
        try:
            self._dialer.opened(self, tunnel)
        except Exception:
            _LOGGER.exception("a dialer raised in opened: its tunnel is cut")
            tunnel.abort()


class Dialled(Upstream):
    """The connection of one dial."""

    __slots__ = ("_start",)

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self._start: bytes | None = b""  # of the answer; None: it is no 101, and read as any other

    def data_received(self, data: bytes) -> None:
        """A 101 is read to its end and believed if it proves itself."""
        dial = self._attempt
        if self._start is None or not isinstance(dial, Dial):
            super().data_received(data)
            return
        start = self._start = self._start + data
        end = start.find(_BLANK)
        if not _SWITCHING.startswith(start[: len(_SWITCHING)]):
            self._start = None
            super().data_received(start)
        elif end >= 0:
            self._switch(dial, start[: end + len(_BLANK)], start[end + len(_BLANK) :])
        elif len(start) > self._most:
            self._fail(Failure.GARBAGE)

    def _switch(self, dial: Dial, head: bytes, rest: bytes) -> None:
        dial.answered = True
        dial.first_byte_at = self._now()
        upgraded = False
        try:
            self._parser.feed_data(head)
        except HttpParserUpgrade:
            upgraded = True
        except HttpParserError:
            pass  # it upgraded nothing
        if not upgraded or not is_proven(dial.headers, dial.key):
            self._fail(Failure.GARBAGE)
            return
        self._attempt = None
        self._deadline.close()
        self._home.forget(self)
        del self._parser
        tunnel = Tunnel(self._home.timers, dial.limits, client=True)
        tunnel.open(self.transport, rest)
        dial.open(tunnel)
