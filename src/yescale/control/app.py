"""The control process: composition, start, and the order of leaving."""

import asyncio
import gc
import logging
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pkgutil import resolve_name
from typing import Any, Final

import uvloop
from msgspec import Struct

from yescale.control import bootstrap
from yescale.control.api import once
from yescale.control.changes import Feed
from yescale.control.context import Context
from yescale.control.conversations import sweep
from yescale.control.desk import FrontDesk
from yescale.control.draws import Draws, Lender
from yescale.control.guard import Guard
from yescale.control.heartbeat import Heartbeat
from yescale.control.http import HttpServer, build_app
from yescale.control.internal import Badge, Lenders, LinkServer
from yescale.control.market import Market
from yescale.control.memory import MemoryServer
from yescale.control.node import HomeLock, HomeTaken, read_node_id
from yescale.control.notes import NOTE_FILE
from yescale.control.rates import Buckets
from yescale.control.secrets import Vault, open_vault
from yescale.control.settlement import Pace, Settlement
from yescale.control.snapshot import Snapshots
from yescale.control.statistics import Statistics
from yescale.control.tokens import Tokens
from yescale.control.workers import Workers
from yescale.settings import Settings
from yescale.store.database import Database, DatabaseAway, open_database
from yescale.store.schema import NEWEST, version_of

_LOG: Final = logging.getLogger(__name__)
_PROGRAM: Final = "control"
_MISCONFIGURED: Final = 2
_MIGRATE: Final = (
    "yescale.store.migrations:migrate"  # loaded where there is something to migrate: that is rare, and slow
)
_RETRY_S: Final = 1.0
_COLLECT: Final = (10_000, 50, 100)  # new objects, and rounds of the younger generation
_LOCK_S: Final = 60.0  # an earlier control may still be settling
_DRAIN_S: Final = 5.0  # of HTTP requests in flight
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - what to call, binds nothing


class Misconfigured(Exception):
    """Control cannot run as it is configured; the operator must change something."""


class ToldToStop(Exception):
    """SIGTERM came before control was ready."""


def run(settings: Settings) -> int:
    """Run control until SIGTERM or SIGINT; the exit code. 2: it cannot run as configured, and stderr says why."""
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run_until_told(settings))
    except (HomeTaken, Misconfigured) as error:
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
        # Settlement makes many short-lived objects, none in a cycle: what lives by now is not searched again and again.
        gc.freeze()
        gc.set_threshold(*_COLLECT)
        await told.wait()


@asynccontextmanager
async def offline(settings: Settings) -> AsyncGenerator[Context]:
    """For a command line while no control runs. Raises HomeTaken where one does, Misconfigured, DatabaseAway."""
    make_folders(settings)
    lock = HomeLock(settings.home)
    try:
        await lock.take_within(0)
        vault = _open_vault(settings)
        database = open_database(settings.database_url)
        try:
            await _bring_up_to_date(database, settings.database_url)
            yield Context(
                database=database,
                vault=vault,
                trial=settings.control.trial_nano,
                auto_groups=settings.control.groups_in_order,
                note_file=settings.home / NOTE_FILE,
                ca_file=settings.upstream_ca_file,
            )
        finally:
            await database.close()
    finally:
        lock.release()


@asynccontextmanager
async def running(settings: Settings, told: asyncio.Event) -> AsyncGenerator[Context]:
    """A control process from ready to left. Raises HomeTaken, Misconfigured, ToldToStop."""
    make_folders(settings)
    async with AsyncExitStack() as stack:
        lock = HomeLock(settings.home)
        stack.callback(lock.release)
        await lock.take_within(_LOCK_S)
        vault = _open_vault(settings)
        database = open_database(settings.database_url)
        stack.push_async_callback(database.close)
        await _when_there(told, lambda: _bring_up_to_date(database, settings.database_url))
        control = _compose(settings, database, vault)
        await _when_there(told, lambda: control.prepare(settings))
        await stack.enter_async_context(_serving(settings, control))
        yield control.context


class Control(Struct, frozen=True, kw_only=True):
    """The parts of a control process."""

    context: Context
    settlement: Settlement
    workers: Workers
    draws: Draws
    snapshots: Snapshots
    tokens: Tokens
    statistics: Statistics
    link: LinkServer
    feed: Feed
    heartbeat: Heartbeat
    http: HttpServer

    def renew(self) -> None:
        """Hand on the tokens that are new."""
        self.snapshots.renew()
        self.workers.publish(self.snapshots.current)

    async def prepare(self, settings: Settings) -> None:
        """What needs the database before anyone is served. Raises DatabaseAway."""
        note_file = settings.home / NOTE_FILE
        database, vault = self.context.database, self.context.vault
        await bootstrap.prepare(database, vault, note_file, _addresses(settings), settings.control.trial_nano)
        await self.heartbeat.join(_PROGRAM)
        await self.feed.start()
        await self.snapshots.refresh()
        self.workers.publish(self.snapshots.current)


