"""A control for tests: the link's other end with a small bank, and a public socket that says what it was asked."""

import asyncio
import hashlib
import hmac
import struct
import time
from pathlib import Path

import msgspec

from yescale.control.rates import Buckets
from yescale.domain.ids import AccountId, Incarnation, KeyId, PurseId
from yescale.domain.link import (
    Alive,
    AskKey,
    Draw,
    Drawn,
    Felt,
    FromControl,
    FromWorker,
    Give,
    Granted,
    Hello,
    KeyAnswer,
    KeyRecord,
    Publish,
    Refused,
    Rested,
    Take,
    Unpriced,
    Welcome,
)
from yescale.domain.snapshot import Snapshot

PEPPER = b"pepper"
KEY = "k" * 48
ACCOUNT_PURSE, KEY_PURSE, BUDGET_PURSE = PurseId(1), PurseId(2), PurseId(100)
INCARNATION = Incarnation("w")
_DECODER = msgspec.msgpack.Decoder(FromWorker)


def key_record(**changes: object) -> KeyRecord:
    """An enabled key of an ordinary account."""
    record = KeyRecord(
        id=KeyId(7), name="laptop", account=AccountId(3), username="ada", group="default", status=1, account_status=1,
        role=1, expires_at=-1, models=None, allow_ips=(), account_purse=ACCOUNT_PURSE, key_purse=KEY_PURSE,
        limited=False,
    )  # fmt: skip
    return msgspec.structs.replace(record, **changes)


class Control:
    """Grants what is asked for while `balance` lasts. `granted` and `keys` may be changed while it runs."""

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        self.internal = folder / "internal.sock"
        self.public = folder / "public.sock"
        self.snapshot = snapshot
        self.keys: dict[str, KeyRecord] = {KEY: key_record()}
        self.balance = 10**12
        self.granted: dict[PurseId, int] = {}
        self.spent_limits: set[int] = set()  # budgets that refuse
        self.rates = Buckets(time.monotonic)
        self.silent = False  # no rate is answered
        self.rested: list[Rested] = []
        self.unpriced: list[str] = []
        self.felt: list[Felt] = []
        self.asked: list[bytes] = []  # requests on the public socket
        self._writers: list[asyncio.StreamWriter] = []
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        self._servers = [
            await asyncio.start_unix_server(self._link, self.internal),
            await asyncio.start_unix_server(self._serve, self.public),
        ]

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.close()

    def publish(self, snapshot: Snapshot) -> None:
        """Push a new snapshot to whoever is connected."""
        self.snapshot = snapshot
        for writer in self._writers:
            _write(writer, Publish(snapshot=snapshot))

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                (size,) = struct.unpack(">I", await reader.readexactly(4))
                for answer in self._answer(_DECODER.decode(await reader.readexactly(size))):
                    _write(writer, answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, message: FromWorker) -> list[FromControl]:
        match message:
            case Hello():
                return [Welcome(node="node-1", key_pepper=PEPPER), Publish(snapshot=self.snapshot), Alive()]
            case AskKey(hash=hashed):
                found = [k for k in self.keys if hmac.digest(PEPPER, k.encode(), hashlib.sha256) == hashed]
                return [KeyAnswer(hash=hashed, key=self.keys[found[0]] if found else None)]
            case Draw():
                return [self._draw(message)]
            case Take():
                return [] if self.silent else [self.rates.take(INCARNATION, message)]
            case Give():
                self.rates.give(INCARNATION, message)
            case Rested():
                self.rested.append(message)
            case Felt():
                self.felt.append(message)
            case Unpriced(model=model):
                self.unpriced.append(model)
            case _:
                pass
        return []

    def _draw(self, message: Draw) -> Drawn:
        totals: list[Granted] = []
        for want in message.wants:
            if want.limit in self.spent_limits:
                refused = Refused(purse=BUDGET_PURSE, code="budget_exceeded", limit=want.limit, valid_s=90.5)
                return Drawn(id=message.id, refused=refused)
            purse = want.purse or PurseId(BUDGET_PURSE + want.limit)
            held = max(self.granted.get(purse, 0), want.have)
            total = min(max(held, want.want), max(held, self.balance))
            if total < want.least:
                refused = Refused(purse=want.purse, code="insufficient_balance", balance=self.balance, held=held)
                return Drawn(id=message.id, refused=refused)
            totals.append(Granted(purse=purse, total=total, limit=want.limit, valid_s=90 if want.limit else None))
        self.granted.update({g.purse: g.total for g in totals})
        return Drawn(id=message.id, granted=tuple(totals))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head)
            body = b"control answers"
            writer.write(
                b"HTTP/1.1 404 Not Found\r\nset-cookie: a=b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
                % (len(body), body)
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


def _write(writer: asyncio.StreamWriter, message: FromControl) -> None:
    payload = msgspec.msgpack.encode(message)
    writer.write(struct.pack(">I", len(payload)) + payload)
