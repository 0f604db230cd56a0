"""Limits of accounts, keys, groups, models and channels: set, shown, taken away; in force within a second."""

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue import MAX_AMOUNT, parse_usd
from yescale.control.context import Context
from yescale.control.operations.keys import find_one
from yescale.control.operations.refusals import OperationRefused
from yescale.control.operations.users import find_user
from yescale.domain.ids import AccountId, ChannelId, KeyId, LimitId
from yescale.domain.limits import Scope, What, Window
from yescale.ledger.budgets import Bounded, set_budget
from yescale.ledger.periods import NoSuchZone, find_zone
from yescale.store import changes, limits
from yescale.store.catalogue import list_models
from yescale.store.channels import find_channel
from yescale.store.database import database_ms
from yescale.store.groups import list_groups
from yescale.store.keys import find_key
from yescale.store.limits import LimitRow, NewLimit
from yescale.store.tables import accounts

MOST: Final = 1 << 53
_BUDGETS: Final = frozenset({"hour", "day", "week", "month", "total"})
_FIRST_ACCOUNT: Final = select(func.min(accounts.c.id))


class SetLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`subject`: a username, the number of a key or channel, the name of a group or model. `usd`: of money, in place
    of `amount`, which is in nano-dollars then. `zone`: whose midnight ends a day, a week, a month.
    """

    scope: Scope
    subject: str
    what: What
    window: Window = ""
    amount: int | None = None
    usd: str | None = None
    zone: str = "UTC"


class ListLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All, or those of a scope, or of one subject in it."""

    scope: Scope | None = None
    subject: str | None = None


class OneLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit by its number."""

    id: LimitId


class _Subject(Struct, frozen=True):
    """Whom a limit is for: as it is stored, and whose account its purses are."""

    stored: str
    account: AccountId
    key_hash: bytes | None = None


async def set_limit(context: Context, asked: SetLimit) -> dict[str, Any]:
    """Set a limit, or change the one of the same scope, subject, count and window."""
    amount = _check(asked)
    async with context.database.writing() as connection:
        subject = await _find_subject(connection, asked.scope, asked.subject)
        now_ms = await database_ms(connection)
        new = NewLimit(
            scope=asked.scope,
            subject=subject.stored,
            what=asked.what,
            window=asked.window,
            amount=amount,
            zone=asked.zone,
            account_id=subject.account,
        )
        number = await limits.set_limit(connection, new, now_ms)
        bounded = await set_budget(connection, number, amount)
        row = await _find(connection, number)
        await _note(connection, row, now_ms)
    await _tell(context, bounded)
    return view_limit(row)


async def list_all_limits(context: Context, asked: ListLimits) -> list[dict[str, Any]]:
    """The limits that stand."""
    async with context.database.reading() as connection:
        subject = asked.subject or ""
        if asked.scope and subject:
            subject = (await _find_subject(connection, asked.scope, subject)).stored
        rows = await limits.list_limits(connection, scope=asked.scope or "", subject=subject)
        return [view_limit(row) for row in rows]


async def remove_limit(context: Context, asked: OneLimit) -> object:
    """Take a limit away. What was used of it stays used, should it be set again within its window."""
    async with context.database.writing() as connection:
        row = await _find(connection, asked.id)
        now_ms = await database_ms(connection)
        await limits.delete_limit(connection, asked.id, now_ms)
        bounded = await set_budget(connection, asked.id, None)
        await _note(connection, row, now_ms)
    await _tell(context, bounded)
    return {"id": asked.id, "deleted": True}


def view_limit(row: LimitRow) -> dict[str, Any]:
    """A limit for the operator. Of an account, `subject` is its number."""
    return {
        "id": row.id,
        "scope": row.scope,
        "subject": row.subject,
        "what": row.what,
        "window": row.window,
        "amount": row.amount,
        "zone": row.zone,
    }


def _check(asked: SetLimit) -> int:
    """The amount. Raises OperationRefused where no such limit can be."""
    if (asked.what == "concurrency") != (asked.window == ""):
        raise OperationRefused("window: concurrency has none; money, tokens and requests need one, such as day.")
    if asked.usd is not None and (asked.what != "money" or asked.amount is not None):
        raise OperationRefused("usd: of money alone, and in place of an amount.")
    try:
        find_zone(asked.zone)
        amount = asked.amount if asked.usd is None else parse_usd(asked.usd, MAX_AMOUNT)
    except NoSuchZone as error:
        raise OperationRefused(f"zone: {error}") from error
    except ValueError as error:
        raise OperationRefused(f"usd: {error}.") from error
    if amount is None or not 0 <= amount <= MOST:
        raise OperationRefused(f"amount: a whole number between 0 and {MOST}.")
    return amount


async def _find_subject(connection: AsyncConnection, scope: Scope, subject: str) -> _Subject:
    match scope:
        case "account":
            account = (await find_user(connection, subject)).id
            return _Subject(str(account), account)
        case "key":
            key = await find_one(connection, KeyId(_number(subject, scope)))
            return _Subject(str(key.id), key.account_id, key.hash)
        case _:
            first = AccountId((await connection.execute(_FIRST_ACCOUNT)).scalar_one())
            return _Subject(await _check_shared(connection, scope, subject), first)


async def _check_shared(connection: AsyncConnection, scope: Scope, subject: str) -> str:
    """The subject, if it is there. Raises OperationRefused."""
    if scope == "channel":
        number = _number(subject, scope)
        found = await find_channel(connection, ChannelId(number)) is not None
        subject = str(number)
    elif scope == "group":
        found = subject in {group.name for group in await list_groups(connection)}
    else:
        found = subject in {row.model.name for row in await list_models(connection)}
    if not found:
        raise OperationRefused(f"subject: there is no {scope} {subject!r}; `{scope} list` shows them.")
    return subject


def _number(subject: str, scope: str) -> int:
    if not subject.isascii() or not subject.isdigit() or len(subject) > len(str(MOST)):
        raise OperationRefused(f"subject: a {scope} is named by its number; `{scope} list` shows them.")
    return int(subject)


async def _find(connection: AsyncConnection, limit: LimitId) -> LimitRow:
    row = await limits.find_limit(connection, limit)
    if row is None:
        raise OperationRefused(f"There is no limit {limit}; `limit list` shows them.")
    return row


async def _note(connection: AsyncConnection, row: LimitRow, now_ms: int) -> None:
    """Who must hear of it: the holders of a key, those of all keys of an account, or everyone."""
    match row.scope:
        case "account":
            await changes.note(connection, "account", account=AccountId(int(row.subject)), at_ms=now_ms)
        case "key":
            key = await find_key(connection, KeyId(int(row.subject)))
            if key is not None:
                await changes.note(connection, "key", key_hash=key.hash, at_ms=now_ms)
        case _:
            await changes.note(connection, "snapshot", at_ms=now_ms)


async def _tell(context: Context, bounded: tuple[Bounded, ...]) -> None:
    for each in bounded:
        if each.recall:
            context.recall(each.purse)
    await context.announce()
