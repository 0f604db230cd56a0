"""The official OpenAI SDK for Python, pointed at yescale."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Iterator

import httpx
import jsonschema
import openai
import pytest
from openai import OpenAI
from openai.types.chat import (
    ChatCompletionContentPartParam,
    ChatCompletionMessageParam,
    ChatCompletionToolParam,
)

from tests.e2e.installation import Installation

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]
WEATHER_PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": WEATHER_PARAMETERS,
        "strict": True,
    },
}
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
    )
).decode()


@pytest.fixture
def client(installation: Installation) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{installation.base_url}/v1", api_key=installation.api_key, max_retries=0) as made:
        yield made


def test_a_chat_answers_with_usage(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_a_stream_is_the_same_text_and_shows_usage_only_when_asked(client: OpenAI) -> None:
    whole = client.chat.completions.create(model="gpt-4o", messages=HELLO)
    plain = list(client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    asked = list(
        client.chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    for chunks in (plain, asked):
        assert chunks[0].choices[0].delta.role == "assistant"
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == whole.choices[0].message.content
    assert all(chunk.choices and chunk.usage is None for chunk in plain)
    assert asked[-1].choices == []
    assert whole.usage is not None
    assert asked[-1].usage is not None
    assert asked[-1].usage.model_dump() == whole.usage.model_dump()


def test_tools_make_a_round_trip_streaming_and_not(client: OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Hanoi?"}]
    answer = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER], tool_choice="required")
    assert answer.choices[0].finish_reason in {"tool_calls", "stop"}
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    jsonschema.validate(json.loads(call.function.arguments), WEATHER_PARAMETERS)
    with client.chat.completions.stream(
        model="gpt-4o", messages=messages, tools=[WEATHER], tool_choice="required"
    ) as events:
        streamed = events.get_final_completion().choices[0].message
    assert streamed.tool_calls
    assert streamed.tool_calls[0].function.arguments == call.function.arguments
    messages += [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "31 degrees, humid"},
    ]
    final = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])
    assert "31 degrees, humid" in (final.choices[0].message.content or "")


def test_n_choices_come_and_are_counted(client: OpenAI) -> None:
    one = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    three = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, n=3)
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert one.usage is not None
    assert three.usage is not None
    assert three.usage.completion_tokens > one.usage.completion_tokens


def test_structured_output_validates(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o",
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}},
    )
    jsonschema.validate(json.loads(answer.choices[0].message.content or ""), PERSON)


def test_vision_parts_reach_the_provider_untouched(installation: Installation, client: OpenAI) -> None:
    before = installation.last_arrival()
    parts: list[ChatCompletionContentPartParam] = [
        {"type": "text", "text": "What is this? Gì vậy? 是什么？ \u2028 \U0001f600"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    ]
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": parts}])
    (request,) = installation.arrived(before)
    assert request["body"]["messages"] == [{"role": "user", "content": parts}]


def test_a_body_is_relayed_byte_for_byte(installation: Installation) -> None:
    """Promise 30: nothing is added, reordered or reformatted that need not change."""
    body = (
        b'{ "temperature" : 1.10, "model":"gpt-4o",\n\t"messages":[{"content":"caf\\u00e9 \xe2\x82\xac","role":"user"}]'
        b',"top_p":1.0E0,"max_tokens":50}'
    )
    before = installation.last_arrival()
    headers = {"Authorization": f"Bearer {installation.api_key}", "Content-Type": "application/json"}
    answer = httpx.post(f"{installation.base_url}/v1/chat/completions", content=body, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    (request,) = installation.arrived(before)
    assert request["raw_sha256"] == hashlib.sha256(body).hexdigest()


def test_an_undeclared_limit_that_the_balance_cannot_pay_is_set_and_named(installation: Installation) -> None:
    """The one exception to promise 30: the demo account does not hold what gpt-4o could cost at most."""
    before = installation.last_arrival()
    headers = {"Authorization": f"Bearer {installation.api_key}"}
    body = {"model": "gpt-4o", "messages": HELLO, "n": 16}
    answer = httpx.post(f"{installation.base_url}/v1/chat/completions", json=body, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    (request,) = installation.arrived(before)
    (added,) = set(request["body"]) - set(body)
    assert added in answer.headers["x-yescale-losses"]
    assert request["body"][added] >= 1024


def test_embeddings_come_as_floats_and_base64(client: OpenAI) -> None:
    by_default = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    as_floats = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], encoding_format="float")
    assert [len(item.embedding) for item in by_default.data] == [1536, 1536]
    assert by_default.data[0].embedding == pytest.approx(as_floats.data[0].embedding, abs=1e-6)
    assert by_default.usage.prompt_tokens > 0


def test_models_are_listed_and_one_is_shown(client: OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"gpt-4o", "gpt-4o-mini"} <= names
    assert not any("*" in name or "+" in name for name in names)
    shown = client.models.retrieve("gpt-4o")
    assert (shown.id, shown.object, shown.owned_by) == ("gpt-4o", "model", "openai")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-99")


ERRORS: dict[str, tuple[type[openai.APIStatusError], int]] = {
    "gpt-4o+400": (openai.BadRequestError, 400),
    "gpt-4o+429": (openai.RateLimitError, 429),
    "gpt-4o+500": (openai.InternalServerError, 502),
    "gpt-4o+529": (openai.InternalServerError, 502),
    "gpt-4o+reset": (openai.InternalServerError, 502),
    "gpt-4o+garbage": (openai.InternalServerError, 502),
    "gpt-4o+badjson": (openai.InternalServerError, 502),
    "gpt-99": (openai.NotFoundError, 404),
}

REFUSALS = ("gpt-4o-mini+401", "gpt-4o-mini+402", "gpt-4o-mini+403")


@pytest.mark.parametrize(
    ("model", "stream"),
    # What is broken inside a stream shows when the stream is read, not when it is asked for.
    [(model, stream) for model in ERRORS for stream in (False, True) if (model, stream) != ("gpt-4o+badjson", True)],
)
def test_errors_arrive_as_the_sdks_own_exceptions(
    failing: Installation, client: OpenAI, model: str, stream: bool
) -> None:
    kind, status = ERRORS[model]
    if model == "gpt-4o+429":
        time.sleep(1.1)  # its Retry-After: until then the channel rests
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=model, messages=HELLO, stream=stream)
    assert caught.value.status_code == status
    assert caught.value.request_id
    if model == "gpt-4o+429":
        assert "retry-after" in caught.value.response.headers


def test_a_bad_request_is_refused_in_the_providers_words(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=HELLO, temperature=3)
    assert caught.value.param == "temperature"


def test_a_wrong_key_is_an_authentication_error(installation: Installation) -> None:
    with OpenAI(base_url=f"{installation.base_url}/v1", api_key="sk-" + "x" * 48, max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as caught:
            stranger.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("model", REFUSALS)
def test_the_providers_refusal_of_our_account_is_not_the_clients_fault(
    failing: Installation, client: OpenAI, model: str
) -> None:
    """A client's SDK must never be told that its own key is bad."""
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=HELLO)
    assert caught.value.status_code == 502


