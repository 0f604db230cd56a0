"""The choice of a channel: a pure function of the table, what is resting, and chance."""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from itertools import accumulate
from random import Random
from typing import Protocol

from yescale.domain.ids import ChannelId
from yescale.routing.table import Candidate, Tier


class Health(Protocol):
    """What is known of the channels right now."""

    @property
    def unwell(self) -> Collection[ChannelId]:
        """Those that may be resting."""
        ...

    @property
    def loads(self) -> Mapping[ChannelId, int]:
        """How many calls each is carrying."""
        ...

    def resting(self, channel: ChannelId, now: float) -> bool:
        """Whether the channel must not be tried."""
        ...


def choose(
    tiers: tuple[Tier, ...], health: Health, now: float, rng: Random, tried: Collection[ChannelId] = ()
) -> Candidate | None:
    """The best candidate for the next attempt, or None when every one was tried or rests.

    The highest priority that has an eligible channel; in it two weighted draws, of which the less busy for its weight.
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
        total = bounds[-1]
        first = candidates[bisect_right(bounds, rng.random() * total)]
        second = candidates[bisect_right(bounds, rng.random() * total)]
        return first if first is second else _less_busy(first, second, health.loads)
    return None


def _leave_out_blocked(tier: Tier, health: Health, now: float, tried: Collection[ChannelId]) -> Tier | None:
    left = tuple(c for c in tier.candidates if c.channel.id not in tried and not health.resting(c.channel.id, now))
    if len(left) == len(tier.candidates):
        return tier
    return Tier(left, tuple(accumulate(max(1, c.channel.weight) for c in left))) if left else None


def _less_busy(a: Candidate, b: Candidate, loads: Mapping[ChannelId, int]) -> Candidate:
    one, other = a.channel, b.channel
    busy_a = loads.get(one.id, 0) * max(1, other.weight)
    busy_b = loads.get(other.id, 0) * max(1, one.weight)
    return a if busy_a <= busy_b else b
