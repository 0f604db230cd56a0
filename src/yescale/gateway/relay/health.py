"""What a worker knows of its channels: a breaker for each, secrets that rest, and how many calls each carries."""

from random import Random

from yescale.domain.ids import AccountId, ChannelId
from yescale.domain.snapshot import Channel
from yescale.tuning import RelaySettings


class _State:
    """One channel. `account` is who saw the failures; None = nobody or several."""

    __slots__ = ("account", "failures", "probing", "rest_until", "secrets", "several")

    def __init__(self) -> None:
        self.failures = 0
        self.account: AccountId | None = None
        self.several = False
        self.rest_until = 0.0
        self.probing = False
        self.secrets: dict[int, float] = {}  # index -> rests until


class ChannelHealth:
    """Breakers: consecutive failures rest a channel, longer each time; one call then probes it. On the loop's clock.

    `unwell` are the channels that failed and have not answered since; `loads`, how many calls each channel carries.
    """

    __slots__ = ("_rng", "_settings", "loads", "unwell")

    def __init__(self, settings: RelaySettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self.unwell: dict[ChannelId, _State] = {}
        self.loads: dict[ChannelId, int] = {}

    def resting(self, channel: ChannelId, now: float) -> bool:
        """Whether the channel must not be tried: it rests, or another call is probing it."""
        state = self.unwell.get(channel)
        return state is not None and (now < state.rest_until or state.probing)

    def rest_left(self, channels: list[ChannelId], now: float) -> float:
        """Seconds until the first of these may be tried again."""
        states = [self.unwell[channel] for channel in channels if channel in self.unwell]
        return max(0.0, min((state.rest_until - now for state in states), default=0.0))

    def pick_secret(self, channel: Channel, now: float) -> int:
        """The index of a secret that does not rest; any, if all do."""
        count = len(channel.secrets)
        if count <= 1:
            return 0
        state = self.unwell.get(channel.id)
        awake = range(count) if state is None else [i for i in range(count) if state.secrets.get(i, 0.0) <= now]
        return self._rng.choice(awake or range(count))

    def begin(self, channel: ChannelId) -> None:
        """An attempt starts. The first after a rest is a probe: others stay away until it has ended."""
        self.loads[channel] = self.loads.get(channel, 0) + 1
        state = self.unwell.get(channel)
        if state is not None and state.rest_until:
            state.probing = True

    def end(self, channel: ChannelId) -> None:
        """An attempt is over, however it went. Call it once for each `begin`."""
        self.loads[channel] -= 1
        state = self.unwell.get(channel)
        if state is not None:
            state.probing = False

    def answered(self, channel: ChannelId, now: float) -> None:
        """The channel answers calls: it is well. Secrets of it that rest go on resting."""
        state = self.unwell.get(channel)
        if state is None:
            return
        del self.unwell[channel]
        resting = {secret: until for secret, until in state.secrets.items() if until > now}
        if resting:
            self._find(channel).secrets = resting

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
        if state.probing or state.failures >= threshold:
            doublings = min(10, max(0, state.failures - threshold))
            rest = min(self._settings.breaker_rest_max_s, self._settings.breaker_rest_s * 2**doublings)
            state.rest_until = now + rest * self._rng.uniform(0.75, 1.25)

    def rest_secret(self, channel: Channel, secret: int, now: float, seconds: float) -> None:
        """One secret must not be used for a while; when all of them rest, the channel does."""
        state = self._find(channel.id)
        state.secrets[secret] = now + min(seconds, self._settings.breaker_rest_max_s)
        until = [state.secrets.get(i, 0.0) for i in range(max(1, len(channel.secrets)))]
        if min(until) > now:
            state.rest_until = max(state.rest_until, min(until))

    def _find(self, channel: ChannelId) -> _State:
        state = self.unwell.get(channel)
        if state is None:
            state = self.unwell[channel] = _State()
        return state
