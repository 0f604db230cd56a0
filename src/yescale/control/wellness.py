"""What this node's workers say of their channels, put together for the operator and for who disables channels."""

import time
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct, field

from yescale.domain.ids import ChannelId, Incarnation
from yescale.domain.link import ChannelFelt, Felt, SecretFelt


class SecretStanding(Struct, frozen=True, kw_only=True):
    """A secret that rests somewhere. `refused_s`: how long it has been refused; 0 = it was asked to wait."""

    fingerprint: str
    status: int
    rest_s: float
    refused_s: float


class Standing(Struct, frozen=True, kw_only=True):
    """A channel over all workers. `rest_s`: 0 = at least one of them sends calls there."""

    rest_s: float = 0.0
    load: int = 0
    failures: int = 0
    secrets: tuple[SecretStanding, ...] = ()
    first_byte_ms: Mapping[str, int] = field(default_factory=dict[str, int])  # by the provider's name of the model


class _Heard(Struct, frozen=True):
    """One worker's view, and when it came."""

    at_s: float
    channels: Mapping[ChannelId, ChannelFelt]


class Wellness:
    """The newest view of each worker; it goes when the worker does."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._heard: dict[Incarnation, _Heard] = {}

    def hear(self, worker: Incarnation, felt: Felt) -> None:
        """A worker's view takes the place of its older one."""
        self._heard[worker] = _Heard(self._now(), {each.channel: each for each in felt.channels})

    def forget(self, worker: Incarnation) -> None:
        """The worker is gone."""
        self._heard.pop(worker, None)

    def of(self, channel: ChannelId) -> Standing:
        """What is known of a channel now."""
        views = [(heard, heard.channels.get(channel)) for heard in self._heard.values()]
        known = [(self._now() - heard.at_s, felt) for heard, felt in views if felt is not None]
        if not known:
            return Standing()
        rests = [max(0.0, felt.rest_s - age) for age, felt in known]
        return Standing(
            rest_s=min(rests) if len(known) == len(views) else 0.0,
            load=sum(felt.load for _, felt in known),
            failures=max(felt.failures for _, felt in known),
            secrets=tuple(_merge(known)),
            first_byte_ms=_mean([felt.speeds for _, felt in known]),
        )


def _merge(known: list[tuple[float, ChannelFelt]]) -> Iterator[SecretStanding]:
    found: dict[str, list[tuple[float, SecretFelt]]] = {}
    for age, felt in known:
        for secret in felt.secrets:
            found.setdefault(secret.fingerprint, []).append((age, secret))
    for name, views in found.items():
        refused = [(age, secret) for age, secret in views if secret.status]
        yield SecretStanding(
            fingerprint=name,
            status=refused[0][1].status if refused else 0,
            rest_s=max(max(0.0, secret.rest_s - age) for age, secret in views),
            refused_s=max((secret.since_s + age for age, secret in refused), default=0.0),
        )


def _mean(speeds: list[Mapping[str, float]]) -> dict[str, int]:
    found: dict[str, list[float]] = {}
    for view in speeds:
        for model, seconds in view.items():
            found.setdefault(model, []).append(seconds)
    return {model: round(1_000 * sum(each) / len(each)) for model, each in found.items()}
