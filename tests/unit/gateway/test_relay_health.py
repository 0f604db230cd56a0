"""The breaker of a channel."""

from random import Random

from yescale.domain.ids import AccountId, ChannelId, ProviderId
from yescale.domain.snapshot import Channel
from yescale.gateway.relay.health import ChannelHealth
from yescale.tuning import RelaySettings

CHANNEL = Channel(
    id=ChannelId(1), name="c", provider=ProviderId("openai"), base_url="", secrets=("a", "b"), models={}, groups=()
)
ONE, TWO = AccountId(1), AccountId(2)


def health() -> ChannelHealth:
    return ChannelHealth(RelaySettings(breaker_failures=3, breaker_rest_s=10.0, breaker_rest_max_s=100.0), Random(1))


def attempt(made: ChannelHealth, account: AccountId, now: float) -> None:
    made.begin(CHANNEL.id)
    made.end(CHANNEL.id)
    made.fail(CHANNEL.id, account, now)


def test_failures_seen_by_two_accounts_rest_a_channel() -> None:
    made = health()
    for account in (ONE, TWO):
        attempt(made, account, 0.0)
    assert not made.resting(CHANNEL.id, 0.1)
    attempt(made, ONE, 0.0)
    assert made.resting(CHANNEL.id, 0.1)
    assert 7.0 < made.rest_left([CHANNEL.id], 0.0) < 13.0


def test_one_account_alone_needs_twice_as_many() -> None:
    made = health()
    for _ in range(5):
        attempt(made, ONE, 0.0)
    assert not made.resting(CHANNEL.id, 0.1)
    attempt(made, ONE, 0.0)
    assert made.resting(CHANNEL.id, 0.1)


def test_after_the_rest_one_call_probes_and_the_others_stay_away() -> None:
    made = health()
    for _ in range(6):
        attempt(made, ONE, 0.0)
    assert not made.resting(CHANNEL.id, 20.0)
    made.begin(CHANNEL.id)
    assert made.resting(CHANNEL.id, 20.0)
    made.answered(CHANNEL.id, 0.0)
    assert not made.resting(CHANNEL.id, 20.0)
    made.end(CHANNEL.id)
    assert made.loads[CHANNEL.id] == 0


def test_a_probe_that_fails_rests_the_channel_longer() -> None:
    made = health()
    for _ in range(6):
        attempt(made, ONE, 0.0)
    made.begin(CHANNEL.id)
    made.end(CHANNEL.id)
    made.fail(CHANNEL.id, ONE, 20.0)
    assert made.resting(CHANNEL.id, 34.0)


def test_a_probe_that_says_nothing_leaves_the_next_call_to_probe() -> None:
    made = health()
    for _ in range(6):
        attempt(made, ONE, 0.0)
    made.begin(CHANNEL.id)
    made.end(CHANNEL.id)
    assert not made.resting(CHANNEL.id, 20.0)
    made.begin(CHANNEL.id)
    assert made.resting(CHANNEL.id, 20.0)


def test_an_answer_forgets_the_failures() -> None:
    made = health()
    for _ in range(5):
        attempt(made, ONE, 0.0)
    made.answered(CHANNEL.id, 0.0)
    for _ in range(5):
        attempt(made, ONE, 0.0)
    assert not made.resting(CHANNEL.id, 0.1)


def test_failures_during_a_rest_do_not_lengthen_it() -> None:
    made = health()
    for _ in range(50):
        attempt(made, ONE, 0.0)
    assert not made.resting(CHANNEL.id, 13.0)


def test_a_secret_that_rests_is_not_picked_and_all_together_rest_the_channel() -> None:
    made = health()
    made.rest_secret(CHANNEL, 0, 0.0, 60.0)
    assert {made.pick_secret(CHANNEL, 1.0) for _ in range(20)} == {1}
    assert not made.resting(CHANNEL.id, 1.0)
    made.rest_secret(CHANNEL, 1, 0.0, 30.0)
    assert made.resting(CHANNEL.id, 29.0)
    assert not made.resting(CHANNEL.id, 31.0)
    assert {made.pick_secret(CHANNEL, 31.0) for _ in range(20)} == {1}
