"""Journals that someone takes away while control runs: said once, and no reason to try again and again."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.integration.control.parties import make_party, read_purse
from tests.integration.control.worker import RawJournal, new_call_id, new_incarnation
from yescale.control.settlement import Pace, Settlement
from yescale.store.database import Database

PACE = Pace(settle_s=0.01, look_s=0.005, sync_s=0.0, death_s=0.0, retry_s=0.05)


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("alarm")]


async def test_a_journal_that_is_taken_away_is_told_of_once(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "journals"
    settlement = Settlement(database, folder, "node", PACE)
    RawJournal(folder, new_incarnation())
    await settlement.catch_up()
    running = asyncio.create_task(settlement.run())
    shutil.rmtree(folder)
    folder.mkdir()
    await asyncio.sleep(0.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    (said,) = alarms(caplog)
    assert "is gone" in said
    assert await settlement.finish() == []


async def test_what_comes_into_a_folder_that_was_made_again_is_settled(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "journals"
    settlement = Settlement(database, folder, "node", PACE)
    RawJournal(folder, new_incarnation())
    await settlement.catch_up()
    shutil.rmtree(folder)
    party = await make_party(database, 1_000_000)
    journal = RawJournal(folder, new_incarnation())
    journal.end(new_call_id(), **party.end(1_000))
    await settlement.catch_up()
    assert (await read_purse(database, party.purse)).spent == 1_000


async def test_journals_that_cannot_be_read_are_tried_again_less_and_less_often(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "journals"
    folder.write_text("no folder at all")
    running = asyncio.create_task(Settlement(database, folder, "node", PACE).run())
    await asyncio.sleep(1.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert 3 <= len(alarms(caplog)) <= 6
