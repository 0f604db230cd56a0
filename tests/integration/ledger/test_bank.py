"""Draws: a balance that covers k calls lets k through, over any number of workers."""

import asyncio

import pytest

from tests.integration.ledger.parties import Bank, Worker
from yescale.domain.ids import PurseId
from yescale.domain.link import Granted, Refused


@pytest.mark.parametrize("callers", [20, 50])
async def test_a_balance_that_covers_k_calls_grants_k_of_many_at_once(bank: Bank, callers: int) -> None:
    """promise 1"""
    owner = await bank.owner(money=1_000)
    workers = [Worker(bank) for _ in range(callers)]
    answers = await asyncio.gather(*(worker.draw((owner.purse, 100, 100)) for worker in workers))
    granted = [answer for answer in answers if not isinstance(answer, Refused)]
    assert len(granted) == 10
    purse = await bank.purse(owner.purse)
    assert (purse.balance, purse.held) == (1_000, 1_000)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert {(answer.code, answer.purse) for answer in refused} == {("insufficient_balance", owner.purse)}
    await bank.sound()


async def test_a_lost_answer_asked_again_holds_nothing_twice(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    await worker.draw((owner.purse, 100, 100))
    worker.have.clear()  # the answer never came
    assert await worker.draw((owner.purse, 100, 100)) == (Granted(purse=owner.purse, total=100),)
    assert (await bank.purse(owner.purse)).held == 100
    await bank.sound()


async def test_a_draw_takes_ahead_at_most_an_eighth_of_what_is_free(bank: Bank) -> None:
    owner = await bank.owner(money=8_000)
    assert await Worker(bank).draw((owner.purse, 10, 5_000)) == (Granted(purse=owner.purse, total=1_000),)
    assert await Worker(bank).draw((owner.purse, 10, 50)) == (Granted(purse=owner.purse, total=50),)
    assert await Worker(bank).draw((owner.purse, 6_000, 9_000)) == (Granted(purse=owner.purse, total=6_000),)
    await bank.sound()


async def test_a_draw_of_two_purses_takes_from_both_or_from_neither(bank: Bank) -> None:
    """promise 2"""
    owner = await bank.owner(money=1_000_000, limit=150)
    worker = Worker(bank)
    refused = await worker.draw((owner.purse, 500, 500), (owner.key_purse, 500, 500))
    assert refused == Refused(purse=owner.key_purse, code="insufficient_balance", balance=150, held=0)
    assert (await bank.purse(owner.purse)).held == 0
    assert not isinstance(await worker.draw((owner.purse, 150, 150), (owner.key_purse, 150, 150)), Refused)
    await bank.sound()


async def test_a_rich_key_does_not_overdraw_a_poor_account(bank: Bank) -> None:
    """promise 2"""
    owner = await bank.owner(money=100, limit=1_000_000)
    refused = await Worker(bank).draw((owner.purse, 200, 200), (owner.key_purse, 200, 200))
    assert isinstance(refused, Refused)
    assert (refused.purse, refused.code) == (owner.purse, "insufficient_balance")


async def test_only_an_empty_key_is_called_exhausted(bank: Bank) -> None:
    owner = await bank.owner(money=1_000, limit=0)
    refused = await Worker(bank).draw((owner.purse, 10, 10), (owner.key_purse, 10, 10))
    assert refused == Refused(purse=owner.key_purse, code="key_exhausted", balance=0, held=0)


async def test_many_draws_of_many_purses_never_wait_for_each_other_in_a_circle(bank: Bank) -> None:
    """promise 32"""
    owners = [await bank.owner(money=10_000, limit=5_000) for _ in range(3)]
    purses = [purse for owner in owners for purse in (owner.purse, owner.key_purse)]
    workers = [Worker(bank) for _ in range(40)]
    wants = [tuple((purse, 20, 20) for purse in (purses[i % 6 :] + purses[: i % 6])) for i in range(40)]
    answers = await asyncio.gather(*(worker.draw(*want) for worker, want in zip(workers, wants, strict=True)))
    assert not [answer for answer in answers if isinstance(answer, Refused)]
    assert (await bank.sound())["held"] == 40 * 20 * 6


async def test_what_a_worker_was_granted_is_believed_by_a_database_that_went_back(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.have[owner.purse] = 700  # granted before the backup was restored
    assert isinstance(await worker.draw((owner.purse, 1_100, 1_100)), Refused)
    assert (await bank.purse(owner.purse)).held == 700
    assert isinstance(await Worker(bank).draw((owner.purse, 301, 301)), Refused)
    assert not isinstance(await Worker(bank).draw((owner.purse, 300, 300)), Refused)
    await bank.sound()


async def test_an_unknown_purse_is_an_invalid_key(bank: Bank) -> None:
    refused = await Worker(bank).draw((PurseId(4711), 1, 1))
    assert refused == Refused(purse=PurseId(4711), code="invalid_api_key")


async def test_an_unlimited_key_is_never_refused(bank: Bank) -> None:
    owner = await bank.owner(money=1_000, limit=None)
    assert not isinstance(await Worker(bank).draw((owner.purse, 10, 10), (owner.key_purse, 10, 10)), Refused)
