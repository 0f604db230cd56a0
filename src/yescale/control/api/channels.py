"""`/api/v1/channels/*`: channels tried out; for operators."""

from typing import Final, Literal

from fastapi import APIRouter

from yescale.control.access import Desk
from yescale.control.api.access import Body, Operator, refused
from yescale.control.operations.probes import ProbeChannel, try_channel
from yescale.control.operations.refusals import OperationRefused
from yescale.control.views import View
from yescale.domain.ids import ChannelId

router: Final = APIRouter(prefix="/api/v1", tags=["channels"])


class TrialBody(Body):
    """`model`: one of ours that the channel serves; "" = the first of which a small call can be made."""

    model: str = ""


class SecretView(View):
    """What one secret got. `secret`: its place, from 1 on; `status` 0: no whole answer came."""

    secret: int
    ok: bool
    status: int
    ms: int
    error: str


class TrialView(View):
    """A trial of a channel; `ok`: every secret works."""

    object: Literal["channel_trial"] = "channel_trial"
    channel: int
    ok: bool
    model: str
    upstream_model: str
    secrets: list[SecretView]


@router.post("/channels/{channel}/test")
async def try_out(_operator: Operator, desk: Desk, channel: int, body: TrialBody | None = None) -> TrialView:
    """Make a small real call with each secret of a channel, enabled or not. It is charged to no account."""
    asked = ProbeChannel(id=ChannelId(channel), model="" if body is None else body.model)
    try:
        outcome = await try_channel(desk, asked)
    except OperationRefused as refusal:
        raise refused(refusal) from refusal
    return TrialView(
        channel=channel,
        ok=outcome.ok,
        model=outcome.model,
        upstream_model=outcome.upstream_model,
        secrets=[
            SecretView(secret=each.secret, ok=each.ok, status=each.status, ms=each.ms, error=each.error)
            for each in outcome.secrets
        ],
    )
