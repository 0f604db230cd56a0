"""The worker's end of the link: one ordered connection to control, made again for ever; subscribers hear its messages.

It remembers no question: who asked asks again when the link is back. Messages state totals, so twice does no harm.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

from yescale.domain.link import Alive, FromControl, FromWorker, Hello, Publish, Rested, Unpriced, Welcome
from yescale.domain.snapshot import Snapshot
from yescale.gateway.callbacks import run
from yescale.gateway.clock import Clock
from yescale.gateway.dialing import LONGEST_PAUSE_S, Dialing, Terms
from yescale.gateway.frames import FROM_CONTROL, encode

M = TypeVar("M", bound=FromControl)

_LOG: Final = logging.getLogger(__name__)
_START_PAUSE_S: Final = 0.1  # the longest before the first welcome: until then no call is answered
_MAX_NEWS: Final = 1_000  # rested channels and unpriced models kept for later


class Link:
    """One worker's connection to control. `up` is true between Welcome and the connection's end."""

    def __init__(self, path: Path, hello: Hello, clock: Clock, rng: Random) -> None:
        self.up = False
        self.alive_at = float("-inf")  # clock.boot() of the last Alive
        self.welcome: Welcome | None = None
        self._clock = clock
        self._callbacks: dict[type, list[Callable[[Any], object]]] = {}
        self._downs: list[Callable[[], object]] = []
        self._news: deque[FromWorker] = deque(maxlen=_MAX_NEWS)
        self._welcomed = asyncio.Event()
        self._dialing = Dialing(Terms(path=path, greeting=encode(hello), decoder=FROM_CONTROL), self, rng)
        self._dialing.longest_pause_s = _START_PAUSE_S

    def start(self) -> None:
        """Connect, and again whenever the connection ends. Needs a running loop."""
        self._dialing.start()

    async def welcomed(self) -> Welcome:
        """The first Welcome."""
        while self.welcome is None:
            await self._welcomed.wait()
        return self.welcome

    def close(self) -> None:
        """End the connection and do not make it again."""
        self._dialing.close()

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
        return self.up and self._dialing.send(encode(message))

    def rested(self, rested: Rested) -> None:
        """A provider refused a channel's secret. Kept while the link is down."""
        self._tell(rested)

    def unpriced(self, model: str) -> None:
        """A call was refused for want of a price. Kept while the link is down."""
        self._tell(Unpriced(model=model))

    def _tell(self, news: Rested | Unpriced) -> None:
        if not self.send(news):
            self._news.append(news)

    def lost(self) -> None:
        """The connection is gone; it is being made again."""
        if not self.up:
            return
        self.up = False
        _LOG.warning("the link to control is gone; connecting again")
        for callback in self._downs:
            run(callback)

    def received(self, message: FromControl) -> None:
        """A message is here."""
        match message:
            case Welcome():
                self.welcome = message
                self.up = True
                self._dialing.longest_pause_s = LONGEST_PAUSE_S
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
