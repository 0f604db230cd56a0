"""`/api/v1/keys`: the API keys of an account; for operators those of any account."""

from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import Field, StrictBool, StrictInt
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.access import Desk
from yescale.control.answers import FaultRaised
from yescale.control.api.access import NOT_AN_OPERATOR, Body, Caller, is_operator, refused
from yescale.control.context import Context
from yescale.control.limits import MOST_QUOTA, nano_of_limit, remaining_quota, used_quota
from yescale.control.operations.key_secrets import MOST_OVERLAP_S, OVERLAP_S, RotateKey, rotate_key
from yescale.control.operations.key_terms import Terms
from yescale.control.operations.keys import EditKey, OneKey, edit_key, open_key, remove_key
from yescale.control.operations.refusals import OperationRefused
from yescale.control.views import Text, View
from yescale.domain.faults import MALFORMED, Fault
from yescale.domain.ids import AccountId, KeyId
from yescale.store.accounts import AccountRow, find_account
from yescale.store.keys import KeyRow, find_key, page_keys

router: Final = APIRouter(prefix="/api/v1", tags=["keys"])
_MOST_ID: Final = 2**63 - 1
_MOST_SECONDS: Final = 10**12
_NOT_FOUND: Final = Fault(
    status=404,
    type="not_found_error",
    code="key_not_found",
    message="There is no such API key; GET /api/v1/keys shows yours.",
    blame="caller",
)

KeyNumber = Annotated[int, Path(ge=1, le=_MOST_ID)]
Names = Annotated[list[Text], Field(max_length=1_000)]
Quota = Annotated[StrictInt, Field(ge=0, le=MOST_QUOTA)]
Seconds = Annotated[StrictInt, Field(ge=-1, le=_MOST_SECONDS)]
Tokens = Annotated[StrictInt, Field(ge=0, le=2**31)]


class KeyView(View):
    """An API key, masked. `quota` is what it may still spend, in 1/500,000 of a US dollar; null = what the account has.
    Null for `models` or `operations` is any; for `groups` the installation's, where the group is `auto`.
    """

    object: Literal["api_key"] = "api_key"
    id: int
    account: int
    name: str
    key: str
    status: int
    group: str
    groups: list[str] | None
    quota: int | None
    used_quota: int
    calls: int
    created_at: int
    used_at: int | None
    expires_at: int | None
    models: list[str] | None
    allow_ips: list[str]
    operations: list[str] | None
    max_output: int
    tags: dict[str, str]


class NewKeyView(KeyView):
    """A key that has just been made: `secret` is the key itself, shown this once."""

    secret: str


class RotatedView(NewKeyView):
    """A key with another secret; the one before works until `old_until`, in unix seconds."""

    old_until: int


class KeyList(View):
    """Newest first; `after` the last one's id come the next."""

    object: Literal["list"] = "list"
    data: list[KeyView]
    has_more: bool


class Deleted(View):
    """What is gone."""

    object: Literal["api_key"] = "api_key"
    id: int
    deleted: bool = True


class CreateKey(Body):
    """A new key. `account`: whose it is to be, for operators."""

    name: Text
    account: Annotated[StrictInt, Field(ge=1, le=_MOST_ID)] | None = None
    group: Text = "default"
    groups: Names | None = None
    quota: Quota | None = None
    expires_at: Seconds = -1
    models: Names | None = None
    allow_ips: list[Text] = Field([], max_length=1_000)
    operations: Names | None = None
    max_output: Tokens = 0
    tags: dict[Text, Text] = Field({}, max_length=20)


class ChangeKey(Body):
    """What is left out stays; null takes a restriction away."""

    name: Text = ""
    group: Text = ""
    groups: Names | None = None
    quota: Quota | None = None
    expires_at: Seconds = -1
    models: Names | None = None
    allow_ips: list[Text] = Field([], max_length=1_000)
    operations: Names | None = None
    max_output: Tokens = 0
    tags: dict[Text, Text] = Field({}, max_length=20)
    enabled: StrictBool = True


class AskRotation(Body):
    """`overlap_s`: how long the old secret works beside the new one; 0 = no longer."""

    overlap_s: Annotated[StrictInt, Field(ge=0, le=MOST_OVERLAP_S)] = OVERLAP_S


