"""`/api/v1/limits`: limits of accounts, keys, groups, models and channels, for operators."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from yescale.control.access import Desk
from yescale.control.api.access import Body, Operator, refused
from yescale.control.operations.limits import (
    MOST,
    ListLimits,
    OneLimit,
    SetLimit,
    list_all_limits,
    remove_limit,
    set_limit,
)
from yescale.control.operations.refusals import OperationRefused
from yescale.control.views import View
from yescale.domain.ids import LimitId
from yescale.domain.limits import Scope, What, Window

router: Final = APIRouter(prefix="/api/v1", tags=["limits"])

_Number = Annotated[int, Path(ge=1, le=MOST)]


class LimitBody(Body):
    """A limit. `subject`: a username, the number of a key or channel, the name of a group or model. `amount`: nano-
    dollars, tokens or requests per window, or calls at once. `zone`: whose midnight ends a day, a week, a month.
    """

    scope: Scope
    subject: str = Field(min_length=1, max_length=256)
    what: What
    window: Window = ""
    amount: int = Field(ge=0, le=MOST)
    zone: str = Field("UTC", max_length=64)


class LimitView(View):
    """A limit that stands. Of an account, `subject` is its number."""

    object: Literal["limit"] = "limit"
    id: int
    scope: Scope
    subject: str
    what: What
    window: Window
    amount: int
    zone: str


class LimitList(View):
    """Limits, oldest first."""

    object: Literal["list"] = "list"
    data: list[LimitView]
    has_more: bool = False


class LimitGone(View):
    """A limit that was taken away."""

    object: Literal["limit"] = "limit"
    id: int
    deleted: bool = True


@router.get("/limits")
async def read_limits(
    _operator: Operator,
    desk: Desk,
    scope: Scope | None = None,
    subject: Annotated[str | None, Query(max_length=256)] = None,
) -> LimitList:
    """The limits that stand: all, those of a scope, or those of one subject in it."""
    try:
        rows = await list_all_limits(desk, ListLimits(scope=scope, subject=subject))
    except OperationRefused as refusal:
        raise refused(refusal) from refusal
    return LimitList(data=[LimitView(**row) for row in rows])


@router.put("/limits")
async def write_limit(_operator: Operator, desk: Desk, body: LimitBody) -> LimitView:
    """Set a limit, or change the one of the same scope, subject, count and window; in force within a second."""
    try:
        row = await set_limit(desk, SetLimit(**body.model_dump()))
    except OperationRefused as refusal:
        raise refused(refusal) from refusal
    return LimitView(**row)


@router.delete("/limits/{limit}")
async def delete_limit(_operator: Operator, desk: Desk, limit: _Number) -> LimitGone:
    """Take a limit away."""
    try:
        await remove_limit(desk, OneLimit(id=LimitId(limit)))
    except OperationRefused as refusal:
        raise refused(refusal) from refusal
    return LimitGone(id=limit)
