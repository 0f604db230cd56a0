"""The settlement loop: brings every line of the workers' journals into the books, once.

Offsets live in the database; what is remembered here only saves work and is forgotten after every error.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from yescale.control import journals
from yescale.domain.ids import Incarnation
from yescale.ledger.incarnations import NotReadToTheEnd, close_incarnation
from yescale.ledger.journal_file import Reading
from yescale.ledger.settlement import Batch, Overtaken, offsets, settle
from yescale.store.database import Database, DatabaseAway

_LOG: Final = logging.getLogger(__name__)
_DAY_S: Final = 86_400
_SWEEP_S: Final = 3_600
_LONGEST_RETRY_S: Final = 30.0
_DOUBLINGS: Final = 10
_LINE_BYTES: Final = 512  # about what a line takes


class Pace(Struct, frozen=True, kw_only=True):
    """How often and how much at a time."""

    settle_s: float = 0.5  # a line waits this long at most, for others to share a transaction with
    lines: int = 1_000  # in one transaction; where about as many wait, they wait no longer
    look_s: float = 0.05  # between looks at how many that is
    sync_s: float = 1.0
    read_s: float = 0.2  # how long a read of money waits for the journals
    death_s: float = 0.5  # between tries of a lock
    retry_s: float = 1.0  # after a failure, and between looks at a file that is stopped
    keep_days: int = 7


class _Life:
    """What is remembered of one journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offsets: dict[int, int] | None = None  # settled so far, by file; None = ask the database
        self.synced: dict[Path, int] = {}  # sizes that the disk holds
        self.ended = False  # its writer is gone and everything is settled
        self.stopped = ""  # why a newer control must read on
        self.lock_at = 0.0  # when the lock is to be tried next
        self.resting_until = 0.0


