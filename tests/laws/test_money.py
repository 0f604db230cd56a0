"""The money protocol under random schedules: real bank and journals, simulated workers, kills, lost answers, restores.

Whatever happens: what was served is charged exactly once, what is held is what leases say, no balance is below zero.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from sqlalchemy import select

from yescale.domain.ids import AccountId, CallId, ChannelId, Incarnation, KeyId, ModelName, PurseId
from yescale.domain.journal import BackLine, EndLine, JournalLine, OpenCall, OpenLine
from yescale.domain.link import Refused, Want
from yescale.ledger.bank import draw
from yescale.ledger.entries import NewEntry, enter
from yescale.ledger.incarnations import close_incarnation
from yescale.ledger.journal_file import journal_line, read_journal, torn_tail, unended
from yescale.ledger.purses import open_account_purse, open_key_purse, set_key_limit
from yescale.ledger.settlement import Batch, offsets, settle
from yescale.ledger.verify import Verdict, verify
from yescale.store.database import Database, open_database
from yescale.store.tables import accounts, counters, keys, metadata


class Caller(Struct, frozen=True):
    account: AccountId
    purse: PurseId
    key: KeyId
    key_purse: PurseId
    limited: bool

    @property
    def charged(self) -> tuple[PurseId, PurseId]:
        return (self.purse, self.key_purse)

    @property
    def limiting(self) -> tuple[PurseId, ...]:
        return self.charged if self.limited else (self.purse,)


class Share(Struct):
    """What a worker knows of a purse: granted, spent, returned, reserved."""

    granted: int = 0
    spent: int = 0
    returned: int = 0
    reserved: int = 0

    @property
    def free(self) -> int:
        return self.granted - self.spent - self.returned - self.reserved


class Life:
    """One worker and its journal. `data` outlives it."""

    def __init__(self, number: int) -> None:
        self.incarnation = Incarnation(f"{number:032x}")
        self.alive = True
        self.data = b""
        self.n = 0
        self.shares: dict[PurseId, Share] = {}
        self.flights: dict[CallId, tuple[Caller, int]] = {}

    def share(self, purse: PurseId) -> Share:
        return self.shares.setdefault(purse, Share())

    def write(self, line: JournalLine) -> None:
        self.data += journal_line(line)

    def next(self) -> int:
        self.n += 1
        return self.n

    def start(self, call: CallId, caller: Caller, reserved: int) -> None:
        for purse in caller.limiting:
            self.share(purse).reserved += reserved
        self.flights[call] = (caller, reserved)
        opened = OpenCall(
            id=call,
            at_ms=1,
            key=caller.key,
            account=caller.account,
            model=ModelName("m"),
            channel=ChannelId(1),
            reserved=reserved,
        )
        self.write(OpenLine(n=self.next(), calls=(opened,)))

    def end(self, call: CallId, amount: int, *, exact: bool) -> None:
        caller, reserved = self.flights.pop(call)
        for purse in caller.limiting:
            self.share(purse).reserved -= reserved
        for purse in caller.charged:
            self.share(purse).spent += amount
        backs = self._idle(caller.limiting) if exact else ()
        self.write(_end_line(self.next(), call, caller, amount, backs))

    def give_back(self, purses: Sequence[PurseId]) -> None:
        if totals := self._idle(purses):
            self.write(BackLine(n=self.next(), purses=totals))

    def _idle(self, purses: Sequence[PurseId]) -> tuple[tuple[PurseId, int], ...]:
        totals: list[tuple[PurseId, int]] = []
        for purse in purses:
            if (share := self.share(purse)).free > 0:
                share.returned += share.free
                totals.append((purse, share.returned))
        return tuple(totals)


def _end_line(n: int, call: CallId, caller: Caller, amount: int, backs: tuple[tuple[PurseId, int], ...]) -> EndLine:
    return EndLine(
        n=n,
        id=call,
        at_ms=1,
        key=caller.key,
        account=caller.account,
        username="",
        key_name="",
        group="",
        model=ModelName("m"),
        upstream_model="m",
        channel=ChannelId(1),
        outcome="ok",
        status=200,
        stream=False,
        usage={},
        estimated=False,
        lines=(),
        amount=amount,
        charges=tuple((purse, amount) for purse in caller.charged),
        attempts=(),
        first_ms=1,
        total_ms=1,
        snapshot=1,
        backs=backs,
    )


class World:
    """The bank, its callers and every worker that ever lived."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.rng = Random(seed)
        self.overruns = self.rng.random() < 0.3
        self.restores = self.rng.random() < 0.3
        self.edits = self.rng.random() < 0.3
        self.overran = self.restored = self.edited = False
        self.lives: list[Life] = []
        self.callers: list[Caller] = []
        self.started = self.served = self.ended = 0
        self.topups = 0
        self.backup: dict[str, list[dict[str, Any]]] | None = None

    async def populate(self) -> None:
        async with self.database.writing() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(counters.insert(), {"name": "changes", "value": 0})
            for number in range(2):
                account = (
                    await connection.execute(accounts.insert().returning(accounts.c.id), {"username": f"u{number}"})
                ).scalar_one()
                purse = await open_account_purse(connection, account)
                for limited in (True, False):
                    granted = self.rng.choice([60, 400, 3_000])
                    key_purse = await open_key_purse(connection, account, granted=granted, limited=limited)
                    row = {"hash": bytes([number, limited]), "masked": "", "account_id": account, "purse_id": key_purse}
                    key = (await connection.execute(keys.insert().returning(keys.c.id), row)).scalar_one()
                    self.callers.append(Caller(account, purse, key, key_purse, limited))
        for caller in self.callers:
            await self.top_up(caller)
        for _ in range(3):
            self.lives.append(Life(len(self.lives)))

    async def step(self) -> None:
        deeds = [
            (30, self.call),
            (25, self.finish),
            (12, self.idle),
            (18, self.settle_some),
            (4, self.kill),
            (4, self.bury),
            (2, self.top_up_someone),
            (2 * self.edits, self.lower_a_limit),
            (2 * self.restores, self.back_up),
            (2 * self.restores, self.restore),
        ]
        (deed,) = self.rng.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])
        await deed()

    async def call(self) -> None:
        life, caller = self.rng.choice(self.living()), self.rng.choice(self.callers)
        least = self.rng.randint(1, 40)
        lacking = [purse for purse in caller.limiting if life.share(purse).free < least]
        lost = self.rng.random() < 0.1
        if lacking and not await self.draw(life, lacking, least, lost=lost):
            return
        if all(life.share(purse).free >= least for purse in caller.limiting):
            self.started += 1
            life.start(CallId(f"c{self.started}"), caller, least)

    async def draw(self, life: Life, purses: Sequence[PurseId], least: int, *, lost: bool) -> bool:
        ahead = self.rng.choice([0, 0, 100])
        wants = []
        for purse in purses:
            share = life.share(purse)
            used = share.spent + share.returned + share.reserved
            wants.append(Want(purse=purse, have=share.granted, least=used + least, want=used + least + ahead))
        self.rng.shuffle(wants)
        async with self.database.writing(urgent=True) as connection:
            answer = await draw(connection, life.incarnation, wants)
        if isinstance(answer, Refused):
            return False
        assert {granted.purse for granted in answer} == set(purses)
        for granted in answer:
            if not lost:
                assert granted.total >= life.share(granted.purse).granted
                life.share(granted.purse).granted = granted.total
        return not lost

    async def finish(self) -> None:
        life = self.rng.choice(self.living())
        if life.flights:
            call = self.rng.choice(list(life.flights))
            reserved = life.flights[call][1]
            amount = self.rng.randint(0, reserved)
            if self.overruns and self.rng.random() < 0.1:
                amount += self.rng.randint(1, 2_000)
                self.overran = True
            life.end(call, amount, exact=self.rng.random() < 0.4)
            self.served += amount
            self.ended += 1

    async def idle(self) -> None:
        life = self.rng.choice(self.living())
        life.give_back(self.rng.sample(list(life.shares), min(2, len(life.shares))))

    async def settle_some(self) -> None:
        await self.settle(self.rng.choice(self.lives), self.rng.randint(1, 8))

    async def settle(self, life: Life, most: int = 500) -> bool:
        async with self.database.writing() as connection:
            start = (await offsets(connection, life.incarnation)).get(1, 0)
            reading = read_journal(life.data[start:], start, most)
            records, end = reading.records, reading.end
            if not records and not life.alive and start < len(life.data):
                records, end = (torn_tail(life.data[start:], start),), len(life.data)
            if not records:
                return False
            batch = Batch(incarnation=life.incarnation, file=1, start=start, end=end, records=records)
            await settle(connection, batch)
        return True

    async def kill(self) -> None:
        life = self.rng.choice(self.living())
        life.alive = False
        if self.rng.random() < 0.5:
            life.data += b"00000000 {torn"
        self.lives.append(Life(len(self.lives)))

    async def bury(self) -> None:
        dead = [life for life in self.lives if not life.alive]
        if dead:
            await self.close(self.rng.choice(dead))

    async def close(self, life: Life) -> None:
        while await self.settle(life):
            pass
        opens: dict[CallId, OpenCall] = {}
        unended(opens, read_journal(life.data, 0, 1 << 30).records)
        assert opens.keys() == life.flights.keys()
        async with self.database.writing() as connection:
            await close_incarnation(connection, life.incarnation, list(opens.values()), {1: len(life.data)})

    async def top_up_someone(self) -> None:
        await self.top_up(self.rng.choice(self.callers))

    async def top_up(self, caller: Caller) -> None:
        self.topups += 1
        amount = self.rng.choice([50, 200, 5_000])
        new = NewEntry(kind="topup", account=caller.account, amount=amount, source="t", outside_id=str(self.topups))
        for _ in range(self.rng.choice([1, 2])):
            async with self.database.writing() as connection:
                await enter(connection, new)

    async def lower_a_limit(self) -> None:
        caller = self.rng.choice([caller for caller in self.callers if caller.limited])
        self.edited = True
        async with self.database.writing() as connection:
            limited = await set_key_limit(connection, caller.key, remaining=self.rng.choice([0, 30, 500]))
        if limited.recall:
            for life in self.living():
                life.give_back([caller.key_purse])

    async def back_up(self) -> None:
        async with self.database.reading() as connection:
            self.backup = {
                table.name: [dict(row) for row in (await connection.execute(select(table))).mappings()]
                for table in metadata.sorted_tables
            }

    async def restore(self) -> None:
        if self.backup is None:
            return
        self.restored = True
        async with self.database.writing() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(table.delete())
            for table in metadata.sorted_tables:
                if self.backup[table.name]:
                    await connection.execute(table.insert(), self.backup[table.name])

    async def check(self) -> Verdict:
        async with self.database.reading() as connection:
            verdict = await verify(connection)
        assert verdict.problems == ()
        if not self.overran and not self.restored:
            assert verdict.figures["shortfall"] == 0
            assert self.edited or verdict.figures["strained"] == 0
        return verdict

    async def finish_all(self) -> None:
        for life in self.lives:
            life.alive = False
        for life in self.lives:
            await self.close(life)
            await self.close(life)
        figures = (await self.check()).figures
        interrupted = sum(len(life.flights) for life in self.lives)
        assert figures["charged"] == figures["revenue"] == self.served
        assert figures["interrupted"] == interrupted
        assert figures["calls"] == self.ended + interrupted
        assert figures["held"] == figures["outstanding"] == 0

    def living(self) -> list[Life]:
        return [life for life in self.lives if life.alive]


async def _run(seed: int, steps: int) -> None:
    database = open_database("sqlite://")
    try:
        world = World(database, seed)
        await world.populate()
        for step in range(steps):
            await world.step()
            if step % 10 == 0:
                await world.check()
        await world.finish_all()
    finally:
        await database.close()


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_served_is_charged_once_and_nothing_stays_held(seed: int) -> None:
    """promise 1, promise 2, promise 12"""
    asyncio.run(_run(seed, steps=80))
