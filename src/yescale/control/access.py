"""Who calls: the access key of the System API, or an API key; checked anew for each request, never remembered."""

import re
import time
from typing import Annotated, Final

from fastapi import Depends, Request
from msgspec import Struct

from yescale.control.answers import FaultRaised, Refusal
from yescale.control.context import Context
from yescale.control.secrets import ACCESS_KEY_LENGTH, KEY_PREFIX, hash_access_key, hash_api_key
from yescale.domain.addresses import Networks, read_address
from yescale.domain.faults import ACCOUNT_DISABLED, INVALID_KEY, IP_NOT_ALLOWED, KEY_DISABLED, KEY_EXPIRED, MISSING_KEY
from yescale.domain.link import KeyRecord
from yescale.store.accounts import AccountRow, account_of_access_key
from yescale.store.keys import KeyRow, find_key, key_record

_ENABLED: Final = 1
_EXHAUSTED: Final = 4
_BEARER: Final = re.compile(r"bearer(\s+|$)", re.IGNORECASE)
_API_KEY: Final = re.compile(r"[0-9A-Za-z]{1,128}")


def context_of(request: Request) -> Context:
    """What the application was built with."""
    context: Context = request.app.state.context
    return context


Desk = Annotated[Context, Depends(context_of)]


def read_authorization(request: Request) -> str:
    """The credential of the Authorization header, with or without the word Bearer; "" where there is none."""
    return _BEARER.sub("", request.headers.get("authorization", "").strip(), count=1).strip()


async def present_account(request: Request, desk: Desk) -> AccountRow:
    """The account behind the access key of a request. Raises Refusal."""
    presented = read_authorization(request)
    if not presented:
        raise Refusal(401, "No access key was sent; send it as 'Authorization: Bearer ACCESS_KEY'.")
    if presented.startswith(KEY_PREFIX):
        raise Refusal(401, "This is an API key; the System API takes the account's access key.")
    if len(presented) != ACCESS_KEY_LENGTH or not presented.isascii():
        raise Refusal(401, "The access key is not valid.")
    async with desk.database.reading() as connection:
        account = await account_of_access_key(connection, hash_access_key(desk.vault.pepper, presented))
    if account is None:
        raise Refusal(401, "The access key is not valid.")
    if account.status != _ENABLED:
        raise Refusal(403, "The account is disabled; ask the operator.")
    return account


class ApiKey(Struct, frozen=True):
    """An API key that may be used, with its figures."""

    record: KeyRecord
    row: KeyRow


async def present_api_key(request: Request, desk: Desk) -> ApiKey:
    """The API key of a request; an exhausted one may still ask how much it has spent. Raises FaultRaised."""
    presented = read_authorization(request)
    if not presented:
        raise FaultRaised(MISSING_KEY)
    if not _API_KEY.fullmatch(presented.removeprefix(KEY_PREFIX)):
        raise FaultRaised(INVALID_KEY)
    await desk.catch_up()
    async with desk.database.reading() as connection:
        record = await key_record(connection, hash_api_key(desk.vault.pepper, presented))
        row = None if record is None else await find_key(connection, record.id)
    if record is None or row is None:
        raise FaultRaised(INVALID_KEY)
    if record.status not in (_ENABLED, _EXHAUSTED):
        raise FaultRaised(KEY_DISABLED)
    if 0 <= record.expires_at <= time.time():
        raise FaultRaised(KEY_EXPIRED)
    if record.account_status != _ENABLED:
        raise FaultRaised(ACCOUNT_DISABLED)
    return ApiKey(record, row)


async def present_local_key(request: Request, caller: Annotated[ApiKey, Depends(present_api_key)]) -> ApiKey:
    """The same where the key's list of addresses counts, as it does for calls. Raises FaultRaised."""
    networks = caller.record.allow_ips
    # The gateway writes this header, of whom it holds for the client; a client's own is not passed on.
    if networks and not Networks(networks).hold(read_address(request.headers.get("x-forwarded-for", ""))):
        raise FaultRaised(IP_NOT_ALLOWED)
    return caller
