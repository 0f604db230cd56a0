"""OpenAI's models as Azure serves them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import AzureOpenAI, BadRequestError, NotFoundError, OpenAI

from tests.grammars import openai_chat
from tests.grammars.frames import frames

KEY = {"api-key": "sk-sandbox-azure"}
TOKEN = {"authorization": "Bearer eyJhbGciOi.eyJhdWQi.c2ln"}
VERSION = {"api-version": "2024-10-21"}

Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(sandbox_url: str, marker: str) -> Ask:
    """Post the smallest chat to a deployment, changed by keywords."""

    def post(
        deployment: str = "gpt-4o",
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        **changes: Any,
    ) -> httpx.Response:
        url = f"{sandbox_url}/azure/openai/deployments/{deployment}/chat/completions"
        body = {"messages": [{"role": "user", "content": marker}], **changes}
        sent, asked = KEY if headers is None else headers, VERSION if params is None else params
        return httpx.post(url, json=body, headers=sent, params=asked)

    return post


def test_the_deployment_says_the_model_and_the_filter_what_it_found(ask: Ask, marker: str) -> None:
    body = ask(model="another").json()
    assert body["model"] == "gpt-4o-2024-08-06"
    assert body["choices"][0]["message"]["content"].startswith(f"You said: {marker}")
    assert body["choices"][0]["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert body["prompt_filter_results"][0]["prompt_index"] == 0


def test_a_stream_opens_with_a_chunk_without_choices(ask: Ask) -> None:
    found = frames(ask(stream=True, stream_options={"include_usage": True}).content)
    first = found[0].json()
    assert (first["choices"], first["id"], first["model"]) == ([], "", "")
    assert "prompt_filter_results" in first
    assert list(openai_chat.faults(found[1:], usage_asked=True)) == []
    results = [row["content_filter_results"] for frame in found[1:-1] for row in frame.json()["choices"]]
    assert results[0] == {}
    assert results[1]["violence"]["severity"] == "safe"


def test_a_prompt_may_be_filtered_and_an_answer_may_end_early(ask: Ask) -> None:
    refused = ask("gpt-4o+filter-prompt")
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["innererror"]["code"]) == (
        *(400, "content_filter", "ResponsibleAIPolicyViolation"),
    )
    assert error["innererror"]["content_filter_result"]["violence"] == {"filtered": True, "severity": "medium"}
    choice = ask("gpt-4o+filter").json()["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert choice["content_filter_results"]["violence"]["filtered"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"headers": {}}, 401, "401"),
        ({"headers": {"api-key": "wrong"}}, 401, "401"),
        ({"headers": {"authorization": "Bearer sk-sandbox-azure"}}, 401, "401"),
        ({"params": {}}, 404, "404"),
        ({"params": {"api-version": "one"}}, 400, "BadRequest"),
        ({"deployment": "nobody"}, 404, "DeploymentNotFound"),
        ({"deployment": "gpt-4o+429"}, 429, "429"),
        ({"deployment": "gpt-4o+404"}, 404, "DeploymentNotFound"),
        ({"top_k": 3}, 400, "unknown_parameter"),
    ],
)
def test_azure_refuses_in_its_words(ask: Ask, changes: dict[str, Any], status: int, code: str) -> None:
    answer = ask(**changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_token_of_entra_is_as_good_as_a_key(ask: Ask) -> None:
    assert ask(headers=TOKEN).status_code == 200


def test_the_official_client_works_with_deployments(sandbox_url: str, marker: str) -> None:
    with AzureOpenAI(
        api_key="sk-sandbox-azure", api_version="2024-10-21", azure_endpoint=f"{sandbox_url}/azure", max_retries=0
    ) as client:
        asked: list[Any] = [{"role": "user", "content": marker}]
        made = client.chat.completions.create(model="gpt-4o-mini", messages=asked)
        assert marker in (made.choices[0].message.content or "")
        stream = client.chat.completions.create(model="gpt-4o-mini", messages=asked, stream=True)
        assert marker in "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        vectors = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
        assert len(vectors.data) == 2
        assert client.completions.create(model="gpt-3.5-turbo-instruct", prompt="x").choices[0].text
        with pytest.raises(NotFoundError):
            client.chat.completions.create(model="nobody", messages=asked)
        with pytest.raises(BadRequestError) as caught:
            client.chat.completions.create(model="gpt-4o+filter-prompt", messages=asked)
    assert caught.value.code == "content_filter"


def test_the_newer_routes_need_no_version(sandbox_url: str, marker: str) -> None:
    with OpenAI(api_key="sk-sandbox-azure", base_url=f"{sandbox_url}/azure/openai/v1", max_retries=0) as client:
        made = client.responses.create(model="gpt-4.1", input=marker)
        assert marker in made.output_text
        assert client.responses.retrieve(made.id).id == made.id
        chat = client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": marker}])
        assert marker in (chat.choices[0].message.content or "")
