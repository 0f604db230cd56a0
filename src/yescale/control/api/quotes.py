"""`POST /api/v1/quotes`: what a usage costs, or the most that a call can cost, line by line."""

from typing import Final, Literal

from fastapi import APIRouter

from yescale.control.access import Desk
from yescale.control.answers import FaultRaised
from yescale.control.api.access import Caller
from yescale.control.quoting import AskQuote, QuoteRefused, find_quote
from yescale.control.views import QuoteLineView, View
from yescale.domain import faults
from yescale.domain.money import quota_of

router: Final = APIRouter(prefix="/api/v1", tags=["quotes"])


class PriceQuoteView(View):
    """A quote. `kind` is `exact` for a usage, which a call that uses this much is charged, and `ceiling` for a call of
    which only the limits are known: it may cost less, and no more.
    """

    object: Literal["quote"] = "quote"
    model: str
    group: str
    kind: Literal["exact", "ceiling"]
    amount_nano: int
    quota: int
    lines: list[QuoteLineView]


@router.post("/quotes")
async def make_quote(_caller: Caller, desk: Desk, body: AskQuote) -> PriceQuoteView:
    """What it would cost now, by the arithmetic that charges calls."""
    try:
        async with desk.database.reading() as connection:
            quoted = await find_quote(connection, body)
    except QuoteRefused as refused:
        unknown = refused.unknown and refused.param == "model"
        fault = faults.MODEL_NOT_FOUND if unknown else faults.MALFORMED
        raise FaultRaised(fault.saying(str(refused), param=refused.param)) from refused
    return PriceQuoteView(
        model=quoted.model,
        group=quoted.group,
        kind="exact" if quoted.exact else "ceiling",
        amount_nano=quoted.quote.total,
        quota=quota_of(quoted.quote.total),
        lines=list(quoted.lines),
    )
