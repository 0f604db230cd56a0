"""Whole answers: read into parts and disjoint meters, and written for clients whoever answered."""

import json
from typing import Any

import pytest
from msgspec import Raw

from tests.unit.protocols.anthropic_messages.said import dump, envelope, read_parts
from yescale.domain.chat import ChatResponse, Choice, StopReason
from yescale.domain.content import (
    Audio,
    Citation,
    File,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Opaque,
    Part,
    Refusal,
    Stored,
    Text,
    Thinking,
    ToolCall,
    Url,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Meter, Usage
from yescale.protocols.anthropic_messages import CODEC
from yescale.protocols.anthropic_messages.words import ID
from yescale.protocols.codec import Garbled

GEMINI = ProtocolId("gemini.generate")
USAGE = {"input_tokens": 10, "output_tokens": 20}


def message(*content: object, **more: object) -> bytes:
    said: dict[str, object] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }
    return dump(said | more)


def show(*parts: Part, reason: StopReason = StopReason.END, **more: Any) -> dict[str, Any]:
    choice = Choice(parts=parts, reason=reason, stop_sequence=more.pop("stop_sequence", ""))
    answer = ChatResponse(id="x", model="up", choices=(choice,), **more)
    return json.loads(CODEC.encode_response(answer, envelope(input_tokens=77)))


def test_an_answer_is_read_whole() -> None:
    found = CODEC.decode_response(
        message(
            {"type": "thinking", "thinking": "hm", "signature": "ys1.not-ours.x"},
            {"type": "text", "text": "hi"},
            {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}},
            {"type": "of_tomorrow"},
            stop_reason="tool_use",
            usage=USAGE | {"service_tier": "standard"},
        )
    )
    assert found == ChatResponse(
        id="msg_1",
        model="claude-x",
        choices=(
            Choice(
                parts=(
                    Thinking(text="hm", seal="ys1.not-ours.x", origin=ID),
                    Text(text="hi"),
                    ToolCall(id="t", name="n", arguments='{"a":1}'),
                    Opaque(origin=ID, raw=Raw(b'{"type":"of_tomorrow"}')),
                ),
                reason=StopReason.TOOL_CALLS,
                raw_reason="tool_use",
            ),
        ),
        usage={Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 20},
        service_tier="default",
    )


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", StopReason.END),
        ("max_tokens", StopReason.LENGTH),
        ("model_context_window_exceeded", StopReason.LENGTH),
        ("stop_sequence", StopReason.STOP_SEQUENCE),
        ("tool_use", StopReason.TOOL_CALLS),
        ("pause_turn", StopReason.PAUSED),
        ("refusal", StopReason.REFUSAL),
        ("of_tomorrow", StopReason.OTHER),
        (None, StopReason.OTHER),
    ],
)
def test_why_it_ended_is_a_closed_word(word: str | None, reason: StopReason) -> None:
    (choice,) = CODEC.decode_response(message(stop_reason=word)).choices
    assert (choice.reason, choice.raw_reason) == (reason, word or "")


def test_every_reason_has_a_word_of_anthropics() -> None:
    legal = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"}
    assert {show(reason=reason)["stop_reason"] for reason in StopReason} == legal


COUNTS: list[tuple[object, Usage | None]] = [
    (USAGE, {Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 20}),
    ({"input_tokens": 0, "output_tokens": 0}, {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}),
    (
        USAGE
        | {
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 9,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7},
        },
        {
            Meter.INPUT_TOKENS: 10,
            Meter.OUTPUT_TOKENS: 20,
            Meter.CACHE_READ_TOKENS: 5,
            Meter.CACHE_WRITE_TOKENS: 2,
            Meter.CACHE_WRITE_1H_TOKENS: 7,
        },
    ),
    (
        USAGE | {"cache_creation_input_tokens": 9},
        {Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 20, Meter.CACHE_WRITE_TOKENS: 9},
    ),
    (
        USAGE | {"server_tool_use": {"web_search_requests": 3}, "output_tokens_details": {"thinking_tokens": 15}},
        {Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 5, Meter.REASONING_TOKENS: 15, Meter.WEB_SEARCHES: 3},
    ),
    ({"output_tokens": 4}, {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 4}),
    ({"input_tokens": -1, "output_tokens": 4}, None),
    ({"input_tokens": "many"}, None),
    ({}, None),
    (None, None),
]


@pytest.mark.parametrize(("wire", "usage"), COUNTS, ids=[str(number) for number in range(len(COUNTS))])
def test_usage_is_read_into_meters_that_do_not_overlap(wire: object, usage: Usage | None) -> None:
    """promise 11"""
    assert CODEC.decode_response(message(usage=wire)).usage == usage


def test_usage_is_shown_as_anthropic_counts() -> None:
    usage = {
        Meter.INPUT_TOKENS: 10,
        Meter.IMAGE_INPUT_TOKENS: 3,
        Meter.CACHE_READ_TOKENS: 5,
        Meter.CACHE_WRITE_TOKENS: 2,
        Meter.CACHE_WRITE_1H_TOKENS: 7,
        Meter.OUTPUT_TOKENS: 4,
        Meter.REASONING_TOKENS: 6,
        Meter.WEB_SEARCHES: 1,
    }
    assert show(usage=usage, service_tier="default")["usage"] == {
        "input_tokens": 13,
        "cache_creation_input_tokens": 9,
        "cache_read_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7},
        "output_tokens": 10,
        "output_tokens_details": {"thinking_tokens": 6},
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        "service_tier": "standard",
    }
    assert show()["usage"] == {"input_tokens": 77, "output_tokens": 0}


