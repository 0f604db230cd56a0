"""What the fake Gemini answers: words, thoughts, calls, Google's tools, pictures, speech, vectors, counts."""

import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.grammars import gemini as grammar

Generate = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]
SHAPE = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
WEATHER = {"functionDeclarations": [{"name": "weather", "parameters": SHAPE}]}
BOTH = {"functionDeclarations": [{"name": "weather", "parameters": SHAPE}, {"name": "clock"}]}


def first(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return answer.json()["candidates"][0]


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "parts": [{"text": text}]}]


def test_an_answer_says_what_was_said(generate: Generate, marker: str) -> None:
    answer = generate().json()
    assert answer["candidates"][0]["content"]["parts"][0]["text"].startswith(f"You said: {marker}")
    assert (answer["candidates"][0]["finishReason"], answer["modelVersion"]) == ("STOP", "gemini-2.5-flash")
    usage = answer["usageMetadata"]
    counts = usage["promptTokenCount"], usage["candidatesTokenCount"], usage["thoughtsTokenCount"]
    assert usage["totalTokenCount"] == sum(counts)
    assert generate().json() == answer


def test_a_stream_says_the_same_as_a_whole_answer(generate: Generate) -> None:
    whole = generate(generationConfig={"thinkingConfig": {"includeThoughts": True}}).json()
    config = {"thinkingConfig": {"includeThoughts": True}}
    streamed = generate(method="streamGenerateContent?alt=sse", generationConfig=config)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.content.endswith(b"\r\n\r\n")
    listed = generate(method="streamGenerateContent", generationConfig=config)
    assert listed.headers["content-type"] == "application/json"
    for chunks in (grammar.events(streamed.content), grammar.array(listed.content)):
        grammar.check(chunks)
        assert grammar.parts(chunks) == whole["candidates"][0]["content"]["parts"]
        assert chunks[-1]["usageMetadata"] == whole["usageMetadata"]
        assert all("usageMetadata" in chunk for chunk in chunks)


