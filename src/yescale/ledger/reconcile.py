"""The ledger against what a provider says it served: by request id where it knows ids, else by model and time.

Reads only. What a provider counts is the second opinion on what was charged; an estimate may differ from it.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.ledger.statement import Served
from yescale.store.bulk import padded
from yescale.store.tables import calls

SHOWN: Final = 1_000  # differences of a kind that are spelled out
_IDS: Final = 512  # in one query
_DATED: Final = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")  # of a model's name, which callers leave out


class Scope(Struct, frozen=True, kw_only=True):
    """Which calls of ours are compared: of one channel, begun in a time. None = any, and the statement's own time."""

    channel: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call, or one model, on which the two do not agree. Tokens read and written; amounts in nano-dollars."""

    model: str
    request_id: str = ""
    outcome: str = ""  # "" = there is no such call
    served: tuple[int, int] = (0, 0)
    charged: tuple[int, int] = (0, 0)
    served_requests: int = 0
    charged_requests: int = 0
    amount: int = 0
    cost: int | None = None


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What agrees, what does not. `estimated`: differs as estimates do, which alone is no difference."""

    ok: bool
    figures: Mapping[str, int]
    served_not_charged: tuple[Difference, ...]
    charged_not_served: tuple[Difference, ...]
    usage_differs: tuple[Difference, ...]
    estimated: tuple[Difference, ...]


_COLUMNS: Final = (
    calls.c.call_id,
    calls.c.upstream_model,
    calls.c.outcome,
    calls.c.estimated,
    calls.c.prompt_tokens,
    calls.c.completion_tokens,
    calls.c.amount,
)
_BEGAN: Final = calls.c.at_ms - case((calls.c.total_ms > 0, calls.c.total_ms), else_=0)
_USED: Final = or_(calls.c.prompt_tokens > 0, calls.c.completion_tokens > 0, calls.c.amount > 0)


class _Differences:
    """All are counted, the first are kept."""

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[Difference] = []

    def add(self, difference: Difference) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(difference)


class _Found:
    """Differences as they are found."""

    def __init__(self) -> None:
        self.figures: defaultdict[str, int] = defaultdict(int)
        self.not_charged = _Differences()
        self.not_served = _Differences()
        self.differs = _Differences()
        self.estimated = _Differences()

    def verdict(self) -> Reconciliation:
        """All of it; how many of each kind there are is among the figures."""
        kinds = {
            "served_not_charged": self.not_charged,
            "charged_not_served": self.not_served,
            "usage_differs": self.differs,
            "estimated": self.estimated,
        }
        return Reconciliation(
            ok=not (self.not_charged.count or self.not_served.count or self.differs.count),
            figures=dict(self.figures) | {name: found.count for name, found in kinds.items()},
            **{name: tuple(found.shown) for name, found in kinds.items()},
        )


async def reconcile(connection: AsyncConnection, lines: Sequence[Served], scope: Scope) -> Reconciliation:
    """Compare. Settle the journals first; calls that go on are in neither record yet."""
    found = _Found()
    single: defaultdict[str, list[Served]] = defaultdict(list)
    sums: list[Served] = []
    for line in lines:
        if line.id:
            single[line.id].append(line)
        else:
            sums.append(line)
        found.figures["served_requests"] += line.requests
        found.figures["served_prompt_tokens"] += line.prompt
        found.figures["served_completion_tokens"] += line.completion
        found.figures["served_cost"] += line.cost or 0
    if single:
        await _by_id(connection, single, _within(scope, [line for each in single.values() for line in each]), found)
    if sums:
        await _by_model(connection, sums, _within(scope, sums), found)
    return found.verdict()


def _within(scope: Scope, lines: Sequence[Served]) -> Scope:
    """The scope, with the lines' own time where none is said."""
    since = min(line.start_ms for line in lines)
    until = max(line.end_ms or line.start_ms for line in lines)
    return Scope(
        channel=scope.channel,
        since_ms=since if scope.since_ms is None else scope.since_ms,
        until_ms=until if scope.until_ms is None else scope.until_ms,
    )


def _conditions(scope: Scope) -> list[Any]:
    found: list[Any] = [_BEGAN.between(scope.since_ms, scope.until_ms), _USED]
    return found if scope.channel is None else [*found, calls.c.channel_id == scope.channel]


