"""`GET /api/v1/account`: whose access key it is, and what the account has."""

from typing import Final, Literal

from fastapi import APIRouter

from yescale.control.access import Desk
from yescale.control.api.access import Caller
from yescale.control.views import View
from yescale.domain.money import quota_balance
from yescale.store.accounts import find_account

router: Final = APIRouter(prefix="/api/v1", tags=["account"])


class AccountView(View):
    """An account. `balance_nano` is what it has, of which `held_nano` is set aside for calls; in nano-dollars."""

    object: Literal["account"] = "account"
    id: int
    username: str
    role: int
    group: str
    balance_nano: int
    held_nano: int
    quota: int


@router.get("/account")
async def read_account(caller: Caller, desk: Desk) -> AccountView:
    """The account of the access key."""
    await desk.catch_up()
    async with desk.database.reading() as connection:
        account = await find_account(connection, caller.id) or caller
    return AccountView(
        id=account.id,
        username=account.username,
        role=account.role,
        group=account.group,
        balance_nano=account.balance,
        held_nano=account.held,
        quota=quota_balance(account.balance),
    )
