"""The pages about OpenAI's other paths: completions, embeddings, moderations, rerank (contract 8)."""

import base64
import json
import struct
from typing import Any

import pytest

from tests.e2e.pages import Caller, Json, price

INSTRUCT = (1_500, 2_000)  # nano-dollars per token in and out
FOOD = "The food was delicious and the waiter..."


def test_a_completion_with_all_its_fields(caller: Caller) -> None:
    body = {
        "model": "gpt-3.5-turbo-instruct", "prompt": "Say this is a test", "max_tokens": 30, "temperature": 0,
        "top_p": 1, "n": 1, "stream": False, "logprobs": None, "echo": False, "stop": "###", "presence_penalty": 0,
        "frequency_penalty": 0, "best_of": 1, "user": "user-1234",
    }  # fmt: skip
    page = caller.call("/v1/completions", body)
    answer = page.json
    assert answer["id"].startswith("cmpl-")
    assert (answer["object"], answer["model"]) == ("text_completion", "gpt-3.5-turbo-instruct")
    (choice,) = answer["choices"]
    assert set(choice) == {"text", "index", "logprobs", "finish_reason"}
    assert "Say this is a test" in choice["text"]
    assert (choice["index"], choice["logprobs"], choice["finish_reason"]) == (0, None, "stop")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert page.up == body
    assert page.charged(price(usage, *INSTRUCT))


def test_a_completion_that_is_streamed_has_the_same_shape_in_every_chunk(caller: Caller) -> None:
    body: Json = {"model": "gpt-3.5-turbo-instruct", "prompt": ["Say this is a test"], "max_tokens": 7, "stream": True}
    page = caller.call("/v1/completions", body)
    whole = caller.call("/v1/completions", body | {"stream": False}).json
    assert page.events[-1] == ("", "[DONE]")
    assert {chunk["object"] for chunk in page.chunks} == {"text_completion"}
    assert "".join(chunk["choices"][0]["text"] for chunk in page.chunks) == whole["choices"][0]["text"]
    assert page.chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"] == "length"
    assert page.up == body | {"stream_options": {"include_usage": True}}
    assert page.charged(price(whole["usage"], *INSTRUCT))


def test_an_empty_prompt_is_refused(caller: Caller) -> None:
    answer = caller.send("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": ""})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "prompt")


def test_a_model_that_only_chats_completes_too(caller: Caller) -> None:
    page = caller.call("/v1/completions", {"model": "claude-haiku-4-5", "prompt": "Say this is a test"})
    assert page.json["object"] == "text_completion"
    assert "Say this is a test" in page.json["choices"][0]["text"]
    assert page.path == "/anthropic/v1/messages"
    assert page.charged(price(page.json["usage"], 1_000, 5_000))


@pytest.mark.parametrize(
    ("model", "rate", "size"),
    [
        ("text-embedding-ada-002", 100, 1_536),
        ("text-embedding-3-small", 20, 1_536),
        ("text-embedding-3-large", 130, 3_072),
    ],
)
@pytest.mark.parametrize(
    ("input_", "count"), [(FOOD, 1), ([FOOD, "second"], 2), ([1, 2, 3, 4], 1), ([[1, 2], [3]], 2)], ids=str
)
def test_embeddings_of_each_kind_of_input(
    caller: Caller, model: str, rate: int, size: int, input_: Any, count: int
) -> None:
    body = {"model": model, "input": input_, "encoding_format": "float", "user": "user-1234"}
    page = caller.call("/v1/embeddings", body)
    answer = page.json
    assert answer["object"] == "list"
    assert answer["model"].startswith(model)
    assert [(each["object"], each["index"]) for each in answer["data"]] == [("embedding", n) for n in range(count)]
    assert all(len(each["embedding"]) == size for each in answer["data"])
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > 0
    assert page.up == body
    assert page.charged(answer["usage"]["prompt_tokens"] * rate)


def test_embeddings_in_base64_are_the_same_numbers(caller: Caller) -> None:
    body: Json = {"model": "text-embedding-3-small", "input": FOOD, "dimensions": 256}
    plain = caller.call("/v1/embeddings", body).json["data"][0]["embedding"]
    page = caller.call("/v1/embeddings", body | {"encoding_format": "base64"})
    packed = base64.b64decode(page.json["data"][0]["embedding"], validate=True)
    assert len(plain) == 256
    assert list(struct.unpack("<256f", packed)) == pytest.approx(plain, abs=1e-6)
    assert page.charged(page.json["usage"]["prompt_tokens"] * 20)


def test_embeddings_by_the_path_of_engines(caller: Caller) -> None:
    page = caller.call("/v1/engines/text-embedding-3-small/embeddings", {"input": FOOD})
    assert page.json["model"] == page.up["model"] == "text-embedding-3-small"
    assert page.path == "/openai/v1/embeddings"


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_of_google_in_openais_format(caller: Caller, encoding: str) -> None:
    body = {"model": "gemini-embedding-001", "input": [FOOD, "second"], "dimensions": 128, "encoding_format": encoding}
    page = caller.call("/v1/embeddings", body)
    assert [each["index"] for each in page.json["data"]] == [0, 1]
    for each in page.json["data"]:
        held = each["embedding"]
        assert (len(held) if encoding == "float" else len(base64.b64decode(held)) // 4) == 128
    assert [each["outputDimensionality"] for each in page.up["requests"]] == [128, 128]
    assert page.row["quota"] >= 0


@pytest.mark.parametrize("named", [True, False])
def test_moderations_are_free(caller: Caller, named: bool) -> None:
    body: Json = {"input": "I want to kill them."} | ({"model": "omni-moderation-latest"} if named else {})
    page = caller.call("/v1/moderations", body)
    (result,) = page.json["results"]
    assert page.json["id"].startswith("modr-")
    assert result["flagged"] is True
    assert result["categories"]["violence"] is True
    assert set(result["categories"]) == set(result["category_scores"])
    assert page.up["model"] == ("omni-moderation-latest" if named else "text-moderation-latest")
    assert page.charged(0)


DOCUMENTS = ["Carson City is the capital of Nevada.", "Washington, D.C. is the capital of the United States."]
QUERY = "What is the capital of the United States?"


def test_cohere_ranks_documents_for_the_price_of_a_search(caller: Caller) -> None:
    body = {"model": "rerank-v3.5", "query": QUERY, "documents": DOCUMENTS, "top_n": 2}
    page = caller.call("/v1/rerank", body)
    assert [row["index"] for row in page.json["results"]] == [1, 0]
    assert all(0 <= row["relevance_score"] <= 1 for row in page.json["results"])
    assert page.json["meta"]["billed_units"]["search_units"] == 1
    assert (page.path, page.up) == ("/cohere/v2/rerank", body)
    assert page.charged(2_000_000)


def test_jina_ranks_documents_and_gives_them_back(caller: Caller) -> None:
    body = {
        "model": "jina-reranker-v2-base-multilingual", "query": QUERY, "documents": DOCUMENTS, "top_n": 1,
        "return_documents": True,
    }  # fmt: skip
    page = caller.call("/v1/rerank", body)
    (row,) = page.json["results"]
    assert row["index"] == 1
    assert DOCUMENTS[1] in json.dumps(row["document"])
    assert (page.path, page.up) == ("/jina/v1/rerank", body)
    assert page.charged(page.json["usage"]["total_tokens"] * 50)
