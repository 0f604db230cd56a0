"""Which schema this version wants and which one a database has, told without loading what changes schemas."""

from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

NEWEST: Final = "0007"  # the revision that this version works with: the last file of `migrations/versions`
_TABLE: Final = "alembic_version"
_REVISION: Final = text(f"SELECT version_num FROM {_TABLE}")  # noqa: S608  our own constant


async def version_of(connection: AsyncConnection) -> str | None:
    """The revision that a database is at; None where nothing was ever migrated."""
    return await connection.run_sync(_revision)


def _revision(connection: Connection) -> str | None:
    return connection.scalar(_REVISION) if inspect(connection).has_table(_TABLE) else None
