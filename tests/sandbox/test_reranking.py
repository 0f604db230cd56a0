"""Reranking at Cohere and at Jina."""

from typing import Any

import httpx
import pytest

from tests.sandbox.openai_mutations import mutations

COHERE, JINA = "/cohere/v2/rerank", "/jina/v1/rerank"
QUERY = "the capital of France"
DOCUMENTS = ["Berlin is big", "the capital of France is Paris", "a capital idea"]
TO_COHERE: dict[str, Any] = {
    "model": "rerank-v3.5",
    "query": QUERY,
    "documents": DOCUMENTS,
    "top_n": 2,
    "max_tokens_per_doc": 100,
    "priority": 1,
}
TO_JINA: dict[str, Any] = {
    "model": "jina-reranker-v2-base-multilingual",
    "query": QUERY,
    "documents": [*DOCUMENTS, {"text": "Paris"}],
    "top_n": 2,
    "return_documents": True,
    "truncation": True,
}


def test_cohere_ranks_and_counts_searches(http: httpx.Client) -> None:
    body = http.post(COHERE, json=TO_COHERE).json()
    assert [row["index"] for row in body["results"]] == [1, 2]
    assert body["results"][0]["relevance_score"] > body["results"][1]["relevance_score"]
    assert set(body["results"][0]) == {"index", "relevance_score"}
    assert body["meta"] == {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    many = http.post(COHERE, json={"model": "rerank-v3.5", "query": "x", "documents": ["y"] * 101}).json()
    assert len(many["results"]) == 101
    assert many["meta"]["billed_units"] == {"search_units": 2}


def test_jina_ranks_and_counts_tokens(http: httpx.Client) -> None:
    body = http.post(JINA, json=TO_JINA).json()
    assert [row["index"] for row in body["results"]] == [1, 2]
    assert body["results"][0]["document"] == {"text": DOCUMENTS[1]}
    texts = [*DOCUMENTS, "Paris"]
    assert body["usage"]["total_tokens"] == 4 * -(-len(QUERY) // 4) + sum(-(-len(text) // 4) for text in texts)
    bare = http.post(JINA, json={**TO_JINA, "return_documents": False}).json()
    assert "document" not in bare["results"][0]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"documents": []}, 400, "invalid request: list of documents must not be empty"),
        ({"documents": ["x"] * 1001}, 400, "too many documents"),
        ({"top_k": 3}, 422, "unknown field: parameter 'top_k' is not a valid field."),
        ({"top_n": 0}, 400, "top_n must be between 1 and 1000"),
        ({"query": ""}, 400, "query must not be empty"),
        ({"model": "command-r"}, 404, "model 'command-r' not found"),
        ({"model": "rerank-v3.5+429"}, 429, "You are using a Trial key"),
    ],
)
def test_cohere_refuses_in_its_words(http: httpx.Client, changes: dict[str, Any], status: int, words: str) -> None:
    answer = http.post(COHERE, json={**TO_COHERE, **changes})
    assert answer.status_code == status
    assert words in answer.json()["message"]
    assert set(answer.json()) == {"id", "message"}


@pytest.mark.parametrize(
    ("changes", "place", "kind"),
    [
        ({"documents": []}, "documents", "length"),
        ({"top_k": 3}, "top_k", "extra_forbidden"),
        ({"top_n": 0}, "top_n", "greater_than_equal"),
        ({"model": "x"}, "model", "enum"),
        ({"query": 7}, "input", "type_error"),
    ],
)
def test_jina_says_where_a_fault_is(http: httpx.Client, changes: dict[str, Any], place: str, kind: str) -> None:
    answer = http.post(JINA, json={**TO_JINA, **changes})
    detail = answer.json()["detail"][0]
    assert (answer.status_code, detail["loc"], detail["type"]) == (422, ["body", place], kind)


@pytest.mark.parametrize("path", [COHERE, JINA])
def test_keys_are_looked_at(http: httpx.Client, path: str) -> None:
    assert http.post(path, json={}, headers={"authorization": "Bearer nothing"}).status_code == 401


@pytest.mark.parametrize(("path", "body"), [(COHERE, TO_COHERE), (JINA, TO_JINA)])
def test_one_fault_is_enough_to_be_refused(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    optional = {f"delete {name}" for name in body if name not in ("model", "query", "documents")}
    found = [one for one in mutations(body) if one.name not in optional]
    statuses = {one.name: http.post(path, json=one.body).status_code for one in found}
    taken = {name for name, status in statuses.items() if status == 200}
    # A document of Jina's is a model of its own, which lets other keys pass.
    assert taken == ({"extend documents[3]"} if path == JINA else set())
    assert set(statuses.values()) <= {200, 400, 404, 422}
