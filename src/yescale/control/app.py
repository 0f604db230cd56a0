"""The control process: composition, start, and the order of leaving (money.md 2, Shutdown)."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import uvloop

from yescale.control import bootstrap
from yescale.control.changes import Feed
from yescale.control.context import Context
from yescale.control.desk import FrontDesk
from yescale.control.draws import Draws
from yescale.control.heartbeat import Heartbeat
from yescale.control.http import HttpServer, build_app
from yescale.control.internal import Badge, LinkServer
from yescale.control.node import HomeLock, HomeTaken, read_node_id
from yescale.control.secrets import open_vault
from yescale.control.settlement import Pace, Settlement
from yescale.control.snapshot import Snapshots
from yescale.control.workers import Workers
from yescale.settings import Settings
from yescale.store.database import Database, DatabaseAway, open_database
from yescale.store.migrations import migrate

_LOG: Final = logging.getLogger(__name__)
_MISCONFIGURED: Final = 2
_RETRY_S: Final = 1.0
_LOCK_S: Final = 60.0  # an earlier control may still be settling
_DRAIN_S: Final = 5.0  # of HTTP requests in flight


class ToldToStop(Exception):
    """SIGTERM came before the database did."""


def run(settings: Settings) -> int:
    """Run control until SIGTERM or SIGINT; the exit code. 2: it cannot run as configured, and stderr says why."""
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run_until_told(settings))
    except (HomeTaken, ValueError) as error:
        sys.stderr.write(f"yescale: {error}\n")
        return _MISCONFIGURED
    except ToldToStop:
        pass
    return 0


async def _run_until_told(settings: Settings) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with running(settings, told):
        await told.wait()


def make_folders(settings: Settings) -> None:
    """The folders of the home, private to their owner."""
    for folder in (settings.home, settings.run, settings.journals):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.run.chmod(0o700)


@asynccontextmanager
async def running(settings: Settings, told: asyncio.Event) -> AsyncIterator[Context]:
    """A control process from ready to left. Raises HomeTaken, ValueError for what is misconfigured, ToldToStop."""
    make_folders(settings)
    async with AsyncExitStack() as stack:
        lock = HomeLock(settings.home)
        stack.callback(lock.release)
        await lock.take_within(_LOCK_S)
        vault = open_vault(settings.home, settings.master_secret)
        await _migrate(settings.database_url, told)
        database = open_database(settings.database_url)
        stack.push_async_callback(database.close)
        node = read_node_id(settings.home)
        settlement = Settlement(database, settings.journals, node, _pace(settings))
        workers = Workers()
        snapshots = Snapshots(database, vault)
        context: Context
        ...
        yield context


def _pace(settings: Settings) -> Pace:
    control = settings.control
    return Pace(
        settle_s=control.settle_s,
        lines=control.settle_lines,
        sync_s=control.sync_s,
        keep_days=settings.journal.keep_days,
    )


async def _migrate(url: str, told: asyncio.Event) -> None:
    """Bring the schema up to date, waiting for the database as long as it takes."""
    while True:
        try:
            await migrate(url)
            return
        except DatabaseAway as error:
            _LOG.error("control waits for the database: %s", error)
        try:
            async with asyncio.timeout(_RETRY_S):
                await told.wait()
        except TimeoutError:
            continue
        raise ToldToStop
