"""Mixed calls over every surface, with every ending that a load brings about, against every figure that counts them."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from tests.faults.books import Books, broken_laws, quiet, read_books, unreconciled
from tests.faults.caller import call
from tests.faults.figures import publish
from tests.faults.house import House, housing
from tests.faults.load import FAILING, SMALL_EMBED, SORTS, SURFACES, Load, Pace, body_of, furnish, mark
from tests.faults.scale import SCALE

EVERY = tuple(
    replace(sort, name=f"{surface}: {sort.name}", surface=surface)
    for surface in SURFACES
    for sort in SORTS
    if sort.model != SMALL_EMBED
) + tuple(sort for sort in SORTS if sort.model == SMALL_EMBED)
CALLERS = 12
FORGED = 20


@pytest.mark.timeout(1_800)
async def test_every_counter_is_the_sum_of_the_log(tmp_path: Path, database_url: str) -> None:
    """Promises 2 and 32: over 4 workers, rows are calls, sums are balances, counters are logs, to the nano-dollar."""
    async with housing(tmp_path / "house", database=database_url, workers=4) as house:
        furnish(house)
        for username in ("one", "two"):
            house.add_account(username, "1000")
        keys = [house.add_key("one"), house.add_key("one", quota=50_000_000), house.add_key("two")]
        load = Load(house, keys, Pace(callers=CALLERS, idle_s=0.0, sorts=EVERY, most=SCALE.counted_calls), Random())
        await load.end()
        verdict = await quiet(house)
        assert verdict["ok"] is True, verdict
        assert unreconciled(house) == []
        books = await read_books(house)
        assert broken_laws(books) == []
        check_rows(load, books)
        check_counters(house, books)
    publish("counters", database_url.partition("+")[0], told(load, books))


@pytest.mark.timeout(300)
async def test_a_forged_request_id_changes_no_charge(tmp_path: Path, database_url: str) -> None:
    """Promise 18: many calls under one id of the client's, which is that of an earlier answer, are as many charges."""
    async with housing(tmp_path / "house", database=database_url) as house:
        furnish(house)
        house.add_account("one", "10")
        key = house.add_key("one")
        path, body = body_of(EVERY[0], mark(), Random(1))
        first = await call(house.port, path, body, key.headers)
        forged = dict.fromkeys(("x-request-id", "x-client-request-id", "x-oneapi-request-id"), first.request_id)
        heard = await asyncio.gather(*(call(house.port, path, body, key.headers | forged) for _ in range(FORGED)))
        assert all(each.completed for each in (first, *heard))
        assert len({each.request_id for each in (first, *heard)}) == FORGED + 1
        assert (await quiet(house))["ok"] is True
        assert unreconciled(house) == []
        books = await read_books(house)
        assert Counter(row.call_id for row in books.charged) == Counter(each.request_id for each in (first, *heard))
        assert len({row.amount for row in books.charged}) == 1
        assert sorted(row.marker for row in books.rows) == ["", *[first.request_id] * FORGED]


def check_rows(load: Load, books: Books) -> None:
    """Every call that was admitted is one row, however it ended; and there is no row that nobody called for.

    503: a call that was refused since every channel rests, as those of failing models do.
    """
    made = {each.marker: each for each in load.made}
    rows = Counter(row.marker for row in books.rows)
    assert len(made) == len(load.made) == SCALE.counted_calls
    assert set(rows) <= set(made)
    assert set(rows.values()) <= {1}
    missing = [each for marker, each in made.items() if marker not in rows and not each.heard.left]
    assert [(each.sort.name, each.heard) for each in missing if each.heard.status != 503] == []
    assert {each.sort.model for each in missing} <= set(FAILING)
    assert {each.sort.surface for each in load.made if each.heard.completed} == set(SURFACES)


def check_counters(house: House, books: Books) -> None:
    """What operators and accounts are shown is what the rows say."""
    users = {user["username"]: user for user in house.ask("user list")["items"]}
    for username in ("one", "two"):
        account = users[username]
        rows = [row for row in books.rows if row.account_id == account["id"]]
        assert account["request_count"] == len(rows)
        assert account["balance_nano"] == books.paid_in[account["id"]] - sum(row.paid for row in rows)
    figures: dict[str, Any] = house.ask("ledger verify")["figures"]
    assert figures["calls"] == len(books.rows)
    assert figures["charged"] == figures["revenue"] == sum(row.amount for row in books.rows)
    assert figures["shortfall"] == figures["held"] == 0


def told(load: Load, books: Books) -> dict[str, object]:
    return {
        "calls made": len(load.made),
        "surfaces": len(SURFACES) + 1,
        "call rows": len(books.rows),
        **{
            f"rows that were {outcome}": count
            for outcome, count in sorted(Counter(r.outcome for r in books.rows).items())
        },
        "charged (nano-dollars)": sum(row.amount for row in books.rows),
    }
