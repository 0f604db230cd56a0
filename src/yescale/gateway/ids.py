"""Request ids: 23 digits of local time and 8 random letters or digits, as in `20250827125205880996676f3c0e92a`."""

import time
from random import Random
from typing import Final

from yescale.domain.ids import CallId

_SUBSECOND: Final = -9  # the last digits of a time in nanoseconds
_BITS: Final = 32
_FULL: Final = 1 << _BITS  # on top, so that leading zeros are written
_NANO: Final = 1_000_000_000


class RequestIds:
    """Mints ids. Its own alone: a client's id is never used as a key (promise 18)."""

    __slots__ = ("_prefix", "_rng", "_since", "_until")

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._since = 0
        self._until = 0
        self._prefix = ""

    def mint(self) -> CallId:
        """A new id."""
        now = time.time_ns()
        if not self._since <= now < self._until:
            second = now // _NANO
            self._since, self._until = second * _NANO, (second + 1) * _NANO
            self._prefix = time.strftime("%Y%m%d%H%M%S", time.localtime(second))
        return CallId(self._prefix + str(now)[_SUBSECOND:] + hex(self._rng.getrandbits(_BITS) | _FULL)[3:])
