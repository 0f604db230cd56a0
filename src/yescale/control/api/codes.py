"""`/api/v1/codes` and `/api/v1/redemptions`: operators make redemption codes, accounts redeem them."""

import time
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, StrictInt
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.access import Desk
from yescale.control.answers import FaultRaised
from yescale.control.api.access import Body, Caller, Operator
from yescale.control.api.entries import After, Limit, Usd, told
from yescale.control.api.once import Doing, Effect
from yescale.control.catalogue import format_usd
from yescale.control.operations.codes import (
    MOST_CODES,
    MOST_WORD,
    NewBatch,
    TooManyTries,
    count_try,
    make_batch,
    read_worth,
    redeem_counted,
    state_of,
    void,
)
from yescale.control.views import View
from yescale.domain.faults import MALFORMED, RATE_LIMITED, Fault
from yescale.domain.money import quota_of
from yescale.ledger.codes import CodeUsed, NoSuchCode
from yescale.store.codes import CodeFilter, CodeRow, give_try_back, list_codes
from yescale.store.database import database_ms

router: Final = APIRouter(prefix="/api/v1", tags=["money"])

_MOST_SECONDS: Final = 10**11
CODE_NOT_FOUND: Final = Fault(
    status=404, type="not_found_error", code="code_not_found", message="There is no such code.", blame="caller"
)
CODE_USED: Final = Fault(
    status=409, type="invalid_request_error", code="code_used", message="The code cannot be redeemed.", blame="caller"
)


class NewCodes(Body):
    """A batch. `usd`: what each code is worth; `expires_at`: unix seconds, without it never."""

    batch: Annotated[str, Field(min_length=1, max_length=MOST_WORD, pattern=r"^[^\x00]*$")]
    usd: Usd
    count: StrictInt = Field(1, ge=1, le=MOST_CODES)
    expires_at: StrictInt | None = Field(None, ge=1, le=_MOST_SECONDS)


class NewRedemption(Body):
    """A code as it was given."""

    code: Annotated[str, Field(max_length=64)]


class MadeCodeView(View):
    """A code, shown whole this once."""

    object: Literal["code"] = "code"
    id: int
    code: str


class MadeCodesView(View):
    """A batch that was just made."""

    object: Literal["list"] = "list"
    data: list[MadeCodeView]
    batch: str
    amount_nano: int
    amount_usd: str
    expires_at: int | None
    has_more: bool = False


class CodeView(View):
    """A code, masked. `state`: open, redeemed, void or expired."""

    object: Literal["code"] = "code"
    id: int
    code: str
    batch: str
    amount_nano: int
    amount_usd: str
    state: str
    username: str | None
    created_at: int
    expires_at: int | None
    redeemed_at: int | None


class CodePage(View):
    """Codes, newest first."""

    object: Literal["list"] = "list"
    data: list[CodeView]
    has_more: bool


class VoidedView(View):
    """How many codes became void."""

    object: Literal["code.voided"] = "code.voided"
    id: int
    voided: int


class RedemptionView(View):
    """What a code gave the account."""

    object: Literal["redemption"] = "redemption"
    id: int
    code: str
    batch: str
    amount_nano: int
    amount_usd: str
    quota: int


class RedemptionPage(View):
    """What the account redeemed, newest first."""

    object: Literal["list"] = "list"
    data: list[RedemptionView]
    has_more: bool


@router.post("/codes", status_code=201, response_model=MadeCodesView)
async def make_codes(operator: Operator, desk: Desk, doing: Doing, body: NewCodes) -> Response:
    """Make codes; they are shown in this answer alone."""
    if body.expires_at is not None and body.expires_at <= time.time():
        raise FaultRaised(MALFORMED.saying("expires_at: it is over already.", param="expires_at"))
    with told():
        new = NewBatch(
            batch=body.batch.strip(),
            amount=read_worth(body.usd),
            count=body.count,
            expires_ms=None if body.expires_at is None else body.expires_at * 1000,
            actor=operator.id,
        )

        async def work(connection: AsyncConnection) -> Effect:
            made = await make_batch(connection, desk.vault.pepper, new)
            view = MadeCodesView(
                data=[MadeCodeView(id=number, code=code) for number, code in made],
                batch=new.batch,
                amount_nano=new.amount,
                amount_usd=format_usd(new.amount),
                expires_at=body.expires_at,
            )
            return Effect(view=view)

        return (await doing.answer(work)).response


