"""Rates and concurrency of this node: a bucket per limit that fills evenly, and how many calls each worker carries.

They live in memory: a control that begins anew has full buckets. With several nodes each has its share of every limit.
"""

from collections.abc import Callable, Mapping
from typing import Final

from yescale.domain.ids import Incarnation, LimitId
from yescale.domain.limits import MINUTE_S
from yescale.domain.link import Ask, Give, Given, Take, Taken

_SHARE: Final = 8  # a worker takes beyond its need at most this part of what is there, so that others find some
_MOST: Final = 100_000  # buckets; those that are full again are forgotten
_SLOT_S: Final = 1.0  # when a call might end


class _Bucket:
    __slots__ = ("amount", "at", "level")

    def __init__(self, amount: int, now: float) -> None:
        self.amount = amount
        self.level = float(amount)
        self.at = now

    def fill(self, amount: int, now: float) -> None:
        """Let in what came since; an edit of the limit moves the level as far as the limit."""
        if amount != self.amount:
            self.level = max(min(0.0, self.level), self.level + amount - self.amount)
            self.amount = amount
        self.level = min(float(amount), self.level + (now - self.at) * amount / MINUTE_S)
        self.at = now

    def put(self, unused: int) -> None:
        """What was taken and not used; below zero what was used beyond it, which is missing for a minute at most."""
        self.level = max(-float(self.amount), min(float(self.amount), self.level + unused))

    def wait_s(self, need: int) -> float:
        """Seconds until there is as much."""
        return (need - self.level) * MINUTE_S / self.amount if need <= self.amount else float(MINUTE_S)


class Buckets:
    """What workers of this node take of limits."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._nodes = 1
        self._now = now
        self._buckets: dict[LimitId, _Bucket] = {}
        self._carried: dict[LimitId, dict[Incarnation, int]] = {}

    def share_among(self, nodes: int) -> None:
        """Among how many nodes every limit is shared out."""
        self._nodes = nodes

    def take(self, incarnation: Incarnation, asked: Take) -> Taken:
        """From all of them, or from none."""
        now = self._now()
        buckets: dict[LimitId, _Bucket] = {}
        for ask in asked.asks:
            refused = self._look_at_once(incarnation, ask) if ask.at_once else self._look(ask, buckets, now)
            if refused is not None:
                left, after_s = refused
                return Taken(id=asked.id, refused=ask.limit, left=left, after_s=after_s)
        return Taken(id=asked.id, given=tuple(self._grant(incarnation, ask, buckets) for ask in asked.asks))

    def give(self, incarnation: Incarnation, message: Give) -> None:
        """What was not needed, and how many calls a worker carries now."""
        for limit, unused in message.unused:
            bucket = self._buckets.get(limit)
            if bucket is not None:
                bucket.put(unused)
        for limit, count in message.at_once:
            self._carry(limit, incarnation, count)

    def leave(self, incarnation: Incarnation) -> None:
        """A worker is gone, and with it its calls."""
        for limit in tuple(self._carried):
            self._carry(limit, incarnation, 0)

    def _share(self, amount: int) -> int:
        return max(min(amount, 1), amount // self._nodes)

    def _look(self, ask: Ask, buckets: dict[LimitId, _Bucket], now: float) -> tuple[int, float] | None:
        """What is left and how long to wait, where it does not suffice."""
        amount = self._share(ask.amount)
        bucket = self._buckets.get(ask.limit)
        if bucket is None:
            if len(self._buckets) >= _MOST:
                self._forget(now)
            bucket = self._buckets[ask.limit] = _Bucket(amount, now)
        bucket.fill(amount, now)
        buckets[ask.limit] = bucket
        return None if bucket.level >= ask.need else (max(0, int(bucket.level)), bucket.wait_s(ask.need))

    def _look_at_once(self, incarnation: Incarnation, ask: Ask) -> tuple[int, float] | None:
        carried = self._carried.get(ask.limit, {})
        others = sum([count for worker, count in carried.items() if worker != incarnation])
        return None if others + ask.need <= self._share(ask.amount) else (0, _SLOT_S)

    def _grant(self, incarnation: Incarnation, ask: Ask, buckets: Mapping[LimitId, _Bucket]) -> Given:
        if ask.at_once:
            self._carry(ask.limit, incarnation, ask.need)
            return Given(limit=ask.limit, amount=ask.need, left=0)
        bucket = buckets[ask.limit]
        chunk = max(ask.need, min(ask.want, int(bucket.level) // _SHARE))
        bucket.level -= chunk
        return Given(limit=ask.limit, amount=chunk, left=int(bucket.level))

    def _carry(self, limit: LimitId, incarnation: Incarnation, count: int) -> None:
        carried = self._carried.setdefault(limit, {})
        if count > 0:
            carried[incarnation] = count
        else:
            carried.pop(incarnation, None)
        if not carried:
            del self._carried[limit]

    def _forget(self, now: float) -> None:
        self._buckets = {limit: bucket for limit, bucket in self._buckets.items() if _is_used(bucket, now)}


def _is_used(bucket: _Bucket, now: float) -> bool:
    bucket.fill(bucket.amount, now)
    return bucket.level < bucket.amount
