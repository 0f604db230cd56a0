"""Connections: one SQLite file with a single writer, or PostgreSQL; transactions that end in commit or rollback.

Trouble with the connection itself is DatabaseAway, whatever the driver calls it: callers answer 503 and try again,
and never take it for a wrong key or an empty balance.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import Any, Final

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it ships none
from msgspec import Struct
from sqlalchemy import BigInteger, event, exc, literal_column, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

_SQLITE_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
# connection trouble, out of resources, shutting down or cancelled, system error, read-only standby
_POSTGRES_AWAY: Final = ("08", "53", "57", "58", "25006")
_POSTGRES_DATA: Final = ("22", "23")  # a value that cannot be stored
_DRIVER_ERRORS: Final = (exc.DBAPIError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError)
_REFUSED: Final = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, UnicodeEncodeError)
CLOCKS: Final = MappingProxyType(  # the database's clock, in unix milliseconds, by dialect
    {
        "sqlite": literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)", BigInteger),
        "postgresql": literal_column("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", BigInteger),
    }
)
_NOW: Final = MappingProxyType({name: select(clock) for name, clock in CLOCKS.items()})


class DatabaseAway(Exception):
    """The database cannot be reached or cannot write now. Nothing is wrong with the request: try again."""


class Unstorable(Exception):
    """A value was refused (too large, wrong encoding, a constraint): the same row fails again. Names the error."""


class DatabaseLimits(Struct, frozen=True, kw_only=True):
    """Bounds of the pools. Seconds."""

    readers: int = 4
    writers: int = 8  # PostgreSQL only; SQLite has one
    wait_s: float = 10.0  # for a connection of the pool
    connect_s: float = 5.0
    command_s: float = 30.0
    busy_s: float = 5.0  # SQLite: for another process's lock
    cache_kib: int = 32 * 1024  # SQLite: of the writer, for pages that every batch of settlement touches again
    log_pages: int = 8_000  # SQLite: a page that is written often goes from its log into the file once per so many


class _Turns:
    """A lock with two queues: who is urgent goes before who is not, first come first served in each."""

    def __init__(self) -> None:
        self._taken = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    async def take(self, *, urgent: bool) -> None:
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._others).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        for queue in (self._urgent, self._others):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._taken = False


class Database:
    """The two ways in: `writing` is one transaction, `reading` one consistent look."""

    def __init__(self, url: URL, limits: DatabaseLimits) -> None:
        self.sqlite = url.get_backend_name() == "sqlite"
        self._limits = limits
        self._turns = _Turns() if self.sqlite else None
        self._shared = self.sqlite and url.database in (None, "", ":memory:")
        if self.sqlite:
            self._writer = _sqlite_engine(url, limits, writer=True)
            self._reader = self._writer if self._shared else _sqlite_engine(url, limits, writer=False)
        else:
            self._writer = _postgres_engine(url, limits, limits.writers)
            self._reader = _postgres_engine(url, limits, limits.readers)

    @asynccontextmanager
    async def writing(self, *, urgent: bool = False) -> AsyncGenerator[AsyncConnection]:
        """One write transaction: commits at the end, rolls back on any exception. Raises DatabaseAway.

        SQLite has one writer; `urgent` (draws) goes before settlement. A failed commit may have happened or not: read
        again, never assume.
        """
        if self._turns is not None:
            await self._turns.take(urgent=urgent)
        try:
            async with _translated(), self._writer.begin() as connection:
                yield connection
        finally:
            if self._turns is not None:
                self._turns.give()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A connection for reads; on SQLite one that cannot write. Raises DatabaseAway."""
        if self._shared:
            async with self.writing() as connection:
                yield connection
            return
        async with _translated(), self._reader.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


def open_database(url: str, limits: DatabaseLimits | None = None) -> Database:
    """The database at `url` (sqlite:///path, postgresql://...); nothing is connected yet. Tables: `migrate`."""
    return Database(driver_url(url), limits or DatabaseLimits())


def driver_url(url: str) -> URL:
    """The URL with its asynchronous driver; libpq's `sslmode` becomes asyncpg's `ssl`."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            query = {("ssl" if name == "sslmode" else name): value for name, value in parsed.query.items()}
            return parsed.set(drivername="postgresql+asyncpg", query=query)
        case other:
            raise ValueError(f"The database must be SQLite or PostgreSQL; {other!r} in YESCALE_DATABASE is neither.")


async def database_ms(connection: AsyncConnection) -> int:
    """The database's clock, in unix milliseconds: the one that every node shares."""
    return int((await connection.execute(_NOW[connection.dialect.name])).scalar_one())


