"""What a worker knows of its channels: a breaker for each, secrets that rest, and how many calls each carries."""

from random import Random

from yescale.domain.ids import AccountId, ChannelId
from yescale.domain.snapshot import Channel
from yescale.tuning import RelaySettings


class _State:
    """One channel. `account` is who saw the failures; None = nobody or several."""

    __slots__ = ("account", "failures", "in_flight", "probing", "rest_until", "secrets", "several")

    def __init__(self) -> None:
        self.in_flight = 0
        self.failures = 0
        self.account: AccountId | None = None
        self.several = False
        self.rest_until = 0.0
        self.probing = False
        self.secrets: dict[int, float] = {}  # index -> rests until


class ChannelHealth:
    """Breakers: consecutive failures rest a channel, longer each time; one call then probes it. On the loop's clock."""

    __slots__ = ("_rng", "_settings", "_states")

    def __init__(self, settings: RelaySettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self._states: dict[ChannelId, _State] = {}

    def resting(self, channel: ChannelId, now: float) -> bool:
        """Whether the channel must not be tried: it rests, or another call is probing it."""
        state = self._states.get(channel)
        return state is not None and (now < state.rest_until or state.probing)

    def in_flight(self, channel: ChannelId) -> int:
        """How many calls it is carrying."""
        state = self._states.get(channel)
        return 0 if state is None else state.in_flight

    def rest_left(self, channels: list[ChannelId], now: float) -> float:
        """Seconds until the first of these may be tried again."""
        states = [self._states[channel] for channel in channels if channel in self._states]
        return max(0.0, min((state.rest_until - now for state in states), default=0.0))

    def pick_secret(self, channel: Channel, now: float) -> int:
        """The index of a secret that does not rest; any, if all do."""
        count = len(channel.secrets)
        state = self._states.get(channel.id)
        if count <= 1:
            return 0
        awake = range(count) if state is None else [i for i in range(count) if state.secrets.get(i, 0.0) <= now]
        return self._rng.choice(awake or range(count))

    def begin(self, channel: ChannelId) -> None:
        """An attempt starts. The first after a rest is a probe: others stay away until it has ended."""
        state = self._states.get(channel)
        if state is None:
            state = self._states[channel] = _State()
        state.in_flight += 1
        if state.rest_until:
            state.probing = True

    def end(self, channel: ChannelId) -> None:
        """An attempt is over, however it went. Call it once for each `begin`."""
        state = self._states[channel]
        state.in_flight -= 1
        state.probing = False

    def answered(self, channel: ChannelId) -> None:
        """The channel answers calls: it is well."""
        state = self._states[channel]
        if state.failures or state.rest_until:
            state.failures, state.rest_until, state.probing = 0, 0.0, False
            state.account, state.several = None, False

    def fail(self, channel: ChannelId, account: AccountId, now: float) -> None:
        """A call failed by the channel's fault. One account alone must see twice as many failures to rest it:
        what a single client can provoke must not take a channel from everyone.
        """
        state = self._states[channel]
        if now < state.rest_until:
            return  # an attempt that began before the rest
        state.failures += 1
        if state.account is None:
            state.account = account
        elif state.account != account:
            state.several = True
        threshold = self._settings.breaker_failures * (1 if state.several else 2)
        if state.probing or state.failures >= threshold:
            doublings = min(10, max(0, state.failures - threshold))
            rest = min(self._settings.breaker_rest_max_s, self._settings.breaker_rest_s * 2**doublings)
            state.rest_until = now + rest * self._rng.uniform(0.75, 1.25)

    def rest_secret(self, channel: Channel, secret: int, now: float, seconds: float) -> None:
        """One secret must not be used for a while; when all of them rest, the channel does."""
        state = self._states.get(channel.id)
        if state is None:
            state = self._states[channel.id] = _State()
        state.secrets[secret] = now + min(seconds, self._settings.breaker_rest_max_s)
        until = [state.secrets.get(i, 0.0) for i in range(max(1, len(channel.secrets)))]
        if min(until) > now:
            state.rest_until = max(state.rest_until, min(until))
