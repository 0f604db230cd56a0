"""What every use case is handed: the database, the purpose keys, and the moments that others must hear of."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct, field

from yescale.control.figures import NO_FIGURES, Figures
from yescale.control.market import Market
from yescale.control.secrets import Vault
from yescale.control.wellness import Wellness
from yescale.domain.ids import ChannelId, PurseId
from yescale.domain.money import NANO_PER_USD, Nano
from yescale.domain.snapshot import Snapshot
from yescale.store.database import Database
from yescale.tuning import MemorySettings


async def _nothing() -> None:
    """Offline there are no workers: no journal grows, and no one remembers anything."""


def _no_one(purse: PurseId) -> None:
    """Offline no one holds money."""


def _nothing_counted(_model: str) -> Figures:
    """Offline nobody counts calls."""
    return NO_FIGURES


def _all_well(_channel: ChannelId) -> bool:
    """Offline nobody knows how channels are."""
    return False


def _no_snapshot() -> Snapshot:
    """Offline no one serves."""
    return Snapshot(version=0)


class Context(Struct, frozen=True, kw_only=True):
    """Handed to every operation and route. The defaults are those of an offline command line."""

    database: Database
    vault: Vault
    trial: Nano = NANO_PER_USD  # credit of a new account
    market: Market = Market()
    memory: MemorySettings = MemorySettings()  # of the responses that are kept
    auto_groups: tuple[str, ...] = ("default",)  # of keys whose group is `auto` and that say none of their own
    note_file: Path | None = None  # bootstrap.json: where the first password stands until it is changed
    catch_up: Callable[[], Awaitable[None]] = _nothing  # before money is read: settle the journals
    figures: Callable[[str], Figures] = _nothing_counted  # what the last days' calls say of a model
    rests: Callable[[ChannelId], bool] = _all_well  # whether a channel fails all that it is asked
    announce: Callable[[], Awaitable[None]] = _nothing  # after a write: pass the changes on at once
    wellness: Wellness = field(default_factory=Wellness)  # what this node's workers say of their channels
    snapshot: Callable[[], Snapshot] = _no_snapshot  # what workers serve from
    ca_file: str = ""  # certificates that upstreams may prove themselves by, besides the system's
    recall: Callable[[PurseId], None] = _no_one  # leases hold more than a lowered limit leaves
