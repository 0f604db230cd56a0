"""Which schema a database has, and which one this version wants."""

from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.store import migrations


async def version_of(connection: AsyncConnection) -> str | None:
    """The revision that a database is at; None where nothing was ever migrated."""
    return await connection.run_sync(_revision)


def newest_version() -> str | None:
    """The revision that this version of yescale works with."""
    return ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
