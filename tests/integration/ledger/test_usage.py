"""Roll-ups are the sums of the call rows: after mixed traffic, deaths, refunds and a migration, on both databases."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.integration.ledger.parties import Bank, Owner, Worker
from yescale.domain.ids import CallId, ChannelId, ModelName
from yescale.domain.journal import OpenCall
from yescale.domain.usage import Meter
from yescale.ledger.entries import refund
from yescale.ledger.incarnations import close_incarnation
from yescale.ledger.journal_file import read_journal
from yescale.ledger.settlement import Batch, Overtaken, offsets, settle
from yescale.ledger.verify import verify
from yescale.store.calls import CALL_COLUMNS, CallRow
from yescale.store.migrations import downgrade, migrate
from yescale.store.tables import rollups, tag_rollups
from yescale.store.usage import METERS, UsageFilter, usage_by

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000
FIGURES = ("calls", "failed", "amount", "paid", "refunded")
OUTCOMES = ("ok", "ok", "ok", "client_gone", "upstream_cut", "upstream_error", "refused")


async def kept(bank: Bank) -> dict[tuple[Any, ...], dict[str, int]]:
    """The roll-ups: place → figures that are not zero."""
    rows = await bank.rows(select(rollups))
    place = ("account_id", "hour", "key_id", "model", "group", "channel_id")
    return {
        tuple(row._mapping[name] for name in place): {
            name: row._mapping[name] for name in (*FIGURES, *METERS) if row._mapping[name]
        }
        for row in rows
    }


async def summed(bank: Bank) -> dict[tuple[Any, ...], dict[str, int]]:
    """The same from the call rows, one by one."""
    found: dict[tuple[Any, ...], Counter[str]] = {}
    for call in await call_rows(bank):
        place = (call.account_id, call.at_ms // HOUR_MS, call.key_id, call.model, call.group, call.channel_id)
        figures = found.setdefault(place, Counter())
        _count(figures, call)
        figures.update({meter.value: count for meter, count in call.explained.usage.items()})
    return {place: {name: count for name, count in figures.items() if count} for place, figures in found.items()}


async def kept_by_tag(bank: Bank) -> dict[tuple[Any, ...], dict[str, int]]:
    names = (*FIGURES, "prompt_tokens", "completion_tokens")
    return {
        (row.account_id, row.name, row.hour, row.value): {
            name: row._mapping[name] for name in names if row._mapping[name]
        }
        for row in await bank.rows(select(tag_rollups))
    }


async def summed_by_tag(bank: Bank) -> dict[tuple[Any, ...], dict[str, int]]:
    found: dict[tuple[Any, ...], Counter[str]] = {}
    for call in await call_rows(bank):
        for name, value in call.explained.tags.items():
            figures = found.setdefault((call.account_id, name, call.at_ms // HOUR_MS, value), Counter())
            _count(figures, call)
            figures.update(prompt_tokens=call.prompt_tokens, completion_tokens=call.completion_tokens)
    return {place: {name: count for name, count in figures.items() if count} for place, figures in found.items()}


def _count(figures: Counter[str], call: CallRow) -> None:
    figures.update(calls=1, failed=call.type == 5, amount=call.amount, paid=call.paid, refunded=call.refunded)


async def call_rows(bank: Bank) -> list[CallRow]:
    return [CallRow(**row._mapping) for row in await bank.rows(select(*CALL_COLUMNS))]


async def in_step(bank: Bank) -> None:
    assert await kept(bank) == await summed(bank)
    assert await kept_by_tag(bank) == await summed_by_tag(bank)
    await bank.sound()


def write_mixed(rng: random.Random, worker: Worker, owners: Sequence[Owner], count: int) -> None:
    """Calls of all kinds: models, groups, channels, hours, endings, meters, tags."""
    for _ in range(count):
        outcome = rng.choice(OUTCOMES)
        worker.end(
            rng.choice(owners),
            0 if outcome in {"upstream_error", "refused"} else rng.choice((0, 1, 700, 90_000)),
            at_ms=START_MS + rng.randrange(5 * HOUR_MS),
            model=ModelName(rng.choice(("gpt-4o", "o1", "claude-3", "gémini"))),
            group=rng.choice(("default", "vip")),
            channel=ChannelId(rng.randrange(4)),
            outcome=outcome,
            usage={meter: rng.randrange(9_000) for meter in rng.sample(METERS, rng.randrange(4))},
            tags=tuple((name, rng.choice("ab")) for name in rng.sample(("feature", "plan", "user"), rng.randrange(3))),
        )


async def test_rollups_are_the_sums_of_thousands_of_mixed_calls(bank: Bank) -> None:
    """promises 2, 31, 32: four workers' journals settled at once, by readers that overtake each other."""
    rng = random.Random(7)
    owners = [await bank.owner(money=rng.choice((0, 500, 10**12))) for _ in range(6)]
    workers = [Worker(bank) for _ in range(4)]
    for worker in workers:
        write_mixed(rng, worker, owners, 600)

    async def read(worker: Worker, seed: int) -> None:
        chance = random.Random(seed)
        while True:
            with contextlib.suppress(Overtaken):
                if (await worker.settle(chance.randint(1, 90))).calls == 0:
                    return

    await asyncio.gather(*(read(worker, seed) for worker in workers for seed in range(2)))
    assert (await bank.sound())["calls"] == 2_400
    await in_step(bank)


