"""What the database says in the end, read past the gateway, and the laws that any run must leave it in."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tests.faults.house import House, until
from tests.faults.provider import read_record
from yescale.settings import Settings

UPSTREAM = ("ok", "upstream_cut", "client_gone", "deadline", "drained")  # a provider may have worked for these


class Row(Struct, frozen=True, kw_only=True):
    """A call row."""

    call_id: str
    account_id: int
    key_id: int
    model: str
    outcome: str
    status: int
    estimated: bool
    prompt: int
    completion: int
    amount: int
    paid: int
    marker: str  # the client's own request id
    note: str
    text: str  # the whole row


class Books(Struct, frozen=True, kw_only=True):
    """Everything about money."""

    rows: tuple[Row, ...]
    balances: dict[int, int]  # by account
    paid_in: dict[int, int]  # by account: all that is no charge
    spent_by_key: dict[int, int]
    held: int
    outstanding: int
    over: int
    quarantined: tuple[str, ...]  # reasons
    dump: str  # all rows of the tables that users and operators read

    @property
    def charged(self) -> list[Row]:
        return [row for row in self.rows if row.amount > 0]


async def read_books(house: House) -> Books:
    """All of it, in one look."""
    engine = create_async_engine(Settings(home=house.home, database=house.database).database_url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await _read(connection)
    finally:
        await engine.dispose()


async def _read(connection: AsyncConnection) -> Books:
    async def ask(query: str) -> list[dict[str, Any]]:
        return [dict(row) for row in (await connection.execute(text(query))).mappings()]

    async def pairs(query: str) -> dict[int, int]:
        return {row["k"]: int(row["v"]) for row in await ask(query)}

    account_purses = "FROM accounts a JOIN purses p ON p.account_id = a.id AND p.scope = 'account'"
    posted = "FROM postings p JOIN entries e ON e.id = p.entry_id WHERE p.book = 'account' AND e.kind <> 'calls'"
    (sums,) = await ask(
        "SELECT COALESCE(SUM(held), 0) AS held,"
        " COALESCE(SUM(CASE WHEN limited THEN over ELSE 0 END), 0) AS over FROM purses"
    )
    leased = await ask("SELECT granted - settled - returned AS rest FROM leases")
    calls = await ask("SELECT * FROM calls ORDER BY id")
    spoiled = await ask("SELECT reason FROM quarantine")
    others = [await ask(f"SELECT * FROM {table}") for table in ("logs", "entries", "accounts", "keys", "channels")]
    return Books(
        rows=tuple(map(_row, calls)),
        balances=await pairs(f"SELECT a.id AS k, p.balance AS v {account_purses}"),
        paid_in=await pairs(f"SELECT p.account_id AS k, SUM(p.amount) AS v {posted} GROUP BY p.account_id"),
        spent_by_key=await pairs("SELECT k.id AS k, p.spent AS v FROM keys k JOIN purses p ON p.id = k.purse_id"),
        held=int(sums["held"]),
        over=int(sums["over"]),
        outstanding=sum(max(0, row["rest"]) for row in leased),
        quarantined=tuple(row["reason"] for row in spoiled),
        dump=repr(calls) + repr(others),
    )


def _row(row: dict[str, Any]) -> Row:
    details = json.loads(row["details"])
    return Row(
        call_id=row["call_id"],
        account_id=row["account_id"],
        key_id=row["key_id"],
        model=row["model"],
        outcome=row["outcome"],
        status=row["status"],
        estimated=bool(row["estimated"]),
        prompt=row["prompt_tokens"],
        completion=row["completion_tokens"],
        amount=row["amount"],
        paid=row["paid"],
        marker=details.get("client_request_id", ""),
        note=details.get("note", ""),
        text=repr(row),
    )


async def quiet(house: House, patience_s: float = 60.0) -> dict[str, Any]:
    """Wait until every journal is settled and no lease holds money; the verdict of `ledger verify` then."""
    seen: list[Any] = [None]

    def still() -> bool:
        before, seen[0] = seen[0], house.ask("ledger verify")
        figures = seen[0]["figures"]
        return before == seen[0] and figures["held"] == figures["outstanding"] == 0

    await until(still, lambda: f"money is still held, or calls still come: {seen[0]}", patience_s)
    return seen[0]


def unreconciled(house: House, *, killed: bool = False) -> list[Any]:
    """What `ledger reconcile` finds between the provider's record and the ledger, call by call, by the gateway's id.

    Where something was `killed`, what was served and not charged is not among it: the operator bears that.
    """
    served = [each for each in read_record(house.record) if each.status == 200]
    lines = [
        {"id": each.call, "model": each.model, "prompt": each.prompt, "completion": each.completion, "start_ms": at}
        for each in served
        if (at := int(each.at * 1000))
    ]
    assert all(each.call for each in served), "a call went upstream without an id of ours"
    verdict = house.ask("ledger reconcile", lines=lines)
    lost = [] if killed else verdict["served_not_charged"]
    return [*lost, *verdict["charged_not_served"], *verdict["usage_differs"]]


def broken_laws(books: Books) -> list[str]:
    """What does not add up; empty if the books are right, whatever happened."""
    return [*_about_rows(books), *_about_sums(books)]


def _about_rows(books: Books) -> Iterable[str]:
    for call, times in Counter(row.call_id for row in books.rows).items():
        if times > 1:
            yield f"the call {call} has {times} rows"
    for marker, times in Counter(row.marker for row in books.rows if row.marker).items():
        if times > 1:
            yield f"the client's call {marker} has {times} rows"
    for row in books.rows:
        if row.outcome not in UPSTREAM and row.amount:
            yield f"a call that was {row.outcome} is charged: {row.text}"


def _about_sums(books: Books) -> Iterable[str]:
    by_account: defaultdict[int, int] = defaultdict(int)
    by_key: defaultdict[int, int] = defaultdict(int)
    for row in books.rows:
        by_account[row.account_id] += row.paid
        by_key[row.key_id] += row.amount
    for account, balance in books.balances.items():
        left = books.paid_in.get(account, 0) - by_account[account]
        if balance != left or balance < 0:
            yield f"account {account} has {balance}, its top-ups and charges leave {left}"
    for key, spent in books.spent_by_key.items():
        if spent != by_key[key]:
            yield f"key {key} has spent {spent}, its rows say {by_key[key]}"
    shortfall = sum(row.amount - row.paid for row in books.rows)
    if shortfall != books.over or shortfall:
        yield f"the shortfall is {shortfall}, overruns are {books.over}"
    if books.held or books.outstanding:
        yield f"{books.held} are held, {books.outstanding} are outstanding"
