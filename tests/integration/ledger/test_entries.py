"""Money that is not a call's: entered once, whoever repeats it; limits are set, raised and closed."""

import asyncio

import pytest
from sqlalchemy import select, update

from tests.integration.ledger.parties import Bank, Worker, topup
from yescale.domain.ids import AccountId, CallId
from yescale.domain.link import Refused
from yescale.ledger.codes import redeem
from yescale.ledger.entries import (
    Entered,
    NewEntry,
    NoSuchAccount,
    NoSuchCall,
    NotCovered,
    ReusedId,
    enter,
    refund,
    trial,
)
from yescale.ledger.purses import NoSuchKey, close_purses, delete_key, set_key_limit
from yescale.ledger.verify import Ends, verify
from yescale.store import changes
from yescale.store.codes import NewCode, insert_codes
from yescale.store.database import database_ms
from yescale.store.tables import calls, codes, entries, keys, leases, logs, postings, purses


async def _enter(bank: Bank, new: NewEntry) -> Entered:
    async with bank.database.writing() as connection:
        return await enter(connection, new)


async def test_a_topup_that_is_sent_many_times_counts_once(bank: Bank) -> None:
    owner = await bank.owner()
    answers = await asyncio.gather(*(_enter(bank, topup(owner.account, 500, "pay-1")) for _ in range(8)))
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 7
    assert {answer.id for answer in answers} == {answers[0].id}
    assert (await bank.purse(owner.purse)).balance == 500
    assert await bank.rows(select(logs.c.type, logs.c.amount)) == [(1, 500)]
    await bank.sound()


async def test_an_id_that_stands_for_something_else_is_refused(bank: Bank) -> None:
    owner = await bank.owner()
    await _enter(bank, topup(owner.account, 500, "pay-1"))
    with pytest.raises(ReusedId):
        await _enter(bank, topup(owner.account, 501, "pay-1"))
    with pytest.raises(NoSuchAccount):
        await _enter(bank, topup(AccountId(4711), 500, "pay-2"))
    assert (await bank.sound())["balance"] == 500


async def test_the_trial_is_given_once(bank: Bank) -> None:
    owner = await bank.owner()
    for _ in range(2):
        async with bank.database.writing() as connection:
            await trial(connection, owner.account, 1_000)
    assert (await bank.purse(owner.purse)).balance == 1_000


