"""The change feed: what anyone changed anywhere is in force on this node within a second.

The numbered rows are the truth and are read each second; a write of this process has them read at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

from yescale.domain.ids import AccountId
from yescale.domain.link import Changed
from yescale.store import changes
from yescale.store.changes import Change
from yescale.store.database import Database, DatabaseAway
from yescale.store.keys import other_secrets

_LOG: Final = logging.getLogger(__name__)


class Audience(Protocol):
    """Who must hear of changes."""

    def tell(self, message: Changed) -> None:
        """Keys, accounts or purses changed."""
        ...

    def start_anew(self) -> None:
        """Which changes were missed is not known: nothing that is remembered may be believed."""
        ...


class Feed:
    """Reads the feed from where it last was, and passes on what it says."""

    def __init__(
        self, database: Database, audience: Audience, refresh: Callable[[], Awaitable[None]], poll_s: float
    ) -> None:
        self._database = database
        self._audience = audience
        self._refresh = refresh
        self._poll_s = poll_s
        self._number: int = 0
        self._behind = False  # a snapshot change was read, but the snapshot could not be built
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        """Stand at the newest change: what is read of the database after this is as new as that."""
        async with self._database.reading() as connection:
            self._number = await changes.latest(connection)

    async def run(self) -> None:
        """Read the feed for ever."""
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self.read()
            except DatabaseAway as error:
                _LOG.warning("the change feed waits for the database: %s", error)
            except Exception:
                _LOG.exception("the change feed was not read; trying again")

    async def announce(self) -> None:
        """After a write of this process: pass it on at once, or with the next look if the database is away."""
        try:
            await self.read()
        except DatabaseAway as error:
            _LOG.warning("a change is passed on later: %s", error)

    async def read(self) -> None:
        """Pass on every change that is committed now. Raises DatabaseAway."""
        async with self._reading:
            while await self._read_some():
                pass
            if self._behind:
                await self._refresh()
                self._behind = False

    async def _read_some(self) -> bool:
        async with self._database.reading() as connection:
            found = await changes.after(connection, self._number)
            latest: int = self._number if found else await changes.latest(connection)
            older = await other_secrets(connection, {change.key_hash for change in found if change.key_hash})
        if latest < self._number:
            _LOG.error("the change feed went back from %d to %d: the database was restored", self._number, latest)
            self._number, self._behind = latest, True
            self._audience.start_anew()
            return True
        if not found:
            return False
        if any(change.kind == "snapshot" for change in found):
            self._behind = True
        gap = found[0].number != self._number + 1
        self._number = found[-1].number
        if gap:
            _LOG.error("changes before number %d are gone; every worker starts anew", found[0].number)
            self._behind = True
            self._audience.start_anew()
        elif (changed := _combine(found, older)) is not None:
            self._audience.tell(changed)
        return True


def _combine(found: Sequence[Change], older: Iterable[bytes]) -> Changed | None:
    """One message for many changes, and for `older` secrets of the keys; None where there is nothing to forget."""
    hashes = {change.key_hash for change in found if change.key_hash is not None}.union(older)
    accounts = {AccountId(change.account_id) for change in found if change.kind == "account" and change.account_id}
    closed = {change.purse_id for change in found if change.purse_id is not None}
    if not hashes and not accounts and not closed:
        return None
    return Changed(hashes=tuple(hashes), accounts=tuple(accounts), closed=tuple(closed))
