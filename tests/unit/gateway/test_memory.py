"""The worker's end of the memory seam, against a control that speaks its frames over a real Unix socket."""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from tests.unit.gateway.fakes import INCARNATION
from tests.unit.gateway.farside import LoopTimers, frame, until
from yescale.domain.ids import AccountId
from yescale.domain.memory import FRAME_ROOM, Find, Found, Keep, Kept, Noted, Opened, OpenMemory, ToMemory
from yescale.gateway.memory import Away, Memory
from yescale.tuning import MemorySettings

pytestmark = pytest.mark.anyio
ADA = AccountId(3)
KEPT = Kept(input=b"[]", answer=b'{"id":"resp_1"}')


class Shelf:
    """Control: keeps what comes. `heard` is all that workers said; questions are answered while `answering`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[Any] = []
        self.kept: dict[tuple[int, str], Kept] = {}
        self.answering = True
        self.refusal = ""
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0.01)

    def say(self, message: Any) -> None:
        self._writers[-1].write(frame(message))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                kinds = OpenMemory | ToMemory
                self._hear(msgspec.msgpack.decode(await reader.readexactly(length), type=kinds))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _hear(self, message: Any) -> None:
        self.heard.append(message)
        match message:
            case OpenMemory():
                self.say(Opened())
            case Keep() if self.answering:
                if not self.refusal:
                    self.kept[message.account, message.response] = message.kept
                self.say(Noted(id=message.id, refusal=self.refusal))
            case Find() if self.answering:
                self.say(Found(id=message.id, kept=self.kept.get((message.account, message.response))))
            case _:
                pass


@asynccontextmanager
async def remembering(shelf: Shelf, **settings: Any) -> AsyncIterator[Memory]:
    greeting = OpenMemory(incarnation=INCARNATION, slot=0)
    memory = Memory(shelf.path, greeting, MemorySettings(**settings), LoopTimers(), Random(1))
    memory.start()
    try:
        yield memory
    finally:
        memory.close()
        await shelf.stop()


async def test_what_is_kept_is_found_by_its_account(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s")
    await shelf.listen()
    async with remembering(shelf) as memory:
        memory.keep(ADA, "resp_1", KEPT)
        assert memory.busy
        await until(lambda: not memory.busy)
        found: list[Kept | Away | None] = []
        memory.find(ADA, "resp_1", found.append)
        memory.find(AccountId(4), "resp_1", found.append)
        await until(lambda: len(found) == 2)
        assert found == [KEPT, None]
        assert isinstance(shelf.heard[0], OpenMemory)


async def test_questions_wait_for_control_to_come_back(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s")
    await shelf.listen()
    async with remembering(shelf) as memory:
        await until(lambda: shelf.heard)
        shelf.answering = False
        found: list[Kept | Away | None] = []
        memory.keep(ADA, "resp_1", KEPT)
        memory.find(ADA, "resp_2", found.append)
        await until(lambda: len(shelf.heard) == 3)
        await shelf.stop()
        memory.keep(ADA, "resp_3", KEPT)
        shelf.answering = True
        await shelf.listen()
        await until(lambda: found and not memory.busy)
        assert found == [None]
        assert set(shelf.kept) == {(ADA, "resp_1"), (ADA, "resp_3")}


async def test_control_that_does_not_answer_in_time_is_away(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s")
    async with remembering(shelf, wait_s=0.05) as memory:
        found: list[Kept | Away | None] = []
        memory.find(ADA, "resp_1", found.append)
        await until(lambda: found)
        assert isinstance(found[0], Away)


async def test_a_database_that_is_away_is_not_an_unknown_response(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s")
    shelf.answering = False
    await shelf.listen()
    async with remembering(shelf) as memory:
        found: list[Kept | Away | None] = []
        memory.find(ADA, "resp_1", found.append)
        await until(lambda: len(shelf.heard) == 2)
        shelf.say(Found(id=shelf.heard[1].id, unavailable=True))
        shelf.say(Found(id=shelf.heard[1].id))
        await until(lambda: found)
        await asyncio.sleep(0.02)
        assert len(found) == 1
        assert isinstance(found[0], Away)


@pytest.mark.parametrize("case", ["refused", "too large", "no room", "the end"])
async def test_what_cannot_be_kept_stands_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    shelf = Shelf(tmp_path / "s")
    shelf.refusal = "the disk is full"
    if case == "refused":
        await shelf.listen()
    settings = {"too large": {"response_bytes": 10}, "no room": {"unkept_bytes": 10}}.get(case, {})
    why = {
        "refused": "the disk is full",
        "too large": "memory.response_bytes",
        "no room": "memory.unkept_bytes",
        "the end": "the worker ended",
    }
    with caplog.at_level(logging.WARNING, "yescale.gateway.memory"):
        async with remembering(shelf, **settings) as memory:
            memory.keep(ADA, "resp_1", KEPT)
            if case != "the end":
                await until(lambda: not memory.busy)
    (line,) = [record.message for record in caplog.records if record.name == "yescale.gateway.memory"]
    assert line.startswith("resp_1 is not kept, and no call can go on from it")
    assert why[case] in line


async def test_room_is_given_back_when_an_answer_is_stored(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s")
    await shelf.listen()
    async with remembering(shelf, unkept_bytes=200) as memory:
        for number in range(20):
            memory.keep(ADA, f"resp_{number}", KEPT)
            await until(lambda: not memory.busy)
        assert len(shelf.kept) == 20


async def test_a_frame_over_the_bound_ends_the_connection_and_the_next_one_works(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s")
    await shelf.listen()
    async with remembering(shelf, response_bytes=100) as memory:
        await until(lambda: shelf.heard)
        shelf.say(Found(id=99, kept=Kept(input=bytes(100 + FRAME_ROOM), answer=b"")))
        await until(lambda: len(shelf.heard) == 2)
        memory.keep(ADA, "resp_1", KEPT)
        await until(lambda: not memory.busy)
        assert shelf.kept