async def test_an_adjustment_takes_no_more_than_there_is_and_says_when_leases_must_come_back(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    await Worker(bank).draw((owner.purse, 700, 700))
    down = NewEntry(kind="adjustment", account=owner.account, amount=-400, source="admin", outside_id="1")
    assert (await _enter(bank, down)).recall
    too_much = NewEntry(kind="adjustment", account=owner.account, amount=-601, source="admin", outside_id="2")
    with pytest.raises(NotCovered):
        await _enter(bank, too_much)
    with pytest.raises(NotCovered):
        await _enter(bank, topup(owner.account, -1, "negative"))
    figures = await bank.sound()
    assert (figures["balance"], figures["strained"]) == (600, 1)


async def test_refunds_of_a_call_never_exceed_what_it_paid_and_restore_its_purses(bank: Bank) -> None:
    owner = await bank.owner(money=1_000, limit=100)
    worker = Worker(bank)
    call = worker.end(owner, 100)
    await worker.settle()
    assert await bank.rows(select(keys.c.status)) == [(4,)]

    async def give(amount: int, outside_id: str) -> None:
        async with bank.database.writing() as connection:
            await refund(connection, call.id, amount, outside_id=outside_id)

    outcomes = await asyncio.gather(*(give(60, f"r{i}") for i in range(3)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "NotCovered", "NotCovered"]
    await give(40, "rest")
    await give(40, "rest")
    account, key = await bank.purse(owner.purse), await bank.purse(owner.key_purse)
    assert (account.balance, account.spent, key.balance, key.spent) == (1_000, 0, 100, 0)
    assert await bank.rows(select(keys.c.status)) == [(1,)]
    assert await bank.rows(select(calls.c.refunded)) == [(100,)]
    with pytest.raises(NoSuchCall):
        async with bank.database.writing() as connection:
            await refund(connection, CallId("never"), 1, outside_id="x")
    await bank.sound()


async def test_a_refused_entry_leaves_no_trace(bank: Bank) -> None:
    owner = await bank.owner(money=10)
    with pytest.raises(NotCovered):
        await _enter(bank, NewEntry(kind="adjustment", account=owner.account, amount=-11, source="a", outside_id="1"))
    assert len(await bank.rows(select(entries.c.id))) == 1


async def test_setting_a_limit_is_absolute_and_revives_an_exhausted_key(bank: Bank) -> None:
    owner = await bank.owner(money=10_000, limit=50)
    worker = Worker(bank)
    worker.end(owner, 70)
    await worker.settle()
    assert (await bank.purse(owner.key_purse)).over == 20
    async with bank.database.writing() as connection:
        limited = await set_key_limit(connection, owner.key, remaining=500)
    assert (limited.remaining, limited.recall) == (500, False)
    key = await bank.purse(owner.key_purse)
    assert (key.balance, key.granted, key.spent, key.over) == (500, 570, 70, 0)
    assert await bank.rows(select(keys.c.status)) == [(1,)]
    await bank.sound()


async def test_lowering_a_limit_asks_for_what_is_out_and_stops_new_grants(bank: Bank) -> None:
    owner = await bank.owner(money=10_000, limit=1_000)
    worker = Worker(bank)
    await worker.draw((owner.key_purse, 800, 800))
    async with bank.database.writing() as connection:
        limited = await set_key_limit(connection, owner.key, remaining=100)
    assert (limited.recall, limited.held) == (True, 800)
    assert isinstance(await Worker(bank).draw((owner.key_purse, 1, 1)), Refused)
    await bank.sound()
    async with bank.database.writing() as connection:
        await set_key_limit(connection, owner.key, limited=False)
    assert not isinstance(await Worker(bank).draw((owner.key_purse, 1, 1)), Refused)


async def test_a_closed_purse_grants_nothing_and_pays_for_what_is_in_flight(bank: Bank) -> None:
    owner = await bank.owner(money=1_000, limit=1_000)
    worker = Worker(bank)
    await worker.draw((owner.purse, 100, 100), (owner.key_purse, 100, 100))
    async with bank.database.writing() as connection:
        before = await changes.latest(connection)
        assert await delete_key(connection, owner.key) == owner.key_purse
        with pytest.raises(NoSuchKey):
            await delete_key(connection, owner.key)
    refused = await worker.draw((owner.purse, 200, 200), (owner.key_purse, 200, 200))
    assert refused == Refused(purse=owner.key_purse, code="invalid_api_key")
    worker.end(owner, 80)
    await worker.settle()
    assert (await bank.purse(owner.key_purse)).spent == 80
    async with bank.database.reading() as connection:
        assert [change.kind for change in await changes.after(connection, before)] == ["key", "purse"]
    async with bank.database.writing() as connection:
        await close_purses(connection, [owner.purse, owner.key_purse])
    assert isinstance(await worker.draw((owner.purse, 500, 500)), Refused)
    await bank.sound()


async def test_a_budget_whose_window_is_over_is_refused(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    async with bank.database.writing() as connection:
        now = await database_ms(connection)
        await connection.execute(
            purses.update().where(purses.c.id == owner.purse), {"until_ms": now + 5_000, "period": "2026-01-01"}
        )
    granted = await Worker(bank).draw((owner.purse, 10, 10))
    assert not isinstance(granted, Refused)
    assert granted[0].valid_s is not None
    assert 0 < granted[0].valid_s <= 5
    async with bank.database.writing() as connection:
        await connection.execute(purses.update().where(purses.c.id == owner.purse), {"until_ms": now - 1})
    refused = await Worker(bank).draw((owner.purse, 10, 10))
    assert isinstance(refused, Refused)
    assert refused.code == "budget_exceeded"


async def test_numbers_of_the_feed_follow_the_order_of_commits(bank: Bank) -> None:
    async def write(index: int) -> None:
        async with bank.database.writing() as connection:
            await asyncio.sleep(0.001 * (index % 3))
            await changes.note(connection, "account", account=AccountId(index), at_ms=0)

    seen: list[int] = []

    async def follow() -> None:
        last = 0
        while len(seen) < 30:
            async with bank.database.reading() as connection:
                for change in await changes.after(connection, last):
                    seen.append(change.number)
                    last = change.number
            await asyncio.sleep(0.001)

    async with asyncio.timeout(30):
        await asyncio.gather(follow(), *(write(index) for index in range(30)))
    assert seen == list(range(1, 31))


async def test_verify_names_what_is_wrong(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    await worker.draw((owner.purse, 100, 100))
    worker.end(owner, 30)
    await worker.settle()
    async with bank.database.writing() as connection:
        code = NewCode(hash=b"h", masked="", batch="b", amount=5, expires_ms=None, created_ms=1)
        await insert_codes(connection, [code])
        await redeem(connection, b"h", owner.account)
    for statement, number in (
        (update(postings).where(postings.c.book == "revenue").values(amount=31), "1:"),
        (update(purses).where(purses.c.scope == "account").values(balance=purses.c.balance - 1), "2:"),
        (update(leases).values(returned=5), "3:"),
        (update(purses).where(purses.c.scope == "account").values(held=5_000), "4:"),
        (update(calls).values(amount=29), "5:"),
        (update(calls).values(paid=29), "6:"),
        (update(calls).values(refunded=1), "6: call"),
        (update(codes).values(amount=6), "6: code"),
        (update(codes).values(account_id=owner.account + 1), "6: code"),
        (update(purses).where(purses.c.scope == "key").values(spent=purses.c.spent + 1), "2: the key"),
        (update(purses).where(purses.c.scope == "key").values(calls=2), "2: the key"),
        (update(purses).where(purses.c.scope == "account").values(calls=0), "2: account"),
        (update(purses).where(purses.c.scope == "account").values(over=1), "8:"),
    ):
        async with bank.database.writing() as connection:
            await connection.execute(statement)
            verdict = await verify(connection)
            await connection.rollback()
        assert any(problem.startswith(number) for problem in verdict.problems), (number, verdict.problems)
    async with bank.database.reading() as connection:
        assert (await verify(connection, {(worker.incarnation, 1): Ends(1, 30)})).ok
        assert not (await verify(connection, {(worker.incarnation, 1): Ends(1, 31)})).ok
    await bank.sound()
