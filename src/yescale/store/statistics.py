"""Counts of calls by model and hour, and how far the log has been counted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.journal import AttemptNote
from yescale.store.bulk import bulk_upsert, either
from yescale.store.tables import calls, counters, model_hours

_COUNTER: Final = "statistics"
_MOST_KEYS: Final = 500  # of an IN list


class LoggedCall(Struct, frozen=True, kw_only=True, gc=False):
    """What is counted of a call row."""

    id: int
    model: str
    at_ms: int
    channel_id: int
    outcome: str
    status: int
    completion_tokens: int
    first_ms: int
    total_ms: int


class Hour(Struct, frozen=True, kw_only=True):
    """The calls of one model in one hour. `times`: how many good calls took how long, by step."""

    model: str
    hour: int
    calls: int = 0
    good: int = 0
    tokens: int = 0
    tokens_ms: int = 0
    times: Mapping[int, int] = {}

    def plus(self, other: "Hour") -> "Hour":
        """Both together; model and hour stay."""
        times = dict(self.times)
        for step, count in other.times.items():
            times[step] = times.get(step, 0) + count
        return Hour(
            model=self.model,
            hour=self.hour,
            calls=self.calls + other.calls,
            good=self.good + other.good,
            tokens=self.tokens + other.tokens,
            tokens_ms=self.tokens_ms + other.tokens_ms,
            times=times,
        )


class _HourRow(Struct, frozen=True, kw_only=True):
    """An Hour as it is stored: `times` are pairs in JSON."""

    model: str
    hour: int
    calls: int
    good: int
    tokens: int
    tokens_ms: int
    times: str


class _Tried(Struct, frozen=True):
    """Of a call's details, its attempts."""

    attempts: tuple[AttemptNote, ...] = ()


_LOGGED: Final = tuple(calls.c[name] for name in LoggedCall.__struct_fields__)
_AFTER: Final = (
    select(*_LOGGED)
    .where(calls.c.id > bindparam("done"), calls.c.id <= bindparam("upto"))
    .order_by(calls.c.id)
    .limit(bindparam("most"))
)
_NEWEST: Final = select(func.max(calls.c.id))
_FIRST_SINCE: Final = select(func.min(calls.c.id)).where(calls.c.at_ms >= bindparam("since_ms"))
_DONE: Final = select(counters.c.value).where(counters.c.name == _COUNTER)
_ADVANCE: Final = (
    counters.update()
    .where(counters.c.name == _COUNTER, counters.c.value == bindparam("done"))
    .values(value=bindparam("to"))
)
_BEGIN: Final = either(lambda insert: insert(counters).on_conflict_do_nothing())
_HOURS: Final = select(*[model_hours.c[name] for name in _HourRow.__struct_fields__])
_SINCE: Final = _HOURS.where(model_hours.c.hour >= bindparam("hour"))
_FORGET: Final = model_hours.delete().where(model_hours.c.hour < bindparam("hour"))
_PUT: Final = bulk_upsert(model_hours, ("model", "hour"), _HourRow.__struct_fields__[2:])
_ATTEMPTS: Final = (
    select(calls.c.details)
    .where(calls.c.id > select(func.max(calls.c.id)).scalar_subquery() - bindparam("most"))
    .where(calls.c.at_ms >= bindparam("since_ms"))
    .order_by(calls.c.id.desc())
    .limit(bindparam("most"))
)
_PAIRS: Final = msgspec.json.Decoder(tuple[tuple[int, int], ...])
_TRIED: Final = msgspec.json.Decoder(_Tried)
_JSON: Final = msgspec.json.Encoder()


async def newest_call(connection: AsyncConnection) -> int:
    """The id of the newest call row; 0 = there is none."""
    return (await connection.execute(_NEWEST)).scalar_one() or 0


async def counted_upto(connection: AsyncConnection) -> int | None:
    """The id of the last call row that was counted; None = counting has not begun."""
    return (await connection.execute(_DONE)).scalar_one_or_none()


async def begin_counting(connection: AsyncConnection, since_ms: int) -> None:
    """Count from the first call since then on."""
    first = (await connection.execute(_FIRST_SINCE, {"since_ms": since_ms})).scalar_one()
    done = await newest_call(connection) if first is None else first - 1
    await connection.execute(_BEGIN[connection.dialect.name], {"name": _COUNTER, "value": done})


async def calls_between(connection: AsyncConnection, done: int, upto: int, most: int) -> tuple[LoggedCall, ...]:
    """The call rows behind `done` up to `upto`, in order, at most `most`."""
    rows = await connection.execute(_AFTER, {"done": done, "upto": upto, "most": most})
    return tuple(LoggedCall(**row) for row in rows.mappings())


async def advance(connection: AsyncConnection, done: int, to: int) -> bool:
    """Say that rows up to `to` are counted; False where somebody else did so first: roll back then."""
    return (await connection.execute(_ADVANCE, {"done": done, "to": to})).rowcount > 0


async def add_hours(connection: AsyncConnection, added: Iterable[Hour]) -> None:
    """Add to what is counted. Whoever calls it holds the counter's row, so that nobody else adds meanwhile."""
    wanted = {(hour.model, hour.hour): hour for hour in added}
    if not wanted:
        return
    for known in await _find(connection, [*wanted]):
        place = (known.model, known.hour)
        if place in wanted:
            wanted[place] = known.plus(wanted[place])
    await _PUT.run(connection, [_to_row(hour) for hour in wanted.values()])


async def hours_since(connection: AsyncConnection, hour: int) -> tuple[Hour, ...]:
    """What was counted of that hour and of those after it."""
    return _from_rows((await connection.execute(_SINCE, {"hour": hour})).mappings())


async def forget_hours(connection: AsyncConnection, before: int) -> None:
    """Drop what is older."""
    await connection.execute(_FORGET, {"hour": before})


async def newest_attempts(connection: AsyncConnection, since_ms: int, most: int) -> tuple[AttemptNote, ...]:
    """The attempts of the newest call rows since then, at most of `most` rows, newest first."""
    rows = await connection.execute(_ATTEMPTS, {"since_ms": since_ms, "most": most})
    return tuple(note for (details,) in rows for note in reversed(_TRIED.decode(details).attempts))


async def _find(connection: AsyncConnection, places: Sequence[tuple[str, int]]) -> tuple[Hour, ...]:
    """Rows of these models and hours, and perhaps of others."""
    found: list[Hour] = []
    models, hours = sorted({model for model, _ in places}), {hour for _, hour in places}
    for at in range(0, len(models), _MOST_KEYS):
        query = _HOURS.where(
            model_hours.c.model.in_(models[at : at + _MOST_KEYS]),
            model_hours.c.hour >= min(hours),
            model_hours.c.hour <= max(hours),
        )
        found += _from_rows((await connection.execute(query)).mappings())
    return tuple(found)


def _from_rows(rows: Iterable[RowMapping]) -> tuple[Hour, ...]:
    return tuple(_from_row(_HourRow(**row)) for row in rows)


def _from_row(row: _HourRow) -> Hour:
    return Hour(
        model=row.model,
        hour=row.hour,
        calls=row.calls,
        good=row.good,
        tokens=row.tokens,
        tokens_ms=row.tokens_ms,
        times=dict(_PAIRS.decode(row.times)),
    )


def _to_row(hour: Hour) -> _HourRow:
    return _HourRow(
        model=hour.model,
        hour=hour.hour,
        calls=hour.calls,
        good=hour.good,
        tokens=hour.tokens,
        tokens_ms=hour.tokens_ms,
        times=_JSON.encode(sorted(hour.times.items())).decode(),
    )
