"""`POST /yescale/redeem`: a redemption code becomes quota of the account, in the System API's words."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from yescale.control.access import Desk, present_account
from yescale.control.answers import Refusal
from yescale.control.catalogue import format_usd
from yescale.control.operations.codes import TooManyTries, count_try, redeem_counted
from yescale.control.views import Answer, View
from yescale.domain.money import quota_of
from yescale.ledger.codes import CodeUsed, NoSuchCode
from yescale.store.accounts import AccountRow

router: Final = APIRouter(prefix="/yescale", tags=["system"])


class AskRedeem(BaseModel):
    """A code as it was given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(max_length=64)


class RedeemedView(View):
    """What a code gave: `quota` counts 1/500,000 of a US dollar."""

    quota: int
    amount_usd: str
    code: str


@router.post("/redeem")
async def redeem_code(
    caller: Annotated[AccountRow, Depends(present_account)], desk: Desk, body: AskRedeem
) -> Answer[RedeemedView]:
    """Redeem a code. Sent again by the same account it answers the same and changes nothing."""
    try:
        await count_try(desk, caller.id)
        async with desk.database.writing() as connection:
            redeemed = await redeem_counted(connection, desk.vault.pepper, caller.id, body.code)
    except TooManyTries as error:
        raise Refusal(429, str(error), error.wait_s) from error
    except NoSuchCode as error:
        raise Refusal(404, str(error)) from error
    except CodeUsed as error:
        raise Refusal(409, str(error)) from error
    await desk.announce()
    amount = redeemed.code.amount
    return Answer(data=RedeemedView(quota=quota_of(amount), amount_usd=format_usd(amount), code=redeemed.code.masked))
