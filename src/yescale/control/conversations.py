"""Responses that are kept for their account: sealed for one place, looked up by their owner alone, gone in time."""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec

from yescale.control.context import Context
from yescale.control.secrets import SecretUnusable, seal_data, unseal_data
from yescale.domain.ids import AccountId
from yescale.domain.memory import RESPONSE_ID, Kept
from yescale.store import responses
from yescale.store.database import DatabaseAway
from yescale.store.responses import KeptRow

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)
_DAY_MS: Final = 86_400_000
_FAST: Final = 1  # zlib's level: most of what could be gained, in a fraction of the time
_BATCH: Final = 200  # rows removed in one transaction: others wait for it
_PAUSES_S: Final = (0.05, 0.2, 0.5)  # a client may ask for an answer that is only now being stored
_KEPT: Final = msgspec.msgpack.Decoder(Kept)
_MSGPACK: Final = msgspec.msgpack.Encoder()


async def keep(context: Context, account: AccountId, response: str, kept: Kept) -> str:
    """Store a response; "" or the sentence why not. Raises DatabaseAway."""
    memory = context.memory
    if not memory.keep_days:
        return "memory.keep_days is 0"
    if len(kept) > memory.response_bytes:
        return f"it has {len(kept)} bytes, more than memory.response_bytes"
    if not RESPONSE_ID.fullmatch(response):
        return "its id cannot be asked for"
    sealed = await asyncio.to_thread(seal_kept, context.vault.conversations, account, response, kept)
    row = KeptRow(account=account, response=response, sealed=sealed, keep_ms=int(memory.keep_days * _DAY_MS))
    async with context.database.writing() as connection:
        await responses.put_response(connection, row)
    await _make_room(context, account)
    return ""


async def find(context: Context, account: AccountId, response: str) -> Kept | None:
    """What is kept of an account's response. Raises DatabaseAway."""
    if not RESPONSE_ID.fullmatch(response):
        return None
    sealed = await _insist(lambda: _look_up(context, account, response))
    if sealed is None:
        return None
    try:
        return await asyncio.to_thread(unseal_kept, context.vault.conversations, account, response, sealed)
    except SecretUnusable as error:
        _LOG.error("a response that is kept is lost: %s", error)
        return None


async def forget(context: Context, account: AccountId, response: str) -> bool:
    """Keep an account's response no longer; False where there is none. Raises DatabaseAway."""
    return bool(RESPONSE_ID.fullmatch(response)) and bool(await _insist(lambda: _remove(context, account, response)))


async def sweep(context: Context) -> None:
    """Remove for ever what has expired, a little at a time."""
    while True:
        await asyncio.sleep(context.memory.sweep_s)
        try:
            while await remove_expired(context) == _BATCH:
                pass
        except DatabaseAway as error:
            _LOG.warning("expired responses wait for the database: %s", error)
        except Exception:
            _LOG.exception("expired responses were not removed; trying again")


async def remove_expired(context: Context) -> int:
    """Remove one batch of what has expired; how many went. Raises DatabaseAway."""
    async with context.database.writing() as connection:
        return await responses.remove_expired(connection, _BATCH)


def seal_kept(key: bytes, account: AccountId, response: str, kept: Kept) -> bytes:
    """Compressed and encrypted for its account and id: in another row it does not open."""
    return seal_data(key, zlib.compress(_MSGPACK.encode(kept), _FAST), _place(account, response))


def unseal_kept(key: bytes, account: AccountId, response: str, sealed: bytes) -> Kept:
    """What `seal_kept` sealed for the same account and id. Raises SecretUnusable."""
    return _KEPT.decode(zlib.decompress(unseal_data(key, sealed, _place(account, response))))


def _place(account: AccountId, response: str) -> str:
    return f"response/{account}/{response}"


async def _insist(look: Callable[[], Awaitable[T]]) -> T:
    """Look again where there is nothing: an answer is stored after its last byte was sent."""
    for pause in _PAUSES_S:
        if found := await look():
            return found
        await asyncio.sleep(pause)
    return await look()


async def _look_up(context: Context, account: AccountId, response: str) -> bytes | None:
    async with context.database.reading() as connection:
        return await responses.find_response(connection, account, response)


async def _remove(context: Context, account: AccountId, response: str) -> bool:
    async with context.database.writing() as connection:
        return await responses.remove_response(connection, account, response)


async def _make_room(context: Context, account: AccountId) -> None:
    """Remove an account's oldest responses where it has too many."""
    bounds = responses.Kept(context.memory.account_responses, context.memory.account_bytes)
    async with context.database.reading() as connection:
        there = await responses.weigh_responses(connection, account)
    while there.count > bounds.count or there.size > bounds.size:
        async with context.database.writing() as connection:
            await responses.remove_oldest(connection, account, bounds, _BATCH)
            there = await responses.weigh_responses(connection, account)
