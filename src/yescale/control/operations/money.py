"""Money that is not a call: top-ups, adjustments, and the proof of the books. Repeated requests do nothing twice."""

import secrets
from typing import Final

from msgspec import Struct

from yescale.control.catalogue import MAX_AMOUNT, format_usd, parse_usd
from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.control.operations.users import find_user
from yescale.domain.money import Nano, quota_balance
from yescale.ledger.entries import Entered, NewEntry, NotCovered, ReusedId, enter
from yescale.ledger.verify import verify

_SOURCE: Final = "admin"


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


class VerifyLedger(Struct, frozen=True, forbid_unknown_fields=True):
    """All invariants."""


async def top_up(context: Context, asked: TopUp) -> object:
    """Add to an account's balance what was paid."""
    return await _enter(context, "topup", asked, _read_usd(asked.usd))


async def adjust(context: Context, asked: Adjust) -> object:
    """Correct an account's balance, up or down."""
    if not asked.note.strip():
        raise OperationRefused("An adjustment needs a reason.")
    negative = asked.usd.startswith("-")
    amount = _read_usd(asked.usd.removeprefix("-"))
    return await _enter(context, "adjustment", asked, -amount if negative else amount)


async def verify_ledger(context: Context, _asked: VerifyLedger) -> object:
    """Check the books; every figure and every problem."""
    await context.catch_up()
    async with context.database.reading() as connection:
        verdict = await verify(connection)
    return {"ok": verdict.ok, "figures": dict(verdict.figures), "problems": list(verdict.problems)}


async def _enter(context: Context, kind: str, asked: TopUp | Adjust, amount: Nano) -> object:
    await context.catch_up()
    try:
        async with context.database.writing() as connection:
            user = await find_user(connection, asked.username)
            entry = NewEntry(
                kind=kind,
                account=user.id,
                amount=amount,
                source=_SOURCE,
                outside_id=asked.outside_id or secrets.token_hex(16),
                note=asked.note,
            )
            entered = await enter(connection, entry)
    except (NotCovered, ReusedId) as error:
        raise OperationRefused(str(error)) from error
    if entered.recall:
        context.recall(entered.purse)
    await context.announce()
    return _view(asked.username, entered)


def _read_usd(text: str) -> Nano:
    try:
        return parse_usd(text, MAX_AMOUNT)
    except ValueError as error:
        raise OperationRefused(f"{error}.") from error


def _view(username: str, entered: Entered) -> dict[str, object]:
    return {
        "entry": entered.id,
        "username": username,
        "balance_usd": format_usd(entered.balance),
        "balance_nano": entered.balance,
        "quota": quota_balance(entered.balance),
        "repeated": entered.repeated,
    }