def _compose(settings: Settings, database: Database, vault: Vault) -> Control:
    node = read_node_id(settings.home)
    rates = Buckets(time.monotonic)
    workers = Workers(rates.share_among)
    tokens = Tokens()
    snapshots = Snapshots(database, vault, settings.money, tokens)
    settlement = Settlement(database, settings.journals, node, _pace(settings))
    statistics = Statistics(database, settings.statistics)
    draws = Draws(Lender(database, node), workers, settlement.catch_up, settings.money.recall_s)

    async def refresh() -> None:
        await snapshots.refresh()
        workers.publish(snapshots.current)

    feed = Feed(database, workers, refresh, settings.control.poll_s)
    context = Context(
        database=database,
        vault=vault,
        trial=settings.control.trial_nano,
        market=Market(settings.market.vnd_per_credit, settings.market.vnd_per_usd),
        auto_groups=settings.control.groups_in_order,
        memory=settings.memory,
        figures=statistics.figures,
        rests=statistics.rests,
        note_file=settings.home / NOTE_FILE,
        catch_up=settlement.catch_up_soon,
        announce=feed.announce,
        wellness=workers.wellness,
        snapshot=lambda: snapshots.current,
        ca_file=settings.upstream_ca_file,
        recall=workers.recall_soon,
    )
    lenders, badge = Lenders(draws, rates), Badge(node, vault.pepper)
    link = LinkServer(FrontDesk(context, node), workers, lenders, badge, MemoryServer(context))
    return Control(
        context=context,
        settlement=settlement,
        workers=workers,
        draws=draws,
        snapshots=snapshots,
        tokens=tokens,
        statistics=statistics,
        link=link,
        feed=feed,
        heartbeat=Heartbeat(database, node, secrets.token_hex(16), workers),
        http=HttpServer(build_app(context), settings.public_socket, _DRAIN_S),
    )


@asynccontextmanager
async def _serving(settings: Settings, control: Control) -> AsyncGenerator[None]:
    """Both sockets and all loops, from open to left."""
    loops = (
        control.settlement.run(),
        control.feed.run(),
        control.tokens.run(control.renew),
        control.heartbeat.run(settings.control.heartbeat_s, settings.money.lost_node_s),
        sweep(control.context),
        once.sweep(control.context),
        control.statistics.run(),
        Guard(control.context, settings.control).run(),
    )
    try:
        async with _run_beside(loops):
            await control.link.open(settings.internal_socket)
            await control.http.open()
            _LOG.info("control is ready")
            yield
    finally:
        await _leave(control)


async def _leave(control: Control) -> None:
    """Settle what there is, close the sockets, say goodbye: also where a loop failed."""
    _LOG.info("control leaves")
    try:
        if open_lives := await control.settlement.finish():
            _LOG.warning("%d workers still live; the next control goes on with their journals", len(open_lives))
    finally:
        control.draws.close()
        await control.http.close()
        await control.link.close()
        with suppress(DatabaseAway):
            await control.heartbeat.leave()


@asynccontextmanager
async def _run_beside(loops: Iterable[Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Loops that end with the block; one that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _bring_up_to_date(database: Database, url: str) -> None:
    async with database.reading() as connection:
        version = await version_of(connection)
    if version != NEWEST:
        await resolve_name(_MIGRATE)(url)


def make_folders(settings: Settings) -> None:
    """The folders of the home, private to their owner."""
    for folder in (settings.home, settings.run, settings.journals):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.run.chmod(0o700)


def _open_vault(settings: Settings) -> Vault:
    try:
        return open_vault(settings.home, settings.master_secret)
    except ValueError as error:
        raise Misconfigured(str(error)) from error


def _pace(settings: Settings) -> Pace:
    control = settings.control
    return Pace(
        settle_s=control.settle_s,
        lines=control.settle_lines,
        sync_s=control.sync_s,
        keep_days=settings.journal.keep_days,
    )


def _addresses(settings: Settings) -> bootstrap.Addresses:
    scheme = "https" if settings.cert_file else "http"
    host = _ANY.get(settings.host, f"[{settings.host}]" if ":" in settings.host else settings.host)
    sandbox = f"http://127.0.0.1:{settings.sandbox_port}" if settings.sandbox and settings.sandbox_port else ""
    return bootstrap.Addresses(base_url=f"{scheme}://{host}:{settings.port}", sandbox_url=sandbox)


async def _when_there(told: asyncio.Event, step: Callable[[], Awaitable[object]]) -> None:
    """Do a step of the start, waiting for the database as long as it takes. Raises ToldToStop."""
    while not told.is_set():
        try:
            await step()
            return
        except DatabaseAway as error:
            _LOG.error("control cannot start yet: %s", error)
        with suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_S):
                await told.wait()
    raise ToldToStop
