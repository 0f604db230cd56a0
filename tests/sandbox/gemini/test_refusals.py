"""What Google refuses, the sandbox refuses: same code, status and words."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Generate = Callable[..., httpx.Response]
ASK = {"role": "user", "parts": [{"text": "hi"}]}
SHAPE = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
TOOLS = [{"functionDeclarations": [{"name": "weather", "parameters": SHAPE}]}]
SEARCH = {"googleSearch": {}}
CALL = {"functionCall": {"name": "weather", "args": {}}}
RESPONSE = {"functionResponse": {"name": "weather", "response": {}}}
CALLING = {"role": "model", "parts": [CALL]}
ANSWERING = {"role": "user", "parts": [RESPONSE]}
PLACEHOLDER = "context_engineering_is_the_way_to_go"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def config(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": fields}


def part(**fields: Any) -> dict[str, Any]:
    return {"contents": [{"parts": [fields]}]}


def parameters(**schema: Any) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": "look", "parameters": schema}]}]}


def talk(*contents: dict[str, Any]) -> dict[str, Any]:
    return {"contents": list(contents), "tools": TOOLS}


# The mutation of a good request, then the words of the answer; all of them are 400 INVALID_ARGUMENT.
CASES: list[tuple[dict[str, Any], str]] = [
    ({"bogus": 1}, 'Invalid JSON payload received. Unknown name "bogus": Cannot find field.'),
    (config(bogus=1), "Unknown name \"bogus\" at 'generation_config': Cannot find field."),
    (
        parameters(type="object", additionalProperties=False),
        'Unknown name "additionalProperties" at \'tools[0].function',
    ),
    (
        parameters(type="OBJECT", properties={"a": {"type": "STRING", "$schema": "x"}}),
        "Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters.properties[0].value'",
    ),
    (
        parameters(type=["string", "null"]),
        "Unknown name \"type\" at 'tools[0].function_declarations[0].parameters': Proto field is not repeating, cannot",
    ),
    (
        parameters(type="date"),
        "Invalid value at 'tools[0].function_declarations[0].parameters.type' "
        '(type.googleapis.com/google.ai.generativelanguage.v1beta.Type), "date"',
    ),
    (config(seed=3812238859), "Invalid value at 'generation_config.seed' (TYPE_INT32), 3812238859"),
    (config(temperature="hot"), "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\""),
    (config(temperature={}), "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), Starting an object on a"),
    (config(topK=1.5), "Invalid value at 'generation_config.top_k' (TYPE_INT32), 1.5"),
    (config(responseLogprobs="maybe"), "Invalid value at 'generation_config.response_logprobs' (TYPE_BOOL), \"maybe\""),
    (config(temperature=10**400), "Invalid value at 'generation_config.temperature'"),
    (
        {"contents": "hi"},
        "Invalid value at 'contents' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content)",
    ),
    (
        part(inlineData={"mimeType": "image/png", "data": "data:image/png;base64"}),
        "(TYPE_BYTES), Base64 decoding failed for",
    ),
    (
        part(text="a", inlineData={"mimeType": "image/png", "data": PNG}),
        "(oneof), oneof field 'data' is already set. Cannot",
    ),
    (part(functionCall={"name": "x", "args": "y"}), '(type.googleapis.com/google.protobuf.Struct), "y"'),
    ({"tools": [{"functionDeclarations": [{"parameters": {"properties": []}}]}]}, "Proto field is not repeating"),
    ({"tools": [{"functionDeclarations": [{"parameters": {"properties": 3}}]}]}, "(Map), 3"),
    ({"contents": ...}, "* GenerateContentRequest.contents: contents is not specified"),
    ({"contents": [{"role": "user"}]}, "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty."),
    (part(), "contents[0].parts[0].data: required oneof field 'data' must have one initialized field"),
    (part(text=""), "contents[0].parts[0].data: required oneof field 'data' must have one initialized field"),
    (
        {"model_": "gemini-2.5-flash-preview-tts", "contents": [ASK, ASK]} | config(responseModalities=["AUDIO"]),
        "Multiturn chat is not enabled for models/gemini-2.5-flash-preview-tts",
    ),
    ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
    (
        config(temperature=2.1),
        "* GenerateContentRequest.generation_config.temperature: temperature must be in the range",
    ),
    (config(topP=-0.1), "generation_config.top_p: top_p must be in the range [0, 1]."),
    (config(candidateCount=9), "candidate_count must be in the range [1, 8]."),
    (config(maxOutputTokens=65_537), "max_output_tokens must be in the range [1, 65536]."),
    (config(maxOutputTokens=0), "max_output_tokens must be in the range"),
    (config(stopSequences=["a", "b", "c", "d", "e", "f"]), "stop_sequences must be in the range"),
    (config(logprobs=3), "only allowed when response_logprobs is true."),
    (
        config(responseMimeType="text/html"),
        "allowed mimetypes are `text/plain`, `application/json`, `application/xml`,",
    ),
    (config(responseSchema=SHAPE), "response_schema: only allowed when response_mime_type is"),
    (config(responseJsonSchema={"type": "object"}), "response_json_schema: an object, with response_mime_type"),
    (
        config(responseMimeType="application/json", responseSchema=SHAPE, responseJsonSchema={}),
        "response_schema must be empty when it is set.",
    ),
    (config(imageConfig={"aspectRatio": "7:1"}), "aspect_ratio must be one of 1:1, 2:3"),
    (
        parameters(type="OBJECT"),
        "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties: should be",
    ),
    (
        parameters(type="OBJECT", properties={"a": {"type": "ARRAY"}}),
        "tools[0].function_declarations[0].parameters.properties[a].items: missing field.",
    ),
    (
        parameters(type="OBJECT", properties={"a": {"type": "STRING"}}, required=["b"]),
        "required[0]: property is not defined",
    ),
    (parameters(type="STRING", format="email"), "only 'enum' and 'date-time' are supported for STRING type"),
    (parameters(type="INTEGER", enum=["1"]), "parameters.enum: only allowed for STRING type"),
    (parameters(description="x"), "schema didn't specify the schema type field"),
    ({"tools": [{"functionDeclarations": [{"name": "1x"}]}]}, "Invalid function name. Must start with a letter or an"),
    ({"tools": [{"functionDeclarations": [{"name": "x"}, {"name": "x"}]}]}, "Duplicate function declaration found: x"),
    (
        {"tools": [{"functionDeclarations": [{"name": "x", "parameters": SHAPE, "parametersJsonSchema": {}}]}]},
        "parameters must be empty when it is set.",
    ),
    ({"tools": [{}]}, "tools[0].tool_type: required one_of 'tool_type' must have one initialized field"),
    ({"tools": [*TOOLS, SEARCH]}, "Tool use with function calling is unsupported"),
    (
        {"tools": [*TOOLS, SEARCH], "model_": "gemini-3-pro-preview"},
        "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling.",
    ),
    (
        {"tools": TOOLS} | config(responseMimeType="application/json"),
        "Function calling with a response mime type: 'application/json' is unsupported",
    ),
    (
        {"tools": [SEARCH]} | config(responseMimeType="application/json"),
        "Tool use with a response mime type: 'application/json' is unsupported",
    ),
    (
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
        "Function calling config is set without function_declarations.",
    ),
    (
        {"tools": TOOLS, "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["weather"]}}},
        "Allowed function names should be set only when the function calling mode is ANY.",
    ),
    (
        {"tools": TOOLS, "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["clock"]}}},
        "Function clock in allowed_function_names is not declared.",
    ),
    (
        {"safetySettings": [{"category": "HARM_CATEGORY_MEDICAL", "threshold": "OFF"}]},
        "element predicate failed: $.category",
    ),
    (
        talk(ASK, CALLING),
        "Please ensure that the number of function response parts is equal to the number of function call",
    ),
    (talk(ASK, CALLING, ASK), "Please ensure that the number of function response parts is equal"),
    (
        talk(ASK, {"role": "model", "parts": [CALL, CALL]}, ANSWERING),
        "Please ensure that the number of function response",
    ),
    (talk(ASK, ANSWERING), "Please ensure that function response turn comes immediately after a function call turn."),
    (talk(CALLING, ANSWERING), "Please ensure that function call turn comes immediately after a user turn or after a"),
    (part(functionResponse={"response": {}}), "contents[0].parts[0].function_response.name: Name cannot be empty."),
    (part(inlineData={"mimeType": "png", "data": PNG}), "Unsupported MIME type: png"),
    (part(inlineData={"mimeType": "image/jpeg", "data": PNG}), "Provided image is not valid."),
    (part(fileData={"fileUri": "file:///etc/passwd"}), "Invalid or unsupported file uri: file:///etc/passwd"),
    (
        config(thinkingConfig={"thinkingBudget": 52_428}),
        "The thinking budget 52428 is invalid. Please choose a value between 0",
    ),
    (
        {"model_": "gemini-2.5-pro"} | config(thinkingConfig={"thinkingBudget": 0}),
        "Budget 0 is invalid. This model only works in thinking mode.",
    ),
    (
        {"model_": "gemini-3-pro-preview"} | config(thinkingConfig={"thinkingLevel": "minimal"}),
        "Thinking level MINIMAL is not supported for this model.",
    ),
    (config(thinkingConfig={"thinkingLevel": "LOW"}), "Thinking level is not supported for this model."),
    (
        {"model_": "gemini-3-pro-preview"} | config(thinkingConfig={"thinkingLevel": "LOW", "thinkingBudget": 200}),
        "You can only set only one of thinking budget and thinking level.",
    ),
    ({"model_": "gemini-2.0-flash"} | config(thinkingConfig={}), "Thinking is not enabled for models/gemini-2.0-flash"),
    ({"model_": "gemini-2.5-pro"} | config(responseLogprobs=True), "Logprobs is not enabled for models/gemini-2.5-pro"),
    (
        config(responseModalities=["IMAGE"]),
        "The requested combination of response modalities (IMAGE) is not supported by",
    ),
    (
        {"model_": "gemini-2.5-flash-preview-tts"},
        "accepts the following combination of response modalities:\n* AUDIO\n",
    ),
    (
        {"model_": "gemini-2.5-flash-preview-tts", "tools": TOOLS} | config(responseModalities=["AUDIO"]),
        "Function calling is not enabled for models/gemini-2.5-flash-preview-tts",
    ),
    (
        {"model_": "gemini-2.0-flash-exp-image-generation", "systemInstruction": {"parts": [{"text": "x"}]}},
        "Developer instruction is not enabled for models/gemini-2.0-flash-exp-image-generation",
    ),
    (
        config(speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Bob"}}}),
        "Voice name Bob is not supported. Allowed voice names are: achernar, achird",
    ),
    (
        {"cachedContent": "cachedContents/sandbox-1", "tools": TOOLS},
        "CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config.",
    ),
    (
        part(text="x" * 4_200_000),
        "The input token count (1050000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    (part(text="x", thoughtSignature="AAAA"), "Invalid thought signature."),
]


@pytest.mark.parametrize(("changes", "words"), CASES)
def test_a_fault_is_refused_in_googles_words(generate: Generate, changes: dict[str, Any], words: str) -> None:
    fields = dict(changes)
    answer = generate(fields.pop("model_", "gemini-2.5-flash"), **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert words in error["message"]


def test_every_fault_of_the_form_is_told_with_its_place(generate: Generate) -> None:
    error = generate(bogus=1, generationConfig={"seed": "x", "foo": 1}).json()["error"]
    rows = error["details"][0]["fieldViolations"]
    assert [row.get("field", "") for row in rows] == ["", "generation_config.seed", "generation_config"]
    assert error["message"] == "\n".join(row["description"] for row in rows)


def test_a_schema_without_bottom_is_refused(generate: Generate) -> None:
    schema: dict[str, Any] = {"type": "STRING"}
    for _ in range(70):
        schema = {"type": "ARRAY", "items": schema}
    assert "Message too deep" in generate(**parameters(**schema)).json()["error"]["message"]


def test_the_signature_of_a_call_is_demanded_by_gemini_3_alone(generate: Generate) -> None:
    old = generate("gemini-2.5-flash", **talk(ASK, CALLING, ANSWERING))
    new = generate("gemini-3-pro-preview", **talk(ASK, CALLING, ANSWERING))
    assert (old.status_code, new.status_code) == (200, 400)
    words = "call `default_api:weather` , position 2. Please refer to https://ai.google.dev/gemini-api/docs/thought-sig"
    assert words in new.json()["error"]["message"]


def test_calls_of_earlier_turns_need_no_signature(generate: Generate) -> None:
    model = {"role": "model", "parts": [{"text": "fine"}]}
    assert generate("gemini-3-pro-preview", **talk(ASK, CALLING, ANSWERING, model, ASK)).status_code == 200


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-pro-preview"])
def test_a_signature_is_taken_as_it_was_given_and_not_altered(generate: Generate, model: str) -> None:
    ask = {"role": "user", "parts": [{"text": "weather"}]}
    content = generate(model, **talk(ask)).json()["candidates"][0]["content"]
    given = content["parts"][0]["thoughtSignature"]
    for signature, words in (
        (given, None),
        (given.replace("+", "-").replace("/", "_").rstrip("="), None),
        (PLACEHOLDER, None),
        (base64.b64encode(b"skip_thought_signature_validator").decode(), None),
        (given[:-4] + ("AAAA" if given[-4:] != "AAAA" else "BBBB"), "Corrupted thought signature."),
        (base64.b64encode(b"of another house").decode(), "Invalid thought signature."),
    ):
        content["parts"][0]["thoughtSignature"] = signature
        answer = generate(model, **talk(ask, content, ANSWERING))
        assert answer.status_code == (200 if words is None else 400), signature
        assert words is None or answer.json()["error"]["message"] == words


def test_only_the_first_of_parallel_calls_carries_a_signature(generate: Generate) -> None:
    tools = [{"functionDeclarations": [{"name": "weather"}, {"name": "clock"}]}]
    ask = {"role": "user", "parts": [{"text": "weather clock"}]}
    parts = generate("gemini-3-pro-preview", contents=[ask], tools=tools).json()["candidates"][0]["content"]["parts"]
    assert ["thoughtSignature" in part for part in parts] == [True, False]


def test_a_key_is_asked_for_and_looked_at(google: httpx.Client, sandbox_url: str) -> None:
    address = f"{sandbox_url}/gemini/v1beta/models"
    nobody = httpx.get(address)
    assert (nobody.status_code, nobody.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert "Method doesn't allow unregistered callers" in nobody.json()["error"]["message"]
    wrong = httpx.get(address, params={"key": "AIzaOther"}).json()["error"]
    assert (wrong["code"], wrong["details"][0]["reason"]) == (400, "API_KEY_INVALID")
    assert httpx.get(address, params={"key": "AIzaSandbox-1"}).status_code == 200
    token = httpx.get(address, headers={"authorization": "Bearer x"})
    assert (token.status_code, token.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_unknown_models_and_methods_are_not_found(generate: Generate, google: httpx.Client) -> None:
    for model in ("gemini-9", "gemini-2.5-flash+nonsense", "text-embedding-004"):
        error = generate(model).json()["error"]
        assert (error["code"], error["status"]) == (404, "NOT_FOUND")
        assert error["message"].startswith(
            f"models/{model} is not found for API version v1beta, or is not supported for"
        )
    for path in ("/models/gemini-2.5-flash:translate", "/files"):
        answer = google.post(path, json={})
        assert (answer.status_code, answer.headers["content-type"][:9]) == (404, "text/html")
    assert google.get("/models/gemini-9").json()["error"]["status"] == "NOT_FOUND"


def test_a_cache_of_someone_else_is_not_there(generate: Generate) -> None:
    answer = generate(cachedContent="cachedContents/abc")
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("content", "media", "words"),
    [
        (b"{", "application/json", "Invalid JSON payload received. Unexpected token."),
        (b"[]", "application/json", "Root element must be a message."),
        (b'{"contents":[]}', "application/x-www-form-urlencoded", "Cannot bind query parameter."),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(google: httpx.Client, content: bytes, media: str, words: str) -> None:
    headers = {"content-type": media}
    answer = google.post("/models/gemini-2.5-flash:generateContent", content=content, headers=headers)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [
        ("embedContent", {}, "* EmbedContentRequest.content: contents is not specified"),
        ("embedContent", {"content": {"parts": [{"text": ""}]}}, "content is empty"),
        ("embedContent", {"content": ASK, "title": "x"}, "only allowed when task_type is RETRIEVAL_DOCUMENT"),
        ("embedContent", {"content": ASK, "taskType": "SLEEP"}, "Invalid value at 'task_type' (type.googleapis.com/"),
        ("embedContent", {"content": ASK, "outputDimensionality": 769}, "must be in the range [1, 768]"),
        ("embedContent", {"content": ASK, "model": "models/other"}, "model must be models/text-embedding-004"),
        ("batchEmbedContents", {"requests": []}, "requests must not be empty"),
        (
            "batchEmbedContents",
            {"requests": [{"content": ASK}]},
            "requests[0].model: model must be models/text-embedding",
        ),
        ("batchEmbedContents", {"requests": [{"content": ASK}] * 101}, "at most 100 requests can be in one batch"),
        ("countTokens", {}, "* CountTokensRequest.contents: contents is not specified"),
    ],
)
def test_faults_of_other_calls(google: httpx.Client, method: str, body: dict[str, Any], words: str) -> None:
    model = "gemini-2.5-flash" if method == "countTokens" else "text-embedding-004"
    answer = google.post(f"/models/{model}:{method}", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
