"""Small settings that live in the database, by name: JSON values that every node shares."""

from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.store.bulk import either
from yescale.store.tables import settings

_READ: Final = select(settings.c.value).where(settings.c.name == bindparam("of"))
_WRITE: Final = either(
    lambda insert: (made := insert(settings)).on_conflict_do_update(
        index_elements=["name"], set_={"value": made.excluded.value, "updated_ms": made.excluded.updated_ms}
    )
)
_ONCE: Final = either(lambda insert: insert(settings).on_conflict_do_nothing(index_elements=["name"]))


async def read_setting(connection: AsyncConnection, name: str) -> str | None:
    """The JSON of a setting; None = never set."""
    return (await connection.execute(_READ, {"of": name})).scalar_one_or_none()


async def write_setting(connection: AsyncConnection, name: str, value: str, *, now_ms: int) -> None:
    """Set it."""
    row = {"name": name, "value": value, "updated_ms": now_ms}
    await connection.execute(_WRITE[connection.dialect.name], row)


async def set_once(connection: AsyncConnection, name: str, value: str, *, now_ms: int) -> bool:
    """Set it unless it is set: True for exactly one of many that try at once."""
    row = {"name": name, "value": value, "updated_ms": now_ms}
    return (await connection.execute(_ONCE[connection.dialect.name], row)).rowcount > 0
