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

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """A GET of the System API with the demo account's access key."""
        return await self.client.get(f"/yescale/{path}", params=params, headers=bearer(self.note["access_key"]))

    async def call(self, method: str, path: str, access_key: str | None = None, **more: Any) -> httpx.Response:
        headers = bearer(access_key or self.note["access_key"])
        return await self.client.request(method, f"/yescale/{path}", headers=headers, **more)

    async def operate(self, name: str, **arguments: Any) -> Any:
        return await operate(self.context, name, arguments)

    async def worker(self, incarnation: str | None = None) -> RawWorker:
        worker = await (await RawWorker.connect(self.settings.internal_socket)).hello(incarnation)
        await worker.next("publish")
        return worker

    def journal(self, incarnation: str) -> RawJournal:
        return RawJournal(self.settings.journals, incarnation)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
