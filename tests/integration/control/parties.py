"""Accounts with money and keys, made in the database directly; and a look at what the books say."""

import itertools
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from yescale.domain.ids import PurseId
from yescale.ledger.entries import NewEntry, enter
from yescale.ledger.purses import open_account_purse, open_key_purse, read_purses
from yescale.ledger.rows import Purse
from yescale.ledger.verify import verify
from yescale.store.database import Database
from yescale.store.tables import accounts, keys

_numbers = itertools.count(1)


class Party(Struct, frozen=True):
    account: int
    purse: int
    key: int
    key_purse: int
    key_hash: bytes

    def end(self, amount: int, **fields: Any) -> dict[str, Any]:
        """The fields of an `end` line that charges this party."""
        charges = [[self.purse, amount], [self.key_purse, amount]]
        return {"key": self.key, "account": self.account, "amount": amount, "charges": charges} | fields


async def make_party(database: Database, money: int = 0, limit: int | None = None) -> Party:
    number = next(_numbers)
    async with database.writing() as connection:
        row = {"username": f"user{number}", "display_name": f"User {number}"}
        account = (await connection.execute(accounts.insert().returning(accounts.c.id), row)).scalar_one()
        purse = await open_account_purse(connection, account)
        key_purse = await open_key_purse(connection, account, granted=limit or 0, limited=limit is not None)
        key_hash = number.to_bytes(32, "big")
        fresh = {
            "hash": key_hash,
            "masked": "sk-****",
            "name": f"key{number}",
            "account_id": account,
            "purse_id": key_purse,
        }
        key = (await connection.execute(keys.insert().returning(keys.c.id), fresh)).scalar_one()
        if money:
            entry = NewEntry(kind="topup", account=account, amount=money, source="test", outside_id=str(number))
            await enter(connection, entry)
    return Party(account, purse, key, key_purse, key_hash)


async def read_purse(database: Database, purse: int) -> Purse:
    async with database.reading() as connection:
        return (await read_purses(connection, [PurseId(purse)]))[PurseId(purse)]


async def read_rows(database: Database, statement: Any) -> list[Mapping[str, Any]]:
    async with database.reading() as connection:
        return [dict(row) for row in (await connection.execute(statement)).mappings()]


async def check_books(database: Database) -> Mapping[str, int]:
    """The figures of the books, which hold."""
    async with database.reading() as connection:
        verdict = await verify(connection)
    assert verdict.problems == ()
    return verdict.figures
