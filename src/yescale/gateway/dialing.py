"""A connection of a worker to control's internal socket, made again for ever: frames in, frames out."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, Generic, Protocol, TypeVar, cast

from msgspec import Struct
from msgspec.msgpack import Decoder

from yescale.domain.link import MAX_FRAME
from yescale.gateway.callbacks import run
from yescale.gateway.frames import BrokenFrame, Frames

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)

LONGEST_PAUSE_S: Final = 2.0  # between two attempts, where nothing else is said
_FIRST_PAUSE_S: Final = 0.05
_UNSENT_BYTES: Final = 16 * 1024 * 1024

_LOG: Final = logging.getLogger(__name__)


class Ear(Protocol[M_contra]):
    """Who hears of a connection."""

    def received(self, message: M_contra) -> None:
        """A message is here."""
        ...

    def lost(self) -> None:
        """A connection is gone; the next is being made."""
        ...


class Terms(Struct, Generic[M], frozen=True, kw_only=True):
    """Where to connect, what to say first, and what is borne."""

    path: Path
    greeting: bytes  # a frame
    decoder: Decoder[M]
    frame_bytes: int = MAX_FRAME
    unsent_bytes: int = _UNSENT_BYTES  # with more, control reads nothing: the connection is given up


class Dialing(Generic[M]):
    """One connection at a time; each begins with the greeting."""

    def __init__(self, terms: Terms[M], ear: Ear[M], rng: Random) -> None:
        self.longest_pause_s = LONGEST_PAUSE_S
        self._terms = terms
        self._ear = ear
        self._rng = rng
        self._wire: _Wire[M] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect, and again whenever the connection ends. Needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._stay_connected())

    def close(self) -> None:
        """End the connection and do not make it again."""
        if self._task is not None:
            self._task.cancel()
        if self._wire is not None:
            self._wire.drop()

    def send(self, frame: bytes) -> bool:
        """False = nothing was sent, there is no connection."""
        return self._wire is not None and self._wire.send(frame)

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        path, pause = self._terms.path, _FIRST_PAUSE_S
        while True:
            wire = _Wire(self._terms, self._ear, self._lost)
            try:
                await loop.create_unix_connection(lambda wire=wire: wire, str(path))
            except OSError as error:
                _LOG.debug("control cannot be reached at %s: %s", path, error)
            else:
                self._wire = wire
                wire.send(self._terms.greeting)
                await wire.ended.wait()
                if wire.heard:
                    pause = _FIRST_PAUSE_S
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(pause * 2, self.longest_pause_s)

    def _lost(self) -> None:
        self._wire = None
        self._ear.lost()


class _Wire(asyncio.Protocol, Generic[M]):
    """One connection."""

    def __init__(self, terms: Terms[M], ear: Ear[M], lost: Callable[[], None]) -> None:
        self.ended = asyncio.Event()
        self.heard = False
        self._ear = ear
        self._lost = lost
        self._unsent_bytes = terms.unsent_bytes
        self._frames = Frames(terms.decoder, terms.frame_bytes)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.ended.set()
        self._lost()

    def data_received(self, data: bytes) -> None:
        self.heard = True
        try:
            messages = self._frames.feed(data)
        except BrokenFrame as error:
            _LOG.error("a connection to control is dropped: %s", error)
            self.drop()
            return
        for message in messages:
            run(self._ear.received, message)

    def send(self, frame: bytes) -> bool:
        """False = nothing was sent, the connection is going."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > self._unsent_bytes:
            _LOG.error("control does not read; the connection to it is dropped")
            self._transport.abort()
        return True

    def drop(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()