async def test_a_settlement_that_dies_before_its_commit_leaves_nothing_behind(bank: Bank) -> None:
    """promise 12"""
    owner = await bank.owner(money=10**9)
    worker = Worker(bank)
    write_mixed(random.Random(3), worker, [owner], 300)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await _settle_and_die(worker)
        await in_step(bank)
        assert (await worker.settle(100)).calls == 100
    await in_step(bank)
    assert sum(figures["calls"] for figures in (await kept(bank)).values()) == 300


async def _settle_and_die(worker: Worker) -> None:
    async with worker.bank.database.reading() as connection:
        start = (await offsets(connection, worker.incarnation)).get(1, 0)
    reading = read_journal(worker.data[start:], start, 50)
    batch = Batch(incarnation=worker.incarnation, file=1, start=start, end=reading.end, records=tuple(reading.records))
    async with worker.bank.database.writing() as connection:
        assert (await settle(connection, batch)).calls == 50
        raise ZeroDivisionError


async def test_refunds_are_counted_where_their_calls_are(bank: Bank) -> None:
    owner = await bank.owner(money=10**9)
    worker = Worker(bank)
    for number in range(20):
        worker.end(owner, 100, at_ms=START_MS + number * HOUR_MS // 4, tags=(("feature", "chat"),))
    await worker.settle()
    named = [call.call_id for call in await call_rows(bank)]

    async def give(call: CallId, outside_id: str) -> None:
        async with bank.database.writing() as connection:
            await refund(connection, call, 30, outside_id=outside_id)

    await asyncio.gather(*(give(call, f"{call} {n % 2}") for call in named[::2] for n in range(4)))
    await in_step(bank)
    assert sum(figures.get("refunded", 0) for figures in (await kept(bank)).values()) == 10 * 2 * 30


async def test_interrupted_calls_are_counted_as_failed(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    opens = [
        OpenCall(
            id=CallId(f"open{n}"),
            at_ms=START_MS,
            key=owner.key,
            account=owner.account,
            model=ModelName("o1"),
            channel=ChannelId(2),
            reserved=5,
            tags=(("feature", "chat"),),
        )
        for n in range(3)
    ]
    async with bank.database.writing() as connection:
        await close_incarnation(connection, worker.incarnation, opens, {})
    (figures,) = (await kept(bank)).values()
    assert figures == {"calls": 3, "failed": 3}
    assert list((await kept_by_tag(bank)).values()) == [{"calls": 3, "failed": 3}]
    await in_step(bank)


async def test_a_drift_of_the_rollups_is_found(bank: Bank) -> None:
    owner = await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 10)
    await worker.settle()
    async with bank.database.writing() as connection:
        await connection.execute(update(rollups).values(paid=9))
    async with bank.database.reading() as connection:
        (problem,) = (await verify(connection)).problems
    assert problem.startswith(f"9: account {owner.account} has 0 calls more than its roll-ups say, 0 more in amount, 1")


async def test_calls_that_were_there_before_the_rollups_are_summed_up(bank: Bank, database_url: str) -> None:
    owners = [await bank.owner(money=10**9) for _ in range(3)]
    worker = Worker(bank)
    write_mixed(random.Random(5), worker, owners, 400)
    await worker.settle(1_000)
    before = await kept(bank), await kept_by_tag(bank)
    await downgrade(database_url, "0003")
    await migrate(database_url)
    assert (await kept(bank), await kept_by_tag(bank)) == before
    await in_step(bank)


async def test_usage_is_summed_by_any_headings_and_filters(bank: Bank) -> None:
    owner, other = await bank.owner(money=1_000), await bank.owner(money=1_000)
    worker = Worker(bank)
    day = START_MS // (24 * HOUR_MS)
    for at_ms, model, who in (
        (day * 24 * HOUR_MS, "a1", owner),
        (day * 24 * HOUR_MS + HOUR_MS, "a2", owner),
        ((day + 1) * 24 * HOUR_MS, "a1", owner),
        (day * 24 * HOUR_MS, "a1", other),
    ):
        usage = {Meter.INPUT_TOKENS: 3, Meter.CACHE_READ_TOKENS: 4, Meter.OUTPUT_TOKENS: 5}
        worker.end(who, 5, at_ms=at_ms, model=ModelName(model), usage=usage, tags=(("plan", model),))
    await worker.settle()

    async def ask(*by: str, **more: Any) -> list[tuple[Any, ...]]:
        wanted = UsageFilter(by=by, first_hour=0, last_hour=10**9, **more)
        async with bank.database.reading() as connection:
            rows, _ = await usage_by(connection, wanted)
        assert all((row.prompt_tokens, row.completion_tokens) == (7 * row.calls, 5 * row.calls) for row in rows)
        return [(*row.headings, row.calls, row.amount) for row in rows]

    own = {"account": owner.account}
    assert await ask("day", **own) == [(day, 2, 10), (day + 1, 1, 5)]
    assert await ask("model", "day", **own) == [("a1", day, 1, 5), ("a1", day + 1, 1, 5), ("a2", day, 1, 5)]
    assert await ask("key", model="a*") == [(owner.key, 3, 15), (other.key, 1, 5)]
    assert await ask("account", model="a2") == [(owner.account, 1, 5)]
    assert await ask("tag", tag_name="plan", **own) == [("a1", 2, 10), ("a2", 1, 5)]
    assert await ask("day", tag_name="plan", tag_value="a1", **own) == [(day, 1, 5), (day + 1, 1, 5)]
    assert await ask("model", limit=1, skip=1, **own) == [("a2", 1, 5)]