def test_thoughts_are_shown_only_if_asked_for_and_counted_always(generate: Generate) -> None:
    shown = generate(generationConfig={"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 20}}).json()
    assert [part.get("thought", False) for part in shown["candidates"][0]["content"]["parts"]] == [True, False]
    assert shown["usageMetadata"]["thoughtsTokenCount"] == 20
    off = generate(generationConfig={"thinkingConfig": {"thinkingBudget": 0}}).json()
    assert "thoughtsTokenCount" not in off["usageMetadata"]
    deep = generate("gemini-3-pro-preview", generationConfig={"thinkingConfig": {"thinkingLevel": "LOW"}}).json()
    assert deep["usageMetadata"]["thoughtsTokenCount"] == 16


def test_snake_case_is_read_as_camel_case(generate: Generate) -> None:
    one = generate(generationConfig={"maxOutputTokens": 70}, systemInstruction={"parts": [{"text": "x"}]}).json()
    two = generate(generation_config={"max_output_tokens": "70"}, system_instruction={"parts": {"text": "x"}}).json()
    assert one == two
    assert (one["candidates"][0]["finishReason"], one["usageMetadata"]["candidatesTokenCount"]) == ("MAX_TOKENS", 6)


def test_thoughts_may_eat_the_whole_budget(generate: Generate) -> None:
    answer = generate(generationConfig={"maxOutputTokens": 10}).json()
    assert answer["candidates"][0] == {"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}
    assert answer["usageMetadata"]["thoughtsTokenCount"] == 10


def test_stop_sequences_cut_the_answer(generate: Generate, marker: str) -> None:
    config = {"stopSequences": ["\n"]}
    assert first(generate(generationConfig=config))["content"]["parts"] == [{"text": f"You said: {marker}"}]


def test_a_named_tool_is_called_and_its_answer_read(generate: Generate, marker: str) -> None:
    asked = user(f"weather {marker}")
    content = first(generate(contents=asked, tools=[WEATHER]))["content"]
    call = content["parts"][0]["functionCall"]
    assert call == {"name": "weather", "args": {"city": f"weather {marker}"}}
    reply = {"functionResponse": {"name": "weather", "response": {"degrees": 21}}}
    turns = [*asked, content, {"role": "user", "parts": [reply]}]
    text = first(generate(contents=turns, tools=[WEATHER]))["content"]["parts"][0]["text"]
    assert text.startswith('The tool weather answered: {"degrees":21}')


def test_calls_are_parallel_and_never_split(generate: Generate, marker: str) -> None:
    asked = user(f"weather clock {marker}")
    chunks = grammar.events(generate(method="streamGenerateContent?alt=sse", contents=asked, tools=[BOTH]).content)
    grammar.check(chunks)
    assert [part["functionCall"]["name"] for part in grammar.parts(chunks)] == ["weather", "clock"]
    assert grammar.parts(chunks) == first(generate(contents=asked, tools=[BOTH]))["content"]["parts"]


@pytest.mark.parametrize(
    ("config", "called"),
    [
        ({"mode": "AUTO"}, []),
        ({"mode": "ANY"}, ["weather"]),
        ({"mode": "any", "allowedFunctionNames": ["clock"]}, ["clock"]),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["clock"]}, []),
        ({"mode": "NONE"}, []),
    ],
)
def test_the_mode_decides_whether_a_tool_is_called(
    generate: Generate, config: dict[str, Any], called: list[str]
) -> None:
    parts = first(generate(tools=[BOTH], toolConfig={"functionCallingConfig": config}))["content"]["parts"]
    assert [part["functionCall"]["name"] for part in parts if "functionCall" in part] == called


def test_mode_none_calls_nothing_that_is_named(generate: Generate) -> None:
    config = {"functionCallingConfig": {"mode": "NONE"}}
    parts = first(generate(contents=user("weather"), tools=[BOTH], toolConfig=config))["content"]["parts"]
    assert "text" in parts[0]


def test_json_schemas_stand_beside_googles_own(generate: Generate, marker: str) -> None:
    shape = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False, "$schema": "x"}
    tools = [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": shape}]}]
    part = first(generate(contents=user(f"look {marker}"), tools=tools))["content"]["parts"][0]
    assert part["functionCall"]["args"] == {"a": f"look {marker}"}


def test_structured_output_fits_its_schema(generate: Generate, marker: str) -> None:
    config = {"responseMimeType": "application/json", "responseSchema": SHAPE}
    assert json.loads(first(generate(generationConfig=config))["content"]["parts"][0]["text"]) == {"city": marker}
    other = {"responseMimeType": "application/json", "responseJsonSchema": {"type": "array", "items": {"type": "null"}}}
    assert json.loads(first(generate(generationConfig=other))["content"]["parts"][0]["text"]) == [None]
    plain = first(generate(generationConfig={"responseMimeType": "application/json"}))
    assert json.loads(plain["content"]["parts"][0]["text"])["you_said"] == marker
    word = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "string", "enum": ["red", "blue"]}}
    assert first(generate(generationConfig=word))["content"]["parts"][0]["text"] == "red"


def test_a_search_leaves_its_sources(generate: Generate, marker: str) -> None:
    found = first(generate(tools=[{"googleSearch": {}}]))
    grounding = found["groundingMetadata"]
    assert grounding["webSearchQueries"] == [marker]
    segment = grounding["groundingSupports"][0]["segment"]
    text = found["content"]["parts"][0]["text"].encode()
    assert text[: segment["endIndex"]].decode() == segment["text"] == f"You said: {marker}"
    assert "uri" in grounding["groundingChunks"][0]["web"]
    chunks = grammar.events(generate(method="streamGenerateContent?alt=sse", tools=[{"google_search": {}}]).content)
    grammar.check(chunks)
    assert ["groundingMetadata" in chunk["candidates"][0] for chunk in chunks].count(True) == 1


