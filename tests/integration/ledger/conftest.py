"""A bank on a fresh database of either kind."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.ledger.parties import Bank
from yescale.store.database import open_database
from yescale.store.migrations import migrate


@pytest.fixture
async def bank(database_url: str) -> AsyncIterator[Bank]:
    await migrate(database_url)
    database = open_database(database_url)
    yield Bank(database)
    await database.close()
