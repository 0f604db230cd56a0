"""`/api/v1/refunds`: what a call paid, given back by an operator."""

from typing import Final

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.api.access import Body, Operator
from yescale.control.api.entries import BookedView, OutsideId, Reason, Usd, told
from yescale.control.api.once import Doing, Effect
from yescale.control.operations.money import check_reason, outside_id_of, read_usd
from yescale.control.views import Text
from yescale.domain.ids import CallId
from yescale.ledger.entries import refund
from yescale.store.entries import find_entry

router: Final = APIRouter(prefix="/api/v1", tags=["money"])


class NewRefund(Body):
    """A call by its request id. Without `usd`, all that is left of what it paid."""

    request_id: Text
    reason: Reason
    usd: Usd | None = None
    outside_id: OutsideId = ""


@router.post("/refunds", status_code=201, response_model=BookedView)
async def make_refund(operator: Operator, doing: Doing, body: NewRefund) -> Response:
    """Give back what a call paid, or a part of it; the account, the key and the budgets of that day have it again."""

    async def work(connection: AsyncConnection) -> Effect:
        entered = await refund(
            connection,
            CallId(body.request_id),
            amount,
            outside_id=outside_id_of(body.outside_id),
            note=body.reason,
            actor=operator.id,
        )
        entry = await find_entry(connection, entered.id)
        view = BookedView(
            id=entry.id,
            kind=entry.kind,
            username=entry.username,
            amount_nano=entry.amount,
            balance_nano=entered.balance,
            repeated=entered.repeated,
        )
        return Effect(view=view)

    with told():
        check_reason(body.reason)
        amount = None if body.usd is None else read_usd(body.usd)
        return (await doing.answer(work)).response
