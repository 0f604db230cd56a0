"""The two account questions that OpenAI clients ask with an API key: subscription and usage, with and without /v1."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends

from yescale.control.access import ApiKey, present_local_key
from yescale.control.views import SubscriptionView, TotalView
from yescale.domain.money import NANO_PER_USD

router: Final = APIRouter(tags=["billing"])
UNLIMITED_USD: Final = 100_000_000  # what an unlimited key is told
_CENTS: Final = 100

Caller = Annotated[ApiKey, Depends(present_local_key)]


@router.get("/v1/dashboard/billing/subscription")
@router.get("/dashboard/billing/subscription", include_in_schema=False)
async def subscription(caller: Caller) -> SubscriptionView:
    """How much the key may spend in all, in US dollars."""
    limit = caller.row.granted / NANO_PER_USD if caller.row.limited else UNLIMITED_USD
    return SubscriptionView(
        soft_limit_usd=limit,
        hard_limit_usd=limit,
        system_hard_limit_usd=limit,
        access_until=max(0, caller.row.expires_at),
    )


@router.get("/v1/dashboard/billing/usage")
@router.get("/dashboard/billing/usage", include_in_schema=False)
async def usage(caller: Caller) -> TotalView:
    """How much the key has spent, in cents of a US dollar."""
    return TotalView(total_usage=caller.row.spent * _CENTS / NANO_PER_USD)
