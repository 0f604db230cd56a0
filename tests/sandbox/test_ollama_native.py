"""Ollama's own chat in the sandbox."""

from typing import Any

import httpx
import pytest

from tests.grammars import ollama
from tests.sandbox.openai_mutations import mutations

CHAT = "/ollama/api/chat"
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}


def ask(http: httpx.Client, text: str = "x", **changes: Any) -> httpx.Response:
    return http.post(CHAT, json={"model": "qwen3", "messages": [{"role": "user", "content": text}], **changes})


@pytest.mark.parametrize("think", [True, False])
def test_a_stream_comes_unasked_and_says_what_the_whole_says(http: httpx.Client, marker: str, think: bool) -> None:
    whole = ask(http, marker, think=think, stream=False).json()
    streamed = ask(http, marker, think=think)
    assert streamed.headers["content-type"] == "application/x-ndjson"
    assert list(ollama.faults(streamed.content)) == []
    lines = [httpx.Response(200, content=line).json() for line in streamed.content.splitlines()]
    for field in ("content", "thinking"):
        assert "".join(line["message"].get(field, "") for line in lines) == whole["message"].get(field, "")
    assert bool(whole["message"].get("thinking")) is think
    assert lines[-1]["eval_count"] == whole["eval_count"] > 0


def test_a_tool_is_called_with_an_object(http: httpx.Client) -> None:
    message = ask(http, 'sandbox-call: f {"a": 1}', tools=[TOOL], stream=False).json()["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == {"a": 1}


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"model": "gemma3:12b"}, 404, "not found"),
        ({"model": "llama3.2", "think": True}, 400, "does not support thinking"),
        ({"think": "high"}, 400, "not supported for this model"),
        ({"model": "gpt-oss:20b", "think": "most"}, 400, "invalid think value"),
        ({"format": "yaml"}, 400, "invalid format"),
        ({"messages": [{"role": "developer", "content": "x"}]}, 400, "invalid role"),
        ({"messages": [{"role": "user", "content": "x", "images": ["https://a.example/x.png"]}]}, 400, "base64"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]}, 400,
         "cannot unmarshal"),
        ({"model": "qwen3+503"}, 503, "server busy"),
    ],
)  # fmt: skip
def test_faults_are_refused_in_one_sentence(
    http: httpx.Client, changes: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(http, **changes)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_one_wrong_type_is_enough_to_be_refused(http: httpx.Client) -> None:
    body = {
        "model": "qwen3", "messages": [{"role": "user", "content": "x"}], "stream": True, "think": True,
        "options": {"temperature": 1, "num_predict": 50}, "tools": [TOOL],
    }  # fmt: skip
    # Schemas are the models' to read.
    found = [one for one in mutations(body) if one.name.startswith("mistype") and ".parameters." not in one.name]
    statuses = {one.name: http.post(CHAT, json=one.body).status_code for one in found}
    assert [name for name, status in statuses.items() if status not in (400, 404)] == []
