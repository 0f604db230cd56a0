"""Statements for many rows, compiled once per database and sent as plain tuples: the cost of a row is the driver's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sqlalchemy import Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import UpdateBase

Insert = postgresql.Insert | sqlite.Insert
Row = tuple[Any, ...]
T = TypeVar("T", bound=int | str)

_DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {"sqlite": aiosqlite.dialect(), "postgresql": asyncpg.dialect()}
)
_INSERTS: Final[Mapping[str, Callable[[Table], Insert]]] = MappingProxyType(
    {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
)


class Bulk:
    """One statement, run once per row. `order` names what each place of a row's tuple is."""

    def __init__(self, order: Sequence[str], statements: Mapping[str, UpdateBase]) -> None:
        self._forms = {name: _compiled(statement, order, name) for name, statement in statements.items()}

    async def run(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        """Send all rows in one go; none is fine."""
        if rows:
            sql, places = self._forms[connection.dialect.name]
            if places is not None:
                rows = [tuple([row[place] for place in places]) for row in rows]
            await connection.exec_driver_sql(sql, list(rows))


def bulk_insert(table: Table, columns: Sequence[str]) -> Bulk:
    """Plain rows."""
    values = {name: bindparam(name, type_=table.c[name].type) for name in columns}
    return Bulk(columns, {name: insert(table).values(values).inline() for name, insert in _INSERTS.items()})


def bulk_upsert(table: Table, keys: Sequence[str], columns: Sequence[str]) -> Bulk:
    """Rows that replace `columns` where one with the same `keys` exists."""
    order = (*keys, *columns)
    values = {name: bindparam(name, type_=table.c[name].type) for name in order}
    return Bulk(
        order,
        {
            name: (statement := insert(table).values(values)).on_conflict_do_update(
                index_elements=list(keys), set_={column: statement.excluded[column] for column in columns}
            )
            for name, insert in _INSERTS.items()
        },
    )


def bulk_update(table: Table, key: str, columns: Sequence[str]) -> Bulk:
    """Rows that set `columns` where the `key`, which comes last, is equal."""
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in columns}
    statement = table.update().where(table.c[key] == bindparam("key", type_=table.c[key].type)).values(values)
    order = (*(f"new_{name}" for name in columns), "key")
    return Bulk(order, dict.fromkeys(_INSERTS, statement))


def either(build: Callable[[Callable[[Table], Insert]], UpdateBase]) -> Mapping[str, UpdateBase]:
    """A statement that needs ON CONFLICT, built for each database; index it by `connection.dialect.name`."""
    return MappingProxyType({name: build(insert) for name, insert in _INSERTS.items()})


def padded(items: Iterable[T]) -> list[T]:
    """The distinct items in order, the last repeated up to a power of two, so that few forms of an IN list exist."""
    ordered = sorted(set(items))
    if ordered:
        ordered += [ordered[-1]] * ((1 << (len(ordered) - 1).bit_length()) - len(ordered))
    return ordered


def _compiled(statement: UpdateBase, order: Sequence[str], dialect: str) -> tuple[str, tuple[int, ...] | None]:
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    names = list(compiled.positiontup or ())
    places = tuple(list(order).index(name) for name in names)
    return str(compiled), None if places == tuple(range(len(order))) else places
