"""Changes of a good request, one field at a time: taken out, of another type, or joined by one that nobody knows."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

Step: TypeAlias = str | int
UNKNOWN = "nobody_knows_this"


class Mutation(NamedTuple):
    """One change: where, what was done, and the body that came of it."""

    path: tuple[Step, ...]
    kind: str
    body: Any

    @property
    def field(self) -> str:
        """The name of the field that was changed, or of the list's."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), "")

    def __str__(self) -> str:
        return f"{self.kind} {'.'.join(str(step) for step in self.path)}"


def mutations(body: dict[str, Any]) -> Iterator[Mutation]:
    """Every field left out, every value of another type, every object with one field more."""
    for path, value in _places(body, ()):
        if path and isinstance(path[-1], str):
            yield Mutation(path, "without", _changed(body, path, None, remove=True))
        if path:
            yield Mutation(path, "mistyped", _changed(body, path, _otherwise(value)))
        if isinstance(value, dict):
            more = {**value, UNKNOWN: 1}
            yield Mutation((*path, UNKNOWN), "unknown", _changed(body, path, more) if path else more)


def _places(value: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Any]]:
    yield path, value
    inner: Sequence[tuple[Step, Any]] = ()
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for step, one in inner:
        yield from _places(one, (*path, step))


def _otherwise(value: Any) -> Any:
    """A value of a type that does not fit where this one stands."""
    if isinstance(value, bool | int | float):
        return "a string"
    return 7 if isinstance(value, str) else "" if value is None else True


def _changed(body: Any, path: tuple[Step, ...], value: Any, *, remove: bool = False) -> Any:
    made = json.loads(json.dumps(body))
    place = made
    for step in path[:-1]:
        place = place[step]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made
