"""What a call asks of its limits."""

from msgspec import Struct

from yescale.domain.limits import NO_LIMITS, Limits
from yescale.domain.money import Nano


class Demand(Struct, frozen=True, gc=False):
    """What a call may use. `prompt`: tokens of it that are no output; `n`: how many outputs share the rest."""

    least: Nano
    most: Nano
    limits: Limits = NO_LIMITS
    least_tokens: int = 0
    most_tokens: int = 0
    prompt: int = 0
    n: int = 1
