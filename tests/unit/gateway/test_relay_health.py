"""The breaker of a channel."""

from random import Random

from msgspec.structs import replace

from yescale.domain.ids import AccountId, ChannelId, ProviderId
from yescale.domain.snapshot import Channel, fingerprint
from yescale.gateway.relay.health import ChannelHealth
from yescale.tuning import RelaySettings

CHANNEL = Channel(
    id=ChannelId(1), name="c", provider=ProviderId("openai"), base_url="", secrets=("a", "b"), models={}, groups=()
)
ONE, TWO = AccountId(1), AccountId(2)


def health() -> ChannelHealth:
    return ChannelHealth(RelaySettings(breaker_failures=3, breaker_rest_s=10.0, breaker_rest_max_s=100.0), Random(1))


def attempt(made: ChannelHealth, account: AccountId, now: float) -> None:
    probe = made.begin(CHANNEL, 0)
    made.end(CHANNEL, 0, probe=probe)
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
    probe = made.begin(CHANNEL, 0)
    assert made.resting(CHANNEL.id, 20.0)
    made.answered(CHANNEL, 0, 20.0)
    assert not made.resting(CHANNEL.id, 20.0)
    made.end(CHANNEL, 0, probe=probe)
    assert made.loads[CHANNEL.id] == 0


def test_a_probe_that_fails_rests_the_channel_longer() -> None:
    made = health()
    for _ in range(6):
        attempt(made, ONE, 0.0)
    attempt(made, ONE, 20.0)
    assert made.resting(CHANNEL.id, 34.0)


def test_a_probe_that_says_nothing_leaves_the_next_call_to_probe() -> None:
    made = health()
    for _ in range(6):
        attempt(made, ONE, 0.0)
    made.end(CHANNEL, 0, probe=made.begin(CHANNEL, 0))
    assert not made.resting(CHANNEL.id, 20.0)
    made.begin(CHANNEL, 0)
    assert made.resting(CHANNEL.id, 20.0)


def test_an_answer_forgets_the_failures() -> None:
    made = health()
    for _ in range(5):
        attempt(made, ONE, 0.0)
    made.answered(CHANNEL, 0, 0.0)
    for _ in range(5):
        attempt(made, ONE, 0.0)
    assert not made.resting(CHANNEL.id, 0.1)


def test_failures_during_a_rest_do_not_lengthen_it() -> None:
    made = health()
    for _ in range(50):
        attempt(made, ONE, 0.0)
    assert not made.resting(CHANNEL.id, 13.0)


def picks(made: ChannelHealth, now: float, channel: Channel = CHANNEL) -> set[str]:
    return {channel.secrets[made.pick_secret(channel, now)] for _ in range(20)}


def test_only_one_call_probes_while_another_that_began_before_the_rest_ends() -> None:
    made = health()
    old = made.begin(CHANNEL, 0)
    for _ in range(6):
        attempt(made, ONE, 0.0)
    made.begin(CHANNEL, 0)
    made.end(CHANNEL, 0, probe=old)
    assert made.resting(CHANNEL.id, 20.0)


def test_a_secret_that_was_asked_to_wait_is_not_picked_and_all_together_rest_the_channel() -> None:
    made = health()
    made.rest_secret(CHANNEL, 0, 0.0, 60.0)
    assert picks(made, 1.0) == {"b"}
    assert not made.resting(CHANNEL.id, 1.0)
    made.rest_secret(CHANNEL, 1, 0.0, 30.0)
    assert made.resting(CHANNEL.id, 29.0)
    assert made.rest_left([CHANNEL.id], 10.0) == 20.0
    assert not made.resting(CHANNEL.id, 31.0)
    assert picks(made, 31.0) == {"b"}
    assert picks(made, 61.0) == {"a", "b"}


def test_a_secret_that_was_asked_to_wait_waits_though_an_older_call_is_answered() -> None:
    made = health()
    made.rest_secret(CHANNEL, 0, 0.0, 60.0)
    made.answered(CHANNEL, 0, 1.0)
    assert picks(made, 1.0) == {"b"}
    made.answered(CHANNEL, 1, 61.0)
    assert made.unwell == {}


