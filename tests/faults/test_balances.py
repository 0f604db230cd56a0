"""A balance or a key's limit that covers a few calls, and many more calls at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from msgspec import Struct

from tests.faults.books import Books, broken_laws, quiet, read_books, unreconciled
from tests.faults.caller import Heard, call
from tests.faults.figures import publish
from tests.faults.house import House, Key, housing
from tests.faults.load import CHAT, SMALL, STAYING, Load, Pace, cost_of, furnish, mark
from tests.faults.provider import read_record
from tests.faults.scale import SCALE

COVERED = 7  # calls
OUTPUT_TOKENS = 100
LIMITS = (100, 300, 100_000)  # quota of keys; a call costs about 20
NANO_PER_USD = 1_000_000_000
QUOTA_NANO = 2_000


class Place(Struct, frozen=True):
    """A house to test in, and what to call the run."""

    house: House
    name: str


@pytest.fixture(params=SCALE.workers)
async def place(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> AsyncIterator[Place]:
    async with housing(tmp_path / "house", database=database_url, workers=request.param) as house:
        furnish(house)
        yield Place(house, f"{database_url.partition('+')[0]}, {request.param} workers")


async def ask(house: House, key: Key, marker: str) -> Heard:
    """A call that always costs the same: its answer is cut at its limit."""
    body = {
        "model": f"{SMALL}+big-4+delay-50", "max_tokens": OUTPUT_TOKENS,
        "messages": [{"role": "user", "content": f"{marker} go on"}],
    }  # fmt: skip
    return await call(house.port, CHAT, body, key.headers | {"x-request-id": marker})


@pytest.mark.timeout(600)
async def test_no_more_calls_go_upstream_than_the_balance_covers(place: Place) -> None:
    """Promise 1: at most k arrive, the balance is never negative, and what is logged is what is gone."""
    house = place.house
    house.add_account("measure", "1")
    usage = (await ask(house, house.add_key("measure"), mark())).usage()
    cost = cost_of(SMALL, usage["prompt_tokens"], usage["completion_tokens"])
    assert usage["completion_tokens"] == OUTPUT_TOKENS
    figures: dict[str, object] = {}
    for count in SCALE.parallel:
        username = f"covers-{COVERED}-of-{count}"
        balance = COVERED * cost + cost // 2
        house.add_account(username, f"{balance // NANO_PER_USD}.{balance % NANO_PER_USD:09}")
        key = house.add_key(username)
        markers = [mark() for _ in range(count)]
        heard = await asyncio.gather(*(ask(house, key, marker) for marker in markers))
        arrived = {each.marker for each in read_record(house.record)} & set(markers)
        statuses = Counter(each.status for each in heard)
        assert set(statuses) <= {200, 402}, [each.body for each in heard if each.status not in (200, 402)]
        assert len(arrived) == statuses[200] <= COVERED
        more = await sequentially(house, key)
        assert 1 <= statuses[200] + more <= COVERED
        figures[f"{count} at once, {COVERED} covered"] = f"{statuses[200]} went through, then {more} one by one"
    assert (await quiet(house))["ok"] is True
    assert unreconciled(house) == []
    assert broken_laws(await read_books(house)) == []
    publish("balance", place.name, figures)


async def sequentially(house: House, key: Key) -> int:
    """How many more calls the rest of the balance pays, one after the other."""
    for count in range(COVERED + 1):
        if (heard := await ask(house, key, mark())).status != 200:
            assert heard.status == 402, heard.body
            return count
    raise AssertionError("more calls were answered than the balance covers")


@pytest.mark.timeout(600)
async def test_a_keys_limit_holds_apart_from_the_balance(place: Place) -> None:
    """Promise 2: a small key of a rich account and a free key of a poor one; the counters are the sums of the log."""
    house = place.house
    for username, usd in (("rich", "100"), ("poor", "0.001")):
        house.add_account(username, usd)
    limits = {house.add_key("rich", quota=quota): quota * QUOTA_NANO for quota in LIMITS}
    free = [house.add_key("rich"), house.add_key("poor"), house.add_key("poor")]
    pace = Pace(callers=12, idle_s=0.0, sorts=STAYING, most=SCALE.mixed_calls)
    load = Load(house, [*limits, *free], pace, Random())
    await load.end()
    assert (await quiet(house))["ok"] is True
    assert unreconciled(house) == []
    books = await read_books(house)
    assert broken_laws(books) == []
    assert {each.heard.status for each in load.made} <= {200, 401, 402}, load.outcomes()
    refused = {each.key for each in load.made if each.heard.status != 200}
    assert {key.username for key in refused} == {"rich", "poor"}
    assert refused & set(free) == {key for key in refused if key.username == "poor"}, "only limited keys are spent"
    for key, limit in limits.items():
        assert books.spent_by_key[key.id] <= limit
    assert sum(each.heard.completed for each in load.made) == len(books.charged)
    publish("key limits", place.name, told(load, books))


def told(load: Load, books: Books) -> dict[str, object]:
    statuses = Counter(f"status {each.heard.status}" for each in load.made)
    return {"calls made": len(load.made), **statuses, "charged (nano-dollars)": sum(row.amount for row in books.rows)}
