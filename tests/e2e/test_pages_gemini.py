"""The pages about Gemini: five in OpenAI's format, and Google's own (contract 10)."""

import base64
import json
from typing import Any

import pytest

from tests.e2e.pages import PIXEL, Caller, Json, is_chat, is_chat_stream, price

FLASH = (300, 2_500)  # nano-dollars per token in and out
HELLO = [{"role": "user", "content": "Hello!"}]
AI = [{"parts": [{"text": "How does AI work?"}]}]
PICTURE = "![image](data:image/png;base64,"


def reserved(name: str) -> list[Json]:
    return [{"type": "function", "function": {"name": name}}]


def parts_of(answer: Json) -> list[Json]:
    return answer["candidates"][0]["content"]["parts"]


def is_answer(answer: Json, *, model: str) -> bool:
    """Whether this is a GenerateContentResponse, field by field."""
    (candidate,) = answer["candidates"]
    assert (candidate["content"]["role"], candidate["finishReason"], candidate["index"]) == ("model", "STOP", 0)
    usage = answer["usageMetadata"]
    counted = usage["promptTokenCount"] + usage["candidatesTokenCount"]
    thought = usage.get("thoughtsTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    assert usage["totalTokenCount"] == counted + thought
    assert answer["modelVersion"] == model
    assert answer["responseId"]
    return True


def cost(answer: Json, inward: int, outward: int) -> int:
    usage = answer["usageMetadata"]
    prompt = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    return prompt * inward + (usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0)) * outward


@pytest.mark.parametrize(
    "model", ["gemini-2.0-flash-exp-image-generation", "gemini-2.5-flash-image-preview", "gemini-2.5-flash-image"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_openai_format_image_creation(caller: Caller, model: str, stream: bool) -> None:
    """The picture comes inline, as Markdown whose target is a data URL."""
    said = [{"role": "user", "content": [{"type": "text", "text": "Draw a small cat."}]}]
    options: Json = {"stream_options": {"include_usage": True}} if stream else {}
    page = caller.chat(model, said, max_tokens=4_096, temperature=0.7, stream=stream, **options)
    if stream:
        text, usage = is_chat_stream(page, model=model, usage=True), page.chunks[-1]["usage"]
    else:
        assert is_chat(page.json, model=model)
        assert page.json["id"].startswith("chatcmpl-")
        text, usage = page.json["choices"][0]["message"]["content"], page.json["usage"]
    before, mark, target = text.partition(PICTURE)
    assert "Draw a small cat." in before
    assert mark
    assert base64.b64decode(target.rstrip().removesuffix(")"), validate=True).startswith(b"\x89PNG")
    assert usage["completion_tokens"] > 1_200
    assert page.up["contents"] == [{"role": "user", "parts": [{"text": "Draw a small cat."}]}]
    assert page.up["generationConfig"] == {"maxOutputTokens": 4_096, "temperature": 0.7}


@pytest.mark.parametrize("model", ["gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite"])
@pytest.mark.parametrize("stream", [False, True])
def test_openai_format_chat(caller: Caller, model: str, stream: bool) -> None:
    said = [{"role": "system", "content": "Be brief."}, *HELLO]
    page = caller.chat(model, said, temperature=0, stream=stream)
    if stream:
        assert "Hello!" in is_chat_stream(page, model=model)
    else:
        assert is_chat(page.json, model=model)
    assert page.up["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert page.up["generationConfig"]["temperature"] == 0
    assert page.row["quota"] > 0


@pytest.mark.parametrize("url", [f"data:image/png;base64,{PIXEL}", "https://example.com/a.png"], ids=["base64", "url"])
def test_openai_format_image_recognition(caller: Caller, url: str) -> None:
    image = {"type": "image_url", "image_url": {"url": url}}
    said = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]
    page = caller.chat("gemini-2.5-flash", said)
    assert is_chat(page.json, model="gemini-2.5-flash")
    assert "What is this?" in page.json["choices"][0]["message"]["content"]
    seen = page.up["contents"][0]["parts"][1]
    assert PIXEL in json.dumps(seen) if url.startswith("data:") else seen["fileData"]["fileUri"] == url
    assert page.charged(price(page.json["usage"], *FLASH))


@pytest.mark.parametrize("stream", [False, True])
def test_openai_format_google_search(caller: Caller, stream: bool) -> None:
    page = caller.chat("gemini-2.5-flash", HELLO, tools=reserved("googleSearch"), stream=stream)
    if stream:
        assert "Hello!" in is_chat_stream(page, model="gemini-2.5-flash")
    else:
        assert is_chat(page.json, model="gemini-2.5-flash")
        assert "tool_calls" not in page.json["choices"][0]["message"]
    assert page.up["tools"] == [{"googleSearch": {}}]


@pytest.mark.parametrize("stream", [False, True])
def test_openai_format_code_execution(caller: Caller, stream: bool) -> None:
    """The code in a block labelled with its language, its output in another, then the text."""
    page = caller.chat("gemini-2.5-flash", HELLO, tools=reserved("codeExecution"), stream=stream)
    text = is_chat_stream(page, model="gemini-2.5-flash") if stream else page.json["choices"][0]["message"]["content"]
    code, output, rest = text.index("```python\n"), text.index("```output\n"), text.index("Hello!\n\nI am")
    assert code < output < rest
    assert page.up["tools"] == [{"codeExecution": {}}]


def test_openai_format_url_context(caller: Caller) -> None:
    said = [{"role": "user", "content": "Summarise https://example.com/a"}]
    page = caller.chat("gemini-2.5-flash", said, tools=reserved("urlContext"))
    assert is_chat(page.json, model="gemini-2.5-flash")
    assert page.up["tools"] == [{"urlContext": {}}]
    assert page.charged(price(page.json["usage"], *FLASH))


@pytest.mark.parametrize("carrier", ["x-goog-api-key", "key", "authorization"])
def test_text_generation(caller: Caller, carrier: str) -> None:
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    headers = {
        "x-goog-api-key": {"x-goog-api-key": caller.key},
        "authorization": {"Authorization": f"Bearer {caller.key}"},
    }.get(carrier, {})
    body = {
        "contents": [{"role": "user", "parts": [{"text": "Hello there"}]}],
        "systemInstruction": {"parts": [{"text": "You are a cat. Your name is Neko."}]},
        "generationConfig": {
            "temperature": 1.0, "topP": 0.8, "topK": 10, "maxOutputTokens": 800, "stopSequences": ["Title"],
            "candidateCount": 1, "seed": 5,
        },
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}],
    }  # fmt: skip
    page = caller.call(path + (f"?key={caller.key}" if carrier == "key" else ""), body, headers)
    assert is_answer(page.json, model="gemini-2.5-flash")
    assert "Hello there" in parts_of(page.json)[0]["text"]
    assert page.up == body
    assert page.charged(cost(page.json, *FLASH))


