"""Keys of several groups: charged at the first that serves the model and has a healthy channel."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.integration.gateway.control import KEY, key_record
from tests.integration.gateway.rig import Rig, Visit
from tests.integration.gateway.test_providers import publish as publish_now
from yescale.domain.ids import ModelName
from yescale.domain.snapshot import Group

PLAIN = 10 * 1_000 + 20 * 2_000


async def publish(rig: Rig, **models: tuple[str, ...]) -> None:
    """`first` is of the group `default`, `second` of `vip`, which costs twice as much."""
    snapshot = rig.snapshot(version=2)
    first, second = snapshot.channels
    served = {
        name: {ModelName(model): model for model in models.get(name, ("gpt-4o",))} for name in ("first", "second")
    }
    groups = (snapshot.groups[0], Group(name="vip", ratio=2_000_000, ratio_id=2))
    channels = (
        replace(first, groups=("default",), models=served["first"]),
        replace(second, groups=("vip",), models=served["second"]),
    )
    await publish_now(rig, replace(snapshot, channels=channels, groups=groups))


async def fail(visit: Visit) -> None:
    await visit.answer(500, {"error": {"message": "down"}})


def auto(rig: Rig, **changes: Any) -> None:
    rig.control.keys[KEY] = key_record(**{"group": "auto", "groups": ("default", "vip")} | changes)


async def test_the_first_group_that_serves_a_model_is_charged_at_its_ratio(rig: Rig) -> None:
    auto(rig)
    await publish(rig)
    assert (await rig.call()).status == 200
    first = await rig.end()
    assert (first.group, first.channel, first.amount) == ("default", 1, PLAIN)


async def test_a_group_that_does_not_serve_the_model_is_passed_over(rig: Rig) -> None:
    """promise 20"""
    auto(rig)
    await publish(rig, first=("embed-1",))
    assert (await rig.call()).status == 200
    end = await rig.end()
    assert (end.group, end.channel, end.amount) == ("vip", 2, 2 * PLAIN)


async def test_a_group_whose_channels_rest_is_passed_over(tmp_path: Path) -> None:
    async with Rig(tmp_path, breaker_failures=1) as rig:
        auto(rig)
        await publish(rig)
        rig.first.script = fail
        answers = [(await rig.call()).status for _ in range(4)]
        assert answers[-1] == 200
        await rig.until(lambda: len(rig.ends) == 4)
        end = rig.ends[-1]
        assert (end.group, end.channel, end.amount) == ("vip", 2, 2 * PLAIN)


async def test_a_model_of_none_of_the_groups_is_named_as_that(rig: Rig) -> None:
    auto(rig, groups=("vip",))
    await publish(rig, second=("embed-1",))
    refused = await rig.call()
    assert (refused.status, refused.json["error"]["code"]) == (400, "model_not_offered")
    assert (await rig.call(model="nothing-like-it")).status == 404


async def test_the_keys_list_holds_in_every_group(rig: Rig) -> None:
    """promise 20"""
    auto(rig, models=("embed-1",))
    await publish(rig)
    refused = await rig.call()
    assert (refused.status, refused.json["error"]["code"]) == (403, "model_not_allowed")
    assert rig.first.visits == rig.second.visits == []


async def test_the_list_of_models_shows_what_any_group_serves_at_its_ratio(rig: Rig) -> None:
    auto(rig)
    await publish(rig, first=("gpt-4o",), second=("gpt-4o", "alias"))
    client = await rig.client()
    client.send("GET", "/v1/models", authorization=f"Bearer sk-{KEY}")
    listed = (await client.answer()).json["data"]
    assert [(model["id"], model["group_ratio"]) for model in listed] == [("alias", "2"), ("gpt-4o", "1")]
