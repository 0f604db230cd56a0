"""Drawing money for workers: one transaction of the bank, and what is tried before a refusal stands."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeGuard

from yescale.control.workers import Workers
from yescale.domain.faults import BUDGET_EXCEEDED, INSUFFICIENT_BALANCE, KEY_EXHAUSTED, UNAVAILABLE
from yescale.domain.ids import Incarnation, PurseId
from yescale.domain.link import Drawn, Granted, Refused, Want
from yescale.ledger import bank
from yescale.store.database import Database, DatabaseAway

_LOG: Final = logging.getLogger(__name__)
_WANT_OF_MONEY: Final = frozenset({INSUFFICIENT_BALANCE.code, KEY_EXHAUSTED.code, BUDGET_EXCEEDED.code})

Outcome = tuple[Granted, ...] | Refused


class _Recall:
    """A recall of one purse, shared by every draw that waits for it."""

    def __init__(self) -> None:
        self.over = False
        self.moved = asyncio.Event()  # something came home since this event was made

    def move(self) -> None:
        """Wake who waits, and begin to wait anew."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()


class Lender:
    """The bank, one transaction per draw."""

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node

    async def lend(self, incarnation: Incarnation, wants: tuple[Want, ...]) -> Outcome:
        """Raise the leases, all or none. Raises DatabaseAway."""
        async with self._database.writing(urgent=True) as connection:
            return await bank.draw(connection, incarnation, wants, node=self._node)


class Draws:
    """The bank as workers see it. One recall is in flight per purse, however many draws wait for it."""

    def __init__(
        self, lender: Lender, workers: Workers, catch_up: Callable[[], Awaitable[object]], recall_s: float
    ) -> None:
        self._lender = lender
        self._workers = workers
        self._catch_up = catch_up
        self._recall_s = recall_s
        self._recalls: dict[PurseId, _Recall] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def draw(self, number: int, incarnation: Incarnation, wants: tuple[Want, ...]) -> Drawn:
        """The answer to a Draw; DatabaseAway becomes a refusal that says so."""
        if not wants:
            return Drawn(id=number)
        try:
            outcome = await self._draw_or_recall(incarnation, wants)
        except DatabaseAway as error:
            _LOG.warning("a draw waits for the database: %s", error)
            outcome = Refused(purse=wants[0].purse, code=UNAVAILABLE.code)
        if isinstance(outcome, Refused):
            return Drawn(id=number, refused=outcome)
        return Drawn(id=number, granted=outcome)

    def close(self) -> None:
        """Give up the recalls in flight."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _draw_or_recall(self, incarnation: Incarnation, wants: tuple[Want, ...]) -> Outcome:
        outcome = await self._lender.lend(incarnation, wants)
        deadline = asyncio.get_running_loop().time() + self._recall_s
        while _held_by_others(outcome) and asyncio.get_running_loop().time() < deadline:
            purse = outcome.purse
            recall = self._recalls.get(purse) or self._begin_recall(purse, incarnation)
            outcome, final = await self._try_until_over(recall, purse, incarnation, wants)
            if final:
                break
        return outcome

    async def _try_until_over(
        self, recall: _Recall, purse: PurseId, incarnation: Incarnation, wants: tuple[Want, ...]
    ) -> tuple[Outcome, bool]:
        """The outcome once this purse no longer refuses, or (with True) after the last that the recall brought."""
        moved = recall.moved
        while True:
            await moved.wait()
            moved, over = recall.moved, recall.over  # before the try: what moves during it calls for another
            outcome = await self._lender.lend(incarnation, wants)
            if over or not _held_by_others(outcome) or outcome.purse != purse:
                return outcome, over

    def _begin_recall(self, purse: PurseId, asker: Incarnation) -> _Recall:
        recall = self._recalls[purse] = _Recall()
        task = asyncio.create_task(self._bring_home(purse, asker, recall))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return recall

    async def _bring_home(self, purse: PurseId, asker: Incarnation, recall: _Recall) -> None:
        """Settle what the journals hold, then ask the other workers for what is idle and settle each answer."""
        try:
            async with asyncio.timeout(self._recall_s):
                await self._catch_up()
                recall.move()
                await self._ask_workers(purse, asker, recall)
        except (TimeoutError, DatabaseAway) as error:
            _LOG.debug("the recall of purse %d ends early: %s", purse, type(error).__name__)
        finally:
            del self._recalls[purse]
            recall.over = True
            recall.move()

    async def _ask_workers(self, purse: PurseId, asker: Incarnation, recall: _Recall) -> None:
        number, answers = self._workers.recall((purse,), asker)
        try:
            while answers.waiting_for:
                await answers.answered.wait()
                answers.answered.clear()
                await self._catch_up()
                recall.move()
        finally:
            self._workers.close_round(number)


def _held_by_others(outcome: Outcome) -> TypeGuard[Refused]:
    """Whether money that someone holds stands behind a refusal, so that settling and recalling may help."""
    return isinstance(outcome, Refused) and outcome.held > 0 and outcome.code in _WANT_OF_MONEY
