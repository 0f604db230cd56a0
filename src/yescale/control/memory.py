"""The memory seam's server: what a worker has kept and asks for again, question by question (domain/memory.py)."""

import asyncio
import logging
from asyncio import StreamReader
from typing import Final

import msgspec

from yescale.control import conversations
from yescale.control.context import Context
from yescale.control.frames import FrameBroken, read_message
from yescale.control.workers import Connection
from yescale.domain.memory import FRAME_ROOM, Find, Found, FromMemory, Keep, Noted, Opened, ToMemory
from yescale.store.database import DatabaseAway

_LOG: Final = logging.getLogger(__name__)
_TO_MEMORY: Final = msgspec.msgpack.Decoder(ToMemory)
_KEEPS: Final = 8  # of one connection that are being stored at a time: each may be large
_FINDS: Final = 1_000  # of one connection that may wait for the database, or for what is being stored


class MemoryServer:
    """Serves the connections that opened with OpenMemory."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def serve(self, reader: StreamReader, connection: Connection) -> None:
        """One connection, to its end."""
        connection.send(Opened())
        slots = {Keep: asyncio.Semaphore(_KEEPS), Find: asyncio.Semaphore(_FINDS)}
        async with asyncio.TaskGroup() as group:
            while (message := await self._next(reader)) is not None:
                free = slots[type(message)]
                await free.acquire()
                group.create_task(self._answer(message, connection, free))

    async def _next(self, reader: StreamReader) -> ToMemory | None:
        try:
            return await read_message(reader, _TO_MEMORY, self._context.memory.response_bytes + FRAME_ROOM)
        except FrameBroken as error:
            _LOG.error("a worker's memory is cut off: %s", error)
            return None

    async def _answer(self, message: ToMemory, connection: Connection, free: asyncio.Semaphore) -> None:
        try:
            connection.send(await self._do(message))
        except Exception:
            _LOG.exception("a %s was not answered", type(message).__name__)
        finally:
            free.release()

    async def _do(self, message: ToMemory) -> FromMemory:
        match message:
            case Keep():
                return await self._keep(message)
            case Find():
                return await self._find(message)

    async def _keep(self, asked: Keep) -> Noted:
        try:
            refusal = await conversations.keep(self._context, asked.account, asked.response, asked.kept)
        except DatabaseAway as error:
            refusal = str(error)
        return Noted(id=asked.id, refusal=refusal)

    async def _find(self, asked: Find) -> Found:
        try:
            kept = await conversations.find(self._context, asked.account, asked.response)
        except DatabaseAway as error:
            _LOG.warning("a response waits for the database: %s", error)
            return Found(id=asked.id, unavailable=True)
        if kept is not None and len(kept) > self._context.memory.response_bytes:
            _LOG.error("a response of %d bytes is too large by now; raise memory.response_bytes again", len(kept))
            return Found(id=asked.id)
        return Found(id=asked.id, kept=kept)
