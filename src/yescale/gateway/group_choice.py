"""A key whose group is `auto`: a call is judged for each of its groups, and is the first's that can serve it now.

Each is judged by itself: the key's list, the group's channels and its ratio hold for the one that is charged (promise
20).
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.link import KeyRecord
from yescale.gateway.admission import Order, may_use
from yescale.routing.table import Table

Judge = Callable[[KeyRecord], Order | Fault]
_OF_ITS_GROUP: Final = frozenset({faults.MODEL_NOT_ALLOWED.code, faults.NO_CHANNEL.code})


def find_order(key: KeyRecord, model: str, judge: Judge, is_served: Callable[[Order], bool]) -> Order | Fault:
    """What a call may be. `is_served`: whether a channel of an order can take it right now."""
    first: Order | None = None
    refused: list[Fault] = []
    for group in key.groups:
        order = judge(replace(key, group=group))
        if isinstance(order, Fault):
            refused.append(order)
        elif is_served(order):
            return order
        elif first is None:
            first = order
    return first or _explain(key, model, refused)


def group_of(key: KeyRecord, table: Table, name: str) -> str:
    """The group that a call for a model would be charged at, if all channels are well; of others, the key's own."""
    served = (group for group in key.groups if name in table.names(group))
    return next(served, key.group)


def _explain(key: KeyRecord, model: str, refused: list[Fault]) -> Fault:
    """Why none of the groups serves it: what is wrong whatever the group comes first."""
    others = [fault for fault in refused if fault.code not in _OF_ITS_GROUP]
    if others or not refused or not may_use(key, model):
        return (others or refused or [faults.MODEL_NOT_ALLOWED])[0]
    if all(fault.code == faults.NO_CHANNEL.code for fault in refused):
        return refused[0]
    return faults.MODEL_NOT_OFFERED.saying(
        f"The model '{model[:100]}' is not offered to any group of this API key: {', '.join(key.groups)}.",
        param="model",
    )
