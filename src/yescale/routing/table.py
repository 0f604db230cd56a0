"""A snapshot, indexed for calls: models, groups, prices, and the candidates of each (group, model)."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import accumulate, groupby
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from yescale.domain.ids import ChannelId, ModelName, ProtocolId
from yescale.domain.limits import NO_LIMITS, Limits
from yescale.domain.snapshot import GONE, Channel, Group, Model, Snapshot
from yescale.domain.usage import Meter
from yescale.pricing.book import PriceBook
from yescale.pricing.ceiling import Tariff, find_tariff
from yescale.pricing.quote import Rates, find_rates
from yescale.providers.registry import PROVIDERS

THINKING: Final = "-thinking"  # behind a model's name it asks the model to think
_CACHES: Final = frozenset({Meter.CACHE_READ_TOKENS, Meter.CACHE_WRITE_TOKENS, Meter.CACHE_WRITE_1H_TOKENS})
_NEIGHBOURS: Final = 8  # names looked at on each side when a model is not found


class Candidate(Struct, frozen=True):
    """One channel that serves a model, and the provider's name for that model."""

    channel: Channel
    upstream_model: str
    thinking: bool = False  # the model was asked for with the suffix that makes it think


class Tier(Struct, frozen=True):
    """Candidates of equal priority. `bounds` are their running weights, for a draw by bisection."""

    candidates: tuple[Candidate, ...]
    bounds: tuple[int, ...]


class Offer(Struct, frozen=True, kw_only=True):
    """What a group is offered under a model's name. `tariff` is None where the model has no price; `rates` are empty
    where the price depends on facts. `chooses`: there is more than one place to stick to. `caches`: what its provider
    keeps of a prompt has a price of its own.
    """

    model: Model
    group: Group
    tiers: tuple[Tier, ...]
    tariff: Tariff | None
    rates: Rates
    limits: Limits = NO_LIMITS  # of the group and the model
    chooses: bool = False
    caches: bool = False


class Table:
    """What one snapshot says, unchanging; look-ups cost a dictionary access."""

    __slots__ = ("_groups", "_limits", "_models", "_names", "_offers", "_tiers", "book", "channel_limits", "snapshot")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.book = PriceBook(snapshot.prices)
        self._models = _resolve({model.name: model for model in snapshot.models})
        self._groups = {group.name: group for group in snapshot.groups}
        self._tiers = _index(snapshot.channels, self._models)
        self._limits: dict[tuple[str, str], Limits] = {}
        for limit in snapshot.limits:
            place = (limit.scope, limit.subject)
            self._limits[place] = (*self._limits.get(place, ()), limit)
        self.channel_limits = {
            ChannelId(int(subject)): limits for (scope, subject), limits in self._limits.items() if scope == "channel"
        }
        served: dict[str, list[ModelName]] = {}
        for group, name in self._tiers:
            if name in self._models and not name.endswith("*") and self._models[name].deprecation != GONE:
                served.setdefault(group, []).append(name)
        self._names = {group: tuple(sorted(names)) for group, names in served.items()}
        self._offers: dict[tuple[str, ModelName, str, ProtocolId], Offer] = {}  # made at first use

    def offer(self, group_name: str, name: ModelName, operation: str, spoken: ProtocolId) -> Offer | None:
        """What a call of a group for a model may have, or None where there is no such model, group or channel.

        In each tier, channels that speak the client's format come before those that need a translation; those whose
        provider cannot do the operation at all are left out.
        """
        place = (group_name, name, operation, spoken)
        found = self._offers.get(place)
        if found is not None:
            return found
        model, group, tiers = self.model(name), self.group(group_name), self.tiers(group_name, name)
        if model is None or group is None or not tiers:
            return None
        priced = self.book.priced(model.priced_as)
        tariff = find_tariff(self.book, model, group.ratio) if priced else None
        tiers = tuple(part for tier in tiers for part in _part(tier, operation, spoken))
        rates = find_rates(self.book, model.priced_as, group.ratio)
        offer = Offer(
            model=model,
            group=group,
            tiers=tiers,
            tariff=tariff,
            rates=rates,
            limits=self._shared_limits(group_name, name) if self._limits else NO_LIMITS,
            chooses=any(len(tier.candidates) > 1 or _has_secrets(tier) for tier in tiers),
            caches=any(rule.meter in _CACHES for rule in self.book.rules(model.priced_as)),
        )
        if name in self._models:  # not what a wildcard lets through, which is without end
            self._offers[place] = offer
        return offer

    def _shared_limits(self, group: str, name: ModelName) -> Limits:
        """Those of a group and of a model, by the name of its catalogue entry."""
        entry = next((each for each in (name, _plain(name), _wildcard(_plain(name))) if each in self._models), name)
        return self._limits.get(("group", group), NO_LIMITS) + self._limits.get(("model", entry), NO_LIMITS)

    def model(self, name: ModelName) -> Model | None:
        """The catalogue entry of a name; a wildcard entry `base+*` answers for every suffix, under the full name, and
        a model for its own name with `-thinking` behind it.
        """
        found = self._models.get(name)
        if found is not None:
            return None if name.endswith("*") else found
        known = self._models.get(_plain(name)) or self._models.get(_wildcard(_plain(name)))
        return None if known is None else replace(known, name=name)

    def group(self, name: str) -> Group | None:
        """A group and its ratio."""
        return self._groups.get(name)

    def tiers(self, group: str, name: ModelName) -> tuple[Tier, ...]:
        """The candidates of a model in a group, best priority first; empty = not served there."""
        found = self._tiers.get((group, name))
        if found is not None:
            return found
        plain = _plain(name)
        found = self._tiers.get((group, plain)) if plain != name else None
        if found is None:
            found = tuple(_with_suffix(tier, plain) for tier in self._tiers.get((group, _wildcard(plain)), ()))
        return tuple(_with_thinking(tier) for tier in found) if plain != name else found

    def names(self, group: str) -> Sequence[ModelName]:
        """The models that a group is served, sorted; wildcards are not shown."""
        return self._names.get(group, ())

    def close_names(self, name: str, among: Sequence[str], n: int = 3) -> list[str]:
        """Up to `n` sorted names near a mistaken one. Looks at its neighbours only: its cost does not grow."""
        place = bisect_left(among, name)
        nearby = among[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]
        return get_close_matches(name[:64], nearby, n=n, cutoff=0.5)