def driver_of(connection: AsyncConnection) -> Any:
    """The driver's own connection, for bulk, where SQLAlchemy's share of the cost counts.

    None before the transaction has begun: on PostgreSQL, SQLAlchemy begins it with the first statement of its own.
    Errors are the driver's; `writing` and `savepoint` know them.
    """
    assert connection.sync_connection is not None  # noqa: S101 - for the type checker: a transaction runs on it
    driver = connection.sync_connection.connection.driver_connection
    return None if isinstance(driver, asyncpg.Connection) and not driver.is_in_transaction() else driver


async def begun(connection: AsyncConnection) -> Any:
    """`driver_of`, with the transaction begun."""
    await connection.exec_driver_sql("SELECT 1")
    return driver_of(connection)


@asynccontextmanager
async def savepoint(connection: AsyncConnection) -> AsyncGenerator[None]:
    """A part of the transaction that is undone alone where a value is refused, which raises Unstorable."""
    driver = driver_of(connection) or await begun(connection)
    await driver.execute("SAVEPOINT part")
    try:
        yield
    except (*_DRIVER_ERRORS, *_REFUSED) as error:
        if not _unstorable(error):
            raise
        await driver.execute("ROLLBACK TO SAVEPOINT part")
        raise Unstorable(type(_driver_error(error)).__name__) from error
    await driver.execute("RELEASE SAVEPOINT part")


def _unstorable(error: Exception) -> bool:
    cause = _driver_error(error)
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return state.startswith(_POSTGRES_DATA)
    return isinstance(cause, _REFUSED) or _unsendable(cause)


class _Connection(sqlite3.Connection):
    """Rolls back as it closes: while a cursor lives that was cancelled within a row, SQLite only notes that its
    connection is closed, and the transaction would keep its lock. https://sqlite.org/c3ref/close.html
    """

    def close(self) -> None:
        """Close, with no transaction left behind."""
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()


def _sqlite_engine(url: URL, limits: DatabaseLimits, *, writer: bool) -> AsyncEngine:
    own = {"factory": _Connection}
    if url.database in (None, "", ":memory:"):
        engine = create_async_engine(url, poolclass=StaticPool, connect_args=own)
    else:
        size = 1 if writer else limits.readers
        engine = create_async_engine(url, pool_size=size, max_overflow=0, pool_timeout=limits.wait_s, connect_args=own)
    begin = "BEGIN IMMEDIATE" if writer else "BEGIN"
    pragmas = [
        f"PRAGMA busy_timeout = {int(limits.busy_s * 1000)}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA temp_store = MEMORY",
    ]
    if writer:
        pragmas += [f"PRAGMA cache_size = -{limits.cache_kib}", f"PRAGMA wal_autocheckpoint = {limits.log_pages}"]
    else:
        pragmas.append("PRAGMA query_only = ON")

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver would begin a deferred transaction by itself, and only before a write: a transaction that read
        # first then fails at once when it writes. So the driver begins nothing, and we say BEGIN IMMEDIATE.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgres_engine(url: URL, limits: DatabaseLimits, size: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=limits.wait_s,
        pool_recycle=1800,
        isolation_level="READ COMMITTED",
        connect_args={
            "timeout": limits.connect_s,
            "command_timeout": limits.command_s,
            "server_settings": {"application_name": "yescale", "idle_in_transaction_session_timeout": "60000"},
        },
    )


@asynccontextmanager
async def _translated() -> AsyncGenerator[None]:
    try:
        yield
    except _DRIVER_ERRORS as error:
        if _away(error):
            raise DatabaseAway(_sentence(_driver_error(error))) from error
        raise
    except (exc.TimeoutError, exc.PendingRollbackError, ConnectionError, TimeoutError) as error:
        raise DatabaseAway(_sentence(error)) from error


def _driver_error(error: BaseException) -> BaseException:
    """The driver's own error: below SQLAlchemy's, and on PostgreSQL below its adapter's."""
    adapted = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    return adapted.__cause__ if isinstance(error, exc.DBAPIError) and adapted.__cause__ is not None else adapted


def _away(error: Exception) -> bool:
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = _driver_error(error)
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_AWAY
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return state.startswith(_POSTGRES_AWAY)
    return isinstance(cause, OSError) or (isinstance(cause, asyncpg.InterfaceError) and not _unsendable(cause))


def _unsendable(cause: BaseException) -> bool:
    """Among asyncpg's interface errors: a value that has no place in its type. The others say that it is closed."""
    return isinstance(cause, asyncpg.InterfaceError) and isinstance(cause, ValueError)


def _sentence(error: BaseException | None) -> str:
    return f"The database is away ({type(error).__name__}); check that it runs and has room."
