"""A Converse request as the Anthropic request that Bedrock makes of it.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. The model's own complaints come back
in Anthropic's words: github.com/strands-agents/harness-sdk/pull/3610.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from yescale_sandbox.anthropic.catalogue import Model
from yescale_sandbox.bedrock.refusal import RefusedError
from yescale_sandbox.jsontype import Json, JsonObject

# The shape table has seen the request before: what is read here is there, and of its type.
Checked = Mapping[str, Any]
_PDF = "pdf"


def anthropic_body(request: Checked, model: Model) -> JsonObject:
    """The body for the model; without a limit, the model's own."""
    inference: Checked = request.get("inferenceConfig", {})
    body: JsonObject = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": inference.get("maxTokens", model.most_output),
        "messages": [_message(message) for message in request["messages"]],
    }
    for name, other in (("temperature", "temperature"), ("topP", "top_p"), ("stopSequences", "stop_sequences")):
        if name in inference:
            body[other] = inference[name]
    if request.get("system"):
        body["system"] = _marked(request["system"], lambda one: {"type": "text", "text": one["text"]})
    if "toolConfig" in request:
        body.update(_tools(request["toolConfig"]))
    if "outputConfig" in request and "textFormat" in request["outputConfig"]:
        schema = request["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]
        body["output_config"] = {"format": {"type": "json_schema", "schema": _parsed(schema)}}
    additional: JsonObject = request.get("additionalModelRequestFields", {})
    for name in additional:
        if name in body:
            raise RefusedError(f"The additional field {name} conflicts with an existing field.")
    return {**body, **additional}


def _message(message: Checked) -> JsonObject:
    return {"role": message["role"], "content": _marked(message["content"], _block)}


def _marked(blocks: list[Checked], write: Callable[[Checked], JsonObject]) -> list[Json]:
    """The blocks written; a cache point marks the one before it."""
    written: list[JsonObject] = []
    for block in blocks:
        point = block.get("cachePoint")
        if point is None:
            written.append(write(block))
            continue
        if not written:
            raise RefusedError("A cachePoint must follow the content that it caches.")
        written[-1]["cache_control"] = {"type": "ephemeral", "ttl": point.get("ttl", "5m")}
    return list(written)


def _tools(config: Checked) -> JsonObject:
    made: JsonObject = {"tools": _marked(config["tools"], _tool)}
    choice: Checked | None = config.get("toolChoice")
    if choice is not None:
        kind = next(iter(choice))
        made["tool_choice"] = {"type": kind, **choice[kind]}
    return made


def _tool(tool: Checked) -> JsonObject:
    spec: Checked = tool["toolSpec"]
    made: JsonObject = {"name": spec["name"], "input_schema": spec["inputSchema"]["json"]}
    return made | {name: spec[name] for name in ("description", "strict") if name in spec}


def _block(block: Checked) -> JsonObject:
    kind, content = next(iter(block.items()))
    return _WRITERS[kind](content)


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _image(image: Checked) -> JsonObject:
    source = {"type": "base64", "media_type": f"image/{image['format']}", "data": image["source"]["bytes"]}
    return {"type": "image", "source": source}


def _document(document: Checked) -> JsonObject:
    made: JsonObject = {"type": "document", "source": _source(document), "title": document["name"]}
    if "context" in document:
        made["context"] = document["context"]
    if "citations" in document:
        made["citations"] = document["citations"]
    return made


def _source(document: Checked) -> JsonObject:
    source: Checked = document["source"]
    if "content" in source:
        return {"type": "content", "content": [_text(one["text"]) for one in source["content"]]}
    if "text" in source:
        return {"type": "text", "media_type": "text/plain", "data": source["text"]}
    if document.get("format", _PDF) == _PDF:
        return {"type": "base64", "media_type": "application/pdf", "data": source["bytes"]}
    # Office formats are read by Bedrock; here their bytes stand for their words.
    return {"type": "text", "media_type": "text/plain", "data": _decoded(source["bytes"]).decode("utf-8", "replace")}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError("The bytes of a document are not base64.", "SerializationException") from None


def _tool_use(use: Checked) -> JsonObject:
    return {"type": "tool_use", "id": use["toolUseId"], "name": use["name"], "input": use["input"]}


def _tool_result(result: Checked) -> JsonObject:
    made: JsonObject = {
        "type": "tool_result",
        "tool_use_id": result["toolUseId"],
        "content": [_block(one) for one in result["content"]],
    }
    return made | ({"is_error": True} if result.get("status") == "error" else {})


def _json(value: Json) -> JsonObject:
    return _text(msgspec.json.encode(value).decode())


def _reasoning(content: Checked) -> JsonObject:
    if "redactedContent" in content:
        return {"type": "redacted_thinking", "data": _decoded(content["redactedContent"]).decode("utf-8", "replace")}
    told: Checked = content["reasoningText"]
    return {"type": "thinking", "thinking": told["text"], "signature": told.get("signature", "")}


def _cited(content: Checked) -> JsonObject:
    return _text("".join(one["text"] for one in content.get("content", [])))


def _search_result(result: Checked) -> JsonObject:
    return {**result, "type": "search_result", "content": [_text(one["text"]) for one in result["content"]]}


_WRITERS: Mapping[str, Callable[[Any], JsonObject]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    "json": _json,
    "reasoningContent": _reasoning,
    "citationsContent": _cited,
    "searchResult": _search_result,
}


def _parsed(schema: str) -> Json:
    try:
        return msgspec.json.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        raise RefusedError("The schema of outputConfig.textFormat is not JSON.") from None
