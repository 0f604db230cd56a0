"""`GET /api/v1/routes/explain`: where a call would go and why, channel by channel; for operators."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query

from yescale.control.access import Desk
from yescale.control.answers import FaultRaised
from yescale.control.api.access import Operator
from yescale.control.snapshot import open_channel
from yescale.control.views import View
from yescale.control.wellness import Standing, Wellness
from yescale.domain.faults import MODEL_NOT_FOUND
from yescale.domain.ids import ModelName, ProtocolId
from yescale.routing.explain import Explained, Place, Question, explain
from yescale.routing.table import Table
from yescale.store.channels import ENABLED, REFUSED, ChannelRow, list_channels

router: Final = APIRouter(prefix="/api/v1", tags=["routes"])
_Word = Annotated[str, Query(min_length=1, max_length=128)]


class PlaceView(View):
    """A channel that serves the model. `tier`: the order in which it is tried, from 1 on; 0 = it is not."""

    channel: int
    name: str
    provider: str
    upstream_model: str
    tier: int
    native: bool
    priority: int
    weight: int
    eligible: bool
    why_not: str
    resting_s: float
    calls: int
    secrets: int
    resting_secrets: int
    first_byte_ms: int | None


class FallbackView(View):
    """A model that is tried where no channel of the first can answer, and whether the group is served it."""

    model: str
    served: bool


class RouteView(View):
    """Where a call would go."""

    object: Literal["route"] = "route"
    model: str
    group: str
    operation: str
    spoken: str
    alias_of: str
    priced_as: str
    priced: bool
    places: list[PlaceView]
    fallbacks: list[FallbackView]


@router.get("/routes/explain")
async def explain_route(
    _operator: Operator,
    desk: Desk,
    model: _Word,
    group: _Word = "default",
    spoken: _Word = "openai.chat",
    operation: str = "",
) -> RouteView:
    """The choice for a model, a group and a client's format, as it stands now on this node."""
    await desk.announce()
    async with desk.database.reading() as connection:
        rows = await list_channels(connection)
    table = Table(desk.snapshot())
    entry = table.model(ModelName(model))
    does = operation or (entry.operations[0] if entry is not None and entry.operations else "chat")
    question = Question(model=ModelName(model), group=group, spoken=ProtocolId(spoken), operation=does)
    states = {row.id: _why_not(row, desk.wellness) for row in rows}
    opened = [channel for row in rows if (channel := open_channel(row, desk.vault)) is not None]
    explained = explain(table, question, opened, lambda channel: states.get(channel, ""))
    if not explained.known:
        raise FaultRaised(MODEL_NOT_FOUND.saying(f"The model '{model}' does not exist.", param="model"))
    return _show(question, explained, desk.wellness)


def _why_not(row: ChannelRow, wellness: Wellness) -> str:
    if row.status == REFUSED:
        return f"disabled: {row.reason}"
    if row.status != ENABLED:
        return "disabled"
    rest_s = wellness.of(row.id).rest_s
    return f"rests for {rest_s:.0f} s more" if rest_s else ""


def _show(question: Question, explained: Explained, wellness: Wellness) -> RouteView:
    return RouteView(
        model=question.model,
        group=question.group,
        operation=question.operation,
        spoken=question.spoken,
        alias_of=explained.alias_of,
        priced_as=explained.priced_as,
        priced=explained.priced,
        places=[_show_place(place, wellness.of(place.channel.id)) for place in explained.places],
        fallbacks=[FallbackView(model=name, served=served) for name, served in explained.fallbacks],
    )


def _show_place(place: Place, standing: Standing) -> PlaceView:
    channel = place.channel
    return PlaceView(
        channel=channel.id,
        name=channel.name,
        provider=channel.provider,
        upstream_model=place.upstream_model,
        tier=place.tier,
        native=place.native,
        priority=channel.priority,
        weight=channel.weight,
        eligible=not place.why_not,
        why_not=place.why_not,
        resting_s=round(standing.rest_s, 1),
        calls=standing.load,
        secrets=len(channel.secrets),
        resting_secrets=len(standing.secrets),
        first_byte_ms=standing.first_byte_ms.get(place.upstream_model),
    )
