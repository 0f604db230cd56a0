"""Embeddings between OpenAI's form and Google's: the same texts up, the same vectors down."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.usage import Meter
from yescale.protocols.codec import NO_WORDS, Garbled, Malformed, PathWords
from yescale.protocols.embedding import EmbedCodec, pack, unpack
from yescale.protocols.gemini_generate import BATCH_EMBED_CODEC, EMBED_CODEC
from yescale.protocols.openai_chat.embedding import CODEC as OPENAI

WORDS = PathWords("embed", False)


def to_google(body: object) -> tuple[Any, dict[str, str]]:
    encoded = BATCH_EMBED_CODEC.encode_request(OPENAI.decode_request(json.dumps(body).encode(), NO_WORDS), "up")
    return json.loads(encoded.body), {loss.what: loss.weight for loss in encoded.losses}


def to_openai(body: object, codec: EmbedCodec = BATCH_EMBED_CODEC) -> tuple[Any, dict[str, str]]:
    encoded = OPENAI.encode_request(codec.decode_request(json.dumps(body).encode(), WORDS), "up")
    return json.loads(encoded.body), {loss.what: loss.weight for loss in encoded.losses}


def one(text: str, **more: object) -> dict[str, object]:
    return {"model": "models/up", "content": {"parts": [{"text": text}]}} | more


def test_openais_request_becomes_a_batch() -> None:
    body = {"model": "m", "input": ["a", "b"], "dimensions": 3, "encoding_format": "base64"}
    batch, lost = to_google(body)
    assert batch == {"requests": [one("a", outputDimensionality=3), one("b", outputDimensionality=3)]}
    assert lost == {}
    assert to_google({"model": "m", "input": "a"})[0] == {"requests": [one("a")]}


def test_tokens_are_content_that_google_cannot_take() -> None:
    for said in ([1, 2], [[1, 2], [3]]):
        assert to_google({"model": "m", "input": said})[1] == {"inputs.tokens": "content"}


def test_googles_requests_become_openais() -> None:
    """Promise 30: no encoding is asked for that the client did not say."""
    batch = {"requests": [one("a", outputDimensionality=3), one("b", output_dimensionality=3)]}
    assert to_openai(batch) == ({"model": "up", "input": ["a", "b"], "dimensions": 3}, {})
    single = one("a", taskType="RETRIEVAL_DOCUMENT", title="t", autoTruncate=True)
    body, lost = to_openai(single, EMBED_CODEC)
    assert body == {"model": "up", "input": ["a"]}
    assert lost == {"task": "setting", "title": "setting", "extras.autoTruncate": "setting"}
    back = json.loads(
        BATCH_EMBED_CODEC.encode_request(EMBED_CODEC.decode_request(json.dumps(single).encode(), WORDS), "up").body
    )
    assert back == {"requests": [single]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "requests"),
        ({"requests": [{}]}, "requests[0].content"),
        ({"requests": [one("a"), one("b", taskType="X")]}, "requests[1]"),
        ({"requests": [{"content": {"parts": [{"inlineData": {}}]}}]}, "requests[0].content.parts[0]"),
    ],
)
def test_a_malformed_batch_names_the_field(body: object, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        to_openai(body)
    assert caught.value.fault.param == field


@pytest.mark.parametrize(
    "body", [{"model": "m"}, {"input": "x"}, {"model": "m", "input": []}, {"model": "m", "input": ["a", 1]}, []]
)
def test_a_malformed_request_of_openais_is_refused(body: object) -> None:
    with pytest.raises(Malformed):
        to_google(body)


def test_vectors_go_both_ways_in_both_encodings() -> None:
    vectors = {"embeddings": [{"values": [0.5, -1.0]}, {"values": [0.25, 2.0]}]}
    response = BATCH_EMBED_CODEC.decode_response(
        json.dumps(vectors | {"usageMetadata": {"promptTokenCount": 4}}).encode()
    )
    assert response.usage == {Meter.INPUT_TOKENS: 4}
    for encoding in (None, "float", "base64"):
        said = {} if encoding is None else {"encoding_format": encoding}
        request = OPENAI.decode_request(json.dumps({"model": "m", "input": ["a", "b"], **said}).encode(), NO_WORDS)
        wire = OPENAI.encode_response(response, request)
        answer = json.loads(wire)
        assert (answer["object"], answer["model"], answer["usage"]["prompt_tokens"]) == ("list", "m", 4)
        first = answer["data"][0]["embedding"]
        assert first == (
            base64.b64encode(struct.pack("<2f", 0.5, -1.0)).decode() if encoding == "base64" else [0.5, -1.0]
        )
        back = OPENAI.decode_response(wire)
        assert back.vectors == response.vectors
        assert json.loads(BATCH_EMBED_CODEC.encode_response(back, request))["embeddings"] == vectors["embeddings"]
        assert json.loads(EMBED_CODEC.encode_response(back, request))["embedding"] == {"values": [0.5, -1.0]}


def test_openais_vectors_are_put_in_order() -> None:
    body = b'{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"model":"m"}'
    assert OPENAI.decode_response(body).vectors == ((1.0,), (2.0,))


@pytest.mark.parametrize(
    "body", [b"{}", b"x", b'{"data":[]}', b'{"data":[{"embedding":"AAA"}]}', b'{"data":[{"embedding":"QUJD"}]}']
)
def test_what_holds_no_vectors_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        OPENAI.decode_response(body)
    with pytest.raises(Garbled):
        BATCH_EMBED_CODEC.decode_response(body)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=5))
def test_packed_vectors_come_back(vector: list[float]) -> None:
    assert unpack(pack(vector)) == tuple(vector)


def test_a_number_that_no_float32_holds_is_garbled() -> None:
    with pytest.raises(Garbled):
        pack([1e300])
