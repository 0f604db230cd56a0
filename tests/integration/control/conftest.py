"""A migrated database of either kind; and a whole control process in this one, on real sockets."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.control.house import House, open_house
from yescale.store.database import Database, open_database
from yescale.store.migrations import migrate


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate(database_url)
    opened = open_database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    """Control with a sandbox that nobody calls, from its first start to its end."""
    async with open_house(database_url) as opened:
        yield opened