def test_a_stream_that_the_provider_cuts_raises_and_never_ends_cleanly(failing: Installation, client: OpenAI) -> None:
    """Promise 28."""
    with pytest.raises((openai.APIError, httpx.RemoteProtocolError)):
        for _ in client.chat.completions.create(model="gpt-4o+cut-3", messages=HELLO, stream=True):
            pass


@pytest.mark.parametrize("tail", ["", "/v1", "/v1/", "//v1", "/v1/v1"])
def test_every_base_url_that_people_try_works(installation: Installation, tail: str) -> None:
    with OpenAI(base_url=installation.base_url + tail, api_key=installation.api_key, max_retries=0) as client:
        assert client.chat.completions.create(model="gpt-4o-mini", messages=HELLO).choices


def test_the_async_client_streams_side_by_side(installation: Installation) -> None:
    async def ask(client: openai.AsyncOpenAI, marker: str) -> str:
        stream = await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": marker}], stream=True, max_tokens=64
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def run() -> None:
        async with openai.AsyncOpenAI(
            base_url=f"{installation.base_url}/v1", api_key=installation.api_key, max_retries=0
        ) as client:
            markers = [f"marker-{number:04d}" for number in range(20)]
            answers = await asyncio.gather(*(ask(client, marker) for marker in markers))
        for marker, answer in zip(markers, answers, strict=True):
            assert marker in answer
            assert answer.count("marker-") == answer.count(marker)

    asyncio.run(run())
