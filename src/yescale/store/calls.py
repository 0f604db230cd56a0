"""Log rows of calls: one per call, written by settlement, never changed but for refunds."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, CallId, PurseId
from yescale.domain.journal import AttemptNote, EndLine
from yescale.domain.money import Nano
from yescale.domain.price import Line
from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter, Usage
from yescale.store.bulk import BulkInsert
from yescale.store.tables import call_tags, calls

CONSUMED: Final = 2
FAILED: Final = 5
_FAILURES: Final = frozenset({"upstream_error", "refused", "interrupted"})


class CallDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a call row says beyond its columns; stored as JSON."""

    usage: dict[Meter, int] = {}
    lines: tuple[Line, ...] = ()
    charges: tuple[tuple[PurseId, Nano], ...] = ()
    attempts: tuple[AttemptNote, ...] = ()
    snapshot: int = 0
    client_request_id: str = ""
    note: str = ""
    losses: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class CallRow(Struct, frozen=True, kw_only=True):
    """One call as it was logged and charged. `details` is the JSON of CallDetails."""

    id: int
    call_id: CallId
    type: int
    at_ms: int
    account_id: AccountId
    username: str
    key_id: int
    key_name: str
    group: str
    model: str
    upstream_model: str
    channel_id: int
    outcome: str
    status: int
    stream: bool
    estimated: bool
    prompt_tokens: int
    completion_tokens: int
    amount: Nano
    paid: Nano
    refunded: Nano
    entry_id: int | None
    journal_id: int | None
    first_ms: int
    total_ms: int
    ip: str
    error: str
    details: str

    @property
    def explained(self) -> CallDetails:
        """The details, decoded."""
        return _decode(self.details)


_decode: Final = msgspec.json.Decoder(CallDetails).decode
_encode: Final = msgspec.json.Encoder().encode
_WRITTEN: Final = tuple(name for name in CallRow.__struct_fields__ if name not in ("id", "refunded"))
_INSERT: Final = BulkInsert(calls, _WRITTEN)
_INSERT_TAGS: Final = BulkInsert(call_tags, ("name", "value", "account_id", "call_id"))
CALL_COLUMNS: Final = tuple(calls.c[name] for name in CallRow.__struct_fields__)
_FIND: Final = select(*CALL_COLUMNS).where(calls.c.call_id == bindparam("call_id")).order_by(calls.c.id)
_REFUND: Final = (
    calls.update()
    .where(calls.c.call_id == bindparam("refunded_call"), calls.c.refunded + bindparam("more") <= calls.c.paid)
    .values(refunded=calls.c.refunded + bindparam("more"))
)


def end_row(end: EndLine, entry_id: int | None, journal_id: int | None, paid: Nano) -> tuple[Any, ...]:
    """An end line as the tuple that `insert_calls` takes."""
    prompt, completion = tokens_of(end.usage)
    details = CallDetails(
        usage=end.usage,
        lines=end.lines,
        charges=end.charges,
        attempts=end.attempts,
        snapshot=end.snapshot,
        client_request_id=end.client_request_id,
        note=end.note,
        losses=end.losses,
        tags=dict(end.tags),
    )
    return (
        end.id,
        FAILED if has_failed(end) else CONSUMED,
        end.at_ms,
        end.account,
        end.username,
        end.key,
        end.key_name,
        end.group,
        end.model,
        end.upstream_model,
        end.channel,
        end.outcome,
        end.status,
        end.stream,
        end.estimated,
        prompt,
        completion,
        end.amount,
        paid,
        entry_id,
        journal_id,
        end.first_ms,
        end.total_ms,
        end.ip,
        end.error,
        _encode(details).decode(),
    )


def tokens_of(usage: Usage) -> tuple[int, int]:
    """All tokens of the prompt, and all of the answer."""
    prompt = completion = 0
    for meter, count in usage.items():
        if meter in INPUT_METERS:
            prompt += count
        elif meter in OUTPUT_METERS:
            completion += count
    return prompt, completion


def has_failed(end: EndLine) -> bool:
    """Whether the call cost nothing since nothing was served."""
    return not end.amount and end.outcome in _FAILURES


async def mark_refunded(connection: AsyncConnection, call_id: CallId, amount: Nano) -> bool:
    """Count a refund on the call; False if all refunds together would exceed what it paid."""
    marked = await connection.execute(_REFUND, {"refunded_call": call_id, "more": amount})
    return marked.rowcount > 0


async def insert_calls(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Append rows made by `end_row`."""
    await _INSERT.run(connection, rows)


async def insert_tags(connection: AsyncConnection, ends: Sequence[EndLine]) -> None:
    """Append the tags by which the calls of these lines can be found."""
    rows = [(name, value, end.account, end.id) for end in ends if end.tags for name, value in end.tags]
    await _INSERT_TAGS.run(connection, rows)


def has_tag(name: str, value: str, account: AccountId | None = None) -> ColumnElement[bool]:
    """Whether a call, of that account, has the tag."""
    found = select(call_tags.c.call_id).where(call_tags.c.name == name, call_tags.c.value == value)
    if account is not None:
        found = found.where(call_tags.c.account_id == account)
    return calls.c.call_id.in_(found)


async def find_call(connection: AsyncConnection, call_id: CallId) -> CallRow | None:
    """The call of a request id."""
    rows = await connection.execute(_FIND, {"call_id": call_id})
    row = rows.mappings().first()
    return None if row is None else CallRow(**row)


class CallFilter(Struct, frozen=True, kw_only=True):
    """Which calls: None = any."""

    username: str | None = None
    model: str | None = None
    call_id: str | None = None
    tag: tuple[str, str] | None = None  # name and value
    limit: int = 100


async def recent_calls(connection: AsyncConnection, wanted: CallFilter) -> list[CallRow]:
    """Calls, newest first."""
    query = select(*CALL_COLUMNS).order_by(calls.c.id.desc()).limit(wanted.limit)
    for name in ("username", "model", "call_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(calls.c[name] == value)
    if wanted.tag is not None:
        query = query.where(has_tag(*wanted.tag))
    return [CallRow(**row) for row in (await connection.execute(query)).mappings()]
