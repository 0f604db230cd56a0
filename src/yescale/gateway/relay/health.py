"""What a worker knows of its channels: a breaker for each, secrets that rest, what each carries and how fast it is."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from yescale.domain.ids import AccountId, ChannelId
from yescale.domain.link import ChannelFelt, SecretFelt
from yescale.domain.snapshot import Channel, fingerprint
from yescale.gateway.callbacks import say_nothing
from yescale.routing.sticking import nearest, place_of
from yescale.tuning import RelaySettings

ONLY: Final = -1  # the place of a channel's only secret: nothing is to be chosen, and nothing counted
_MOST_FELT: Final = 1_000  # channels of one report
_MOST_SPEEDS: Final = 10_000
_NEWEST: Final = 0.2  # the share of the newest answer in a mean time to the first byte
_DOUBLINGS: Final = 10


class _Rest:
    """One secret: refused until a probe says otherwise (`status`), or only asked to wait (0)."""

    __slots__ = ("failures", "probing", "since", "status", "until")

    def __init__(self, now: float) -> None:
        self.until = 0.0
        self.since = now
        self.status = 0
        self.failures = 0
        self.probing = False

    def blocks(self, now: float) -> bool:
        """Whether no call may use it."""
        return now < self.until or self.probing


class _State:
    """One channel. `account` is who saw the failures; None = nobody or several. `count`: how many secrets it has."""

    __slots__ = ("account", "count", "failures", "full", "probing", "rest_until", "secrets", "several")

    def __init__(self) -> None:
        self.count = 1
        self.full = False
        self.secrets: dict[str, _Rest] = {}
        self.rest_until = 0.0
        self.probing = False
        self.mend()

    def mend(self) -> None:
        """It answers calls: its failures are forgotten. Secrets that rest go on resting."""
        self.failures = 0
        self.account: AccountId | None = None
        self.several = False
        self.rest_until = 0.0
        self.probing = False

    def rests(self, now: float) -> bool:
        """Whether no call may go there."""
        return self.full or now < self.rest_until or self.probing or self._dry(now)

    def wakes_at(self, now: float) -> float:
        """When that ends."""
        dry = min((rest.until for rest in self.secrets.values()), default=0.0) if self._dry(now) else 0.0
        return max(self.rest_until, dry)

    def _dry(self, now: float) -> bool:
        return len(self.secrets) >= self.count and all(rest.blocks(now) for rest in self.secrets.values())

    @property
    def well(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.failures or self.secrets or self.full)

    def probe(self, secret: str) -> bool:
        """An attempt starts; whether it is the first after a rest, which others wait for."""
        rest = self.secrets.get(secret)
        refused = rest is not None and rest.status != 0
        if rest is not None and refused:
            rest.probing = True
        if self.rest_until:
            self.probing = True
        return refused or self.rest_until != 0.0

    def end_probe(self, secret: str) -> None:
        """The probe is over, however it went."""
        self.probing = False
        rest = self.secrets.get(secret)
        if rest is not None:
            rest.probing = False


class ChannelHealth:
    """Breakers: consecutive failures rest a channel, longer each time; one call then probes it. On the loop's clock.

    A secret is remembered as itself, not by its place in the list: one that replaces it begins well. `unwell` are the
    channels that failed and have not answered since, that have a secret that rests, or that are full (`fill`); `loads`,
    how many calls each carries; `speeds`, seconds to the first byte, a moving mean per channel and the provider's name
    of the model: of every call where they count for the choice, else of one now and then. `changed` hears when what is
    unwell does.
    """

    __slots__ = ("_busy", "_rng", "_settings", "by_speed", "changed", "loads", "speeds", "untold", "unwell")

    def __init__(self, settings: RelaySettings, rng: Random, *, by_speed: bool = False) -> None:
        self._settings = settings
        self._rng = rng
        self._busy: dict[tuple[ChannelId, str], int] = {}  # of channels with several secrets
        self.by_speed = by_speed
        self.changed: Callable[[], None] = say_nothing
        self.untold = True  # nobody has been told yet that answers came
        self.unwell: dict[ChannelId, _State] = {}
        self.loads: dict[ChannelId, int] = {}
        self.speeds: dict[tuple[ChannelId, str], float] = {}

    def resting(self, channel: ChannelId, now: float) -> bool:
        """Whether the channel must not be tried: it or all its secrets rest, another call is probing it, it is full."""
        state = self.unwell.get(channel)
        return state is not None and state.rests(now)

    def rest_left(self, channels: list[ChannelId], now: float) -> float:
        """Seconds until the first of these may be tried again."""
        states = [self.unwell[channel] for channel in channels if channel in self.unwell]
        return max(0.0, min((state.wakes_at(now) - now for state in states), default=0.0))

    def pick_secret(self, channel: Channel, now: float, stick: int = 0) -> int:
        """The index of a secret that does not rest (any, if all do): of those the least busy, or with `stick` always
        the same one.
        """
        secrets = channel.secrets
        if len(secrets) <= 1:
            return ONLY
        state = self.unwell.get(channel.id)
        rests = {} if state is None else state.secrets
        awake = [i for i, secret in enumerate(secrets) if secret not in rests or not rests[secret].blocks(now)]
        awake = awake or list(range(len(secrets)))
        loads = {i: self._busy.get((channel.id, secrets[i]), 0) for i in awake}
        if stick:
            return nearest(stick, [(i, place_of(secrets[i]), 1, loads[i]) for i in awake])
        return min(awake, key=lambda i: (loads[i], self._rng.random()))

    def begin(self, channel: Channel, secret: int) -> bool:
        """An attempt starts. The first after a rest is a probe (True): others stay away until it has ended."""
        number = channel.id
        self.loads[number] = self.loads.get(number, 0) + 1
        if secret >= 0:
            place = (number, channel.secrets[secret])
            self._busy[place] = self._busy.get(place, 0) + 1
        state = self.unwell.get(number)
        return state is not None and state.probe(_secret_of(channel, secret))

    def end(self, channel: Channel, secret: int, *, probe: bool) -> None:
        """An attempt is over, however it went. Call it once for each `begin`, with what that said."""
        self.loads[channel.id] -= 1
        if secret >= 0:
            self._leave((channel.id, channel.secrets[secret]))
        state = self.unwell.get(channel.id)
        if probe and state is not None:
            state.end_probe(_secret_of(channel, secret))

    def _leave(self, place: tuple[ChannelId, str]) -> None:
        left = self._busy[place] - 1
        if left:
            self._busy[place] = left
        else:
            del self._busy[place]

    def answered(self, channel: Channel, secret: int, now: float) -> None:
        """The channel answers calls: it is well, and so is this secret. Others of it that rest go on resting."""
        state = self.unwell.get(channel.id)
        if state is None or not (state.failures or state.secrets):
            return
        state.mend()
        rest = state.secrets.get(_secret_of(channel, secret))
        if rest is not None and rest.status and (rest.probing or now >= rest.until):
            rest.status = 0  # else the call began before the refusal, and says nothing of it
            rest.until = 0.0
        state.secrets = {name: rest for name, rest in state.secrets.items() if rest.status or rest.until > now}
        if state.well:
            del self.unwell[channel.id]
        self.changed()

    def fill(self, channel: ChannelId, *, full: bool) -> None:
        """Whether the channel may carry no further call for now."""
        if full:
            self._find(channel).full = True
        elif (state := self.unwell.get(channel)) is not None:
            state.full = False
            if state.well:
                del self.unwell[channel]

    def time(self, channel: ChannelId, model: str, seconds: float) -> None:
        """The first byte of an answer came after so long."""
        place = (channel, model)
        known = self.speeds.get(place)
        if known is not None:
            self.speeds[place] = known + (seconds - known) * _NEWEST
        elif len(self.speeds) < _MOST_SPEEDS:
            self.speeds[place] = seconds
        if self.untold:
            self.untold = False
            self.changed()

    def fail(self, channel: ChannelId, account: AccountId, now: float) -> None:
        """A call failed by the channel's fault. One account alone must see twice as many failures to rest it:
        what a single client can provoke must not take a channel from everyone.
        """
        state = self._find(channel)
        if now < state.rest_until:
            return  # an attempt that began before the rest
        state.failures += 1
        if state.account is None:
            state.account = account
        elif state.account != account:
            state.several = True
        threshold = self._settings.breaker_failures * (1 if state.several else 2)
        if state.failures >= threshold:
            state.rest_until = now + self._rest_s(self._settings.breaker_rest_s, state.failures - threshold)
            self.changed()

    def rest_secret(self, channel: Channel, secret: int, now: float, seconds: float) -> None:
        """One secret was asked to wait; when all of them rest, the channel does."""
        rest = self._find_rest(channel, secret, now)
        rest.until = max(rest.until, now + min(seconds, self._settings.breaker_rest_max_s))
        self.changed()

    def refuse_secret(self, channel: Channel, secret: int, now: float, status: int) -> None:
        """One secret was refused: it rests, longer each time, and then one call at a time probes it."""
        rest = self._find_rest(channel, secret, now)
        if rest.status and now < rest.until:
            return  # an attempt that began before the rest
        if not rest.status:
            rest.since = now
        rest.status, rest.failures = status, rest.failures + 1
        rest.until = now + self._rest_s(self._settings.secret_rest_s, rest.failures - 1)
        self.changed()

    def follow(self, channels: Iterable[Channel]) -> None:
        """Forget what is gone: channels, and secrets that were replaced."""
        known = {channel.id: frozenset(channel.secrets or ("",)) for channel in channels}
        self.unwell = {number: state for number, state in self.unwell.items() if number in known}
        for number, state in self.unwell.items():
            state.count = len(known[number])
            state.secrets = {name: rest for name, rest in state.secrets.items() if name in known[number]}
        self.unwell = {number: state for number, state in self.unwell.items() if not state.well}
        self.loads = {number: load for number, load in self.loads.items() if load or number in known}
        self.speeds = {place: speed for place, speed in self.speeds.items() if place[0] in known}
        self.changed()

    def report(self, now: float) -> tuple[ChannelFelt, ...]:
        """What is known of each channel, for the operator: the unwell ones first."""
        speeds: dict[ChannelId, dict[str, float]] = {}
        for (number, model), seconds in self.speeds.items():
            speeds.setdefault(number, {})[model] = round(seconds, 4)
        numbers = list(dict.fromkeys([*self.unwell, *speeds]))[:_MOST_FELT]
        return tuple(self._felt(number, now, speeds.get(number, {})) for number in numbers)

    def _felt(self, number: ChannelId, now: float, speeds: dict[str, float]) -> ChannelFelt:
        state = self.unwell.get(number)
        rests = () if state is None else state.secrets.items()
        return ChannelFelt(
            channel=number,
            rest_s=0.0 if state is None else max(0.0, state.wakes_at(now) - now),
            failures=0 if state is None else state.failures,
            load=self.loads.get(number, 0),
            secrets=tuple(
                SecretFelt(fingerprint(name), rest.status, max(0.0, rest.until - now), now - rest.since)
                for name, rest in rests
            ),
            speeds=speeds,
        )

    def _rest_s(self, first_s: float, repeated: int) -> float:
        rest = min(self._settings.breaker_rest_max_s, first_s * 2 ** min(_DOUBLINGS, max(0, repeated)))
        return rest * self._rng.uniform(0.75, 1.25)

    def _find_rest(self, channel: Channel, secret: int, now: float) -> _Rest:
        state = self._find(channel.id)
        state.count = len(frozenset(channel.secrets)) or 1
        name = _secret_of(channel, secret)
        rest = state.secrets.get(name)
        if rest is None:
            rest = state.secrets[name] = _Rest(now)
        return rest

    def _find(self, channel: ChannelId) -> _State:
        state = self.unwell.get(channel)
        if state is None:
            state = self.unwell[channel] = _State()
        return state


def _secret_of(channel: Channel, index: int) -> str:
    """ "" where the channel has none."""
    return channel.secrets[index] if channel.secrets else ""
