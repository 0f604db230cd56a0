"""A migrated database of either kind, with parties who own purses and keys."""

from collections.abc import AsyncIterator

import pytest

from yescale.store.database import Database, open_database
from yescale.store.migrations import migrate


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate(database_url)
    opened = open_database(database_url)
    yield opened
    await opened.close()
