"""Redemption codes: each becomes money of one account once, however many try at once."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from tests.integration.ledger.parties import Bank
from yescale.control.secrets import hash_code, new_code
from yescale.domain.ids import AccountId
from yescale.ledger.codes import CodeUsed, NoSuchCode, Redeemed, redeem
from yescale.store.codes import NewCode, insert_codes, take_try, void_codes
from yescale.store.database import database_ms
from yescale.store.tables import codes, entries

PEPPER = b"p" * 32
AT_ONCE = 50


async def make(bank: Bank, amount: int, expires_ms: int | None = None) -> bytes:
    hashed = hash_code(PEPPER, new_code())
    assert hashed is not None
    async with bank.database.writing() as connection:
        row = NewCode(hash=hashed, masked="YS-*", batch="b", amount=amount, expires_ms=expires_ms, created_ms=1)
        await insert_codes(connection, [row])
    return hashed


async def take(bank: Bank, code: bytes, account: AccountId) -> Redeemed:
    async with bank.database.writing() as connection:
        return await redeem(connection, code, account)


async def test_of_fifty_accounts_at_once_one_gets_the_code(bank: Bank) -> None:
    """promise 1"""
    code = await make(bank, 700)
    owners = [await bank.owner() for _ in range(AT_ONCE)]
    outcomes = await asyncio.gather(*(take(bank, code, owner.account) for owner in owners), return_exceptions=True)
    assert sum(isinstance(outcome, Redeemed) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, CodeUsed) for outcome in outcomes) == AT_ONCE - 1
    assert await bank.rows(select(func.count()).select_from(entries)) == [(1,)]
    assert (await bank.sound())["balance"] == 700


async def test_fifty_requests_of_one_account_at_once_enter_one_amount_and_hear_the_same(bank: Bank) -> None:
    code, owner = await make(bank, 700), await bank.owner()
    outcomes = await asyncio.gather(*(take(bank, code, owner.account) for _ in range(AT_ONCE)))
    assert sorted(outcome.entered.repeated for outcome in outcomes) == [False] + [True] * (AT_ONCE - 1)
    assert len({outcome.entered.id for outcome in outcomes}) == 1
    assert len({outcome.code.id for outcome in outcomes}) == 1
    assert (await bank.sound())["balance"] == 700


async def test_a_code_that_is_unknown_void_or_over_gives_nothing(bank: Bank) -> None:
    owner = await bank.owner()
    async with bank.database.reading() as connection:
        now_ms = await database_ms(connection)
    expired, voided = await make(bank, 5, now_ms - 1), await make(bank, 5)
    async with bank.database.writing() as connection:
        assert await void_codes(connection, now_ms, batch="b") == 2
        await connection.execute(update(codes).where(codes.c.hash == expired).values(voided_ms=None))
    for code, refused in ((expired, CodeUsed), (voided, CodeUsed), (b"x" * 32, NoSuchCode)):
        with pytest.raises(refused):
            await take(bank, code, owner.account)
    good = await make(bank, 5, now_ms + 60_000)
    assert (await take(bank, good, owner.account)).entered.balance == 5
    assert (await bank.sound())["balance"] == 5


async def test_tries_are_counted_within_their_window(bank: Bank) -> None:
    async def once(now_ms: int) -> tuple[int, int]:
        async with bank.database.writing() as connection:
            return await take_try(connection, AccountId(7), now_ms, window_ms=100)

    assert [await once(now) for now in (1_000, 1_050, 1_100, 1_101)] == [(1, 1_000), (2, 1_000), (1, 1_100), (2, 1_100)]
    counts = await asyncio.gather(*(once(1_110) for _ in range(20)))
    assert sorted(tries for tries, _ in counts) == list(range(3, 23))
