"""Requests that use every field once, for tests that change them."""

import base64
import struct
import zlib
from typing import Any

from yescale_sandbox.anthropic import seal


def png() -> bytes:
    """A picture of one grey point."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


PNG = base64.b64encode(png()).decode()
PDF = base64.b64encode(b"%PDF-1.4\n%%EOF").decode()
MARK = {"type": "ephemeral", "ttl": "5m"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TOOL = {"type": "custom", "name": "look", "description": "Looks.", "input_schema": SCHEMA, "strict": False}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}, "cache_control": MARK}
SEARCH = {
    "type": "web_search_20250305",
    "name": "web_search",
    "max_uses": 3,
    "allowed_domains": ["example.com"],
    "user_location": {
        "type": "approximate",
        "city": "Hanoi",
        "region": "Hanoi",
        "country": "VN",
        "timezone": "Asia/Bangkok",
    },
}
FETCH = {
    "type": "web_fetch_20250910",
    "name": "web_fetch",
    "max_uses": 3,
    "max_content_tokens": 100,
    "blocked_domains": ["example.org"],
    "citations": {"enabled": True},
}
DOCUMENT = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "Snow is white. Grass is green."},
    "title": "Colours",
    "context": "A test.",
    "citations": {"enabled": True},
    "cache_control": MARK,
}


def thought(text: str = "Hm.") -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": seal.sign("thinking", text)}


def searched() -> list[dict[str, Any]]:
    """What an assistant says that has searched the web."""
    url = "https://example.com/1"
    cited = {
        "type": "web_search_result_location",
        "cited_text": "Snow",
        "encrypted_index": seal.closed("cited", url),
        "title": "Snow",
        "url": url,
    }
    found = {
        "type": "web_search_result",
        "encrypted_content": seal.closed("found", url),
        "title": "Snow",
        "url": url,
        "page_age": "1 day",
    }
    return [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "snow"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]},
        {"type": "text", "text": "Snow is white.", "citations": [cited]},
    ]


def full() -> dict[str, Any]:
    """A request in which nearly every field stands once."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": "b"}}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "text", "text": "seen"}, {**PICTURE, "cache_control": None}],
        "is_error": False,
    }
    return {
        "model": "claude-sonnet-4-5",
        "max_tokens": 2048,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look.", "cache_control": MARK}, PICTURE, DOCUMENT]},
            {"role": "assistant", "content": [thought(), *searched(), call]},
            {"role": "user", "content": [result, {"type": "text", "text": "And now?"}]},
        ],
        "system": [{"type": "text", "text": "Be kind.", "cache_control": MARK}],
        "stop_sequences": ["never"],
        "stream": False,
        "top_p": 0.99,
        "tools": [TOOL, SEARCH, FETCH, {"type": "bash_20250124", "name": "bash"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "metadata": {"user_id": "someone"},
        "service_tier": "auto",
        "container": "container_1",
    }


def formatted() -> dict[str, Any]:
    """A request with what does not go together with thinking or citations."""
    sources = [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "Mine."}]}},
        {
            "type": "search_result",
            "source": "https://example.com",
            "title": "Snow",
            "content": [{"type": "text", "text": "Snow is white."}],
        },
    ]
    return {
        "model": "claude-opus-4-5",
        "max_tokens": 64,
        "messages": [
            {"role": "user", "content": sources},
            {"role": "assistant", "content": [{"type": "text", "text": "{"}]},
        ],
        "system": "Be kind.",
        "temperature": 0.5,
        "top_k": 5,
        "tools": [
            {"name": "look", "input_schema": SCHEMA, "input_examples": [{"a": "b"}]},
            {
                "type": "computer_20250124",
                "name": "computer",
                "display_width_px": 800,
                "display_height_px": 600,
                "display_number": 0,
            },
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 100},
        ],
        "tool_choice": {"type": "tool", "name": "look"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "mcp_servers": [
            {
                "type": "url",
                "name": "mine",
                "url": "https://example.com/mcp",
                "authorization_token": "x",
                "tool_configuration": {"enabled": True, "allowed_tools": ["a"]},
            }
        ],
        "context_management": {
            "edits": [
                {
                    "type": "clear_tool_uses_20250919",
                    "trigger": {"type": "input_tokens", "value": 1000},
                    "keep": {"type": "tool_uses", "value": 3},
                    "clear_tool_inputs": False,
                    "exclude_tools": ["look"],
                }
            ]
        },
    }


FORMATTED_BETAS = "mcp-client-2025-04-04,context-management-2025-06-27,computer-use-2025-01-24"
