"""The pages about ChatGPT: each call as its page shows it, with its optional fields (contract 7.4 and 6.4)."""

import base64
import io
import json
import wave
from typing import Any

import pytest

from tests.e2e.pages import PIXEL, WEATHER_SCHEMA, Caller, Json, is_chat, is_chat_stream, price

GPT_4O = (2_500, 10_000)  # nano-dollars per token in and out
MINI = (150, 600)
SYSTEM: Json = {"role": "system", "content": "You are a helpful assistant."}
HELLO = [SYSTEM, {"role": "user", "content": "Hello!"}]
ADDRESS = "https://github.com/dianping/cat/raw/master/cat-home/src/main/webapp/images/logo/cat_logo03.png"
WEATHER: Json = {
    "name": "get_current_weather",
    "description": "Get the current weather in a given location",
    "parameters": WEATHER_SCHEMA,
}
ASKED = [{"role": "user", "content": "What is the weather like in Boston? Use get_current_weather."}]


def looking(url: str, **more: Any) -> list[Json]:
    image = {"type": "image_url", "image_url": {"url": url, **more}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]


def test_create_chat_completion_non_streaming(caller: Caller) -> None:
    more = {
        "temperature": 0, "top_p": 1, "n": 1, "stream": False, "stop": ["\n\n\n"], "max_tokens": 100,
        "presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {"50256": -100}, "user": "user-1234", "seed": 7,
        "response_format": {"type": "text"},
    }  # fmt: skip
    page = caller.chat("gpt-4o-mini", HELLO, **more)
    assert is_chat(page.json, model="gpt-4o-mini")
    assert "Hello!" in page.json["choices"][0]["message"]["content"]
    assert page.up == {"model": "gpt-4o-mini", "messages": HELLO, **more}
    assert page.charged(price(page.json["usage"], *MINI))