class Settlement:
    """One loop per control process. A pass settles what the files hold when it reads them."""

    def __init__(self, database: Database, folder: Path, node: str, pace: Pace) -> None:
        self._database = database
        self._folder = folder
        self._node = node
        self._pace = pace
        self._lives: dict[Incarnation, _Life] = {}
        self._passing = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Settle for ever, and have the disk keep what the journals hold."""
        synced_at = swept_at = time.monotonic()
        failures = 0
        while True:
            try:
                await self.catch_up()
                now = time.monotonic()
                if now - synced_at >= self._pace.sync_s:
                    synced_at = now
                    await self._sync()
                if now - swept_at >= _SWEEP_S:
                    swept_at = now
                    await self._sweep()
                failures = 0
            except Exception:
                _LOG.exception("alarm: the journals in %s cannot be read or kept; trying again", self._folder)
                await asyncio.sleep(min(_LONGEST_RETRY_S, self._pace.retry_s * 2**failures))
                failures = min(failures + 1, _DOUBLINGS)
            await self._rest()

    async def catch_up(self) -> None:
        """Settle everything that the files hold now. Never raises for a database in trouble: the next pass goes on."""
        if self._next is None:
            self._next = asyncio.create_task(self._pass_when_free())
        await asyncio.shield(self._next)

    async def catch_up_soon(self) -> None:
        """The same for a read of money, which waits only so long."""
        try:
            async with asyncio.timeout(self._pace.read_s):
                await self.catch_up()
        except TimeoutError:
            _LOG.info("a read of money did not wait any longer for the journals")

    async def finish(self) -> list[Incarnation]:
        """At the end: settle everything, bury who is gone, keep it all on disk. Returns the journals still open."""
        for life in self._lives.values():
            life.lock_at = life.resting_until = 0.0
        await self.catch_up()
        await self._sync()
        return [incarnation for incarnation, life in self._lives.items() if not life.ended]

    async def _rest(self) -> None:
        """Until a transaction's worth of lines has come, or the first of them has waited for long enough."""
        until = time.monotonic() + self._pace.settle_s
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, self._pace.look_s))
            if sum(map(_grown, self._lives.values())) >= self._pace.lines * _LINE_BYTES:
                return

    async def _pass_when_free(self) -> None:
        async with self._passing:
            self._next = None  # what is written from here on calls for another pass
            found = journals.find_lives(self._folder)
            self._forget_lost(found)
            for incarnation in found:
                life = self._lives.get(incarnation)
                if life is None:
                    life = self._lives[incarnation] = _Life(self._folder / incarnation)
                if not life.ended and life.resting_until <= time.monotonic():
                    await self._settle_or_rest(incarnation, life)

    def _forget_lost(self, found: Iterable[Incarnation]) -> None:
        """A journal that someone took away cannot be read or kept any more: said once, not tried again and again."""
        for incarnation in self._lives.keys() - set(found):
            life = self._lives.pop(incarnation)
            if not life.ended:
                _LOG.error("alarm: the journal %s is gone; what was not settled of it is lost", life.folder)

    async def _settle_or_rest(self, incarnation: Incarnation, life: _Life) -> None:
        try:
            await self._settle_life(incarnation, life)
        except DatabaseAway as error:
            life.offsets, life.resting_until = None, time.monotonic() + self._pace.settle_s
            _LOG.warning("the journal %s waits for the database: %s", incarnation, error)
        except Overtaken as error:
            life.offsets, life.resting_until = None, time.monotonic() + self._pace.settle_s
            _LOG.warning("%s", error)
        except Exception:
            life.offsets, life.resting_until = None, time.monotonic() + self._pace.retry_s
            _LOG.exception("the journal %s was not settled; trying again", incarnation)

    async def _settle_life(self, incarnation: Incarnation, life: _Life) -> None:
        await self._settle_files(incarnation, life)
        if life.stopped or time.monotonic() < life.lock_at:
            return
        life.lock_at = time.monotonic() + self._pace.death_s
        with journals.writer_gone(life.folder) as gone:
            if gone:
                await self._bury(incarnation, life)

    async def _settle_files(self, incarnation: Incarnation, life: _Life, *, tails: bool = False) -> dict[int, int]:
        """Settle every file up to its last whole line, or with `tails` to its last byte. Returns the files' sizes."""
        if life.offsets is None:
            async with self._database.reading() as connection:
                life.offsets = await offsets(connection, incarnation)
        sizes = journals.find_files(life.folder)
        for file in sizes:
            # Its size once more: a file that another one follows has its last line since before the other was made.
            sizes[file] = journals.path_of(life.folder, file).stat().st_size
            offset = life.offsets.get(file, 0)
            while offset < sizes[file]:
                reading = self._read(life, file, offset, sizes[file], tails=tails)
                if not reading.records:
                    break
                await self._settle_reading(incarnation, file, offset, reading)
                offset = life.offsets[file] = reading.end
            if life.stopped:
                break
        return sizes

    def _read(self, life: _Life, file: int, offset: int, size: int, *, tails: bool) -> Reading:
        path = journals.path_of(life.folder, file)
        reading = journals.read_on(path, offset, size, self._pace.lines)
        if reading.halted and not reading.records:
            if not life.stopped:
                _LOG.error("alarm: the journal %s stops at offset %d: %s", path, offset, reading.halted)
            life.stopped = reading.halted
            life.resting_until = time.monotonic() + self._pace.retry_s
            return reading
        life.stopped = ""
        return journals.read_tail(path, offset, size) if tails and not reading.records else reading

    async def _settle_reading(self, incarnation: Incarnation, file: int, offset: int, reading: Reading) -> None:
        batch = Batch(incarnation=incarnation, file=file, start=offset, end=reading.end, records=reading.records)
        async with self._database.writing() as connection:
            settled = await settle(connection, batch)
        for alarm in settled.alarms:
            _LOG.error("alarm: %s", alarm)
        if settled.shortfall:
            _LOG.warning("a batch of %s ran over balances by %d nano-dollars", incarnation, settled.shortfall)

    async def _bury(self, incarnation: Incarnation, life: _Life) -> None:
        """The writer is gone, so the sizes are final: settle to the last byte, then give back what it held."""
        sizes = await self._settle_files(incarnation, life, tails=True)
        if life.stopped:
            return
        opens = await asyncio.to_thread(journals.find_open_calls, life.folder)
        try:
            async with self._database.writing() as connection:
                closed = await close_incarnation(connection, incarnation, opens, sizes, node=self._node)
        except NotReadToTheEnd:
            life.offsets = None
            return
        life.ended = True
        if closed.released or closed.interrupted:
            _LOG.info(
                "worker life %s is over: %d nano-dollars released, %d calls interrupted",
                incarnation, closed.released, closed.interrupted,
            )  # fmt: skip

    async def _sync(self) -> None:
        grown: list[Path] = []
        for life in self._lives.values():
            if life.ended and life.synced:
                continue
            try:
                files = journals.find_files(life.folder)
            except FileNotFoundError:
                continue  # the next pass tells of it
            sizes = {journals.path_of(life.folder, file): size for file, size in files.items()}
            grown.extend(path for path, size in sizes.items() if size != life.synced.get(path))
            life.synced = sizes
        if grown:
            await asyncio.to_thread(journals.sync, grown)

    async def _sweep(self) -> None:
        """Remove journals that are settled and older than a restored database could be."""
        now = time.time()
        for incarnation, life in tuple(self._lives.items()):
            if life.ended and journals.age_s(life.folder, now) > self._pace.keep_days * _DAY_S:
                await asyncio.to_thread(journals.remove, life.folder)
                self._lives.pop(incarnation, None)  # a pass may have found it gone


def _grown(life: _Life) -> int:
    """About how many bytes are unsettled: those of the newest file that is known."""
    if life.ended or life.stopped or not life.offsets:
        return 0
    file, offset = max(life.offsets.items())
    try:
        return journals.path_of(life.folder, file).stat().st_size - offset
    except OSError:
        return 0
