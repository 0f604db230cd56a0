"""Every scenario on the wire of Gemini: the grammar of what is whole, and how the rest breaks."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.grammars import gemini as grammar
from yescale_sandbox.scenario import SCENARIOS

Generate = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]
SSE = "streamGenerateContent?alt=sse"
ARRAY = "streamGenerateContent"
STATUSES = {
    "400": (400, "INVALID_ARGUMENT"),
    "401": (400, "INVALID_ARGUMENT"),
    "402": (400, "FAILED_PRECONDITION"),
    "403": (403, "PERMISSION_DENIED"),
    "404": (404, "NOT_FOUND"),
    "429": (429, "RESOURCE_EXHAUSTED"),
    "quota": (429, "RESOURCE_EXHAUSTED"),
    "500": (500, "INTERNAL"),
    "502": (502, "UNAVAILABLE"),
    "503": (503, "UNAVAILABLE"),
    "529": (529, "UNAVAILABLE"),
}
BROKEN = {
    "stall",
    "stall-head",
    "cut",
    "reset",
    "garbage",
    "badjson",
    "html",
    "error",
    "redirect",
    "echo-secret",
    "flaky",
}
# All the others leave an answer whole, those too that mean nothing to Gemini.
WHOLE = [
    row.name if row.most is None or row.bare else f"{row.name}-5"
    for row in SCENARIOS
    if row.name not in BROKEN and row.name not in STATUSES
]


def received(google: httpx.Client, name: str, method: str, marker: str) -> Iterator[bytes]:
    """The bytes of a stream as they come, in a second at most between two."""
    path, _, query = method.partition("?")
    address = f"/models/gemini-2.5-flash%2B{name}:{path}"
    body = {"contents": [{"parts": [{"text": marker}]}]}
    with google.stream("POST", address, params=query, json=body, timeout=0.3) as answer:
        yield from answer.iter_raw()


def read(answer: httpx.Response) -> list[dict[str, Any]]:
    return grammar.array(answer.content) if answer.text.startswith("[") else grammar.events(answer.content)


@pytest.mark.parametrize("method", ["generateContent", SSE, ARRAY])
@pytest.mark.parametrize("name", STATUSES)
def test_a_status_scenario_answers_as_google_does(generate: Generate, name: str, method: str) -> None:
    answer = generate(f"gemini-2.5-flash+{name}", method)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == STATUSES[name]
    kinds = [row["@type"].rpartition(".")[2] for row in error.get("details", [])]
    assert ("RetryInfo" in kinds) == (name == "429")
    assert ("QuotaFailure" in kinds) == (name in {"429", "quota"})


@pytest.mark.parametrize("method", [SSE, ARRAY])
@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_keeps_the_grammar_and_says_what_a_whole_answer_says(
    generate: Generate, name: str, method: str
) -> None:
    streamed = generate(f"gemini-2.5-flash+{name}", method)
    if name == "no-done" and method == ARRAY:
        with pytest.raises(json.JSONDecodeError):
            streamed.json()
        return
    chunks = read(streamed)
    grammar.check(chunks)
    whole = generate(f"gemini-2.5-flash+{name}").json()
    candidates = whole.get("candidates", [])
    assert grammar.parts(chunks) == (candidates[0]["content"].get("parts", []) if candidates else [])
    assert chunks[-1].get("usageMetadata") == whole.get("usageMetadata")
    ends = [one["finishReason"] for chunk in chunks for one in chunk.get("candidates", []) if "finishReason" in one]
    assert ends == [one["finishReason"] for one in candidates]


@pytest.mark.parametrize(
    ("name", "finish", "beside"),
    [
        ("filter", "SAFETY", "safetyRatings"),
        ("recitation", "RECITATION", "citationMetadata"),
        ("malformed-call", "MALFORMED_FUNCTION_CALL", "finishMessage"),
        ("no-parts", "STOP", "content"),
    ],
)
def test_an_early_end_says_why(generate: Generate, name: str, finish: str, beside: str) -> None:
    candidate = generate(f"gemini-2.5-flash+{name}").json()["candidates"][0]
    assert candidate["finishReason"] == finish
    assert beside in candidate
    assert ("parts" in candidate["content"]) == (name in {"filter", "recitation"})


def test_a_blocked_prompt_has_no_candidate(generate: Generate) -> None:
    blocked = generate("gemini-2.5-flash+blocked").json()
    assert (blocked["promptFeedback"]["blockReason"], "candidates" in blocked) == ("SAFETY", False)
    assert "candidatesTokenCount" not in blocked["usageMetadata"]
    empty = generate("gemini-2.5-flash+empty").json()
    assert set(empty) == {"usageMetadata", "modelVersion", "responseId"}


@pytest.mark.parametrize("method", [SSE, ARRAY])
def test_an_error_comes_in_the_stream(generate: Generate, recorded: Recorded, marker: str, method: str) -> None:
    chunks = read(generate("gemini-2.5-flash+error-2", method))
    grammar.check_failed(chunks)
    assert (len(chunks), chunks[-1]["error"]["status"]) == (3, "INTERNAL")
    assert recorded(marker)[-1]["outcome"] == "failed"


@pytest.mark.parametrize("method", [SSE, ARRAY])
@pytest.mark.parametrize(("name", "count"), [("cut-2", 2), ("cut", 2), ("cut-0", 0)])
def test_a_cut_stream_never_ends(
    google: httpx.Client, recorded: Recorded, marker: str, name: str, count: int, method: str
) -> None:
    blocks: list[bytes] = []
    with pytest.raises(httpx.RemoteProtocolError):
        blocks.extend(received(google, name, method, marker))
    data = b"".join(blocks)
    assert data.count(b'"candidates":') == count
    assert not data.endswith(b"]")
    assert recorded(marker)[-1]["outcome"] == "cut"


@pytest.mark.parametrize("method", ["generateContent", SSE, ARRAY])
def test_broken_json_is_no_json(generate: Generate, method: str) -> None:
    answer = generate("gemini-2.5-flash+badjson", method)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        grammar.events(answer.content) if method == SSE else answer.json()


@pytest.mark.parametrize("name", ["stall", "stall-head"])
@pytest.mark.parametrize("method", ["generateContent", SSE, ARRAY])
def test_a_stalled_answer_stays_open(google: httpx.Client, marker: str, method: str, name: str) -> None:
    blocks: list[bytes] = []
    with pytest.raises(httpx.ReadTimeout):
        blocks.extend(received(google, name, method, marker))
    assert bool(blocks) == (name == "stall")


def test_the_rest_breaks_as_it_does_everywhere(generate: Generate) -> None:
    assert generate("gemini-2.5-flash+html").text.startswith("<!doctype html>")
    for name in ("reset", "garbage"):
        with pytest.raises(httpx.TransportError):
            generate(f"gemini-2.5-flash+{name}")
    assert generate("gemini-2.5-flash+redirect").headers["location"] == "/gemini/v1beta/elsewhere"
    assert "AIzaSandbox-0123456789" in generate("gemini-2.5-flash+echo-secret").json()["error"]["message"]
    assert [generate("gemini-2.5-flash+flaky-1").status_code for _ in range(2)] == [500, 200]


def test_scenarios_reach_embeddings_and_counts(google: httpx.Client, marker: str) -> None:
    body = {"content": {"parts": [{"text": marker}]}}
    assert google.post("/models/text-embedding-004%2B503:embedContent", json=body).status_code == 503
    asked = {"contents": [body["content"]]}
    assert google.post("/models/gemini-2.5-flash%2B500:countTokens", json=asked).status_code == 500
