"""What a provider's row changes in a worker: whose fault an error is, and what a request may ask."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.gateway.rig import DONE, USAGE, Rig, Visit, event
from yescale.domain.ids import ProviderId
from yescale.domain.snapshot import Snapshot
from yescale.domain.usage import Meter


async def known_as(rig: Rig, provider: str) -> None:
    """Both channels are accounts at this provider."""
    await publish(rig, rig.snapshot(version=2, provider=ProviderId(provider)))


async def publish(rig: Rig, snapshot: Snapshot) -> None:
    rig.control.publish(snapshot)
    await asyncio.sleep(0.05)


def answering(status: int, body: dict[str, Any]) -> Any:
    async def script(visit: Visit) -> None:
        await visit.answer(status, body)

    return script


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_under_a_status_of_success_is_passed_over(rig: Rig, stream: bool) -> None:
    await known_as(rig, "minimax")
    empty = {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}
    rig.first.script = answering(200, empty)
    answer = await rig.call(stream=stream)
    assert answer.status == 200
    assert b"hello" in answer.body
    end = await rig.end()
    assert [note.channel for note in end.attempts] == [1, 2]
    assert [(news.channel, news.secret) for news in rig.control.rested] == [(1, 0)]


async def test_a_client_s_own_mistake_under_a_status_of_success_is_a_400(rig: Rig) -> None:
    await known_as(rig, "minimax")
    rig.first.script = answering(200, {"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}})
    answer = await rig.call()
    assert answer.status == 400
    assert answer.json["error"]["message"].startswith("input new_sensitive")
    assert len(rig.second.visits) == 0
    assert (await rig.end()).amount == 0


async def test_a_wrong_key_that_is_called_a_bad_request_is_our_account_s(rig: Rig) -> None:
    await known_as(rig, "xai")
    rig.first.script = answering(400, {"code": "invalid-argument", "error": "Incorrect API key provided: xa***ey."})
    answer = await rig.call()
    assert answer.status == 200
    assert [note.status for note in (await rig.end()).attempts] == [400, 200]


@pytest.mark.parametrize("asked", [{}, {"stream_options": {"include_usage": True}}])
async def test_a_provider_that_refuses_it_is_not_asked_for_usage(rig: Rig, asked: dict[str, Any]) -> None:
    await known_as(rig, "mistral")

    async def script(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(event("hello"))
        last = json.loads(event(finish_reason="stop")[6:]) | {"usage": USAGE}
        await visit.chunk(b"data: %b\n\n" % json.dumps(last).encode())
        await visit.chunk(DONE)
        await visit.end()

    rig.first.script = script
    answer = await rig.call(stream=True, **asked)
    assert answer.status == 200
    assert not rig.first.visits[0].json.get("stream_options")
    end = await rig.end()
    assert (end.estimated, end.usage[Meter.OUTPUT_TOKENS]) == (False, 20)


async def test_a_query_of_the_base_url_goes_with_every_request(rig: Rig) -> None:
    base = f"http://127.0.0.1:{rig.first.port}?api-version=2024-10-21"
    snapshot = rig.snapshot(version=2, provider=ProviderId("azure"))
    channels = tuple(replace(channel, base_url=base) for channel in snapshot.channels)
    await publish(rig, replace(snapshot, channels=channels))
    assert (await rig.call()).status == 200
    head = rig.first.visits[0].head
    assert head.startswith(b"POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21 HTTP/1.1\r\n")
    assert b"\r\napi-key: sk-upstream-secret\r\n" in head
