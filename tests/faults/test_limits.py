"""A limit that covers a few calls, and many more calls at once: a key's day, its tokens a minute, its calls at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tests.faults.books import broken_laws, quiet, read_books
from tests.faults.caller import Heard, call
from tests.faults.figures import publish
from tests.faults.house import House, Key, housing
from tests.faults.load import CHAT, SMALL, furnish, mark
from tests.faults.provider import read_record
from tests.faults.scale import SCALE

COVERED = 7  # calls
OUTPUT_TOKENS = 100


class Place(Struct, frozen=True):
    """A house to test in, and what to call the run."""

    house: House
    name: str


@pytest.fixture(params=SCALE.workers)
async def place(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> AsyncIterator[Place]:
    async with housing(tmp_path / "house", database=database_url, workers=request.param) as house:
        furnish(house)
        house.add_account("rich", "100")
        yield Place(house, f"{database_url.partition('+')[0]}, {request.param} workers")


async def ask(house: House, key: Key, marker: str, delay_ms: int = 50) -> Heard:
    """A call of a declared length."""
    body = {
        "model": f"{SMALL}+big-4+delay-{delay_ms}", "max_tokens": OUTPUT_TOKENS,
        "messages": [{"role": "user", "content": f"{marker} go on"}],
    }  # fmt: skip
    return await call(house.port, CHAT, body, key.headers | {"x-request-id": marker})


KINDS: dict[str, tuple[dict[str, Any], str, int]] = {
    "requests a day": ({"what": "requests", "window": "day", "amount": COVERED}, "budget_exceeded", 50),
    "money a day": ({"what": "money", "window": "day", "usd": "0.0005"}, "budget_exceeded", 50),
    "tokens a day": ({"what": "tokens", "window": "day", "amount": COVERED * 110}, "budget_exceeded", 50),
    "requests a minute": ({"what": "requests", "window": "minute", "amount": COVERED}, "rate_limit_exceeded", 50),
    "tokens a minute": ({"what": "tokens", "window": "minute", "amount": COVERED * 110}, "rate_limit_exceeded", 50),
    "calls at once": ({"what": "concurrency", "amount": COVERED}, "rate_limit_exceeded", 1_500),
}


@pytest.mark.timeout(600)
async def test_no_more_calls_go_upstream_than_a_limit_covers(place: Place) -> None:
    """Promises 1, 3 and 4: the budgets' purses are made by these calls themselves."""
    house, figures = place.house, dict[str, object]()
    for count in SCALE.parallel:
        for name, (limit, code, delay_ms) in KINDS.items():
            key = house.add_key("rich")
            house.ask("limit set", scope="key", subject=str(key.id), **limit)
            markers = [mark() for _ in range(count)]
            heard = await asyncio.gather(*(ask(house, key, marker, delay_ms) for marker in markers))
            arrived = {each.marker for each in read_record(house.record)} & set(markers)
            statuses = Counter(each.status for each in heard)
            assert set(statuses) <= {200, 429}, [each.body for each in heard if each.status not in (200, 429)]
            assert 1 <= len(arrived) == statuses[200] <= COVERED, name
            refused = [each for each in heard if each.status == 429]
            assert all(code.encode() in each.body and int(each.headers["retry-after"]) > 0 for each in refused)
            figures[f"{count} at once, {name} for {COVERED}"] = f"{statuses[200]} went through"
    assert (await quiet(house))["ok"] is True
    assert broken_laws(await read_books(house)) == []
    publish("limits", place.name, figures)
