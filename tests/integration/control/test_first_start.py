"""The first start, the later ones, and a control process as the supervisor starts and stops it."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.integration.control.house import enter_house, open_house
from tests.integration.control.parties import check_books, make_party, read_purse, read_rows
from tests.integration.control.worker import RawJournal, RawWorker, new_incarnation
from yescale.control.app import offline
from yescale.control.node import HomeTaken
from yescale.control.operations import operate
from yescale.control.sandbox import FAKE_PROVIDERS
from yescale.control.secrets import verify_password
from yescale.settings import Settings
from yescale.store.database import Database, open_database
from yescale.store.tables import accounts, channels, groups, models, nodes

PROCESS = """
import sys
from pathlib import Path
from yescale.control.app import run
from yescale.settings import Settings
sys.exit(run(Settings(home=Path(sys.argv[1]), database=sys.argv[2], master_secret=sys.argv[3])))
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="yescale-") as folder:
        yield Path(folder)


async def test_a_first_start_makes_a_root_and_a_demo_account_and_notes_them_for_the_owner(database_url: str) -> None:
    async with open_house(database_url) as house:
        file = house.settings.home / "bootstrap.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert set(house.note) == {
            "admin_username", "admin_password", "api_key", "access_key", "base_url", "sandbox_url",
        }  # fmt: skip
        assert (house.note["base_url"], house.note["sandbox_url"]) == ("http://127.0.0.1:3000", "http://127.0.0.1:4999")
        rows = {row["username"]: row for row in await read_rows(house.context.database, accounts.select())}
        assert {name: row["role"] for name, row in rows.items()} == {"root": 100, "demo": 1}
        assert verify_password(rows["root"]["password_hash"], house.note["admin_password"])
        assert {row["name"] for row in await read_rows(house.context.database, groups.select())} >= {
            "default", "normal", "openai", "openaivip", "claude", "gemini", "deepseek", "drawing", "music",
        }  # fmt: skip
        assert (await check_books(house.context.database))["balance"] == 1_000_000_000


async def test_a_later_start_makes_nothing_twice_and_follows_the_sandbox(database_url: str, home: Path) -> None:
    async with enter_house(home, database_url) as house:
        first = house.note
    async with enter_house(home, database_url, sandbox_port=5001, port=3100) as house:
        assert house.note == first | {"sandbox_url": "http://127.0.0.1:5001", "base_url": "http://127.0.0.1:3100"}
        rows = await read_rows(house.context.database, channels.select())
        expected = {fake.name: f"http://127.0.0.1:5001{fake.path}" for fake in FAKE_PROVIDERS}
        assert {row["name"]: row["base_url"] for row in rows} == expected
        assert len(rows) == len(FAKE_PROVIDERS)
        assert len(await read_rows(house.context.database, accounts.select())) == 2
        assert (await house.get("user")).json()["data"]["quota"] == 500_000


async def test_a_sandbox_that_is_not_started_gets_no_calls(database_url: str, home: Path) -> None:
    for sandbox, status in ((True, 1), (False, 2), (True, 1)):
        async with enter_house(home, database_url, sandbox=sandbox) as house:
            rows = await read_rows(house.context.database, channels.select())
            assert [row["status"] for row in rows] == [status] * len(FAKE_PROVIDERS)


async def test_the_first_password_leaves_the_note_when_it_is_changed(database_url: str) -> None:
    async with open_house(database_url) as house:
        file = house.settings.home / "bootstrap.json"
        await house.operate("user password", username="demo", password="correct horse")
        assert "admin_password" in msgspec.json.decode(file.read_bytes())
        await house.operate("user password", username="root", password="battery staple")
        note = msgspec.json.decode(file.read_bytes())
        assert "admin_password" not in note
        assert note["api_key"] == house.note["api_key"]
        rows = {row["username"]: row for row in await read_rows(house.context.database, accounts.select())}
        assert verify_password(rows["root"]["password_hash"], "battery staple")


