"""A full request of each of OpenAI's formats is taken; with almost any one fault in it, it is refused."""

import re
from typing import Any, NamedTuple

import httpx
import pytest

from tests.sandbox.openai_mutations import mutations

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
WAV = "UklGRigAAABXQVZFZm10IBAAAAABAAEAwF0AAIC7AAACABAAZGF0YQQAAAAAAAAA"
PNG = "data:image/png;base64,iVBORw0KGgoAAAA="


class Format(NamedTuple):
    """A format: where it goes, a full request, which places are free, which fields may be left out."""

    path: str
    body: dict[str, Any]
    free: tuple[str, ...] = ()
    optional: str = ""  # a pattern of the places that the schema does not require
    accepted: tuple[tuple[str, str], ...] = ()  # other mutations that are taken, and why


RESPONSES = Format(
    "/openai/v1/responses",
    {
        "model": "gpt-5",
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "developer", "content": "Look first.", "status": "completed"},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "look"},
                    {"type": "input_image", "image_url": PNG, "detail": "low"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                ],
            },
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "one",
                        "annotations": [
                            {
                                "type": "url_citation",
                                "start_index": 0,
                                "end_index": 3,
                                "url": "https://a.example/",
                                "title": "a",
                            }
                        ],
                    },
                    {"type": "refusal", "refusal": "no"},
                ],
            },
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "seen"}]},
            {"type": "custom_tool_call", "call_id": "call_2", "name": "free", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": "done"},
            {
                "type": "local_shell_call",
                "call_id": "call_3",
                "status": "completed",
                "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 5},
            },
            {"type": "function_call_output", "call_id": "call_3", "output": "a b"},
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": "x"},
            },
        ],
        "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
        "tools": [
            {"type": "function", "name": "look", "description": "d", "parameters": SCHEMA, "strict": True},
            {"type": "custom", "name": "free", "format": {"type": "grammar", "syntax": "regex", "definition": "x"}},
            {
                "type": "web_search",
                "search_context_size": "low",
                "filters": {"allowed_domains": ["a.example"]},
                "user_location": {"type": "approximate", "country": "VN"},
            },
            {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 3},
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_1"]}},
            {"type": "image_generation", "size": "1024x1024", "partial_images": 1},
            {"type": "mcp", "server_label": "m", "server_url": "https://m.example/", "require_approval": "never"},
            {"type": "local_shell"},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
        "parallel_tool_calls": True,
        "max_tool_calls": 3,
        "max_output_tokens": 500,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {
            "format": {"type": "json_schema", "name": "thing", "schema": SCHEMA, "strict": True},
            "verbosity": "low",
        },
        "truncation": "disabled",
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "store": False,
        "background": False,
        "metadata": {"k": "v"},
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "safety_identifier": "s",
        "user": "u",
    },
    ("tools[0].parameters", "text.format.schema", "metadata", "input[8].action.env", "tool_choice.tools[0]"),
    r"input\[0\]\.(type|status)|input\[1\]\.content\[1\]\.detail|input\[1\]\.content\[2\]\.filename"
    r"|input\[2\]\.(id|status|type)|input\[2\]\.content\[0\]\.annotations|input\[4\]\.id|input\[8\]\.status"
    r"|input\[8\]\.action\.(env|timeout_ms)|input\[10\]\.(id|status|action|action\.query)"
    r"|instructions|include|tool_choice|parallel_tool_calls|max_tool_calls|max_output_tokens|reasoning"
    r"|reasoning\.(effort|summary)|text|text\.(format|verbosity)|text\.format\.strict|truncation|stream_options"
    r"|stream_options\.include_obfuscation|store|background|metadata|prompt_cache_key|service_tier"
    r"|safety_identifier|user|tools\[0\]\.(description|strict)|tools\[1\]\.format"
    r"|tools\[2\]\.(search_context_size|filters|user_location)|tools\[2\]\.filters\.allowed_domains"
    r"|tools\[2\]\.user_location\.(type|country)|tools\[3\]\.max_num_results|tools\[4\]\.container\.file_ids"
    r"|tools\[5\]\.(size|partial_images)|tools\[6\]\.require_approval",
)
CHAT = Format(
    "/openai/v1/chat/completions",
    {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "Be brief.", "name": "sys"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                    {"id": "call_2", "type": "custom", "custom": {"name": "free", "input": "x"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "done"}]},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "look", "description": "d", "parameters": SCHEMA, "strict": True},
            },
            {"type": "custom", "custom": {"name": "free", "format": {"type": "text"}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "thing", "schema": SCHEMA, "strict": True, "description": "d"},
        },
        "temperature": 0.5,
        "top_p": 0.9,
        "n": 2,
        "stop": ["x"],
        "max_tokens": 50,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
        "logit_bias": {"5": 1},
        "logprobs": True,
        "top_logprobs": 2,
        "seed": 5,
        "user": "u",
        "store": False,
        "metadata": {"k": "v"},
        "service_tier": "default",
        "stream": True,
        "stream_options": {"include_usage": True},
        "prediction": {"type": "content", "content": "x"},
        "modalities": ["text"],
        "prompt_cache_key": "k",
        "safety_identifier": "s",
    },
    ("tools[0].function.parameters", "response_format.json_schema.schema", "metadata", "logit_bias"),
    r"messages\[0\]\.name|messages\[1\]\.content\[1\]\.image_url\.detail|messages\[2\]\.content|parallel_tool_calls"
    r"|tools\[0\]\.function\.(description|strict)|tools\[1\]\.custom\.format|tool_choice|response_format"
    r"|response_format\.json_schema\.(strict|description)|temperature|top_p|n|stop|max_tokens|presence_penalty"
    r"|frequency_penalty|logit_bias|top_logprobs|seed|user|store|metadata|service_tier|stream_options"
    r"|stream_options\.include_usage|prediction|modalities|prompt_cache_key|safety_identifier",
)
AUDIO = Format(
    "/openai/v1/chat/completions",
    {
        "model": "gpt-4o-audio-preview",
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "wav"},
        "messages": [
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}]}
        ],
    },
    optional="modalities",  # audio comes in, so text may go out
)
TEXTS = Format(
    "/openai/v1/completions",
    {
        "model": "gpt-3.5-turbo-instruct",
        "prompt": ["Once", "Twice"],
        "suffix": "end",
        "echo": True,
        "best_of": 2,
        "n": 1,
        "logprobs": 2,
        "max_tokens": 9,
        "temperature": 0,
        "top_p": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "logit_bias": {"5": 1},
        "seed": 5,
        "stop": "x",
        "user": "u",
        "stream": False,
    },
    ("logit_bias",),
    "suffix|echo|best_of|n|logprobs|max_tokens|temperature|top_p|presence_penalty|frequency_penalty|logit_bias|seed|stop"
    "|user|stream",
)
MODERATIONS = Format(
    "/openai/v1/moderations",
    {
        "model": "omni-moderation-latest",
        "input": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": PNG}}],
    },
    optional="model",
)
EMBEDDINGS = Format(
    "/openai/v1/embeddings",
    {
        "model": "text-embedding-3-small",
        "input": ["one", "two"],
        "encoding_format": "base64",
        "dimensions": 8,
        "user": "u",
    },
    optional="encoding_format|dimensions|user",
)
FORMATS = {
    "responses": RESPONSES,
    "chat": CHAT,
    "audio": AUDIO,
    "texts": TEXTS,
    "moderations": MODERATIONS,
    "embeddings": EMBEDDINGS,
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_request_is_taken(http: httpx.Client, name: str) -> None:
    answer = http.post(FORMATS[name].path, json=FORMATS[name].body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", FORMATS)
def test_one_fault_is_enough_to_be_refused(http: httpx.Client, name: str) -> None:
    form = FORMATS[name]
    found = [one for one in mutations(form.body, form.free) if not _left_out(form, one.name)]
    statuses = {one.name: http.post(form.path, json=one.body).status_code for one in found}
    taken = {name for name, status in statuses.items() if status == 200}
    assert set(statuses.values()) <= {200, 400, 404}
    assert taken == {one for one, _ in form.accepted}, "say why OpenAI takes it, or refuse it"
    assert len(taken) <= len(found) * 0.05


@pytest.mark.parametrize("name", FORMATS)
def test_what_may_be_left_out_may_be_left_out(http: httpx.Client, name: str) -> None:
    form = FORMATS[name]
    found = [one for one in mutations(form.body, form.free) if _left_out(form, one.name)]
    refused = {one.name: answer.text for one in found if (answer := http.post(form.path, json=one.body)).is_error}
    assert refused == {}


def _left_out(form: Format, name: str) -> bool:
    verb, _, place = name.partition(" ")
    return verb == "delete" and re.fullmatch(form.optional, place) is not None
