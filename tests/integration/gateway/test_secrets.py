"""A channel with several secrets: each has a health of its own, and a call may go on with another."""

from collections import Counter

import pytest
from msgspec.structs import replace

from tests.integration.gateway.rig import Rig, Script, Visit, say_hello
from yescale.domain.ids import ModelName
from yescale.domain.snapshot import fingerprint

SECRETS = ("sk-secret-one", "sk-secret-two", "sk-secret-three")


def secret_of(visit: Visit) -> str:
    (line,) = [line for line in visit.head.split(b"\r\n") if line.startswith(b"authorization:")]
    return line.rpartition(b" ")[2].decode()


def refusing(bad: set[str], status: int, *headers: str) -> Script:
    """A provider that takes only some secrets."""

    async def script(visit: Visit) -> None:
        if secret_of(visit) in bad:
            await visit.answer(status, {"error": {"message": "no", "code": "c"}}, *headers)
        else:
            await say_hello(visit)

    return script


async def give(rig: Rig, secrets: tuple[str, ...] = SECRETS, *, version: int = 2, alone: bool = True) -> None:
    """`first` has these secrets, and no channel beside it."""
    snapshot = rig.snapshot(version=version)
    first, second = snapshot.channels
    others = () if alone else (second,)
    await rig.publish(replace(snapshot, channels=(replace(first, secrets=secrets), *others)))


async def call(rig: Rig, times: int = 1) -> list[int]:
    return [(await rig.call()).status for _ in range(times)]


@pytest.mark.parametrize(
    ("status", "headers"), [(401, ()), (402, ()), (403, ()), (429, ("retry-after: 9",)), (429, ())]
)
async def test_a_call_goes_on_with_another_secret_of_the_channel(
    rig: Rig, status: int, headers: tuple[str, ...]
) -> None:
    await give(rig)
    rig.first.script = refusing({SECRETS[0], SECRETS[1]}, status, *headers)
    assert await call(rig, 6) == [200] * 6
    tries = Counter(secret_of(visit) for visit in rig.first.visits)
    assert tries[SECRETS[0]] <= 1
    assert tries[SECRETS[1]] <= 1
    assert tries[SECRETS[2]] == 6


async def test_another_channel_comes_before_another_secret_of_the_one_that_failed(rig: Rig) -> None:
    """promise 21"""
    await give(rig, alone=False)
    rig.first.script = refusing(set(SECRETS), 429)
    assert await call(rig) == [200]
    assert [note.channel for note in (await rig.end()).attempts] == [1, 2]


async def test_a_replaced_secret_is_used_at_once_though_the_one_before_it_rested(rig: Rig) -> None:
    await give(rig, ("sk-old-and-bad",))
    rig.first.script = refusing({"sk-old-and-bad"}, 401)
    assert await call(rig, 2) == [502, 503]
    await give(rig, ("sk-new-and-good",), version=3)
    assert await call(rig) == [200]


async def test_the_operator_hears_which_secret_was_refused_but_not_the_secret(rig: Rig) -> None:
    await give(rig, SECRETS[:1])
    rig.first.script = refusing(set(SECRETS), 401)
    await call(rig)
    await rig.until(lambda: bool(rig.control.rested))
    (rested,) = rig.control.rested
    assert (rested.channel, rested.status, rested.fingerprint) == (1, 401, fingerprint(SECRETS[0]))


async def test_calls_at_the_same_time_are_spread_over_the_secrets(rig: Rig) -> None:
    await give(rig)
    waiting: list[Visit] = []

    async def wait(visit: Visit) -> None:
        waiting.append(visit)

    rig.first.script = wait
    clients = [await rig.post() for _ in range(6)]
    await rig.until(lambda: len(waiting) == 6)
    assert Counter(map(secret_of, waiting)) == dict.fromkeys(SECRETS, 2)
    for visit in waiting:
        await say_hello(visit)
    assert {(await client.answer()).status for client in clients} == {200}


async def test_one_conversation_keeps_its_secret(rig: Rig) -> None:
    await give(rig)
    for key in ("a", "b", "c", "d", "e", "f", "g", "h"):
        for _ in range(3):
            assert (await rig.call(prompt_cache_key=key)).status == 200
    used = [secret_of(visit) for visit in rig.first.visits]
    assert all(len(set(used[at : at + 3])) == 1 for at in range(0, len(used), 3))
    assert len(set(used)) > 1


async def test_a_channel_is_tried_as_often_as_it_says(rig: Rig) -> None:
    snapshot = rig.snapshot(version=2)
    await rig.publish(replace(snapshot, channels=(replace(snapshot.channels[0], max_attempts=2),)))

    async def reset(visit: Visit) -> None:
        visit.reset()

    rig.first.script = reset
    assert await call(rig) == [502]
    assert len((await rig.end()).attempts) == 2


async def test_an_attempt_lasts_as_long_as_its_channel_says_at_most(rig: Rig) -> None:
    """promise 28"""
    snapshot = rig.snapshot(version=2)
    first, second = snapshot.channels
    await rig.publish(replace(snapshot, channels=(replace(first, total_s=0.3), second)))

    async def say_nothing(visit: Visit) -> None:
        await visit.left()

    rig.first.script = say_nothing
    assert await call(rig) == [504]
    assert (await rig.end()).total_ms < 2_000


async def test_a_wide_name_of_a_channel_serves_the_catalogue(rig: Rig) -> None:
    snapshot = rig.snapshot(version=2)
    wide = replace(snapshot.channels[0], models={ModelName("gpt-*"): "theirs-*"})
    await rig.publish(replace(snapshot, channels=(wide,)))
    assert await call(rig) == [200]
    assert rig.first.visits[0].json["model"] == "theirs-4o"


async def test_control_hears_how_channels_are_soon_after_that_changed(rig: Rig) -> None:
    await give(rig, SECRETS[:2])
    rig.first.script = refusing({SECRETS[0]}, 401)
    assert await call(rig, 4) == [200] * 4

    def told() -> bool:
        return any(each.secrets and each.speeds for felt in rig.control.felt for each in felt.channels)

    await rig.until(told)
    (channel,) = rig.control.felt[-1].channels
    assert (channel.channel, channel.rest_s, channel.load) == (1, 0.0, 0)
    assert [(each.fingerprint, each.status) for each in channel.secrets] == [(fingerprint(SECRETS[0]), 401)]
    assert 0 <= channel.speeds["gpt-4o"] < 5
    assert len(rig.control.felt) <= 4, "changes that come together go in one message"
