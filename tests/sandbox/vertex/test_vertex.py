"""What Vertex AI answers and refuses where it is not as the Gemini API; the rest is the same code."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types
from google.oauth2 import service_account

from tests.grammars import gemini as grammar

Generate = Callable[..., httpx.Response]
ASK = {"role": "user", "parts": [{"text": "hi"}]}
SCHEMA = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "additionalProperties": False}
TOOLS = [{"functionDeclarations": [{"name": "look", "parameters": SCHEMA}]}]
SSE = "streamGenerateContent?alt=sse"


@pytest.fixture
def sdk(sandbox_url: str, credentials: service_account.Credentials) -> Iterator[genai.Client]:
    """Google's own client for Vertex."""
    options = types.HttpOptions(base_url=f"{sandbox_url}/vertex/", api_version="v1")
    with genai.Client(
        vertexai=True,
        project="sandbox-project",
        location="us-central1",
        credentials=credentials,
        http_options=options,
    ) as client:
        yield client


def test_an_answer_is_geminis_with_what_vertex_adds(generate: Generate, marker: str) -> None:
    answer = generate(labels={"team": "a"}).json()
    assert answer["candidates"][0]["content"]["parts"][0]["text"].startswith(f"You said: {marker}")
    assert answer["usageMetadata"]["trafficType"] == "ON_DEMAND"
    assert answer["createTime"].endswith("Z")
    for method, read in ((SSE, grammar.events), ("streamGenerateContent", grammar.array)):
        chunks = read(generate(method=method).content)
        grammar.check(chunks)
        assert grammar.parts(chunks) == answer["candidates"][0]["content"]["parts"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contents": [{"parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
        ({"store": True}, 'Unknown name "store": Cannot find field.'),
        (
            {"generationConfig": {"temperature": 3}},
            "it has a temperature value of 3 but the supported range is from 0 (inclusive) to 2.0001 (exclusive).",
        ),
        (
            {"generationConfig": {"maxOutputTokens": 131072}},
            "a maxOutputTokens value of 131072 but the",
        ),
        ({"labels": 3}, "Invalid value at 'labels' (Map), 3"),
        (
            {"generationConfig": {"responseModalities": ["SMELL"]}},
            '(type.googleapis.com/google.cloud.aiplatform.v1.GenerationConfig.Modality), "SMELL"',
        ),
        (
            {"safetySettings": [{"category": "HARM_CATEGORY_MEDICAL", "threshold": "OFF"}]},
            "Invalid value at 'safety_settings",
        ),
    ],
)
def test_a_fault_is_refused_in_vertexs_words(generate: Generate, changes: dict[str, Any], words: str) -> None:
    answer = generate(**changes)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer.json()["error"]["message"]


def test_more_of_json_schema_is_taken_than_by_the_gemini_api(generate: Generate) -> None:
    assert generate(tools=TOOLS).status_code == 200
    judged = [{"category": "HARM_CATEGORY_IMAGE_HATE", "threshold": "OFF", "method": "SEVERITY"}]
    assert generate(safetySettings=judged).status_code == 200


def test_a_missing_signature_is_told_in_vertexs_words(generate: Generate) -> None:
    turns = [
        ASK,
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {}}}]},
    ]
    message = generate("gemini-3-pro-preview", contents=turns, tools=TOOLS).json()["error"]["message"]
    assert "function call `look` in the 2. content block is missing a `thought_signature`." in message


