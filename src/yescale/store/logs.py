"""Log rows that are not calls: top-ups, operator's actions, system notes, refusals, refunds."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.domain.journal import NoLine
from yescale.domain.money import Nano
from yescale.store.tables import logs

TOPPED_UP: Final = 1
MANAGED: Final = 3
SYSTEM: Final = 4
FAILED: Final = 5
REFUNDED: Final = 6


class NewLog(Struct, frozen=True, kw_only=True):
    """A log row to be written. `details` is JSON."""

    at_ms: int
    type: int
    account_id: AccountId
    content: str
    username: str = ""
    key_id: int = 0
    key_name: str = ""
    model: str = ""
    group: str = ""
    amount: Nano = 0
    request_id: str = ""
    ip: str = ""
    actor_id: AccountId | None = None
    details: str = "{}"


async def insert_logs(connection: AsyncConnection, rows: Sequence[NewLog]) -> None:
    """Append rows."""
    if rows:
        await connection.execute(logs.insert(), [asdict(row) for row in rows])


async def insert_refusals(
    connection: AsyncConnection, lines: Sequence[NoLine], usernames: Mapping[AccountId, str]
) -> None:
    """Append the refused calls of known keys."""
    await insert_logs(
        connection,
        [
            NewLog(
                at_ms=line.at_ms,
                type=FAILED,
                account_id=line.account,
                username=usernames.get(line.account, ""),
                key_id=line.key,
                model=line.model,
                request_id=line.id,
                content=f"Refused: {line.code}" if line.count == 1 else f"Refused {line.count} times: {line.code}",
            )
            for line in lines
        ],
    )
