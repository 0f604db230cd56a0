"""Journals that a test writes byte by byte become books: once, in order, whoever dies when."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.control.parties import check_books, make_party, read_purse, read_rows
from tests.integration.control.worker import RawJournal, end_fields, line_of, new_call_id, new_incarnation
from yescale.control.settlement import Pace, Settlement
from yescale.domain.ids import Incarnation, PurseId
from yescale.domain.link import Want
from yescale.ledger.bank import draw
from yescale.store.database import Database
from yescale.store.tables import calls, incarnations, logs, quarantine

USD = 1_000_000_000
QUICK = Pace(settle_s=0.01, death_s=0.0, retry_s=0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "journals").mkdir()
    return tmp_path / "journals"


@pytest.fixture
def settlement(database: Database, folder: Path) -> Settlement:
    return Settlement(database, folder, "node", QUICK)


async def lend(database: Database, incarnation: str, *purses: int, amount: int) -> None:
    async with database.writing() as connection:
        wants = [Want(purse=PurseId(p), have=0, least=amount, want=amount) for p in purses]
        await draw(connection, Incarnation(incarnation), wants)


async def test_every_whole_line_is_settled_once_however_often_the_loop_looks(
    database: Database, folder: Path, settlement: Settlement
) -> None:
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    await lend(database, journal.incarnation, party.purse, amount=10_000)
    for amount in (1_000, 2_000, 3_000):
        journal.end(new_call_id(), **party.end(amount))
    for _ in range(3):
        await settlement.catch_up()
    purse, key_purse = await read_purse(database, party.purse), await read_purse(database, party.key_purse)
    assert (purse.balance, purse.spent, purse.calls, purse.held) == (USD - 6_000, 6_000, 3, 4_000)
    assert (key_purse.spent, key_purse.calls) == (6_000, 3)
    assert (await check_books(database))["charged"] == 6_000


async def until_spent(database: Database, purse: int, amount: int) -> None:
    async with asyncio.timeout(20):
        while (await read_purse(database, purse)).spent != amount:
            await asyncio.sleep(0.01)


async def test_a_line_waits_until_a_transaction_is_full_or_for_as_long_as_set(database: Database, folder: Path) -> None:
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    journal.end("at the start", **party.end(1))
    for pace, more in ((Pace(settle_s=60.0, lines=10, look_s=0.01), 50), (Pace(settle_s=0.2), 0)):
        settlement = Settlement(database, folder, "node", pace)
        running = asyncio.create_task(settlement.run())
        spent = (await read_purse(database, party.purse)).spent or 1
        await until_spent(database, party.purse, spent)
        journal.end("alone", **party.end(10))
        if more:
            await asyncio.sleep(0.1)
            assert (await read_purse(database, party.purse)).spent == spent
        for call in range(more):
            journal.end(f"{call}", **party.end(100))
        await until_spent(database, party.purse, spent + 10 + more * 100)
        running.cancel()
    await check_books(database)


async def test_a_line_that_is_being_written_waits_for_its_end(
    database: Database, folder: Path, settlement: Settlement
) -> None:
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    journal.end("first", **party.end(100))
    journal.n += 1
    line = line_of("end", journal.n, **end_fields("second", **party.end(50)))
    for at in range(0, len(line), 97):
        journal.write_bytes(line[at : at + 97])
        await settlement.catch_up()
        assert (await read_purse(database, party.purse)).spent == (150 if at + 97 >= len(line) else 100)
    assert not await read_rows(database, quarantine.select())


async def test_a_series_goes_on_in_the_next_file(database: Database, folder: Path, settlement: Settlement) -> None:
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    journal.end("a", **party.end(100))
    await settlement.catch_up()
    journal.end("b", **party.end(10))
    journal.next_file()
    journal.end("c", **party.end(1))
    journal.next_file()
    journal.end("d", **party.end(1_000))
    await settlement.catch_up()
    assert (await read_purse(database, party.purse)).spent == 1_111
    assert [row["call_id"] for row in await read_rows(database, calls.select().order_by(calls.c.id))] == list("abcd")
    assert not await read_rows(database, quarantine.select())


async def test_two_controls_that_read_the_same_files_settle_each_line_once(database: Database, folder: Path) -> None:
    """Two readers of one journal."""
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    readers = [Settlement(database, folder, "node", Pace(lines=3, death_s=60.0)) for _ in range(3)]
    for round_ in range(20):
        for call in range(7):
            journal.end(f"{round_}-{call}", **party.end(10))
        await asyncio.gather(*(reader.catch_up() for reader in readers))
    for reader in readers:
        await reader.catch_up()
    assert (await read_purse(database, party.purse)).spent == 20 * 7 * 10
    assert (await check_books(database))["calls"] == 140


async def test_the_death_of_a_writer_gives_back_its_leases_and_names_the_interrupted_calls(
    database: Database, folder: Path, settlement: Settlement
) -> None:
    """A crash is settled (promise 12): nothing stays held, an open call has a row and costs nothing."""
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    await lend(database, journal.incarnation, party.purse, amount=50_000)
    opened = {"at_ms": 1_700_000_000_000, "key": party.key, "account": party.account, "model": "gpt-4o", "channel": 1,
              "reserved": 20_000, "stream": True}  # fmt: skip
    journal.open_calls({"id": "ends"} | opened, {"id": "torn"} | opened)
    journal.end("ends", **party.end(7_000))
    journal.write_bytes(b'00000000 ["end",4,"to')
    await settlement.catch_up()
    assert (await read_purse(database, party.purse)).held == 43_000
    journal.die()
    await settlement.catch_up()
    purse = await read_purse(database, party.purse)
    assert (purse.held, purse.balance) == (0, USD - 7_000)
    rows = {row["call_id"]: row for row in await read_rows(database, calls.select())}
    assert {name: (row["outcome"], row["amount"]) for name, row in rows.items()} == {
        "ends": ("ok", 7_000),
        "torn": ("interrupted", 0),
    }
    [torn] = await read_rows(database, quarantine.select())
    assert torn["raw"].startswith(b"00000000")
    [life] = await read_rows(database, incarnations.select())
    assert life["ended_ms"] is not None
    await check_books(database)
    assert await settlement.finish() == []


async def test_a_living_writer_is_never_buried(database: Database, folder: Path, settlement: Settlement) -> None:
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    await lend(database, journal.incarnation, party.purse, amount=50_000)
    for _ in range(3):
        await settlement.catch_up()
    assert (await read_purse(database, party.purse)).held == 50_000
    assert await settlement.finish() == [journal.incarnation]


async def test_a_journal_that_is_still_being_made_is_left_alone(
    database: Database, folder: Path, settlement: Settlement
) -> None:
    (folder / ".0123456789abcdef0123456789abcdef.making").mkdir()
    (folder / "notes.txt").write_text("x")
    await settlement.catch_up()
    assert not await read_rows(database, incarnations.select())


async def test_an_unreadable_line_goes_to_quarantine_and_stops_nothing(
    database: Database, folder: Path, settlement: Settlement
) -> None:
    """A poison record must not hold all leases of its file for ever."""
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    journal.end("a", **party.end(1))
    journal.n += 1
    journal.write_bytes(b"deadbeef {}\n")
    journal.end("nobody", **(party.end(10) | {"account": 999_999, "charges": []}))
    journal.end("b", **party.end(100))
    await settlement.catch_up()
    assert (await read_purse(database, party.purse)).spent == 101
    assert len(await read_rows(database, quarantine.select())) == 2


async def test_a_line_of_a_newer_program_stops_its_file_and_no_other(
    database: Database, folder: Path, settlement: Settlement
) -> None:
    party = await make_party(database, USD)
    newer, usual = RawJournal(folder, new_incarnation()), RawJournal(folder, new_incarnation())
    newer.end("a", **party.end(1))
    newer.write("rebate", amount=5)
    newer.end("b", **party.end(10))
    usual.end("c", **party.end(100))
    await settlement.catch_up()
    assert (await read_purse(database, party.purse)).spent == 101
    newer.die()
    await asyncio.sleep(QUICK.retry_s)
    await settlement.catch_up()
    assert (await read_purse(database, party.purse)).spent == 101
    assert not await read_rows(database, quarantine.select())
    [life] = await read_rows(database, incarnations.select().where(incarnations.c.id == newer.incarnation)) or [None]
    assert life is None or life["ended_ms"] is None


async def test_a_control_that_comes_later_goes_on_where_the_database_stands(database: Database, folder: Path) -> None:
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    for part in range(3):
        journal.end(f"{part}", **party.end(10))
        await Settlement(database, folder, "node", QUICK).catch_up()
    journal.die()
    await Settlement(database, folder, "node", QUICK).catch_up()
    assert (await read_purse(database, party.purse)).spent == 30
    await check_books(database)


async def test_a_read_of_money_sees_what_was_written_before_it(
    database: Database, folder: Path, settlement: Settlement
) -> None:
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    for spent in range(1, 21):
        journal.end(f"{spent}", **party.end(1))
        await asyncio.gather(*(settlement.catch_up_soon() for _ in range(3)))
        assert (await read_purse(database, party.purse)).spent == spent


async def test_refused_calls_of_known_keys_become_log_rows(
    database: Database, folder: Path, settlement: Settlement
) -> None:
    party = await make_party(database)
    journal = RawJournal(folder, new_incarnation())
    journal.write(
        "no", at_ms=1, key=party.key, account=party.account, code="insufficient_balance", count=3, model="", id=""
    )
    await settlement.catch_up()
    [row] = await read_rows(database, logs.select().where(logs.c.account_id == party.account))
    assert "insufficient_balance" in row["content"]


async def test_more_lines_than_one_transaction_takes_are_settled_in_one_pass(database: Database, folder: Path) -> None:
    party = await make_party(database, USD)
    journal = RawJournal(folder, new_incarnation())
    for call in range(1_203):
        journal.end(f"{call}", **party.end(2))
    await Settlement(database, folder, "node", Pace(lines=500)).catch_up()
    assert (await read_purse(database, party.purse)).spent == 2_406
