"""Statements that go to the driver itself keep to the transaction around them, and fail as all others do."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.integration.ledger.parties import Bank
from tests.postgres import Postgres
from yescale.domain.ids import PurseId
from yescale.ledger.rows import lock_purses, write_purses
from yescale.store.bulk import BulkInsert
from yescale.store.database import Database, DatabaseAway, Unstorable, open_database, savepoint
from yescale.store.migrations import migrate
from yescale.store.tables import counters, purses

_COUNTERS = BulkInsert(counters, ("name", "value"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate(database_url)
    database = open_database(database_url)
    yield database
    await database.close()


async def counted(database: Database) -> list[str]:
    async with database.reading() as connection:
        return sorted((await connection.execute(select(counters.c.name).where(counters.c.value > 6))).scalars())


async def test_rows_that_were_sent_first_in_a_transaction_are_gone_when_it_fails(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as connection:
            await _COUNTERS.run(connection, [("lost", 7)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.writing() as connection:
        await _COUNTERS.run(connection, [("kept", 7), ("too", 8)])
        await _COUNTERS.run(connection, [])
    assert await counted(database) == ["kept", "too"]


async def test_a_purse_that_was_locked_first_stays_locked_to_the_end(database: Database) -> None:
    purse = (await Bank(database).owner(money=1_000)).purse

    async def add() -> None:
        async with database.writing() as connection:
            locked = (await lock_purses(connection, [purse]))[purse]
            await asyncio.sleep(0.01)
            locked.put(1)
            await write_purses(connection, [locked])

    await asyncio.gather(*(add() for _ in range(4)))
    async with database.reading() as connection:
        assert (await connection.execute(select(purses.c.balance).where(purses.c.id == purse))).scalar_one() == 1_004


async def test_a_refused_value_undoes_its_part_of_the_transaction_alone(database: Database) -> None:
    async def add(connection: AsyncConnection, *rows: tuple[str, int]) -> None:
        async with savepoint(connection):
            for row in rows:
                await _COUNTERS.run(connection, [row])

    async with database.writing() as connection:
        await _COUNTERS.run(connection, [("before", 7)])
        for refused in (("before", 7), ("too large", 1 << 70)):
            with pytest.raises(Unstorable):
                await add(connection, ("with it", 7), refused)
        await add(connection, ("after", 7))
    assert await counted(database) == ["after", "before"]


async def test_a_check_of_the_database_refuses_a_written_row(database: Database) -> None:
    purse = (await Bank(database).owner(money=1_000)).purse
    async with database.writing() as connection:
        locked = (await lock_purses(connection, [purse]))[purse]
        locked.balance = -1
        with pytest.raises(Unstorable):
            async with savepoint(connection):
                await write_purses(connection, [locked])


async def test_a_mistake_of_ours_is_no_refused_value(database: Database) -> None:
    with pytest.raises(Exception, match="nowhere") as raised:
        async with database.writing() as connection, savepoint(connection):
            await connection.execute(text("SELECT 1 FROM nowhere"))
    assert not isinstance(raised.value, Unstorable | DatabaseAway)


async def test_a_server_that_ends_the_connection_is_away_and_then_back(postgres: Postgres, postgres_url: str) -> None:
    """promise 33"""
    await migrate(postgres_url)
    database = open_database(postgres_url)

    async def work(pause_s: float) -> None:
        async with database.writing() as connection:
            process = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            postgres.execute(f"SELECT pg_terminate_backend({process}, 5000)")
            if pause_s:
                await asyncio.sleep(pause_s)
            async with savepoint(connection):
                await lock_purses(connection, [PurseId(1)])

    for pause_s in (0.1, 0.0):  # the driver has read of it before the next statement, or not
        with pytest.raises(DatabaseAway):
            await work(pause_s)
        async with database.writing() as connection:
            assert await lock_purses(connection, [PurseId(1)]) == {}
    await database.close()
