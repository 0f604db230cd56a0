"""A model on its way out: announced on every surface, whoever answers it, and then refused with what to use instead."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.integration.gateway.askers import asked, relayed
from tests.integration.gateway.control import KEY
from tests.integration.gateway.rig import Rig
from tests.integration.gateway.stage import Pair, Scene, Stage, pairs_of, streams
from yescale.domain.snapshot import GOING, GONE
from yescale.gateway.surfaces import Surface

CELLS = [(surface, stream) for surface in relayed() for stream in streams(surface)]
PAIRS = [(pair, stream) for surface, stream in CELLS for pair in pairs_of(surface)]
INSTEAD = "a-newer-model"


async def deprecate(rig: Rig, stage: int) -> None:
    """All models at once."""
    old = rig.snapshot(version=2)
    told = tuple(replace(model, deprecation=stage, alternative=INSTEAD) for model in old.models)
    rig.control.publish(replace(old, models=told))
    await asyncio.sleep(0.2)


async def test_a_model_that_will_go_says_so_on_every_surface(tmp_path: Path) -> None:
    async with Stage(tmp_path, tuple(pair for pair, _ in PAIRS)) as stage:
        await deprecate(stage, GOING)
        played = await stage.play([Scene(pair=pair, stream=stream) for pair, stream in PAIRS])
    told = {str(one.scene): one.saw.headers for one in played}
    for name, headers in told.items():
        assert (headers.get("deprecation"), headers.get("x-yescale-alternative")) == ("true", INSTEAD), name


async def test_a_model_that_is_gone_is_refused_on_every_surface(tmp_path: Path) -> None:
    async with Stage(tmp_path, tuple(pair for pair, _ in PAIRS)) as stage:
        await deprecate(stage, GONE)
        for pair, stream in PAIRS:
            answer = await refused(stage, pair.surface, pair, stream=stream)
            assert answer == (410, True), pair
        assert stage.first.visits == []


async def refused(stage: Stage, surface: Surface, pair: Pair, *, stream: bool) -> tuple[int, bool]:
    path, body = asked(surface, pair.model("long"), "hi", stream=stream)
    client = await stage.client()
    client.send("POST", path, body, authorization=f"Bearer {KEY}")
    answer = await client.answer()
    return answer.status, INSTEAD in answer.body.decode()


async def test_a_session_with_a_model_that_is_gone_is_refused(rig: Rig) -> None:
    old = rig.snapshot(version=2)
    gone = {"operations": ("realtime",), "deprecation": GONE, "alternative": INSTEAD}
    rig.control.publish(replace(old, models=tuple(replace(model, **gone) for model in old.models)))
    await asyncio.sleep(0.1)
    client = await rig.client()
    client.send(
        "GET", "/v1/realtime?model=gpt-4o", authorization=f"Bearer {KEY}", connection="Upgrade", upgrade="websocket",
        sec_websocket_version="13", sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==",
    )  # fmt: skip
    answer = await client.answer()
    assert (answer.status, answer.json["error"]["code"]) == (410, "model_deprecated")
    assert INSTEAD in answer.json["error"]["message"]


@pytest.mark.parametrize(("stage", "listed"), [(0, True), (GOING, True), (GONE, False)])
async def test_the_list_of_models_says_who_will_go_and_leaves_out_who_went(rig: Rig, stage: int, listed: bool) -> None:
    await deprecate(rig, stage)
    client = await rig.client()
    client.send("GET", "/v1/models", authorization=f"Bearer {KEY}")
    models = {model["id"]: model for model in (await client.answer()).json["data"]}
    assert ("gpt-4o" in models) is listed
    if listed:
        model = models["gpt-4o"]
        assert (model["is_deprecation"], model["alternative_info"], model["uptime"]) == (stage, INSTEAD, 1)


async def test_the_list_of_models_says_whose_channels_all_rest(tmp_path: Path) -> None:
    async with Rig(tmp_path, breaker_failures=1, max_attempts=2) as rig:

        async def broken(visit) -> None:
            await visit.answer(500, {"error": {"message": "no"}})

        rig.first.script = rig.second.script = broken
        for _ in range(3):
            await rig.call()
        client = await rig.client()
        for path in ("/v1/models", "/v1/models/gpt-4o"):
            client.send("GET", path, authorization=f"Bearer {KEY}")
            said = (await client.answer()).json
            model = next(one for one in said["data"] if one["id"] == "gpt-4o") if "data" in said else said
            assert model["uptime"] == 0
