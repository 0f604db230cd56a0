"""Media tasks: rows that move by compare-and-set on their status, so that one of many pollers moves each."""

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.domain.money import Nano
from yescale.store.tables import tasks


class NewTask(Struct, frozen=True, kw_only=True):
    """A task to be stored before its provider is called. `properties` and `data` are JSON."""

    task_id: str
    platform: str
    action: str
    model: str
    account_id: AccountId
    username: str = ""
    key_id: int = 0
    key_name: str = ""
    group: str = ""
    channel_id: int = 0
    upstream_model: str = ""
    reference: str = ""
    status: str = "NOT_START"
    submit_ms: int
    deadline_ms: int = 0
    next_poll_ms: int | None = None
    properties: str = "{}"
    amount: Nano = 0


class TaskRow(NewTask, frozen=True, kw_only=True):
    """A stored task."""

    id: int
    upstream_id: str
    fail_reason: str
    progress: int  # percent
    start_ms: int
    finish_ms: int
    data: str
    result_url: str
    entry_id: int | None
    created_ms: int
    updated_ms: int


class TaskFilter(Struct, frozen=True, kw_only=True):
    """Which tasks of an account, newest first, by submit time (inclusive). "" = any; page_size 0 = all."""

    account: AccountId
    start_ms: int
    end_ms: int
    platform: str = ""
    task_id: str = ""
    status: str = ""
    action: str = ""
    model: str = ""
    page: int = 1
    page_size: int = 0


_SELECT: Final = select(*[tasks.c[name] for name in TaskRow.__struct_fields__])
_BY_TASK_ID: Final = _SELECT.where(tasks.c.task_id == bindparam("task"))
_DUE: Final = (
    _SELECT.where(tasks.c.next_poll_ms <= bindparam("now"))
    .order_by(tasks.c.next_poll_ms)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


async def create_task(connection: AsyncConnection, new: NewTask, *, now_ms: int) -> int:
    """Store a task and return its row id."""
    values = {name: getattr(new, name) for name in NewTask.__struct_fields__}
    values |= {"created_ms": now_ms, "updated_ms": now_ms}
    return (await connection.execute(tasks.insert().values(values).returning(tasks.c.id))).scalar_one()


async def advance_task(connection: AsyncConnection, row: int, was: str, *, now_ms: int, **fields: Any) -> bool:
    """Set fields of a task whose status still is what it `was`. False: someone else moved it; change nothing more."""
    moved = tasks.update().where(tasks.c.id == row, tasks.c.status == was)
    return (await connection.execute(moved.values(fields | {"updated_ms": now_ms}))).rowcount > 0


async def find_task(connection: AsyncConnection, task_id: str) -> TaskRow | None:
    """The task of a public id."""
    row = (await connection.execute(_BY_TASK_ID, {"task": task_id})).mappings().first()
    return None if row is None else TaskRow(**row)


async def due_tasks(connection: AsyncConnection, now_ms: int, most: int = 100) -> tuple[TaskRow, ...]:
    """Tasks to be polled, locked for this transaction; no two callers get the same (set `next_poll_ms` onward)."""
    rows = (await connection.execute(_DUE, {"now": now_ms, "most": most})).mappings()
    return tuple(TaskRow(**row) for row in rows)


async def list_tasks(connection: AsyncConnection, wanted: TaskFilter) -> tuple[TaskRow, ...]:
    """The tasks, newest first."""
    exact = (
        (tasks.c.platform, wanted.platform),
        (tasks.c.task_id, wanted.task_id),
        (tasks.c.status, wanted.status),
        (tasks.c.action, wanted.action),
        (tasks.c.model, wanted.model),
    )
    query = _SELECT.where(
        tasks.c.account_id == wanted.account,
        tasks.c.submit_ms >= wanted.start_ms,
        tasks.c.submit_ms <= wanted.end_ms,
        *[column == value for column, value in exact if value],
    ).order_by(tasks.c.submit_ms.desc(), tasks.c.id.desc())
    if wanted.page_size:
        query = query.limit(wanted.page_size).offset((wanted.page - 1) * wanted.page_size)
    return tuple(TaskRow(**row) for row in (await connection.execute(query)).mappings())
