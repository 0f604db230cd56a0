"""Embeddings: official SDKs and LangChain over the providers that have them, in their own format and in the other's."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import openai
import pytest
from google import genai
from google.genai import types
from langchain_google_genai import GoogleGenerativeAIEmbeddings
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from tests.matrix.house import House
from tests.matrix.upstreams import EMBEDDER, UPSTREAMS, Upstream

TEXTS = ["the first text", "ünïcödé 是 \U0001f600"]
Vectors = Sequence[Sequence[float]]
Embed = Callable[[str, str], Vectors]


def by_openai(base_url: str, key: str) -> Vectors:
    """Which asks for base64 by itself."""
    with openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0) as sdk:
        return [row.embedding for row in sdk.embeddings.create(model=EMBEDDER, input=TEXTS).data]


def by_google(base_url: str, key: str) -> Vectors:
    with genai.Client(api_key=key, vertexai=False, http_options=types.HttpOptions(base_url=base_url)) as sdk:
        made = sdk.models.embed_content(model=EMBEDDER, contents=list(TEXTS))
    return [row.values or [] for row in made.embeddings or []]


def by_langchain_openai(base_url: str, key: str) -> Vectors:
    """Which else would send tokens of OpenAI's vocabulary, fetched from elsewhere."""
    with openai.DefaultHttpxClient() as http:
        model = OpenAIEmbeddings(
            model=EMBEDDER, base_url=f"{base_url}/v1", api_key=SecretStr(key), max_retries=0,
            check_embedding_ctx_length=False, http_client=http,
        )  # fmt: skip
        return model.embed_documents(TEXTS)


def by_langchain_google(base_url: str, key: str) -> Vectors:
    options: dict[str, Any] = {"google_api_key": SecretStr(key), "base_url": base_url}
    model = GoogleGenerativeAIEmbeddings(model=EMBEDDER, **options)
    try:
        return model.embed_documents(TEXTS)
    finally:
        model.client.close()


CLIENTS: dict[str, Embed] = {
    "openai": by_openai,
    "google-genai": by_google,
    "langchain-openai": by_langchain_openai,
    "langchain-google-genai": by_langchain_google,
}
EMBEDDING = [upstream for upstream in UPSTREAMS.values() if upstream.embedder]


@pytest.mark.parametrize("upstream", EMBEDDING, ids=lambda upstream: upstream.name)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_embeds_over_a_provider(house: House, name: str, upstream: Upstream) -> None:
    mark = house.installation.last_arrival()
    vectors = CLIENTS[name](house.base_url, house.keys[upstream.name])
    assert len({len(vector) for vector in vectors}) == 1
    assert len(vectors) == len(TEXTS)
    assert vectors[0] != vectors[1]
    assert all(math.isclose(math.hypot(*vector), 1, abs_tol=0.01) for vector in vectors)
    calls = house.calls_since(mark)
    assert "embed" in calls[0].request["path"].lower()
    assert all(any(text in call.text for call in calls) for text in TEXTS)
    estimated = upstream.name == "generate"  # Gemini does not say how many tokens it embedded
    assert [(call.row["outcome"], call.row["estimated"]) for call in calls] == [("ok", estimated)] * len(calls)
    assert all(call.row["amount"] > 0 for call in calls)
