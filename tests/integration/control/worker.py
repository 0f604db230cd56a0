"""A worker as control sees it, written from domain/link.py alone: raw frames and raw journal lines."""

import asyncio
import fcntl
import json
import os
import secrets
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

ORDER = {
    "head": ("format", "incarnation", "node", "file", "program", "at_ms"),
    "open": ("calls",),
    "end": (
        "id", "at_ms", "key", "account", "username", "key_name", "group", "model", "upstream_model", "channel",
        "outcome", "status", "stream", "usage", "estimated", "lines", "amount", "charges", "attempts", "first_ms",
        "total_ms", "snapshot", "backs", "ip", "client_request_id", "error", "note", "losses", "tags",
    ),
    "back": ("purses",),
    "no": ("at_ms", "key", "account", "code", "count", "model", "id"),
    "next": ("file",),
}  # fmt: skip


def new_incarnation() -> str:
    return secrets.token_hex(16)


class RawWorker:
    """One connection to the internal socket. Messages that arrive are kept by type, in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.incarnation = ""
        self.received: list[dict[str, Any]] = []
        self.ended = asyncio.Event()
        self._arrived = asyncio.Condition()
        self._writer = writer
        self._numbers = 0
        self._task = asyncio.create_task(self._read(reader))

    @classmethod
    async def connect(cls, path: Path) -> "RawWorker":
        return cls(*await asyncio.open_unix_connection(path, limit=2**26))

    async def hello(self, incarnation: str | None = None, slot: int = 0) -> "RawWorker":
        self.incarnation = incarnation or new_incarnation()
        self.send({
            "type": "hello", "incarnation": self.incarnation, "slot": slot, "pid": os.getpid(), "program": "test",
            "format": 1, "a_field_of_tomorrow": True,
        })  # fmt: skip
        return self

    def send(self, message: Mapping[str, Any]) -> None:
        body = msgspec.msgpack.encode(message)
        self._writer.write(len(body).to_bytes(4, "big") + body)

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def next(self, kind: str, count: int = 1, timeout_s: float = 5.0) -> dict[str, Any]:
        """The count-th message of a kind since the start."""
        async with asyncio.timeout(timeout_s), self._arrived:
            while True:
                found = [message for message in self.received if message["type"] == kind]
                if len(found) >= count:
                    return found[count - 1]
                await self._arrived.wait()

    def count(self, kind: str) -> int:
        return sum(message["type"] == kind for message in self.received)

    async def draw(self, *wants: tuple[int, int, int, int], timeout_s: float = 5.0) -> dict[str, Any]:
        """Each want is (purse, have, least, want)."""
        self._numbers += 1
        number = self._numbers
        self.send({
            "type": "draw", "id": number,
            "wants": [dict(zip(("purse", "have", "least", "want"), want, strict=True)) for want in wants],
        })  # fmt: skip
        async with asyncio.timeout(timeout_s), self._arrived:
            while True:
                for message in self.received:
                    if message["type"] == "drawn" and message["id"] == number:
                        return message
                await self._arrived.wait()

    async def ask_key(self, hashed: bytes, count: int = 1) -> dict[str, Any]:
        self.send({"type": "ask_key", "hash": hashed})
        return await self.next("key", count)

    async def operate(self, operation: str, /, **arguments: Any) -> dict[str, Any]:
        self._numbers += 1
        self.send({"type": "ask_admin", "id": self._numbers, "operation": operation, "arguments": arguments})
        async with asyncio.timeout(5), self._arrived:
            while True:
                for message in self.received:
                    if message["type"] == "answer_admin" and message["id"] == self._numbers:
                        return message
                await self._arrived.wait()

    async def close(self) -> None:
        self._writer.close()
        self._task.cancel()
        await asyncio.gather(self._task, self._writer.wait_closed(), return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                message = msgspec.msgpack.decode(await reader.readexactly(length))
                async with self._arrived:
                    self.received.append(message)
                    self._arrived.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended.set()


class RawJournal:
    """The journal of one incarnation, written line by line; `die` lets go of the lock as a killed process would."""

    def __init__(self, folder: Path, incarnation: str, node: str = "test") -> None:
        self.incarnation = incarnation
        self.folder = folder / incarnation
        self.n = 0
        self.number = 0
        making = folder / f".{incarnation}.making"
        making.mkdir(parents=True)
        self._lock = os.open(making / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._file = -1
        self._node = node
        self._open(making)
        making.rename(self.folder)

    def _open(self, folder: Path) -> None:
        self.number += 1
        path = folder / f"{self.number:06d}.log"
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self.write(
            "head",
            format=1,
            incarnation=self.incarnation,
            node=self._node,
            file=self.number,
            program="test",
            at_ms=now_ms(),
        )

    @property
    def path(self) -> Path:
        return self.folder / f"{self.number:06d}.log"

    def write(self, kind: str, **fields: Any) -> None:
        self.n += 1
        self.write_bytes(line_of(kind, self.n, **fields))

    def write_bytes(self, data: bytes) -> None:
        os.write(self._file, data)

    def open_calls(self, *calls: Mapping[str, Any]) -> None:
        order = ("id", "at_ms", "key", "account", "model", "channel", "reserved", "stream")
        self.write("open", calls=[[call[name] for name in order] for call in calls])

    def end(self, call_id: str, **fields: Any) -> None:
        self.write("end", **end_fields(call_id, **fields))

    def give_back(self, *purses: tuple[int, int]) -> None:
        self.write("back", purses=list(purses))

    def next_file(self) -> None:
        self.write("next", file=self.number + 1)
        os.close(self._file)
        self._open(self.folder)

    def die(self) -> None:
        os.close(self._file)
        os.close(self._lock)


def line_of(kind: str, n: int, **fields: Any) -> bytes:
    """The fields in the order of their line; of a type that is not known here, as they are given."""
    order = ORDER.get(kind, tuple(fields))
    text = json.dumps([kind, n, *[fields.pop(name) for name in order]], separators=(",", ":")).encode()
    assert not fields, fields
    return b"%08x %s\n" % (zlib.crc32(text), text)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def new_call_id() -> str:
    return time.strftime("%Y%m%d%H%M%S") + "123456789" + secrets.token_hex(4)


def end_fields(call_id: str, **fields: Any) -> dict[str, Any]:
    """An `end` line; name what matters to the test."""
    return {
        "id": call_id, "at_ms": now_ms(), "key": 0, "account": 0, "username": "demo", "key_name": "demo",
        "group": "openai", "model": "gpt-4o", "upstream_model": "gpt-4o", "channel": 1, "outcome": "ok", "status": 200,
        "stream": False, "usage": {}, "estimated": False, "lines": [], "amount": 0, "charges": [], "attempts": [],
        "first_ms": 12, "total_ms": 1234, "snapshot": 1, "backs": [], "ip": "", "client_request_id": "", "error": "",
        "note": "", "losses": [], "tags": [],
    } | fields  # fmt: skip
