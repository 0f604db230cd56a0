"""Settlement: every line of a journal counts once, whoever reads it, and none stops the others."""

import asyncio
import random

import pytest
from sqlalchemy import select

from tests.integration.ledger.parties import Bank, Worker, end_line
from yescale.domain.ids import AccountId, CallId, ChannelId, KeyId, ModelName
from yescale.domain.journal import BackLine, HeadLine, NoLine, OpenCall, OpenLine
from yescale.domain.link import INCARNATION_CLOSED, Granted, Refused, Want
from yescale.domain.usage import Meter
from yescale.ledger.bank import draw
from yescale.ledger.incarnations import NotReadToTheEnd, close_incarnation, open_incarnation, reclaim
from yescale.ledger.journal_file import journal_line, read_journal, torn_tail
from yescale.ledger.settlement import Overtaken
from yescale.store.tables import (
    calls,
    changes,
    entries,
    journals,
    keys,
    leases,
    logs,
    postings,
    purses,
    quarantine,
    rollups,
)


async def test_calls_are_charged_to_account_and_key_and_explained(bank: Bank) -> None:
    """promise 2"""
    owner = await bank.owner(money=10_000, limit=5_000)
    worker = Worker(bank)
    await worker.draw((owner.purse, 1_000, 1_000), (owner.key_purse, 1_000, 1_000))
    for amount in (300, 0, 200):
        worker.end(owner, amount, usage={Meter.INPUT_TOKENS: 3, Meter.CACHE_READ_TOKENS: 4, Meter.OUTPUT_TOKENS: 5})
    settled = await worker.settle()
    assert (settled.calls, settled.amount, settled.shortfall, settled.alarms) == (3, 500, 0, ())
    account, key = await bank.purse(owner.purse), await bank.purse(owner.key_purse)
    assert (account.balance, account.held, account.spent, account.calls) == (9_500, 500, 500, 3)
    assert (key.balance, key.held, key.spent, key.calls, key.used_ms) == (4_500, 500, 500, 3, 1_700_000_000_003)
    rows = await bank.rows(select(calls.c.amount, calls.c.paid, calls.c.prompt_tokens, calls.c.completion_tokens))
    assert rows == [(300, 300, 7, 5), (0, 0, 7, 5), (200, 200, 7, 5)]
    figures = await bank.sound()
    assert (figures["revenue"], figures["charged"], figures["outstanding"]) == (500, 500, 1_000)


async def test_four_readers_of_one_file_charge_each_line_once(bank: Bank) -> None:
    owner = await bank.owner(money=10_000_000)
    worker = Worker(bank)
    total = sum(worker.end(owner, amount).amount for amount in range(1, 401))

    async def read(seed: int) -> None:
        rng = random.Random(seed)
        while True:
            try:
                if (await worker.settle(rng.randint(1, 40))).calls == 0:
                    return
            except Overtaken:
                continue

    await asyncio.gather(*(read(seed) for seed in range(4)))
    figures = await bank.sound()
    assert (figures["calls"], figures["charged"]) == (400, total)


async def test_a_reader_with_an_old_offset_is_turned_away(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10)
    await worker.settle_from(0)
    with pytest.raises(Overtaken):
        await worker.settle_from(0)
    assert (await bank.sound())["charged"] == 10


async def test_a_line_with_a_bad_checksum_or_no_account_is_quarantined_and_stops_nothing(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10)
    broken_at = len(worker.data)
    worker.data += journal_line(end_line(owner, 7, n=2)).replace(b'["end",2', b'["end",3')
    worker.n = 2
    worker.write(end_line(owner, 5, n=3, account=4711))
    worker.write(end_line(owner, -5, n=4))
    worker.write(end_line(owner, 1 << 70, n=5))
    worker.write(end_line(owner, 20, n=6, note="a NUL: \x00"))
    settled = await worker.settle()
    assert (settled.calls, settled.amount, settled.quarantined) == (2, 30, 4)
    rows = await bank.rows(select(quarantine.c.off, quarantine.c.reason, quarantine.c.amount).order_by(quarantine.c.id))
    assert (rows[0].off, rows[0].amount) == (broken_at, 0)
    assert [row.reason.split(":")[0] for row in rows] == [
        "crc",
        "account 4711 does not exist",
        "shape",  # what is negative or absurdly large is no number of ours
        "shape",
    ]
    assert any("lines are lost" in alarm for alarm in settled.alarms)
    await bank.sound()


