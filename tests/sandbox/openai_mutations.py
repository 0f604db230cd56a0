"""Small faults put into a full, valid request, one at a time: a field mistyped, taken out, or one too many."""

import copy
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

Place = tuple[str | int, ...]


class Mutation(NamedTuple):
    """What was done, as `mistype input[0].role`, and what came of it."""

    name: str
    body: dict[str, Any]


def mutations(body: dict[str, Any], free: Collection[str] = ()) -> Iterator[Mutation]:
    """Every mutation of a body. Inside of what is free, where any key may stand, nothing is done."""
    for place, value in _places(body, (), frozenset(free)):
        if isinstance(value, dict) and _spelled(place) not in free:
            yield _mutation(body, "extend", place, lambda held: held.update(surprise=1))
        if not place:
            continue
        if value is not None:
            yield _mutation(body, "mistype", place[:-1], _setter(place[-1], _other(value)), shown=place)
        if isinstance(place[-1], str):
            yield _mutation(body, "delete", place[:-1], _remover(place[-1]), shown=place)


def _places(value: Any, place: Place, free: frozenset[str]) -> Iterator[tuple[Place, Any]]:
    yield place, value
    if _spelled(place) in free:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*place, key), free)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*place, index), free)


def _mutation(
    body: dict[str, Any], verb: str, place: Place, change: Callable[[Any], None], *, shown: Place | None = None
) -> Mutation:
    changed = copy.deepcopy(body)
    held: Any = changed
    for step in place:
        held = held[step]
    change(held)
    return Mutation(f"{verb} {_spelled(place if shown is None else shown)}", changed)


def _setter(key: str | int, value: Any) -> Callable[[Any], None]:
    return lambda held: held.__setitem__(key, value)


def _remover(key: str) -> Callable[[Any], None]:
    return lambda held: held.pop(key)


def _other(value: Any) -> Any:
    """A value of a type that no field takes in the place of this one."""
    return {"surprise": 1} if isinstance(value, bool | int | float) else 7


def _spelled(place: Place) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