def _wildcard(name: ModelName) -> ModelName:
    """The entry that answers for a name with a suffix; "" = the name has none."""
    base, plus, _ = name.partition("+")
    return ModelName(f"{base}+*" if plus else "")


def _plain(name: ModelName) -> ModelName:
    """The name without the suffix that makes its model think."""
    plain = name.removesuffix(THINKING)
    return name if plain.endswith("*") else ModelName(plain)


def _has_secrets(tier: Tier) -> bool:
    """Whether a channel of it has several."""
    return any(len(candidate.channel.secrets) > 1 for candidate in tier.candidates)


def _with_thinking(tier: Tier) -> Tier:
    return Tier(tuple(replace(candidate, thinking=True) for candidate in tier.candidates), tier.bounds)


def _with_suffix(tier: Tier, name: ModelName) -> Tier:
    suffix = name.partition("+")[2]
    candidates = tuple(Candidate(c.channel, c.upstream_model.replace("*", suffix)) for c in tier.candidates)
    return Tier(candidates, tier.bounds)


def _resolve(models: Mapping[ModelName, Model]) -> dict[ModelName, Model]:
    """The catalogue with what each alias stands for; an alias of nothing, or of an alias, is left out."""
    found: dict[ModelName, Model] = {}
    for name, model in models.items():
        if not model.alias_of:
            found[name] = model
            continue
        base = models.get(model.alias_of)
        if base is not None and not base.alias_of:
            gone = max(model.deprecation, base.deprecation)
            found[name] = replace(base, name=name, alias_of=base.name, deprecation=gone)
    return found


def _index(
    channels: Iterable[Channel], models: Mapping[ModelName, Model]
) -> dict[tuple[str, ModelName], tuple[Tier, ...]]:
    found: dict[tuple[str, ModelName], list[Candidate]] = {}
    for channel in channels:
        served = _serve(channel, models)
        for group in channel.groups:
            for name, upstream in served.items():
                found.setdefault((group, name), []).append(Candidate(channel, upstream))
    tiers = {place: _sort(candidates) for place, candidates in found.items()}
    aliases: dict[ModelName, list[ModelName]] = {}
    for name, model in models.items():
        if model.alias_of:
            aliases.setdefault(model.alias_of, []).append(name)
    for group, base in tuple(tiers) if aliases else ():
        for name in aliases.get(base, ()):
            tiers.setdefault((group, name), tiers[group, base])
    return tiers


def _serve(channel: Channel, models: Mapping[ModelName, Model]) -> Mapping[ModelName, str]:
    """The names that a channel serves: those that it lists, and of the catalogue those that a `gpt-*` of it covers, as
    the longest of them says.
    """
    wild = sorted((name for name in channel.models if is_wide(name)), key=len)
    if not wild:
        return channel.models
    served: dict[ModelName, str] = {}
    for pattern in wild:
        served.update(_cover(pattern, channel.models[pattern], models))
    return served | {name: upstream for name, upstream in channel.models.items() if not is_wide(name)}


def _cover(pattern: str, upstream: str, models: Mapping[ModelName, Model]) -> Iterator[tuple[ModelName, str]]:
    stem = pattern.removesuffix("*")
    for name, model in models.items():
        if name.startswith(stem) and not name.endswith("*") and not model.alias_of:
            yield name, upstream.replace("*", name.removeprefix(stem))


def is_wide(name: str) -> bool:
    """Whether a channel's name of a model stands for all of the catalogue that begin so; `base+*` does not."""
    return name.endswith("*") and not name.endswith("+*")


def _sort(candidates: list[Candidate]) -> tuple[Tier, ...]:
    candidates.sort(key=lambda c: (-c.channel.priority, c.channel.id))
    return tuple(_tier(group) for _, group in groupby(candidates, key=lambda c: c.channel.priority))


def _tier(candidates: Iterable[Candidate]) -> Tier:
    members = tuple(candidates)
    return Tier(members, tuple(accumulate(max(1, c.channel.weight) for c in members)))


def _part(tier: Tier, operation: str, spoken: ProtocolId) -> Iterable[Tier]:
    """A tier in two: those that speak the client's format, then those that need a translation."""
    native: list[Candidate] = []
    foreign: list[Candidate] = []
    for candidate in tier.candidates:
        said = speaks(candidate, operation, spoken)
        if said is not None:
            (native if said else foreign).append(candidate)
    return (_tier(part) for part in (native, foreign) if part)


def speaks(candidate: Candidate, operation: str, spoken: ProtocolId) -> bool | None:
    """Whether a channel's provider speaks the client's format; None = it cannot do the operation at all."""
    provider = PROVIDERS.get(candidate.channel.provider)
    if provider is None:
        return False  # its attempt says so in the log
    endpoint = provider.endpoint(operation, spoken)
    return None if endpoint is None else endpoint.format.id == spoken
