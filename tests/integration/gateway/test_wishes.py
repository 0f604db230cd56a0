"""OpenRouter's conventions on the chat route: who may answer, and the cost told in the answer."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.gateway.rig import ANSWER, DONE, USAGE, Rig, Visit, event, usage_event
from yescale.domain.ids import ProviderId


async def two_providers(rig: Rig) -> None:
    """`first` is a compatible server, `second` is OpenAI."""
    snapshot = rig.snapshot(version=2)
    first, second = snapshot.channels
    rig.control.publish(replace(snapshot, channels=(first, replace(second, provider=ProviderId("openai")))))
    await asyncio.sleep(0.1)


def visited(rig: Rig) -> tuple[int, int]:
    return len(rig.first.visits), len(rig.second.visits)


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ({}, (1, 0)),
        ({"order": ["OpenAI"]}, (0, 1)),
        ({"only": ["openai"]}, (0, 1)),
        ({"ignore": ["openai_compatible"]}, (0, 1)),
        ({"order": ["nobody"]}, (1, 0)),
    ],
)
async def test_preferences_choose_the_provider_and_do_not_go_up(
    rig: Rig, provider: dict[str, Any], expected: tuple[int, int]
) -> None:
    await two_providers(rig)
    assert (await rig.call(provider=provider)).status == 200
    assert visited(rig) == expected
    [visit] = rig.first.visits + rig.second.visits
    assert visit.json == {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


async def fail(visit: Visit) -> None:
    await visit.answer(500, {"error": {"message": "down"}})


@pytest.mark.parametrize(
    ("provider", "first"),
    [
        ({"order": ["openai"]}, 1),
        ({"order": ["openai"], "allow_fallbacks": False}, 0),
        ({"only": ["openai"]}, 0),
        ({"ignore": ["openai_compatible"], "allow_fallbacks": False}, 0),
    ],
)
async def test_others_are_tried_only_where_the_caller_lets_them(rig: Rig, provider: dict[str, Any], first: int) -> None:
    await two_providers(rig)
    rig.second.script = fail
    answer = await rig.call(provider=provider)
    assert (len(rig.first.visits), answer.status) == (first, 200 if first else 502)
    assert rig.second.visits
    end = await rig.end()
    assert (end.outcome, end.amount) == (("ok", 50_000) if first else ("upstream_error", 0))


async def test_without_fallbacks_and_order_one_provider_is_tried(rig: Rig) -> None:
    await two_providers(rig)
    rig.first.script = fail
    assert (await rig.call(provider={"allow_fallbacks": False})).status == 502
    assert visited(rig)[1] == 0


async def test_where_no_provider_is_allowed_nothing_is_reserved_or_sent(rig: Rig) -> None:
    refused = await rig.call(provider={"only": ["deepinfra"]})
    assert (refused.status, refused.json["error"]["code"]) == (404, "no_provider_allowed")
    assert visited(rig) == (0, 0)
    assert rig.control.granted == {}


async def test_a_whole_answer_tells_its_cost_where_it_is_asked_for(rig: Rig) -> None:
    answer = await rig.call(usage={"include": True})
    assert answer.json == ANSWER | {"usage": {"cost": 0.00005} | USAGE}
    assert (await rig.end()).amount == 50_000
    assert "usage" not in rig.first.visits[0].json
    assert (await rig.call()).body == json.dumps(ANSWER).encode()


@pytest.mark.parametrize("together", [True, False])
async def test_the_last_chunk_of_a_stream_tells_the_cost(rig: Rig, together: bool) -> None:
    async def speak(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(event("hello"))
        if together:
            await visit.chunk(event(finish_reason="stop") + usage_event() + DONE)
        else:
            for piece in (event(finish_reason="stop"), usage_event(), DONE):
                await visit.chunk(piece)
                await asyncio.sleep(0.02)
        await visit.end()

    rig.first.script = speak
    answer = await rig.call(stream=True, usage={"include": True})
    priced = usage_event({"cost": 0.00005} | USAGE).replace(b"5e-05", b"0.00005")
    assert answer.whole
    assert answer.body == event("hello") + event(finish_reason="stop") + priced + DONE
    assert (await rig.end()).amount == 50_000
    assert rig.first.visits[0].json["stream_options"] == {"include_usage": True}


async def test_a_stream_that_breaks_off_behind_its_usage_has_no_clean_end(rig: Rig) -> None:
    """promise 28"""

    async def break_off(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(event("hello") + usage_event())
        visit.reset()

    rig.first.script = break_off
    answer = await rig.call(stream=True, usage={"include": True})
    assert not answer.whole
    assert b"[DONE]" not in answer.body
    assert b'"error"' in answer.body
    assert (await rig.end()).amount == 50_000


PAID = {"cost": 0.95, "cost_details": {"upstream_inference_cost": 0.9}, "is_byok": False}


@pytest.mark.parametrize("asked", [{}, {"usage": {"include": True}}], ids=["unasked", "asked"])
async def test_what_openrouter_charges_us_is_not_what_the_client_is_told(rig: Rig, asked: dict[str, Any]) -> None:
    async def speak(visit: Visit) -> None:
        if not visit.json.get("stream"):
            await visit.answer(200, ANSWER | {"usage": USAGE | PAID})
            return
        await visit.stream()
        await visit.chunk(event("hello") + event(finish_reason="stop") + usage_event(USAGE | PAID) + DONE)
        await visit.end()

    rig.control.publish(rig.snapshot(version=2, provider=ProviderId("openrouter")))
    await asyncio.sleep(0.1)
    rig.first.script = speak
    ours = {"cost": 0.00005} if asked else {}
    whole = await rig.call(**asked)
    assert whole.json == ANSWER | {"usage": ours | USAGE}
    streamed = await rig.call(stream=True, stream_options={"include_usage": True}, **asked)
    told = usage_event(ours | USAGE).replace(b"5e-05", b"0.00005")
    assert streamed.body == event("hello") + event(finish_reason="stop") + told + DONE
