"""Every field of vendors' requests, by the types of their SDKs: read, or on a list that says why it need not be.

A newer SDK with a new field that is lost in silence fails here. What is compared is the request as its own format would
write it anew, with the field and without, or with another value of it.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as AnthropicBeta
from anthropic.types.message_create_params import MessageCreateParamsBase as Anthropic
from google.genai import Client, models, types
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as Chat
from openai.types.responses.response_create_params import ResponseCreateParamsBase as Responses
from pydantic import BaseModel

from tests.laws.sampling import MARK, Sampler
from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile
from yescale.protocols.codec import Codec, Malformed, PathWords
from yescale.protocols.registry import CODECS

TOOL = {"name": "f", "input_schema": {"type": "object"}}
FIXED = {
    "budget_tokens": 2_048,
    "max_tokens": 4_096,
    "max_completion_tokens": 4_096,
    "max_output_tokens": 4_096,
    "stream_options": {"include_usage": True},
    "Content.role": "model",
    "GenerateContentConfig.top_k": 3,
}
USER = {"role": "user", "content": "x"}
SAYS_NOTHING = "this value says what leaving it out says"
FILLED_IN = "OpenAI fills it in; what is sent is read without"
ONE_IS_ENOUGH = "a file has one source, and another is said already"
SCORES = "scores of an earlier answer tell a model nothing"
OURS = "the stream that the client gets is ours"
NO_MARKS = "OpenAI caches by itself, and the other formats mark the result as a whole"
NAMED = "pictures have no names in any other format, and Google refers to them by none here"
LOOK = "how finely a file is looked at, each provider decides by itself"


_GOOGLE = Client(api_key="no-key")._api_client


def google(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """As Google's SDK sends it to AI Studio, or to Vertex. Raises ValueError for what it refuses."""
    parameters = types._GenerateContentParameters.model_validate(body)
    try:
        wire = models._GenerateContentParameters_to_mldev(_GOOGLE, parameters)
    except ValueError:
        wire = models._GenerateContentParameters_to_vertex(_GOOGLE, parameters)
    return {name: plain(value) for name, value in wire.items() if not name.startswith("_")}


