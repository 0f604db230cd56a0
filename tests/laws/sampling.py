"""Requests made from the types of vendors' SDKs: one for each field of each type, wherever in a request that stands."""

import enum
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel

MARK = "QUJDMTIz"  # base64, too
_SCALARS: Mapping[Any, Any] = types.MappingProxyType(
    {str: MARK, int: 2, float: 0.5, bool: True, object: {"type": "object"}, Any: MARK, bytes: MARK}
)
_FAR = 99


class Spot(NamedTuple):
    """A field of a type."""

    kind: type
    field: str

    @property
    def name(self) -> str:
        """For lists and messages."""
        return f"{self.kind.__name__}.{self.field}"


class Sampler:
    """Values of types. `fixed` are values of fields that no type tells, by name or by type and name; `beside` stands in
    every object of a type, where that demands too little to say anything.
    """

    def __init__(self, root: type, fixed: Mapping[str, Any], beside: Mapping[str, Mapping[str, Any]]) -> None:
        self._root = root
        self._fixed = fixed
        self._beside = beside

    def spots(self) -> Iterator[Spot]:
        """Every field of every type that a request can hold, nearest first."""
        seen: list[type] = [self._root]
        for kind in seen:
            for name, hint in fields_of(kind).items():
                yield Spot(kind, name)
                seen += [inner for inner in _kinds_in(hint) if inner not in seen]

    def request(self, spot: Spot, value: Any) -> Any:
        """A small request that holds the field with this value; None leaves it out."""
        return self._sample(self._root, spot, value)

    def value(self, spot: Spot, *, other: bool = False) -> Any:
        """A value for a field, or another one; None = there is no other."""
        hint = fields_of(spot.kind)[spot.field]
        if other:
            return _another(hint)
        return self._of_field(spot.kind, spot.field)

    def required(self, spot: Spot) -> bool:
        """Whether an object of the type would not do without the field."""
        return spot.field in _required_of(spot.kind) or spot.field in self._beside.get(spot.kind.__name__, {})

    def _sample(self, hint: Any, spot: Spot | None, value: Any) -> Any:
        kind = _plain(hint)
        if _is_kind(kind):
            return self._object(kind, spot, value)
        if _is_union(kind):
            return self._sample(self._choose(get_args(kind), spot), spot, value)
        if get_origin(kind) is Literal:
            return get_args(kind)[-1]
        if _is_enum(kind):
            return list(kind)[-1].value
        if get_origin(kind) in (dict, Mapping, typing.get_origin(Mapping[str, str])):
            return {"a": self._sample(get_args(kind)[1], spot, value)}
        if get_args(kind):
            return [self._sample(get_args(kind)[0], spot, value)]
        return _SCALARS.get(kind, MARK)

    def _object(self, kind: type, spot: Spot | None, value: Any) -> dict[str, Any]:
        hints = fields_of(kind)
        made = {name: self._of_field(kind, name) for name in hints if name in _required_of(kind)}
        made |= self._beside.get(kind.__name__, {})
        if spot is None:
            return made
        if kind is spot.kind:
            return {name: said for name, said in (made | {spot.field: value}).items() if said is not None}
        way = min(hints, key=lambda name: _distance(hints[name], spot.kind))
        return made | {way: self._sample(hints[way], spot, value)}

    def _of_field(self, kind: type, name: str) -> Any:
        found = self._fixed.get(f"{kind.__name__}.{name}", self._fixed.get(name))
        return self._sample(fields_of(kind)[name], None, None) if found is None else found

    def _choose(self, options: tuple[Any, ...], spot: Spot | None) -> Any:
        said = [option for option in options if _plain(option) is not type(None)]
        if spot is not None:
            return min(said, key=lambda option: _distance(option, spot.kind))
        return next((option for option in said if _plain(option) in _SCALARS), said[0])


def _distance(hint: Any, target: type) -> int:
    """How many types lie between; _FAR = it is not in there."""
    plain = _plain(hint)
    kinds = (plain,) if _is_kind(plain) else tuple(_kinds_in(hint))
    return min((_steps(kind).get(target, _FAR) for kind in kinds), default=_FAR)


@cache
def _steps(start: type) -> Mapping[type, int]:
    """Every type that a type can hold, and how deep."""
    found = {start: 0}
    for kind in (queue := [start]):
        for inner in _inner(kind):
            if inner not in found:
                found[inner] = found[kind] + 1
                queue.append(inner)
    return found


@cache
def _inner(kind: type) -> tuple[type, ...]:
    return tuple(dict.fromkeys(inner for hint in fields_of(kind).values() for inner in _kinds_in(hint)))


@cache
def fields_of(kind: type) -> Mapping[str, Any]:
    """A type's fields, by the names that they have on the wire, and their types."""
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return typing.get_type_hints(kind)


@cache
def _required_of(kind: type) -> frozenset[str]:
    if issubclass(kind, BaseModel):
        return frozenset(name for name, field in kind.model_fields.items() if field.is_required())
    total = getattr(kind, "__total__", True)
    hints = typing.get_type_hints(kind, include_extras=True)
    return frozenset(
        name
        for name, hint in hints.items()
        if get_origin(hint) is typing.Required or (total and get_origin(hint) is not typing.NotRequired)
    )


def _is_kind(hint: Any) -> bool:
    return isinstance(hint, type) and (issubclass(hint, BaseModel) or hasattr(hint, "__required_keys__"))


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (typing.Union, types.UnionType)


def _plain(hint: Any) -> Any:
    """A type without what is written around it."""
    while get_origin(hint) in (typing.Annotated, typing.Required, typing.NotRequired):
        hint = get_args(hint)[0]
    return hint.__value__ if isinstance(hint, getattr(typing, "TypeAliasType", ())) else hint


def _kinds_in(hint: Any) -> Iterator[type]:
    """The types with fields that a type mentions."""
    plain = _plain(hint)
    if _is_kind(plain):
        yield plain
    elif get_origin(plain) is not Literal:
        for inner in get_args(plain):
            yield from _kinds_in(inner)


def _another(hint: Any) -> Any:
    """Another value than the usual one, for words and numbers; None where there is none."""
    plain = _plain(hint)
    options = get_args(plain) if _is_union(plain) else (plain,)
    for option in map(_plain, options):
        if option is str:
            return "WFlaOTg3"
        if option in (int, float):
            return 3
        if get_origin(option) is Literal and len(get_args(option)) > 1:
            return get_args(option)[0]
    return None