async def test_a_call_whose_account_is_charged_another_amount_is_quarantined(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10, charges=((owner.purse, 9), (owner.key_purse, 10)))
    worker.end(owner, 20)
    settled = await worker.settle()
    assert (settled.calls, settled.amount, settled.quarantined) == (1, 20, 1)
    assert [tuple(row) for row in await bank.rows(select(quarantine.c.reason, quarantine.c.amount))] == [
        ("the account's charge is not the amount of the call", 10)
    ]
    assert (await bank.purse(owner.key_purse)).spent == 20
    await bank.sound()


async def test_a_line_that_the_database_refuses_is_quarantined_alone(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10)
    worker.end(owner, 5, status=1 << 31)  # more than an INTEGER of PostgreSQL holds
    worker.end(owner, 20)
    settled = await worker.settle()
    assert settled.amount in {30, 35}  # SQLite stores it
    assert settled.calls + settled.quarantined == 3
    await bank.sound()


async def test_an_unfinished_line_waits_for_its_rest(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10)
    worker.end(owner, 20)
    whole, worker.data = worker.data, worker.data[:-7]
    assert (await worker.settle()).calls == 1
    assert (await worker.settle()).calls == 0
    worker.data = whole
    assert (await worker.settle()).calls == 1
    assert (await bank.sound())["charged"] == 30


async def test_a_gap_in_the_numbers_is_told_and_the_line_charged(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10)
    worker.write(end_line(owner, 20, n=5))
    settled = await worker.settle()
    assert settled.amount == 30
    assert [alarm.split(": ", 1)[1] for alarm in settled.alarms] == ["line 5 follows line 1: lines are lost"]


async def test_an_overrun_is_charged_in_full_and_the_operator_pays_the_rest(bank: Bank) -> None:
    owner = await bank.owner(money=100)
    worker = Worker(bank)
    await worker.draw((owner.purse, 100, 100))
    worker.end(owner, 130)
    worker.end(owner, 50)
    settled = await worker.settle()
    assert (settled.amount, settled.shortfall) == (180, 80)
    purse = await bank.purse(owner.purse)
    assert (purse.balance, purse.over, purse.held) == (0, 80, 0)
    assert await bank.rows(select(calls.c.amount, calls.c.paid)) == [(130, 100), (50, 0)]
    figures = await bank.sound()
    assert (figures["shortfall"], figures["revenue"]) == (80, 180)


