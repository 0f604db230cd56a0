"""The four formats as raw HTTP: how to ask in each, whether a stream keeps its grammar, and what it says."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from tests.grammars import anthropic, gemini, openai_chat, openai_responses
from tests.grammars.frames import frames
from tests.matrix.asking import TOLD, TOOL, WEATHER
from tests.matrix.house import House
from tests.matrix.upstreams import Upstream

Calls = list[tuple[str, str]]  # name and arguments, as the stream spells them


@dataclass(frozen=True, kw_only=True)
class Wire:
    """One client's format."""

    path: Callable[[str], str]
    body: Callable[[str, str], dict[str, Any]]  # model and words
    tools: Any
    thinking: Mapping[str, Any]
    limit: Callable[[int], dict[str, Any]]
    faults: Callable[[bytes], list[str]]  # of a stream that ends as it should
    calls: Callable[[bytes], Calls]
    failed: Callable[[bytes], bool]  # the stream ends with an error of the format, and not cleanly

    def post(self, house: House, upstream: Upstream, body: dict[str, Any]) -> "Heard":
        """Send a body and read the stream to its end, or to where it breaks off."""
        headers = {"Authorization": f"Bearer {house.keys[upstream.name]}", "anthropic-version": "2023-06-01"}
        url = house.base_url + self.path(body["model"])
        sent = {name: value for name, value in body.items() if name != "model" or "v1beta" not in url}
        content = bytearray()
        with httpx.stream("POST", url, json=sent, headers=headers, timeout=60) as answer:
            try:
                for piece in answer.iter_raw():
                    content += piece
            except httpx.RemoteProtocolError:
                return Heard(answer.status_code, answer.headers, bytes(content), whole=False)
        return Heard(answer.status_code, answer.headers, bytes(content), whole=True)


class Heard(NamedTuple):
    """An answer as it came; one that broke off is not whole."""

    status: int
    headers: httpx.Headers
    content: bytes
    whole: bool


def _chat_body(model: str, words: str) -> dict[str, Any]:
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": model, "messages": [{"role": "user", "content": words}], **asked}


def _chat_faults(stream: bytes) -> list[str]:
    return list(openai_chat.faults(frames(stream)))


def _chat_calls(stream: bytes) -> Calls:
    made: dict[int, list[str]] = {}
    for frame in frames(stream)[:-1]:
        for choice in frame.json()["choices"]:
            for piece in choice["delta"].get("tool_calls") or ():
                call = made.setdefault(piece["index"], ["", ""])
                call[0] += piece["function"].get("name") or ""
                call[1] += piece["function"].get("arguments") or ""
    return [(name, arguments) for name, arguments in made.values()]


def _chat_failed(stream: bytes) -> bool:
    return b"[DONE]" not in stream and "error" in frames(stream)[-1].json()


def _responses_calls(stream: bytes) -> Calls:
    events = [frame.json() for frame in frames(stream)]
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    return [(item["name"], item["arguments"]) for item in items if item["type"] == "function_call"]


def _responses_failed(stream: bytes) -> bool:
    last = frames(stream)[-1]
    return last.name in ("error", "response.failed") and b"response.completed" not in stream


def _messages_calls(stream: bytes) -> Calls:
    made: dict[int, list[str]] = {}
    for event in anthropic.events(stream):
        block, delta = event.data.get("content_block", {}), event.data.get("delta", {})
        if block.get("type") == "tool_use":
            made[event.data["index"]] = [block["name"], ""]
        if delta.get("type") == "input_json_delta":
            made[event.data["index"]][1] += delta["partial_json"]
    return [(name, arguments or "{}") for name, arguments in made.values()]


def _messages_failed(stream: bytes) -> bool:
    read = anthropic.events(stream)
    return read[-1].name == "error" and anthropic.faults(read, may_fail=True, estimates=True) == []


def _generate_faults(stream: bytes) -> list[str]:
    try:
        gemini.check(gemini.events(stream))
    except AssertionError as fault:
        return [repr(fault)]
    return []


def _generate_calls(stream: bytes) -> Calls:
    calls = [part["functionCall"] for part in gemini.parts(gemini.events(stream)) if "functionCall" in part]
    return [(call["name"], json.dumps(call["args"], ensure_ascii=False)) for call in calls]


def _generate_failed(stream: bytes) -> bool:
    gemini.check_failed(gemini.events(stream))
    return True


_FUNCTION = {"name": TOOL, "description": TOLD, "parameters": WEATHER}
WIRES = {
    "chat": Wire(
        path=lambda _: "/v1/chat/completions",
        body=_chat_body,
        tools=[{"type": "function", "function": _FUNCTION}],
        thinking={"reasoning_effort": "low"},
        limit=lambda tokens: {"max_tokens": tokens},
        faults=_chat_faults,
        calls=_chat_calls,
        failed=_chat_failed,
    ),
    "responses": Wire(
        path=lambda _: "/v1/responses",
        body=lambda model, words: {"model": model, "input": words, "stream": True, "store": False},
        tools=[{"type": "function", **_FUNCTION, "strict": True}],
        thinking={
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
        },
        limit=lambda tokens: {"max_output_tokens": tokens},
        faults=lambda stream: list(openai_responses.faults(frames(stream))),
        calls=_responses_calls,
        failed=_responses_failed,
    ),
    "messages": Wire(
        path=lambda _: "/v1/messages",
        body=lambda model, words: {
            "model": model,
            "max_tokens": 8000,
            "stream": True,
            "messages": [{"role": "user", "content": words}],
        },
        tools=[{"name": TOOL, "description": TOLD, "input_schema": WEATHER}],
        thinking={"thinking": {"type": "enabled", "budget_tokens": 1024}},
        limit=lambda tokens: {"max_tokens": tokens},
        faults=lambda stream: anthropic.faults(anthropic.events(stream), estimates=True),
        calls=_messages_calls,
        failed=_messages_failed,
    ),
    "generate": Wire(
        path=lambda model: f"/v1beta/models/{model}:streamGenerateContent?alt=sse",
        body=lambda model, words: {"model": model, "contents": [{"role": "user", "parts": [{"text": words}]}]},
        tools=[{"functionDeclarations": [{"name": TOOL, "description": TOLD, "parametersJsonSchema": WEATHER}]}],
        thinking={"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}}},
        limit=lambda tokens: {"generationConfig": {"maxOutputTokens": tokens}},
        faults=_generate_faults,
        calls=_generate_calls,
        failed=_generate_failed,
    ),
}