@pytest.mark.parametrize("usage", [False, True])
def test_create_chat_completion_streaming(caller: Caller, usage: bool) -> None:
    options: Json = {"stream_options": {"include_usage": True}} if usage else {}
    page = caller.chat("gpt-4o-mini", HELLO, stream=True, **options)
    whole = caller.chat("gpt-4o-mini", HELLO)
    text = is_chat_stream(page, model="gpt-4o-mini", usage=usage)
    assert text == whole.json["choices"][0]["message"]["content"]
    assert page.up == {
        "model": "gpt-4o-mini", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    assert page.charged(price(whole.json["usage"], *MINI))
    assert page.row["is_stream"] is True


def test_chat_completion_object(caller: Caller) -> None:
    page = caller.chat("gpt-3.5-turbo", HELLO)
    answer = page.json
    assert is_chat(answer, model="gpt-3.5-turbo")
    assert answer["id"].startswith("chatcmpl-")
    assert answer["system_fingerprint"].startswith("fp_")
    assert set(answer) >= {"id", "object", "created", "model", "system_fingerprint", "choices", "usage"}
    assert set(answer["choices"][0]) >= {"index", "message", "finish_reason"}
    assert page.charged(price(answer["usage"], 500, 1_500))


def test_image_recognition_streaming(caller: Caller) -> None:
    messages = looking(ADDRESS, detail="high")
    page = caller.chat("gpt-4o", messages, stream=True, max_tokens=400, stream_options={"include_usage": True})
    assert "What is this?" in is_chat_stream(page, model="gpt-4o", usage=True)
    assert page.up["messages"] == messages
    assert page.charged(price(page.chunks[-1]["usage"], *GPT_4O))


@pytest.mark.parametrize("detail", ["low", "high", "auto"])
def test_image_recognition_non_streaming(caller: Caller, detail: str) -> None:
    messages = looking(ADDRESS, detail=detail)
    page = caller.chat("gpt-4o", messages, stream=False, max_tokens=400)
    assert is_chat(page.json, model="gpt-4o")
    assert page.up["messages"] == messages
    assert page.charged(price(page.json["usage"], *GPT_4O))


@pytest.mark.parametrize("stream", [True, False])
def test_image_recognition_base64(caller: Caller, stream: bool) -> None:
    messages = looking(f"data:image/png;base64,{PIXEL}")
    asks: Json = {"stream_options": {"include_usage": True}} if stream else {}
    page = caller.chat("gpt-4o", messages, stream=stream, max_tokens=400, **asks)
    if stream:
        assert "What is this?" in is_chat_stream(page, model="gpt-4o", usage=True)
    else:
        assert is_chat(page.json, model="gpt-4o")
    assert page.up["messages"] == messages
    usage = page.chunks[-1]["usage"] if stream else page.json["usage"]
    assert usage["prompt_tokens"] > 85  # the least that a picture comes to
    assert page.charged(price(usage, *GPT_4O))


@pytest.mark.parametrize("stream", [False, True])
def test_function_calling(caller: Caller, stream: bool) -> None:
    tools = [{"type": "function", "function": WEATHER}]
    choice = {"type": "function", "function": {"name": "get_current_weather"}}
    page = caller.chat("gpt-4o", ASKED, tools=tools, tool_choice="auto", stream=stream, parallel_tool_calls=False)
    assert (page.up["tools"], page.up["tool_choice"]) == (tools, "auto")
    whole = page if not stream else caller.chat("gpt-4o", ASKED, tools=tools, tool_choice="auto")
    assert is_chat(whole.json, model="gpt-4o", reasons=("tool_calls",))
    message = whole.json["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert message["content"] is None
    assert (call["type"], call["function"]["name"]) == ("function", "get_current_weather")
    assert call["id"].startswith("call_")
    assert json.loads(call["function"]["arguments"])["location"]
    if stream:
        is_chat_stream(page, model="gpt-4o", reason="tool_calls")
        pieces = [piece for chunk in page.chunks for piece in chunk["choices"][0]["delta"].get("tool_calls") or ()]
        assert {piece["index"] for piece in pieces} == {0}
        assert "".join(piece["function"]["arguments"] for piece in pieces) == call["function"]["arguments"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"temperature": "22"}'}
    answered = caller.chat("gpt-4o", [*ASKED, message, result], tools=tools)
    assert is_chat(answered.json, model="gpt-4o")
    assert answered.up["messages"][-1] == result
    assert caller.chat("gpt-4o", ASKED, tools=tools, tool_choice=choice).up["tool_choice"] == choice
    assert whole.charged(price(whole.json["usage"], *GPT_4O))


@pytest.mark.parametrize(("call", "reason"), [("auto", "function_call"), ({"name": "get_current_weather"}, "stop")])
def test_create_chat_function_call_in_its_first_shape(caller: Caller, call: object, reason: str) -> None:
    """`functions` of 2023. A call that was forced ends with `stop`, as OpenAI's do."""
    page = caller.chat("gpt-4o", ASKED, functions=[WEATHER], function_call=call, stream=False)
    assert is_chat(page.json, model="gpt-4o", reasons=(reason,))
    message = page.json["choices"][0]["message"]
    assert message["content"] is None
    assert message["function_call"]["name"] == "get_current_weather"
    assert json.loads(message["function_call"]["arguments"])["location"]
    assert "tool_calls" not in message
    assert (page.up["functions"], page.up["function_call"]) == ([WEATHER], call)
    assert page.charged(price(page.json["usage"], *GPT_4O))
    result = {"role": "function", "name": "get_current_weather", "content": '{"temperature": "22"}'}
    assert is_chat(caller.chat("gpt-4o", [*ASKED, message, result], functions=[WEATHER]).json, model="gpt-4o")


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "gemini-2.5-flash"])
def test_functions_of_the_first_shape_work_with_any_model(caller: Caller, model: str) -> None:
    page = caller.chat(model, ASKED, functions=[WEATHER], function_call="auto", max_tokens=500)
    assert is_chat(page.json, model=model, reasons=("function_call",))
    message = page.json["choices"][0]["message"]
    assert message["function_call"]["name"] == "get_current_weather"
    result = {"role": "function", "name": "get_current_weather", "content": '{"temperature": "22"}'}
    answered = caller.chat(model, [*ASKED, message, result], functions=[WEATHER], max_tokens=500)
    assert is_chat(answered.json, model=model)


