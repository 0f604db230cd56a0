"""What the link server asks of the rest of control: keys, lives, operator's news, operations."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from yescale.control.context import Context
from yescale.control.operations import operate
from yescale.control.snapshot import Snapshots
from yescale.domain.ids import AccountId
from yescale.domain.link import Hello, KeyRecord, Rested, Unpriced
from yescale.domain.snapshot import Snapshot
from yescale.ledger.incarnations import open_incarnation, standing
from yescale.store import keys
from yescale.store.database import database_ms
from yescale.store.logs import SYSTEM, NewLog, insert_logs

_LOG: Final = logging.getLogger(__name__)
_OPERATOR: Final = AccountId(0)  # rows that no account sees


class FrontDesk:
    """Answers the link from the database."""

    def __init__(self, context: Context, snapshots: Snapshots, node: str) -> None:
        self._context = context
        self._snapshots = snapshots
        self._node = node

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return self._snapshots.current

    async def admit(self, hello: Hello) -> bool:
        """Note a worker's life; False = it was closed. Raises DatabaseAway."""
        async with self._context.database.writing(urgent=True) as connection:
            await open_incarnation(
                connection, hello.incarnation, node=self._node, slot=hello.slot, program=hello.program
            )
            closed = await is_closed(connection, hello.incarnation)
        if closed:
            _LOG.error("worker %d comes back with a life that is over (%s); start it anew", hello.slot, hello.incarnation)
        return not closed

    async def find_key(self, hashed: bytes) -> KeyRecord | None:
        """The key of a hash. Raises DatabaseAway."""
        async with self._context.database.reading() as connection:
            return await keys.find_record(connection, hashed)

    async def report(self, news: Rested | Unpriced) -> None:
        """Tell the operator. Raises DatabaseAway."""
        content = _tell(news)
        _LOG.warning("%s", content)
        async with self._context.database.writing() as connection:
            row = NewLog(at_ms=await database_ms(connection), type=SYSTEM, account_id=_OPERATOR, content=content)
            await insert_logs(connection, [row])

    async def operate(self, operation: str, arguments: Mapping[str, Any]) -> object:
        """Run an operation. Raises OperationRefused, DatabaseAway."""
        return await operate(self._context, operation, arguments)


def _tell(news: Rested | Unpriced) -> str:
    match news:
        case Rested():
            return (
                f"Channel {news.channel}: its provider answered {news.status} to secret number {news.secret + 1}; "
                "it rests until it works again. Check the account at the provider."
            )
        case Unpriced():
            return f"Model {news.model} was called but has no price: set one (yescale admin price set {news.model} ...)."
