"""A WebSocket on an open connection, from either side: messages out of bytes and back, signs of life, the close."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Final, Protocol

from yescale.wire import websocket
from yescale.wire.timers import Deadline
from yescale.wire.websocket import Close, Frames, Message, Ping, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from yescale.wire.limits import TunnelLimits
    from yescale.wire.timers import Timers

_LOGGER: Final = logging.getLogger("yescale.wire")

OPEN: Final = 0
CLOSING: Final = 1  # a close frame went out; what still comes is dropped until the peer's own
CLOSED: Final = 2


class TunnelListener(Protocol):
    """Who hears the peer of a tunnel. It must not raise: one that does is cut off and hears `closed`."""

    def message(self, data: bytes, text: bool) -> None:
        """A whole message; text is UTF-8."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """The peer closed, broke the protocol, or is gone. Comes once, and not after one's own `close` or `drop`."""
        ...

    def paused(self) -> None:
        """The peer takes bytes slower than they are sent."""
        ...

    def resumed(self) -> None:
        """The peer has caught up."""
        ...

    def draining(self) -> None:
        """The server wants to end: close as soon as that breaks nothing off."""
        ...


def _nobody(_tunnel: Tunnel) -> None:
    """Nobody waits for the end."""


class Tunnel(asyncio.Protocol):
    """One side of one WebSocket. `client`: this side is the client, which masks what it sends."""

    __slots__ = (
        "_choked",
        "_client",
        "_deadline",
        "_frames",
        "_limits",
        "_listener",
        "_lost",
        "_now",
        "_paused",
        "_pinged",
        "_pumping",
        "_stalled",
        "_state",
        "_timers",
        "_transport",
    )

    _transport: asyncio.Transport  # once open

    def __init__(self, timers: Timers, limits: TunnelLimits, *, client: bool) -> None:
        self._timers = timers
        self._now = timers.now
        self._limits = limits
        self._client = client
        self._frames = Frames(limits.max_message, masks=not client)
        self._listener: TunnelListener | None = None
        self._deadline = Deadline(timers, self._expired)
        self._state = OPEN
        self._paused = False
        self._pumping = False
        self._pinged = False  # and no byte has come since
        self._choked = False
        self._stalled = 0  # unsent bytes when last looked at
        self._lost: Callable[[Tunnel], None] = _nobody

    # --- from the wire

    def open(self, transport: asyncio.Transport, data: bytes = b"", *, choked: bool = False) -> None:
        """Take over a connection whose handshake is done, and bytes that came with it."""
        self._transport = transport
        transport.set_protocol(self)
        transport.resume_reading()
        transport.set_write_buffer_limits(self._limits.high_water, self._limits.low_water)
        self._choked = choked
        self._frames.add(data)
        self._await_life()

    def on_lost(self, call: Callable[[Tunnel], None]) -> None:
        """Call when the connection is gone."""
        self._lost = call

    def drain(self) -> None:
        if self._state == OPEN and self._listener is not None:
            self._tell(self._listener.draining)

    def abort(self) -> None:
        """Cut the connection; the listener hears that the peer is gone."""
        self._end(websocket.LOST, "the connection was cut")
        self._transport.abort()

    # --- from the owner

    def listen(self, listener: TunnelListener) -> None:
        """Hear what comes, never before this call returns."""
        self._listener = listener
        self._timers.loop.call_soon(self._pump)

    def send(self, data: bytes, *, text: bool) -> None:
        """One message in one frame; nothing, once either side has closed."""
        if self._state == OPEN:
            self._write(websocket.TEXT if text else websocket.BINARY, data)

    def pause(self) -> None:
        """Hear no more messages for now. The peer's silence counts for nothing meanwhile."""
        if not self._paused and self._state == OPEN:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and self._state == OPEN:
            self._paused = False
            self._pump()
            if not self._paused and self._state == OPEN:
                self._transport.resume_reading()
                self._await_life()

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye; the connection ends with the peer's answer, or without one soon after. Nothing more is heard."""
        if self._state != OPEN:
            return
        self._state = CLOSING
        self._listener = None
        self._write(websocket.CLOSE, websocket.closing(code, reason))
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._deadline.set(self._now() + self._limits.close_s)

    def drop(self) -> None:
        """Cut the connection and hear nothing more."""
        self._listener = None
        self.abort()

    # --- what the event loop calls

    def data_received(self, data: bytes) -> None:
        if self._state == OPEN and not self._choked:
            self._await_life()
        self._pinged = False
        self._frames.add(data)
        self._pump()

    def eof_received(self) -> None:
        """The transport closes itself after this call."""
        self._end(websocket.LOST, "the peer ended the connection without closing the WebSocket")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(websocket.LOST, "the connection was lost")
        self._deadline.close()
        self._lost(self)
        self._lost = _nobody

    def pause_writing(self) -> None:
        self._choked = True
        self._stalled = self._transport.get_write_buffer_size()
        if self._state == OPEN:
            self._deadline.set(self._now() + self._limits.stall_s)
            if self._listener is not None:
                self._tell(self._listener.paused)

    def resume_writing(self) -> None:
        self._choked = False
        if self._state == OPEN:
            self._await_life()
            if self._listener is not None:
                self._tell(self._listener.resumed)

    # --- messages

    def _pump(self) -> None:
        """Tell what is whole, as long as somebody wants to hear it."""
        if self._pumping or self._paused or (self._state == OPEN and self._listener is None):
            return
        self._pumping = True
        for event in self._frames.events():
            self._take(event)
            if self._paused or self._state == CLOSED:
                break
        self._pumping = False

    def _take(self, event: websocket.Event) -> None:
        match event:
            case Message(data, text):
                listener = self._listener
                if self._state == OPEN and listener is not None:
                    self._tell(lambda: listener.message(data, text))
            case Ping(data):
                if self._state == OPEN and not self._choked:
                    self._write(websocket.PONG, data)
            case Close(code, reason):
                self._answer_close(code, reason)
            case Violation(code, reason):
                self._refuse(code, reason)
            case _:
                pass  # a pong: any byte is a sign of life

    def _answer_close(self, code: int, reason: str) -> None:
        if self._state == OPEN:
            self._write(websocket.CLOSE, websocket.closing(code, reason))
            self._end(code, reason)
        self._state = CLOSED
        self._transport.close()
        self._deadline.set(self._now() + self._limits.close_s)

    def _refuse(self, code: int, reason: str) -> None:
        """The peer's bytes mean nothing any more: say why, and read no further."""
        if self._state == OPEN:
            self._write(websocket.CLOSE, websocket.closing(code, reason))
            self._end(code, reason)
            self._state = CLOSING  # a reset, which unread bytes would cause, could swallow the close
            self._deadline.set(self._now() + self._limits.close_s)

    def _write(self, kind: int, payload: bytes) -> None:
        self._transport.write(websocket.frame(kind, payload, os.urandom(4) if self._client else b""))

    # --- ends

    def _end(self, code: int, reason: str) -> None:
        if self._state != OPEN:
            return
        self._state = CLOSED
        listener, self._listener = self._listener, None
        if listener is not None:
            self._tell(lambda: listener.closed(code, reason))

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            _LOGGER.exception("a listener of a tunnel raised: its connection is cut")
            self.abort()

    def _await_life(self) -> None:
        limits = self._limits
        self._deadline.set(self._now() + (limits.stall_s if self._choked else limits.ping_s))

    def _expired(self) -> None:
        if self._state != OPEN:
            self._transport.abort()
        elif self._choked:
            self._check_progress()
        elif self._paused or self._listener is None:
            self._await_life()
        elif self._pinged:
            self._end(websocket.LOST, "the peer gives no sign of life")
            self._transport.abort()
        else:
            self._pinged = True
            self._write(websocket.PING, b"")
            self._deadline.set(self._now() + self._limits.pong_s)

    def _check_progress(self) -> None:
        """Bytes wait to be sent: go on waiting as long as the peer takes some."""
        size = self._transport.get_write_buffer_size()
        if size < self._stalled:
            self._stalled = size
            self._deadline.set(self._now() + self._limits.stall_s)
        else:
            self._end(websocket.LOST, "the peer takes no bytes")
            self._transport.abort()
