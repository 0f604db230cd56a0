"""The databases that tests are given: real, fresh, apart from one another, and gone afterwards."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.postgres import Postgres, PostgresFailure, running

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0
# Ends when its input does. A shell that runs tests in the background has SIGINT ignored, which children inherit.
SERVER_ALONE = """
import contextlib
import signal
import sys
from tests.postgres import running
signal.signal(signal.SIGINT, signal.default_int_handler)
with contextlib.suppress(KeyboardInterrupt), running() as server:
    print(server.execute("SHOW data_directory"), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("round_", [1, 2])
async def test_every_test_has_an_empty_database_of_its_own(database_url: str, round_: int) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE visits (round INTEGER)"))
        await connection.execute(text("INSERT INTO visits VALUES (:round)"), {"round": round_})
        rows = (await connection.execute(text("SELECT round FROM visits"))).scalars().all()
    await engine.dispose()
    assert rows == [round_]


async def test_database_is_dropped_under_an_open_connection(postgres: Postgres) -> None:
    async with contextlib.AsyncExitStack() as stack:
        with postgres.database() as url:
            engine = create_async_engine(url)
            stack.push_async_callback(engine.dispose)
            connection = await engine.connect()
            name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1"))
        await connection.close()
    assert name not in postgres.execute("SELECT datname FROM pg_database").split()


def test_failing_statement_says_why(postgres: Postgres) -> None:
    with pytest.raises(PostgresFailure, match='relation "nowhere" does not exist'):
        postgres.execute("SELECT * FROM nowhere")


def test_durable_server_keeps_commits_over_a_crash() -> None:
    with running(durable=True) as server:
        assert server.execute("SHOW fsync") == "on"
        server.execute("CREATE TABLE kept (n INTEGER)")
        server.execute("INSERT INTO kept VALUES (7)")
        server.crash()
        server.start()
        assert server.execute("SELECT n FROM kept") == "7"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_server_does_not_outlive_its_tests(how: signal.Signals) -> None:
    command = [sys.executable, "-c", SERVER_ALONE]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as alone:
        assert alone.stdout is not None
        directory = Path(alone.stdout.readline().strip())
        server = int((directory / "postmaster.pid").read_text().split()[0])
        alone.send_signal(how)
        alone.wait(WAIT_S)
    _until_gone(server, directory.parent)


def _until_gone(server: int, directory: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while _runs(server) or directory.exists():
        assert time.monotonic() < deadline, f"{server} in {directory} is still there"
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
