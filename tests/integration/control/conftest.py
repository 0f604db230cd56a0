"""A migrated database of either kind; and a whole control process in this one, on real sockets."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.integration.control.house import House
from yescale.control.app import running
from yescale.settings import ControlSettings, MoneySettings, Settings
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
    with tempfile.TemporaryDirectory(prefix="yescale-") as folder:  # short: the path of a Unix socket is
        settings = Settings(
            home=Path(folder),
            database=database_url,
            sandbox=True,
            sandbox_port=4999,
            control=ControlSettings(settle_s=0.02, heartbeat_s=0.5),
            money=MoneySettings(recall_s=0.5),
        )
        async with running(settings, asyncio.Event()) as context:
            transport = httpx.AsyncHTTPTransport(uds=str(settings.public_socket))
            async with httpx.AsyncClient(transport=transport, base_url="http://yescale") as client:
                note = msgspec.json.decode((settings.home / "bootstrap.json").read_bytes())
                house = House(settings=settings, context=context, client=client, note=note)
                yield house
                await house.close()
