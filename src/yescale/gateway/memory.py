"""The worker's end of the memory seam: what is kept of responses is stored by control and asked for again there.

Questions wait for a connection that is away: those of a call for a while, those to keep an answer for as long as there
is room. A question that was on its way when the connection broke is asked again.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, Protocol

import msgspec

from yescale.domain.ids import AccountId
from yescale.domain.memory import FRAME_ROOM, Find, Found, FromMemory, Keep, Kept, Noted, Opened, OpenMemory
from yescale.gateway.callbacks import run
from yescale.gateway.dialing import Dialing, Terms
from yescale.gateway.frames import encode
from yescale.tuning import MemorySettings

_LOG: Final = logging.getLogger(__name__)
_FROM_MEMORY: Final = msgspec.msgpack.Decoder(FromMemory)
_MOST_FINDS: Final = 10_000  # calls that wait at a time
_FINDS_BYTES: Final = 4 * 1024 * 1024  # that so many of them take on the socket


class Timer(Protocol):
    """One call to come."""

    def cancel(self) -> None:
        """Forget it."""
        ...


class Timers(Protocol):
    """What calls later."""

    def start(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call once, in so many seconds."""
        ...


class Away:
    """Control did not answer in time: ask again later."""


AWAY: Final = Away()
Tell = Callable[[Kept | Away | None], object]


class _Finding:
    """A call that waits for what it goes on from."""

    __slots__ = ("frame", "tell", "timer")

    def __init__(self, frame: bytes, tell: Tell, timer: Timer) -> None:
        self.frame = frame
        self.tell = tell
        self.timer = timer


class _Keeping:
    """An answer that control has not stored yet."""

    __slots__ = ("frame", "response")

    def __init__(self, frame: bytes, response: str) -> None:
        self.frame = frame
        self.response = response


class Memory:
    """What one worker remembers, by way of control."""

    def __init__(self, path: Path, greeting: OpenMemory, settings: MemorySettings, timers: Timers, rng: Random) -> None:
        self.settings = settings
        self._timers = timers
        self._up = False
        self._last = 0
        self._findings: dict[int, _Finding] = {}
        self._keepings: dict[int, _Keeping] = {}
        self._unkept = 0  # bytes of `_keepings`
        terms = Terms(
            path=path,
            greeting=encode(greeting),
            decoder=_FROM_MEMORY,
            frame_bytes=settings.response_bytes + FRAME_ROOM,
            unsent_bytes=settings.unkept_bytes + _FINDS_BYTES,
        )
        self._dialing = Dialing(terms, self, rng)

    @property
    def busy(self) -> bool:
        """Whether there are answers that control has not stored yet."""
        return bool(self._keepings)

    def start(self) -> None:
        """Connect, and again whenever the connection ends. Needs a running loop."""
        self._dialing.start()

    def close(self) -> None:
        """End the connection; what control has not stored is not kept."""
        self._dialing.close()
        for keeping in self._keepings.values():
            _tell_unkept(keeping.response, "the worker ended before control had stored it")
        self._keepings.clear()

    def find(self, account: AccountId, response: str, tell: Tell) -> None:
        """Ask what is kept of an account's response. None = nothing."""
        if len(self._findings) >= _MOST_FINDS:
            tell(AWAY)
            return
        number = self._number()
        frame = encode(Find(id=number, account=account, response=response))
        timer = self._timers.start(self.settings.wait_s, lambda: self._found(number, AWAY))
        self._findings[number] = _Finding(frame, tell, timer)
        self._send(frame)

    def keep(self, account: AccountId, response: str, kept: Kept) -> None:
        """Have an answer kept. Where that fails, the log says so, and nobody can go on from it."""
        if len(kept) > self.settings.response_bytes:
            _tell_unkept(response, f"with its conversation it has {len(kept)} bytes, more than memory.response_bytes")
            return
        number = self._number()
        frame = encode(Keep(id=number, account=account, response=response, kept=kept))
        if self._unkept + len(frame) > self.settings.unkept_bytes:
            _tell_unkept(response, "control is behind or away, and there is no room to wait (memory.unkept_bytes)")
            return
        self._unkept += len(frame)
        self._keepings[number] = _Keeping(frame, response)
        self._send(frame)

    # --- from the connection

    def received(self, message: FromMemory) -> None:
        """Control says something."""
        match message:
            case Opened():
                self._up = True
                for waiting in (*self._findings.values(), *self._keepings.values()):
                    self._dialing.send(waiting.frame)
            case Found():
                self._found(message.id, AWAY if message.unavailable else message.kept)
            case Noted():
                self._noted(message)

    def lost(self) -> None:
        """The connection is gone; what waits is sent again on the next."""
        self._up = False

    def _send(self, frame: bytes) -> None:
        if self._up:
            self._dialing.send(frame)

    def _number(self) -> int:
        self._last += 1
        return self._last

    def _found(self, number: int, found: Kept | Away | None) -> None:
        finding = self._findings.pop(number, None)
        if finding is not None:
            finding.timer.cancel()
            run(finding.tell, found)

    def _noted(self, noted: Noted) -> None:
        keeping = self._keepings.pop(noted.id, None)
        if keeping is None:
            return
        self._unkept -= len(keeping.frame)
        if noted.refusal:
            _tell_unkept(keeping.response, noted.refusal)


def _tell_unkept(response: str, why: str) -> None:
    _LOG.warning("%.300s is not kept, and no call can go on from it: %s", response, why)
