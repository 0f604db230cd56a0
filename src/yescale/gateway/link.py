"""The worker's end of the link: one ordered connection to control, made again for ever; subscribers hear its messages.

It remembers no question: who asked asks again when the link is back. Messages state totals, so twice does no harm.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar, cast

from yescale.domain.link import Alive, FromControl, FromWorker, Hello, Publish, Rested, Unpriced, Welcome
from yescale.domain.snapshot import Snapshot
from yescale.gateway.callbacks import run
from yescale.gateway.clock import Clock
from yescale.gateway.frames import BrokenFrame, Frames, encode

M = TypeVar("M", bound=FromControl)

_LOG: Final = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
_START_PAUSE_S: Final = 0.1  # the longest before the first welcome: until then no call is answered
_MAX_UNSENT: Final = 16 * 1024 * 1024  # control reads nothing: give the connection up
_MAX_NEWS: Final = 1_000  # rested channels and unpriced models kept for later


class Link:
    """One worker's connection to control. `up` is true between Welcome and the connection's end."""

    def __init__(self, path: Path, hello: Hello, clock: Clock, rng: Random) -> None:
        self.up = False
        self.alive_at = float("-inf")  # clock.boot() of the last Alive
        self.welcome: Welcome | None = None
        self._path = path
        self._hello = hello
        self._clock = clock
        self._rng = rng
        self._callbacks: dict[type, list[Callable[[Any], object]]] = {}
        self._downs: list[Callable[[], object]] = []
        self._news: deque[FromWorker] = deque(maxlen=_MAX_NEWS)
        self._wire: _Wire | None = None
        self._task: asyncio.Task[None] | None = None
        self._welcomed = asyncio.Event()

    def start(self) -> None:
        """Connect, and again whenever the connection ends. Needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._stay_connected())

    async def welcomed(self) -> Welcome:
        """The first Welcome."""
        while self.welcome is None:
            await self._welcomed.wait()
        return self.welcome

    def close(self) -> None:
        """End the connection and do not make it again."""
        if self._task is not None:
            self._task.cancel()
        if self._wire is not None:
            self._wire.drop()

    def on(self, kind: type[M], callback: Callable[[M], object]) -> None:
        """Hear every message of one kind; callbacks of a kind run in the order in which they came."""
        self._callbacks.setdefault(kind, []).append(callback)

    def on_snapshot(self, callback: Callable[[Snapshot], object]) -> None:
        """Hear of every new snapshot."""
        self.on(Publish, lambda publish: callback(publish.snapshot))

    def on_down(self, callback: Callable[[], object]) -> None:
        """Hear when a link that was up is gone."""
        self._downs.append(callback)

    def send(self, message: FromWorker) -> bool:
        """False = the link is down and the message is dropped."""
        return self.up and self._wire is not None and self._wire.send(encode(message))

    def rested(self, channel: int, secret: int, status: int) -> None:
        """A provider refused a channel's secret. Kept while the link is down."""
        self._tell(Rested(channel=channel, secret=secret, status=status))

    def unpriced(self, model: str) -> None:
        """A call was refused for want of a price. Kept while the link is down."""
        self._tell(Unpriced(model=model))

    def _tell(self, news: Rested | Unpriced) -> None:
        if not self.send(news):
            self._news.append(news)

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE_S
        while True:
            wire = _Wire(self._received, self._lost)
            try:
                await loop.create_unix_connection(lambda wire=wire: wire, str(self._path))
            except OSError as error:
                _LOG.debug("control cannot be reached at %s: %s", self._path, error)
            else:
                self._wire = wire
                wire.send(encode(self._hello))
                await wire.ended.wait()
                if wire.heard:
                    pause = _FIRST_PAUSE_S
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(pause * 2, _START_PAUSE_S if self.welcome is None else _LONGEST_PAUSE_S)

    def _lost(self) -> None:
        self._wire = None
        if not self.up:
            return
        self.up = False
        _LOG.warning("the link to control is gone; connecting again")
        for callback in self._downs:
            run(callback)

    def _received(self, message: FromControl) -> None:
        match message:
            case Welcome():
                self.welcome = message
                self.up = True
                self._welcomed.set()
            case Alive():
                self.alive_at = self._clock.boot()
            case _:
                pass
        for callback in self._callbacks.get(type(message), ()):
            run(callback, message)
        if isinstance(message, Welcome):
            while self._news and self.send(self._news[0]):
                self._news.popleft()


class _Wire(asyncio.Protocol):
    """One connection: frames in, frames out."""

    def __init__(self, received: Callable[[FromControl], None], lost: Callable[[], None]) -> None:
        self.ended = asyncio.Event()
        self.heard = False
        self._received = received
        self._lost = lost
        self._frames = Frames()
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
            _LOG.error("the link to control is dropped: %s", error)
            self.drop()
            return
        for message in messages:
            run(self._received, message)

    def send(self, frame: bytes) -> bool:
        """False = nothing was sent, the connection is going."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > _MAX_UNSENT:
            _LOG.error("control does not read the link; the connection is dropped")
            self._transport.abort()
        return True

    def drop(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()
