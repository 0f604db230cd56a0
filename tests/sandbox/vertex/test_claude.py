"""Claude at Vertex AI: Anthropic's format behind Google's OAuth."""

from typing import Any

import httpx
import pytest
from anthropic.lib.vertex import AnthropicVertex
from google.oauth2 import service_account

from tests.grammars import anthropic as grammar

MODEL = "claude-3-5-haiku@20241022"
VERSION = "vertex-2023-10-16"


def ask(vertex: httpx.Client, named: str = MODEL, method: str = "rawPredict", **changes: Any) -> httpx.Response:
    """Post the smallest request, changed by keywords; an Ellipsis takes a field out."""
    body = {"anthropic_version": VERSION, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}], **changes}
    kept = {name: value for name, value in body.items() if value is not ...}
    base = str(vertex.base_url).replace("/google/", "/anthropic/")
    return vertex.post(f"{base}{named.replace('+', '%2B')}:{method}", json=kept)


def test_an_answer_is_anthropics_with_vertexs_ids(vertex: httpx.Client) -> None:
    answer = ask(vertex).json()
    assert (answer["type"], answer["id"][:9]) == ("message", "msg_vrtx_")
    assert answer["content"][0]["text"].startswith("You said: hi")
    tools = [{"name": "look", "input_schema": {"type": "object"}}]
    called = ask(vertex, tools=tools, tool_choice={"type": "any"}).json()["content"][0]
    assert called["id"].startswith("toolu_vrtx_")


def test_a_stream_keeps_anthropics_grammar(vertex: httpx.Client) -> None:
    events = grammar.events(ask(vertex, method="streamRawPredict", stream=True).content)
    assert grammar.faults(events) == []
    assert grammar.content(events)[0]["text"] == ask(vertex).json()["content"][0]["text"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"anthropic_version": ...}, "anthropic_version"),
        ({"anthropic_version": "2023-06-01"}, "anthropic_version"),
        ({"model": MODEL}, "model"),
        ({"max_tokens": ...}, "max_tokens"),
        ({"bogus": 1}, "bogus"),
    ],
)
def test_a_fault_is_refused_in_anthropics_words(vertex: httpx.Client, changes: dict[str, Any], words: str) -> None:
    answer = ask(vertex, **changes)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize("model", ["claude-9", "claude-3-5-haiku-20241022", "gemini-2.5-flash"])
def test_a_model_goes_by_vertexs_name(vertex: httpx.Client, model: str) -> None:
    assert (ask(vertex, model).status_code, ask(vertex, model).json()["error"]["status"]) == (404, "NOT_FOUND")


def test_failures_are_googles_and_the_token_is_asked_for(vertex: httpx.Client) -> None:
    assert ask(vertex, f"{MODEL}+429").json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    base = str(vertex.base_url).replace("/google/", "/anthropic/")
    assert httpx.post(f"{base}{MODEL}:rawPredict", json={}).status_code == 401


def test_anthropics_client_talks_to_vertex(sandbox_url: str, credentials: service_account.Credentials) -> None:
    with AnthropicVertex(
        region="us-east5", project_id="sandbox-project", credentials=credentials, base_url=f"{sandbox_url}/vertex/v1"
    ) as client:
        asked: Any = {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}]}
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            assert stream.get_final_text() == whole.content[0].text
