"""Budgets: purses of limits, made by the first draw of a period, counted in their own unit, kept in step with edits."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from tests.integration.ledger.parties import Bank, Owner, Worker
from yescale.domain.ids import LimitId, PurseId
from yescale.domain.limits import Window
from yescale.domain.link import PERIOD_OVER, Granted, Refused, Want
from yescale.ledger.bank import draw
from yescale.ledger.budgets import set_budget
from yescale.ledger.verify import verify
from yescale.store.database import database_ms
from yescale.store.limits import NewLimit, delete_limit, limits_of_key, set_limit
from yescale.store.tables import limits, purses

NEW = PurseId(0)


async def limit_key(bank: Bank, owner: Owner, amount: int, *, what: Any = "tokens", window: Window = "day") -> LimitId:
    """Set, or set anew, as an operator does."""
    new = NewLimit(
        scope="key", subject=str(owner.key), what=what, window=window, amount=amount, zone="UTC",
        account_id=owner.account,
    )  # fmt: skip
    async with bank.database.writing() as connection:
        number = await set_limit(connection, new, await database_ms(connection))
        await set_budget(connection, number, amount)
    return number


async def take(worker: Worker, limit: LimitId, least: int, *others: Want, purse: PurseId = NEW) -> Any:
    want = Want(purse=purse, limit=limit, have=worker.have.get(purse, 0), least=least, want=least)
    async with worker.bank.database.writing(urgent=True) as connection:
        return await draw(connection, worker.incarnation, (want, *others))


async def make_old(bank: Bank, purse: PurseId) -> None:
    """Let the period of a purse be over."""
    async with bank.database.writing() as connection:
        await connection.execute(update(purses).where(purses.c.id == purse).values(until_ms=1, period="before"))


@pytest.mark.parametrize("callers", [20, 50])
async def test_a_budget_that_covers_k_calls_grants_k_of_many_that_make_its_purse_together(
    bank: Bank, callers: int
) -> None:
    """promises 1 and 4: the purse is made by whoever comes first."""
    owner = await bank.owner(money=1_000)
    limit = await limit_key(bank, owner, 1_000)
    answers = await asyncio.gather(*(take(Worker(bank), limit, 100) for _ in range(callers)))
    granted = [answer for answer in answers if not isinstance(answer, Refused)]
    assert len(granted) == 10
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"budget_exceeded"}
    (purse,) = {each.purse for answer in granted for each in answer}
    assert (await bank.purse(purse)).held == 1_000
    await bank.sound()


async def test_a_grant_names_the_purse_of_the_day_and_how_long_it_is_good(bank: Bank) -> None:
    limit = await limit_key(bank, await bank.owner(), 500)
    (granted,) = await take(Worker(bank), limit, 100)
    assert (granted.limit, granted.total) == (limit, 100)
    assert 0 < granted.valid_s <= 86_400
    row = (await bank.rows(purses.select().where(purses.c.id == granted.purse)))[0]
    assert (row.scope, row.unit, row.granted, row.limit_id) == ("budget", "token", 500, limit)


async def test_a_refusal_says_which_limit_and_until_when(bank: Bank) -> None:
    limit = await limit_key(bank, await bank.owner(), 99, what="requests")
    refused = await take(Worker(bank), limit, 100)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.limit, refused.balance) == ("budget_exceeded", limit, 99)
    assert refused.valid_s is not None
    assert 0 < refused.valid_s <= 86_400


async def test_a_limit_in_all_has_no_end(bank: Bank) -> None:
    limit = await limit_key(bank, await bank.owner(), 99, window="total")
    assert (await take(Worker(bank), limit, 9))[0].valid_s is None
    refused = await take(Worker(bank), limit, 100)
    assert (refused.code, refused.valid_s) == ("budget_exceeded", None)


async def test_money_and_budget_are_drawn_both_or_neither(bank: Bank) -> None:
    """promise 2"""
    owner = await bank.owner(money=1_000)
    limit = await limit_key(bank, owner, 50)
    refused = await take(Worker(bank), limit, 60, Want(purse=owner.purse, have=0, least=100, want=100))
    assert (refused.code, refused.limit) == ("budget_exceeded", limit)
    assert (await bank.purse(owner.purse)).held == 0


async def test_the_purse_of_a_period_that_is_over_is_not_drawn_from_and_the_next_is_full(bank: Bank) -> None:
    limit = await limit_key(bank, await bank.owner(), 100)
    worker = Worker(bank)
    (first,) = await take(worker, limit, 80)
    await make_old(bank, first.purse)
    worker.have[first.purse] = 80
    refused = await take(worker, limit, 90, purse=first.purse)
    assert refused == Refused(purse=first.purse, code=PERIOD_OVER, limit=limit)
    (second,) = await take(worker, limit, 80)
    assert second.purse != first.purse


async def test_a_call_is_charged_where_it_reserved_though_midnight_has_passed(bank: Bank) -> None:
    owner = await bank.owner(money=10_000)
    limit = await limit_key(bank, owner, 100)
    worker = Worker(bank)
    (first,) = await take(worker, limit, 80)
    await make_old(bank, first.purse)
    charges = ((owner.purse, 5), (owner.key_purse, 5), (first.purse, 70))
    worker.end(owner, 5, charges=charges, backs=((first.purse, 10),))
    assert (await worker.settle()).calls == 1
    purse = await bank.purse(first.purse)
    assert (purse.spent, purse.held) == (70, 0)
    await bank.sound()


async def test_an_edit_keeps_what_was_used_and_recalls_what_is_too_much(bank: Bank) -> None:
    owner = await bank.owner(money=10_000)
    limit = await limit_key(bank, owner, 100)
    worker = Worker(bank)
    (granted,) = await take(worker, limit, 80)
    worker.end(owner, 0, charges=((owner.purse, 0), (owner.key_purse, 0), (granted.purse, 30)))
    await worker.settle()
    assert (await bank.purse(granted.purse)).balance == 70
    async with bank.database.writing() as connection:
        await connection.execute(update(limits).where(limits.c.id == limit).values(amount=60))
        (bounded,) = await set_budget(connection, limit, 60)
    assert (bounded.purse, bounded.recall) == (granted.purse, True)
    purse = await bank.purse(granted.purse)
    assert (purse.granted, purse.balance, purse.over, purse.spent) == (60, 30, 0, 30)
    await limit_key(bank, owner, 20)
    purse = await bank.purse(granted.purse)
    assert (purse.balance, purse.over) == (0, 10)
    await bank.sound()


async def test_a_limit_that_is_taken_away_refuses_no_more_and_set_again_has_counted_on(bank: Bank) -> None:
    owner = await bank.owner(money=10_000)
    limit = await limit_key(bank, owner, 100)
    await take(Worker(bank), limit, 80)
    async with bank.database.writing() as connection:
        await delete_limit(connection, limit, 1)
        await set_budget(connection, limit, None)
        assert await limits_of_key(connection, owner.account, owner.key) == ()
    assert isinstance((await take(Worker(bank), limit, 500))[0], Granted)
    assert await limit_key(bank, owner, 100) == limit
    assert isinstance(await take(Worker(bank), limit, 30), Refused)
    await bank.sound()


async def test_the_books_say_where_a_purse_is_not_what_its_limit_says(bank: Bank) -> None:
    limit = await limit_key(bank, await bank.owner(), 100)
    await take(Worker(bank), limit, 80)
    async with bank.database.writing() as connection:
        await connection.execute(update(limits).where(limits.c.id == limit).values(amount=60))
    async with bank.database.reading() as connection:
        (problem,) = (await verify(connection)).problems
    assert problem.startswith("9: purse ")
    assert problem.endswith(f" of limit {limit} has 100, the limit says 60")
