"""The databases of the money schedules: a file that is copied and put back, or a server that is emptied each time."""

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.ledger import verify
from yescale.ledger.purses import open_account_purse, open_key_purse
from yescale.store.database import Database, DatabaseLimits, database_ms, open_database
from yescale.store.keys import NewKey, create_key
from yescale.store.tables import accounts, counters, metadata, purses

LIMITS = DatabaseLimits(readers=1, writers=1)
KEYS = (("plain", 1, True, False), ("free", 1, False, False), ("dated", 2, True, True), ("other", 2, True, False))
_DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}
_DAY_MS = 86_400_000


def laws(dialect: str) -> dict[str, str]:
    """What `ledger verify` asks, as plain statements: each returns the violations of one law."""
    return {
        sentence: str(query.compile(dialect=_DIALECTS[dialect], compile_kwargs={"literal_binds": True}))
        for sentence, query in verify._CHECKS.items()
    }


class Bank(Protocol):
    """A database of accounts, keys and empty purses."""

    database: Database
    laws: dict[str, str]

    async def open(self) -> None: ...
    async def rows(self, query: str) -> Sequence[Any]: ...
    async def back_up(self) -> None: ...
    async def restore(self) -> bool: ...
    async def close(self) -> None: ...


class FileBank:
    """SQLite. A backup is a copy of the file; a restore puts it in its place, and nobody's connection survives it."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._file = folder / "bank.db"
        self._backup = folder / "backup.db"
        shutil.copyfile(template, self._file)
        self.laws = laws("sqlite")

    async def open(self) -> None:
        self.database = open_database(f"sqlite:///{self._file}", LIMITS)
        self._look = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, isolation_level=None)

    async def rows(self, query: str) -> Sequence[Any]:
        return self._look.execute(query).fetchall()

    async def back_up(self) -> None:
        copy = sqlite3.connect(self._backup)
        self._look.backup(copy)
        copy.close()

    async def restore(self) -> bool:
        if not self._backup.exists():
            return False
        await self.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self._backup, self._file)
        await self.open()
        return True

    async def close(self) -> None:
        self._look.close()
        await self.database.close()


class ServerBank:
    """PostgreSQL, emptied for each schedule; it keeps no backup."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.laws = laws("postgresql")

    async def open(self) -> None:
        self.database = open_database(self._url, LIMITS)
        async with self.database.writing() as connection:
            names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
            await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
            await populate(connection)

    async def rows(self, query: str) -> Sequence[Any]:
        async with self.database.reading() as connection:
            return (await connection.exec_driver_sql(query)).all()

    async def back_up(self) -> None:
        """Nothing."""

    async def restore(self) -> bool:
        return False

    async def close(self) -> None:
        await self.database.close()


async def make_tables(url: str, *, filled: bool) -> None:
    """All tables, and where `filled` the accounts and keys of a schedule."""
    database = open_database(url, LIMITS)
    async with database.writing() as connection:
        await connection.run_sync(metadata.create_all)
        if filled:
            await populate(connection)
    await database.close()


async def populate(connection: AsyncConnection) -> None:
    """Two accounts with two keys each, all without money; the purse of one key ends tomorrow."""
    await connection.execute(counters.insert(), {"name": "changes", "value": 0})
    for number in (1, 2):
        await connection.execute(accounts.insert(), {"id": number, "username": f"u{number}"})
        await open_account_purse(connection, AccountId(number))
    now_ms = await database_ms(connection)
    for name, number, limited, dated in KEYS:
        account = AccountId(number)
        purse = await open_key_purse(connection, account, granted=0, limited=limited)
        await create_key(
            connection,
            NewKey(
                hash=name.encode(),
                masked="",
                name=name,
                account_id=account,
                purse_id=purse,
                group="default",
                created_at=0,
            ),
        )
        if dated:
            until = {"until_ms": now_ms + _DAY_MS, "period": "today"}
            await connection.execute(purses.update().where(purses.c.id == purse).values(until))
