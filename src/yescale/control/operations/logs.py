"""The calls as the operator sees them: every attempt, every line of the charge."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.domain.ids import CallId
from yescale.domain.tags import NAMES, parse_tag
from yescale.store.calls import CallFilter, CallRow, find_call, recent_calls

_MOST: Final = 10_000


class ListCalls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls, newest first; what is left out does not narrow them."""

    username: str | None = None
    model: str | None = None
    request_id: str | None = None
    tag: str | None = None  # NAME:VALUE
    limit: int = 100


class OneCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call by its request id."""

    request_id: str


async def list_calls(context: Context, asked: ListCalls) -> object:
    """The newest calls, settled up to now."""
    if not 1 <= asked.limit <= _MOST:
        raise OperationRefused(f"limit lies between 1 and {_MOST}.")
    tag = None if asked.tag is None else parse_tag(asked.tag)
    if asked.tag is not None and tag is None:
        raise OperationRefused(f"tag is NAME:VALUE, where NAME is one of {', '.join(NAMES)}.")
    await context.catch_up()
    wanted = CallFilter(
        username=asked.username, model=asked.model, call_id=asked.request_id, tag=tag, limit=asked.limit
    )
    async with context.database.reading() as connection:
        return [_view(row) for row in await recent_calls(connection, wanted)]


async def show_call(context: Context, asked: OneCall) -> object:
    """One call. Raises OperationRefused where there is none."""
    await context.catch_up()
    async with context.database.reading() as connection:
        row = await find_call(connection, CallId(asked.request_id))
    if row is None:
        raise OperationRefused(f"There is no call {asked.request_id}; `log list` shows the newest ones.")
    return _view(row)


def _view(row: CallRow) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(row.explained)
    return {
        "request_id": row.call_id,
        "at_ms": row.at_ms,
        "username": row.username,
        "key": row.key_name,
        "group": row.group,
        "model": row.model,
        "upstream_model": row.upstream_model,
        "channel": row.channel_id,
        "outcome": row.outcome,
        "status": row.status,
        "error": row.error,
        "stream": row.stream,
        "estimated": row.estimated,
        "amount": row.amount,
        "paid": row.paid,
        "refunded": row.refunded,
        "first_ms": row.first_ms,
        "total_ms": row.total_ms,
        "ip": row.ip,
        "usage": told.get("usage", {}),
        "lines": told.get("lines", []),
        "attempts": told.get("attempts", []),
        "client_request_id": told.get("client_request_id", ""),
        "note": told.get("note", ""),
        "losses": told.get("losses", []),
        "tags": told.get("tags", {}),
    }
