"""Money that is not a call: top-ups, adjustments, refunds, and the proof of the books. Repetitions do nothing twice."""

import secrets
from typing import Final

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue import MAX_AMOUNT, format_usd, parse_usd
from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.control.operations.users import find_user
from yescale.domain.ids import AccountId, CallId
from yescale.domain.money import Nano, quota_balance
from yescale.ledger.entries import Entered, NewEntry, NoSuchCall, NotCovered, ReusedId, enter, refund
from yescale.ledger.verify import verify

SOURCE: Final = "admin"  # of the outside ids that operators give


class TopUp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars in decimals. `outside_id`: the payment's own number, under which a repetition is found."""

    username: str
    usd: str
    outside_id: str = ""
    note: str = ""


class Adjust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars in decimals, with a minus to take away. A reason is required."""

    username: str
    usd: str
    note: str
    outside_id: str = ""


class Refund(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call by its request id, and how many US dollars of what it paid go back; without, all that is left."""

    request_id: str
    note: str
    usd: str | None = None
    outside_id: str = ""


class VerifyLedger(Struct, frozen=True, forbid_unknown_fields=True):
    """All invariants."""


async def top_up(context: Context, asked: TopUp) -> object:
    """Add to an account's balance what was paid."""
    return await _enter(context, "topup", asked, read_usd(asked.usd))


async def adjust(context: Context, asked: Adjust) -> object:
    """Correct an account's balance, up or down."""
    check_reason(asked.note)
    return await _enter(context, "adjustment", asked, read_signed_usd(asked.usd))


async def refund_call(context: Context, asked: Refund) -> object:
    """Give back what a call paid, or a part of it."""
    check_reason(asked.note)
    amount = None if asked.usd is None else read_usd(asked.usd)
    await context.catch_up()
    try:
        async with context.database.writing() as connection:
            outside_id = outside_id_of(asked.outside_id)
            entered = await refund(connection, CallId(asked.request_id), amount, outside_id=outside_id, note=asked.note)
    except (NoSuchCall, NotCovered, ReusedId) as error:
        raise OperationRefused(str(error)) from error
    await context.announce()
    return {"request_id": asked.request_id, **_figures(entered)}


async def verify_ledger(context: Context, _asked: VerifyLedger) -> object:
    """Check the books; every figure and every problem."""
    await context.catch_up()
    async with context.database.reading() as connection:
        verdict = await verify(connection)
    return {"ok": verdict.ok, "figures": dict(verdict.figures), "problems": list(verdict.problems)}


def outside_id_of(given: str) -> str:
    """The caller's, or a fresh one, under which nothing is found."""
    return given or secrets.token_hex(16)


def check_reason(note: str) -> None:
    """Raises OperationRefused where nobody could say later why."""
    if not note.strip():
        raise OperationRefused("Say the reason; it stands beside the entry in the ledger.")


def read_usd(text: str) -> Nano:
    """Decimal dollars, not negative. Raises OperationRefused."""
    try:
        return parse_usd(text, MAX_AMOUNT)
    except ValueError as error:
        raise OperationRefused(f"{error}.") from error


def read_signed_usd(text: str) -> Nano:
    """Decimal dollars, with a minus to take away. Raises OperationRefused."""
    amount = read_usd(text.removeprefix("-"))
    return -amount if text.startswith("-") else amount


async def enter_for(
    connection: AsyncConnection, kind: str, asked: TopUp | Adjust, amount: Nano, actor: AccountId | None = None
) -> Entered:
    """Enter a top-up or an adjustment. Raises OperationRefused, NotCovered, ReusedId."""
    user = await find_user(connection, asked.username)
    entry = NewEntry(
        kind=kind,
        account=user.id,
        amount=amount,
        source=SOURCE,
        outside_id=outside_id_of(asked.outside_id),
        note=asked.note,
        actor=actor,
    )
    return await enter(connection, entry)


async def _enter(context: Context, kind: str, asked: TopUp | Adjust, amount: Nano) -> object:
    await context.catch_up()
    try:
        async with context.database.writing() as connection:
            entered = await enter_for(connection, kind, asked, amount)
    except (NotCovered, ReusedId) as error:
        raise OperationRefused(str(error)) from error
    if entered.recall:
        context.recall(entered.purse)
    await context.announce()
    return {"username": asked.username, **_figures(entered)}


def _figures(entered: Entered) -> dict[str, object]:
    return {
        "entry": entered.id,
        "balance_usd": format_usd(entered.balance),
        "balance_nano": entered.balance,
        "quota": quota_balance(entered.balance),
        "repeated": entered.repeated,
    }
