"""What a key says of every call of it: what it may be used for, how long answers are, which tags they have."""

import json

import pytest

from tests.integration.gateway.control import KEY, key_record
from tests.integration.gateway.rig import Rig
from yescale.domain.journal import NoLine


async def test_a_key_for_some_operations_does_no_other(rig: Rig) -> None:
    rig.control.keys[KEY] = key_record(operations=("embed",))
    refused = await rig.call()
    assert (refused.status, refused.json["error"]["code"]) == (403, "operation_not_allowed")
    assert rig.first.visits == []
    await rig.until(lambda: rig.refusals == ["operation_not_allowed"])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_a_key_for_chat_does_it_in_every_format(rig: Rig, path: str) -> None:
    rig.control.keys[KEY] = key_record(operations=("embed",))
    client = await rig.post(path=path, max_tokens=5, input="hi")
    assert (await client.answer()).status == 403
    assert rig.first.visits == []


async def test_a_keys_output_limit_goes_up_with_calls_that_declare_none(rig: Rig) -> None:
    rig.control.keys[KEY] = key_record(max_output=77)
    answer = await rig.call()
    assert answer.status == 200
    visit = rig.first.visits[-1].json
    assert 77 in (visit.get("max_tokens"), visit.get("max_completion_tokens"))
    assert answer.headers["x-yescale-losses"].startswith("max_")
    assert (await rig.end()).losses


async def test_a_limit_that_the_client_declares_stands(rig: Rig) -> None:
    """promise 30"""
    rig.control.keys[KEY] = key_record(max_output=77)
    answer = await rig.call(max_tokens=500)
    assert answer.status == 200
    assert rig.first.visits[-1].json["max_tokens"] == 500
    assert "x-yescale-losses" not in answer.headers


async def test_a_call_is_admitted_against_the_keys_output_limit(rig: Rig) -> None:
    """promise 1"""
    rig.control.keys[KEY] = key_record(max_output=77)
    await rig.call()
    assert sum(rig.control.granted.values()) < 16_384 * 2_000


async def test_a_keys_tags_are_of_every_call_and_win_over_the_callers(rig: Rig) -> None:
    rig.control.keys[KEY] = key_record(tags=(("feature", "search"), ("user", "fixed")))
    client = await rig.client()
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "user": "said"}
    headers = {"x_yescale_metadata": '{"feature": "other", "plan": "pro"}'}
    client.send("POST", "/v1/chat/completions", json.dumps(body).encode(), authorization=f"Bearer sk-{KEY}", **headers)
    assert (await client.answer()).status == 200
    assert dict((await rig.end()).tags) == {"feature": "search", "plan": "pro", "user": "fixed"}


async def test_an_expired_key_is_refused(rig: Rig) -> None:
    rig.control.keys[KEY] = key_record(expires_at=1)
    assert (await rig.call()).json["error"]["code"] == "key_expired"
    assert [line.code for line in rig.lines if isinstance(line, NoLine)] in ([], ["key_expired"])
