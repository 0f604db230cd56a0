"""Embeddings: unit vectors that the input decides, and OpenAI's limits."""

import base64
import math
import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import OpenAI

Embed = Callable[..., httpx.Response]


@pytest.fixture
def embed(http: httpx.Client) -> Embed:
    def post(**changes: Any) -> httpx.Response:
        body = {"model": "text-embedding-3-small", "input": "words", **changes}
        return http.post(
            "/openai/v1/embeddings", json={name: value for name, value in body.items() if value is not ...}
        )

    return post


@pytest.mark.parametrize(
    ("model", "length", "answered"),
    [
        ("text-embedding-3-small", 1536, "text-embedding-3-small"),
        ("text-embedding-3-large", 3072, "text-embedding-3-large"),
        ("text-embedding-ada-002", 1536, "text-embedding-ada-002-v2"),
    ],
)
def test_vectors_have_the_length_of_the_model_and_norm_one(
    embed: Embed, model: str, length: int, answered: str
) -> None:
    body = embed(model=model).json()
    vector = body["data"][0]["embedding"]
    assert (len(vector), body["model"], body["object"]) == (length, answered, "list")
    assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-6)
    assert body["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


def test_equal_inputs_have_equal_vectors_and_others_have_others(embed: Embed) -> None:
    rows = embed(input=["a", "b", "a"]).json()["data"]
    assert [row["index"] for row in rows] == [0, 1, 2]
    assert rows[0]["embedding"] == rows[2]["embedding"] != rows[1]["embedding"]


def test_fewer_dimensions_are_the_start_renormalised(embed: Embed) -> None:
    whole = embed().json()["data"][0]["embedding"]
    short = embed(dimensions=8).json()["data"][0]["embedding"]
    scale = math.hypot(*whole[:8])
    assert short == pytest.approx([value / scale for value in whole[:8]])


def test_base64_and_float_say_the_same(embed: Embed) -> None:
    floats = embed(encoding_format="float").json()["data"][0]["embedding"]
    packed = base64.b64decode(embed(encoding_format="base64").json()["data"][0]["embedding"])
    assert struct.unpack("<1536f", packed) == pytest.approx(floats, rel=1e-6)


def test_token_arrays_count_their_tokens(embed: Embed) -> None:
    assert embed(input=[1, 2, 3]).json()["usage"]["prompt_tokens"] == 3
    body = embed(input=[[1, 2], [3]]).json()
    assert (len(body["data"]), body["usage"]["prompt_tokens"]) == (2, 3)


@pytest.mark.parametrize(
    ("mutation", "words"),
    [
        ({"model": ...}, "you must provide a model parameter"),
        ({"input": ...}, "Please submit an `input`."),
        ({"input": ""}, "Invalid 'input': input cannot be an empty string."),
        ({"input": ["a", ""]}, "Invalid 'input': input cannot be an empty string."),
        ({"input": []}, "Invalid 'input': input cannot be an empty array."),
        ({"input": {"a": 1}}, "'$.input' is invalid."),
        ({"input": ["a", 1]}, "'$.input' is invalid."),
        ({"input": [1, "a"]}, "'$.input' is invalid."),
        ({"input": [[]]}, "'$.input' is invalid."),
        ({"input": ["a"] * 2049}, "Invalid 'input': array length must be 2048 or less."),
        ({"input": "x" * 4 * 8193}, "Invalid 'input': maximum context length is 8192 tokens."),
        ({"input": ["x" * 4 * 8192] * 40}, "max 300000 tokens per request"),
        ({"dimensions": 0}, "Expected a value >= 1, but got 0 instead."),
        ({"dimensions": 1537}, "Invalid value for 'dimensions' = 1537. Must be less than or equal to 1536."),
        ({"dimensions": 8, "model": "text-embedding-ada-002"}, "This model does not support specifying dimensions."),
        ({"encoding_format": "hex"}, "Supported values are: 'float' and 'base64'."),
        ({"encoding_format": None}, "Invalid type for 'encoding_format'"),
        ({"user": 4}, "Invalid type for 'user'"),
        ({"bogus": 1}, "Unrecognized request argument supplied: bogus"),
    ],
)
def test_a_faulty_request_is_refused(embed: Embed, mutation: dict[str, Any], words: str) -> None:
    answer = embed(**mutation)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_scenarios_serve_embeddings_too(embed: Embed) -> None:
    assert embed(model="text-embedding-3-small+503").status_code == 503
    assert "usage" not in embed(model="text-embedding-3-small+usage-none").json()
    with pytest.raises(httpx.RemoteProtocolError):
        embed(model="text-embedding-3-small+cut")


def test_the_official_client_decodes_what_it_gets(sdk: OpenAI) -> None:
    made = sdk.embeddings.create(model="text-embedding-3-large", input=["a", "b"], dimensions=16)
    assert [len(row.embedding) for row in made.data] == [16, 16]