def plain(value: Any) -> Any:
    """What stands in the SDK's own types."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


class Vendor(NamedTuple):
    """A format's requests in a vendor's SDK. `silent`: what may be lost, and why."""

    codec: str
    root: type
    beside: Mapping[str, Mapping[str, Any]]
    silent: Mapping[str, str]
    wire: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict  # what the SDK makes of its own types


VENDORS = {
    "openai chat": Vendor(
        "openai.chat",
        Chat,
        {
            "JSONSchema": {"name": "form", "schema": {"type": "object"}},
            "FileFile": {"file_id": "file-1"},
            "CompletionCreateParamsBase": {"stream": True},
        },
        {
            "CompletionCreateParamsBase.response_format": SAYS_NOTHING,
            "CompletionCreateParamsBase.stream_options": "the upstream is always asked for usage",
            "ChatCompletionStreamOptionsParam.include_obfuscation": OURS,
            "ChatCompletionStreamOptionsParam.include_usage": "the upstream is always asked for usage",
            "ChatCompletionDeveloperMessageParam.name": "words that lead have no speaker in any other format",
            "ChatCompletionSystemMessageParam.name": "words that lead have no speaker in any other format",
            "ChatCompletionContentPartInputAudioParam.prompt_cache_breakpoint": "no other format caches sound",
            "FileFile.file_data": ONE_IS_ENOUGH,
            "FileFile.filename": "a stored file has its name",
        },
    ),
    "openai responses": Vendor(
        "openai.responses",
        Responses,
        {
            "ResponseCreateParamsBase": {"model": "m-1", "input": "x", "stream": True},
            **{f"ResponseInputFile{kind}Param": {"file_id": "file-1"} for kind in ("", "Content")},
            **{f"ResponseInputImage{kind}Param": {"file_id": "file-1"} for kind in ("", "Content")},
            "ToolChoiceAllowedParam": {"tools": [{"type": "function", "name": "f"}]},
        },
        {
            "ResponseCreateParamsBase.reasoning": SAYS_NOTHING,
            "ResponseCreateParamsBase.text": SAYS_NOTHING,
            "ResponseTextConfigParam.format": SAYS_NOTHING,
            "EasyInputMessageParam.type": SAYS_NOTHING,
            "Message.type": SAYS_NOTHING,
            "Message.status": FILLED_IN,
            "ResponseOutputMessageParam.id": FILLED_IN,
            "ResponseOutputMessageParam.status": FILLED_IN,
            "ResponseFunctionToolCallParam.id": FILLED_IN,
            "ResponseFunctionToolCallParam.status": FILLED_IN,
            "ResponseCustomToolCallParam.id": FILLED_IN,
            "ResponseCustomToolCallOutputParam.id": FILLED_IN,
            "ResponseReasoningItemParam.status": FILLED_IN,
            "FunctionCallOutput.id": FILLED_IN,
            "FunctionCallOutput.status": FILLED_IN,
            "FunctionCallOutput.name": "its call says it",
            "FunctionCallOutput.namespace": "its call says it",
            "AdditionalTools.id": FILLED_IN,
            "ResponseReasoningItemParam.content": "the summary beside it is what goes back",
            "Content.text": "the summary beside it is what goes back",
            **{
                f"ResponseInput{kind}.{field}": ONE_IS_ENOUGH
                for kind, field in (
                    ("ImageParam", "image_url"),
                    ("ImageContentParam", "image_url"),
                    ("FileParam", "file_data"),
                    ("FileContentParam", "file_data"),
                    ("FileParam", "file_url"),
                    ("FileContentParam", "file_url"),
                )
            },
            "ResponseInputFileParam.detail": LOOK,
            "ResponseInputFileContentParam.detail": LOOK,
            "ResponseInputTextContentParam.prompt_cache_breakpoint": NO_MARKS,
            "ResponseInputImageContentParam.prompt_cache_breakpoint": NO_MARKS,
            "ResponseInputFileContentParam.prompt_cache_breakpoint": NO_MARKS,
            "ResponseOutputTextParam.logprobs": SCORES,
            "Logprob.token": SCORES,
            "Logprob.logprob": SCORES,
            "LogprobTopLogprob.token": SCORES,
            "LogprobTopLogprob.logprob": SCORES,
        },
    ),
    "anthropic": Vendor(
        "anthropic.messages",
        Anthropic,
        {
            "MessageCreateParamsBase": {"stream": True, "tools": [TOOL]},
            "SystemMessageParam": {"content": "x"},
            "OutputConfigParam": {"effort": "low"},
            "MetadataParam": {"user_id": "u"},
            "CitationsConfigParam": {"enabled": True},
        },
        {
            "ToolParam.type": SAYS_NOTHING,
            "ToolUseBlockParam.caller": SAYS_NOTHING,
            "ToolUseBlock.caller": SAYS_NOTHING,
        },
    ),
    "anthropic beta": Vendor(
        "anthropic.messages",
        AnthropicBeta,
        {
            "MessageCreateParamsBase": {"stream": True, "tools": [TOOL]},
            "BetaSystemMessageParam": {"content": "x"},
            "BetaOutputConfigParam": {"effort": "low"},
            "BetaMetadataParam": {"user_id": "u"},
            "BetaCitationsConfigParam": {"enabled": True},
        },
        {
            "BetaToolParam.type": SAYS_NOTHING,
            "BetaToolUseBlockParam.caller": SAYS_NOTHING,
            "BetaToolUseBlock.caller": SAYS_NOTHING,
            "BetaRequestDocumentBlockParam.citations": SAYS_NOTHING,
        },
    ),
    "google": Vendor(
        "gemini.generate",
        types._GenerateContentParameters,
        {
            "_GenerateContentParameters": {"model": "m-1", "contents": [{"role": "user", "parts": [{"text": "x"}]}]},
            "GenerateContentConfig": {"tools": [{"function_declarations": [{"name": "f"}]}]},
            "FunctionCallingConfig": {"mode": "ANY"},
            "FileData": {"file_uri": "files/a", "mime_type": "text/plain"},
            "FunctionResponseBlob": {"data": MARK, "mime_type": "image/png"},
            "FunctionResponseFileData": {"file_uri": "files/a", "mime_type": "text/plain"},
            "Blob": {"data": MARK, "mime_type": "image/png"},
            "FunctionDeclaration": {"name": "f"},
            "FunctionCall": {"name": "f"},
            "FunctionResponse": {"name": "f", "response": {"output": "x"}},
        },
        {
            "Content.role": "a content without parts says nothing",
            "GenerateContentConfig.tool_config": SAYS_NOTHING,
            "GenerateContentConfig.thinking_config": SAYS_NOTHING,
            "Blob.display_name": NAMED,
            "FunctionResponseBlob.display_name": NAMED,
        },
        google,
    ),
}


@cache
def sampler(name: str) -> Sampler:
    vendor = VENDORS[name]
    return Sampler(vendor.root, FIXED, vendor.beside)


def written(codec: Codec, body: Mapping[str, Any]) -> tuple[bytes, tuple[str, ...]]:
    """The request as its own format says it anew, and what that could not say."""
    body = {**body, "messages": [USER, *body["messages"]]} if "messages" in body else body
    request = codec.decode_request(json.dumps(body).encode(), PathWords("m-1", True))
    encoded = codec.encode_request(request, Profile())
    return encoded.body, tuple(loss.what for loss in encoded.losses)


def lost(vendor: Vendor, found: Sampler) -> Iterator[tuple[str, str]]:
    """The fields that make no difference, or that are refused; each with one that tells the story."""
    codec = CODECS[ProtocolId(vendor.codec)]
    for spot in found.spots():
        value, other = found.value(spot), found.value(spot, other=True) if found.required(spot) else None
        if found.required(spot) and other is None:
            continue  # a word that cannot be another
        try:
            said, unsaid = vendor.wire(found.request(spot, value)), vendor.wire(found.request(spot, other))
        except ValueError:
            continue  # the SDK itself does not send it
        if said == unsaid:
            continue  # it is for the SDK alone
        try:
            with_it = written(codec, said)
        except Malformed as malformed:
            yield spot.name, malformed.fault.message
            continue
        try:
            without = written(codec, unsaid)
        except Malformed:
            continue  # nothing could do without
        if with_it == without and not with_it[1]:
            yield spot.name, f"{said} is written as if it were not said"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", VENDORS)
def test_every_field_of_a_vendor_s_requests_is_read_or_known_to_be_of_no_use(name: str) -> None:
    vendor = VENDORS[name]
    found = dict(lost(vendor, sampler(name)))
    assert {spot: why for spot, why in found.items() if spot not in vendor.silent} == {}
    assert set(vendor.silent) <= set(found), "the list names what is read by now"
