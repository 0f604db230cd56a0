"""The ledger against a provider's record: what agrees is silent, every difference is named with its amounts."""

from typing import Any

from sqlalchemy import update

from tests.integration.ledger.parties import Bank, Owner, Worker
from yescale.domain.usage import Meter
from yescale.ledger.reconcile import SHOWN, Reconciliation, Scope, reconcile
from yescale.ledger.statement import Served
from yescale.store.tables import calls

AT = 1_700_000_000_000
ANY = Scope(since_ms=0, until_ms=AT * 2)


def used(prompt: int, completion: int) -> dict[Meter, int]:
    return {Meter.INPUT_TOKENS: prompt, Meter.CACHE_READ_TOKENS: 1, Meter.OUTPUT_TOKENS: completion}


def line(call_id: str, prompt: int, completion: int, **more: Any) -> Served:
    return Served(id=call_id, model="gpt-4o", prompt=prompt + 1, completion=completion, start_ms=AT, **more)


async def charge(bank: Bank, *lines: tuple[str, int, int, dict[str, Any]]) -> Owner:
    owner = await bank.owner(money=1_000_000)
    worker = Worker(bank)
    for call_id, prompt, completion, more in lines:
        worker.end(owner, prompt + completion, **({"id": call_id, "usage": used(prompt, completion)} | more))
    await worker.settle()
    return owner


async def compare(bank: Bank, *lines: Served, scope: Scope = ANY) -> Reconciliation:
    async with bank.database.reading() as connection:
        return await reconcile(connection, lines, scope)


async def test_what_agrees_is_silent(bank: Bank) -> None:
    await charge(bank, ("a", 10, 5, {}), ("b", 20, 0, {}))
    found = await compare(bank, line("a", 10, 5, cost=9), line("b", 20, 0), line("b", 20, 0))
    assert found.ok
    assert (found.served_not_charged, found.charged_not_served, found.usage_differs, found.estimated) == ((),) * 4
    assert found.figures["served_requests"] == 3
    assert (found.figures["served_again"], found.figures["charged_requests"], found.figures["charged"]) == (1, 2, 35)
    assert found.figures["served_cost"] == 9


async def test_each_difference_is_named_with_its_amounts(bank: Bank) -> None:
    await charge(
        bank,
        ("differs", 10, 5, {}),
        ("estimated", 10, 5, {"estimated": True}),
        ("unserved", 7, 7, {}),
        ("interrupted", 0, 0, {"outcome": "interrupted", "usage": {}}),
    )
    found = await compare(
        bank, line("differs", 10, 6), line("estimated", 1, 1), line("interrupted", 3, 3), line("unknown", 4, 4, cost=2)
    )
    assert not found.ok
    (differs,), (estimated,), (unserved,) = found.usage_differs, found.estimated, found.charged_not_served
    assert (differs.request_id, differs.served, differs.charged, differs.amount) == ("differs", (11, 6), (11, 5), 15)
    assert (estimated.request_id, estimated.served) == ("estimated", (2, 1))
    assert (unserved.request_id, unserved.charged, unserved.amount) == ("unserved", (8, 7), 14)
    told = {each.request_id: (each.outcome, each.cost) for each in found.served_not_charged}
    assert told == {"interrupted": ("interrupted", None), "unknown": ("", 2)}
    assert {name: found.figures[name] for name in ("served_not_charged", "usage_differs", "estimated")} == {
        "served_not_charged": 2,
        "usage_differs": 1,
        "estimated": 1,
    }


async def test_all_differences_are_counted_and_the_first_are_spelled_out(bank: Bank) -> None:
    lines = [line(f"unknown-{number}", 1, 1) for number in range(SHOWN + 5)]
    found = await compare(bank, *lines)
    assert found.figures["served_not_charged"] == SHOWN + 5
    assert [each.request_id for each in found.served_not_charged] == [each.id for each in lines[:SHOWN]]


async def test_an_estimate_that_differs_is_no_difference(bank: Bank) -> None:
    await charge(bank, ("a", 10, 5, {"estimated": True}))
    found = await compare(bank, line("a", 1, 1))
    assert found.ok
    assert len(found.estimated) == 1


async def test_calls_of_other_channels_and_times_are_not_missed(bank: Bank) -> None:
    await charge(bank, ("a", 10, 5, {}), ("other", 1, 1, {"channel": 2}), ("later", 1, 1, {"at_ms": AT + 90_000}))
    alone = Scope(channel=1, since_ms=AT, until_ms=AT + 60_000)
    assert (await compare(bank, line("a", 10, 5), scope=alone)).ok
    found = await compare(bank, line("a", 10, 5))
    assert {each.request_id for each in found.charged_not_served} == {"other", "later"}
    own_time = await compare(bank, line("a", 10, 5), scope=Scope(channel=1))
    assert own_time.ok, "without a time of its own, the comparison keeps to the record's"


async def test_sums_by_model_are_compared_under_the_names_that_callers_use(bank: Bank) -> None:
    await charge(
        bank,
        ("a", 10, 5, {}),
        ("b", 20, 5, {}),
        ("c", 7, 7, {"upstream_model": "claude-x"}),
        ("d", 1, 1, {"upstream_model": "never-billed"}),
    )
    sums = [
        Served(model="gpt-4o-2024-08-06", requests=2, prompt=32, completion=10, start_ms=AT - 1_000, end_ms=AT + 9_000),
        Served(model="claude-x-20250805", prompt=9, completion=7, start_ms=AT - 1_000, end_ms=AT + 9_000),
        Served(model="never-called", prompt=1, completion=1, start_ms=AT - 1_000, end_ms=AT + 9_000),
    ]
    found = await compare(bank, *sums)
    assert [(each.model, each.served, each.charged) for each in found.usage_differs] == [("claude-x", (9, 7), (8, 7))]
    assert [each.model for each in found.served_not_charged] == ["never-called"]
    assert [each.model for each in found.charged_not_served] == ["never-billed"]
    async with bank.database.writing() as connection:
        await connection.execute(update(calls).values(estimated=True))
    assert [each.model for each in (await compare(bank, *sums)).estimated] == ["claude-x"]
