"""A channel called once with each of its secrets: what the operator sees, and what enables a refused one again."""

from msgspec import Struct
from msgspec.structs import asdict

from yescale.control.context import Context
from yescale.control.operations.refusals import OperationRefused
from yescale.control.probing import PROBED, Probed, probe
from yescale.control.snapshot import open_channel
from yescale.domain.ids import ChannelId, ModelName, ProtocolId
from yescale.domain.money import RATIO_ONE
from yescale.domain.snapshot import Channel, Group, Snapshot
from yescale.routing.table import Table, speaks
from yescale.store.catalogue import list_models
from yescale.store.channels import find_channel

_GROUP = ""
_SPOKEN = ProtocolId("openai.chat")


class ProbeChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`model`: one of ours that it serves; "" = the first of which a small call can be made."""

    id: ChannelId
    model: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """With which model, and what each secret got."""

    model: str
    upstream_model: str
    secrets: tuple[Probed, ...]

    @property
    def ok(self) -> bool:
        """Whether every secret works."""
        return all(each.ok for each in self.secrets)


async def probe_channel(context: Context, asked: ProbeChannel) -> object:
    """Make the calls; they are charged to no account."""
    outcome = await try_channel(context, asked)
    return {
        "id": asked.id,
        "ok": outcome.ok,
        "model": outcome.model,
        "upstream_model": outcome.upstream_model,
        "secrets": [asdict(each) for each in outcome.secrets],
    }


async def try_channel(context: Context, asked: ProbeChannel) -> Outcome:
    """The same. Raises OperationRefused where there is nothing to call, DatabaseAway."""
    async with context.database.reading() as connection:
        row = await find_channel(connection, asked.id)
    if row is None:
        raise OperationRefused(f"There is no channel {asked.id}; `channel list` shows them.")
    channel = open_channel(row, context.vault)
    if channel is None:
        raise OperationRefused(f"The secrets of channel {asked.id} cannot be opened; set them again.")
    outcome = await probe_row(context, channel, asked.model)
    if not outcome.model:
        what = f"serves no model {asked.model!r}" if asked.model else "serves no model"
        raise OperationRefused(f"Channel {asked.id} {what} of which a small call can be made: {', '.join(PROBED)}.")
    return outcome


async def probe_row(context: Context, channel: Channel, wanted: str = "") -> Outcome:
    """The calls of a channel, enabled or not; no `model` where none can be made."""
    async with context.database.reading() as connection:
        models = tuple(row.model for row in await list_models(connection, enabled_only=False))
    group = Group(name=_GROUP, ratio=RATIO_ONE, ratio_id=0)
    alone = Snapshot(version=0, models=models, channels=(_open_to(channel),), groups=(group,))
    table = Table(alone)
    for name in [ModelName(wanted)] if wanted else table.names(_GROUP):
        found = _probed_as(table, name)
        if found is not None:
            upstream, operation = found
            probed = await probe(channel, upstream, operation, context.ca_file)
            return Outcome(model=name, upstream_model=upstream, secrets=probed)
    return Outcome(model="", upstream_model="", secrets=())


def _open_to(channel: Channel) -> Channel:
    return Channel(
        id=channel.id,
        name=channel.name,
        provider=channel.provider,
        base_url="",
        secrets=(),
        models=channel.models,
        groups=(_GROUP,),
    )


def _probed_as(table: Table, name: ModelName) -> tuple[str, str] | None:
    """The provider's name of a model, and an operation that can be tried."""
    model = table.model(name)
    if model is None:
        return None
    for tier in table.tiers(_GROUP, name):
        for candidate in tier.candidates:
            for operation in PROBED:
                if operation in model.operations and speaks(candidate, operation, _SPOKEN) is not None:
                    return candidate.upstream_model, operation
    return None
