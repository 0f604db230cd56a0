"""A running control process and what a test does with it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from tests.integration.control.worker import RawJournal, RawWorker
from yescale.control.app import running
from yescale.control.context import Context
from yescale.control.operations import operate
from yescale.settings import Settings
from yescale.tuning import ControlSettings, MoneySettings


class House(Struct, kw_only=True):
    settings: Settings
    context: Context
    client: httpx.AsyncClient
    note: dict[str, Any]
    peers: list[RawWorker] = []

    async def close(self) -> None:
        for peer in self.peers:
            await peer.close()

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """A GET of the System API with the demo account's access key."""
        return await self.client.get(f"/yescale/{path}", params=params, headers=bearer(self.note["access_key"]))

    async def call(self, method: str, path: str, access_key: str | None = None, **more: Any) -> httpx.Response:
        headers = bearer(access_key or self.note["access_key"])
        return await self.client.request(method, f"/yescale/{path}", headers=headers, **more)

    async def operate(self, operation: str, /, **arguments: Any) -> Any:
        return await operate(self.context, operation, arguments)

    async def worker(self, incarnation: str | None = None) -> RawWorker:
        worker = await (await self.peer()).hello(incarnation)
        await worker.next("publish")
        return worker

    async def peer(self) -> RawWorker:
        """A connection to the internal socket that has said nothing yet; closed at the end."""
        peer = await RawWorker.connect(self.settings.internal_socket)
        self.peers.append(peer)
        return peer

    def journal(self, incarnation: str) -> RawJournal:
        return RawJournal(self.settings.journals, incarnation)


@asynccontextmanager
async def open_house(database_url: str) -> AsyncIterator[House]:
    """A home of its own, and control in it from its first start to its end."""
    with tempfile.TemporaryDirectory(prefix="yescale-") as folder:  # short: so must the path of a Unix socket be
        async with enter_house(Path(folder), database_url) as house:
            yield house


@asynccontextmanager
async def enter_house(home: Path, database_url: str, **changed: Any) -> AsyncIterator[House]:
    """Control in a home that may have been lived in."""
    settings = Settings(
        **{
            "home": home,
            "database": database_url,
            "sandbox": True,
            "sandbox_port": 4999,
            "control": ControlSettings(settle_s=0.02, heartbeat_s=0.5),
            "money": MoneySettings(recall_s=0.5),
        }
        | changed
    )
    async with running(settings, asyncio.Event()) as context:
        transport = httpx.AsyncHTTPTransport(uds=str(settings.public_socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://yescale", timeout=30) as client:
            note = msgspec.json.decode((settings.home / "bootstrap.json").read_bytes())
            house = House(settings=settings, context=context, client=client, note=note)
            try:
                yield house
            finally:
                await house.close()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
