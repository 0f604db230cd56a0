"""The pages about Claude: four in its own format, four in OpenAI's, and the suffix that makes it think (contract 9)."""

from typing import Any

import pytest

from tests.e2e.pages import PIXEL, WEATHER_SCHEMA, Caller, Json, Page, is_chat, is_chat_stream

SONNET = {"input_tokens": 3_000, "output_tokens": 15_000, "cache_read_input_tokens": 300}  # nano-dollars per token
HELLO = [{"role": "user", "content": "Hello, world"}]


def cost(usage: Json) -> int:
    return sum(usage.get(name, 0) * rate for name, rate in SONNET.items())


def messages(caller: Caller, model: str, said: object, **more: Any) -> Page:
    headers = {"x-api-key": caller.key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    return caller.call("/v1/messages?beta=true", {"model": model, "messages": said, **more}, headers)


def is_message(answer: Json, *, model: str, reason: str = "end_turn") -> bool:
    """Whether this is a message, field by field."""
    assert answer["id"].startswith("msg_")
    assert (answer["type"], answer["role"], answer["model"]) == ("message", "assistant", model)
    assert (answer["stop_reason"], answer["stop_sequence"]) == (reason, None)
    counts = {"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"}
    assert counts <= set(answer["usage"])
    return True


def test_chat(caller: Caller) -> None:
    more = {
        "max_tokens": 1_024, "system": "You are a helpful assistant.", "temperature": 0.5, "top_k": 5,
        "stop_sequences": ["\n\nHuman:"], "metadata": {"user_id": "user-1234"}, "stream": False,
    }  # fmt: skip
    page = messages(caller, "claude-sonnet-4-20250514", HELLO, **more)
    assert is_message(page.json, model="claude-sonnet-4-20250514")
    (block,) = page.json["content"]
    assert block["type"] == "text"
    assert "Hello, world" in block["text"]
    assert page.up == {"model": "claude-sonnet-4-20250514", "messages": HELLO, **more}
    assert page.charged(cost(page.json["usage"]))


def test_chat_that_is_streamed(caller: Caller) -> None:
    page = messages(caller, "claude-sonnet-4-20250514", HELLO, max_tokens=1_024, stream=True)
    whole = messages(caller, "claude-sonnet-4-20250514", HELLO, max_tokens=1_024)
    names = [name for name, _ in page.events if name != "ping"]
    assert [chunk["type"] for chunk in page.chunks if chunk["type"] != "ping"] == names
    assert names[:2] == ["message_start", "content_block_start"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    start = page.chunks[0]["message"]
    assert (start["content"], start["stop_reason"]) == ([], None)
    assert start["usage"]["input_tokens"] == whole.json["usage"]["input_tokens"]
    text = "".join(chunk["delta"]["text"] for chunk in page.chunks if chunk["type"] == "content_block_delta")
    assert text == whole.json["content"][0]["text"]
    end = next(chunk for chunk in page.chunks if chunk["type"] == "message_delta")
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert page.charged(cost(whole.json["usage"]))


@pytest.mark.parametrize(
    "source",
    [{"type": "base64", "media_type": "image/png", "data": PIXEL}, {"type": "url", "url": "https://example.com/a.png"}],
    ids=["base64", "url"],
)
def test_image(caller: Caller, source: Json) -> None:
    said = [{"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]}]
    page = messages(caller, "claude-sonnet-4-20250514", said, max_tokens=1_024)
    assert is_message(page.json, model="claude-sonnet-4-20250514")
    assert page.up["messages"] == said
    assert page.charged(cost(page.json["usage"]))


TOOL = {"name": "get_weather", "description": "Get the current weather", "input_schema": WEATHER_SCHEMA}
ASKED: list[Json] = [{"role": "user", "content": "What is the weather in San Francisco? Use get_weather."}]


def test_function_call(caller: Caller) -> None:
    more = {"max_tokens": 1_024, "tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    page = messages(caller, "claude-sonnet-4-20250514", ASKED, **more)
    assert is_message(page.json, model="claude-sonnet-4-20250514", reason="tool_use")
    use = page.json["content"][-1]
    assert (use["type"], use["name"]) == ("tool_use", "get_weather")
    assert use["id"].startswith("toolu_")
    assert use["input"]["location"]
    assert {name: page.up[name] for name in more} == more
    assert page.charged(cost(page.json["usage"]))
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "15 degrees", "is_error": False}
    turns = [*ASKED, {"role": "assistant", "content": page.json["content"]}, {"role": "user", "content": [result]}]
    answered = messages(caller, "claude-sonnet-4-20250514", turns, **more)
    assert is_message(answered.json, model="claude-sonnet-4-20250514")
    assert "15 degrees" in answered.json["content"][0]["text"]
    assert answered.up["messages"] == turns


def test_web_search(caller: Caller) -> None:
    place = {"type": "approximate", "city": "New York", "region": "NY", "country": "US", "timezone": "America/New_York"}
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5, "user_location": place}
    said = [{"role": "user", "content": "How is the weather in NYC? Use web_search."}]
    page = messages(caller, "claude-sonnet-4-20250514", said, max_tokens=1_024, tools=[tool])
    assert is_message(page.json, model="claude-sonnet-4-20250514")
    blocks = {block["type"]: block for block in page.json["content"]}
    assert {"server_tool_use", "web_search_tool_result", "text"} <= set(blocks)
    use, found = blocks["server_tool_use"], blocks["web_search_tool_result"]
    assert use["id"].startswith("srvtoolu_")
    assert use["id"] == found["tool_use_id"]
    assert use["input"]["query"]
    assert {"type", "url", "title", "encrypted_content", "page_age"} <= set(found["content"][0])
    cited = [each for block in page.json["content"] for each in block.get("citations") or ()]
    assert cited[0]["type"] == "web_search_result_location"
    assert {"url", "title", "encrypted_index", "cited_text"} <= set(cited[0])
    assert page.json["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert page.up["tools"] == [tool]


@pytest.mark.parametrize("more", [{"system": "Be brief."}, {}], ids=["system", "plain"])
def test_openai_format_non_streaming(caller: Caller, more: Json) -> None:
    system = [{"role": "system", "content": more["system"]}] if more else []
    page = caller.chat("claude-3-5-sonnet-20241022", [*system, *HELLO], temperature=0.5, stream=False)
    assert is_chat(page.json, model="claude-3-5-sonnet-20241022")
    assert page.json["id"].startswith("chatcmpl-")
    assert "Hello, world" in page.json["choices"][0]["message"]["content"]
    assert page.path == "/anthropic/v1/messages"
    assert page.up["max_tokens"] > 0
    assert page.up["temperature"] == 0.5
    assert page.up.get("system") == ([{"type": "text", "text": more["system"]}] if more else None)
    usage = page.json["usage"]
    assert page.charged(usage["prompt_tokens"] * 3_000 + usage["completion_tokens"] * 15_000)


def test_openai_format_streaming(caller: Caller) -> None:
    page = caller.chat("claude-3-5-sonnet-20241022", HELLO, stream=True, stream_options={"include_usage": True})
    assert "Hello, world" in is_chat_stream(page, model="claude-3-5-sonnet-20241022", usage=True)
    usage = page.chunks[-1]["usage"]
    assert page.up["stream"] is True
    assert page.charged(usage["prompt_tokens"] * 3_000 + usage["completion_tokens"] * 15_000)


@pytest.mark.parametrize("stream", [False, True])
def test_openai_format_image(caller: Caller, stream: bool) -> None:
    images = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    said = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *images]}]
    page = caller.chat("claude-3-5-sonnet-20241022", said, stream=stream)
    if stream:
        assert "What is it?" in is_chat_stream(page, model="claude-3-5-sonnet-20241022")
    else:
        assert is_chat(page.json, model="claude-3-5-sonnet-20241022")
    inline = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    sources = [block["source"] for block in page.up["messages"][0]["content"] if block["type"] == "image"]
    assert sources == [inline, {"type": "url", "url": "https://example.com/a.png"}]


@pytest.mark.parametrize("limit", [None, 100, 4_096])
def test_the_suffix_thinking_makes_the_model_think(caller: Caller, limit: int | None) -> None:
    """Four fifths of the limit, which is at least 1,280, at temperature 1."""
    model = "claude-3-7-sonnet-20250219-thinking"
    more = {} if limit is None else {"max_tokens": limit}
    page = caller.chat(model, HELLO, temperature=0.2, **more)
    assert is_chat(page.json, model=model)
    assert page.json["choices"][0]["message"]["reasoning_content"]
    assert page.up["model"] == "claude-3-7-sonnet-20250219"
    assert page.up["max_tokens"] >= max(limit or 0, 1_280)
    assert page.up["thinking"] == {"type": "enabled", "budget_tokens": page.up["max_tokens"] * 4 // 5}
    assert page.up.get("temperature", 1) == 1
    if limit is not None:
        thought = messages(caller, model, HELLO, max_tokens=limit)
        assert [block["type"] for block in thought.json["content"]] == ["thinking", "text"]
        assert thought.json["content"][0]["signature"]
        assert thought.up["thinking"] == page.up["thinking"]


@pytest.mark.parametrize("model", ["gpt-4o", "gemini-2.5-flash", "deepseek-chat"])
def test_any_model_answers_in_claudes_format(caller: Caller, model: str) -> None:
    page = messages(caller, model, HELLO, max_tokens=1_024)
    assert is_message(page.json, model=model)
    assert "Hello, world" in page.json["content"][-1]["text"]


@pytest.mark.parametrize("alias", ["claude-sonnet-4-0", "claude-sonnet-4-5-20250929", "claude-opus-4-5-20251101"])
def test_aliases_are_models(caller: Caller, alias: str) -> None:
    page = messages(caller, alias, HELLO, max_tokens=50)
    assert page.up["model"] == alias
    assert page.json["model"].startswith(alias.removesuffix("-0"))
    assert page.row["quota"] > 0
