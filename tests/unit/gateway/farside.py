"""A small control at the other end of a real Unix socket: it speaks the link's frames and grants from a bank."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from tests.unit.gateway.fakes import INCARNATION, Bank
from yescale.domain.link import Alive, AskKey, Draw, FromWorker, Hello, KeyAnswer, KeyRecord, Welcome
from yescale.gateway.clock import SystemClock
from yescale.gateway.link import Link

PEPPER = b"pepper"


class LoopTimers:
    """Timers of the running loop."""

    def start(self, seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, call)


class FarSide:
    """Control. `heard` is all that workers said; questions are answered while `answering`."""

    def __init__(self, path: Path, bank: Bank | None = None) -> None:
        self.path = path
        self.bank = bank or Bank({})
        self.keys: dict[bytes, KeyRecord] = {}
        self.heard: list[Any] = []
        self.answering = True
        self.greeting: list[Any] = [Welcome(node="n", key_pepper=PEPPER), Alive()]
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0.01)

    def say(self, message: Any) -> None:
        self.say_bytes(frame(message))

    def say_bytes(self, data: bytes) -> None:
        self._writers[-1].write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections += 1
        try:
            while True:
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                self._hear(msgspec.msgpack.decode(await reader.readexactly(length), type=FromWorker))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _hear(self, message: Any) -> None:
        self.heard.append(message)
        if isinstance(message, Hello):
            for greeting in self.greeting:
                self.say(greeting)
        elif self.answering and isinstance(message, AskKey):
            self.say(KeyAnswer(hash=message.hash, key=self.keys.get(message.hash)))
        elif self.answering and isinstance(message, Draw):
            self.say(self.bank.draw(1, message))


def frame(message: Any) -> bytes:
    """One message as it travels."""
    body = msgspec.msgpack.encode(message)
    return struct.pack(">I", len(body)) + body


@asynccontextmanager
async def linked(far: FarSide) -> AsyncIterator[Link]:
    """A worker's link to a control that listens."""
    await far.listen()
    link = Link(far.path, Hello(incarnation=INCARNATION, slot=0, pid=1, program="test"), SystemClock(), Random(1))
    link.start()
    try:
        await link.welcomed()
        yield link
    finally:
        link.close()
        await far.stop()


async def until(true: Callable[[], object]) -> None:
    """Wait until it is so; the test's own timeout bounds it."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)
