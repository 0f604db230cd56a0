"""What is tried where no channel of a model can answer: the models that the caller, or else the operator, names."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.limits import Limits
from yescale.domain.money import Nano
from yescale.gateway import admission
from yescale.gateway.admission import Order
from yescale.gateway.demand import Demand
from yescale.protocols.passthrough import Peek
from yescale.routing.table import Table

Judge = Callable[[Peek], Order | Fault]
_KNOWN: Final = 1_024  # limits of models that stand behind one another, joined once


def find_order(first: Order | Fault, peek: Peek, table: Table, judge: Judge) -> Order | Fault:
    """What a call may be, `first`, with what it may be instead behind it (`Order.rest`).

    Every one is judged by itself: the key's list, its group and the price hold for each (promise 20). A model that the
    caller names and may not have is refused; one that the operator names is left out.
    """
    named = () if peek.wishes is None else peek.wishes.models
    if isinstance(first, Fault):
        if first is not faults.NO_CHANNEL:
            return first
        model = table.model(peek.model)
        names = named or (() if model is None else model.fallbacks)
    else:
        names = named or first.offer.model.fallbacks
    if not names:
        return first
    rest = _judge_all(names, peek, judge, strict=bool(named))
    if isinstance(rest, Fault):
        return rest
    if isinstance(first, Fault):
        return replace(rest[0], rest=tuple(rest[1:])) if rest else first
    return replace(first, rest=tuple(rest))


def _judge_all(names: tuple[ModelName, ...], peek: Peek, judge: Judge, *, strict: bool) -> list[Order] | Fault:
    found: list[Order] = []
    for name in dict.fromkeys(names):
        if name == peek.model:
            continue
        other = judge(replace(peek, model=name))
        if not isinstance(other, Fault):
            found.append(replace(other, peek=peek))  # which the body was read into
        elif strict and other.blame == "caller":
            return other
    return found


def change_each(order: Order, change: Callable[[Order], Order | Fault]) -> Order | Fault:
    """The order with all that may be instead of it, each changed; those that cannot be are left out."""
    if not order.rest:
        return change(order)
    changed = [change(each) for each in (replace(order, rest=()), *order.rest)]
    left = [each for each in changed if not isinstance(each, Fault)]
    return replace(left[0], rest=tuple(left[1:])) if left else changed[0]


def bounds(order: Order) -> tuple[Nano, Nano]:
    """The least and the most that must be set aside: the dearest of all that may answer."""
    ceilings = [each.ceiling for each in (order, *order.rest)]
    return max(ceiling.least for ceiling in ceilings), max(ceiling.most for ceiling in ceilings)


def limits_of(order: Order) -> Limits:
    """Those of the group and of every model that may answer: which one does is known too late to ask."""
    if not order.rest:
        return order.offer.limits
    return _join(tuple([each.offer.limits for each in (order, *order.rest)]))


@lru_cache(maxsize=_KNOWN)
def _join(parts: tuple[Limits, ...]) -> Limits:
    return tuple({limit.id: limit for part in parts for limit in part}.values())


def demand_of(order: Order, limits: tuple[Limits, ...], least_output: int) -> Demand:
    """What a call takes of its limits: as much as any that may answer."""
    if not order.rest:
        return admission.demand_of(order, limits, least_output)
    demands = [admission.demand_of(each, limits, least_output) for each in (order, *order.rest)]
    return Demand(
        least=max(demand.least for demand in demands),
        most=max(demand.most for demand in demands),
        limits=limits,
        least_tokens=max(demand.least_tokens for demand in demands),
        most_tokens=max(demand.most_tokens for demand in demands),
        prompt=max(demand.prompt for demand in demands),
        n=order.peek.n,
    )
