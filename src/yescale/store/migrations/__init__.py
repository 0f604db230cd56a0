"""Schema versions, run by the program itself: `migrate` brings a database to the newest, `downgrade` back."""

import asyncio
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from yescale.store.database import DatabaseLimits, open_database

_LOCK: Final = 0x79657363616C65  # an advisory lock of PostgreSQL: nodes that start together migrate one by one


async def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at `url` up to `revision`. Safe to call from several nodes at once. Raises DatabaseAway."""
    await _run(url, revision, up=True)


async def downgrade(url: str, revision: str) -> None:
    """Bring the database at `url` back to `revision` ("base" = empty)."""
    await _run(url, revision, up=False)


async def _run(url: str, revision: str, *, up: bool) -> None:
    database = open_database(url, DatabaseLimits(readers=1, writers=1, command_s=3600.0))
    try:
        async with database.writing() as connection:
            if not database.sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_step, revision, up)
    finally:
        await database.close()


def _step(connection: Connection, revision: str, up: bool) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    (command.upgrade if up else command.downgrade)(config, revision)


def migrate_now(url: str) -> None:
    """`migrate` for callers without an event loop."""
    asyncio.run(migrate(url))