def test_unknown_models_are_not_found(generate: Generate, vertex: httpx.Client) -> None:
    for model in ("gemini-9", "text-embedding-004", "gemini-2.5-flash+nonsense"):
        error = generate(model).json()["error"]
        assert (error["code"], error["status"]) == (404, "NOT_FOUND")
        assert error["message"].startswith(
            "Publisher Model `projects/sandbox-project/locations/us-central1/publishers/"
        )
    assert vertex.post("/gemini-2.5-flash:embedContent", json={}).status_code == 404


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("401", 401, "UNAUTHENTICATED"),
        ("402", 403, "PERMISSION_DENIED"),
        ("403", 403, "PERMISSION_DENIED"),
        ("429", 429, "RESOURCE_EXHAUSTED"),
        ("quota", 429, "RESOURCE_EXHAUSTED"),
        ("500", 500, "INTERNAL"),
        ("503", 503, "UNAVAILABLE"),
    ],
)
def test_scenarios_fail_as_vertex_does(generate: Generate, name: str, code: int, status: str) -> None:
    answer = generate(f"gemini-2.5-flash+{name}")
    assert (answer.status_code, answer.json()["error"]["status"]) == (code, status)
    assert (
        generate(f"text-embedding-004+{name}", "predict", contents=..., instances=[{"content": "x"}]).status_code
        == code
    )


def test_scenarios_break_streams_as_everywhere(generate: Generate) -> None:
    grammar.check_failed(grammar.events(generate("gemini-2.5-flash+error-2", SSE).content))
    assert [generate("gemini-2.5-flash+flaky-1").status_code for _ in range(2)] == [500, 200]


def test_embeddings_are_predictions(vertex: httpx.Client) -> None:
    body = {"instances": [{"content": "x" * 40}, {"content": "y" * 9000}], "parameters": {"outputDimensionality": 5}}
    rows = vertex.post("/text-embedding-004:predict", json=body).json()["predictions"]
    assert [len(row["embeddings"]["values"]) for row in rows] == [5, 5]
    statistics = [row["embeddings"]["statistics"] for row in rows]
    assert statistics == [{"truncated": False, "token_count": 10}, {"truncated": True, "token_count": 2048}]


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        ("text-embedding-004", {"instances": []}, "instances is not specified"),
        ("text-embedding-004", {"instances": [{"content": ""}]}, "content is not specified"),
        (
            "text-embedding-004",
            {"instances": [{"content": 3}]},
            "Invalid value at 'instances[0].content' (TYPE_STRING), 3",
        ),
        ("text-embedding-004", {"instances": [{"content": "x", "task_type": "SLEEP"}]}, "Unsupported task_type SLEEP"),
        (
            "text-embedding-004",
            {"instances": [{"content": "x", "title": "t"}]},
            "needs the task_type RETRIEVAL_DOCUMENT",
        ),
        ("text-embedding-004", {"parameters": {"outputDimensionality": 769}}, "must be in the range [1, 768]"),
        ("text-embedding-004", {"instances": [{"content": "x"}] * 251}, "at most 250"),
        ("gemini-embedding-001", {"instances": [{"content": "x"}] * 2}, "at most 1"),
        (
            "text-embedding-004",
            {"instances": [{"content": "x" * 9000}], "parameters": {"autoTruncate": False}},
            "auto_truncate is false",
        ),
    ],
)
def test_faults_of_predictions(vertex: httpx.Client, model: str, changes: dict[str, Any], words: str) -> None:
    answer = vertex.post(f"/{model}:predict", json={"instances": [{"content": "x"}], **changes})
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_googles_client_talks_to_vertex(sdk: genai.Client, marker: str) -> None:
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    whole = sdk.models.generate_content(model="gemini-2.5-flash", contents=marker, config=config)
    assert (whole.text or "").startswith(f"You said: {marker}")
    chunks = list(sdk.models.generate_content_stream(model="gemini-2.5-flash", contents=marker, config=config))
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    made = sdk.models.embed_content(model="text-embedding-004", contents=[marker, "x"])
    assert [len(row.values or []) for row in made.embeddings or []] == [768, 768]
    assert sdk.models.count_tokens(model="gemini-2.5-flash", contents="x" * 40).total_tokens == 10
    with pytest.raises(errors.ClientError) as caught:
        sdk.models.generate_content(model="gemini-2.5-flash+429", contents="x")
    assert caught.value.code == 429
