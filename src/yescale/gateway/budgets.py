"""The leases of budgets in a worker's book: the current one of each limit, whose purse control tells with a grant."""

from yescale.domain.ids import LimitId, PurseId
from yescale.domain.limits import Limit
from yescale.domain.link import Granted
from yescale.gateway.leases import Lease


class Budgets:
    """One lease per limit that was used, until its period is over."""

    __slots__ = ("_leases",)

    def __init__(self) -> None:
        self._leases: dict[LimitId, Lease] = {}

    def find(self, limit: Limit, now: float) -> Lease:
        """The lease of the current period."""
        lease = self._leases.get(limit.id)
        if lease is None or now >= lease.until:
            lease = self._leases[limit.id] = Lease(PurseId(-limit.id), limit.id, limit.unit)
        return lease

    def adopt(self, granted: Granted) -> Lease | None:
        """The lease that asked for a purse without knowing it, which this is."""
        lease = self._leases.get(granted.limit)
        if lease is None or lease.id > 0:
            return None
        lease.id = granted.purse
        return lease

    def forget(self, lease: Lease) -> None:
        """Its period is over, and nobody uses it."""
        if self._leases.get(lease.limit) is lease:
            del self._leases[lease.limit]
