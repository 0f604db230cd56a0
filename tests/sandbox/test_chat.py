"""What the fake model says, and what it counts."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Chat = Callable[..., httpx.Response]
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n and the rest").decode()


def tokens(text: str) -> int:
    return -(-len(text.encode()) // 4)


def said(answer: httpx.Response) -> str:
    return answer.json()["choices"][0]["message"]["content"]


def test_equal_requests_have_equal_answers_and_others_have_others(chat: Chat, marker: str) -> None:
    first, second, third = chat(), chat(), chat(messages=[{"role": "user", "content": f"{marker}!"}])
    assert first.content == second.content
    assert said(first) != said(third)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_the_answer_quotes_the_last_user_message(chat: Chat, marker: str) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": marker}]},
    ]
    assert said(chat(messages=messages)).startswith(f"You said: {marker}\n")
    long = f"{marker}-a {'x' * 5000} {marker}-z"
    answer = said(chat(messages=[{"role": "user", "content": long}]))
    assert f"{marker}-a" in answer
    assert f"{marker}-z" in answer


def test_the_answer_has_the_shape_of_a_chat_completion(chat: Chat) -> None:
    body = chat(service_tier="flex").json()
    assert set(body) == {
        *("id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage"),
    }
    assert (body["object"], body["model"], body["service_tier"]) == ("chat.completion", "gpt-4o-2024-08-06", "flex")
    assert body["id"].startswith("chatcmpl-")
    message = body["choices"][0]["message"]
    assert set(message) == {"role", "content", "refusal", "annotations"}


def test_usage_follows_the_documented_rule(chat: Chat, marker: str) -> None:
    tools = [{"type": "function", "function": {"name": "look"}}]
    text = "été ☃"
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": PNG}}]
    answer = chat(messages=[{"role": "system", "content": marker}, {"role": "user", "content": parts}], tools=tools)
    usage = answer.json()["usage"]
    json_length = len('[{"type":"function","function":{"name":"look"}}]')
    assert usage["prompt_tokens"] == 4 + tokens(marker) + 4 + tokens(text) + 85 + -(-json_length // 4)
    assert usage["completion_tokens"] == tokens(said(answer))
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0, "audio_tokens": 0}
    assert usage["completion_tokens_details"] == {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_token_limit_cuts_the_answer(chat: Chat, name: str) -> None:
    body = chat(**{name: 3}).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"] == "You said: ma"
    assert body["usage"]["completion_tokens"] == 3


def test_a_stop_sequence_ends_the_answer_before_it(chat: Chat) -> None:
    for stop in (" said", ["nowhere", " said"]):
        choice = chat(stop=stop).json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("You", "stop")


def test_n_choices_differ_and_are_all_counted(chat: Chat) -> None:
    body = chat(n=3).json()
    texts = [choice["message"]["content"] for choice in body["choices"]]
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert len(set(texts)) == 3
    assert body["usage"]["completion_tokens"] == sum(tokens(text) for text in texts)


def test_reasoning_is_counted_within_the_completion_and_its_limit(chat: Chat) -> None:
    body = chat(model="o4-mini", reasoning_effort="high").json()
    usage = body["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 64
    assert usage["completion_tokens"] == 64 + tokens(body["choices"][0]["message"]["content"])
    cut = chat(model="o4-mini", max_completion_tokens=10).json()
    assert (cut["choices"][0]["message"]["content"], cut["choices"][0]["finish_reason"]) == ("", "length")
    assert cut["usage"]["completion_tokens"] == 10


def test_log_probabilities_are_told_if_asked_for(chat: Chat) -> None:
    choice = chat(logprobs=True, top_logprobs=2).json()["choices"][0]
    rows = choice["logprobs"]["content"]
    assert "".join(row["token"] for row in rows) == choice["message"]["content"]
    assert all(row["logprob"] <= 0 and len(row["top_logprobs"]) == 2 for row in rows)
    assert all(bytes(row["bytes"]).decode() == row["token"] for row in rows)
    assert chat().json()["choices"][0]["logprobs"] is None


def test_pictures_are_counted_and_named(chat: Chat, marker: str) -> None:
    parts: list[dict[str, Any]] = [{"type": "text", "text": marker}]
    parts += [{"type": "image_url", "image_url": {"url": url}} for url in (PNG, "https://a.example/x.jpg")]
    assert "I see 2 images: image/png, web." in said(chat(messages=[{"role": "user", "content": parts}]))


def test_models_are_listed_and_described(http: httpx.Client) -> None:
    names = [row["id"] for row in http.get("/openai/v1/models").json()["data"]]
    assert {"gpt-4o", "gpt-4o-2024-08-06", "o3-mini", "text-embedding-3-large"} <= set(names)
    assert http.get("/openai/v1/models/gpt-5").json() == {
        "id": "gpt-5",
        "object": "model",
        "created": 1754425777,
        "owned_by": "system",
    }
    lost = http.get("/openai/v1/models/gpt-9")
    assert (lost.status_code, lost.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("model", "dated"),
    [("gpt-4o-mini", "gpt-4o-mini-2024-07-18"), ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"), ("o1", "o1-2024-12-17")],
)
def test_answers_carry_the_dated_name_which_may_also_be_asked_for(chat: Chat, model: str, dated: str) -> None:
    assert chat(model=model).json()["model"] == dated
    assert chat(model=dated).json()["model"] == dated
