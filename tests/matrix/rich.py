"""For each format, a request that says all that the format can say and another may not, and what becomes of it."""

import json
from collections.abc import Iterator
from typing import Any

from tests.matrix.asking import PERSON, PIXEL, TOOL, WEATHER
from yescale.domain.loss import Loss
from yescale.protocols import anthropic_messages, gemini_generate, openai_chat, openai_responses
from yescale.protocols.codec import Codec, PathWords
from yescale.providers.anthropic import ANTHROPIC
from yescale.providers.google import GOOGLE
from yescale.providers.openai import OPENAI, OPENAI_RESPONSES
from yescale.providers.provider import Provider

FORMATS = {
    "chat": openai_chat.CHAT.codec,
    "responses": openai_responses.RESPONSES.codec,
    "messages": anthropic_messages.MESSAGES.codec,
    "generate": gemini_generate.GENERATE.codec,
}
# The models of a provider whose profiles differ in what they lose.
TARGETS: dict[str, tuple[Provider, tuple[str, ...]]] = {
    "chat": (OPENAI, ("gpt-4o", "gpt-5")),
    "responses": (OPENAI_RESPONSES, ("gpt-4o", "gpt-5")),
    "messages": (ANTHROPIC, ("claude-sonnet-4-5", "claude-3-5-haiku-latest")),
    "generate": (GOOGLE, ("gemini-2.5-flash", "gemini-2.0-flash")),
}
_FUNCTION = {"name": TOOL, "description": "d", "parameters": WEATHER, "strict": True}
_WORDS = "What is this?"
_PDF = "data:application/pdf;base64,JVBERi0x"

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": _WORDS}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": TOOL, "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "31"},
        {"role": "system", "content": "Be long."},
        {"role": "user", "content": "Go on."},
    ],
    "tools": [{"type": "function", "function": _FUNCTION}],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "temperature": 0.5,
    "top_p": 0.9,
    "seed": 7,
    "n": 2,
    "stop": ["END"],
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
    "logit_bias": {"1": 2},
    "logprobs": True,
    "top_logprobs": 2,
    "max_completion_tokens": 2000,
    "reasoning_effort": "low",
    "verbosity": "low",
    "response_format": {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}},
    "service_tier": "auto",
    "store": False,
    "metadata": {"a": "b"},
    "user": "u1",
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {},
}
RESPONSES: dict[str, Any] = {
    "model": "m",
    "instructions": "Be short.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": _WORDS}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "e",
        },
        {"type": "function_call", "call_id": "c1", "name": TOOL, "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "31"},
        {"role": "developer", "content": "Be long."},
        {"role": "user", "content": "Go on."},
    ],
    "tools": [
        {"type": "function", **_FUNCTION},
        {"type": "custom", "name": "free", "description": "d"},
        {"type": "web_search"},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_logprobs": 2,
    "max_output_tokens": 2000,
    "max_tool_calls": 3,
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "text": {"format": {"type": "json_schema", "name": "person", "strict": True, "schema": PERSON}, "verbosity": "low"},
    "truncation": "auto",
    "service_tier": "auto",
    "store": False,
    "metadata": {"a": "b"},
    "user": "u1",
    "prompt_cache_key": "k",
    "safety_identifier": "s",
}
MESSAGES: dict[str, Any] = {
    "model": "m",
    "max_tokens": 4000,
    "system": [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                {"type": "text", "text": _WORDS, "cache_control": {"type": "ephemeral"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "r"},
                {"type": "tool_use", "id": "toolu_1", "name": TOOL, "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "31", "is_error": True}],
        },
    ],
    "tools": [
        {"name": TOOL, "description": "d", "input_schema": WEATHER, "cache_control": {"type": "ephemeral"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"format": {"type": "json_schema", "schema": PERSON}},
    "stop_sequences": ["END"],
    "top_k": 5,
    "top_p": 0.95,
    "metadata": {"user_id": "u1"},
    "service_tier": "auto",
}
GENERATE: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be short."}]},
    "contents": [
        {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}, {"text": _WORDS}]},
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True},
                {"functionCall": {"name": TOOL, "args": {}}, "thoughtSignature": "c2VhbA=="},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": TOOL, "response": {"result": "31"}}}]},
    ],
    "tools": [
        {"functionDeclarations": [{"name": TOOL, "description": "d", "parametersJsonSchema": WEATHER}]},
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 5,
        "seed": 7,
        "candidateCount": 2,
        "maxOutputTokens": 2000,
        "stopSequences": ["END"],
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.1,
        "responseLogprobs": True,
        "logprobs": 2,
        "responseMimeType": "application/json",
        "responseJsonSchema": PERSON,
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1024},
    },
}
# Parts that are content: each in a request of its own, as the first that is lost refuses the request.
FILES: dict[str, dict[str, Any]] = {
    "chat": {
        "a file inline": {"type": "file", "file": {"filename": "a.pdf", "file_data": _PDF}},
        "a stored file": {"type": "file", "file": {"file_id": "file-1"}},
        "audio": {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        "an image by URL": {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    },
    "responses": {
        "a file inline": {"type": "input_file", "filename": "a.pdf", "file_data": _PDF},
        "a stored file": {"type": "input_file", "file_id": "file-1"},
        "a file by URL": {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        "an image by URL": {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
    },
    "messages": {
        "a file inline": {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"},
        },
        "a stored file": {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        "a file by URL": {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        "an image by URL": {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    },
    "generate": {
        "a file inline": {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0x"}},
        "a stored file": {
            "fileData": {
                "mimeType": "application/pdf",
                "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a",
            }
        },
        "audio": {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        "video": {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}},
    },
}
BODIES = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES, "generate": GENERATE}


def losses(client: str, upstream: str) -> Iterator[Loss]:
    """All that a format's fullest request loses on the way to another."""
    for model in TARGETS[upstream][1]:
        yield from _lost(client, upstream, model, BODIES[client])


def refused(client: str, upstream: str) -> Iterator[tuple[str, Loss]]:
    """Kinds of content that keep a request from an upstream, and what they lose there."""
    for name, part in FILES[client].items():
        for loss in _lost(client, upstream, TARGETS[upstream][1][0], _with_part(client, part)):
            if loss.weight == "content":
                yield name, loss


def _lost(client: str, upstream: str, model: str, body: dict[str, Any]) -> tuple[Loss, ...]:
    source, target = FORMATS[client], FORMATS[upstream]
    assert isinstance(source, Codec)
    assert isinstance(target, Codec)
    request = source.decode_request(json.dumps(body).encode(), PathWords(model="m"))
    return target.encode_request(request, TARGETS[upstream][0].profile(model)).losses


def _with_part(client: str, part: dict[str, Any]) -> dict[str, Any]:
    match client:
        case "chat":
            return {"model": "m", "messages": [{"role": "user", "content": [part]}]}
        case "responses":
            return {"model": "m", "input": [{"role": "user", "content": [part]}]}
        case "messages":
            return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [part]}]}
        case _:
            return {"contents": [{"role": "user", "parts": [part]}]}
