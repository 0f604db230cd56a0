"""Limits: how much of something a scope may use in a window of time, or at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

from yescale.domain.ids import LimitId

Scope = Literal["account", "key", "group", "model", "channel"]
What = Literal["money", "tokens", "requests", "concurrency"]
Window = Literal["", "minute", "hour", "day", "week", "month", "total"]  # "" = at once, which is concurrency's alone

MINUTE_S: Final = 60
MONEY, TOKENS, REQUESTS = range(3)  # the places in Sums; other units than money are whole counts
Sums = tuple[int, int, int]  # nano-dollars, tokens, requests
UNITS: Final = ("nano", "token", "request")  # what purses call them
_UNITS: Final[Mapping[What, int]] = MappingProxyType(
    {"money": MONEY, "tokens": TOKENS, "requests": REQUESTS, "concurrency": REQUESTS}
)


class Limit(Struct, frozen=True, kw_only=True, gc=False):
    """`amount` nano-dollars, tokens or requests per window, or calls at once. `subject`: whom it limits: an id of an
    account, key or channel, or the name of a group or model.
    """

    id: LimitId
    scope: Scope
    subject: str
    what: What
    window: Window
    amount: int

    @property
    def unit(self) -> int:
        """The place of what it counts in Sums; concurrency counts calls."""
        return _UNITS[self.what]

    @property
    def is_budget(self) -> bool:
        """Whether it is a purse: windows of an hour or more are."""
        return self.window not in ("", "minute")


Limits = tuple[Limit, ...]
NO_LIMITS: Final[Limits] = ()
