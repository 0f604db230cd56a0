"""What every use case is handed: the database, the purpose keys, and the two moments that others must hear of."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from yescale.control.market import Market
from yescale.control.secrets import Vault
from yescale.domain.money import NANO_PER_USD, Nano
from yescale.store.database import Database


async def _nothing() -> None:
    """Offline there are no workers: no journal grows, and no one remembers anything."""


class Context(Struct, frozen=True, kw_only=True):
    """Handed to every operation and route. The defaults are those of the offline command line."""

    database: Database
    vault: Vault
    trial: Nano = NANO_PER_USD  # credit of a new account
    market: Market = Market()
    catch_up: Callable[[], Awaitable[None]] = _nothing  # before money is read: settle the journals
    announce: Callable[[], Awaitable[None]] = _nothing  # after a write: pass the changes on at once
