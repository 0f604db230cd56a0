"""Other models that answer where the one that was asked for cannot: the operator's, or those that the client names."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.gateway.control import KEY, key_record
from tests.integration.gateway.rig import USAGE, Answer, Rig, Visit, event
from yescale.domain.ids import ModelName, PriceId
from yescale.domain.price import PriceRule
from yescale.domain.snapshot import Channel, Model, Snapshot
from yescale.domain.usage import Meter

CHEAP = 10 * 1_000 + 20 * 2_000
DEAR = 10 * 10_000 + 20 * 20_000
BIG, SMALL, BACKUP = ModelName("big"), ModelName("gpt-4o"), ModelName("backup")


async def fail(visit: Visit) -> None:
    await visit.answer(500, {"error": {"message": "down"}})


def named(snapshot: Snapshot, name: ModelName, **fields: Any) -> Model:
    return replace(snapshot.models[0], name=name, priced_as=name, **fields)


async def publish(rig: Rig, *fallbacks: ModelName, groups: tuple[str, ...] = ("default",)) -> None:
    """`first` serves gpt-4o, `second` the ten times dearer `backup` and the unpriced `free`; gpt-4o falls back."""
    snapshot = rig.snapshot(version=2)
    first, second = snapshot.channels
    models: dict[ModelName, str] = {BACKUP: "backup-up", ModelName("free"): "free"}
    rules = [
        PriceRule(id=PriceId(90 + n), model=BACKUP, meter=meter, per=1_000_000, price=price * 1_000_000)
        for n, (meter, price) in enumerate(((Meter.INPUT_TOKENS, 10_000), (Meter.OUTPUT_TOKENS, 20_000)))
    ]
    channels: tuple[Channel, ...] = (
        replace(first, models={SMALL: "gpt-4o"}),
        replace(second, models=models, groups=groups),
    )
    await rig.publish(
        replace(
            snapshot,
            channels=channels,
            models=(named(snapshot, SMALL, fallbacks=fallbacks), named(snapshot, BACKUP), *snapshot.models[1:]),
            prices=(*snapshot.prices, *rules),
        )
    )


async def check_backup(rig: Rig, answer: Answer) -> None:
    assert (answer.status, answer.headers.get("x-yescale-model")) == (200, "backup")
    assert [visit.json["model"] for visit in rig.second.visits] == ["backup-up"]
    end = await rig.end()
    assert (end.outcome, end.model, end.upstream_model, end.amount) == ("ok", "backup", "backup-up", DEAR)
    assert "gpt-4o" in end.note


@pytest.mark.parametrize("stream", [False, True])
async def test_the_next_model_answers_where_every_channel_of_the_first_failed(rig: Rig, stream: bool) -> None:
    """promise 21: whoever answers is charged, at its own price, and nobody else."""
    await publish(rig, BACKUP)
    rig.first.script = fail
    await check_backup(rig, await rig.call(stream=stream))
    assert [note.channel for note in rig.ends[0].attempts] == [1, 2]


async def test_the_next_model_answers_where_every_channel_of_the_first_rests(rig: Rig) -> None:
    await publish(rig, BACKUP)
    rig.first.script = fail401
    await rig.call()
    await rig.call()
    assert [note.channel for note in (await rig.end(2)).attempts] == [2]


async def fail401(visit: Visit) -> None:
    await visit.answer(401, {"error": {"message": "no"}})


async def test_the_next_model_answers_where_no_channel_serves_the_first(rig: Rig) -> None:
    await publish(rig, BACKUP)
    snapshot = rig.control.snapshot
    await rig.publish(replace(snapshot, version=3, channels=snapshot.channels[1:]))
    await check_backup(rig, await rig.call())


async def test_nothing_is_tried_behind_the_commit_point(rig: Rig) -> None:
    await publish(rig, BACKUP)

    async def cut(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(event("hello"))
        visit.reset()

    rig.first.script = cut
    assert not (await rig.call(stream=True)).whole
    assert rig.second.visits == []


async def test_a_clients_own_mistake_is_not_taken_to_another_model(rig: Rig) -> None:
    await publish(rig, BACKUP)

    async def refuse(visit: Visit) -> None:
        await visit.answer(400, {"error": {"message": "bad"}})

    rig.first.script = refuse
    assert (await rig.call()).status == 400
    assert rig.second.visits == []


async def test_the_dearest_of_all_that_may_answer_is_set_aside(rig: Rig) -> None:
    await publish(rig, BACKUP)
    rig.control.balance = 20 * 2_000 + 100 * 1_000  # enough for gpt-4o, not for its backup
    refused = await rig.call(max_tokens=20)
    assert (refused.status, refused.json["error"]["code"]) == (402, "insufficient_balance")
    assert rig.first.visits == []


@pytest.mark.parametrize("how", ["list", "group", "price"])
async def test_access_is_checked_for_each_model(rig: Rig, how: str) -> None:
    """promise 20"""
    await publish(
        rig, ModelName("free") if how == "price" else BACKUP, groups=("vip",) if how == "group" else ("default",)
    )
    if how == "list":
        rig.control.keys[KEY] = key_record(models=("gpt-4o",))
    rig.first.script = fail
    assert (await rig.call()).status == 502
    assert rig.second.visits == []
    assert (await rig.end()).amount == 0


async def test_the_attempts_of_each_model_are_bounded(rig: Rig) -> None:
    """promise 21"""
    await publish(rig, BACKUP)
    rig.first.script = rig.second.script = fail
    assert (await rig.call()).status == 502
    assert len((await rig.end()).attempts) <= 2 * rig.settings.relay.max_attempts


# --- OpenRouter's `models`


async def test_models_of_a_request_are_tried_in_their_order(rig: Rig) -> None:
    await publish(rig)
    rig.first.script = fail
    await check_backup(rig, await rig.call(models=["gpt-4o", "backup"]))
    assert "models" not in rig.second.visits[0].json


async def test_models_stand_in_for_the_model(rig: Rig) -> None:
    await publish(rig)
    client = await rig.client()
    body = {"messages": [{"role": "user", "content": "hi"}], "models": ["backup", "gpt-4o"]}
    client.send("POST", "/v1/chat/completions", json.dumps(body).encode(), authorization=f"Bearer sk-{KEY}")
    answer = await client.answer()
    assert (answer.status, answer.headers.get("x-yescale-model")) == (200, None), "it is what was asked for"
    assert (await rig.end()).amount == DEAR


async def test_a_model_that_could_answer_itself_is_charged_as_ever(rig: Rig) -> None:
    await publish(rig)
    answer = await rig.call(models=["backup"])
    assert (answer.status, answer.json["usage"], (await rig.end()).amount) == (200, USAGE, CHEAP)


@pytest.mark.parametrize(
    ("models", "status", "code", "param"),
    [
        (["nothing"], 404, "model_not_found", "model"),
        (["gpt-4o", 7], 400, "invalid_request", "models"),
        ("backup", 400, "invalid_request", "models"),
        ([""], 400, "invalid_request", "models"),
        (["m"] * 9, 400, "invalid_request", "models"),
    ],
)
async def test_models_that_cannot_be_are_refused(rig: Rig, models: Any, status: int, code: str, param: str) -> None:
    await publish(rig)
    answer = await rig.call(models=models)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.json["error"]["param"].startswith(param)
    assert rig.first.visits == rig.second.visits == []


async def test_a_model_that_the_key_may_not_use_is_refused_before_anything_is_sent(rig: Rig) -> None:
    """promise 20"""
    await publish(rig)
    rig.control.keys[KEY] = key_record(models=("gpt-4o",))
    assert (await rig.call(models=["backup"])).status == 403
    assert rig.first.visits == []


async def test_preferences_hold_for_every_model(rig: Rig) -> None:
    await publish(rig, BACKUP)
    rig.first.script = fail
    await check_backup(rig, await rig.call(provider={"only": ["openai_compatible"]}))
    assert (await rig.call(provider={"only": ["nobody"]})).status == 404


async def test_an_alias_is_answered_and_charged_as_its_model(rig: Rig) -> None:
    snapshot = rig.snapshot(version=2)
    alias = replace(snapshot.models[0], name=ModelName("mine"), priced_as=ModelName("mine"), alias_of=SMALL)
    await rig.publish(replace(snapshot, models=(*snapshot.models, alias)))
    assert (await rig.call(model="mine")).status == 200
    end = await rig.end()
    assert (end.model, end.upstream_model, end.amount) == ("mine", "gpt-4o", CHEAP)