def test_code_is_shown_with_its_true_output(generate: Generate, marker: str) -> None:
    parts = first(generate(tools=[{"codeExecution": {}}]))["content"]["parts"]
    code = parts[0]["executableCode"]
    assert code["code"] == f"text = {marker!r}\nprint(len(text))\n"
    assert parts[1]["codeExecutionResult"] == {"outcome": "OUTCOME_OK", "output": f"{len(marker)}\n"}
    assert parts[2]["text"].startswith("You said")


def test_pages_that_were_read_are_listed_and_counted(generate: Generate) -> None:
    asked = user("Read https://a.example/x and https://b.example/y.")
    answer = generate(contents=asked, tools=[{"urlContext": {}}]).json()
    rows = answer["candidates"][0]["urlContextMetadata"]["urlMetadata"]
    assert [row["urlRetrievalStatus"] for row in rows] == ["URL_RETRIEVAL_STATUS_SUCCESS"] * 2
    assert answer["usageMetadata"]["toolUsePromptTokenCount"] == 400


def test_a_picture_is_a_real_png_that_the_prompt_decides(generate: Generate, marker: str) -> None:
    config = {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "16:9"}}
    answer = generate("gemini-2.5-flash-image", generationConfig=config).json()
    words, image = answer["candidates"][0]["content"]["parts"]
    raw = base64.b64decode(image["inlineData"]["data"])
    assert (words["text"][:8], image["inlineData"]["mimeType"], raw[:8]) == (
        "You said",
        "image/png",
        b"\x89PNG\r\n\x1a\n",
    )
    assert struct.unpack(">II", raw[16:24]) == (1344, 768)
    assert marker.encode() in raw
    start = raw.index(b"IDAT")
    size = struct.unpack(">I", raw[start - 4 : start])[0]
    assert len(zlib.decompress(raw[start + 4 : start + 4 + size])) == 768 * 1345
    details = {row["modality"]: row["tokenCount"] for row in answer["usageMetadata"]["candidatesTokensDetails"]}
    assert details["IMAGE"] == 1290
    alone = generate("gemini-2.5-flash-image", generationConfig={"responseModalities": ["IMAGE"]})
    assert [list(part) for part in first(alone)["content"]["parts"]] == [["inlineData"]]


def test_speech_is_real_sound(generate: Generate, marker: str) -> None:
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    config = {"responseModalities": ["AUDIO"], "speechConfig": voice}
    answer = generate("gemini-2.5-flash-preview-tts", generationConfig=config).json()
    blob = answer["candidates"][0]["content"]["parts"][0]["inlineData"]
    assert blob["mimeType"] == "audio/L16;codec=pcm;rate=24000"
    sound = base64.b64decode(blob["data"])
    samples = struct.unpack(f"<{len(sound) // 2}h", sound)
    assert abs(len(samples) / 24_000 - len(marker) / 15) < 0.01
    assert (max(samples) > 5_000, min(samples) < -5_000) == (True, True)
    assert answer["usageMetadata"]["candidatesTokensDetails"][0]["modality"] == "AUDIO"


