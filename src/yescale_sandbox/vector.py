"""The vectors of fake embedding models."""

import hashlib
import math
from collections.abc import Sequence
from random import Random

import msgspec


def vector(item: str | Sequence[int], dimensions: int, model: str) -> list[float]:
    """A vector of length one, equal for equal items of a model; fewer dimensions are its start, renormalised."""
    seed = hashlib.sha256(msgspec.json.encode([model, item])).digest()
    # Not for secrets: a seed gives the same numbers everywhere.
    draw = Random(int.from_bytes(seed[:8], "big"))  # noqa: S311 - see above
    values = [draw.random() - 0.5 for _ in range(dimensions)]
    length = math.sqrt(math.fsum(value * value for value in values))
    return [value / length for value in values]
