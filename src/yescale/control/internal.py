"""The link server on the internal socket: what workers and the command line ask of control, message by message.

Not HTTP, in a directory of mode 0700: no path of the public port leads here.
"""

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct

from yescale.control.draws import Draws
from yescale.control.frames import FrameBroken, read_frame
from yescale.control.memory import MemoryServer
from yescale.control.operations import OperationRefused
from yescale.control.rates import Buckets
from yescale.control.workers import Connection, Workers
from yescale.domain.ids import PurseId
from yescale.domain.link import (
    INCARNATION_CLOSED,
    AnswerAdmin,
    AskAdmin,
    AskKey,
    Draw,
    Drawn,
    Felt,
    FromWorker,
    Give,
    Hello,
    KeyAnswer,
    KeyRecord,
    Recalled,
    Refused,
    Rested,
    Take,
    Unpriced,
    Welcome,
)
from yescale.domain.memory import OpenMemory
from yescale.store.database import DatabaseAway

_LOG: Final = logging.getLogger(__name__)
_IN_FLIGHT: Final = 1_000  # questions of one connection that may wait for the database at a time
_BACKLOG: Final = 128


class Desk(Protocol):
    """What the link server asks of the rest of control."""

    async def admit(self, hello: Hello) -> bool:
        """Note a worker's life in the database; False = that life is closed and may not go on."""
        ...

    async def find_key(self, hashed: bytes) -> KeyRecord | None:
        """The key of a hash. Raises DatabaseAway."""
        ...

    async def report(self, news: Rested | Unpriced) -> None:
        """Tell the operator."""
        ...

    async def operate(self, operation: str, arguments: Mapping[str, Any]) -> object:
        """Run an operation of the command line. Raises OperationRefused with the one sentence why not."""
        ...


class Lenders(Struct, frozen=True):
    """Where workers take from: money, and rates."""

    draws: Draws
    rates: Buckets


class Badge(Struct, frozen=True):
    """What a Welcome says: the node's id and the purpose key of API keys."""

    node: str
    pepper: bytes

    def __repr__(self) -> str:
        return f"Badge(node={self.node!r})"


def remove_socket(path: Path) -> None:
    """Make room where a process that is gone listened."""
    path.unlink(missing_ok=True)


def close_to_others(path: Path) -> None:
    """Only the owner may connect."""
    path.chmod(0o600)


class LinkServer:
    """Serves the internal socket; a connection per worker or command line, and one for what a worker has kept."""

    def __init__(self, desk: Desk, workers: Workers, lenders: Lenders, badge: Badge, memory: MemoryServer) -> None:
        self._desk = desk
        self._workers = workers
        self._draws = lenders.draws
        self._rates = lenders.rates
        self._badge = badge
        self._memory = memory
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def open(self, path: Path) -> None:
        """Listen; the socket of an earlier life is replaced."""
        remove_socket(path)
        self._server = await asyncio.start_unix_server(self._accept, path, backlog=_BACKLOG)
        close_to_others(path)

    async def close(self) -> None:
        """Stop listening and end every conversation."""
        if self._server is not None:
            self._server.close()
        for conversation in tuple(self._conversations):
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Begin a conversation; asyncio itself would show a traceback for each that `close` cancels."""
        task = asyncio.create_task(self._converse(reader, writer))
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = Connection(writer)
        slots = asyncio.Semaphore(_IN_FLIGHT)
        try:
            async with asyncio.TaskGroup() as group:
                while (message := await self._next(reader)) is not None:
                    if isinstance(message, OpenMemory):
                        await self._memory.serve(reader, connection)
                        break
                    if isinstance(message, Hello):
                        await self._welcome(message, connection)
                    elif isinstance(message, Take | Give):
                        self._rate(message, connection)
                    else:
                        await slots.acquire()
                        group.create_task(self._answer(message, connection, slots))
                self._leave(connection)
        finally:
            self._leave(connection)
            connection.close()

    def _leave(self, connection: Connection) -> None:
        hello = connection.hello
        if hello is not None and self._workers.leave(hello.incarnation, connection):
            self._rates.leave(hello.incarnation)

    async def _next(self, reader: StreamReader) -> FromWorker | None:
        try:
            return await read_frame(reader)
        except FrameBroken as error:
            _LOG.error("a peer of the link is cut off: %s", error)
            return None

    async def _welcome(self, hello: Hello, connection: Connection) -> None:
        try:
            admitted = await self._desk.admit(hello)
        except DatabaseAway as error:
            _LOG.warning("worker %d waits for the database: %s", hello.slot, error)
            connection.close()
            return
        if not admitted:
            connection.send(Drawn(id=0, refused=Refused(purse=PurseId(0), code=INCARNATION_CLOSED)))
            connection.close()
            return
        connection.hello = hello
        connection.send(Welcome(node=self._badge.node, key_pepper=self._badge.pepper))
        connection.send_frame(self._workers.snapshot_frame)
        self._workers.join(hello.incarnation, connection)

    async def _answer(self, message: FromWorker, connection: Connection, slots: asyncio.Semaphore) -> None:
        try:
            match message:
                case AskKey():
                    connection.send(await self._find_key(message.hash))
                case Draw():
                    await self._draw(message, connection)
                case Recalled() | Felt():
                    self._note(message, connection)
                case Rested() | Unpriced():
                    await self._desk.report(message)
                case AskAdmin():
                    connection.send(await self._operate(message))
                case Hello() | OpenMemory() | Take() | Give():
                    pass
        except DatabaseAway as error:
            _LOG.warning("a %s waits for the database: %s", type(message).__name__, error)
        except Exception:
            _LOG.exception("a %s of the link was not answered", type(message).__name__)
        finally:
            slots.release()

    def _rate(self, message: Take | Give, connection: Connection) -> None:
        """At once, and in order: a worker's counts are absolute."""
        if connection.hello is None:
            return
        if isinstance(message, Give):
            self._rates.give(connection.hello.incarnation, message)
        else:
            connection.send(self._rates.take(connection.hello.incarnation, message))

    def _note(self, message: Recalled | Felt, connection: Connection) -> None:
        if connection.hello is None:
            return
        worker = connection.hello.incarnation
        if isinstance(message, Recalled):
            self._workers.recalled(worker, message.id)
        else:
            self._workers.wellness.hear(worker, message)

    async def _find_key(self, hashed: bytes) -> KeyAnswer:
        try:
            return KeyAnswer(hash=hashed, key=await self._desk.find_key(hashed))
        except DatabaseAway:
            return KeyAnswer(hash=hashed, key=None, unavailable=True)

    async def _draw(self, message: Draw, connection: Connection) -> None:
        if connection.hello is None:
            _LOG.error("a draw came before a hello; the connection is closed")
            connection.close()
            return
        connection.send(await self._draws.draw(message.id, connection.hello.incarnation, message.wants))

    async def _operate(self, message: AskAdmin) -> AnswerAdmin:
        try:
            return AnswerAdmin(id=message.id, result=await self._desk.operate(message.operation, message.arguments))
        except OperationRefused as refusal:
            return AnswerAdmin(id=message.id, error=str(refusal))
        except DatabaseAway as error:
            return AnswerAdmin(id=message.id, error=str(error))
        except Exception:
            _LOG.exception("the operation %s failed", message.operation)
            return AnswerAdmin(id=message.id, error="The operation failed inside control; its log says why.")
