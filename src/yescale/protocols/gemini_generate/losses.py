"""What a request could not say, gathered while it is written; each thing once, at its gravest."""

from typing import Final, Literal

from yescale.domain.loss import Loss

Weight = Literal["hint", "setting", "content"]
_GRAVITY: Final[tuple[Weight, ...]] = ("hint", "setting", "content")


class Losses:
    """Losses by what was lost, in the order of their first mention."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, Loss] = {}

    def add(self, what: str, why: str, weight: Weight) -> None:
        """Note one."""
        known = self._found.get(what)
        if known is None or _GRAVITY.index(weight) > _GRAVITY.index(known.weight):
            self._found[what] = Loss(what, why, weight)

    def all(self) -> tuple[Loss, ...]:
        """Everything that was noted."""
        return tuple(self._found.values())
