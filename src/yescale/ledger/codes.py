"""Redeeming: a code is claimed and its money entered in one transaction, so that both happen once or not at all."""

from typing import Final

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId
from yescale.ledger.entries import Entered, NewEntry, enter
from yescale.store.codes import CodeRow, claim_code, find_code
from yescale.store.database import database_ms

SOURCE: Final = "code"


class NoSuchCode(Exception):
    """There is no such code."""


class CodeUsed(Exception):
    """The code cannot be redeemed any more: it was, by another account, or it is void or expired."""


class Redeemed(Struct, frozen=True, kw_only=True):
    """The code and its entry."""

    code: CodeRow
    entered: Entered


async def redeem(connection: AsyncConnection, code_hash: bytes, account: AccountId) -> Redeemed:
    """Give the code's money to the account; again by the same account changes nothing. Raises NoSuchCode, CodeUsed."""
    now_ms = await database_ms(connection)
    code = await claim_code(connection, code_hash, account, now_ms)
    if code is None:
        code = await find_code(connection, code_hash)
        if code is None:
            raise NoSuchCode("There is no such code; check how it is written.")
        if code.account_id != account:
            raise CodeUsed(_why(code))
    entry = NewEntry(
        kind="redemption",
        account=account,
        amount=code.amount,
        source=SOURCE,
        outside_id=str(code.id),
        note=f"Code {code.masked} of {code.batch}",
    )
    return Redeemed(code=code, entered=await enter(connection, entry))


def _why(code: CodeRow) -> str:
    if code.redeemed_ms is not None:
        return "The code has been redeemed."
    return "The code is void." if code.voided_ms is not None else "The code has expired."
