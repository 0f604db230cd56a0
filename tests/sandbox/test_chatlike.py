"""DeepSeek's own API and Ark's chat: alike in what they answer, each in its own words."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import APIStatusError, OpenAI

from tests.grammars import openai_chat
from tests.grammars.frames import frames
from tests.sandbox.openai_mutations import mutations

DEEPSEEK = "/deepseek/chat/completions"
ARK = "/ark/api/v3/chat/completions"
V3_1 = "deepseek-v3-1-250821"
SHAPE = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
LOOK = {"type": "function", "function": {"name": "look", "parameters": SHAPE}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
ASK = {"role": "user", "content": "look"}
TOOL = {"role": "tool", "tool_call_id": "call_1", "content": "a tree"}

Ask = Callable[..., httpx.Response]


@pytest.fixture
def deepseek(http: httpx.Client, marker: str) -> Ask:
    """Post the smallest request to DeepSeek, changed by keywords."""
    usual: dict[str, Any] = {"model": "deepseek-chat", "messages": [{"role": "user", "content": marker}]}
    return lambda **changes: http.post(DEEPSEEK, json={**usual, **changes})


@pytest.fixture
def ark(http: httpx.Client, marker: str) -> Ask:
    """Post the smallest request to Ark, changed by keywords."""
    usual: dict[str, Any] = {"model": V3_1, "messages": [{"role": "user", "content": marker}]}
    return lambda **changes: http.post(ARK, json={**usual, **changes})


def message(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]


def test_deepseek_answers_and_counts_what_its_cache_held(deepseek: Ask, marker: str) -> None:
    body = deepseek(model="deepseek-chat+cached-50").json()
    assert body["choices"][0]["message"]["content"].startswith(f"You said: {marker}")
    usage = body["usage"]
    assert usage["prompt_cache_hit_tokens"] == usage["prompt_tokens"] // 2
    assert usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"] == usage["prompt_tokens"]
    assert "completion_tokens_details" not in usage


@pytest.mark.parametrize("changes", [{"model": "deepseek-reasoner"}, {"thinking": {"type": "enabled"}}])
def test_deepseek_thinks_before_it_speaks(deepseek: Ask, changes: dict[str, Any]) -> None:
    body = deepseek(**changes).json()
    thought = body["choices"][0]["message"]["reasoning_content"]
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == -(-len(thought) // 4)
    found = frames(deepseek(stream=True, **changes).content)
    assert list(openai_chat.faults(found)) == []
    deltas = [frame.json()["choices"][0]["delta"] for frame in found[:-1]]
    kinds = ["thought" if delta.get("reasoning_content") else "text" for delta in deltas[1:-1]]
    assert kinds == sorted(kinds, reverse=True)
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == thought
    assert "".join(delta.get("content") or "" for delta in deltas) == body["choices"][0]["message"]["content"]
    assert found[-2].json()["usage"] == body["usage"]
    assert "reasoning_content" not in message(deepseek(model="deepseek-reasoner", thinking={"type": "disabled"}))


def test_a_thought_goes_back_with_its_calls_and_only_there(deepseek: Ask) -> None:
    def follow(*history: dict[str, Any]) -> httpx.Response:
        return deepseek(model="deepseek-reasoner", tools=[LOOK], messages=[ASK, *history])

    calling = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert message(follow({**calling, "reasoning_content": "hm"}, TOOL))["content"].startswith("The tool look answered")
    assert "Missing `reasoning_content` field in the assistant message at message index 1" in follow(calling, TOOL).text
    earlier = {"role": "assistant", "content": "x", "reasoning_content": "hm"}
    assert follow(earlier, ASK).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"model": "gpt-4o"}, 400, "Model Not Exist"),
        ({"model": 7}, 400, "missing field `model`"),
        ({"messages": []}, 400, "Empty input messages"),
        ({"messages": [{"role": "developer", "content": "x"}]}, 400, "messages[0].role: unknown variant `developer`"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            *(400, "messages[0]: unknown variant `image_url`, expected `text`"),
        ),
        ({"max_tokens": 8_193}, 400, "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"),
        ({"n": 2}, 400, "Invalid n value (currently only n = 1 is supported)"),
        ({"temperature": 3}, 400, "Invalid temperature value"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SHAPE}}},
            400,
            "unavailable now",
        ),
        ({"response_format": {"type": "json_object"}}, 400, "Prompt must contain the word 'json'"),
        ({"messages": [ASK, TOOL]}, 400, "must be a response to a preceding message with 'tool_calls'"),
        ({"model": "deepseek-reasoner", "logprobs": True}, 400, "does not support logprobs"),
        (
            {"model": "deepseek-reasoner", "tools": [LOOK], "tool_choice": "required"},
            400,
            "does not support this tool_choice",
        ),
        ({"model": "deepseek-chat+402"}, 402, "Insufficient Balance"),
        ({"model": "deepseek-chat+503"}, 503, "Service is too busy."),
    ],
)
def test_deepseek_refuses_in_its_words(deepseek: Ask, changes: dict[str, Any], status: int, words: str) -> None:
    answer = deepseek(**changes)
    error = answer.json()["error"]
    assert answer.status_code == status
    assert words in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == "invalid_request_error"


def test_deepseek_looks_at_keys_and_not_at_unknown_fields(deepseek: Ask, http: httpx.Client) -> None:
    assert message(deepseek(unheard_of=1))
    wrong = http.post(DEEPSEEK, json={}, headers={"authorization": "Bearer sk-other-1234"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (401, "authentication_error")
    assert wrong.json()["error"]["message"] == "Authentication Fails, Your api key: ****1234 is invalid"
    assert (
        http.post("/deepseek/v1/chat/completions", json={"model": "x"}).json()["error"]["message"] == "Model Not Exist"
    )


def test_the_official_client_works_with_deepseek(sandbox_url: str, marker: str) -> None:
    with OpenAI(api_key="sk-sandbox-1", base_url=f"{sandbox_url}/deepseek", max_retries=0, timeout=5) as client:
        stream = client.chat.completions.create(
            model="deepseek-reasoner", messages=[{"role": "user", "content": marker}], stream=True
        )
        assert marker in "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert {model.id for model in client.models.list()} == {"deepseek-chat", "deepseek-reasoner"}
        with pytest.raises(APIStatusError) as caught:
            client.chat.completions.create(model="deepseek-chat+402", messages=[{"role": "user", "content": "x"}])
    assert caught.value.status_code == 402


@pytest.mark.parametrize(
    ("thinking", "text", "thought"),
    [
        (None, "look", False),
        ("enabled", "look", True),
        ("disabled", "look?", False),
        ("auto", "look", False),
        ("auto", "look?", True),
    ],
)
def test_ark_thinks_if_it_is_told_to(ark: Ask, thinking: str | None, text: str, thought: bool) -> None:
    changes: dict[str, Any] = {"messages": [{"role": "user", "content": text}]}
    if thinking is not None:
        changes["thinking"] = {"type": thinking}
    body = ark(**changes).json()
    assert ("reasoning_content" in body["choices"][0]["message"]) is thought
    assert (body["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0) is thought
    found = frames(ark(stream=True, stream_options={"include_usage": True}, **changes).content)
    assert list(openai_chat.faults(found, usage_asked=True)) == []
    assert found[-2].json()["usage"] == body["usage"]


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"model": "gpt-4o"}, 404, "InvalidEndpointOrModel.NotFound", ""),
        ({"messages": []}, 400, "MissingParameter", "messages"),
        ({"messages": [{"role": "user", "content": 7}]}, 400, "InvalidParameter", "messages[0].content"),
        ({"temperature": 3}, 400, "InvalidParameter", "temperature"),
        ({"thinking": {"type": "deep"}}, 400, "InvalidParameter", "thinking.type"),
        ({"model": f"{V3_1}+402"}, 403, "AccountOverdueError", ""),
        ({"model": f"{V3_1}+429"}, 429, "RateLimitExceeded.EndpointRPMExceeded", ""),
    ],
)
def test_ark_refuses_in_its_words(ark: Ask, changes: dict[str, Any], status: int, code: str, param: str) -> None:
    answer = ark(**changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert " Request id: " in error["message"]


@pytest.mark.parametrize(("path", "model"), [(DEEPSEEK, "deepseek-chat"), (ARK, V3_1)])
def test_a_call_of_a_tool_comes_in_pieces_or_whole(http: httpx.Client, path: str, model: str) -> None:
    """Promise 22: the call is the same."""
    said = set()
    for scenario in ("", "+drip", "+done-only", "+tool-done-only"):
        asked = {"model": model + scenario, "messages": [ASK], "tools": [LOOK], "stream": True}
        found = frames(http.post(path, json=asked).content)
        assert list(openai_chat.faults(found)) == []
        parts = [part for frame in found[:-1] for part in frame.json()["choices"][0]["delta"].get("tool_calls", [])]
        said.add("".join(part["function"]["arguments"] for part in parts))
    assert {json.dumps(json.loads(text)) for text in said} == {'{"a": "look"}'}


FULL: dict[str, Any] = {
    "model": "deepseek-chat",
    "messages": [
        {"role": "system", "content": "json"},
        {"role": "user", "content": [{"type": "text", "text": "look"}]},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        TOOL,
    ],
    "tools": [{"type": "function", "function": {"name": "look", "description": "d", "parameters": SHAPE}}],
    "tool_choice": "auto",
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 50,
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "stop": ["x"],
    "logprobs": True,
    "top_logprobs": 2,
    "thinking": {"type": "disabled"},
}


@pytest.mark.parametrize(("path", "model"), [(DEEPSEEK, "deepseek-chat"), (ARK, V3_1)])
def test_one_wrong_type_is_enough_to_be_refused(http: httpx.Client, path: str, model: str) -> None:
    body = {**FULL, "model": model}
    assert http.post(path, json=body).status_code == 200
    found = [one for one in mutations(body, ("tools[0].function.parameters",)) if one.name.startswith("mistype")]
    statuses = {one.name: http.post(path, json=one.body).status_code for one in found}
    assert [name for name, status in statuses.items() if status == 200] == []
    assert set(statuses.values()) <= {400, 404}
    assert len(found) > 40
