"""Responses that are kept, as OpenAI's clients read, list and delete them. Another account's are as unknown as none.

https://platform.openai.com/docs/api-reference/responses/get and the pages after it.
"""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Response

from yescale.control import conversations
from yescale.control.access import ApiKey, Desk, present_local_key
from yescale.control.answers import FaultRaised
from yescale.control.views import DeletedView
from yescale.domain.faults import MALFORMED, RESPONSE_NOT_FOUND
from yescale.domain.memory import Kept
from yescale.protocols.openai_responses.listing import Paging, list_items

router: Final = APIRouter(tags=["responses"])
_JSON: Final = "application/json"

Caller = Annotated[ApiKey, Depends(present_local_key)]
Limit = Annotated[int, Query(ge=1, le=100)]
ItemId = Annotated[str, Query(max_length=256)]


async def _find(caller: Caller, desk: Desk, response_id: str) -> Kept:
    kept = await conversations.find(desk, caller.record.account, response_id)
    if kept is None:
        raise _unknown(response_id)
    return kept


Found = Annotated[Kept, Depends(_find)]


@router.get("/v1/responses/{response_id}")
@router.get("/responses/{response_id}", include_in_schema=False)
async def read(kept: Found, stream: bool = False) -> Response:
    """A response, as it was answered."""
    if stream:
        raise FaultRaised(MALFORMED.saying("A response that is kept is not streamed again.", param="stream"))
    return Response(kept.answer, media_type=_JSON)


@router.delete("/v1/responses/{response_id}")
@router.delete("/responses/{response_id}", include_in_schema=False)
async def delete(caller: Caller, desk: Desk, response_id: str) -> DeletedView:
    """Delete a response. Those that went on from it are kept: each holds its whole conversation."""
    if not await conversations.forget(desk, caller.record.account, response_id):
        raise _unknown(response_id)
    return DeletedView(id=response_id, object="response", deleted=True)


@router.post("/v1/responses/{response_id}/cancel")
@router.post("/responses/{response_id}/cancel", include_in_schema=False)
async def cancel(_: Found) -> Response:
    """Nothing to cancel: what is kept was answered while its client waited."""
    raise FaultRaised(MALFORMED.saying("Cannot cancel a synchronous response."))


@router.get("/v1/responses/{response_id}/input_items")
@router.get("/responses/{response_id}/input_items", include_in_schema=False)
async def input_items(
    kept: Found,
    response_id: str,
    limit: Limit = 20,
    order: Literal["asc", "desc"] = "desc",
    after: ItemId = "",
) -> Response:
    """What a response answered: its input, and the conversation before it."""
    page = list_items(kept.input, response_id, Paging(limit, order == "desc", after))
    if page is None:
        raise FaultRaised(MALFORMED.saying(f"There is no item '{after}' in this list.", param="after"))
    return Response(page, media_type=_JSON)


def _unknown(response_id: str) -> FaultRaised:
    return FaultRaised(RESPONSE_NOT_FOUND.saying(f"Response with id '{response_id}' not found."))
