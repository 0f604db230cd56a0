"""A running control process and what a test does with it."""

from typing import Any

import httpx
from msgspec import Struct

from tests.integration.control.worker import RawJournal, RawWorker
from yescale.control.context import Context
from yescale.control.operations import operate
from yescale.settings import Settings


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


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
