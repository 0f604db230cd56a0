"""What OpenAI refuses, the sandbox refuses: same status, param, code and words."""

import base64
import socket
from typing import Any

import httpx
import pytest

ASK = {"role": "user", "content": "hi"}
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "look", "parameters": OBJECT}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}


def tool(**function: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "look", **function}}]}


def message(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", **fields}]}


def picture(url: str) -> dict[str, Any]:
    return message(content=[{"type": "image_url", "image_url": {"url": url}}])


def schema(shape: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "thing", "schema": shape, **more}}}


SIGHT = {"type": "image_url", "image_url": {"url": "https://a.example/"}}

# The mutation of a good request, then param, code and the words of the answer.
CASES: list[tuple[dict[str, Any], str | None, str | None, str]] = [
    ({"model": ...}, None, None, "you must provide a model parameter"),
    ({"model": ""}, None, None, "you must provide a model parameter"),
    ({"model": 7}, None, None, "We could not parse the JSON body of your request."),
    ({"messages": ...}, "messages", "missing_required_parameter", "Missing required parameter: 'messages'."),
    ({"messages": []}, "messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum"),
    ({"messages": "hi"}, "messages", "invalid_type", "expected an array of objects, but got a string instead."),
    ({"messages": ["hi"]}, "messages[0]", "invalid_type", "expected an object, but got a string instead."),
    ({"top_k": 4}, "top_k", "unknown_parameter", "Unknown parameter: 'top_k'."),
    ({"audio": {"voice": "alloy", "format": "wav"}}, "audio", "unknown_parameter", "Unknown parameter: 'audio'."),
    ({"bogus": 1, "n": "x"}, "bogus", "unknown_parameter", "Unknown parameter: 'bogus'."),
    ({"messages": ..., "bogus": 1}, "messages", "missing_required_parameter", "Missing required parameter"),
    (message(content="x", bogus=1), "messages[0].bogus", "unknown_parameter", "'messages[0].bogus'."),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter", "'messages[0].role'."),
    (
        {"messages": [{"role": "ai", "content": "x"}]},
        "messages[0].role",
        "invalid_value",
        "Invalid value: 'ai'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'",
    ),
    (
        message(content=7),
        "messages[0].content",
        "invalid_type",
        "expected one of a string or array of objects, but got an integer instead.",
    ),
    (message(content={"a": 1}), "messages[0].content", "invalid_type", "but got an object instead."),
    (message(content=None), "messages.[0].content", None, "Invalid value for 'content': expected a string, got null."),
    (message(), "messages.[0].content", None, "Invalid value for 'content': expected a string, got null."),
    (message(content=[]), "messages[0].content", "empty_array", "Invalid 'messages[0].content': empty array."),
    (message(content=["x"]), "messages[0].content[0]", "invalid_type", "expected an object, but got a string instead."),
    (
        message(content=[{"type": "image"}]),
        "messages[0].content[0].type",
        "invalid_value",
        "Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'.",
    ),
    (message(content=[{"text": "x"}]), "messages[0].content[0].type", "missing_required_parameter", "[0].type'."),
    (message(content=[{"type": "text"}]), "messages[0].content[0].text", "missing_required_parameter", "[0].text'."),
    (message(content="x", name="a b"), "messages[0].name", "invalid_value", "string does not match pattern."),
    (
        message(content=[{"type": "image_url", "image_url": "https://a.example/x.png"}]),
        "messages[0].content[0].image_url",
        "invalid_type",
        "expected an object, but got a string instead.",
    ),
    (
        picture("data:image/png;base64,"),
        "messages[0].content[0].image_url.url",
        "invalid_value",
        "but got empty base64-encoded bytes.",
    ),
    (
        picture("data:image/png;base64,@@@@"),
        "messages[0].content[0].image_url.url",
        "invalid_value",
        "but got an invalid base64-encoded value.",
    ),
    (
        picture("data:application/pdf;base64,aGk="),
        "messages[0].content[0].image_url.url",
        "invalid_value",
        "but got unsupported MIME type 'application/pdf'.",
    ),
    (picture("ftp://a.example/x.png"), "messages[0].content[0].image_url.url", "invalid_value", "Invalid image URL"),
    (picture("data:image/png;base64,aGVsbG8="), None, "invalid_image_format", "You uploaded an unsupported image."),
    (
        picture("https://a.example/x.png") | {"model": "o3-mini"},
        "messages.[0].content.[0].type",
        None,
        "Invalid content type. image_url is only supported by certain models.",
    ),
    (
        {
            "messages": [
                {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/"}}]}
            ]
        },
        "messages[0]",
        "invalid_value",
        "Image URLs are only allowed for messages with role 'user', but this message with role 'system' contains",
    ),
    (
        message(content=[{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]),
        "messages.[0].content.[0].type",
        None,
        "Invalid content type. input_audio is only supported by certain models.",
    ),
    (
        {"messages": [ASK, {"role": "tool", "content": "x", "tool_call_id": "call_1"}]},
        "messages.[1].role",
        None,
        "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    ),
    (
        {"messages": [ASK, CALLING, {"role": "tool", "content": "x", "tool_call_id": "call_2"}]},
        "messages.[2].tool_call_id",
        None,
        "'tool_call_id' of 'call_2' not found in 'tool_calls' of previous message.",
    ),
    (
        {"messages": [ASK, CALLING, ASK]},
        "messages.[2].role",
        None,
        "The following tool_call_ids did not have response messages: call_1",
    ),
    ({"messages": [ASK, CALLING]}, "messages", None, "must be followed by tool messages responding to each"),
    (
        {"messages": [ASK, CALLING, *[{"role": "tool", "content": "x", "tool_call_id": "call_1"}] * 2]},
        "messages.[3].tool_call_id",
        None,
        "Duplicate value for 'tool_call_id' of 'call_1'.",
    ),
    (
        {"messages": [ASK, {**CALLING, "tool_calls": [{**CALL, "index": 0}]}]},
        "messages[1].tool_calls[0].index",
        "unknown_parameter",
        "Unknown parameter: 'messages[1].tool_calls[0].index'.",
    ),
    (
        {"messages": [ASK, {**CALLING, "tool_calls": [{**CALL, "id": "x" * 41}]}]},
        "messages[1].tool_calls[0].id",
        "string_above_max_length",
        "Expected a string with maximum length 40, but got a string with length 41 instead.",
    ),
    (
        {"messages": [ASK, {"role": "tool", "content": "x"}]},
        "messages[1].tool_call_id",
        "missing_required_parameter",
        "",
    ),
    ({"n": 0}, "n", "integer_below_min_value", "Expected a value >= 1, but got 0 instead."),
    ({"n": 129}, "n", "integer_above_max_value", "Expected a value <= 128, but got 129 instead."),
    ({"n": 9, "model": "gpt-5"}, "n", "integer_above_max_value", "Expected a value <= 8, but got 9 instead."),
    ({"n": "2"}, "n", "invalid_type", "Invalid type for 'n': expected an integer, but got a string instead."),
    ({"n": True}, "n", "invalid_type", "expected an integer, but got a boolean instead."),
    ({"temperature": 2.5}, "temperature", "decimal_above_max_value", "Expected a value <= 2, but got 2.5 instead."),
    ({"temperature": -1}, "temperature", "decimal_below_min_value", "Expected a value >= 0, but got -1 instead."),
    ({"temperature": "hot"}, "temperature", "invalid_type", "expected a decimal, but got a string instead."),
    ({"top_p": 1.5}, "top_p", "decimal_above_max_value", "Expected a value <= 1, but got 1.5 instead."),
    ({"presence_penalty": 3}, "presence_penalty", "decimal_above_max_value", "Expected a value <= 2"),
    ({"frequency_penalty": -3}, "frequency_penalty", "decimal_below_min_value", "Expected a value >= -2"),
    ({"seed": 1.5}, "seed", "invalid_type", "expected an integer, but got a decimal number instead."),
    ({"stream": "yes"}, "stream", "invalid_type", "expected a boolean, but got a string instead."),
    ({"user": {"a": 1}}, "user", "invalid_type", "expected a string, but got an object instead."),
    ({"user": None}, "user", "invalid_type", "expected a string, but got null instead."),
    ({"stop": list("abcde")}, "stop", "array_above_max_length", "maximum length 4, but got an array with length 5"),
    ({"stop": 4}, "stop", "invalid_type", "expected one of a string or array of strings"),
    ({"max_tokens": 0}, "max_tokens", "integer_below_min_value", "Expected a value >= 1, but got 0 instead."),
    ({"max_tokens": 16_385}, "max_tokens", "invalid_value", "This model supports at most 16384 completion tokens"),
    (
        {"max_tokens": 5, "max_completion_tokens": 5},
        "max_tokens",
        "invalid_parameter_combination",
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
    ),
    (
        {"model": "o1", "max_tokens": 5},
        "max_tokens",
        "unsupported_parameter",
        "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    ),
    (
        {"model": "o3-mini", "temperature": 0.5},
        "temperature",
        "unsupported_value",
        "'temperature' does not support 0.5 with this model. Only the default (1) value is supported.",
    ),
    ({"model": "gpt-5", "stop": "x"}, "stop", "unsupported_parameter", "'stop' is not supported with this model."),
    ({"model": "o4-mini", "logprobs": True}, "logprobs", "unsupported_parameter", "is not supported with this model."),
    (
        {"model": "o1", "parallel_tool_calls": True, "tools": [TOOL]},
        "parallel_tool_calls",
        "unsupported_parameter",
        "is not supported with this model.",
    ),
    (
        {"model": "o1", "reasoning_effort": "max"},
        "reasoning_effort",
        "unsupported_value",
        "Supported values are: 'low', 'medium', and 'high'.",
    ),
    ({"reasoning_effort": "low"}, None, None, "Unrecognized request argument supplied: reasoning_effort"),
    ({"verbosity": "low"}, "verbosity", "unsupported_value", "Supported values are: 'medium'."),
    ({"verbosity": "loud"}, "verbosity", "invalid_value", "Supported values are: 'low', 'medium', and 'high'."),
    (
        {"model": "gpt-5", "messages": [ASK, {"role": "function", "name": "f", "content": "x"}]},
        "messages[1].role",
        "unsupported_value",
        "'messages[1].role' does not support 'function' with this model.",
    ),
    (
        {"stream_options": {"include_usage": True}},
        "stream_options",
        None,
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    ),
    ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x", "unknown_parameter", "'stream_options.x'."),
    ({"top_logprobs": 2}, "top_logprobs", None, "is only allowed when 'logprobs' is enabled."),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value", "Expected a value <= 20"),
    ({"logit_bias": {"1": 101}}, "logit_bias.1", "integer_above_max_value", "Expected a value <= 100"),
    ({"logit_bias": {"x": 1}}, "logit_bias", None, "Invalid key in 'logit_bias': x."),
    ({"metadata": {"k": 7}}, "metadata.k", "invalid_type", "expected a string, but got an integer instead."),
    (
        {"metadata": {str(i): "v" for i in range(17)}},
        "metadata",
        "object_above_max_properties",
        "at most 16 properties",
    ),
    ({"metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length", "maximum length 512"),
    (
        {"metadata": {"k" * 65: "v"}},
        f"metadata.{'k' * 65}",
        "property_name_above_max_length",
        "Invalid property name in 'metadata': 'kkk...kkk' is too long.",
    ),
    (
        {"service_tier": "bogus"},
        "service_tier",
        "invalid_value",
        "Supported values are: 'auto', 'default', 'fast', 'flex', and 'priority'.",
    ),
    ({"modalities": ["audio"]}, "modalities", "unsupported_value", "'modalities' does not support 'audio'"),
    ({"tools": "none"}, "tools", "invalid_type", "expected an array of objects, but got a string instead."),
    ({"tools": []}, "tools", "empty_array", "Invalid 'tools': empty array."),
    (
        {"tools": [TOOL] * 129},
        "tools",
        "array_above_max_length",
        "maximum length 128, but got an array with length 129",
    ),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter", "'tools[0].function'."),
    ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type", "missing_required_parameter", "'tools[0].type'."),
    (tool(name="a/b"), "tools[0].function.name", "invalid_value", "matches the pattern '^[a-zA-Z0-9_-]+$'."),
    (tool(name="a" * 65), "tools[0].function.name", "string_above_max_length", "maximum length 64"),
    (tool(description="a" * 1025), "tools[0].function.description", "string_above_max_length", "maximum length 1024"),
    (tool(bogus=1), "tools[0].function.bogus", "unknown_parameter", "Unknown parameter: 'tools[0].function.bogus'."),
    (
        tool(parameters={"properties": {}}),
        "tools[0].function.parameters",
        "invalid_function_parameters",
        "Invalid schema for function 'look': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
    ),
    (
        tool(parameters={"type": "object", "properties": {"xs": {"type": "array"}}}),
        "tools[0].function.parameters",
        "invalid_function_parameters",
        "In context=('properties', 'xs'), array schema missing items.",
    ),
    (
        tool(strict=True, parameters={"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
        "tools[0].function.parameters",
        "invalid_function_parameters",
        "In context=(), 'additionalProperties' is required to be supplied and to be false.",
    ),
    ({"tool_choice": "auto"}, "tool_choice", None, "'tool_choice' is only allowed when 'tools' are specified."),
    ({"parallel_tool_calls": True}, "parallel_tool_calls", None, "is only allowed when 'tools' are specified."),
    ({"function_call": "auto"}, "function_call", None, "is only allowed when 'functions' are specified."),
    (
        {"tools": [TOOL], "tool_choice": "any"},
        "tool_choice",
        "invalid_value",
        "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
    ),
    (
        {"tools": [TOOL], "tool_choice": 7},
        "tool_choice",
        "invalid_type",
        "expected one of one of 'none', 'auto', or 'required' or object, but got an integer instead.",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {}}},
        "tool_choice.function.name",
        "missing_required_parameter",
        "Missing required parameter: 'tool_choice.function.name'.",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}},
        "tool_choice",
        None,
        "not found in 'tools' parameter.",
    ),
    ({"functions": [{"parameters": {}}]}, "functions[0].name", "missing_required_parameter", "'functions[0].name'."),
    ({"response_format": "json"}, "response_format", "invalid_type", "expected an object, but got a string instead."),
    ({"response_format": {}}, "response_format.type", "missing_required_parameter", "'response_format.type'."),
    (
        {"response_format": {"type": "xml"}},
        "response_format.type",
        "invalid_value",
        "Supported values are: 'json_object', 'json_schema', and 'text'.",
    ),
    (
        {"response_format": {"type": "json_object"}},
        "messages",
        None,
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    ),
    (
        {"response_format": {"type": "json_schema"}},
        "response_format.json_schema",
        "missing_required_parameter",
        "Missing required parameter: 'response_format.json_schema'.",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": OBJECT}}},
        "response_format.json_schema.name",
        "missing_required_parameter",
        "Missing required parameter: 'response_format.json_schema.name'.",
    ),
    (
        schema({"type": "object", "properties": {}}, strict=True),
        "response_format",
        None,
        "Invalid schema for response_format 'thing': In context=(), 'additionalProperties' is required to be supplied",
    ),
    (
        schema({**OBJECT, "required": []}, strict=True),
        "response_format",
        None,
        "'required' is required to be supplied and to be an array including every key in properties. Missing 'a'.",
    ),
    (
        schema({**OBJECT, "properties": {"a": {"oneOf": []}}}, strict=True),
        "response_format",
        None,
        "In context=('properties', 'a'), 'oneOf' is not permitted.",
    ),
    (
        schema({**OBJECT, "properties": {"a": {}}}, strict=True),
        "response_format",
        None,
        "In context=('properties', 'a'), schema must have a 'type' key.",
    ),
    (
        schema({**OBJECT, "properties": {"a": {"$ref": "#/$defs/x"}}}, strict=True),
        "response_format",
        None,
        "reference to component '#/$defs/x' which was not found in the schema.",
    ),
    (schema(OBJECT) | {"model": "gpt-4-turbo"}, None, None, "'json_schema' is not supported with this model."),
    (
        message(content="x" * 70_000) | {"model": "gpt-3.5-turbo"},
        "messages",
        "context_length_exceeded",
        "This model's maximum context length is 16385 tokens.",
    ),
    (
        {"prediction": {"type": "content", "content": "x"}, "model": "o1"},
        "prediction",
        "unsupported_parameter",
        "'prediction' is not supported with this model.",
    ),
]


@pytest.mark.parametrize(("mutation", "param", "code", "words"), CASES)
def test_a_faulty_request_is_refused_in_the_words_of_openai(
    chat: Any, mutation: dict[str, Any], param: str | None, code: str | None, words: str
) -> None:
    answer = chat(**mutation)
    error = answer.json()["error"]
    assert answer.status_code == 400, error
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code), error
    assert words in error["message"]


@pytest.mark.parametrize(
    "accepted",
    [
        {"temperature": None, "n": None, "stop": None, "max_tokens": None, "stream": None, "logit_bias": None},
        {"temperature": 0, "top_p": 1, "presence_penalty": -2, "frequency_penalty": 2, "seed": -5, "user": "u"},
        {
            "store": True,
            "metadata": {"a": "b"},
            "service_tier": "flex",
            "safety_identifier": "s",
            "verbosity": "medium",
        },
        {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {"ttl": "30m"}},
        {"tools": [TOOL], "tool_choice": "none", "parallel_tool_calls": False},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [{"type": "custom", "custom": {"name": "free", "format": {"type": "text"}}}]},
        {"messages": [ASK, CALLING, {"role": "tool", "content": "x", "tool_call_id": "call_1"}]},
        {"messages": [ASK, {"role": "assistant", "content": "x", "annotations": [], "refusal": None}, ASK]},
        {"messages": [{"role": "developer", "content": [{"type": "text", "text": "x"}]}, {**ASK, "name": "Bob"}]},
        {"messages": [ASK, {"role": "function", "name": "f", "content": None}]},
        {"model": "o1", "max_completion_tokens": 500, "temperature": 1, "top_p": 1, "reasoning_effort": "high"},
        {"model": "gpt-5-mini", "reasoning_effort": "minimal", "verbosity": "high"},
        {"modalities": ["text"], "prediction": {"type": "content", "content": "x"}},
    ],
)
def test_what_openai_takes_is_taken(chat: Any, accepted: dict[str, Any]) -> None:
    answer = chat(**accepted)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("model", ["gpt-9", "gpt-4o+bogus", "gpt-4o+slow", "gpt-4o+slow-x", "gpt-4o+stall-3", "+429"])
def test_an_unknown_model_or_suffix_is_a_model_not_found(chat: Any, model: str) -> None:
    answer = chat(model=model)
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "message": f"The model `{model}` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"[" * 100_000, b'{"model": "\xff"}', b'{"a": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/openai/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("We could not parse the JSON body of your request.")


def test_another_content_type_is_refused(http: httpx.Client) -> None:
    answer = http.post("/openai/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_content_type")


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        (None, None, "You didn't provide an API key."),
        ("Basic abc", None, "You didn't provide an API key."),
        ("Bearer", None, "You didn't provide an API key."),
        ("Bearer sk-wrong-0123456789", "invalid_api_key", "Incorrect API key provided: sk-wrong*******6789."),
    ],
)
def test_a_missing_or_wrong_key_is_a_401(sandbox_url: str, header: str | None, code: str | None, words: str) -> None:
    headers = {"authorization": header} if header else {}
    answer = httpx.post(f"{sandbox_url}/openai/v1/chat/completions", json={}, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (401, "invalid_request_error", code)
    assert words in error["message"]


def test_unknown_paths_and_methods_are_told_apart(http: httpx.Client) -> None:
    lost = http.post("/openai/v1/nothing", json={})
    assert (lost.status_code, lost.json()["error"]["message"]) == (404, "Invalid URL (POST /v1/nothing)")
    wrong = http.get("/openai/v1/chat/completions")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert http.get("/elsewhere").status_code == 404


def test_embedding_and_chat_models_are_not_exchangeable(chat: Any, http: httpx.Client) -> None:
    answer = chat(model="text-embedding-3-small")
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "model")
    answer = http.post("/openai/v1/embeddings", json={"model": "gpt-4o", "input": "x"})
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "You are not allowed to generate embeddings from this model"


def test_a_body_over_the_limit_closes_the_connection_with_413(sandbox_url: str) -> None:
    host, port = sandbox_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(b"POST /openai/v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
        assert link.recv(1000).startswith(b"HTTP/1.1 413 ")
        assert link.recv(1000) == b""


def test_a_good_picture_is_taken(chat: Any) -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()
    assert chat(**picture(f"data:image/png;base64,{png}")).status_code == 200