async def _by_id(
    connection: AsyncConnection, served: Mapping[str, Sequence[Served]], scope: Scope, found: _Found
) -> None:
    known: dict[str, Any] = {}
    ids = sorted(served)
    for start in range(0, len(ids), _IDS):
        query = select(*_COLUMNS).where(calls.c.call_id.in_(padded(ids[start : start + _IDS])))
        known.update((row.call_id, row) for row in await connection.execute(query))
    for call_id, lines in served.items():
        _compare(call_id, lines, known.get(call_id), found)
    query = select(*_COLUMNS).where(*_conditions(scope)).order_by(calls.c.id)
    async for row in await connection.stream(query):  # there may be more calls than lines, without end
        if row.call_id not in served:
            found.figures["charged_requests"] += 1
            found.figures["charged"] += row.amount
            found.not_served.add(_difference(row.call_id, None, row))


def _compare(call_id: str, lines: Sequence[Served], row: Any, found: _Found) -> None:
    found.figures["served_again"] += len(lines) - 1
    used = (0, 0) if row is None else (row.prompt_tokens, row.completion_tokens)
    line = next((line for line in lines if (line.prompt, line.completion) == used), lines[-1])
    if row is None or (used == (0, 0) and not row.amount):
        found.not_charged.add(_difference(call_id, line, row))
        return
    found.figures["charged_requests"] += 1
    found.figures["charged"] += row.amount
    if (line.prompt, line.completion) != used:
        (found.estimated if row.estimated else found.differs).add(_difference(call_id, line, row))


def _difference(call_id: str, line: Served | None, row: Any) -> Difference:
    return Difference(
        model=row.upstream_model if line is None else line.model,
        request_id=call_id,
        outcome="" if row is None else row.outcome,
        served=(0, 0) if line is None else (line.prompt, line.completion),
        charged=(0, 0) if row is None else (row.prompt_tokens, row.completion_tokens),
        served_requests=int(line is not None),
        charged_requests=int(row is not None),
        amount=0 if row is None else row.amount,
        cost=None if line is None else line.cost,
    )


class _Sum(Struct):
    """A model's figures in both records."""

    served: int = 0
    served_prompt: int = 0
    served_completion: int = 0
    charged: int = 0
    charged_prompt: int = 0
    charged_completion: int = 0
    estimated: int = 0
    amount: int = 0

    def difference(self, model: str) -> Difference:
        return Difference(
            model=model,
            served=(self.served_prompt, self.served_completion),
            charged=(self.charged_prompt, self.charged_completion),
            served_requests=self.served,
            charged_requests=self.charged,
            amount=self.amount,
        )


async def _by_model(connection: AsyncConnection, lines: Sequence[Served], scope: Scope, found: _Found) -> None:
    sums: defaultdict[str, _Sum] = defaultdict(_Sum)
    for line in lines:
        each = sums[_undated(line.model)]
        each.served += line.requests
        each.served_prompt += line.prompt
        each.served_completion += line.completion
    query = (
        select(
            calls.c.upstream_model,
            func.count(),
            func.sum(calls.c.prompt_tokens),
            func.sum(calls.c.completion_tokens),
            func.sum(case((calls.c.estimated, 1), else_=0)),
            func.sum(calls.c.amount),
        )
        .where(*_conditions(scope))
        .group_by(calls.c.upstream_model)
    )
    for model, count, prompt, completion, estimated, amount in await connection.execute(query):
        each = sums[_undated(model)]
        each.charged += count
        each.charged_prompt += int(prompt)
        each.charged_completion += int(completion)
        each.estimated += int(estimated)
        each.amount += int(amount)
        found.figures["charged_requests"] += count
        found.figures["charged"] += int(amount)
    for model, each in sorted(sums.items()):
        _judge(model, each, found)


def _judge(model: str, each: _Sum, found: _Found) -> None:
    if (each.served_prompt, each.served_completion) == (each.charged_prompt, each.charged_completion):
        return
    if not each.charged:
        found.not_charged.add(each.difference(model))
    elif not (each.served_prompt or each.served_completion):
        found.not_served.add(each.difference(model))
    else:
        (found.estimated if each.estimated else found.differs).add(each.difference(model))


def _undated(model: str) -> str:
    return _DATED.sub("", model)
