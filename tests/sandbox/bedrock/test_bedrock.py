"""What the fake Bedrock says: Converse and InvokeModel, whole and as streams, in botocore's eyes and on the wire."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

from tests.grammars import anthropic
from tests.grammars import bedrock as grammar
from tests.sandbox.bedrock import bodies
from tests.sandbox.bedrock.conftest import CLAUDE
from tests.sandbox.mutations import Mutation, mutations

Converse = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]
THINKING = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}


def said(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


SCHEMA = {"structure": {"jsonSchema": {"schema": json.dumps(bodies.SCHEMA)}}, "type": "json_schema"}
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "thinking": THINKING,
    "redacted": {**THINKING, **said({"text": "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9"})},
    "a tool": {"toolConfig": bodies.TOOLS, **said({"text": "look there"})},
    "a spelled tool": {"toolConfig": bodies.TOOLS, **said({"text": 'x\nsandbox-call: look {"a":  "ä"}'})},
    "a citation": said({"text": "Which colour?"}, {"document": bodies.DOCUMENT}),
    "a format": {"outputConfig": {"textFormat": SCHEMA}},
    "a stop": {"inferenceConfig": {"stopSequences": ["a sandbox"]}},
    "a limit": {"inferenceConfig": {"maxTokens": 5}},
    "full": bodies.full(),
}
STYLES = ("", "+drip", "+done-only", "+tool-done-only", "+long-50", "+big-20", "+comment", "+usage-0", "+usage-huge")


@pytest.mark.parametrize("style", [*STYLES, "+refuse", "+filter", "+pause", "+cached-50"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_stream_keeps_the_grammar_and_says_what_the_whole_says(converse: Converse, name: str, style: str) -> None:
    """promise 23"""
    stream = converse(f"{CLAUDE}{style}", "converse-stream", **REQUESTS[name])
    whole = converse(f"{CLAUDE}{style}", **REQUESTS[name]).json()
    assert stream.headers["content-type"] == "application/vnd.amazon.eventstream"
    read = grammar.frames(stream.content)
    assert grammar.faults(read) == []
    assert grammar.content(read) == whole["output"]["message"]["content"]
    stop = {name: value for name, value in read[-2].data.items() if name != "p"}
    assert stop == {
        name: value for name, value in whole.items() if name in ("stopReason", "additionalModelResponseFields")
    }
    assert read[-1].data["usage"] == whole["usage"]


@pytest.mark.parametrize("style", ["", "+drip", "+done-only", "+big-20"])
@pytest.mark.parametrize("name", REQUESTS)
def test_botocore_reads_the_framing_to_the_same_messages(converse: Converse, name: str, style: str) -> None:
    """botocore is a second opinion on the framing and its checksums, whatever the cuts."""
    stream = converse(f"{CLAUDE}{style}", "converse-stream", **REQUESTS[name]).content
    buffer = EventStreamBuffer()
    found: list[Any] = []
    for start in range(0, len(stream), 7):
        buffer.add_data(stream[start : start + 7])
        found.extend(buffer)
    mine = grammar.frames(stream)
    assert [message.headers for message in found] == [frame.headers for frame in mine]
    assert [json.loads(message.payload) for message in found] == [frame.data for frame in mine]


def test_botocores_client_signs_and_reads_converse(aws: Any, marker: str) -> None:
    """promise 27"""
    asked: dict[str, Any] = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": marker}]}]}
    made = aws.converse(**asked)
    assert made["output"]["message"]["content"][0]["text"].startswith(f"You said: {marker}")
    assert made["usage"]["totalTokens"] == made["usage"]["inputTokens"] + made["usage"]["outputTokens"]
    events = list(aws.converse_stream(**asked)["stream"])
    assert (
        "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
        == (made["output"]["message"]["content"][0]["text"])
    )
    assert events[-1]["metadata"]["usage"] == made["usage"]
    image = {"image": {"format": "png", "source": {"bytes": base64.b64decode(bodies.IMAGE["source"]["bytes"])}}}
    seen = aws.converse(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": "x"}, image]}])
    assert "I see 1 image: image/png." in seen["output"]["message"]["content"][0]["text"]


def test_botocores_client_goes_through_a_loop_of_tools_with_thinking(aws: Any, marker: str) -> None:
    told: list[Any] = [{"role": "user", "content": [{"text": f"look {marker}"}]}]
    asked: dict[str, Any] = {"modelId": CLAUDE, "toolConfig": bodies.TOOLS, **THINKING}
    made = aws.converse(messages=told, **asked)
    thought, call = made["output"]["message"]["content"]
    assert (made["stopReason"], call["toolUse"]["input"]) == ("tool_use", {"a": f"look {marker}"})
    result = {"toolUseId": call["toolUse"]["toolUseId"], "content": [{"json": {"seen": True}}]}
    told += [made["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
    answered = aws.converse(messages=told, **asked)["output"]["message"]["content"]
    assert answered[-1]["text"].startswith('The tool look answered: {"seen":true}')
    thought["reasoningContent"]["reasoningText"]["text"] += "!"
    with pytest.raises(ClientError, match="Invalid `signature` in `thinking` block"):
        aws.converse(messages=told, **asked)


def test_botocores_client_reads_invoke_whole_and_streamed(aws: Any, marker: str) -> None:
    """promise 27"""
    asked = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 2048,
        "messages": [{"role": "user", "content": f"look {marker}"}],
        "tools": [{"name": "look", "input_schema": bodies.SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    answer = aws.invoke_model(modelId=CLAUDE, body=json.dumps(asked))
    whole = json.loads(answer["body"].read())
    count = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-output-token-count"]
    assert int(count) == whole["usage"]["output_tokens"]
    assert whole["id"].startswith("msg_bdrk_01")
    stream = aws.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(asked))["body"]
    inner = [json.loads(event["chunk"]["bytes"]) for event in stream]
    read = [anthropic.Event(event["type"], event) for event in inner]
    assert anthropic.faults(read) == []
    assert anthropic.content(read) == whole["content"]
    metrics = inner[-1]["amazon-bedrock-invocationMetrics"]
    assert metrics["outputTokenCount"] == whole["usage"]["output_tokens"]
    assert not any(event["type"] == "ping" for event in inner)


def test_invoke_takes_anthropics_body_without_model_and_stream(http: httpx.Client) -> None:
    url = f"/bedrock/model/{CLAUDE.replace(':', '%3A')}/invoke"
    good: dict[str, Any] = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "x"}],
    }
    assert http.post(url, json=good).status_code == 200
    search = {"type": "web_search_20250305", "name": "web_search"}
    for changes, words in (
        ({"model": "x"}, "model: Extra inputs are not permitted"),
        ({"stream": True}, "stream: Extra inputs are not permitted"),
        ({"anthropic_version": "2023-06-01"}, "anthropic_version: Input should be 'bedrock-2023-05-31'"),
        ({"anthropic_beta": ["files-api-2025-04-14"]}, "invalid beta flag"),
        ({"tools": [search]}, "tools.0: Input tag 'web_search_20250305' found using 'type' does not match"),
        ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
    ):
        answer = http.post(url, json={**good, **changes})
        assert (answer.status_code, answer.json()["message"].startswith(words)) == (400, True), answer.text
        assert answer.headers["x-amzn-errortype"].startswith("ValidationException:")


def test_what_is_marked_is_written_to_the_cache_and_read_again(
    converse: Converse, recorded: Recorded, marker: str
) -> None:
    system = [{"text": marker + " long ago" * 600}, bodies.POINT, {"text": "Be kind."}]
    first, again = converse(system=system).json()["usage"], converse(system=system).json()["usage"]
    assert first["cacheReadInputTokens"] == again["cacheWriteInputTokens"] == 0
    assert first["cacheWriteInputTokens"] == again["cacheReadInputTokens"] > 1024
    assert first["cacheDetails"] == [{"ttl": "5m", "inputTokens": first["cacheWriteInputTokens"]}]
    assert first["totalTokens"] == again["totalTokens"]
    assert recorded(marker)[-1]["usage"]["cached_tokens"] == again["cacheReadInputTokens"]


ERRORS = {
    "400": (400, "ValidationException"),
    "401": (403, "UnrecognizedClientException"),
    "402": (403, "AccessDeniedException"),
    "403": (403, "AccessDeniedException"),
    "404": (404, "ResourceNotFoundException"),
    "429": (429, "ThrottlingException"),
    "quota": (429, "ThrottlingException"),
    "500": (500, "InternalServerException"),
    "502": (424, "ModelErrorException"),
    "503": (503, "ServiceUnavailableException"),
    "529": (408, "ModelTimeoutException"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_botocore_raises_what_bedrock_means(aws: Any, recorded: Recorded, marker: str, name: str) -> None:
    status, kind = ERRORS[name]
    with pytest.raises(ClientError) as failed:
        aws.converse_stream(modelId=f"{CLAUDE}+{name}", messages=[{"role": "user", "content": [{"text": marker}]}])
    answer: Any = failed.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (status, kind)
    entry = recorded(marker)[-1]
    assert (entry["outcome"], entry["scenario"], entry["status"]) == ("failed", f"+{name}", status)


def test_an_exception_ends_a_stream(aws: Any, converse: Converse, marker: str) -> None:
    read = grammar.frames(converse(f"{CLAUDE}+error-3", "converse-stream").content)
    assert (len(read), read[-1].name) == (4, "modelStreamErrorException")
    assert grammar.faults(read, may_fail=True) == []
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": marker}]}]}
    with pytest.raises(EventStreamError, match="modelStreamErrorException"):
        list(aws.converse_stream(modelId=f"{CLAUDE}+error-3", **asked)["stream"])


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
@pytest.mark.parametrize("name", ["cut-3", "cut", "reset", "garbage"])
def test_a_broken_connection_is_broken(converse: Converse, name: str, operation: str) -> None:
    with pytest.raises(httpx.TransportError):
        converse(f"{CLAUDE}+{name}", operation)


def test_other_scenarios_work_as_everywhere(converse: Converse, recorded: Recorded, marker: str) -> None:
    assert [converse(f"{CLAUDE}+flaky-2").status_code for _ in range(4)] == [500, 500, 200, 200]
    assert converse(f"{CLAUDE}+redirect").headers["location"] == "/bedrock/model/elsewhere/converse"
    assert "bedrock-api-key-sandbox-1" in converse(f"{CLAUDE}+echo-secret").json()["message"]
    assert "usage" not in converse(f"{CLAUDE}+usage-none").json()
    unended = grammar.frames(converse(f"{CLAUDE}+no-done", "converse-stream").content)
    assert grammar.faults(unended) == ["the stream ends after contentBlock"]
    with pytest.raises(json.JSONDecodeError):
        grammar.frames(converse(f"{CLAUDE}+badjson", "converse-stream").content)
    with pytest.raises(json.JSONDecodeError):
        converse(f"{CLAUDE}+html").json()
    assert recorded(marker)[-1]["model"] == CLAUDE


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", True),
        ("global.anthropic.claude-opus-4-5-20251101-v1:0", True),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile%2Fus.anthropic.claude-sonnet-4-20250514-v1:0", True),
        ("anthropic.claude-3-5-sonnet-20241022-v1:0", False),
        ("claude-sonnet-4-5", False),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0+nothing", False),
    ],
)
def test_models_are_known_by_bedrocks_ids(converse: Converse, model: str, found: bool) -> None:
    answer = converse(model)
    assert answer.status_code == (200 if found else 400)
    assert found or answer.json()["message"] == "The provided model identifier is invalid."


def turns(*contents: list[Any]) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": content} for at, content in enumerate(contents)]}


TEXT = {"text": "x"}
TOOLED = {"toolConfig": bodies.TOOLS}
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"messages": ...}, "Malformed input request: #: required key [messages] not found, please reformat your input"),
    ({"messages": []}, "#/messages: expected minimum item count: 1, found: 0"),
    ({"messages": "x"}, "#/messages: expected type: JSONArray, found: String"),
    ({"chat_id": 1}, "Malformed input request: #: extraneous key [chat_id] is not permitted, please reformat"),
    (said({"type": "text", "text": "x"}), "#/messages/0/content/0: extraneous key [type] is not permitted"),
    (said({"text": "x", "image": bodies.IMAGE}), "#/messages/0/content/0: 2 of the keys"),
    ({"messages": [{"role": "system", "content": [TEXT]}]}, "#/messages/0/role: system is not a valid enum value"),
    ({"inferenceConfig": {"temperature": 2}}, "#/inferenceConfig/temperature: 2 is not less or equal to 1"),
    ({"inferenceConfig": {"maxTokens": 0}}, "#/inferenceConfig/maxTokens: 0 is not greater or equal to 1"),
    ({"inferenceConfig": {"maxTokens": 64_001}}, "The model returned the following errors: max_tokens: 64001 > 64000"),
    ({"messages": [{"role": "assistant", "content": [TEXT]}]}, "A conversation must start with a user message."),
    (
        {"messages": [{"role": "user", "content": [TEXT]}] * 2},
        "A conversation must alternate between user and assistant roles.",
    ),
    (said(), "The content field in the Message object at messages.0 is empty."),
    (said({"text": " "}), "The text field in the ContentBlock object at messages.0.content.0 is blank."),
    (said({"document": bodies.DOCUMENT}), "The message at messages.0 has a document, but no text"),
    (said(bodies.POINT), "A cachePoint must follow"),
    (
        turns([TEXT], [bodies.CALL], [bodies.RESULT]),
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    ),
    (
        {**turns([TEXT], [bodies.CALL], [TEXT]), **TOOLED},
        "Expected toolResult blocks at messages.2.content for the following Ids: tooluse_1",
    ),
    (
        {**turns([TEXT], [TEXT], [bodies.RESULT]), **TOOLED},
        "The number of toolResult blocks at messages.2.content exceeds the number of toolUse blocks of previous turn.",
    ),
    ({**turns([bodies.RESULT]), **TOOLED}, "The number of toolResult blocks at messages.0.content exceeds"),
    ({"additionalModelRequestFields": {"top_k": "x"}}, "errors: top_k: Input should be a valid integer"),
    ({"additionalModelRequestFields": {"anthropic_beta": ["files-api-2025-04-14"]}}, "invalid beta flag"),
    ({"additionalModelRequestFields": {"max_tokens": 5}}, "The additional field max_tokens conflicts with an existing"),
    ({"guardrailConfig": {}}, "The guardrail identifier or version provided in the request does not exist."),
    ({"outputConfig": {"textFormat": {**SCHEMA, "structure": {"jsonSchema": {"schema": "{"}}}}}, "is not JSON"),
    (said(TEXT, {"image": {"format": "png", "source": {"bytes": "aGVsbG8="}}}), "errors: Could not process image"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSALS)
def test_a_request_is_judged_as_bedrock_judges_it(converse: Converse, changes: dict[str, Any], words: str) -> None:
    answer = converse(**changes)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["message"]
    assert answer.headers["x-amzn-errortype"].startswith("ValidationException:")


LEAST_SHARE = 0.95
FREE = {
    r"(mistyped|without|unknown) .*\.(input|json)\..*": "arguments, and what a tool says in JSON, are free",
    r"mistyped .*\.content\.\d+\.json": "any JSON may stand there",
    r"unknown .*inputSchema\.json(\.properties\.a)?\.nobody_knows_this": "a JSON Schema may have keywords of its own",
    r"unknown requestMetadata\..*": "metadata is free",
    r"without requestMetadata\..*": "metadata is free",
    r"without .*inputSchema\.json\..*": "the keywords of a JSON Schema are optional",
    r"mistyped .*inputSchema\.json\.(properties\.a|additionalProperties)": "true is a JSON Schema too",
    r"without .*\.(context|citations|status|ttl|description|format)": "an optional field",
    r"without (system|inferenceConfig|inferenceConfig\.\w+|toolConfig\.toolChoice)": "an optional field",
    r"without (requestMetadata|performanceConfig|performanceConfig\.latency|serviceTier)": "an optional field",
    r"without additionalModel(Request|Response)\w+(\.thinking)?": "an optional field",
}


def test_nearly_every_mutation_is_refused_with_the_name_of_the_field(converse: Converse) -> None:
    accepted: list[str] = []
    nameless: list[str] = []
    count = 0
    for mutation in mutations(bodies.full()):
        answer = converse(**({"messages": ...} | mutation.body))
        if answer.status_code == 200:
            accepted.append(str(mutation))
            continue
        count += 1
        message: str = answer.json()["message"]
        assert answer.status_code == 400, message
        if not names(mutation, message):
            nameless.append(f"{mutation}: {message}")
    faults = [one for one in accepted if not any(re.fullmatch(pattern, one) for pattern in FREE)]
    share = (count - len(nameless)) / (count + len(faults))
    print(f"{count} refused, {len(accepted)} accepted, of which {len(faults)} without a reason: {share:.1%}")
    assert not faults
    assert share >= LEAST_SHARE, nameless
    assert count > 150


def names(mutation: Mutation, message: str) -> bool:
    """Whether the message speaks of the field, of the object that holds it, or of the model's name for it."""
    steps = [step for step in mutation.path if isinstance(step, str)][-2:]
    return any(step in message or MODEL_NAMES.get(step, "\n") in message for step in steps)


MODEL_NAMES = {
    "bytes": "image",
    "citations": "Citations",
    "reasoningText": "thinking",
    "signature": "signature",
    "redactedContent": "redacted_thinking",
    "toolUseId": "tooluse",
    "json": "input_schema",
}
