"""How long the fault tests run: the short form with every test run, the long form by `make faults` (FAULTS=long)."""

import os
from collections.abc import Mapping
from typing import Final

from msgspec import Struct


class Kills(Struct, frozen=True, kw_only=True):
    """Load and kills of one run on one database."""

    each: int  # kills of each kind
    answered: int  # calls at least, before the run ends
    callers: int
    idle_s: float  # of a caller between two calls, at most
    between_s: tuple[float, float]  # two kills
    most_s: float  # the run is given up


class Restarts(Struct, frozen=True, kw_only=True):
    """Graceful restarts under load."""

    reloads: int  # by SIGHUP
    starts: int  # by SIGTERM and a new start
    callers: int
    idle_s: float


class Scale(Struct, frozen=True, kw_only=True):
    """All numbers of one form."""

    name: str
    kills: Kills
    last_bytes: int  # answers whose worker is killed as soon as they are heard
    restarts: Restarts
    workers: tuple[int, ...]
    parallel: tuple[int, ...]  # calls at once on a balance that covers a few of them
    mixed_calls: int  # against key limits and balances
    counted_calls: int  # over all surfaces, with every ending, against the counters
    streams: int  # at once, with markers of their own
    stream_rounds: int


SCALES: Final[Mapping[str, Scale]] = {
    "short": Scale(
        name="short",
        kills=Kills(each=1, answered=100, callers=8, idle_s=0.1, between_s=(0.3, 1.0), most_s=75),
        last_bytes=4,
        restarts=Restarts(reloads=1, starts=1, callers=4, idle_s=0.05),
        workers=(4,),
        parallel=(20, 50),
        mixed_calls=150,
        counted_calls=500,
        streams=100,
        stream_rounds=1,
    ),
    "long": Scale(
        name="long",
        kills=Kills(each=8, answered=3_000, callers=12, idle_s=0.15, between_s=(0.3, 2.5), most_s=420),
        last_bytes=20,
        restarts=Restarts(reloads=4, starts=3, callers=8, idle_s=0.05),
        workers=(1, 4),
        parallel=(20, 50, 200),
        mixed_calls=3_000,
        counted_calls=10_000,
        streams=500,
        stream_rounds=3,
    ),
}
SCALE: Final = SCALES[os.environ.get("FAULTS") or "short"]
