"""Redemption codes: made in batches and shown once, listed, voided; redeemed by accounts, which may not guess them."""

import time
from typing import Final

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue import MAX_AMOUNT, format_usd, parse_usd
from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.control.secrets import hash_code, mask_code, new_code
from yescale.domain.ids import AccountId
from yescale.domain.money import Nano
from yescale.ledger.codes import NoSuchCode, Redeemed, redeem
from yescale.store.codes import (
    CodeFilter,
    CodeRow,
    NewCode,
    give_try_back,
    insert_codes,
    list_codes,
    take_try,
    void_codes,
)
from yescale.store.database import database_ms
from yescale.store.logs import MANAGED, NewLog, insert_logs

MOST_CODES: Final = 1_000  # in one batch
MOST_WORD: Final = 64  # characters of a batch's name
MOST_TRIES: Final = 10  # of codes that are none, per account and hour
_WINDOW_MS: Final = 3_600_000
_DAY_S: Final = 86_400
_MOST_DAYS: Final = 36_500
_MOST_LISTED: Final = 1_000
_NOBODY: Final = AccountId(0)  # whose rows no user sees


class TooManyTries(Exception):
    """The account tried too many codes that are none. `wait_s`: when it may try again."""

    def __init__(self, wait_s: int) -> None:
        super().__init__("Too many codes were tried that do not exist; wait before you try another.")
        self.wait_s = wait_s


class CreateCodes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch of codes. `usd`: what each is worth; `days`: how long they can be redeemed."""

    usd: str
    batch: str
    count: int = 1
    days: int | None = None


class ListCodes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest codes, of one batch or of all."""

    batch: str | None = None
    limit: int = 100


class VoidCodes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One code by its number, or all of a batch that are not redeemed."""

    id: int | None = None
    batch: str | None = None


class NewBatch(Struct, frozen=True, kw_only=True):
    """Codes to be made. `actor`: the operator; None = the command line."""

    batch: str
    amount: Nano
    count: int
    expires_ms: int | None = None
    actor: AccountId | None = None


async def create_codes(context: Context, asked: CreateCodes) -> object:
    """Make a batch; its codes are shown this once."""
    if asked.days is not None and not 1 <= asked.days <= _MOST_DAYS:
        raise OperationRefused(f"days lies between 1 and {_MOST_DAYS}.")
    new = NewBatch(
        batch=asked.batch.strip(),
        amount=read_worth(asked.usd),
        count=asked.count,
        expires_ms=None if asked.days is None else int(time.time() + asked.days * _DAY_S) * 1000,
    )
    async with context.database.writing() as connection:
        made = await make_batch(connection, context.vault.pepper, new)
    return [{"id": number, "code": code, "usd": format_usd(new.amount), "batch": new.batch} for number, code in made]


async def list_all_codes(context: Context, asked: ListCodes) -> object:
    """Codes, newest first, masked."""
    if not 1 <= asked.limit <= _MOST_LISTED:
        raise OperationRefused(f"limit lies between 1 and {_MOST_LISTED}.")
    async with context.database.reading() as connection:
        rows = await list_codes(connection, CodeFilter(batch=asked.batch, limit=asked.limit))
        now_ms = await database_ms(connection)
    return [
        {
            "id": row.id,
            "code": row.masked,
            "batch": row.batch,
            "usd": format_usd(row.amount),
            "state": state_of(row, now_ms),
            "username": row.username,
            "redeemed_ms": row.redeemed_ms,
            "expires_ms": row.expires_ms,
        }
        for row in rows
    ]


async def void_all_codes(context: Context, asked: VoidCodes) -> object:
    """Let codes be redeemed no more."""
    if (asked.id is None) == (asked.batch is None):
        raise OperationRefused("Name one code by its number, or a batch.")
    async with context.database.writing() as connection:
        return {"voided": await void(connection, None, code=asked.id, batch=asked.batch)}


async def make_batch(connection: AsyncConnection, pepper: bytes, new: NewBatch) -> list[tuple[int, str]]:
    """Store fresh codes, hashed; their numbers, and for this once the codes. Raises OperationRefused."""
    if not 1 <= new.count <= MOST_CODES:
        raise OperationRefused(f"count lies between 1 and {MOST_CODES}.")
    if not 1 <= len(new.batch) <= MOST_WORD or not new.batch.isprintable():
        raise OperationRefused(f"A batch has a name of 1 to {MOST_WORD} characters.")
    now_ms = await database_ms(connection)
    fresh = [new_code() for _ in range(new.count)]
    rows = [
        NewCode(
            hash=hash_code(pepper, code) or b"",
            masked=mask_code(code),
            batch=new.batch,
            amount=new.amount,
            expires_ms=new.expires_ms,
            created_ms=now_ms,
            actor_id=new.actor,
        )
        for code in fresh
    ]
    numbers = await insert_codes(connection, rows)
    what = f"Made {new.count} redemption codes of {format_usd(new.amount)} USD each: {new.batch}"
    await _note(connection, what, new.actor, now_ms)
    return list(zip(numbers, fresh, strict=True))


async def void(
    connection: AsyncConnection, actor: AccountId | None, *, code: int | None = None, batch: str | None = None
) -> int:
    """Void one code or a batch, and write down who did it; how many there were."""
    now_ms = await database_ms(connection)
    voided = await void_codes(connection, now_ms, code=code, batch=batch)
    if voided:
        which = f"number {code}" if batch is None else f"of {batch}"
        await _note(connection, f"Voided {voided} redemption codes: {which}", actor, now_ms)
    return voided


async def count_try(context: Context, account: AccountId) -> None:
    """Before a code is looked up, in a transaction of its own that stays. Raises TooManyTries."""
    async with context.database.writing() as connection:
        now_ms = await database_ms(connection)
        tries, since_ms = await take_try(connection, account, now_ms, _WINDOW_MS)
    if tries > MOST_TRIES:
        raise TooManyTries(max(1, (since_ms + _WINDOW_MS - now_ms) // 1000))


async def redeem_counted(connection: AsyncConnection, pepper: bytes, account: AccountId, code: str) -> Redeemed:
    """Redeem a code after `count_try`; a good one was no guess. Raises NoSuchCode, CodeUsed."""
    code_hash = hash_code(pepper, code)
    if code_hash is None:
        raise NoSuchCode("A code is YS- and four groups of four letters and digits.")
    redeemed = await redeem(connection, code_hash, account)
    await give_try_back(connection, account)
    return redeemed


def state_of(row: CodeRow, now_ms: int) -> str:
    """open, redeemed, void or expired."""
    if row.redeemed_ms is not None:
        return "redeemed"
    if row.voided_ms is not None:
        return "void"
    return "expired" if row.expires_ms is not None and row.expires_ms <= now_ms else "open"


def read_worth(text: str) -> Nano:
    """What a code is worth, of decimal dollars. Raises OperationRefused."""
    try:
        amount = parse_usd(text, MAX_AMOUNT)
    except ValueError as error:
        raise OperationRefused(f"{error}.") from error
    if amount == 0:
        raise OperationRefused("A code is worth more than nothing.")
    return amount


async def _note(connection: AsyncConnection, content: str, actor: AccountId | None, now_ms: int) -> None:
    log = NewLog(at_ms=now_ms, type=MANAGED, account_id=actor or _NOBODY, content=content, actor_id=actor)
    await insert_logs(connection, [log])
