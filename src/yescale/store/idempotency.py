"""Answers kept under the caller's idempotency key, in the transaction of their effect."""

import hmac
from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.store.bulk import either
from yescale.store.tables import idempotency


class KeptAnswer(Struct, frozen=True, kw_only=True):
    """The first answer to a request. `answer` is JSON."""

    status: int
    answer: str


class OtherRequest(Exception):
    """The idempotency key was used for another request. Use a new key for a new request."""


_CLAIM: Final = either(lambda insert: insert(idempotency).on_conflict_do_nothing(index_elements=["scope", "key"]))
_FIND: Final = select(idempotency.c.fingerprint, idempotency.c.status, idempotency.c.answer).where(
    idempotency.c.scope == bindparam("of_scope"), idempotency.c.key == bindparam("of_key")
)
_KEEP: Final = (
    idempotency.update()
    .where(idempotency.c.scope == bindparam("of_scope"), idempotency.c.key == bindparam("of_key"))
    .values(status=bindparam("kept_status"), answer=bindparam("kept_answer"))
)


async def claim(
    connection: AsyncConnection, scope: str, key: str, fingerprint: bytes, *, now_ms: int
) -> KeptAnswer | None:
    """The answer that was kept, or None: then do the work and `keep` its answer before the commit.

    A second request with the same key waits here until the first commits. Raises OtherRequest.
    """
    row = {
        "scope": scope,
        "key": key,
        "fingerprint": fingerprint,
        "status": 0,
        "answer": "",
        "created_ms": now_ms,
    }
    if (await connection.execute(_CLAIM[connection.dialect.name], row)).rowcount > 0:
        return None
    kept = (await connection.execute(_FIND, {"of_scope": scope, "of_key": key})).one()
    if not hmac.compare_digest(kept.fingerprint, fingerprint):
        raise OtherRequest("The idempotency key was used for another request; use a new key.")
    return KeptAnswer(status=kept.status, answer=kept.answer)


async def keep(connection: AsyncConnection, scope: str, key: str, answer: KeptAnswer) -> None:
    """Store the answer under a claimed key."""
    await connection.execute(
        _KEEP, {"of_scope": scope, "of_key": key, "kept_status": answer.status, "kept_answer": answer.answer}
    )


async def forget(connection: AsyncConnection, before_ms: int) -> None:
    """Drop answers older than that."""
    await connection.execute(idempotency.delete().where(idempotency.c.created_ms < before_ms))
