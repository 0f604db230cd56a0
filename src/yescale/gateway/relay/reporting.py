"""What a worker tells control of its channels: soon after it has changed, and never more often than that."""

from collections.abc import Callable
from typing import Final

from yescale.domain.link import Felt, Welcome
from yescale.gateway.link import Link
from yescale.gateway.relay.health import ChannelHealth
from yescale.wire.timers import Timers

_PAUSE_S: Final = 1.0  # what changes within this goes in one message


class Reporter:
    """Sends everything each time: a control that comes back needs no history."""

    __slots__ = ("_health", "_link", "_now", "_pending", "_timers")

    def __init__(self, health: ChannelHealth, link: Link, timers: Timers, now: Callable[[], float]) -> None:
        self._health = health
        self._link = link
        self._timers = timers
        self._now = now
        self._pending = False
        health.changed = self.soon
        link.on(Welcome, lambda _: self.soon())

    def soon(self) -> None:
        """Something has changed."""
        if not self._pending:
            self._pending = True
            self._timers.start(_PAUSE_S, self._send)

    def _send(self) -> None:
        self._pending = False
        self._health.untold = True
        self._link.send(Felt(channels=self._health.report(self._now())))
