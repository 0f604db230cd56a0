"""Statements for many rows, compiled once per database and sent as plain tuples: the cost of a row is the driver's.

SQLite runs the statement once per row; PostgreSQL takes the rows as arrays and runs it once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Select,
    Table,
    any_,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import TableValuedAlias

Insert = postgresql.Insert | sqlite.Insert
Query = Select[*tuple[Any, ...]]
T = TypeVar("T", bound=int | str)

_DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {"sqlite": aiosqlite.dialect(), "postgresql": asyncpg.dialect()}
)
_INSERTS: Final[Mapping[str, Callable[[Table], Insert]]] = MappingProxyType(
    {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
)


class Bulk:
    """One write for many rows, tuples in the order of `columns`."""

    def __init__(self, columns: Sequence[str], *, each: UpdateBase, arrays: UpdateBase) -> None:
        self._each = _compiled(each, columns, "sqlite")
        self._arrays = _compiled(arrays, columns, "postgresql")

    async def run(self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Send all rows in one go; none is fine."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            await connection.exec_driver_sql(self._each, list(rows))
        else:
            await connection.exec_driver_sql(self._arrays, tuple(map(list, zip(*rows, strict=True))))


def bulk_insert(table: Table, columns: Sequence[str]) -> Bulk:
    """Plain rows."""
    rows = _arrays(table, columns)
    return Bulk(
        columns,
        each=sqlite.insert(table).values(_each(table, columns)),
        arrays=postgresql.insert(table)
        .from_select(list(columns), select(*[rows.c[name] for name in columns]))
        .inline(),
    )


def bulk_upsert(table: Table, keys: Sequence[str], columns: Sequence[str]) -> Bulk:
    """Rows of `keys` and `columns`, which replace `columns` where one with the same `keys` exists; no key twice."""
    order = (*keys, *columns)
    rows = _arrays(table, order)
    each = sqlite.insert(table).values(_each(table, order))
    arrays = postgresql.insert(table).from_select(list(order), select(*[rows.c[name] for name in order])).inline()
    return Bulk(
        order,
        each=each.on_conflict_do_update(
            index_elements=list(keys), set_={name: each.excluded[name] for name in columns}
        ),
        arrays=arrays.on_conflict_do_update(
            index_elements=list(keys), set_={name: arrays.excluded[name] for name in columns}
        ),
    )


def bulk_update(table: Table, key: str, columns: Sequence[str]) -> Bulk:
    """Rows of `columns` and then `key`: set the columns where the key is equal."""
    order = (*columns, key)
    rows = _arrays(table, order)
    each = _each(table, order)
    return Bulk(
        order,
        each=table.update().where(table.c[key] == each.pop(key)).values(each),
        arrays=table.update().where(table.c[key] == rows.c[key]).values({name: rows.c[name] for name in columns}),
    )


def either(build: Callable[[Callable[[Table], Insert]], UpdateBase]) -> Mapping[str, UpdateBase]:
    """A statement that needs ON CONFLICT, built for each database; index it by `connection.dialect.name`."""
    return MappingProxyType({name: build(insert) for name, insert in _INSERTS.items()})


def among(build: Callable[[Callable[[Column[Any]], ColumnElement[bool]]], Query]) -> Mapping[str, Query]:
    """A query over a list of integers, the parameter `ids`, built for each database: an array for PostgreSQL."""
    array = bindparam("ids", type_=ARRAY(BigInteger))
    listed: BindParameter[Any] = bindparam("ids", expanding=True)
    return MappingProxyType(
        {"sqlite": build(lambda item: item.in_(listed)), "postgresql": build(lambda item: item == any_(array))}
    )


def padded(items: Iterable[T]) -> list[T]:
    """The distinct items in order, the last repeated up to a power of two, so that few forms of an IN list exist."""
    ordered = sorted(set(items))
    if ordered:
        ordered += [ordered[-1]] * ((1 << (len(ordered) - 1).bit_length()) - len(ordered))
    return ordered


def _each(table: Table, columns: Sequence[str]) -> dict[str, Any]:
    return {name: bindparam(f"row_{name}", type_=table.c[name].type) for name in columns}


def _arrays(table: Table, columns: Sequence[str]) -> TableValuedAlias:
    declared: list[Column[Any]] = [table.c[name] for name in columns]
    parameters = [bindparam(f"row_{item.name}", type_=ARRAY(item.type)) for item in declared]
    return (
        func.unnest(*parameters)
        .table_valued(*[column(item.name, item.type) for item in declared], name="given")
        .render_derived()
    )


def _compiled(statement: UpdateBase, columns: Sequence[str], dialect: str) -> str:
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    order = [name.removeprefix("row_") for name in compiled.positiontup or ()]
    if order != list(columns):
        raise AssertionError(f"the statement takes {order}, not {list(columns)}")
    return str(compiled)