@pytest.mark.parametrize("query", ["?alt=sse", ""])
def test_text_generation_that_is_streamed(caller: Caller, query: str) -> None:
    """Server-sent events without an end mark, or one JSON array."""
    page = caller.google("gemini-2.5-flash", "streamGenerateContent" + query, contents=AI)
    whole = caller.google("gemini-2.5-flash", "generateContent", contents=AI)
    chunks = page.chunks if query else json.loads(page.answer.text)
    assert "[DONE]" not in page.answer.text
    assert page.answer.headers["content-type"].startswith("text/event-stream" if query else "application/json")
    text = "".join(part["text"] for chunk in chunks for part in parts_of(chunk) if not part.get("thought"))
    assert text == "".join(part["text"] for part in parts_of(whole.json))
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert page.charged(cost(chunks[-1], *FLASH))


@pytest.mark.parametrize("budget", [0, 1_024])
def test_thinking(caller: Caller, budget: int) -> None:
    config = {"thinkingConfig": {"thinkingBudget": budget, "includeThoughts": True}}
    page = caller.google("gemini-2.5-flash", "generateContent", contents=AI, generationConfig=config)
    assert is_answer(page.json, model="gemini-2.5-flash")
    assert any(part.get("thought") for part in parts_of(page.json)) is bool(budget)
    assert bool(page.json["usageMetadata"].get("thoughtsTokenCount")) is bool(budget)
    assert page.up["generationConfig"] == config
    assert page.charged(cost(page.json, *FLASH))


