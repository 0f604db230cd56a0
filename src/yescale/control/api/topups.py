"""`/api/v1/topups`, `/api/v1/adjustments`, `/api/v1/entries`: money that operators put in or take out, and the list."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.access import Desk
from yescale.control.api.access import Body, Caller, Operator, is_operator
from yescale.control.api.entries import (
    After,
    BookedView,
    EntryPage,
    Limit,
    OutsideId,
    Reason,
    Usd,
    show_entry,
    told,
)
from yescale.control.api.once import Doing, Effect, Work
from yescale.control.operations.money import (
    Adjust,
    TopUp,
    check_reason,
    enter_for,
    read_signed_usd,
    read_usd,
)
from yescale.control.operations.users import find_user
from yescale.control.views import Text
from yescale.domain.ids import AccountId
from yescale.domain.money import Nano
from yescale.store.entries import EntryFilter, list_entries

router: Final = APIRouter(prefix="/api/v1", tags=["money"])
KINDS: Final = ("topup", "redemption", "trial", "adjustment", "refund")


class NewTopup(Body):
    """Money that was paid. `outside_id`: the payment's own number; the same number again enters nothing."""

    username: Text
    usd: Usd
    outside_id: OutsideId = ""
    note: Reason = ""


class NewAdjustment(Body):
    """A correction, with a minus to take away. `reason` stands beside it in the ledger."""

    username: Text
    usd: Usd
    reason: Reason
    outside_id: OutsideId = ""


@router.post("/topups", status_code=201, response_model=BookedView)
async def make_topup(operator: Operator, doing: Doing, body: NewTopup) -> Response:
    """Put money into an account."""
    asked = TopUp(username=body.username, usd=body.usd, outside_id=body.outside_id, note=body.note)
    with told():
        amount = read_usd(body.usd)
        work = _entering("topup", asked, amount, operator.id)
        return (await doing.answer(work)).response


@router.post("/adjustments", status_code=201, response_model=BookedView)
async def make_adjustment(operator: Operator, doing: Doing, body: NewAdjustment) -> Response:
    """Correct an account's balance, up or down."""
    asked = Adjust(username=body.username, usd=body.usd, outside_id=body.outside_id, note=body.reason)
    with told():
        check_reason(body.reason)
        amount = read_signed_usd(body.usd)
        work = _entering("adjustment", asked, amount, operator.id)
        return (await doing.answer(work)).response


@router.get("/entries")
async def read_entries(
    caller: Caller,
    desk: Desk,
    kind: Annotated[str | None, Query(max_length=32)] = None,
    username: Annotated[Text | None, Query()] = None,
    after: After = None,
    limit: Limit = 20,
) -> EntryPage:
    """Entries beside the calls, newest first: the caller's own; an operator sees all, or one account's."""
    kinds = KINDS if kind is None else {kind}.intersection(KINDS)
    async with desk.database.reading() as connection:
        account: AccountId | None = caller.id
        if is_operator(caller):
            with told():
                account = None if username is None else (await find_user(connection, username)).id
        wanted = EntryFilter(kinds=kinds, account=account, below=after, limit=limit + 1)
        rows = await list_entries(connection, wanted)
    return EntryPage(data=[show_entry(row) for row in rows[:limit]], has_more=len(rows) > limit)


def _entering(kind: str, asked: TopUp | Adjust, amount: Nano, actor: AccountId) -> Work:
    """The work of one request: enter, and show what was entered."""

    async def work(connection: AsyncConnection) -> Effect:
        entered = await enter_for(connection, kind, asked, amount, actor)
        view = BookedView(
            id=entered.id,
            kind=kind,
            username=asked.username,
            amount_nano=amount,
            balance_nano=entered.balance,
            repeated=entered.repeated,
        )
        return Effect(view=view, recall=entered.purse if entered.recall else None)

    return work
