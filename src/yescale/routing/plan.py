"""The choice of a channel: a pure function of the table, what is resting, and chance."""

from bisect import bisect_right
from collections.abc import Collection
from itertools import accumulate
from random import Random
from typing import Protocol

from yescale.domain.ids import ChannelId
from yescale.routing.table import Candidate, Tier


class Health(Protocol):
    """What is known of the channels right now."""

    def resting(self, channel: ChannelId, now: float) -> bool:
        """Whether the channel must not be tried."""
        ...

    def in_flight(self, channel: ChannelId) -> int:
        """How many calls it is carrying."""
        ...


def choose(
    tiers: tuple[Tier, ...], health: Health, now: float, rng: Random, tried: Collection[ChannelId] = ()
) -> Candidate | None:
    """The best candidate for the next attempt, or None when every one was tried or rests.

    The highest priority that has an eligible channel; in it two weighted draws, of which the less busy for its weight.
    """
    for tier in tiers:
        first, second = _draw(tier, rng), _draw(tier, rng)
        if _blocked(first, health, now, tried) or _blocked(second, health, now, tried):
            eligible = _leave_out_blocked(tier, health, now, tried)
            if eligible is None:
                continue
            first, second = _draw(eligible, rng), _draw(eligible, rng)
        return _less_busy(first, second, health)
    return None


def _draw(tier: Tier, rng: Random) -> Candidate:
    if len(tier.candidates) == 1:
        return tier.candidates[0]
    return tier.candidates[bisect_right(tier.bounds, rng.random() * tier.bounds[-1])]


def _blocked(candidate: Candidate, health: Health, now: float, tried: Collection[ChannelId]) -> bool:
    return candidate.channel.id in tried or health.resting(candidate.channel.id, now)


def _leave_out_blocked(tier: Tier, health: Health, now: float, tried: Collection[ChannelId]) -> Tier | None:
    left = tuple(c for c in tier.candidates if not _blocked(c, health, now, tried))
    return Tier(left, tuple(accumulate(max(1, c.channel.weight) for c in left))) if left else None


def _less_busy(a: Candidate, b: Candidate, health: Health) -> Candidate:
    if a is b:
        return a
    busy_a = health.in_flight(a.channel.id) * max(1, b.channel.weight)
    busy_b = health.in_flight(b.channel.id) * max(1, a.channel.weight)
    return a if busy_a <= busy_b else b