async def test_money_given_back_may_be_granted_again(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker, other = Worker(bank), Worker(bank)
    await worker.draw((owner.purse, 900, 900))
    assert isinstance(await other.draw((owner.purse, 500, 500)), Refused)
    worker.end(owner, 100, backs=((owner.purse, 300),))
    worker.write(BackLine(n=2, purses=((owner.purse, 800),)))
    await worker.settle()
    assert (await bank.purse(owner.purse)).held == 0
    assert not isinstance(await other.draw((owner.purse, 500, 500)), Refused)
    await bank.sound()


async def test_a_total_given_back_that_is_said_again_counts_once(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    await worker.draw((owner.purse, 900, 900))
    for n, total in enumerate((300, 300, 200), start=1):
        worker.write(BackLine(n=n, purses=((owner.purse, total),)))
    await worker.settle()
    assert (await bank.purse(owner.purse)).held == 600


async def test_a_lease_that_was_overrun_is_raised_from_what_was_spent(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    await worker.draw((owner.purse, 100, 100))
    worker.end(owner, 300)
    await worker.settle()
    assert await worker.draw((owner.purse, 350, 350)) == (Granted(purse=owner.purse, total=350),)
    assert (await bank.purse(owner.purse)).held == 50
    await bank.sound()


async def test_a_charge_does_not_need_its_lease(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10)  # granted before a backup that knows nothing of it
    await worker.settle()
    worker.have[owner.purse] = 300
    await worker.draw((owner.purse, 310, 310))
    purse = await bank.purse(owner.purse)
    assert (purse.balance, purse.held) == (990, 300)
    await bank.sound()


async def test_an_unlimited_key_counts_below_zero_and_refuses_nothing(bank: Bank) -> None:
    owner = await bank.owner(money=1_000, limit=None)
    worker = Worker(bank)
    worker.end(owner, 100)
    await worker.settle()
    key = await bank.purse(owner.key_purse)
    assert (key.granted - key.spent, key.balance, key.over) == (-100, 0, 100)
    assert await bank.rows(select(keys.c.status)) == [(1,)]
    assert (await bank.sound())["shortfall"] == 0


async def test_a_key_whose_limit_is_used_up_becomes_exhausted_and_is_in_the_feed(bank: Bank) -> None:
    """promise 2"""
    owner = await bank.owner(money=1_000, limit=50)
    worker = Worker(bank)
    worker.end(owner, 50)
    assert (await worker.settle()).exhausted == 1
    assert await bank.rows(select(keys.c.status)) == [(4,)]
    assert (await bank.rows(select(changes.c.kind).order_by(changes.c.number)))[-1] == ("key",)


async def test_refusals_and_calls_without_a_charge_leave_rows(bank: Bank) -> None:
    """promise 31"""
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.write(HeadLine(n=1, incarnation=worker.incarnation, node="a", file=1, program="test", at_ms=1))
    worker.end(owner, 0, charges=(), outcome="upstream_error", status=502)
    worker.write(NoLine(n=3, at_ms=5, key=owner.key, account=owner.account, code="insufficient_balance", count=7))
    settled = await worker.settle()
    assert (settled.calls, settled.alarms) == (1, ())
    assert await bank.rows(select(calls.c.type, calls.c.entry_id)) == [(5, None)]
    assert (await bank.purse(owner.purse)).calls == (await bank.purse(owner.key_purse)).calls == 1
    contents = await bank.rows(select(logs.c.content).where(logs.c.type == 5))
    assert contents == [("Refused 7 times: insufficient_balance",)]


async def test_a_charge_to_a_purse_of_another_account_is_not_taken_from_it(bank: Bank) -> None:
    owner, other = await bank.owner(money=1_000), await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10, charges=((owner.purse, 10), (owner.key_purse, 10), (other.purse, 10), (4711, 10)))
    settled = await worker.settle()
    assert (settled.calls, len(settled.alarms)) == (1, 2)
    assert (await bank.purse(other.purse)).balance == 1_000
    await bank.sound()


async def test_numbers_go_on_in_the_next_file(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10)
    await worker.settle()
    data = journal_line(end_line(owner, 20, n=2))
    second = Worker(bank)
    second.incarnation, second.data = worker.incarnation, data
    reading = read_journal(data, 0)
    settled = await second.settle_records(0, reading.end, reading.records, file=2)
    assert (settled.amount, settled.alarms) == (20, ())


# --- death


def _open(owner_key: KeyId, account: AccountId, call_id: str) -> OpenCall:
    return OpenCall(
        id=CallId(call_id),
        at_ms=9,
        key=owner_key,
        account=account,
        model=ModelName("gpt-4o"),
        channel=ChannelId(1),
        reserved=50,
    )


async def test_a_death_gives_back_the_leases_and_names_the_interrupted_calls(bank: Bank) -> None:
    """promise 12"""
    owner = await bank.owner(money=1_000, limit=800)
    worker = Worker(bank)
    await worker.draw((owner.purse, 500, 500), (owner.key_purse, 500, 500))
    lost = _open(owner.key, owner.account, "lost")
    worker.write(OpenLine(n=1, calls=(lost,)))
    worker.end(owner, 100)
    worker.data += b"torn"
    await worker.settle()
    whole = len(worker.data) - 4

    async with bank.database.writing() as connection:
        with pytest.raises(NotReadToTheEnd):
            await close_incarnation(connection, worker.incarnation, [lost], {1: len(worker.data)})
    await worker.settle_records(whole, len(worker.data), [torn_tail(b"torn", whole)])
    for times in (1, 0):
        async with bank.database.writing() as connection:
            closed = await close_incarnation(connection, worker.incarnation, [lost], {1: len(worker.data)})
        assert (closed.released, closed.interrupted) == (800 * times, times)
    rows = await bank.rows(
        select(calls.c.call_id, calls.c.amount, calls.c.key_name).where(calls.c.outcome == "interrupted")
    )
    assert [(row.call_id, row.amount) for row in rows] == [("lost", 0)]
    assert rows[0].key_name != ""
    figures = await bank.sound()
    assert (figures["held"], figures["quarantined"], figures["interrupted"]) == (0, 1, 1)
    assert (await bank.purse(owner.purse)).calls == 2
    refused = await worker.draw((owner.purse, 600, 600))
    assert isinstance(refused, Refused)
    assert refused.code == INCARNATION_CLOSED


async def test_late_charges_of_a_reclaimed_worker_still_apply(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker, other = Worker(bank), Worker(bank)
    await worker.draw((owner.purse, 600, 600))
    async with bank.database.writing() as connection:
        assert await reclaim(connection, worker.incarnation) == 600
    await other.draw((owner.purse, 1_000, 1_000))
    worker.end(owner, 500)
    other.end(owner, 1_000)
    await worker.settle()
    await other.settle()
    figures = await bank.sound()
    assert (figures["charged"], figures["shortfall"], figures["held"]) == (1_500, 500, 0)


async def test_draws_and_a_death_at_once_leave_nothing_held(bank: Bank) -> None:
    owners = [await bank.owner(money=10_000) for _ in range(4)]
    worker = Worker(bank)

    async def die() -> None:
        await asyncio.sleep(0.01)
        async with bank.database.writing() as connection:
            await close_incarnation(connection, worker.incarnation, [], {})

    await asyncio.gather(die(), *(worker.draw((owner.purse, 10, 10)) for owner in owners * 5))
    assert (await bank.sound())["held"] == 0


async def test_a_death_waits_for_a_draw_that_is_under_way(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    want = Want(purse=owner.purse, have=0, least=100, want=100)

    async def die() -> None:
        async with bank.database.writing() as connection:
            await close_incarnation(connection, worker.incarnation, [], {})

    async with bank.database.writing() as connection:
        await open_incarnation(connection, worker.incarnation, node="")
    async with bank.database.writing() as connection:
        assert not isinstance(await draw(connection, worker.incarnation, [want]), Refused)
        death = asyncio.create_task(die())
        await asyncio.sleep(0.1)
    await death
    assert (await bank.sound())["held"] == 0


# --- a restored database


async def test_a_journal_is_read_again_by_a_database_that_went_back(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    await worker.draw((owner.purse, 400, 400))
    tables = (purses, leases, journals, entries, postings, calls, rollups)
    backup = [(table, [row._mapping for row in await bank.rows(select(table))]) for table in tables]
    worker.end(owner, 100)
    await worker.settle()
    async with bank.database.writing() as connection:
        for table in (rollups, calls, postings, entries, journals, leases):
            await connection.execute(table.delete())
        for table, rows in backup:
            for row in rows:
                if table is purses:
                    await connection.execute(purses.update().where(purses.c.id == row["id"]).values(**row))
                else:
                    await connection.execute(table.insert(), dict(row))
    assert (await bank.purse(owner.purse)).balance == 1_000
    await worker.settle()
    purse = await bank.purse(owner.purse)
    assert (purse.balance, purse.held) == (900, 300)
    assert (await bank.sound())["charged"] == 100