@router.get("/codes")
async def read_codes(
    _operator: Operator,
    desk: Desk,
    batch: Annotated[str | None, Query(max_length=MOST_WORD, pattern=r"^[^\x00]*$")] = None,
    after: After = None,
    limit: Limit = 20,
) -> CodePage:
    """All codes, masked, and who redeemed them."""
    async with desk.database.reading() as connection:
        rows = await list_codes(connection, CodeFilter(batch=batch, below=after, limit=limit + 1))
        now_ms = await database_ms(connection)
    return CodePage(data=[_show_code(row, now_ms) for row in rows[:limit]], has_more=len(rows) > limit)


@router.delete("/codes/{code_id}")
async def void_code(operator: Operator, desk: Desk, code_id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> VoidedView:
    """Let a code be redeemed no more; one that was stays as it is."""
    async with desk.database.writing() as connection:
        voided = await void(connection, operator.id, code=code_id)
    if not voided:
        raise FaultRaised(CODE_NOT_FOUND.saying("There is no open code of that number."))
    return VoidedView(id=code_id, voided=voided)


@router.post("/redemptions", status_code=201, response_model=RedemptionView)
async def make_redemption(caller: Caller, desk: Desk, doing: Doing, body: NewRedemption) -> Response:
    """Redeem a code: its money is the account's. Again by the same account it changes nothing."""

    async def work(connection: AsyncConnection) -> Effect:
        redeemed = await redeem_counted(connection, desk.vault.pepper, caller.id, body.code)
        return Effect(view=_show_redemption(redeemed.code))

    try:
        await count_try(desk, caller.id)
        answered = await doing.answer(work)
    except TooManyTries as error:
        raise FaultRaised(RATE_LIMITED.saying(str(error), retry_after_s=error.wait_s)) from error
    except NoSuchCode as error:
        raise FaultRaised(CODE_NOT_FOUND.saying(str(error))) from error
    except CodeUsed as error:
        raise FaultRaised(CODE_USED.saying(str(error))) from error
    if answered.repeated:
        async with desk.database.writing() as connection:
            await give_try_back(connection, caller.id)
    return answered.response


@router.get("/redemptions")
async def read_redemptions(caller: Caller, desk: Desk, after: After = None, limit: Limit = 20) -> RedemptionPage:
    """The codes that the caller redeemed."""
    async with desk.database.reading() as connection:
        rows = await list_codes(connection, CodeFilter(account=caller.id, below=after, limit=limit + 1))
    return RedemptionPage(data=[_show_redemption(row) for row in rows[:limit]], has_more=len(rows) > limit)


def _show_code(row: CodeRow, now_ms: int) -> CodeView:
    return CodeView(
        id=row.id,
        code=row.masked,
        batch=row.batch,
        amount_nano=row.amount,
        amount_usd=format_usd(row.amount),
        state=state_of(row, now_ms),
        username=row.username,
        created_at=row.created_ms // 1000,
        expires_at=None if row.expires_ms is None else row.expires_ms // 1000,
        redeemed_at=None if row.redeemed_ms is None else row.redeemed_ms // 1000,
    )


def _show_redemption(row: CodeRow) -> RedemptionView:
    return RedemptionView(
        id=row.id,
        code=row.masked,
        batch=row.batch,
        amount_nano=row.amount,
        amount_usd=format_usd(row.amount),
        quota=quota_of(row.amount),
    )