def test_structured_output(caller: Caller) -> None:
    recipe = {
        "type": "OBJECT",
        "properties": {
            "recipeName": {"type": "STRING"},
            "ingredients": {"type": "ARRAY", "items": {"type": "STRING"}},
        },
        "propertyOrdering": ["recipeName", "ingredients"],
    }
    config = {"responseMimeType": "application/json", "responseSchema": {"type": "ARRAY", "items": recipe}}
    page = caller.google("gemini-2.5-flash", "generateContent", contents=AI, generationConfig=config)
    assert is_answer(page.json, model="gemini-2.5-flash")
    told = json.loads(parts_of(page.json)[0]["text"])
    assert isinstance(told, list)
    assert page.up["generationConfig"] == config
    assert page.charged(cost(page.json, *FLASH))


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-pro-preview"])
def test_function_calling(caller: Caller, model: str) -> None:
    schema = {
        "type": "object",
        "properties": {"attendees": {"type": "array", "items": {"type": "string"}}, "topic": {"type": "string"}},
        "required": ["attendees", "topic"],
    }
    declared = {"name": "schedule_meeting", "description": "Schedules a meeting", "parameters": schema}
    asked: Json = {"role": "user", "parts": [{"text": "Schedule a meeting: schedule_meeting"}]}
    more: dict[str, Any] = {
        "tools": [{"functionDeclarations": [declared]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["schedule_meeting"]}},
    }
    page = caller.google(model, "generateContent", contents=[asked], **more)
    assert is_answer(page.json, model=model)
    (call,) = [part["functionCall"] for part in parts_of(page.json) if "functionCall" in part]
    assert call["name"] == "schedule_meeting"
    assert set(call["args"]) == {"attendees", "topic"}
    assert page.up == {"contents": [asked], **more}
    response = {"functionResponse": {"name": "schedule_meeting", "response": {"result": "Done"}}}
    turns = [asked, page.json["candidates"][0]["content"], {"role": "user", "parts": [response]}]
    answered = caller.google(model, "generateContent", contents=turns, tools=more["tools"])
    assert is_answer(answered.json, model=model)
    assert answered.up["contents"] == turns


@pytest.mark.parametrize("name", ["google_search", "googleSearch"])
def test_grounding_with_google_search(caller: Caller, name: str) -> None:
    page = caller.google("gemini-2.5-flash", "generateContent", contents=AI, tools=[{name: {}}])
    assert is_answer(page.json, model="gemini-2.5-flash")
    grounding = page.json["candidates"][0]["groundingMetadata"]
    assert grounding["webSearchQueries"]
    assert grounding["groundingChunks"][0]["web"]["uri"]
    assert grounding["groundingSupports"][0]["segment"]["text"]
    assert page.up["tools"] == [{name: {}}]


def test_url_context(caller: Caller) -> None:
    contents = [{"parts": [{"text": "Compare https://example.com/a and https://example.com/b"}]}]
    page = caller.google("gemini-2.5-flash", "generateContent", contents=contents, tools=[{"url_context": {}}])
    assert is_answer(page.json, model="gemini-2.5-flash")
    read = page.json["candidates"][0]["urlContextMetadata"]["urlMetadata"]
    assert [each["retrievedUrl"] for each in read] == ["https://example.com/a", "https://example.com/b"]
    assert page.json["usageMetadata"]["toolUsePromptTokenCount"] > 0
    assert page.charged(cost(page.json, *FLASH))


def test_speech(caller: Caller) -> None:
    config = {
        "responseModalities": ["AUDIO"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    }
    contents = [{"parts": [{"text": "Say cheerfully: Have a wonderful day!"}]}]
    model = "gemini-2.5-flash-preview-tts"
    page = caller.google(model, "generateContent", contents=contents, generationConfig=config)
    assert is_answer(page.json, model=model)
    blob = parts_of(page.json)[0]["inlineData"]
    assert blob["mimeType"] == "audio/L16;codec=pcm;rate=24000"
    sound = base64.b64decode(blob["data"], validate=True)
    assert len(sound) > 0
    assert len(sound) % 2 == 0
    assert page.up["generationConfig"] == config
    assert page.charged(cost(page.json, 500, 10_000))


@pytest.mark.parametrize("batch", [False, True])
def test_embedding(caller: Caller, batch: bool) -> None:
    model = "gemini-embedding-001"
    one = {
        "model": f"models/{model}", "content": {"parts": [{"text": "What is the meaning of life?"}]},
        "taskType": "SEMANTIC_SIMILARITY", "outputDimensionality": 768,
    }  # fmt: skip
    if batch:
        page = caller.google(model, "batchEmbedContents", requests=[one, one])
        found = page.json["embeddings"]
        assert page.up == {"requests": [one, one]}
    else:
        page = caller.google(model, "embedContent", **one)
        found = [page.json["embedding"]]
        assert page.up == one
    assert [len(each["values"]) for each in found] == [768] * (2 if batch else 1)
    assert page.path.endswith("batchEmbedContents" if batch else "embedContent")
    assert page.row["prompt_tokens"] > 0
