"""One effect per `Idempotency-Key`: the first answer is kept in the transaction of its effect, and given again.

Kept answers are sealed, since some hold what is shown once.
"""

import asyncio
import hashlib
import logging
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Header, Request, Response
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.access import Desk
from yescale.control.answers import FaultRaised
from yescale.control.api.access import Caller
from yescale.control.context import Context
from yescale.control.secrets import seal, unseal
from yescale.control.views import View
from yescale.domain.faults import Fault
from yescale.domain.ids import PurseId
from yescale.store.database import DatabaseAway, database_ms
from yescale.store.idempotency import KeptAnswer, OtherRequest, claim, forget, keep

_LOG: Final = logging.getLogger(__name__)
_KEPT_MS: Final = 24 * 3_600_000
_SWEEP_S: Final = 3_600.0
_JSON: Final = "application/json"
KEY_REUSED: Final = Fault(
    status=409,
    type="invalid_request_error",
    code="idempotency_key_reused",
    message="The idempotency key was used for another request; use a new key.",
    blame="caller",
)


class Effect(Struct, frozen=True, kw_only=True):
    """What a request did: what it shows, and the purse to recall where leases hold more than is left."""

    view: View
    recall: PurseId | None = None


Work = Callable[[AsyncConnection], Awaitable[Effect]]


class Answered(Struct, frozen=True):
    """The answer, and whether an earlier request had it first."""

    response: Response
    repeated: bool


class Once(Struct, frozen=True, kw_only=True):
    """A request that does its work once. Without a key from the caller it does it each time."""

    desk: Context
    scope: str
    key: str
    fingerprint: bytes

    async def answer(self, work: Work, status: int = 201) -> Answered:
        """Do the work in a transaction that keeps its answer, or give the kept one. What `work` raises undoes both."""
        await self.desk.catch_up()
        async with self.desk.database.writing() as connection:
            kept = await self._claim(connection)
            if kept is not None:
                return Answered(_respond(kept.status, self._open(kept), repeated=True), True)
            effect = await work(connection)
            text = effect.view.model_dump_json()
            await self._keep(connection, status, text)
        if effect.recall is not None:
            self.desk.recall(effect.recall)
        await self.desk.announce()
        return Answered(_respond(status, text), False)

    async def _claim(self, connection: AsyncConnection) -> KeptAnswer | None:
        if not self.key:
            return None
        try:
            now_ms = await database_ms(connection)
            return await claim(connection, self.scope, self.key, self.fingerprint, now_ms=now_ms)
        except OtherRequest as error:
            raise FaultRaised(KEY_REUSED) from error

    async def _keep(self, connection: AsyncConnection, status: int, text: str) -> None:
        if self.key:
            sealed = b64encode(seal(self.desk.vault.answers, text, self._place())).decode()
            await keep(connection, self.scope, self.key, KeptAnswer(status=status, answer=sealed))

    def _open(self, kept: KeptAnswer) -> str:
        return unseal(self.desk.vault.answers, b64decode(kept.answer), self._place())

    def _place(self) -> str:
        return f"answer/{self.scope}/{self.key}"


async def present_once(
    request: Request,
    caller: Caller,
    desk: Desk,
    idempotency_key: Annotated[str, Header(max_length=255, pattern=r"^[\x21-\x7e]*$")] = "",
) -> Once:
    """The request's own key, for its caller and its path; its body must be the same each time."""
    path: str = request.scope["path"]
    scope = f"{caller.id} {request.method} {path}"
    return Once(
        desk=desk,
        scope=scope,
        key=idempotency_key,
        fingerprint=hashlib.sha256(scope.encode() + b"\0" + await request.body()).digest(),
    )


Doing = Annotated[Once, Depends(present_once)]


async def sweep(context: Context) -> None:
    """Forget for ever what was kept a day ago."""
    while True:
        await asyncio.sleep(_SWEEP_S)
        try:
            await forget_old(context)
        except DatabaseAway as error:
            _LOG.warning("kept answers wait for the database: %s", error)
        except Exception:
            _LOG.exception("kept answers were not forgotten; trying again")


async def forget_old(context: Context) -> None:
    """Forget the answers that were kept for a day. Raises DatabaseAway."""
    async with context.database.writing() as connection:
        await forget(connection, await database_ms(connection) - _KEPT_MS)


def _respond(status: int, text: str, *, repeated: bool = False) -> Response:
    headers = {"Idempotent-Replayed": "true"} if repeated else None
    return Response(text, status, headers, _JSON)
