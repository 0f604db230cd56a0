"""Disables channels whose every secret is refused, tells the operator, and enables them when a probe says they work.

Workers let a refused secret rest and probe it with calls; who has no other channel would go on paying for that with
failures, and who has one would never hear of it.
"""

import asyncio
import logging
import time
from typing import Final

from yescale.control.context import Context
from yescale.control.operations.probes import probe_row
from yescale.control.snapshot import open_channel
from yescale.domain.ids import AccountId, ChannelId
from yescale.domain.snapshot import Channel, fingerprint
from yescale.store import changes
from yescale.store.channels import ENABLED, REFUSED, ChannelRow, list_channels, switch_channel
from yescale.store.database import DatabaseAway, database_ms
from yescale.store.logs import SYSTEM, NewLog, insert_logs
from yescale.tuning import ControlSettings

_LOG: Final = logging.getLogger(__name__)
_OPERATOR: Final = AccountId(0)  # whose rows no user sees


class Guard:
    """One loop per control process; two that see the same change it once."""

    def __init__(self, context: Context, settings: ControlSettings) -> None:
        self._context = context
        self._settings = settings
        self._probed: dict[ChannelId, float] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._settings.guard_s)
            try:
                await self.look()
            except DatabaseAway as error:
                _LOG.warning("the channels' guard waits for the database: %s", error)
            except Exception:
                _LOG.exception("the channels were not looked after; trying again")

    async def look(self) -> None:
        """Disable and enable what is due. Raises DatabaseAway."""
        async with self._context.database.reading() as connection:
            rows = await list_channels(connection)
        self._probed = {row.id: self._probed.get(row.id, 0.0) for row in rows if row.status == REFUSED}
        for row in rows:
            if row.status == ENABLED and (reason := self._refused(row)):
                await self._switch(row, REFUSED, reason)
            elif row.status == REFUSED and self._is_due(row.id) and await self._works(row):
                await self._switch(row, ENABLED, "")

    def _refused(self, row: ChannelRow) -> str:
        """Why no call may go there any more; "" = it may."""
        least_s = self._settings.refused_s
        standing = self._context.wellness.of(row.id)
        if not least_s or not standing.secrets:
            return ""
        channel = self._worn(row)
        if channel is None or not channel.secrets:
            return ""
        refused = {each.fingerprint: each for each in standing.secrets if each.status and each.refused_s >= least_s}
        found = [refused.get(fingerprint(secret)) for secret in channel.secrets]
        statuses = sorted({each.status for each in found if each is not None})
        if None in found:
            return ""
        return f"its provider has answered {', '.join(map(str, statuses))} to every secret for {least_s:.0f} s"

    def _worn(self, row: ChannelRow) -> Channel | None:
        """The channel as workers have it: with tokens in place of service accounts."""
        return next((channel for channel in self._context.snapshot().channels if channel.id == row.id), None)

    def _is_due(self, channel: ChannelId) -> bool:
        now = time.monotonic()
        if now - self._probed[channel] < self._settings.probe_s:
            return False
        self._probed[channel] = now
        return True

    async def _works(self, row: ChannelRow) -> bool:
        channel = open_channel(row, self._context.vault)
        return channel is not None and any(probed.ok for probed in (await probe_row(self._context, channel)).secrets)

    async def _switch(self, row: ChannelRow, status: int, reason: str) -> None:
        words = f"is disabled: {reason}" if reason else "works again and is enabled"
        async with self._context.database.writing() as connection:
            now_ms = await database_ms(connection)
            if not await switch_channel(connection, row.id, (row.status, status), reason, now_ms=now_ms):
                return  # someone else was faster
            content = f"Channel {row.id} ({row.name}) {words}."
            news = NewLog(at_ms=now_ms, type=SYSTEM, account_id=_OPERATOR, content=content)
            await insert_logs(connection, [news])
            await changes.note(connection, "snapshot", at_ms=now_ms)
        _LOG.log(logging.ERROR if reason else logging.WARNING, "%s%s", "alarm: " if reason else "", content)
        await self._context.announce()
