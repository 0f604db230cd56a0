"""What Anthropic refuses, the sandbox refuses: same status, type and words."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.sandbox.anthropic import bodies

Ask = Callable[..., httpx.Response]
ASK = {"role": "user", "content": "hi"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen"}
LOOK = {"name": "look", "input_schema": {"type": "object"}}
THINKING = {"type": "enabled", "budget_tokens": 1024}
FOUR = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}} for _ in range(4)]


def content(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"messages": [ASK, {"role": role, "content": list(blocks)}] if role != "user" else [user(*blocks)]}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def claude(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def told(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(messages)}


def tool(**changes: Any) -> dict[str, Any]:
    return {"tools": [{**LOOK, **changes}]}


def image(kind: str, data: bytes | str) -> dict[str, Any]:
    encoded = data if isinstance(data, str) else base64.b64encode(data).decode()
    return content({"type": "image", "source": {"type": "base64", "media_type": kind, "data": encoded}})


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


SCOPE = {"cache_control": {"type": "ephemeral", "scope": "global"}}
PATHS = "messages.0.content.0"

# The mutation of a good request, and the words of the answer.
CASES: list[tuple[dict[str, Any], str]] = [
    ({"model": ...}, "model: Field required"),
    ({"model": 7}, "model: Input should be a valid string"),
    ({"model": ""}, "model: String should have at least 1 character"),
    ({"messages": ...}, "messages: Field required"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": "hi"}, "messages: Input should be a valid list"),
    ({"messages": ["hi"]}, "messages.0: Input should be an object"),
    ({"max_tokens": ...}, "max_tokens: Field required"),
    ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    ({"max_tokens": 1.5}, "max_tokens: Input should be a valid integer, got a number with a fractional part"),
    (
        {"max_tokens": 64_001},
        "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5",
    ),
    ({"response_format": {"type": "json_object"}}, "response_format: Extra inputs are not permitted"),
    ({"context_management": {"edits": []}}, "context_management: Extra inputs are not permitted"),
    ({"mcp_servers": []}, "mcp_servers: Extra inputs are not permitted"),
    ({"output_format": None}, "output_format: Extra inputs are not permitted"),
    ({"temperature": 1.1}, "temperature: Input should be less than or equal to 1"),
    ({"temperature": None}, "temperature: Input should be a valid number"),
    ({"temperature": 0.5, "top_p": 0.5}, "`temperature` and `top_p` cannot both be specified for this model."),
    ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    ({"stop_sequences": [" "]}, "stop_sequences: each stop sequence must contain non-whitespace"),
    ({"service_tier": "flex"}, "service_tier: Input should be 'auto' or 'standard_only'"),
    ({"metadata": {"user": "x"}}, "metadata.user: Extra inputs are not permitted"),
    ({"system": ""}, ""),
    ({"system": [text("")]}, "system: text content blocks must be non-empty"),
    ({"system": [{"type": "image"}]}, "system.0.type: Input should be 'text'"),
    (told({"role": "system", "content": "x"}), "messages.0.role: role 'system' is not supported on this model"),
    (
        told({"role": "tool", "content": "x"}),
        'messages: Unexpected role "tool". Allowed roles are "user" or "assistant"',
    ),
    (told(claude(text("x"))), 'messages: first message must use the "user" role'),
    (told({"role": "user"}), "messages.0.content: Field required"),
    (told({"role": "user", "content": 7}), "messages.0.content: Input should be a valid list"),
    (told({"role": "user", "content": ""}), "messages.0: all messages must have non-empty content except for the"),
    (told({"role": "user", "content": []}), "messages.0: all messages must have non-empty content except for the"),
    (told({"role": "user", "content": "\n"}), "messages: text content blocks must contain non-whitespace text"),
    (told({**ASK, "name": "x"}), "messages.0.name: Extra inputs are not permitted"),
    (told(ASK, ASK), ""),
    (told(ASK, claude()), ""),
    (told(ASK, claude(text("So: "))), "messages: final assistant content cannot end with trailing whitespace"),
    (told(ASK, claude(text("So:"))), ""),
    (content(text("")), "messages: text content blocks must be non-empty"),
    (content({"type": "text"}), f"{PATHS}.text.text: Field required"),
    (content({"text": "x"}), f"{PATHS}: Unable to extract tag using discriminator 'type'"),
    (content(text("x", index=0)), f"{PATHS}.text.index: Extra inputs are not permitted"),
    (
        content({"type": "image_url"}),
        f"{PATHS}: Input tag 'image_url' found using 'type' does not match any of the expected tags: 'bash_code",
    ),
    (content(text("", cache_control={"type": "ephemeral"})), "cache_control cannot be set for empty text blocks"),
    (content(text("x", cache_control={"type": "x"})), f"{PATHS}.text.cache_control: Input tag 'x' found using 'type'"),
    (
        content(text("x", cache_control={"type": "ephemeral", "ttl": "2h"})),
        f"{PATHS}.text.cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    ),
    (content(text("x", **SCOPE)), f"{PATHS}.cache_control.ephemeral.scope: Extra inputs are not permitted"),
    (content(*FOUR), ""),
    (content(*FOUR, FOUR[0]), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    (content(*FOUR) | {"cache_control": {"type": "ephemeral"}}, ""),
    (
        content(FOUR[0], text("x", cache_control={"type": "ephemeral", "ttl": "1h"})),
        "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.",
    ),
    (image("image/png", b"hello, I am no picture"), "Could not process image"),
    (image("image/png", b"\x89PNG\r\n\x1a\n"), "Could not process image"),
    (image("image/jpeg", bodies.png()), "Image does not match the provided media type image/jpeg"),
    (image("image/bmp", b"x"), f"{PATHS}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png'"),
    (image("image/png", "@@@"), f"{PATHS}.image.source.base64: invalid base64 data"),
    (
        content({"type": "image", "source": {"type": "url", "url": "http://example.com/a.png"}}),
        f"{PATHS}.image.source.url.url: Only HTTPS URLs are supported.",
    ),
    (
        content({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}),
        "The PDF specified was not valid.",
    ),
    (
        content(bodies.DOCUMENT, {**bodies.DOCUMENT, "citations": None}),
        "messages: Citations must be enabled on all or none of the documents in a request.",
    ),
    (content(CALL), f"{PATHS}: `tool_use` blocks can only be in `assistant` messages"),
    (content(RESULT, role="assistant"), "messages.1.content.0: `tool_result` blocks can only be in `user` messages"),
    (
        content(RESULT),
        f"{PATHS}: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1. Each `tool_result` block must "
        "have a corresponding `tool_use` block in the previous message.",
    ),
    (
        told(ASK, claude(CALL)),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1. Each "
        "`tool_use` block must have a corresponding `tool_result` block in the next message.",
    ),
    (told(ASK, claude(CALL), ASK), "messages.1: `tool_use` ids were found without `tool_result` blocks immediately"),
    (told(ASK, claude(CALL), user(text("x"), RESULT)), "messages.1: `tool_use` ids were found without `tool_result`"),
    (told(ASK, claude(CALL), user(RESULT, text("x"))), ""),
    (told(ASK, claude(CALL), user(RESULT, RESULT)), "messages.2.content.1: each tool_use must have a single result."),
    (told(ASK, claude(CALL, CALL), user(RESULT)), "messages.1: `tool_use` ids must be unique"),
    (
        told(ASK, claude(bodies.searched()[1]), ASK),
        "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` blocks: srvtoolu_1.",
    ),
    (
        told(ASK, claude({"type": "thinking", "thinking": "Hm.", "signature": "EqQBCgIYAhIM"}), ASK),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    (
        told(ASK, claude({**bodies.thought(), "cache_control": {"type": "ephemeral"}}), ASK),
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 512}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    (
        {"thinking": THINKING, "max_tokens": 1024},
        "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at",
    ),
    ({"thinking": THINKING, "temperature": 0}, "`temperature` may only be set to 1 when thinking is enabled."),
    ({"thinking": THINKING, "temperature": 1}, ""),
    ({"thinking": THINKING, "top_k": 4}, "`top_k` must be unset when thinking is enabled."),
    ({"thinking": THINKING, "top_p": 0.9}, "`top_p` must be greater than or equal to 0.95 or unset when thinking"),
    (
        {"thinking": THINKING, **tool(), "tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    (
        {"thinking": THINKING, **told(ASK, claude(CALL), user(RESULT)), **tool()},
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
    ),
    ({"thinking": THINKING, **told(ASK, claude(bodies.thought(), CALL), user(RESULT)), **tool()}, ""),
    ({"thinking": THINKING, **told(ASK, claude(text("x")), ASK)}, ""),
    ({"thinking": {"type": "adaptive"}}, "thinking.type: adaptive thinking is not supported on this model"),
    ({"thinking": THINKING, "model": "claude-3-5-haiku-latest"}, "does not support thinking."),
    ({"output_config": {"effort": "low"}}, "This model does not support the effort parameter."),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        "For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    (tool(input_schema=...), "tools.0.custom.input_schema: Input should be a valid dictionary"),
    (tool(input_schema={}), "tools.0.custom.input_schema.type: Field required"),
    (tool(input_schema={"type": "array"}), "tools.0.custom.input_schema.type: Input should be 'object'"),
    (
        tool(input_schema={"type": "object", "properties": {"a": {"type": "text"}}}),
        "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12",
    ),
    (
        tool(input_schema={"type": "object", "anyOf": []}),
        "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
    ),
    (tool(name="a b"), "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
    (tool(parameters={}), "tools.0.custom.parameters: Extra inputs are not permitted"),
    (
        tool(type="function"),
        "tools.0: Input tag 'function' found using 'type' does not match any of the expected tags: 'bash_20250124'",
    ),
    ({"tools": [LOOK, LOOK]}, "tools: Tool names must be unique."),
    ({"tools": [{**bodies.SEARCH, "name": "x"}]}, "tools.0.web_search_20250305.name: Input should be 'web_search'"),
    (
        {"tools": [{**bodies.SEARCH, "blocked_domains": []}]},
        "tools.0.web_search_20250305: only one of `allowed_domains` and `blocked_domains` may be given",
    ),
    ({"tool_choice": {"type": "auto"}}, "tool_choice: tool_choice may only be specified while providing tools."),
    (
        {**tool(), "tool_choice": {"type": "tool", "name": "hear"}},
        "tool_choice: Tool 'hear' not found in provided tools",
    ),
    ({**tool(), "tool_choice": "auto"}, "tool_choice: Input should be an object"),
    (content(text("x" * 800_000)), "prompt is too long: 200004 tokens > 200000 maximum"),
    (content(text("x" * 790_000)), "input length and `max_tokens` exceed context limit: 197504 + 4096 > 200000"),
]


@pytest.mark.parametrize(("changes", "words"), CASES)
def test_a_request_is_judged_as_anthropic_judges_it(ask: Ask, changes: dict[str, Any], words: str) -> None:
    answer = ask(**{name: _whole(value) for name, value in changes.items()})
    if not words:
        assert answer.status_code == 200, answer.text
        return
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert words in body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]


def _whole(value: Any) -> Any:
    """An Ellipsis within a tool is sent as null."""
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {name: None if one is ... else _whole(one) for name, one in value.items()}
    return value


@pytest.mark.parametrize(
    ("headers", "status", "kind", "words"),
    [
        ({"x-api-key": ""}, 401, "authentication_error", "x-api-key header is required"),
        ({"x-api-key": "sk-ant-other"}, 401, "authentication_error", "invalid x-api-key"),
        ({"anthropic-version": "2022-01-01"}, 400, "invalid_request_error", '"2022-01-01" is not a valid version'),
        (
            {"anthropic-beta": "files-api-2025-04-14,nothing-2020-01-01"},
            400,
            "invalid_request_error",
            "Unexpected value(s) `nothing-2020-01-01` for the `anthropic-beta` header. Please consult our",
        ),
        (
            {"anthropic-beta": ""},
            400,
            "invalid_request_error",
            "Unexpected value(s) `` for the `anthropic-beta` header",
        ),
        ({"content-type": "text/plain"}, 400, "invalid_request_error", "application/json"),
    ],
)
def test_headers_are_judged_first(ask: Ask, headers: dict[str, str], status: int, kind: str, words: str) -> None:
    answer = ask(headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert words in answer.json()["error"]["message"]


def test_a_bearer_token_is_taken_and_a_version_is_needed(sandbox_url: str) -> None:
    body = {"model": "claude-opus-4-1", "max_tokens": 9, "messages": [ASK]}
    url, bearer = f"{sandbox_url}/anthropic/v1/messages?beta=true", {"authorization": "Bearer sk-ant-sandbox-x"}
    assert httpx.post(url, json=body, headers={**bearer, "anthropic-version": "2023-06-01"}).status_code == 200
    assert "anthropic-version: header is required" in httpx.post(url, json=body, headers=bearer).text
    refused = httpx.post(url, json=body, headers={"authorization": "Bearer other"})
    assert (refused.status_code, refused.json()["error"]["message"]) == (401, "Invalid bearer token")


def test_paths_methods_models_and_sizes_are_refused_by_status(http: httpx.Client, ask: Ask) -> None:
    assert http.get("/anthropic/v1/messages").status_code == 405
    assert http.post("/anthropic/v1/complete", json={}).json()["error"] == {
        "type": "not_found_error",
        "message": "Not found",
    }
    for name in ("gpt-4o", "claude-sonnet-4-5+nothing", "claude-sonnet-4-5+slow"):
        answer = ask(model=name)
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, f"model: {name}")
    headers = {"content-type": "application/json"}
    for broken in (b"{", b"[]", b"\xff", b"[" * 100_000):
        assert http.post("/anthropic/v1/messages", content=broken, headers=headers).status_code == 400
    large = http.post("/anthropic/v1/messages", content=b" " * (32 * 1024 * 1024 + 1), headers=headers)
    assert (large.status_code, large.json()["error"]["type"]) == (413, "request_too_large")


def test_betas_open_what_they_name(ask: Ask) -> None:
    opened: dict[str, dict[str, Any]] = {
        "context-management-2025-06-27": {"context_management": {"edits": []}},
        "mcp-client-2025-04-04": {"mcp_servers": []},
        "structured-outputs-2025-11-13": {"output_format": {"type": "json_schema", "schema": bodies.SCHEMA}},
        "prompt-caching-scope-2026-01-05": content(text("x", **SCOPE)),
        "interleaved-thinking-2025-05-14": {"thinking": THINKING, "max_tokens": 100},
        "context-1m-2025-08-07": content(text("x" * 800_000)),
    }
    for beta, changes in opened.items():
        assert ask(headers={"anthropic-beta": beta}, **changes).status_code == 200, beta
        assert ask(**changes).status_code == 400, beta


NEWEST: list[tuple[dict[str, Any], str]] = [
    ({"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
    ({"top_k": 1}, "top_k: Extra inputs are not permitted"),
    (
        told(ASK, claude({**bodies.DOCUMENT, "citations": None}), ASK),
        "messages.1.content.0: `document` blocks can only",
    ),
    (told({"role": "user", "content": [bodies.searched()[2]]}), "messages.0.content.0.text.citations: `citations` can"),
]


@pytest.mark.parametrize(("changes", "words"), NEWEST)
def test_the_newest_version_is_stricter(ask: Ask, changes: dict[str, Any], words: str) -> None:
    assert ask(**changes).status_code == 200
    answer = ask(headers={"anthropic-version": "2026-10-21"}, **changes)
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (400, True)


def test_counting_takes_less(ask: Ask) -> None:
    assert ask("messages/count_tokens").json()["error"]["message"] == "max_tokens: Extra inputs are not permitted"
    assert ask("messages/count_tokens", max_tokens=...).status_code == 200