def test_n_choices(caller: Caller) -> None:
    page = caller.chat("gpt-4o", HELLO, n=3, temperature=1)
    assert is_chat(page.json, model="gpt-4o", reasons=("stop",) * 3)
    assert page.up["n"] == 3
    one = caller.chat("gpt-4o", HELLO)
    assert page.json["usage"]["prompt_tokens"] == one.json["usage"]["prompt_tokens"]
    assert page.json["usage"]["completion_tokens"] > 2 * one.json["usage"]["completion_tokens"]
    assert page.charged(price(page.json["usage"], *GPT_4O))


def test_structured_output(caller: Caller) -> None:
    step = {
        "type": "object", "properties": {"explanation": {"type": "string"}, "output": {"type": "string"}},
        "required": ["explanation", "output"], "additionalProperties": False,
    }  # fmt: skip
    schema = {
        "type": "object", "properties": {"steps": {"type": "array", "items": step}, "final_answer": {"type": "string"}},
        "required": ["steps", "final_answer"], "additionalProperties": False,
    }  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "math_reasoning", "strict": True, "schema": schema}}
    messages = [
        {"role": "system", "content": "You are a helpful math tutor."},
        {"role": "user", "content": "solve 8x + 31 = 2"},
    ]
    page = caller.chat("gpt-4o-2024-08-06", messages, response_format=form)
    assert is_chat(page.json, model="gpt-4o-2024-08-06")
    message = page.json["choices"][0]["message"]
    assert message["refusal"] is None
    told = json.loads(message["content"])
    assert set(told) == {"steps", "final_answer"}
    assert all(set(each) == {"explanation", "output"} for each in told["steps"])
    assert page.up["response_format"] == form
    assert page.charged(price(page.json["usage"], *GPT_4O))
    declined = caller.chat("gpt-4o+refuse", messages, response_format=form)
    assert declined.json["choices"][0]["message"]["refusal"]


def sound(seconds: float = 0.1) -> str:
    """Silence, as a WAV file in base64."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\0" * int(16_000 * seconds))
    return base64.b64encode(held.getvalue()).decode()


def test_gpt_4o_audio_hears_and_speaks(caller: Caller) -> None:
    data = sound(0.5)
    parts = [
        {"type": "text", "text": "What is in this recording?"},
        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
    ]
    asked = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    page = caller.chat("gpt-4o-audio-preview", [{"role": "user", "content": parts}], max_tokens=2_000, **asked)
    answer = page.json
    assert is_chat(answer, model="gpt-4o-audio-preview")
    message = answer["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, None)
    audio = message["audio"]
    assert audio["id"].startswith("audio_")
    assert audio["transcript"]
    assert isinstance(audio["expires_at"], int)
    with wave.open(io.BytesIO(base64.b64decode(audio["data"], validate=True))) as spoken:
        assert spoken.getnframes() > 0
    assert page.up["messages"][0]["content"] == parts
    assert {name: page.up[name] for name in asked} == asked
    usage = answer["usage"]
    heard = usage["prompt_tokens_details"]["audio_tokens"]
    said = usage["completion_tokens_details"]["audio_tokens"]
    assert heard > 0
    assert said > 0
    words_in, words_out = usage["prompt_tokens"] - heard, usage["completion_tokens"] - said
    assert page.charged(words_in * 2_500 + heard * 40_000 + words_out * 10_000 + said * 80_000)
    turn = {"role": "assistant", "audio": {"id": audio["id"]}}
    more = [{"role": "user", "content": parts}, turn, {"role": "user", "content": "And again?"}]
    assert caller.chat("gpt-4o-audio-preview", more, max_tokens=2_000, **asked).up["messages"][1] == turn