def test_an_answer_is_enveloped_as_the_client_asked() -> None:
    said = show(Text(text="hi"), reason=StopReason.STOP_SEQUENCE, stop_sequence="END")
    assert (said["id"], said["type"], said["role"], said["model"]) == (
        "msg_20250827",
        "message",
        "assistant",
        "my-claude",
    )
    assert (said["stop_reason"], said["stop_sequence"]) == ("stop_sequence", "END")
    assert show()["stop_sequence"] is None
    empty = ChatResponse(id="", model="", choices=())
    assert json.loads(CODEC.encode_response(empty, envelope()))["content"] == []


WEB = {
    "type": "web_search_result_location",
    "url": "https://w",
    "title": None,
    "cited_text": "q",
    "encrypted_index": "",
}
SHOWN: list[tuple[Part, list[dict[str, Any]]]] = [
    (Text(text="hi"), [{"type": "text", "text": "hi"}]),
    (Text(text=""), []),
    (
        Text(text="hi", citations=(Citation(url="https://w", quote="q"), Citation(title="no address"))),
        [{"type": "text", "text": "hi", "citations": [WEB]}],
    ),
    (Refusal(text="no"), [{"type": "text", "text": "no"}]),
    (Audio(source=Inline("audio/wav", "QQ=="), transcript="la"), [{"type": "text", "text": "la"}]),
    (
        Image(source=Inline("image/png", "QQ==")),
        [{"type": "text", "text": "![image](data:image/png;base64,QQ==)"}],
    ),
    (Image(source=Url("https://u")), [{"type": "text", "text": "![image](https://u)"}]),
    (File(source=Stored("f", GEMINI), name="N"), [{"type": "text", "text": "[N](f)"}]),
    (Thinking(text="hm", seal="s", origin=ID), [{"type": "thinking", "thinking": "hm", "signature": "s"}]),
    (Thinking(text="hm"), [{"type": "thinking", "thinking": "hm", "signature": ""}]),
    (
        Thinking(text="hm", seal="s", origin=GEMINI),
        [{"type": "thinking", "thinking": "hm", "signature": "ys1.gemini-generate.s"}],
    ),
    (
        Thinking(seal="s", origin=GEMINI, redacted=True),
        [{"type": "redacted_thinking", "data": "ys1.gemini-generate.s"}],
    ),
    (
        ToolCall(id="t", name="n", arguments='{"a":1}'),
        [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}],
    ),
    (ToolCall(id="t", name="n", arguments=""), [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]),
    (ToolCall(id="t", name="n", arguments="{"), [{"type": "tool_use", "id": "t", "name": "n", "input": {"_raw": "{"}}]),
    (
        ToolCall(id="t", name="n", arguments="{}", seal="s", origin=GEMINI),
        [
            {"type": "redacted_thinking", "data": "ys1.gemini-generate.call:t:s"},
            {"type": "tool_use", "id": "t", "name": "n", "input": {}},
        ],
    ),
    (
        HostedCall(id="g-1", tool="web_search", arguments='{"query":"x"}', origin=GEMINI, raw=Raw(b"{}")),
        [{"type": "server_tool_use", "id": "srvtoolu_g_1", "name": "web_search", "input": {"query": "x"}}],
    ),
    (
        HostedResult(call_id="g-1", tool="web_search", origin=GEMINI, raw=Raw(b"{}")),
        [{"type": "web_search_tool_result", "tool_use_id": "srvtoolu_g_1", "content": []}],
    ),
    (
        HostedResult(call_id="g", tool="code_execution", origin=GEMINI, raw=Raw(b"{}"), text="4"),
        [
            {
                "type": "code_execution_tool_result",
                "tool_use_id": "srvtoolu_g",
                "content": {
                    "type": "code_execution_result",
                    "stdout": "4",
                    "stderr": "",
                    "return_code": 0,
                    "content": [],
                },
            }
        ],
    ),
    (HostedCall(id="g", tool="other", arguments="{}", origin=GEMINI, raw=Raw(b"{}")), []),
    (HostedResult(call_id="g", tool="url_context", origin=GEMINI, raw=Raw(b"{}")), []),
    (
        HostedCall(id="s", tool="other", arguments="{}", origin=ID, raw=Raw(b'{"type":"mcp_tool_use"}')),
        [{"type": "mcp_tool_use"}],
    ),
    (Opaque(origin=ID, raw=Raw(b'{"type":"x"}')), [{"type": "x"}]),
    (Opaque(origin=GEMINI, raw=Raw(b"{}")), []),
]


@pytest.mark.parametrize(("part", "blocks"), SHOWN, ids=[str(number) for number in range(len(SHOWN))])
def test_a_part_is_shown_to_the_client(part: Part, blocks: list[dict[str, Any]]) -> None:
    assert show(part)["content"] == blocks


@pytest.mark.parametrize(
    "part",
    [
        Thinking(text="hm", seal="s", origin=GEMINI),
        Thinking(text="hm", origin=GEMINI),
        Thinking(seal="s", origin=GEMINI, redacted=True),
        Thinking(text="hm", seal="s", origin=ID),
        ToolCall(id="t", name="n", arguments="{}", seal="a:b.c", origin=GEMINI),
    ],
)
def test_a_seal_survives_the_clients_next_turn(part: Part) -> None:
    assert read_parts(*show(part)["content"], role="assistant") == (part,)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b'{"content":5}', b'{"content":[5]}', b'{"content":[{"type":"text"}]}', b"\xff", b"<html>"],
)
def test_what_is_no_answer_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        CODEC.decode_response(body)
