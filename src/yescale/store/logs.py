"""Log rows that are not calls: top-ups, operator's actions, system notes, refusals, refunds."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, RowMapping, Table, Text, false, func, literal, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.domain.journal import NoLine
from yescale.domain.money import Nano
from yescale.store.calls import has_tag
from yescale.store.search import matching
from yescale.store.tables import calls, logs

TOPPED_UP: Final = 1
MANAGED: Final = 3
SYSTEM: Final = 4
FAILED: Final = 5
REFUNDED: Final = 6


class NewLog(Struct, frozen=True, kw_only=True):
    """A log row to be written. `details` is JSON."""

    at_ms: int
    type: int
    account_id: AccountId
    content: str
    username: str = ""
    key_id: int = 0
    key_name: str = ""
    model: str = ""
    group: str = ""
    amount: Nano = 0
    request_id: str = ""
    ip: str = ""
    actor_id: AccountId | None = None
    details: str = "{}"


async def insert_logs(connection: AsyncConnection, rows: Sequence[NewLog]) -> None:
    """Append rows."""
    if rows:
        await connection.execute(logs.insert(), [asdict(row) for row in rows])


async def insert_refusals(
    connection: AsyncConnection, lines: Sequence[NoLine], usernames: Mapping[AccountId, str]
) -> None:
    """Append the refused calls of known keys."""
    await insert_logs(
        connection,
        [
            NewLog(
                at_ms=line.at_ms,
                type=FAILED,
                account_id=line.account,
                username=usernames.get(line.account, ""),
                key_id=line.key,
                model=line.model,
                request_id=line.id,
                content=f"Refused: {line.code}" if line.count == 1 else f"Refused {line.count} times: {line.code}",
            )
            for line in lines
        ],
    )


class LogFilter(Struct, frozen=True, kw_only=True):
    """Which log rows, newest first. "" and 0 = any; `model` may hold `*`; times are unix milliseconds, inclusive."""

    account: AccountId | None = None
    type: int = 0
    key_name: str = ""
    model: str = ""
    group: str = ""
    username: str = ""
    request_id: str = ""
    tag: tuple[str, str] | None = None  # name and value; of calls alone
    start_ms: int = 0
    end_ms: int = 0
    page: int = 1
    page_size: int = 100


class LogRow(Struct, frozen=True, kw_only=True):
    """A call or another event. `source` says which table `id` is of; `details` is JSON (calls: CallDetails)."""

    source: str  # call, log
    id: int
    at_ms: int
    type: int
    account_id: AccountId
    username: str
    key_id: int
    key_name: str
    model: str
    group: str
    amount: Nano
    request_id: str
    ip: str
    details: str
    content: str
    upstream_model: str
    channel_id: int
    outcome: str
    status: int
    error: str
    stream: bool
    estimated: bool
    prompt_tokens: int
    completion_tokens: int
    first_ms: int
    total_ms: int


_CALLS_ONLY: Final = LogRow.__struct_fields__[LogRow.__struct_fields__.index("upstream_model") :]
_NOTHING: Final[Mapping[str, ColumnElement[Any]]] = {
    name: literal("", Text)
    if name in {"upstream_model", "outcome", "error"}
    else (false() if name in {"stream", "estimated"} else literal_column("0"))
    for name in _CALLS_ONLY
}
_OF_CALLS: Final = select(
    literal("call", Text).label("source"),
    *[
        calls.c.call_id.label(name)
        if name == "request_id"
        else (literal("", Text).label(name) if name == "content" else calls.c[name])
        for name in LogRow.__struct_fields__[1:]
    ],
)
_OF_LOGS: Final = select(
    literal("log", Text).label("source"),
    *[_NOTHING[name].label(name) if name in _NOTHING else logs.c[name] for name in LogRow.__struct_fields__[1:]],
)


async def find_logs(connection: AsyncConnection, wanted: LogFilter) -> tuple[tuple[LogRow, ...], int]:
    """One page of the rows, and how many there are in all."""
    parts = [
        (select_rows.where(*_conditions(table, wanted)), table)
        for select_rows, table, types in ((_OF_CALLS, calls, {0, 2, 5}), (_OF_LOGS, logs, {0, 1, 3, 4, 5, 6}))
        if wanted.type in types and (table is calls or wanted.tag is None)
    ]
    total = 0
    for _, table in parts:
        counted = select(func.count()).select_from(table).where(*_conditions(table, wanted))
        total += (await connection.execute(counted)).scalar_one()
    most = wanted.page * wanted.page_size
    newest = [part.order_by(table.c.at_ms.desc(), table.c.id.desc()).limit(most).subquery() for part, table in parts]
    if not newest:
        return (), 0
    every = union_all(*[select(part) for part in newest]).subquery()
    page = (
        select(every)
        .order_by(every.c.at_ms.desc(), every.c.source, every.c.id.desc())
        .limit(wanted.page_size)
        .offset(most - wanted.page_size)
    )
    rows = (await connection.execute(page)).mappings()
    return tuple(_log_row(row) for row in rows), total


def _log_row(row: RowMapping) -> LogRow:
    values: dict[str, Any] = {
        **row,
        "stream": bool(row["stream"]),
        "estimated": bool(row["estimated"]),
    }  # SQLite's union has integers
    return LogRow(**values)


def _conditions(table: Table, wanted: LogFilter) -> list[ColumnElement[bool]]:
    request_id = table.c.call_id if table is calls else table.c.request_id
    exact = (
        (table.c.account_id, wanted.account),
        (table.c.type, wanted.type),
        (table.c.key_name, wanted.key_name),
        (table.c["group"], wanted.group),
        (table.c.username, wanted.username),
        (request_id, wanted.request_id),
    )
    found: list[ColumnElement[bool]] = [column == value for column, value in exact if value]
    if wanted.model:
        found.append(matching(table.c.model, wanted.model))
    if wanted.tag is not None:
        found.append(has_tag(*wanted.tag, wanted.account))
    if wanted.start_ms:
        found.append(table.c.at_ms >= wanted.start_ms)
    if wanted.end_ms:
        found.append(table.c.at_ms <= wanted.end_ms)
    return found
