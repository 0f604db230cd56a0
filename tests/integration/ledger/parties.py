"""A bank with accounts, keys and workers to play with."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from yescale.domain.ids import AccountId, CallId, ChannelId, Incarnation, KeyId, ModelName, PurseId
from yescale.domain.journal import EndLine, JournalLine
from yescale.domain.link import Granted, Refused, Want
from yescale.ledger.bank import draw
from yescale.ledger.entries import NewEntry, enter
from yescale.ledger.journal_file import Record, journal_line, read_journal
from yescale.ledger.purses import open_account_purse, open_key_purse, read_purses
from yescale.ledger.rows import Purse
from yescale.ledger.settlement import Batch, Settled, offsets, settle
from yescale.ledger.verify import verify
from yescale.store.database import Database
from yescale.store.tables import accounts, keys

_numbers = itertools.count(1)


class Owner(Struct, frozen=True):
    account: AccountId
    purse: PurseId
    key: KeyId
    key_purse: PurseId


class Worker:
    """A worker as the bank sees it: a life, a file that grows, and how far it drew."""

    def __init__(self, bank: "Bank") -> None:
        self.incarnation = Incarnation(f"{next(_numbers):032x}")
        self.bank = bank
        self.data = b""
        self.n = 0
        self.have: dict[PurseId, int] = {}

    async def draw(self, *wants: tuple[PurseId, int, int]) -> tuple[Granted, ...] | Refused:
        asked = [Want(purse=p, have=self.have.get(p, 0), least=least, want=want) for p, least, want in wants]
        async with self.bank.database.writing(urgent=True) as connection:
            answer = await draw(connection, self.incarnation, asked)
        if not isinstance(answer, Refused):
            self.have.update((granted.purse, granted.total) for granted in answer)
        return answer

    def write(self, line: JournalLine) -> None:
        self.data += journal_line(line)
        self.n = line.n

    def end(self, owner: Owner, amount: int, **fields: Any) -> EndLine:
        line = end_line(owner, amount, n=self.n + 1, **fields)
        self.write(line)
        return line

    async def settle(self, most: int = 500) -> Settled:
        async with self.bank.database.reading() as connection:
            start = (await offsets(connection, self.incarnation)).get(1, 0)
        return await self.settle_from(start, most)

    async def settle_from(self, start: int, most: int = 500) -> Settled:
        reading = read_journal(self.data[start:], start, most)
        return await self.settle_records(start, reading.end, reading.records)

    async def settle_records(self, start: int, end: int, records: Sequence[Record], file: int = 1) -> Settled:
        batch = Batch(incarnation=self.incarnation, file=file, start=start, end=end, records=tuple(records))
        async with self.bank.database.writing() as connection:
            return await settle(connection, batch)


class Bank:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def owner(self, money: int = 0, limit: int | None = None) -> Owner:
        number = next(_numbers)
        async with self.database.writing() as connection:
            row = {"username": f"user{number}"}
            account = (await connection.execute(accounts.insert().returning(accounts.c.id), row)).scalar_one()
            purse = await open_account_purse(connection, account)
            key_purse = await open_key_purse(connection, account, granted=limit or 0, limited=limit is not None)
            fresh = {
                "hash": number.to_bytes(32, "big"),
                "masked": "sk-****",
                "name": f"key{number}",
                "account_id": account,
                "purse_id": key_purse,
            }
            key = (await connection.execute(keys.insert().returning(keys.c.id), fresh)).scalar_one()
            if money:
                await enter(connection, topup(account, money, f"first {number}"))
        return Owner(account, purse, key, key_purse)

    async def purse(self, purse: PurseId) -> Purse:
        async with self.database.reading() as connection:
            return (await read_purses(connection, [purse]))[purse]

    async def sound(self) -> Mapping[str, int]:
        """The figures of the books, which are right."""
        async with self.database.reading() as connection:
            verdict = await verify(connection)
        assert verdict.problems == ()
        return verdict.figures

    async def rows(self, statement: Any) -> list[Any]:
        async with self.database.reading() as connection:
            return list((await connection.execute(statement)).all())


def topup(account: AccountId, amount: int, outside_id: str) -> NewEntry:
    return NewEntry(kind="topup", account=account, amount=amount, source="test", outside_id=outside_id)


def end_line(owner: Owner, amount: int, *, n: int, **fields: Any) -> EndLine:
    values: dict[str, Any] = {
        "id": CallId(f"call-{next(_numbers)}"),
        "at_ms": 1_700_000_000_000 + n,
        "key": owner.key,
        "account": owner.account,
        "username": "user",
        "key_name": "key",
        "group": "default",
        "model": ModelName("gpt-4o"),
        "upstream_model": "gpt-4o",
        "channel": ChannelId(1),
        "outcome": "ok",
        "status": 200,
        "stream": False,
        "usage": {},
        "estimated": False,
        "lines": (),
        "amount": amount,
        "charges": ((owner.purse, amount), (owner.key_purse, amount)),
        "attempts": (),
        "first_ms": 1,
        "total_ms": 2,
        "snapshot": 1,
    }
    return EndLine(n=n, **(values | fields))
