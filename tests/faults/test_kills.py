"""kill -9 of every process, at random, under a mixed load: afterwards the money is right to the last nano-dollar."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from msgspec import Struct

from tests.faults.books import Books, broken_laws, quiet, read_books, unreconciled
from tests.faults.caller import Heard, call
from tests.faults.figures import publish
from tests.faults.house import PROVIDER, SUPERVISOR, House, Key, housing, until
from tests.faults.load import SORTS, Load, Made, Pace, body_of, cost_of, furnish, mark, now, under_way
from tests.faults.provider import Served, read_record
from tests.faults.scale import SCALE, Kills

KINDS = ("worker", "control", SUPERVISOR, PROVIDER)
DRAIN_S = 10.0  # how long a call may go on in the gateway after its client left
TORN = "torn"


class Kill(Struct, frozen=True, kw_only=True):
    """One process that was killed, and how many calls were under way."""

    kind: str
    at: float
    in_flight: int


@pytest.mark.timeout(900)
async def test_the_books_are_right_whatever_is_killed(tmp_path: Path, database_url: str) -> None:
    """Promises 12 and 31: nothing is lost but what was in flight, nothing is charged twice, no money stays held."""
    rng = Random()
    async with housing(tmp_path / "house", database=database_url) as house:
        furnish(house)
        keys = open_accounts(house)
        load = Load(house, keys, Pace(callers=SCALE.kills.callers, idle_s=SCALE.kills.idle_s), rng)
        kills = await kill_at_random(house, load, SCALE.kills, rng)
        await house.ready()
        await load.stop()
        verdict = await quiet(house)
        assert verdict["ok"] is True, verdict
        assert unreconciled(house, killed=True) == []
        books = await read_books(house)
        served = read_record(house.record)
        assert broken_laws(books) == []
        gap = check_calls(load.made, kills, books, served)
        assert await house.stop() == 0
        assert (await asyncio.to_thread(house.ask, "ledger verify"))["ok"] is True
        assert broken_laws(await read_books(house)) == []
    publish("kills", database_url.partition("+")[0], figures_of(load, kills, books, served) | {"calls in the gap": gap})


@pytest.mark.timeout(300)
async def test_an_answer_that_was_heard_is_in_the_ledger(tmp_path: Path, database_url: str) -> None:
    """Promise 31: every worker dies in the very moment in which a client has the last byte of its answer."""
    heard: list[Heard] = []
    async with housing(tmp_path / "house", database=database_url) as house:
        furnish(house)
        house.add_account("someone", "10")
        key = house.add_key("someone")
        for count in range(SCALE.last_bytes):
            path, body = body_of(SORTS[count % 2], mark(), Random(count))
            workers = [child for kind, child in house.children() if kind == "worker"]
            heard.append(await call(house.port, path, body, key.headers))
            for worker in workers:
                worker.kill()
            await until(
                lambda old=workers: not any(child in old for _, child in house.children()), lambda: "not killed"
            )
            await house.ready()
        assert all(each.completed for each in heard)
        await quiet(house)
        assert unreconciled(house) == []
        books = await read_books(house)
        assert broken_laws(books) == []
        assert Counter(row.call_id for row in books.charged) == Counter(each.request_id for each in heard)
    publish("last bytes", database_url.partition("+")[0], {"answers whose worker was killed at once": len(heard)})


def open_accounts(house: House) -> list[Key]:
    """Two accounts with money enough, one that runs dry on the way; keys with a limit and without."""
    for username, usd in (("rich", "100"), ("other", "100"), ("poor", "0.01")):
        house.add_account(username, usd)
    names = ("rich", "rich", "other", "other", "poor")
    return [*(house.add_key(name) for name in names), house.add_key("other", quota=2_000)]


async def kill_at_random(house: House, load: Load, scale: Kills, rng: Random) -> list[Kill]:
    """Kill until there were enough kills and enough answers."""
    kills: list[Kill] = []
    deck: list[str] = []
    give_up = now() + scale.most_s
    while len(kills) < scale.each * len(KINDS) or load.answered < scale.answered:
        assert now() < give_up, f"too slow: {len(kills)} kills, {load.answered} answers, {load.outcomes()}"
        await asyncio.sleep(rng.uniform(*scale.between_s))
        deck = deck or rng.sample(KINDS, len(KINDS))
        before = load.in_flight
        if await asyncio.to_thread(house.kill, deck[-1]):
            kills.append(Kill(kind=deck.pop(), at=now(), in_flight=before))
            if kills[-1].kind == SUPERVISOR:
                await house.ready()
    return kills


def check_calls(made: Sequence[Made], kills: Sequence[Kill], books: Books, served: Sequence[Served]) -> int:
    """Clients, books and provider agree on every call but those under way at a kill; how many these were."""
    deadly = [kill for kill in kills if kill.kind != PROVIDER]
    struck = {each.marker for each in made if any(under_way(each, kill.at, DRAIN_S) for kill in deadly)}
    at_provider = {each.marker for each in served if each.status == 200}
    charged = {row.marker: row for row in books.charged}
    completed = {each.marker: each for each in made if each.heard.completed}

    assert completed.keys() - charged.keys() == set(), "answered, and not in the ledger"
    assert charged.keys() - at_provider == set(), "charged, and never served"
    finished = {each.marker for each in served if each.outcome == "served"}
    lost = finished - charged.keys()
    assert lost - struck == set(), "served, not charged, and no kill explains it"
    interrupted = [row for row in books.rows if row.outcome == "interrupted"]
    in_flight = sum(kill.in_flight for kill in deadly)
    drained = sum(each.heard.left and each.marker in struck for each in made)
    assert len(lost) <= in_flight + drained
    assert len(interrupted) <= in_flight + drained
    assert [reason for reason in books.quarantined if TORN not in reason] == []
    check_amounts(completed, books, served)
    return len(lost)


def check_amounts(completed: dict[str, Made], books: Books, served: Sequence[Served]) -> None:
    """Each row says what the client was told, and costs what the provider counted."""
    by_marker: dict[str, list[Served]] = {}
    for each in served:
        by_marker.setdefault(each.marker, []).append(each)
    for row in books.charged:
        if not row.estimated:
            assert row.amount in {cost_of(row.model, each.prompt, each.completion) for each in by_marker[row.marker]}
        if row.marker in completed:
            usage = completed[row.marker].heard.usage()
            assert (row.prompt, row.completion) == (usage["prompt_tokens"], usage.get("completion_tokens", 0)), row.text
            assert (row.call_id, row.outcome) == (completed[row.marker].heard.request_id, "ok")


def figures_of(load: Load, kills: Sequence[Kill], books: Books, served: Sequence[Served]) -> dict[str, object]:
    """What the table shows of a run."""
    outcomes = Counter(row.outcome for row in books.rows)
    return {
        "kills": ", ".join(f"{count} {kind}" for kind, count in Counter(kill.kind for kill in kills).items()),
        "calls made": len(load.made),
        "answered whole": load.answered,
        "call rows": len(books.rows),
        "charged rows": len(books.charged),
        "served by the provider": sum(each.status == 200 for each in served),
        "interrupted, charged 0": outcomes["interrupted"],
        "clients gone": outcomes["client_gone"],
        "upstream cut": outcomes["upstream_cut"],
        "torn lines": len(books.quarantined),
        "charged (nano-dollars)": sum(row.amount for row in books.rows),
        "shortfall": books.over,
        "held at the end": books.held,
    }
