"""The catalogue tells the truth: what it shows of a model is counted from calls, or follows what is set."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.control.house import House, enter_house
from tests.integration.control.test_system_api import Calls
from yescale.control.figures import NO_FIGURES
from yescale.control.statistics import Statistics
from yescale.domain.ids import ChannelId
from yescale.store import statistics
from yescale.store.database import Database
from yescale.store.statistics import Hour
from yescale.store.tables import calls
from yescale.tuning import MarketSettings, StatisticsSettings

HOUR_MS = 3_600_000
WEEK = StatisticsSettings()
ONE, TWO = ChannelId(1), ChannelId(2)
_numbers = itertools.count(1)


def row(model: str = "m", outcome: str = "ok", *, at_ms: int | None = None, **fields: Any) -> dict[str, Any]:
    """A call row as settlement writes it."""
    number = next(_numbers)
    said = {"total_ms": 1_000, "first_ms": -1, "completion_tokens": 0, "channel_id": 1, "status": 200} | fields
    return {
        "call_id": f"call-{number}", "type": 2, "at_ms": now_ms() if at_ms is None else at_ms, "account_id": 1,
        "username": "ann", "key_id": 1, "key_name": "k", "group": "default", "model": model, "upstream_model": model,
        "outcome": outcome, "stream": False, "estimated": False, "prompt_tokens": 1, "amount": 0, "paid": 0, "ip": "",
        "error": "", "details": "{}", **said,
    }  # fmt: skip


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def log(database: Database, *rows: dict[str, Any]) -> None:
    async with database.writing() as connection:
        await connection.execute(calls.insert(), list(rows))


async def settled(found: Statistics) -> Statistics:
    """After two looks: a row is counted at the second that sees it."""
    await found.look()
    await found.look()
    return found


async def hours(database: Database) -> dict[tuple[str, int], int]:
    async with database.reading() as connection:
        return {(hour.model, hour.hour): hour.calls for hour in await statistics.hours_since(connection, 0)}


async def test_an_empty_log_has_no_figures(database: Database) -> None:
    found = await settled(Statistics(database, WEEK))
    assert found.figures("m") == NO_FIGURES


async def test_calls_are_counted_once_and_show_at_the_next_look(database: Database) -> None:
    found = Statistics(database, WEEK)
    await found.look()
    await log(database, row(total_ms=2_000, completion_tokens=100), row(outcome="deadline", status=504))
    await found.look()
    assert found.figures("m") == NO_FIGURES, "a row with a smaller id may still come"
    await found.look()
    first = found.figures("m")
    assert (first.quality, first.throughput) == (50.0, 50.0)
    assert first.normal == pytest.approx(2, rel=0.1)
    await settled(found)
    assert sum((await hours(database)).values()) == 2
    await log(database, row(), row())
    assert (await settled(found)).figures("m").quality == 75.0


async def test_several_controls_count_each_row_once(database: Database) -> None:
    several = [Statistics(database, WEEK) for _ in range(4)]
    await asyncio.gather(*(each.look() for each in several))
    for _ in range(5):
        await log(database, *[row(model) for model in ("a", "b", "b")])
        await asyncio.gather(*(each.look() for each in several))
    await asyncio.gather(*(each.look() for each in several))
    counted: dict[str, int] = {}
    for (model, _), number in (await hours(database)).items():
        counted[model] = counted.get(model, 0) + number
    assert counted == {"a": 5, "b": 10}


async def test_what_is_older_than_the_days_counts_no_more(database: Database) -> None:
    """Promise 36: what is kept is bounded, and a first count of a long log begins where it matters."""
    old, recent = now_ms() - 8 * 24 * HOUR_MS, now_ms() - 6 * 24 * HOUR_MS
    await log(database, row("old", at_ms=old), row("recent", at_ms=recent))
    async with database.writing() as connection:
        await statistics.begin_counting(connection, now_ms() - 7 * 24 * HOUR_MS)
        await statistics.add_hours(connection, [Hour(model="ancient", hour=old // HOUR_MS, calls=1, good=1)])
    found = await settled(Statistics(database, WEEK))
    assert found.figures("old") == found.figures("ancient") == NO_FIGURES
    assert found.figures("recent").quality == 100.0
    assert {model for model, _ in await hours(database)} == {"recent"}


async def test_of_a_flood_the_newest_rows_are_counted(database: Database) -> None:
    """Promise 36: one look does a bounded amount of work, whatever has come."""
    found = Statistics(database, WEEK)
    await found.look()
    flood = [row("flood", "deadline", status=504) for _ in range(5_000)]
    await log(database, *flood)
    await log(database, *[row("flood") for _ in range(10_000)])
    await settled(found)
    assert sum((await hours(database)).values()) == 10_000
    assert found.figures("flood").quality == 100.0


async def test_a_channel_that_fails_all_it_is_asked_rests(database: Database) -> None:
    """Also where another channel answered in its place: the attempts of a call say so."""
    details = '{"attempts":[{"channel":1,"status":500},{"channel":2,"status":200}]}'
    await log(database, *[row(details=details) for _ in range(3)])
    found = await settled(Statistics(database, WEEK))
    assert (found.rests(ONE), found.rests(TWO)) == (True, False)
    await log(database, row(details='{"attempts":[{"channel":1,"status":200}]}'))
    assert not (await settled(found)).rests(ONE)


async def test_what_failed_long_ago_says_nothing_of_a_channel(database: Database) -> None:
    details = '{"attempts":[{"channel":1,"status":500}]}'
    await log(database, *[row(at_ms=now_ms() - 600_000, details=details) for _ in range(3)])
    assert not (await settled(Statistics(database, WEEK))).rests(ONE)


# --- as the System API shows it


@pytest.fixture
async def quick(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """Control that counts all the time, where a dollar is dear."""
    async with enter_house(
        tmp_path,
        database_url,
        statistics=StatisticsSettings(every_s=0.05),
        market=MarketSettings(vnd_per_credit=10_000, vnd_per_usd=25_000),
    ) as house:
        yield house


async def shown(house: House, model: str) -> dict[str, Any]:
    rows = {each["model_name"]: each for each in (await house.get("models")).json()["data"]}
    return rows[model]


async def shown_soon(house: House, model: str, **wanted: Any) -> dict[str, Any]:
    """The model, as soon as it is shown so."""
    async with asyncio.timeout(20):
        while True:
            found = await shown(house, model)
            if {name: found[name] for name in wanted} == wanted:
                return found
            await asyncio.sleep(0.05)


FIGURES = ("quality_api", "avg_time_low", "avg_time_normal", "avg_time_high", "throughput")


async def test_the_catalogue_shows_what_the_calls_of_the_last_days_were_like(quick: House) -> None:
    assert {name: (await shown(quick, "gpt-4o"))[name] for name in FIGURES} == {
        "quality_api": 0, "avg_time_low": 0, "avg_time_normal": 0, "avg_time_high": 0, "throughput": None,
    }  # fmt: skip
    written = await Calls.begin(quick)
    priced = [("output_tokens", 100, 10**6, 10**9)]
    timed = {"first_ms": 500, "total_ms": 2_500}
    for outcome, status in (("ok", 200), ("ok", 200), ("ok", 200), ("upstream_cut", 200)):
        written.end("gpt-4o", 10**6, priced, outcome=outcome, status=status, channel=1, stream=True, **timed)
    row = await shown_soon(quick, "gpt-4o", quality_api=75.0)
    assert row["throughput"] == 50.0
    assert row["avg_time_low"] == row["avg_time_normal"] == row["avg_time_high"] == pytest.approx(2.5, rel=0.1)
    assert (await shown(quick, "gpt-4o-mini"))["throughput"] is None


async def test_uptime_follows_the_channels_that_serve_a_model(quick: House) -> None:
    channels = await quick.operate("channel list")
    serving = [channel for channel in channels if "gpt-4o" in channel["models"]]
    assert (await shown(quick, "gpt-4o"))["uptime"] == 1
    for channel in serving:
        await quick.operate("channel disable", id=channel["id"])
    assert (await shown(quick, "gpt-4o"))["uptime"] == 0
    await quick.operate("channel enable", id=serving[0]["id"])
    assert (await shown(quick, "gpt-4o"))["uptime"] == 1
    written = await Calls.begin(quick)
    failed = [{"channel": serving[0]["id"], "status": 500}]
    for _ in range(3):
        written.end("gpt-4o", 10**6, [], outcome="upstream_error", status=502, attempts=failed)
    await shown_soon(quick, "gpt-4o", uptime=0)
    written.end("gpt-4o", 10**6, [], attempts=[{"channel": serving[0]["id"], "status": 200}])
    await shown_soon(quick, "gpt-4o", uptime=1)


async def test_a_model_under_maintenance_is_not_up(quick: House) -> None:
    await quick.operate("model pause", name="gpt-4o")
    await quick.operate("model add", name="gpt-4o", operations=["chat"])
    assert (await shown(quick, "gpt-4o"))["uptime"] == 0
    await quick.operate("model resume", name="gpt-4o")
    assert (await shown(quick, "gpt-4o"))["uptime"] == 1


async def test_savings_follow_prices_ratios_and_the_market(quick: House) -> None:
    image = await shown(quick, "imagen4-fast")  # official $0.02, here $0.04
    assert (image["price_per_request"], image["group_ratio"]) == ("0.04 ~ 500 VND", 1.25)
    assert image["saving"] == 0.0  # 0.02 x 25,000 against 0.04 x 1.25 x 10,000
    await quick.operate("group set", name="drawing", ratio="1")
    image = await shown(quick, "imagen4-fast")
    assert (image["price_per_request"], image["group_ratio"], image["saving"]) == ("0.04 ~ 400 VND", 1, 20.0)
    await quick.operate("price set", model="imagen4-fast", request="0.02")
    image = await shown(quick, "imagen4-fast")
    assert (image["price_per_request"], image["saving"]) == ("0.02 ~ 200 VND", 60.0)
    assert image["saving_details"] == "- Official price: 500 VND\n- YEScale price: 200 VND\n- Saving: 60.00%"
