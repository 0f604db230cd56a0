"""What a call asks of its limits."""

from msgspec import Struct

from yescale.domain.limits import Limits
from yescale.domain.money import Nano


class Demand(Struct, frozen=True, gc=False):
    """What a call may use. `limits`: as they stand with its key, its offer and its channel, part by part. `prompt`:
    tokens of it that are no output; `n`: how many outputs share the rest.
    """

    least: Nano
    most: Nano
    limits: tuple[Limits, ...] = ()
    least_tokens: int = 0
    most_tokens: int = 0
    prompt: int = 0
    n: int = 1