def test_a_refused_secret_rests_until_one_call_has_probed_it() -> None:
    made = health()
    made.refuse_secret(CHANNEL, 0, 0.0, 401)
    assert picks(made, 10.0) == {"b"}
    assert picks(made, 80.0) == {"a", "b"}, "its rest is over: one call may probe it"
    probe = made.begin(CHANNEL, 0)
    assert probe
    assert picks(made, 80.0) == {"b"}, "and no other"
    made.end(CHANNEL, 0, probe=probe)
    made.refuse_secret(CHANNEL, 0, 80.0, 401)
    assert picks(made, 80.0 + 89.0) == {"b"}, "it rests twice as long"
    probe = made.begin(CHANNEL, 0)
    made.answered(CHANNEL, 0, 300.0)
    made.end(CHANNEL, 0, probe=probe)
    assert made.unwell == {}


def test_the_answer_of_a_call_that_began_before_the_refusal_confirms_nothing() -> None:
    made = health()
    made.refuse_secret(CHANNEL, 0, 0.0, 401)
    made.answered(CHANNEL, 0, 1.0)
    assert picks(made, 1.0) == {"b"}


def test_a_secret_that_replaces_a_resting_one_is_well() -> None:
    """A secret is remembered as itself, not by its place in the list."""
    made = health()
    made.refuse_secret(CHANNEL, 0, 0.0, 401)
    made.refuse_secret(CHANNEL, 1, 0.0, 401)
    assert made.resting(CHANNEL.id, 1.0)
    changed = replace(CHANNEL, secrets=("new", "b"))
    made.follow([changed])
    assert not made.resting(CHANNEL.id, 1.0)
    assert picks(made, 1.0, changed) == {"new"}
    moved = replace(CHANNEL, secrets=("b", "new"))
    made.follow([moved])
    assert picks(made, 1.0, moved) == {"new"}


def test_a_channel_that_is_gone_is_forgotten() -> None:
    made = health()
    made.refuse_secret(CHANNEL, 0, 0.0, 401)
    made.time(CHANNEL.id, "m", 0.5)
    made.follow([])
    assert (made.unwell, made.speeds, made.report(1.0)) == ({}, {}, ())


def test_of_secrets_the_least_busy_is_picked() -> None:
    made = health()
    for index in (0, 1, 1):
        made.begin(CHANNEL, index)
    assert picks(made, 0.0) == {"a"}
    made.begin(CHANNEL, 0)
    made.end(CHANNEL, 1, probe=False)
    assert picks(made, 0.0) == {"b"}


def test_a_conversation_keeps_its_secret_while_that_is_well() -> None:
    made = health()
    firsts = {stick: made.pick_secret(CHANNEL, 0.0, stick) for stick in range(1, 60)}
    assert set(firsts.values()) == {0, 1}
    assert firsts == {stick: made.pick_secret(CHANNEL, 0.0, stick) for stick in firsts}
    made.rest_secret(CHANNEL, 0, 0.0, 60.0)
    assert {made.pick_secret(CHANNEL, 1.0, stick) for stick in firsts} == {1}


def test_the_report_names_secrets_by_fingerprint_alone() -> None:
    made = health()
    made.refuse_secret(CHANNEL, 0, 5.0, 402)
    made.time(CHANNEL.id, "m", 0.5)
    made.time(CHANNEL.id, "m", 1.0)
    (felt,) = made.report(15.0)
    (secret,) = felt.secrets
    assert (secret.fingerprint, secret.status, secret.since_s) == (fingerprint("a"), 402, 10.0)
    assert 30.0 < secret.rest_s < 70.0
    assert felt.rest_s == 0.0
    assert felt.speeds == {"m": 0.6}


def test_a_full_channel_gets_no_call_until_it_is_full_no_more() -> None:
    made = health()
    made.fill(CHANNEL.id, full=True)
    assert made.resting(CHANNEL.id, 0.0)
    made.answered(CHANNEL, 0, 0.0)
    assert made.resting(CHANNEL.id, 0.0), "an answer does not empty it"
    made.fill(CHANNEL.id, full=False)
    assert made.unwell == {}
    made.fill(CHANNEL.id, full=False)
    attempt(made, ONE, 0.0)
    made.fill(CHANNEL.id, full=True)
    made.fill(CHANNEL.id, full=False)
    assert CHANNEL.id in made.unwell, "its failure is not forgotten"
