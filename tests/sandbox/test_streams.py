"""The grammar of a good stream, and OpenAI's own client reading it."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import APIStatusError, OpenAI, RateLimitError
from pydantic import BaseModel

Chat = Callable[..., httpx.Response]


def chunks(answer: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream that ends as it should."""
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    blocks = answer.text.split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-2]]


def test_a_stream_says_the_role_then_words_then_the_end(chat: Chat) -> None:
    found = chunks(chat(stream=True))
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert found[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    deltas = [chunk["choices"][0]["delta"]["content"] for chunk in found[1:-1]]
    assert all(len(delta.split()) <= 3 for delta in deltas)
    assert "".join(deltas) == chat().json()["choices"][0]["message"]["content"]
    assert len({(chunk["id"], chunk["object"], chunk["model"], chunk["created"]) for chunk in found}) == 1
    assert not any("usage" in chunk for chunk in found)


def test_usage_comes_last_and_is_null_before_if_asked_for(chat: Chat) -> None:
    found = chunks(chat(stream=True, stream_options={"include_usage": True, "include_obfuscation": False}))
    assert all(chunk["usage"] is None for chunk in found[:-1])
    assert found[-1]["choices"] == []
    assert found[-1]["usage"] == chat().json()["usage"]
    assert not any("obfuscation" in chunk for chunk in found)


def test_each_event_is_a_write_of_its_own(sandbox_url: str, marker: str) -> None:
    body = {"model": "gpt-4o+slow-2", "stream": True, "messages": [{"role": "user", "content": marker}]}
    headers = {"authorization": "Bearer sk-sandbox-writes"}
    with httpx.stream("POST", f"{sandbox_url}/openai/v1/chat/completions", json=body, headers=headers) as answer:
        blocks = list(answer.iter_raw())
    assert all(block.count(b"data: ") <= 1 for block in blocks)
    assert len(blocks) >= 9


def test_choices_of_a_stream_are_interleaved_and_complete(chat: Chat) -> None:
    found = chunks(chat(stream=True, n=2, logprobs=True))
    texts = ["", ""]
    for chunk in found:
        choice = chunk["choices"][0]
        texts[choice["index"]] += choice["delta"].get("content") or ""
        if choice["delta"].get("content"):
            assert "".join(row["token"] for row in choice["logprobs"]["content"]) == choice["delta"]["content"]
    assert texts == [choice["message"]["content"] for choice in chat(n=2).json()["choices"]]


def test_parallel_calls_keep_their_places(chat: Chat, marker: str) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("first", "second")]
    asked: dict[str, Any] = {"tools": tools, "messages": [{"role": "user", "content": f"{marker} first second"}]}
    found = chunks(chat(stream=True, **asked))
    assert found[0]["choices"][0]["delta"]["content"] is None
    names = {
        part["index"]: part["function"]["name"]
        for chunk in found
        for part in chunk["choices"][0]["delta"].get("tool_calls", [])
        if "id" in part
    }
    assert names == {0: "first", 1: "second"}
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_legacy_function_call_streams(chat: Chat, marker: str) -> None:
    functions = [{"name": "look", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}]
    found = chunks(chat(stream=True, functions=functions, function_call={"name": "look"}))
    calls = [call for chunk in found if (call := chunk["choices"][0]["delta"].get("function_call"))]
    assert calls[0] == {"name": "look", "arguments": ""}
    assert json.loads("".join(call["arguments"] for call in calls)) == {"a": marker}


def test_line_separators_and_emoji_survive(chat: Chat) -> None:
    text = "a\u2028b\u0085c \U0001f600\r\nd"
    answer = chat(stream=True, messages=[{"role": "user", "content": text}])
    found = [json.loads(line[6:]) for line in answer.content.split(b"\n") if line.startswith(b"data: {")]
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in found)
    assert said.startswith(f"You said: {text}\n")


def test_the_official_client_reads_an_answer(sdk: OpenAI, marker: str) -> None:
    made = sdk.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": marker}])
    assert (made.choices[0].message.content or "").startswith(f"You said: {marker}")
    assert made.usage is not None
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens


def test_the_official_client_reads_a_stream(sdk: OpenAI, marker: str) -> None:
    stream = sdk.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": marker}],
        stream=True,
        stream_options={"include_usage": True},
    )
    found = list(stream)
    assert found[-1].usage is not None
    assert marker in "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices)


def test_the_official_client_assembles_tool_calls_of_a_stream(sdk: OpenAI, marker: str) -> None:
    shape = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    with sdk.chat.completions.stream(
        model="gpt-4o",
        messages=[{"role": "user", "content": f"look {marker}"}],
        tools=[{"type": "function", "function": {"name": "look", "parameters": shape, "strict": True}}],
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert json.loads(calls[0].function.arguments) == {"a": f"look {marker}"}


class Step(BaseModel):
    explanation: str
    output: float


class Steps(BaseModel):
    steps: list[Step]
    answer: str | None


def test_the_official_client_parses_structured_output(sdk: OpenAI, marker: str) -> None:
    asked: list[Any] = [{"role": "user", "content": marker}]
    made = sdk.chat.completions.parse(model="gpt-4o", messages=asked, response_format=Steps)
    assert made.choices[0].message.parsed == Steps(steps=[Step(explanation=marker, output=0.5)], answer=marker)


def test_the_official_client_raises_what_openai_means(sdk: OpenAI) -> None:
    asked: list[Any] = [{"role": "user", "content": "x"}]
    with pytest.raises(RateLimitError) as limited:
        sdk.chat.completions.create(model="gpt-4o+429", messages=asked)
    assert (limited.value.code, limited.value.response.headers["retry-after"]) == ("rate_limit_exceeded", "1")
    with pytest.raises(APIStatusError) as overloaded:
        sdk.chat.completions.create(model="gpt-4o+529", messages=asked)
    assert overloaded.value.status_code == 529


def test_the_official_client_lists_models(sdk: OpenAI) -> None:
    assert "gpt-4o" in {model.id for model in sdk.models.list()}
    assert sdk.models.retrieve("o1").owned_by == "system"
