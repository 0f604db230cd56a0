"""Lists of names that a key may use: whole names, and patterns in which `*` stands for any characters. Pure."""

from collections.abc import Iterable
from typing import Final

WILD: Final = "*"


class Names:
    """A list, asked by name: whole names cost one look, whatever their number."""

    __slots__ = ("_patterns", "_whole")

    def __init__(self, names: Iterable[str]) -> None:
        names = tuple(names)
        self._whole = frozenset(name for name in names if WILD not in name)
        self._patterns = tuple(tuple(name.split(WILD)) for name in dict.fromkeys(names) if WILD in name)

    def hold(self, name: str) -> bool:
        """Whether the list names it."""
        return name in self._whole or any(_fits(name, parts) for parts in self._patterns)


def _fits(name: str, parts: tuple[str, ...]) -> bool:
    """Whether the name is these parts with anything between them; the earliest place of each is as good as any."""
    head, *middle, tail = parts
    if len(name) < len(head) + len(tail) or not (name.startswith(head) and name.endswith(tail)):
        return False
    at, end = len(head), len(name) - len(tail)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
