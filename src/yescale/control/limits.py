"""A key's limit between quota outside and nano-dollars inside.

Outside, a limit goes up to 2^53 (decisions, System API); in nano-dollars that does not fit the 64 bits of a
column. Above 2^51 quota, which is 4.5 billion dollars, a limit is stored as SATURATED and shown as the
greatest one.
"""

from typing import Final

from yescale.domain.money import NANO_PER_QUOTA, Nano, Quota, quota_balance
from yescale.store.keys import KeyRow

MOST_QUOTA: Final[Quota] = 1 << 53
_EXACT: Final[Quota] = 1 << 51
_SATURATED: Final[Quota] = 1 << 52
SATURATED: Final[Nano] = _SATURATED * NANO_PER_QUOTA


def nano_of_limit(quota: Quota) -> Nano:
    """What is stored of a limit."""
    return quota * NANO_PER_QUOTA if quota <= _EXACT else SATURATED


def remaining_quota(row: KeyRow) -> Quota:
    """What a key may still spend, rounded down; of the greatest limits as much less as was spent since."""
    remaining = quota_balance(row.remaining)
    return remaining + MOST_QUOTA - _SATURATED if row.granted >= SATURATED else remaining


def used_quota(row: KeyRow) -> Quota:
    """What a key has spent: with the remaining it makes up what was ever granted."""
    return quota_balance(row.granted) - quota_balance(row.remaining)
