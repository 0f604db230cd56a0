"""What the link server asks of the rest of control: keys, lives, the operator's news, operations."""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import select

from yescale.control.context import Context
from yescale.control.operations import operate
from yescale.domain.ids import AccountId
from yescale.domain.link import AUTO, Hello, KeyRecord, Rested, Unpriced
from yescale.ledger.incarnations import open_incarnation
from yescale.store.database import database_ms
from yescale.store.keys import key_record
from yescale.store.logs import SYSTEM, NewLog, insert_logs
from yescale.store.tables import incarnations

_LOG: Final = logging.getLogger(__name__)
_OPERATOR: Final = AccountId(0)  # whose rows no user sees
_REPEAT_S: Final = 60.0  # the same news again within this time is not written down
_MOST_NEWS: Final = 1_000


class FrontDesk:
    """Answers the link from the database."""

    def __init__(self, context: Context, node: str) -> None:
        self._context = context
        self._node = node
        self._told: dict[str, float] = {}

    async def admit(self, hello: Hello) -> bool:
        """Note a worker's life; False = it was closed. Raises DatabaseAway."""
        async with self._context.database.writing(urgent=True) as connection:
            await open_incarnation(
                connection, hello.incarnation, node=self._node, slot=hello.slot, program=hello.program
            )
            query = select(incarnations.c.closed_ms).where(incarnations.c.id == hello.incarnation)
            closed = (await connection.execute(query)).scalar_one() is not None
        if closed:
            _LOG.error(
                "worker %d comes back with a life that is over, %s; start it anew", hello.slot, hello.incarnation
            )
        return not closed

    async def find_key(self, hashed: bytes) -> KeyRecord | None:
        """The key of a hash. Raises DatabaseAway."""
        async with self._context.database.reading() as connection:
            key = await key_record(connection, hashed)
        if key is not None and key.group == AUTO and not key.groups:
            return replace(key, groups=self._context.auto_groups)
        return key

    async def report(self, news: Rested | Unpriced) -> None:
        """Tell the operator, the same once a minute. Raises DatabaseAway."""
        content = _tell(news)
        if not self._is_new(content):
            return
        _LOG.warning("%s", content)
        async with self._context.database.writing() as connection:
            row = NewLog(at_ms=await database_ms(connection), type=SYSTEM, account_id=_OPERATOR, content=content)
            await insert_logs(connection, [row])

    async def operate(self, operation: str, arguments: Mapping[str, Any]) -> object:
        """Run an operation. Raises OperationRefused, DatabaseAway."""
        return await operate(self._context, operation, arguments)

    def _is_new(self, content: str) -> bool:
        now = time.monotonic()
        if now - self._told.get(content, -_REPEAT_S) < _REPEAT_S:
            return False
        self._told.pop(content, None)
        self._told[content] = now
        if len(self._told) > _MOST_NEWS:
            del self._told[next(iter(self._told))]  # dictionaries keep their order: the oldest comes first
        return True


def _tell(news: Rested | Unpriced) -> str:
    match news:
        case Rested():
            return (
                f"Channel {news.channel}: its provider answered {news.status} to secret number {news.secret + 1}; "
                "it rests until it works again. Check the account at the provider."
            )
        case Unpriced():
            return (
                f"Model {news.model} was called but has no price: set one (yescale admin price set {news.model} ...)."
            )
