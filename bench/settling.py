"""How fast control brings journals into the books, and what it costs: ready files, control alone on a core."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import select

from bench import gateway
from bench.processes import BUSY_CORE, cpu_s, find_pids, own_environment, rss_bytes, running
from bench.stage import Stage
from tests import postgres
from yescale.control.node import read_node_id
from yescale.domain.ids import AccountId, CallId, ChannelId, Incarnation, KeyId, ModelName, PriceId, PurseId
from yescale.domain.journal import AttemptNote, EndLine
from yescale.domain.link import Refused, Want
from yescale.domain.price import Line
from yescale.domain.usage import Meter
from yescale.gateway.clock import SystemClock
from yescale.gateway.journal import Journal
from yescale.ledger.bank import draw
from yescale.ledger.settlement import offsets
from yescale.serve.health import accepts
from yescale.settings import Settings, load, to_environment
from yescale.store.database import Database, open_database
from yescale.store.tables import accounts, keys
from yescale.tuning import JournalSettings
from yescale.wire.timers import Timers

CALLS = 50_000
LOOK_S = 0.02
READY_S = 60.0
GIVE_UP_S = 300.0
LEASE = 100_000 * 1_000_000_000  # nano-dollars: enough for every call
INPUT, OUTPUT = 512, 160  # tokens of a call, at the prices of the house
LINES = tuple(
    Line(rule=PriceId(number), meter=meter, quantity=count, per=1_000_000, price=price, ratio=1_000_000, amount=amount)
    for number, (meter, count, price, amount) in enumerate(
        (
            (Meter.INPUT_TOKENS, INPUT, 2_500_000_000, INPUT * 2_500),
            (Meter.OUTPUT_TOKENS, OUTPUT, 10_000_000_000, OUTPUT * 10_000),
        ),
        start=1,
    )
)
AMOUNT = sum(line.amount for line in LINES)


@dataclass(frozen=True, kw_only=True)
class Payer:
    """A key, its account, and the purses that a call of it charges."""

    key: KeyId
    key_name: str
    account: AccountId
    username: str
    purses: tuple[PurseId, PurseId]


def measure_settlement(stage: Stage, calls: int) -> dict[str, Mapping[str, float]]:
    """Both databases."""
    found: dict[str, Mapping[str, float]] = {}
    with durable_postgres() as url:
        for name, database in (("SQLite", ""), ("PostgreSQL", url)):
            found[name] = _settle(stage, name, database, calls)
            print(f"settlement, {name}: {found[name]}", flush=True)
    return found


@contextlib.contextmanager
def durable_postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL that keeps every commit, as in production."""
    with postgres.running(durable=True) as server, server.database() as url:
        yield url


def _settle(stage: Stage, name: str, database: str, calls: int) -> Mapping[str, float]:
    folder = stage.folder / f"settling-{name}"
    folder.mkdir(mode=0o700)
    settings = load({}, gateway.given(folder / "home", database))
    gateway.fill(gateway.given(folder / "home", database), gateway.SMALL, stage)
    command = [sys.executable, "-m", "yescale", "control", "--home", str(settings.home)]
    environment = own_environment(**to_environment(settings))
    with running(command, core=BUSY_CORE, cwd=folder, env=environment) as pid:
        late_at = time.monotonic() + READY_S
        while not accepts(settings.internal_socket):
            if time.monotonic() > late_at:
                raise TimeoutError(
                    f"control is not ready after {READY_S} s: {(folder / 'output.log').read_text()[-500:]}"
                )
            time.sleep(LOOK_S)
        return asyncio.run(_feed(settings, calls, find_pids(pid, "yescale control")))


async def _feed(settings: Settings, calls: int, control: Sequence[int]) -> Mapping[str, float]:
    """Write the journal while control sleeps, wake it, and wait until every line is in the books."""
    incarnation = Incarnation(uuid4().hex)
    async with _opened(settings) as database:
        payers = await _lend(database, incarnation, read_node_id(settings.home))
        with _asleep(control):
            journal, sizes = _write(settings.journals, incarnation, payers, calls)
            before, began = cpu_s(control), time.monotonic()
        while (done := await _settled(database, incarnation)) != sizes:
            if time.monotonic() - began > GIVE_UP_S:
                raise TimeoutError(f"settled {done} of {sizes} bytes after {GIVE_UP_S} s")
            await asyncio.sleep(LOOK_S)
        seconds = time.monotonic() - began
        journal.close()
        return {
            "calls": calls,
            "per_second": calls / seconds,
            "cpu_us": (cpu_s(control) - before) / calls * 1e6,
            "memory": rss_bytes(control),
        }


@contextlib.contextmanager
def _asleep(pids: Sequence[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    database = open_database(settings.database_url)
    try:
        yield database
    finally:
        await database.close()


async def _settled(database: Database, incarnation: Incarnation) -> dict[int, int]:
    async with database.reading() as connection:
        return await offsets(connection, incarnation)


async def _lend(database: Database, incarnation: Incarnation, node: str) -> Sequence[Payer]:
    """One payer per account, each with a lease that outlasts the run."""
    columns = (keys.c.id, keys.c.name, keys.c.purse_id, accounts.c.id, accounts.c.username, accounts.c.purse_id)
    statement = select(*columns).join(accounts, accounts.c.id == keys.c.account_id)
    async with database.writing() as connection:
        rows = (await connection.execute(statement)).all()
        payers = {
            row[3]: Payer(key=row[0], key_name=row[1], account=row[3], username=row[4], purses=(row[5], row[2]))
            for row in rows
        }
        wants = [Want(purse=payer.purses[0], have=0, least=LEASE, want=LEASE) for payer in payers.values()]
        answer = await draw(connection, incarnation, wants, node=node)
    if isinstance(answer, Refused):
        raise RuntimeError(f"no lease: {answer}")  # noqa: TRY004  an answer of the bank, no mistaken type
    return tuple(payers.values())


def _write(
    folder: Path, incarnation: Incarnation, payers: Sequence[Payer], calls: int
) -> tuple[Journal, dict[int, int]]:
    """The journal, whose lock lives as long as it is open, and the sizes of its files."""
    timers, clock = Timers(asyncio.get_running_loop()), SystemClock()
    journal = Journal(folder, incarnation, "bench", JournalSettings(), timers, clock)
    for number in range(calls):
        journal.end(_end(payers[number % len(payers)], number, clock.wall_ms()))
    files = sorted((folder / incarnation).glob("*.log"))
    return journal, {int(file.stem): file.stat().st_size for file in files}


def _end(payer: Payer, number: int, at_ms: int) -> EndLine:
    return EndLine(
        n=0,
        id=CallId(f"bench{number:027d}"),
        at_ms=at_ms,
        key=payer.key,
        account=payer.account,
        username=payer.username,
        key_name=payer.key_name,
        group="default",
        model=ModelName("bench"),
        upstream_model="bench",
        channel=ChannelId(1),
        outcome="ok",
        status=200,
        stream=False,
        usage={Meter.INPUT_TOKENS: INPUT, Meter.OUTPUT_TOKENS: OUTPUT},
        estimated=False,
        lines=LINES,
        amount=AMOUNT,
        charges=tuple((purse, AMOUNT) for purse in payer.purses),
        attempts=(AttemptNote(channel=ChannelId(1), status=200, ms=3),),
        first_ms=2,
        total_ms=3,
        snapshot=1,
    )
