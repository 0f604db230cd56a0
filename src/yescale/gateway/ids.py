"""Request ids: 23 digits of local time and 8 random letters or digits, as in `20250827125205880996676Xy3kQ9aZ`."""

import time
from random import Random
from string import ascii_letters, digits
from typing import Final

from yescale.domain.ids import CallId

_ALPHABET: Final = ascii_letters + digits
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_COUNT: Final = len(_PAIRS)
_BITS: Final = 64
_NANO: Final = 1_000_000_000


class RequestIds:
    """Mints ids. Its own alone: a client's id is never used as a key (promise 18)."""

    __slots__ = ("_prefix", "_rng", "_second")

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._second = -1
        self._prefix = ""

    def mint(self) -> CallId:
        """A new id."""
        now = time.time_ns()
        second = now // _NANO
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y%m%d%H%M%S", time.localtime(second))
        bits = self._rng.getrandbits(_BITS)
        p, n = _PAIRS, _COUNT
        return CallId(
            f"{self._prefix}{now - second * _NANO:09d}"
            f"{p[bits % n]}{p[(bits >> 16) % n]}{p[(bits >> 32) % n]}{p[(bits >> 48) % n]}"
        )
