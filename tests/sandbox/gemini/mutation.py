"""Mutations of a JSON body: each field taken out, and each put in a type that is not its own. Pure."""

import copy
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

Step = str | int


class Mutation(NamedTuple):
    """A changed body, and the path of what was changed."""

    path: tuple[Step, ...]
    what: str
    body: dict[str, Any]

    @property
    def pattern(self) -> str:
        """The path without the numbers of its items."""
        return ".".join(step for step in self.path if isinstance(step, str))

    @property
    def place(self) -> str:
        return ".".join(map(str, self.path))

    def named_in(self, message: str) -> bool:
        """Whether the message names the field in either spelling, or the numbered item or entry that it is or is in."""
        *_, name = (step for step in self.path if isinstance(step, str))
        numbered = [f"{snake(one)}[{two}]" for one, two in pairwise(self.path) if isinstance(two, int)]
        entry = [f"{self.path[-2]}["] if len(self.path) > 1 and isinstance(self.path[-2], str) else []
        words = snake(name).replace("_", " ")
        return any(one in message for one in (name, snake(name), *numbered[-1:], *entry)) or words in message.lower()


def snake(step: Step) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda found: "_" + found.group(1).lower(), str(step))


def places(value: Any, free: frozenset[str], path: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Every field of a body, except what is inside of free ones and empty."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in pairs:
        if one is not None:
            yield (*path, step), one
        if step not in free:
            yield from places(one, free, (*path, step))


def mutations(body: dict[str, Any], free: frozenset[str], maps: frozenset[str]) -> Iterator[Mutation]:
    """Every field once deleted and once mistyped. Items of lists and entries of maps are only mistyped."""
    for path, value in places(body, free):
        is_field = isinstance(path[-1], str) and (len(path) < 2 or path[-2] not in maps)
        if is_field:
            yield Mutation(path, "deleted", _changed(body, path, ...))
        yield Mutation(path, "mistyped", _changed(body, path, _other(value)))


def _other(value: Any) -> Any:
    """A value of a type that the field cannot be."""
    if isinstance(value, bool):
        return "perhaps"
    if isinstance(value, str):
        return {"wrong": 1}
    if isinstance(value, (int, float)):
        return "many"
    return 7


def _changed(body: dict[str, Any], path: tuple[Step, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(body)
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made
