"""Whom a caller prefers among the providers of a model: a pure choice and order of an offer's candidates."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.gateway.admission import Order
from yescale.protocols.wishes import Preferences
from yescale.providers.registry import PROVIDERS
from yescale.routing.table import Candidate, Tier

NOBODY: Final = faults.NO_PROVIDER_ALLOWED


def prefer(order: Order, wanted: Preferences) -> Order | Fault:
    """The same call for those whom the caller lets answer, the preferred ones first."""
    allowed = tuple(_filter(order.offer.tiers, lambda names: _allows(wanted, names)))
    tiers = tuple(_sort(allowed, wanted))
    return replace(order, offer=replace(order.offer, tiers=tiers)) if tiers else NOBODY


def _sort(tiers: tuple[Tier, ...], wanted: Preferences) -> Iterator[Tier]:
    for place, name in enumerate(wanted.order):
        before = frozenset(wanted.order[:place])
        yield from _filter(tiers, lambda names, name=name, before=before: name in names and not names & before)
    if wanted.fallbacks or not wanted.order:
        yield from _filter(tiers, lambda names: not names & frozenset(wanted.order))


def _allows(wanted: Preferences, names: frozenset[str]) -> bool:
    return not names & frozenset(wanted.ignore) and (not wanted.only or bool(names & frozenset(wanted.only)))


def _filter(tiers: tuple[Tier, ...], keep: Callable[[frozenset[str]], bool]) -> Iterator[Tier]:
    for tier in tiers:
        kept = tuple(candidate for candidate in tier.candidates if keep(_names(candidate)))
        if kept:
            yield Tier(kept, tuple(accumulate(max(1, c.channel.weight) for c in kept)))


def _names(candidate: Candidate) -> frozenset[str]:
    """How a caller may call the provider of a candidate."""
    known = PROVIDERS.get(candidate.channel.provider)
    title = "" if known is None else known.title
    return frozenset({candidate.channel.provider.lower(), title.lower()})
