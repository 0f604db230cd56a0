"""Statements for many rows, compiled once per database and handed to the driver: the cost of a row is the driver's.

SQLite runs a write once per row. PostgreSQL copies new rows in, and takes changed ones as one JSON document, as both
take lists of numbers: the driver would look at each element of an array for long.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import TableValuedAlias

from yescale.store.database import begun, driver_of

Insert = postgresql.Insert | sqlite.Insert
Query = Select[*tuple[Any, ...]]
Form = Query | UpdateBase
T = TypeVar("T", bound=int | str)

_DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {"sqlite": aiosqlite.dialect(), "postgresql": asyncpg.dialect()}
)
_INSERTS: Final[Mapping[str, Callable[[Table], Insert]]] = MappingProxyType(
    {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
)
_MOST_FORMS: Final = 256  # of one table
_encode: Final = msgspec.json.Encoder().encode


class Statement:
    """One statement for each database, by the name of its dialect; parameters by name.

    Rows come as the driver has them: SQLite's booleans are 0 and 1.
    """

    def __init__(self, forms: Mapping[str, Form]) -> None:
        self._forms = {name: _compiled(form, name) for name, form in forms.items()}

    async def fetch(self, connection: AsyncConnection, **parameters: Any) -> Sequence[Any]:
        """Run it; all rows that it returns, each a tuple."""
        name = connection.dialect.name
        text, order = self._forms[name]
        values = tuple(parameters[each] for each in order)
        driver = driver_of(connection)
        if driver is None:
            return (await connection.exec_driver_sql(text, values)).all()
        return await (driver.execute_fetchall(text, values) if name == "sqlite" else driver.fetch(text, *values))


class Given:
    """The list of integers that a statement takes as its parameter `given`; see `listed`."""

    def __init__(self, dialect: str) -> None:
        text = bindparam("given", type_=Text)
        self._array = dialect == "postgresql"
        self.value: ColumnElement[int] = (
            cast(func.json_array_elements_text(cast(text, JSON)).column_valued("value"), BigInteger)
            if self._array
            else func.json_each(text).table_valued(column("value", BigInteger), name="given").c.value
        )

    def has(self, number: Column[Any]) -> ColumnElement[bool]:
        """Whether the number is among them; PostgreSQL finds it by index only if it is told of an array."""
        values = select(self.value)
        return number == any_(func.array(values.scalar_subquery())) if self._array else number.in_(values)


class BulkInsert:
    """New rows, tuples in the order of `columns`."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self._table = table.name
        self._columns = tuple(columns)
        self._each = _each(table.insert().values(_parameters(table, columns)), columns)

    async def run(self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Send all rows in one go; none is fine."""
        if rows:
            driver = driver_of(connection) or await begun(connection)
            if connection.dialect.name == "sqlite":
                await driver.executemany(self._each, rows)
            else:
                await driver.copy_records_to_table(self._table, records=rows, columns=self._columns)


class BulkChange:
    """Changes of many rows, each a struct with a field per column; it may have more."""

    def __init__(self, columns: Sequence[str], *, each: UpdateBase, document: UpdateBase) -> None:
        self._each = _each(each, columns)
        self._document = Statement({"postgresql": document})
        self._pick = attrgetter(*columns)

    async def run(self, connection: AsyncConnection, rows: Sequence[Struct]) -> None:
        """Send all rows in one go; none is fine."""
        if rows and connection.dialect.name == "sqlite":
            driver = driver_of(connection) or await begun(connection)
            await driver.executemany(self._each, [self._pick(row) for row in rows])
        elif rows:
            await self._document.fetch(connection, rows=_encode(rows).decode())


class Addition(Struct, frozen=True, gc=False):
    """Numbers to be added, by column, to the row with this key."""

    key: tuple[Any, ...]
    figures: dict[str, int]


class _Adding(Struct, frozen=True):
    """How numbers are added to these columns, which stand in the table's order."""

    columns: tuple[str, ...]
    each: str
    document: Statement


class BulkAdd:
    """Adds numbers to rows, which are made where they are missing; a statement for each set of columns, kept."""

    def __init__(self, table: Table, keys: Sequence[str]) -> None:
        self._table = table
        self._keys = tuple(keys)
        self._forms: dict[tuple[str, ...], _Adding] = {}

    async def run(self, connection: AsyncConnection, rows: Iterable[Addition]) -> None:
        """Send all rows, one go for each set of columns; no key twice, and none at all is fine."""
        alike: dict[tuple[str, ...], list[Addition]] = {}
        for row in rows:
            alike.setdefault(tuple(row.figures), []).append(row)
        for columns, some in alike.items():
            await self._send(connection, self._form(columns), some)

    async def _send(self, connection: AsyncConnection, form: _Adding, rows: Sequence[Addition]) -> None:
        if connection.dialect.name == "sqlite":
            driver = driver_of(connection) or await begun(connection)
            columns = form.columns
            await driver.executemany(form.each, [(*row.key, *map(row.figures.__getitem__, columns)) for row in rows])
        else:
            given = [dict(zip(self._keys, row.key, strict=True)) | row.figures for row in rows]
            await form.document.fetch(connection, rows=_encode(given).decode())

    def _form(self, columns: tuple[str, ...]) -> _Adding:
        known = self._forms.get(columns)
        if known is None:
            if len(self._forms) >= _MOST_FORMS:
                self._forms.clear()
            ordered = tuple(column.name for column in self._table.columns if column.name in columns)
            each, document = _merged(self._table, self._keys, ordered, lambda standing, given: standing + given)
            text = _each(each, (*self._keys, *ordered))
            known = self._forms[columns] = _Adding(ordered, text, Statement({"postgresql": document}))
        return known


def bulk_upsert(table: Table, keys: Sequence[str], columns: Sequence[str]) -> BulkChange:
    """Rows of `keys` and `columns`, which replace `columns` where one with the same `keys` exists; no key twice."""
    each, document = _merged(table, keys, columns, lambda _, given: given)
    return BulkChange((*keys, *columns), each=each, document=document)


def bulk_update(table: Table, key: str, columns: Sequence[str]) -> BulkChange:
    """Set the columns where the key is equal."""
    order = (*columns, key)
    rows = _document(table, order)
    each = _parameters(table, order)
    return BulkChange(
        order,
        each=table.update().where(table.c[key] == each.pop(key)).values(each),
        document=table.update().where(table.c[key] == rows.c[key]).values({name: rows.c[name] for name in columns}),
    )


def either(build: Callable[[Callable[[Table], Insert]], UpdateBase]) -> Mapping[str, UpdateBase]:
    """A statement that needs ON CONFLICT, built for each database; index it by `connection.dialect.name`."""
    return MappingProxyType({name: build(insert) for name, insert in _INSERTS.items()})


def same(statement: Form) -> Statement:
    """A statement that both databases understand."""
    return Statement(dict.fromkeys(_DIALECTS, statement))


def listed(build: Callable[[Given], Form]) -> Statement:
    """A statement over a list of integers: its parameter `given`, made by `as_given`."""
    return Statement({name: build(Given(name)) for name in _DIALECTS})


def as_given(numbers: Iterable[int]) -> str:
    """Distinct integers, in order, as `listed` statements take them."""
    return _encode(sorted(set(numbers))).decode()


def padded(items: Iterable[T]) -> list[T]:
    """The distinct items in order, the last repeated up to a power of two, so that few forms of an IN list exist."""
    ordered = sorted(set(items))
    if ordered:
        ordered += [ordered[-1]] * ((1 << (len(ordered) - 1).bit_length()) - len(ordered))
    return ordered


def _merged(
    table: Table, keys: Sequence[str], columns: Sequence[str], merge: Callable[[Column[Any], Any], Any]
) -> tuple[UpdateBase, UpdateBase]:
    """For each row, and for all in a document. `merge`: what becomes of what stands there and what is given."""
    order = (*keys, *columns)
    rows = _document(table, order)
    each = sqlite.insert(table).values(_parameters(table, order))
    document = postgresql.insert(table).from_select(list(order), select(*[rows.c[name] for name in order])).inline()
    return (
        each.on_conflict_do_update(
            index_elements=list(keys), set_={name: merge(table.c[name], each.excluded[name]) for name in columns}
        ),
        document.on_conflict_do_update(
            index_elements=list(keys), set_={name: merge(table.c[name], document.excluded[name]) for name in columns}
        ),
    )


def _parameters(table: Table, columns: Sequence[str]) -> dict[str, Any]:
    return {name: bindparam(f"row_{name}", type_=table.c[name].type) for name in columns}


def _document(table: Table, columns: Sequence[str]) -> TableValuedAlias:
    declared = [column(name, table.c[name].type) for name in columns]
    rows = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    return rows.table_valued(*declared, name="given").render_derived(with_types=True)


def _each(statement: UpdateBase, columns: Sequence[str]) -> str:
    text, order = _compiled(statement, "sqlite")
    if order != tuple(f"row_{name}" for name in columns):
        raise AssertionError(f"the statement takes {order}, not {columns}")
    return text


def _compiled(statement: Form, dialect: str) -> tuple[str, tuple[str, ...]]:
    """The text, and the names of its parameters in order."""
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - for the type checker: DDL would have another one
    return str(compiled), tuple(compiled.positiontup or ())
