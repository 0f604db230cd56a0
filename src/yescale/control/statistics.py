"""The figures of the catalogue: new call rows counted now and then, a bounded number at a time."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from yescale.control.figures import HOUR_MS, NO_FIGURES, Figures, count, read, resting
from yescale.domain.ids import ChannelId
from yescale.store import statistics
from yescale.store.database import Database, DatabaseAway, database_ms
from yescale.store.statistics import Hour
from yescale.tuning import StatisticsSettings

_LOG: Final = logging.getLogger(__name__)
_BATCH: Final = 2_000  # call rows of one transaction
_MOST: Final = 10_000  # and of one look
_DAY_HOURS: Final = 24
_LATE_HOURS: Final = 2  # an hour that is over may still grow: journals of another node come late
_RECENT: Final = 500  # call rows that say how channels are
_RECENT_MS: Final = 300_000


class Statistics:
    """What the catalogue shows of models and channels, at most a minute late."""

    def __init__(self, database: Database, settings: StatisticsSettings) -> None:
        self._database = database
        self._settings = settings
        self._seen = 0  # the newest call row of the last look
        self._hours: dict[str, dict[int, Hour]] = {}
        self._figures: Mapping[str, Figures] = {}
        self._oldest = 0  # the hour from which on they are kept
        self._since = 0  # and the one from which on they may have changed
        self._resting: frozenset[ChannelId] = frozenset()

    def figures(self, model: str) -> Figures:
        """What the calls of the last days say of a model."""
        return self._figures.get(model, NO_FIGURES)

    def rests(self, channel: ChannelId) -> bool:
        """Whether a channel fails all that it is asked. (By the log; workers know more.)"""
        return channel in self._resting

    async def run(self) -> None:
        """Look again and again."""
        while True:
            try:
                await self.look()
            except DatabaseAway as error:
                _LOG.warning("the catalogue's figures wait for the database: %s", error)
            except Exception:
                _LOG.exception("the catalogue's figures were not counted; trying again")
            await asyncio.sleep(self._settings.every_s)

    async def look(self) -> None:
        """Count what is new and read what changed. Raises DatabaseAway.

        Rows are counted at the second look that sees them: in PostgreSQL one with a smaller id may come later.
        """
        upto = self._seen
        while await self._count_some(upto):
            pass
        async with self._database.reading() as connection:
            self._seen = await statistics.newest_call(connection)
            now_ms = await database_ms(connection)
            self._resting = resting(await statistics.newest_attempts(connection, now_ms - _RECENT_MS, _RECENT))
            changed = await statistics.hours_since(connection, self._since)
        await self._take_in(changed, now_ms // HOUR_MS)

    async def _count_some(self, upto: int) -> bool:
        """Count one batch; whether there may be more. Of a flood the newest rows alone are counted."""
        async with self._database.reading() as connection:
            done = await statistics.counted_upto(connection)
            begin = 0 if done is None else max(done, upto - _MOST)
            found = () if done is None else await statistics.calls_between(connection, begin, upto, _BATCH)
        if done is None:
            await self._begin()
            return True
        if not found:
            return False
        added = count(found)
        async with self._database.writing() as connection:
            if await statistics.advance(connection, done, found[-1].id):  # else another control counted them
                await statistics.add_hours(connection, added)
        self._since = min([self._since, *(hour.hour for hour in added)])
        return len(found) == _BATCH

    async def _begin(self) -> None:
        async with self._database.writing() as connection:
            since_ms = await database_ms(connection) - self._settings.days * _DAY_HOURS * HOUR_MS
            await statistics.begin_counting(connection, since_ms)

    async def _take_in(self, changed: Sequence[Hour], hour: int) -> None:
        """Hours that were read; those that are too old go, from the database too."""
        oldest = hour - self._settings.days * _DAY_HOURS
        touched = {each.model for each in changed}
        for each in changed:
            self._hours.setdefault(each.model, {})[each.hour] = each
        if oldest > self._oldest:
            touched |= self._drop(oldest)
            async with self._database.writing() as connection:
                await statistics.forget_hours(connection, oldest)
        self._oldest = oldest
        self._since = max(oldest, hour - _LATE_HOURS)
        fresh = {model: read(list(self._hours[model].values())) for model in touched}
        self._figures = {**self._figures, **fresh}

    def _drop(self, oldest: int) -> set[str]:
        """The models that had older hours."""
        touched: set[str] = set()
        for model, hours in self._hours.items():
            old = [hour for hour in hours if hour < oldest]
            for hour in old:
                del hours[hour]
            if old:
                touched.add(model)
        return touched
