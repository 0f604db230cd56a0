"""Ollama's routes that are compatible with OpenAI's."""

from typing import Any

import httpx
import pytest
from openai import NotFoundError, OpenAI

from tests.grammars import openai_chat
from tests.grammars.frames import frames
from tests.sandbox.openai_mutations import mutations

CHAT, EMBED = "/ollama/v1/chat/completions", "/ollama/v1/embeddings"


def test_it_answers_anyone_and_thinks_in_its_own_field(sandbox_url: str, marker: str) -> None:
    asked = {"model": "qwen3", "messages": [{"role": "user", "content": marker}]}
    message = httpx.post(sandbox_url + CHAT, json=asked).json()["choices"][0]["message"]
    assert message["content"].startswith(f"You said: {marker}")
    assert message["reasoning"]
    streamed = httpx.post(sandbox_url + CHAT, json={**asked, "stream": True, "stream_options": {"include_usage": True}})
    found = frames(streamed.content)
    assert list(openai_chat.faults(found, usage_asked=True)) == []
    deltas = [row["delta"] for frame in found[:-1] for row in frame.json()["choices"]]
    assert "".join(delta.get("reasoning") or "" for delta in deltas) == message["reasoning"]


def test_the_official_client_works_with_ollama(sandbox_url: str, marker: str) -> None:
    with OpenAI(api_key="ollama", base_url=f"{sandbox_url}/ollama/v1", max_retries=0, timeout=5) as client:
        asked: list[Any] = [{"role": "user", "content": marker}]
        made = client.chat.completions.create(model="llama3.2", messages=asked)
        assert marker in (made.choices[0].message.content or "")
        vectors = client.embeddings.create(model="nomic-embed-text", input=["a", "b"])
        assert [len(row.embedding) for row in vectors.data] == [768, 768]
        assert "llama3.2" in {model.id for model in client.models.list()}
        with pytest.raises(NotFoundError) as caught:
            client.chat.completions.create(model="gemma3:12b", messages=asked)
    assert caught.value.body == {
        "message": 'model "gemma3:12b" not found, try pulling it first',
        "type": "not_found_error",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"messages": []}, 400, "is too short - 'messages'"),
        ({"messages": [{"role": "developer", "content": "x"}]}, 400, "invalid role: developer"),
        ({"model": "llama3.2+503"}, 503, "server busy"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}]}]},
            *(400, "invalid image input"),
        ),
    ],
)
def test_faults_are_refused(http: httpx.Client, changes: dict[str, Any], status: int, words: str) -> None:
    answer = http.post(CHAT, json={"model": "llama3.2", "messages": [{"role": "user", "content": "x"}], **changes})
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"model": "llama3.2", "messages": [{"role": "user", "content": "x"}], "stream": True, "temperature": 1}),
        (EMBED, {"model": "all-minilm", "input": ["x"], "encoding_format": "base64", "dimensions": 8}),
    ],
)
def test_one_wrong_type_is_enough_to_be_refused(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    found = [one for one in mutations(body) if one.name.startswith("mistype")]
    statuses = {one.name: http.post(path, json=one.body).status_code for one in found}
    assert [name for name, status in statuses.items() if status not in (400, 404)] == []
    assert http.post(path, json=body).status_code == 200
