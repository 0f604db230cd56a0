"""The older completions, and moderation."""

from typing import Any

import httpx
import pytest
from openai import OpenAI

from tests.grammars.frames import frames

TEXTS = "/openai/v1/completions"
MODEL = "gpt-3.5-turbo-instruct"


def complete(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = http.post(TEXTS, json={"model": MODEL, "prompt": "Once", "max_tokens": 100, **changes})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_prompt_goes_on_for_sixteen_tokens_unless_more_are_asked_for(http: httpx.Client, marker: str) -> None:
    short = http.post(TEXTS, json={"model": MODEL, "prompt": marker}).json()
    choice = short["choices"][0]
    assert (choice["finish_reason"], choice["text"]) == (
        "length",
        f"You said: {marker}\n\nI am a sandbox: this answer depend"[:64],
    )
    assert short["usage"]["completion_tokens"] == 16
    assert short["object"] == "text_completion"
    assert complete(http)["choices"][0]["finish_reason"] == "stop"


def test_every_form_of_a_prompt_has_its_choices_in_order(http: httpx.Client) -> None:
    body = complete(http, prompt=["one", "two"], n=2)
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2, 3]
    assert body["choices"][2]["text"].startswith("You said: two")
    assert body["choices"][3]["text"].endswith("This is choice 2.")
    tokens = complete(http, prompt=[[1, 2, 3], [4]])
    assert len(tokens["choices"]) == 2
    assert tokens["usage"]["prompt_tokens"] == 4
    assert complete(http, prompt=[1, 2, 3])["usage"]["prompt_tokens"] == 3


def test_echo_logprobs_stop_and_best_of(http: httpx.Client) -> None:
    echoed = complete(http, echo=True)["choices"][0]["text"]
    assert echoed.startswith("OnceYou said: Once")
    logprobs = complete(http, logprobs=2)["choices"][0]["logprobs"]
    assert len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) == len(logprobs["text_offset"])
    assert [len(row) for row in logprobs["top_logprobs"]] == [2] * len(logprobs["tokens"])
    assert complete(http, stop=" said")["choices"][0]["text"] == "You"
    once, thrice = complete(http)["usage"], complete(http, best_of=3)["usage"]
    assert thrice["completion_tokens"] == 3 * once["completion_tokens"]


def test_a_stream_of_texts_ends_with_done_and_its_usage_if_asked_for(http: httpx.Client) -> None:
    asked = {"model": MODEL, "prompt": ["a", "b"], "stream": True, "stream_options": {"include_usage": True}}
    found = frames(http.post(TEXTS, json=asked).content)
    assert found[-1].text == "[DONE]"
    chunks = [frame.json() for frame in found[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["prompt_tokens"]) == ([], 2)
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    whole = complete(http, prompt=["a", "b"], max_tokens=16)
    for choice in whole["choices"]:
        rows = [row for chunk in chunks for row in chunk["choices"] if row["index"] == choice["index"]]
        assert "".join(row["text"] for row in rows) == choice["text"]
        assert [row["finish_reason"] for row in rows if row["finish_reason"]] == [choice["finish_reason"]]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"bogus": 1}, 400, "Unrecognized request argument supplied: bogus"),
        ({"prompt": ""}, 400, "Invalid 'prompt': empty string."),
        ({"prompt": []}, 400, "Invalid 'prompt': empty array."),
        ({"n": 2, "best_of": 1}, 400, "must set 'best_of'"),
        ({"max_tokens": 5_000}, 400, "maximum context length is 4096 tokens, however you requested 5001 tokens"),
        ({"logprobs": 6}, 400, "Expected a value <= 5"),
        ({"model": "gpt-4o"}, 404, "This is a chat model and not supported in the v1/completions endpoint."),
        ({"model": "nothing"}, 404, "does not exist"),
    ],
)
def test_faults_of_texts_are_refused(http: httpx.Client, changes: dict[str, Any], status: int, words: str) -> None:
    answer = http.post(TEXTS, json={"model": MODEL, "prompt": "x", **changes})
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_the_official_client_reads_texts(sdk: OpenAI, marker: str) -> None:
    made = sdk.completions.create(model=MODEL, prompt=marker, max_tokens=50)
    streamed = sdk.completions.create(model=MODEL, prompt=marker, max_tokens=50, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == made.choices[0].text


def test_the_official_client_reads_moderation(sdk: OpenAI) -> None:
    made = sdk.moderations.create(input=["I want to kill them.", "a fine day"])
    assert made.model == "omni-moderation-2024-09-26"
    assert [one.flagged for one in made.results] == [True, False]
    assert made.results[0].categories.violence
    assert not made.results[0].categories.hate
    assert made.results[0].category_applied_input_types.violence == ["text"]
    picture = "data:image/png;base64,iVBORw0KGgoAAAA="
    parts: list[Any] = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": picture}}]
    both = sdk.moderations.create(model="omni-moderation-latest", input=parts)
    assert len(both.results) == 1
    assert both.results[0].category_applied_input_types.violence == ["text", "image"]


def test_the_older_moderation_knows_texts_alone(http: httpx.Client) -> None:
    asked: dict[str, Any] = {"model": "text-moderation-latest", "input": "bomb"}
    result = http.post("/openai/v1/moderations", json=asked).json()["results"][0]
    assert "illicit/violent" not in result["categories"]
    assert "category_applied_input_types" not in result
    asked["input"] = [{"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}]
    assert http.post("/openai/v1/moderations", json=asked).status_code == 400
    wrong = http.post("/openai/v1/moderations", json={"model": "gpt-4o", "input": "x"})
    assert wrong.json()["error"]["message"].startswith("Invalid value for 'model' = gpt-4o.")