async def test_without_a_sandbox_there_is_neither_channel_nor_wildcard_nor_demo(database_url: str, home: Path) -> None:
    async with enter_house(home, database_url, sandbox=False) as house:
        assert set(house.note) == {"admin_username", "admin_password", "base_url"}
        assert not await read_rows(house.context.database, channels.select())
        assert not [row for row in await read_rows(house.context.database, models.select()) if "*" in row["name"]]


async def test_an_offline_command_line_works_only_while_no_control_does(database_url: str, home: Path) -> None:
    settings = Settings(home=home, database=database_url)
    async with enter_house(home, database_url):
        with pytest.raises(HomeTaken, match="another control"):
            async with offline(settings):
                pass
    async with offline(settings) as context:
        made = await operate(context, "key create", {"username": "demo", "name": "offline"})
        assert isinstance(made, dict)
        assert made["key"].startswith("sk-")
    async with enter_house(home, database_url) as house:
        assert {row["name"] for row in (await house.get("apikeylist")).json()["data"]} == {"demo", "offline"}


@contextlib.asynccontextmanager
async def enter_database(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        await database.close()


def start(home: Path, database_url: str, master_secret: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(home), database_url, master_secret], stderr=subprocess.PIPE, text=True
    )


def wait_until_ready(home: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(1_000):
        assert process.poll() is None, process.stderr and process.stderr.read()
        with socket.socket(socket.AF_UNIX) as caller, contextlib.suppress(OSError):
            caller.connect(str(home / "run" / "public.sock"))
            return
        time.sleep(0.02)
    raise AssertionError("control did not become ready")


async def test_sigterm_settles_everything_and_leaves_last(database_url: str, home: Path) -> None:
    process = start(home, database_url)
    try:
        wait_until_ready(home, process)
        async with enter_database(database_url) as database:
            party = await make_party(database, 1_000_000_000)
            incarnation = new_incarnation()
            worker = await (await RawWorker.connect(home / "run" / "internal.sock")).hello(incarnation)
            journal = RawJournal(home / "journals", incarnation)
            assert (await worker.draw((party.purse, 0, 50_000, 50_000)))["granted"]
            await worker.close()
            for number in range(1_200):
                journal.end(f"call-{number}", **party.end(3))
            journal.die()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
            purse = await read_purse(database, party.purse)
            assert (purse.balance, purse.held) == (1_000_000_000 - 3_600, 0)
            [node] = await read_rows(database, nodes.select())
            assert node["left_ms"] is not None
            await check_books(database)
    finally:
        end(process)


async def test_a_killed_control_is_followed_by_one_that_goes_on(database_url: str, home: Path) -> None:
    process = start(home, database_url)
    try:
        wait_until_ready(home, process)
        async with enter_database(database_url) as database:
            party = await make_party(database, 1_000_000_000)
            journal = RawJournal(home / "journals", new_incarnation())
            for number in range(3_000):
                journal.end(f"call-{number}", **party.end(2))
                if number == 1_500:
                    os.kill(process.pid, signal.SIGKILL)
            journal.die()
            async with enter_house(home, database_url, sandbox=False) as house:
                await house.context.catch_up()
                for _ in range(100):
                    if (await read_purse(database, party.purse)).spent == 6_000:
                        break
                    await house.context.catch_up()
            assert (await read_purse(database, party.purse)).spent == 6_000
            assert (await check_books(database))["calls"] == 3_000
    finally:
        end(process)


def test_a_master_secret_that_is_too_short_is_said_in_one_line(database_url: str, home: Path) -> None:
    process = start(home, database_url, "short")
    try:
        assert process.wait(timeout=20) == 2
        assert process.stderr is not None
        assert [line for line in process.stderr.read().splitlines() if line][-1].startswith(
            "yescale: master_secret has 5"
        )
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()
