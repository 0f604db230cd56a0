"""The choice of a channel: a pure function of the table, what is resting, and chance."""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from itertools import accumulate
from random import Random
from typing import Protocol

from yescale.domain.ids import ChannelId
from yescale.routing.sticking import nearest
from yescale.routing.table import Candidate, Tier


class Health(Protocol):
    """What is known of the channels right now."""

    @property
    def unwell(self) -> Collection[ChannelId]:
        """Those that may be resting or full."""
        ...

    @property
    def loads(self) -> Mapping[ChannelId, int]:
        """How many calls each is carrying."""
        ...

    @property
    def speeds(self) -> Mapping[tuple[ChannelId, str], float]:
        """Seconds to the first byte, by channel and the provider's name of the model."""
        ...

    @property
    def by_speed(self) -> bool:
        """Whether these count."""
        ...

    def resting(self, channel: ChannelId, now: float) -> bool:
        """Whether the channel must not be tried."""
        ...


def choose(
    tiers: tuple[Tier, ...],
    health: Health,
    now: float,
    rng: Random,
    tried: Collection[ChannelId] = (),
    stick: int = 0,
) -> Candidate | None:
    """The best candidate for the next attempt, or None when every one was tried, rests or is full.

    The highest priority that has an eligible channel; in it the one that the conversation sticks to, or of two weighted
    draws the less busy for its weight (where speed counts: the one that answers sooner).
    """
    for tier in tiers:
        eligible: Tier | None = tier
        if tried or health.unwell:
            eligible = _leave_out_blocked(tier, health, now, tried)
            if eligible is None:
                continue
        candidates, bounds = eligible.candidates, eligible.bounds
        if len(candidates) == 1:
            return candidates[0]
        if stick:
            return _stay(stick, candidates, health.loads)
        total = bounds[-1]
        first = candidates[bisect_right(bounds, rng.random() * total)]
        second = candidates[bisect_right(bounds, rng.random() * total)]
        return first if first is second else _better(first, second, health)
    return None


def _leave_out_blocked(tier: Tier, health: Health, now: float, tried: Collection[ChannelId]) -> Tier | None:
    left = tuple(c for c in tier.candidates if c.channel.id not in tried and not health.resting(c.channel.id, now))
    if len(left) == len(tier.candidates):
        return tier
    return Tier(left, tuple(accumulate(max(1, c.channel.weight) for c in left))) if left else None


def _stay(stick: int, candidates: tuple[Candidate, ...], loads: Mapping[ChannelId, int]) -> Candidate:
    return nearest(stick, [(c, c.channel.id, max(1, c.channel.weight), loads.get(c.channel.id, 0)) for c in candidates])


def _better(a: Candidate, b: Candidate, health: Health) -> Candidate:
    one, other = a.channel, b.channel
    busy_a, busy_b = health.loads.get(one.id, 0), health.loads.get(other.id, 0)
    if health.by_speed:  # one that was never measured is tried first
        return a if (busy_a + 1) * _slowness(a, health) <= (busy_b + 1) * _slowness(b, health) else b
    return a if busy_a * max(1, other.weight) <= busy_b * max(1, one.weight) else b


def _slowness(candidate: Candidate, health: Health) -> float:
    channel = candidate.channel
    return health.speeds.get((channel.id, candidate.upstream_model), 0.0) / max(1, channel.weight)