def test_files_are_seen_and_counted_by_their_kinds(generate: Generate) -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()
    pdf = {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://a/b.pdf"}}
    parts = [{"text": "x"}, {"inlineData": {"mimeType": "image/png", "data": png}}, pdf]
    answer = generate(contents=[{"parts": parts}]).json()
    assert "I see 2 images: image/png, application/pdf." in answer["candidates"][0]["content"]["parts"][0]["text"]
    details = {row["modality"]: row["tokenCount"] for row in answer["usageMetadata"]["promptTokensDetails"]}
    assert details == {"TEXT": 1, "IMAGE": 258, "DOCUMENT": 0}


def test_candidates_and_their_logprobs(generate: Generate) -> None:
    config = {"candidateCount": 2, "responseLogprobs": True, "logprobs": 2}
    answer = generate("gemini-2.0-flash", generationConfig=config).json()
    texts = [one["content"]["parts"][0]["text"] for one in answer["candidates"]]
    assert texts[0] != texts[1]
    for text, one in zip(texts, answer["candidates"], strict=True):
        assert "".join(row["token"] for row in one["logprobsResult"]["chosenCandidates"]) == text
        assert {len(row["candidates"]) for row in one["logprobsResult"]["topCandidates"]} == {2}
    streamed = generate("gemini-2.0-flash", "streamGenerateContent?alt=sse", generationConfig=config)
    chunks = grammar.events(streamed.content)
    grammar.check(chunks)
    assert [grammar.parts(chunks, index)[0]["text"] for index in (0, 1)] == texts


def test_cached_contents_are_counted(generate: Generate) -> None:
    usage = generate(cachedContent="cachedContents/sandbox-1").json()["usageMetadata"]
    assert usage["cachedContentTokenCount"] == 1024 < usage["promptTokenCount"]


def test_embeddings_are_vectors_that_the_text_decides(google: httpx.Client) -> None:
    body = {"content": {"parts": [{"text": "hello"}]}}
    values = google.post("/models/gemini-embedding-001:embedContent", json=body).json()["embedding"]["values"]
    assert (len(values), abs(sum(one * one for one in values) - 1) < 1e-9) == (3072, True)
    short = google.post("/models/gemini-embedding-001:embedContent", json=body | {"outputDimensionality": 8}).json()
    assert short["embedding"]["values"] == values[:8]
    one = {"model": "models/text-embedding-004", **body}
    batch = google.post("/models/text-embedding-004:batchEmbedContents", json={"requests": [one, one]}).json()
    assert [len(row["values"]) for row in batch["embeddings"]] == [768, 768]


def test_tokens_are_counted_as_a_call_counts_them(generate: Generate) -> None:
    counted = generate(method="countTokens").json()
    assert counted["totalTokens"] == generate().json()["usageMetadata"]["promptTokenCount"]
    contents = [{"parts": [{"text": "x" * 40}]}]
    inner = {
        "model": "models/gemini-2.5-flash",
        "contents": contents,
        "systemInstruction": {"parts": [{"text": "abcd"}]},
    }
    assert generate(method="countTokens", contents=..., generateContentRequest=inner).json()["totalTokens"] == 11


def test_models_are_listed_in_pages(google: httpx.Client) -> None:
    everything = google.get("/models").json()
    names = [row["name"] for row in everything["models"]]
    assert "models/gemini-2.5-flash" in names
    assert "nextPageToken" not in everything
    page = google.get("/models", params={"pageSize": 4}).json()
    rest = google.get("/models", params={"pageSize": 50, "pageToken": page["nextPageToken"]}).json()
    assert [row["name"] for row in page["models"] + rest["models"]] == names
    assert google.get("/models/gemini-2.5-pro").json()["outputTokenLimit"] == 65536


def test_the_record_tells_usage_as_openai_nests_it(generate: Generate, recorded: Recorded, marker: str) -> None:
    usage = generate(tools=[{"codeExecution": {}}]).json()["usageMetadata"]
    entry = recorded(marker)[-1]
    assert entry["usage"] == entry["usage_reported"]
    assert entry["usage"]["prompt_tokens"] == usage["promptTokenCount"] + usage["toolUsePromptTokenCount"]
    assert entry["usage"]["completion_tokens"] == usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    assert (entry["model"], entry["usage"]["reasoning_tokens"]) == ("gemini-2.5-flash", usage["thoughtsTokenCount"])


@pytest.mark.parametrize(
    "shape",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}]},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**12},
    ],
)
def test_a_schema_without_end_gets_an_answer_with_one(generate: Generate, shape: dict[str, Any]) -> None:
    config = {"responseMimeType": "application/json", "responseJsonSchema": shape}
    assert len(first(generate(generationConfig=config))["content"]["parts"][0]["text"]) < 100_000
