"""Migrations run up and down on both databases and end in the tables that the code declares."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from yescale.store.database import open_database
from yescale.store.migrations import downgrade, migrate
from yescale.store.tables import metadata


def _differences(connection: Connection) -> list[object]:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


async def test_the_newest_schema_is_the_declared_one(database_url: str) -> None:
    await migrate(database_url)
    database = open_database(database_url)
    async with database.writing() as connection:
        assert await connection.run_sync(_differences) == []
    await database.close()


async def test_down_to_base_leaves_nothing_and_up_again_works(database_url: str) -> None:
    await migrate(database_url)
    await downgrade(database_url, "base")
    database = open_database(database_url)
    async with database.writing() as connection:
        assert await connection.run_sync(_tables) == {"alembic_version"}
    await migrate(database_url)
    await migrate(database_url)
    async with database.writing() as connection:
        assert metadata.tables.keys() <= await connection.run_sync(_tables)
    await database.close()
