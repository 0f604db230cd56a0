"""Why a call would go where it would go: the choice of `plan`, told channel by channel. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain.ids import ChannelId, ModelName, ProtocolId
from yescale.domain.money import RATIO_ONE
from yescale.domain.snapshot import Channel, Group
from yescale.routing.table import Candidate, Table, speaks

_EVERYONE: Final = ""  # the name of a group that every channel is in; none can be called so


class Question(Struct, frozen=True, kw_only=True):
    """A call that could come."""

    model: ModelName
    group: str
    spoken: ProtocolId
    operation: str


class Place(Struct, frozen=True, kw_only=True):
    """A channel that serves the model. `tier`: when it is tried, from 1 on; 0 = never. `why_not`: "" = it may be."""

    channel: Channel
    upstream_model: str
    tier: int
    native: bool
    why_not: str


class Explained(Struct, frozen=True, kw_only=True):
    """The answer. `priced` False: every call is refused."""

    known: bool
    priced_as: str = ""
    alias_of: str = ""
    priced: bool = False
    places: tuple[Place, ...] = ()
    fallbacks: tuple[tuple[ModelName, bool], ...] = ()  # and whether the group is served it


def explain(
    table: Table, question: Question, everyone: Sequence[Channel], why_not: Callable[[ChannelId], str]
) -> Explained:
    """`everyone`: all channels, those included that are not in the table; `why_not` says what keeps one from calls."""
    model = table.model(question.model)
    if model is None:
        return Explained(known=False)
    tiers = _tiers(table, question)
    places = [_place(candidate, question, tiers, why_not) for candidate in _serving(table, question.model, everyone)]
    places.sort(key=lambda place: (not place.tier, place.tier, -place.channel.priority, place.channel.id))
    return Explained(
        known=True,
        priced_as=model.priced_as,
        alias_of=model.alias_of,
        priced=table.book.priced(model.priced_as),
        places=tuple(places),
        fallbacks=tuple((name, bool(table.tiers(question.group, name))) for name in model.fallbacks),
    )


def _tiers(table: Table, question: Question) -> Mapping[ChannelId, int]:
    offer = table.offer(question.group, question.model, question.operation, question.spoken)
    tiers = () if offer is None else offer.tiers
    return {c.channel.id: number for number, tier in enumerate(tiers, 1) for c in tier.candidates}


def _serving(table: Table, name: ModelName, everyone: Sequence[Channel]) -> list[Candidate]:
    """Every channel that serves the model, to whomever."""
    group = Group(name=_EVERYONE, ratio=RATIO_ONE, ratio_id=0)
    open_to_all = tuple(replace(channel, groups=(_EVERYONE,)) for channel in everyone)
    whole = Table(replace(table.snapshot, channels=open_to_all, groups=(group,)))
    own = {channel.id: channel for channel in everyone}
    found = (candidate for tier in whole.tiers(_EVERYONE, name) for candidate in tier.candidates)
    return [Candidate(own[c.channel.id], c.upstream_model, c.thinking) for c in found]


def _place(
    candidate: Candidate, question: Question, tiers: Mapping[ChannelId, int], why_not: Callable[[ChannelId], str]
) -> Place:
    channel = candidate.channel
    said = speaks(candidate, question.operation, question.spoken)
    reason = why_not(channel.id)
    if not reason and question.group not in channel.groups:
        reason = f"not open to the group {question.group!r}"
    if not reason and said is None:
        reason = f"its provider does not do {question.operation!r}"
    return Place(
        channel=channel,
        upstream_model=candidate.upstream_model,
        tier=tiers.get(channel.id, 0),
        native=bool(said),
        why_not=reason,
    )
