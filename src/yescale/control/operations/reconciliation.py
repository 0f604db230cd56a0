"""The ledger against a provider's own record of what it served."""

import msgspec
from msgspec import Struct

from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.ledger.reconcile import Scope, reconcile
from yescale.ledger.statement import MOST_LINES, Served


class ReconcileLedger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lines of the provider's record, and which of our calls they are about: unix seconds, both ends included."""

    lines: tuple[Served, ...]
    channel: int | None = None
    since: int | None = None
    until: int | None = None


async def reconcile_ledger(context: Context, asked: ReconcileLedger) -> object:
    """Compare call by call; every difference, and whether there is none."""
    if len(asked.lines) > MOST_LINES:
        raise OperationRefused(f"At most {MOST_LINES} lines at a time; split the file.")
    await context.catch_up()
    scope = Scope(
        channel=asked.channel,
        since_ms=None if asked.since is None else asked.since * 1000,
        until_ms=None if asked.until is None else asked.until * 1000 + 999,
    )
    async with context.database.reading() as connection:
        return msgspec.to_builtins(await reconcile(connection, asked.lines, scope))
