"""What all calls of one worker share."""

from collections.abc import Callable
from random import Random
from typing import Final, Protocol

from yescale.domain.snapshot import Snapshot
from yescale.gateway.clock import Clock
from yescale.gateway.ids import RequestIds
from yescale.gateway.journal import Journal
from yescale.gateway.keys import Keys
from yescale.gateway.limiter import Limiter
from yescale.gateway.link import Link
from yescale.gateway.memory import Memory
from yescale.gateway.purses import Purses
from yescale.gateway.rates import Rates
from yescale.gateway.relay.health import ChannelHealth
from yescale.gateway.relay.targets import Targets
from yescale.routing.table import Table
from yescale.tuning import MoneySettings, RelaySettings, RoutingSettings
from yescale.wire.client import Client
from yescale.wire.timers import Timers

ROUTING: Final = RoutingSettings()


class Live(Protocol):
    """A call that can be ended from outside, by a shutdown."""

    def stop(self, *, everything: bool) -> None:
        """Stop reading for a client that left; with `everything`, end the call whatever its state."""
        ...


class Relay:
    """The parts of one worker that calls use, and the table of the newest snapshot."""

    __slots__ = (
        "calls",
        "client",
        "clock",
        "health",
        "ids",
        "journal",
        "keys",
        "limiter",
        "link",
        "memory",
        "money",
        "now",
        "purses",
        "rates",
        "rng",
        "routing",
        "settings",
        "table",
        "targets",
        "timers",
    )

    def __init__(  # noqa: PLR0913 - the one place where a worker's parts meet
        self,
        settings: RelaySettings,
        money: MoneySettings,
        *,
        timers: Timers,
        clock: Clock,
        now: Callable[[], float],
        client: Client,
        link: Link,
        journal: Journal,
        keys: Keys,
        purses: Purses,
        rates: Rates,
        memory: Memory,
        rng: Random,
        routing: RoutingSettings = ROUTING,
    ) -> None:
        self.settings = settings
        self.money = money
        self.timers = timers
        self.clock = clock
        self.now = now
        self.client = client
        self.link = link
        self.journal = journal
        self.keys = keys
        self.purses = purses
        self.rates = rates
        self.limiter = Limiter(purses, rates)
        self.memory = memory
        self.rng = rng
        self.ids = RequestIds(rng)
        self.routing = routing
        self.health = ChannelHealth(settings, rng, by_speed=routing.prefer == "latency")
        self.table = Table(Snapshot(version=0))
        self.targets = Targets(self.table)
        self.calls: set[Live] = set()

    def publish(self, snapshot: Snapshot) -> None:
        """Calls from now on see this snapshot; those under way keep the one that they were admitted with."""
        self.table = Table(snapshot)
        self.targets = Targets(self.table)
        self.health.follow(snapshot.channels)
