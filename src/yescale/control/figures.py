"""What calls say of a model: how good, how quick. Pure: calls counted into hours, hours read as figures."""

from collections.abc import Iterable, Mapping, Sequence
from math import floor, log2
from typing import Final

from msgspec import Struct

from yescale.domain.ids import ChannelId
from yescale.domain.journal import AttemptNote
from yescale.store.statistics import Hour, LoggedCall

HOUR_MS: Final = 3_600_000
_STEPS: Final = 4  # per doubling of the time: a step is within 10 % of what it stands for
_LOW, _NORMAL, _HIGH = 0.1, 0.5, 0.9
_OWN_MISTAKES: Final = range(400, 500)
_BUSY: Final = 429
# How a call ended that neither speaks for a provider nor against it.
_SAYS_NOTHING: Final = frozenset({"refused", "client_gone"})
_ACCOUNT: Final = frozenset({401, 402, 403, _BUSY})
_BROKEN: Final = 500
_ENOUGH_FAILURES: Final = 3  # of the newest attempts at a channel, all of them: it rests


class Figures(Struct, frozen=True, kw_only=True):
    """A model of the last days. Seconds; `quality` in percent; zeros and None where nothing was counted."""

    quality: float = 0.0
    low: float = 0.0
    normal: float = 0.0
    high: float = 0.0
    throughput: float | None = None  # output tokens a second


NO_FIGURES: Final = Figures()


def count(logged: Iterable[LoggedCall]) -> tuple[Hour, ...]:
    """Calls as what they add to the hours of their models."""
    found: dict[tuple[str, int], Hour] = {}
    for call in logged:
        if not _counts(call):
            continue
        hour = _hour_of(call)
        place = (hour.model, hour.hour)
        found[place] = found[place].plus(hour) if place in found else hour
    return tuple(found.values())


def _counts(call: LoggedCall) -> bool:
    """Whether the call reached a provider, and was no mistake of its client's nor given up by it."""
    own = call.outcome == "upstream_error" and call.status in _OWN_MISTAKES and call.status != _BUSY
    return call.channel_id > 0 and call.outcome not in _SAYS_NOTHING and not own


def _hour_of(call: LoggedCall) -> Hour:
    hour = call.at_ms // HOUR_MS
    if call.outcome != "ok":
        return Hour(model=call.model, hour=hour, calls=1)
    spoke_ms = call.total_ms - max(0, call.first_ms)
    timed = call.completion_tokens > 0 and spoke_ms > 0
    return Hour(
        model=call.model,
        hour=hour,
        calls=1,
        good=1,
        tokens=call.completion_tokens if timed else 0,
        tokens_ms=spoke_ms if timed else 0,
        times={step_of(call.total_ms): 1},
    )


def step_of(ms: int) -> int:
    """The step of a scale whose marks grow by the same factor."""
    return floor(_STEPS * log2(max(1, ms)))


def _seconds_of(step: int) -> float:
    """The middle of a step."""
    return round(2 ** ((step + 0.5) / _STEPS) / 1_000, 3)


def read(hours: Sequence[Hour]) -> Figures:
    """The figures of one model's hours together."""
    if not hours:
        return NO_FIGURES
    whole = hours[0]
    for hour in hours[1:]:
        whole = whole.plus(hour)
    return Figures(
        quality=round(100 * whole.good / whole.calls, 1) if whole.calls else 0.0,
        low=_quantile(whole.times, _LOW),
        normal=_quantile(whole.times, _NORMAL),
        high=_quantile(whole.times, _HIGH),
        throughput=round(1_000 * whole.tokens / whole.tokens_ms, 1) if whole.tokens_ms else None,
    )


def _quantile(times: Mapping[int, int], share: float) -> float:
    """About how many seconds this share of the calls took at most."""
    wanted = share * sum(times.values())
    seen = 0
    for step, number in sorted(times.items()):
        seen += number
        if seen >= wanted:
            return _seconds_of(step)
    return 0.0


def resting(attempts: Iterable[AttemptNote]) -> frozenset[ChannelId]:
    """The channels whose newest attempts all failed by a fault of theirs. `attempts`: newest first."""
    failures: dict[ChannelId, int] = {}
    well: set[ChannelId] = set()
    for note in attempts:
        if note.channel in well:
            continue
        if _failed(note):
            failures[note.channel] = failures.get(note.channel, 0) + 1
        else:
            well.add(note.channel)
    return frozenset(channel for channel, number in failures.items() if number >= _ENOUGH_FAILURES)


def _failed(note: AttemptNote) -> bool:
    return note.failure != "" or note.status == 0 or note.status in _ACCOUNT or note.status >= _BROKEN
