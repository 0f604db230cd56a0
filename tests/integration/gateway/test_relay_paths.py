"""The ways that go well: bytes to the provider and back, and one line in the journal."""

import asyncio
import json

from msgspec.structs import replace

from tests.integration.gateway.control import KEY
from tests.integration.gateway.rig import DONE, SECRET, USAGE, Rig, event, usage_event
from yescale.domain.snapshot import Snapshot
from yescale.domain.usage import Meter


async def test_a_whole_answer_is_relayed_and_charged(rig: Rig) -> None:
    answer = await rig.call()
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"] == "hello"
    end = await rig.end()
    assert answer.headers["x-request-id"] == answer.headers["x-oneapi-request-id"] == end.id
    assert end.outcome == "ok"
    assert end.usage == {Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 20, Meter.REQUESTS: 1}
    assert end.amount == 10 * 1_000 + 20 * 2_000
    assert answer.headers["x-yescale-cost"] == str(end.amount)
    assert end.charges == ((1, end.amount), (2, end.amount))
    assert [note.status for note in end.attempts] == [200]
    assert (end.channel, end.estimated, end.stream) == (1, False, False)


async def test_a_stream_is_relayed_and_charged_without_the_usage_chunk(rig: Rig) -> None:
    answer = await rig.call(stream=True)
    assert answer.whole
    assert answer.headers["content-type"] == "text/event-stream"
    expected = [event("", role="assistant"), event("hello"), event(" world"), event(finish_reason="stop"), DONE]
    assert answer.body == b"".join(expected)
    end = await rig.end()
    assert end.amount == 10 * 1_000 + 20 * 2_000
    assert (end.outcome, end.stream, end.estimated) == ("ok", True, False)
    assert json.loads(rig.first.visits[0].body)["stream_options"] == {"include_usage": True}


async def test_a_client_that_asks_for_usage_gets_its_chunk(rig: Rig) -> None:
    answer = await rig.call(stream=True, stream_options={"include_usage": True})
    assert usage_event() in answer.body


async def test_the_upstream_gets_the_channels_secret_and_nothing_of_the_clients(rig: Rig) -> None:
    await rig.call(model="alias")
    head, body = rig.first.visits[0].head, rig.first.visits[0].body
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert f"authorization: Bearer {SECRET}\r\n".encode() in head
    assert b"kkkk" not in head
    assert json.loads(body)["model"] == "gpt-4o-real"


async def test_embeddings_pass(rig: Rig) -> None:
    async def vectors(visit) -> None:
        await visit.answer(
            200, {"object": "list", "data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}}
        )

    rig.first.script = vectors
    client = await rig.client()
    body = json.dumps({"model": "embed-1", "input": "hi"}).encode()
    client.send("POST", "/v1/embeddings", body, authorization="k" * 48)
    answer = await client.answer()
    assert answer.status == 200
    end = await rig.end()
    assert end.amount == 8 * 1_000
    assert USAGE


async def test_tags_of_head_and_body_stand_in_the_journal_and_do_not_go_up(rig: Rig) -> None:
    client = await rig.client()
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "user": "ann"}).encode()
    said = {"authorization": f"Bearer sk-{KEY}", "x-yescale-metadata": '{"session_id":"s1","plan":"gold"}'}
    client.send("POST", "/v1/chat/completions", body, **said)
    assert (await client.answer()).status == 200
    assert (await rig.end()).tags == (("plan", "gold"), ("session_id", "s1"), ("user", "ann"))
    assert b"metadata" not in rig.first.visits[0].head.lower()
    client.send("POST", "/v1/chat/completions", body, **(said | {"x-yescale-metadata": '{"colour":"red"}'}))
    refused = await client.answer()
    assert (refused.status, refused.json["error"]["param"]) == (400, "X-YEScale-Metadata")
    assert len(rig.first.visits) == 1
    await rig.call()
    assert (await rig.end(2)).tags == ()


async def test_a_model_that_will_go_says_so_and_one_that_has_gone_is_refused(rig: Rig) -> None:
    def staged(stage: int, alternative: str) -> Snapshot:
        old = rig.snapshot(version=stage + 1)
        models = [
            replace(m, deprecation=stage, alternative=alternative) if m.name == "alias" else m for m in old.models
        ]
        return replace(old, models=tuple(models))

    assert "deprecation" not in (await rig.call(model="alias")).headers
    rig.control.publish(staged(1, "gpt-4o\r\nx-evil: 1"))
    await asyncio.sleep(0.1)
    for stream in (False, True):
        answer = await rig.call(model="alias", stream=stream)
        assert answer.headers["deprecation"] == "true"
        assert answer.headers["x-yescale-alternative"] == "gpt-4ox-evil: 1"
        assert "x-evil" not in answer.headers
    assert "deprecation" not in (await rig.call(model="gpt-4o")).headers
    rig.control.publish(staged(2, "gpt-4o"))
    await asyncio.sleep(0.1)
    before = len(rig.first.visits)
    refused = await rig.call(model="alias")
    assert (refused.status, refused.json["error"]["code"]) == (410, "model_deprecated")
    assert "use 'gpt-4o' instead" in refused.json["error"]["message"]
    assert len(rig.first.visits) == before
    client = await rig.client()
    client.send("GET", "/v1/models", authorization=f"Bearer sk-{KEY}")
    assert [model["id"] for model in (await client.answer()).json["data"]] == ["embed-1", "free", "gpt-4o"]
    await rig.until(lambda: rig.refusals == ["model_deprecated"])
