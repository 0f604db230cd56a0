"""The world of the money schedules: one bank, two controls that settle, and every worker that ever lived."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.laws.banks import KEYS, Bank
from tests.laws.lives import NODE, Life
from yescale.control import journals
from yescale.control.settlement import Pace, Settlement
from yescale.domain.ids import AccountId, CallId, PurseId
from yescale.domain.link import Changed, Drawn, KeyRecord, Recall, Refused
from yescale.ledger.bank import draw
from yescale.ledger.entries import NewEntry, NotCovered, enter, refund
from yescale.ledger.incarnations import reclaim
from yescale.ledger.purses import NoSuchKey, delete_key, set_key_limit
from yescale.ledger.settlement import Batch, offsets, settle
from yescale.ledger.verify import verify
from yescale.store.keys import key_record

PACE = Pace(settle_s=0, lines=7, death_s=0, retry_s=0)


class Excuses(Struct):
    """What a schedule did that lets a figure be other than zero."""

    overran: bool = False
    restored: bool = False
    lost: bool = False  # a node, whose leases were taken while it spent them
    lowered: bool = False  # a limit or a balance, below what was held

    @property
    def any(self) -> bool:
        return self.overran or self.restored or self.lost or self.lowered


class World:
    """Its methods are what may happen; `check` is what must hold then."""

    def __init__(self, bank: Bank, folder: Path) -> None:
        self.bank = bank
        self.folder = folder / "journals"
        self.excuses = Excuses()
        self.done: Counter[str] = Counter()
        self.copied = False
        self.lives: list[Life] = []
        self.keys: dict[str, KeyRecord] = {}
        self._outside = 0

    async def open(self, balances: tuple[int, int], limits: Mapping[str, int]) -> None:
        await self.bank.open()
        self.controls = [self._control(), self._control()]
        async with self.bank.database.reading() as connection:
            for name, *_ in KEYS:
                record = await key_record(connection, name.encode())
                assert record is not None
                self.keys[name] = record
        for account, amount in enumerate(balances, start=1):
            if amount:
                await self.top_up(account, amount, times=1)
        for name, limit in limits.items():
            await self.set_limit(name, limit)
        self.excuses = Excuses()
        for _ in range(2):
            self.start()

    @property
    def flying(self) -> bool:
        """Is any call under way?"""
        return any(life.flights for life in self.lives if life.alive)

    def _control(self) -> Settlement:
        return Settlement(self.bank.database, self.folder, NODE, PACE)

    # --- workers

    def start(self) -> None:
        self.lives.append(Life(self.folder, len(self.lives) + 1))

    def living(self, index: int) -> Life:
        alive = [life for life in self.lives if life.alive]
        return alive[index % len(alive)]

    def kill(self, index: int, torn: int) -> None:
        self.done["kills"] += 1
        self.living(index).kill(torn)
        self.start()

    def end(self, index: int, call: int, share: int, more: int) -> None:
        life = self.living(index)
        if life.flights:
            self.excuses.overran = self.excuses.overran or more > 0
            self.done["overruns"] += more > 0
            life.end(call, share, more)
            self.done["calls"] += 1

    # --- control and the wire

    async def answer_draw(self, index: int, fate: str) -> None:
        """Control answers the next draw; its answer comes now, later, never, or twice."""
        life = self.living(index)
        asked = life.next_draw()
        if asked is None:
            return
        async with self.bank.database.writing(urgent=True) as connection:
            outcome = await draw(connection, life.incarnation, asked.wants, node=NODE)
        refused = isinstance(outcome, Refused)
        answer = Drawn(id=asked.id, refused=outcome) if refused else Drawn(id=asked.id, granted=outcome)
        self.done["draws refused" if refused else "draws granted"] += 1
        match fate:
            case "now":
                life.hear(answer)
            case "twice":
                life.hear(answer)
                life.hear(answer)
            case "later":
                life.answers.append(answer)
            case _:
                self.done["answers lost"] += 1

    def deliver(self, index: int) -> None:
        """An answer that was late, not always the oldest."""
        life = self.living(index)
        if life.answers and life.link.up:
            life.hear(life.answers.popleft())
            life.answers.rotate(1)

    async def answer_keys(self, index: int) -> None:
        """Keys that a worker asks for once more, since a purse was unknown."""
        life = self.living(index)
        while life.keys.asked:
            key, then = life.keys.asked.popleft()
            async with self.bank.database.reading() as connection:
                then(await key_record(connection, key.name.encode()))

    async def settle_some(self, index: int, lines: int) -> None:
        """A few lines of one journal, by whoever reads it."""
        life = self.lives[index % len(self.lives)]
        async with self.bank.database.writing() as connection:
            settled = await offsets(connection, life.incarnation)
            for file, size in journals.find_files(life.folder).items():
                start = settled.get(file, 0)
                if start < size:
                    reading = journals.read_on(journals.path_of(life.folder, file), start, size, lines)
                    if reading.records:
                        batch = Batch(
                            incarnation=life.incarnation, file=file, start=start, end=reading.end,
                            records=reading.records,
                        )  # fmt: skip
                        await settle(connection, batch)
                    return

    async def pass_over(self, control: int) -> None:
        """One of the controls reads all journals, and buries who is dead; what it remembers may be old."""
        await self.controls[control].catch_up()

    def restart(self, control: int) -> None:
        self.controls[control] = self._control()

    # --- owners and operators

    async def top_up(self, account: int, amount: int, times: int) -> None:
        self._outside += 1
        new = NewEntry(
            kind="topup", account=AccountId(account), amount=amount, source="t", outside_id=str(self._outside)
        )
        for _ in range(times):
            async with self.bank.database.writing() as connection:
                await enter(connection, new)

    async def take_away(self, account: int, amount: int) -> None:
        self._outside += 1
        self.excuses.lowered = True
        new = NewEntry(
            kind="adjustment", account=AccountId(account), amount=-amount, source="t", outside_id=str(self._outside)
        )
        try:
            async with self.bank.database.writing() as connection:
                entered = await enter(connection, new)
        except NotCovered:
            return
        if entered.recall:
            self.recall(entered.purse)

    async def give_back(self, index: int, amount: int | None) -> None:
        """Refund a call, or a part of it."""
        paid = await self.bank.rows("SELECT call_id, paid - refunded FROM calls WHERE paid > refunded ORDER BY call_id")
        if paid:
            call_id, left = paid[index % len(paid)]
            self._outside += 1
            self.done["refunds"] += 1
            async with self.bank.database.writing() as connection:
                some = None if amount is None else min(amount, left)
                await refund(connection, CallId(call_id), some, outside_id=str(self._outside))

    async def set_limit(self, name: str, remaining: int) -> None:
        self.excuses.lowered = True
        key = self.keys[name]
        try:
            async with self.bank.database.writing() as connection:
                limited = await set_key_limit(connection, key.id, remaining=remaining)
        except NoSuchKey:
            return
        self._tell(Changed(hashes=(name.encode(),)))
        if limited.recall:
            self.recall(limited.purse)

    async def close_key(self, name: str) -> None:
        self.done["keys closed"] += 1
        try:
            async with self.bank.database.writing() as connection:
                purse = await delete_key(connection, self.keys[name].id)
        except NoSuchKey:
            return
        self._tell(Changed(hashes=(name.encode(),), closed=(purse,)))

    def recall(self, purse: PurseId) -> None:
        self._tell(Recall(id=1, purses=(purse,)))

    def _tell(self, message: Recall | Changed) -> None:
        for life in self.lives:
            life.tell(message)

    # --- disasters

    async def back_up(self) -> None:
        await self.bank.back_up()
        self.copied = True

    async def restore(self) -> None:
        """The copy of the database is put back; control starts anew, workers live on."""
        if await self.bank.restore():
            self.excuses.restored = True
            self.done["restores"] += 1
            self.controls = [self._control(), self._control()]

    async def lose_node(self, index: int) -> None:
        """Another node takes back what a worker holds, which goes on not knowing it."""
        life = self.living(index)
        self.excuses.lost = True
        self.done["lost nodes"] += 1
        async with self.bank.database.writing() as connection:
            await reclaim(connection, life.incarnation)

    # --- what must hold

    async def check(self) -> None:
        """The laws of the books, and those that tie them to what workers know."""
        for sentence, query in self.bank.laws.items():
            broken = await self.bank.rows(query)
            assert not broken, sentence.format(*broken[0])
        (shortfall,) = (
            await self.bank.rows("SELECT COALESCE(SUM(-amount), 0) FROM postings WHERE book = 'shortfall'")
        )[0]
        if not self.excuses.any:
            assert shortfall == 0, "8: a shortfall without an overrun"
        await self._check_cover()

    async def _check_cover(self) -> None:
        """What is in flight or not settled yet is covered by the balance, while nothing excuses it (promise 1)."""
        found = await self.bank.rows(
            "SELECT p.id, p.balance, p.limited, COALESCE(SUM(l.settled), 0), COALESCE(SUM(l.granted), 0)"
            " FROM purses p LEFT JOIN leases l ON l.purse_id = p.id GROUP BY p.id, p.balance, p.limited"
        )
        for purse, balance, limited, settled, granted in found:
            spent = sum(life.charged.get(purse, 0) for life in self.lives)
            flying = sum(life.reserved(purse) for life in self.lives if life.alive)
            if limited and not self.excuses.any:
                assert flying + spent - int(settled) <= balance, f"purse {purse} is not covered"
                known = sum(lease.granted for life in self.lives if (lease := life.purses._book.get(purse)))
                assert known <= int(granted), f"workers spend {known} of purse {purse}, the bank granted {granted}"

    async def finish(self) -> None:
        """Everyone dies and all is read: what was served is charged, once, and nothing stays held."""
        for life in self.lives:
            if life.alive:
                life.kill(0)
        self.controls = [self._control()]
        for _ in range(3):
            await self.pass_over(0)
        await self.check()
        async with self.bank.database.reading() as connection:
            verdict = await verify(connection)
        figures = verdict.figures
        assert verdict.problems == ()
        assert figures["held"] == figures["outstanding"] == 0
        await self._check_calls()
        self.done["charged (nano-dollars)"] += figures["charged"]
        self.done["interrupted"] += figures["interrupted"]
        self.done["torn lines"] += figures["quarantined"]
        self.done["shortfall (nano-dollars)"] += figures["shortfall"]

    async def _check_calls(self) -> None:
        """By id: calls that ended are charged what they used, others are interrupted, and no further one is there."""
        due: dict[str, tuple[str, int]] = {}
        for life in self.lives:
            due |= {call: ("ok", amount) for call, amount in life.ended.items()}
            due |= dict.fromkeys(life.interrupted(), ("interrupted", 0))
        found: list[Any] = list(await self.bank.rows("SELECT call_id, outcome, amount FROM calls"))
        assert len(found) == len(due)
        assert {call: (outcome, amount) for call, outcome, amount in found} == due
