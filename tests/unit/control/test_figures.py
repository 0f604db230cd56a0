"""What calls say of a model and of a channel."""

import pytest

from yescale.control.figures import NO_FIGURES, Figures, count, read, resting, step_of
from yescale.domain.ids import ChannelId
from yescale.domain.journal import AttemptNote
from yescale.store.statistics import Hour, LoggedCall

HOUR_MS = 3_600_000


def call(outcome: str = "ok", **fields: int) -> LoggedCall:
    said = {"id": 1, "at_ms": 5 * HOUR_MS, "channel_id": 1, "status": 200, "completion_tokens": 0, "first_ms": -1}
    return LoggedCall(model="m", outcome=outcome, **({"total_ms": 1_000} | said | fields))


def test_nothing_counted_says_nothing() -> None:
    assert read(count([])) == read([]) == NO_FIGURES == Figures(quality=0, low=0, normal=0, high=0, throughput=None)


@pytest.mark.parametrize(
    ("outcome", "status", "calls", "good"),
    [
        ("ok", 200, 1, 1),
        ("upstream_error", 502, 1, 0),
        ("upstream_error", 429, 1, 0),  # the provider was busy
        ("upstream_cut", 200, 1, 0),
        ("deadline", 504, 1, 0),
        ("drained", 503, 1, 0),
        ("interrupted", 0, 1, 0),
        ("upstream_error", 400, 0, 0),  # the client's mistake
        ("upstream_error", 404, 0, 0),
        ("client_gone", 200, 0, 0),  # the client's choice
        ("refused", 503, 0, 0),  # no provider was asked
    ],
)
def test_quality_counts_what_a_provider_did(outcome: str, status: int, calls: int, good: int) -> None:
    found = count([call(outcome, status=status)])
    assert [(hour.calls, hour.good) for hour in found] == ([(calls, good)] if calls else [])


def test_a_call_without_a_channel_counts_not() -> None:
    assert count([call("upstream_error", status=503, channel_id=0)]) == ()


def test_quality_is_the_share_of_good_calls_in_percent() -> None:
    logged = [*[call()] * 2, call("deadline", status=504)]
    assert read(count(logged)).quality == 66.7


def test_times_are_those_that_a_tenth_half_and_nine_tenths_of_calls_take_at_most() -> None:
    seconds = [1] * 10 + [2] * 40 + [10] * 40 + [60] * 10
    found = read(count([call(total_ms=1_000 * each) for each in seconds]))
    assert found.low == pytest.approx(1, rel=0.1)
    assert found.normal == pytest.approx(2, rel=0.1)
    assert found.high == pytest.approx(10, rel=0.1)


def test_a_failed_call_says_nothing_of_how_quick_answers_are() -> None:
    found = read(count([call(total_ms=1_000), call("deadline", status=504, total_ms=600_000)]))
    assert found.high == pytest.approx(1, rel=0.1)


def test_throughput_is_output_over_the_time_of_speaking() -> None:
    stream = call(completion_tokens=100, first_ms=500, total_ms=2_500)
    whole = call(completion_tokens=50, first_ms=-1, total_ms=1_000)
    silent = call(completion_tokens=0, total_ms=9_000)
    assert read(count([stream, whole, silent])).throughput == 50.0
    assert read(count([silent])).throughput is None


def test_hours_and_models_are_apart() -> None:
    found = count([call(), call(at_ms=6 * HOUR_MS - 1), call(at_ms=6 * HOUR_MS)])
    assert sorted((hour.hour, hour.calls) for hour in found) == [(5, 2), (6, 1)]


def test_hours_add_up_in_any_cut() -> None:
    logged = [call(total_ms=2**number, completion_tokens=number) for number in range(20)]
    (whole,) = count(logged)
    (first,), (second,) = count(logged[:7]), count(logged[7:])
    assert first.plus(second) == second.plus(first) == whole
    assert read([first, second]) == read([whole])


def test_steps_grow_by_the_same_factor_and_hold_an_hour() -> None:
    assert step_of(0) == step_of(1) == 0
    assert [step_of(2**number) for number in range(5)] == [0, 4, 8, 12, 16]
    assert step_of(HOUR_MS) < 100


def note(channel: int, status: int = 200, failure: str = "") -> AttemptNote:
    return AttemptNote(channel=ChannelId(channel), status=status, failure=failure)


@pytest.mark.parametrize(
    ("newest_first", "rests"),
    [
        ([note(1, 500)] * 3, True),
        ([note(1, 500)] * 2, False),
        ([note(1, 0, "connect"), note(1, 401), note(1, 429)], True),
        ([note(1), note(1, 500), note(1, 500), note(1, 500)], False),  # it is well again
        ([note(1, 500), note(1, 500), note(1, 400), note(1, 500)], False),  # it answered, be it with a refusal
        ([note(1, 500), note(2), note(1, 500), note(2), note(1, 500)], True),  # others say nothing of it
        ([], False),
    ],
)
def test_a_channel_rests_while_its_newest_attempts_all_failed(newest_first: list[AttemptNote], rests: bool) -> None:
    assert resting(newest_first) == (frozenset({1}) if rests else frozenset())


def test_an_hour_has_no_calls_of_its_own() -> None:
    assert Hour(model="m", hour=1) == Hour(model="m", hour=1, times={})