@router.get("/keys")
async def read_keys(
    caller: Caller,
    desk: Desk,
    account: Annotated[int | None, Query(ge=0, le=_MOST_ID)] = None,
    after: Annotated[int, Query(ge=0, le=_MOST_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> KeyList:
    """The keys of the account, newest first; an operator may ask for another account's, or with 0 for all."""
    whose = _whose(caller, account)
    await desk.catch_up()
    async with desk.database.reading() as connection:
        rows = await page_keys(connection, AccountId(whose) if whose else None, before=after, limit=limit + 1)
    return KeyList(data=[KeyView(**_fields(row)) for row in rows[:limit]], has_more=len(rows) > limit)


@router.post("/keys", status_code=201)
async def make_key(caller: Caller, desk: Desk, body: CreateKey) -> NewKeyView:
    """Make a key."""
    whose = AccountId(_whose(caller, body.account))
    said = body.model_dump(exclude={"account", "quota"})
    remaining = None if body.quota is None else nano_of_limit(body.quota)
    terms = msgspec.convert({**said, "remaining": remaining}, Terms)
    try:
        async with desk.database.writing() as connection:
            await _must_exist(connection, whose)
            key, secret = await open_key(connection, desk.vault, whose, terms)
            row = await find_key(connection, key)
    except OperationRefused as refusal:
        raise refused(refusal) from refusal
    await desk.announce()
    return NewKeyView(**_fields(_present(row)), secret=secret)


@router.get("/keys/{key_id}")
async def read_key(caller: Caller, desk: Desk, key_id: KeyNumber) -> KeyView:
    """One key."""
    await desk.catch_up()
    return KeyView(**_fields(await _find(desk, caller, key_id)))


@router.patch("/keys/{key_id}")
async def change_key(caller: Caller, desk: Desk, key_id: KeyNumber, body: ChangeKey) -> KeyView:
    """Change a key; in force everywhere within a second."""
    await desk.catch_up()
    await _find(desk, caller, key_id)
    said: dict[str, Any] = body.model_dump(include=body.model_fields_set)
    for name in ("name", "group"):
        if said.get(name, "-") == "":
            raise FaultRaised(MALFORMED.saying(f"{name}: it may be left out, but not empty.", param=name))
    try:
        await edit_key(desk, msgspec.convert({**said, "id": key_id}, EditKey))
    except OperationRefused as refusal:
        raise refused(refusal) from refusal
    return KeyView(**_fields(await _find(desk, caller, key_id)))


@router.delete("/keys/{key_id}")
async def delete_key(caller: Caller, desk: Desk, key_id: KeyNumber) -> Deleted:
    """Delete a key with all its secrets; it stops at once, calls in flight end and are charged."""
    await _find(desk, caller, key_id)
    try:
        await remove_key(desk, OneKey(id=KeyId(key_id)))
    except OperationRefused:
        raise FaultRaised(_NOT_FOUND) from None
    return Deleted(id=key_id)


@router.post("/keys/{key_id}/rotate")
async def rotate(caller: Caller, desk: Desk, key_id: KeyNumber, body: AskRotation) -> RotatedView:
    """Give a key another secret; the old one works on for a while."""
    await _find(desk, caller, key_id)
    try:
        rotated = await rotate_key(desk, RotateKey(id=KeyId(key_id), overlap_s=body.overlap_s))
    except OperationRefused:
        raise FaultRaised(_NOT_FOUND) from None
    row = await _find(desk, caller, key_id)
    return RotatedView(**_fields(row), secret=rotated["key"], old_until=rotated["old_until"])


def _whose(caller: AccountRow, account: int | None) -> int:
    if account is not None and account != caller.id and not is_operator(caller):
        raise FaultRaised(NOT_AN_OPERATOR)
    return caller.id if account is None else account


async def _must_exist(connection: AsyncConnection, account: AccountId) -> None:
    if await find_account(connection, account) is None:
        raise OperationRefused("account: there is no such account.")


async def _find(desk: Context, caller: AccountRow, key: int) -> KeyRow:
    """The key, if the caller may see it: someone else's is as unknown as none."""
    async with desk.database.reading() as connection:
        row = _present(await find_key(connection, KeyId(key)))
    if row.account_id != caller.id and not is_operator(caller):
        raise FaultRaised(_NOT_FOUND)
    return row


def _present(row: KeyRow | None) -> KeyRow:
    if row is None:
        raise FaultRaised(_NOT_FOUND)
    return row


def _fields(row: KeyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "account": row.account_id,
        "name": row.name,
        "key": row.masked,
        "status": row.status,
        "group": row.group,
        "groups": None if row.groups is None else list(row.groups),
        "quota": remaining_quota(row) if row.limited else None,
        "used_quota": used_quota(row),
        "calls": row.calls,
        "created_at": row.created_at,
        "used_at": row.used_ms // 1_000 or None,
        "expires_at": None if row.expires_at < 0 else row.expires_at,
        "models": None if row.models is None else list(row.models),
        "allow_ips": list(row.allow_ips),
        "operations": None if row.operations is None else list(row.operations),
        "max_output": row.max_output,
        "tags": row.tags,
    }
