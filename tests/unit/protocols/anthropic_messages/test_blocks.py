"""Content blocks and parts: what says the same both ways, what is said as near as can be, and what is lost."""

import base64
import json
from typing import Any

import pytest
from msgspec import Raw

from tests.unit.protocols.anthropic_messages.said import (
    PLAIN,
    asking,
    body,
    decode,
    raw,
    read_parts,
    request,
    write,
    write_blocks,
)
from yescale.domain.content import (
    Audio,
    CachePoint,
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
    ToolResult,
    Url,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.seals import wrap_seal
from yescale.protocols.anthropic_messages import CODEC
from yescale.protocols.anthropic_messages.words import ID

CHAT = ProtocolId("openai.chat")
GEMINI = ProtocolId("gemini.generate")
PLAIN_TEXT = base64.b64encode("Grüße".encode()).decode()
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
PAGE = {
    "type": "page_location",
    "cited_text": "q",
    "document_index": 0,
    "document_title": "D",
    "start_page_number": 1,
    "end_page_number": 2,
}
CHARS = PAGE | {"type": "char_location", "start_char_index": 0, "end_char_index": 5}
BLOCKS = PAGE | {"type": "content_block_location", "start_block_index": 0, "end_block_index": 1}
RESULT = {
    "type": "search_result_location",
    "cited_text": "q",
    "search_result_index": 0,
    "source": "https://s",
    "title": "T",
    "start_block_index": 0,
    "end_block_index": 1,
}
WEB = {
    "type": "web_search_result_location",
    "url": "https://w",
    "title": "W",
    "encrypted_index": "E",
    "cited_text": "q",
}
SERVER_USE = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
RAN = {"type": "code_execution_result", "stdout": "4", "stderr": "!", "return_code": 0, "content": []}

# Each block and the part that says all of it: read so, and written so.
SAME: list[tuple[str, dict[str, Any], Part]] = [
    ("user", {"type": "text", "text": "hi"}, Text(text="hi")),
    ("user", {"type": "text", "text": "hi"} | HOUR, Text(text="hi", cache=CachePoint("1h"))),
    (
        "user",
        {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
        Text(text="hi", cache=CachePoint("5m")),
    ),
    (
        "user",
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}} | HOUR,
        Image(source=Inline("image/png", "QQ=="), cache=CachePoint("1h")),
    ),
    ("user", {"type": "image", "source": {"type": "url", "url": "https://u"}}, Image(source=Url("https://u"))),
    ("user", {"type": "image", "source": {"type": "file", "file_id": "f"}}, Image(source=Stored("f", ID))),
    (
        "user",
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "T",
            "context": "C",
            "citations": {"enabled": True},
        }
        | HOUR,
        File(source=Inline("application/pdf", "JVBE"), name="T", context="C", cited=True, cache=CachePoint("1h")),
    ),
    (
        "user",
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
        File(source=Inline("text/plain", PLAIN_TEXT)),
    ),
    ("user", {"type": "document", "source": {"type": "url", "url": "https://u"}}, File(source=Url("https://u"))),
    ("user", {"type": "document", "source": {"type": "file", "file_id": "f"}}, File(source=Stored("f", ID))),
    (
        "user",
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "4"}], "is_error": True}
        | HOUR,
        ToolResult(call_id="t", content=(Text(text="4"),), failed=True, cache=CachePoint("1h")),
    ),
    ("user", {"type": "tool_result", "tool_use_id": "t"}, ToolResult(call_id="t")),
    (
        "user",
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [
                {"type": "image", "source": {"type": "url", "url": "https://u"}},
                {"type": "document", "source": {"type": "url", "url": "https://d"}},
            ],
        },
        ToolResult(call_id="t", content=(Image(source=Url("https://u")), File(source=Url("https://d")))),
    ),
    (
        "assistant",
        {"type": "tool_use", "id": "t", "name": "n", "input": {"z": 1}} | HOUR,
        ToolCall(id="t", name="n", arguments='{"z":1}', cache=CachePoint("1h")),
    ),
    (
        "assistant",
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        Thinking(text="hm", seal="sig", origin=ID),
    ),
    ("assistant", {"type": "redacted_thinking", "data": "sig"}, Thinking(seal="sig", origin=ID, redacted=True)),
    (
        "assistant",
        {"type": "text", "text": "a", "citations": [PAGE, CHARS, BLOCKS, RESULT, WEB]},
        Text(
            text="a",
            citations=(
                Citation(title="D", quote="q", origin=ID, raw=raw(PAGE)),
                Citation(title="D", quote="q", origin=ID, raw=raw(CHARS)),
                Citation(title="D", quote="q", origin=ID, raw=raw(BLOCKS)),
                Citation(url="https://s", title="T", quote="q", origin=ID, raw=raw(RESULT)),
                Citation(url="https://w", title="W", quote="q", origin=ID, raw=raw(WEB)),
            ),
        ),
    ),
    (
        "assistant",
        SERVER_USE,
        HostedCall(id="srvtoolu_1", tool="web_search", arguments='{"query":"x"}', origin=ID, raw=raw(SERVER_USE)),
    ),
    (
        "user",
        {"type": "container_upload", "file_id": "f"},
        Opaque(origin=ID, raw=raw({"type": "container_upload", "file_id": "f"})),
    ),
    ("assistant", {"type": "of_tomorrow", "x": [1]}, Opaque(origin=ID, raw=raw({"type": "of_tomorrow", "x": [1]}))),
]


@pytest.mark.parametrize(("role", "block", "part"), SAME, ids=[f"{i}-{b['type']}" for i, (_, b, _) in enumerate(SAME)])
def test_a_block_and_its_part_say_the_same(role: str, block: dict[str, Any], part: Part) -> None:
    wire_turns = [
        {"role": "assistant" if role == "user" else "user", "content": "hi"},
        {"role": role, "content": [block]},
    ]
    assert decode(body(messages=wire_turns)).messages[1].parts == (part,)
    assert write_blocks(part, role=role) == ([block], {})


@pytest.mark.parametrize(
    ("block", "tool", "text", "failed"),
    [
        ({"type": "code_execution_tool_result", "tool_use_id": "s", "content": RAN}, "code_execution", "4!", False),
        (
            {"type": "bash_code_execution_tool_result", "tool_use_id": "s", "content": RAN},
            "code_execution",
            "4!",
            False,
        ),
        (
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
            },
            "web_search",
            "",
            True,
        ),
        ({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, "web_search", "", False),
        ({"type": "mcp_tool_result", "tool_use_id": "s", "is_error": True, "content": []}, "other", "", True),
    ],
)
def test_results_of_anthropics_tools_are_read(block: dict[str, Any], tool: Any, text: str, failed: bool) -> None:
    (part,) = read_parts(block, role="assistant")
    assert part == HostedResult(call_id="s", tool=tool, origin=ID, raw=raw(block), text=text, failed=failed)
    assert write_blocks(part, role="assistant") == ([block], {})


@pytest.mark.parametrize(
    ("name", "given_", "expected"),
    [
        ("code_execution", {"code": "1+1"}, {"language": "python", "code": "1+1"}),
        ("bash_code_execution", {"command": "ls"}, {"language": "bash", "code": "ls"}),
    ],
)
def test_code_that_anthropic_runs_is_shown_to_others(name: str, given_: object, expected: object) -> None:
    (part,) = read_parts({"type": "server_tool_use", "id": "s", "name": name, "input": given_}, role="assistant")
    assert isinstance(part, HostedCall)
    assert (part.tool, json.loads(part.arguments)) == ("code_execution", expected)


WHOLE = [
    {"type": "search_result", "source": "https://s", "title": "T", "content": [{"type": "text", "text": "body"}]},
    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
    {"type": "image", "source": {"type": "url", "url": "https://u"}, "transformations": {"oversized_image": "error"}},
    {
        "type": "tool_use",
        "id": "t",
        "name": "n",
        "input": {},
        "caller": {"type": "code_execution_20250825", "tool_id": "s"},
    },
    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "n"}]},
    {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [
            {
                "type": "search_result",
                "source": "https://s",
                "title": "T",
                "content": [{"type": "text", "text": "body"}],
            }
        ],
    },
]


@pytest.mark.parametrize("block", WHOLE, ids=[f"{i}-{b['type']}" for i, b in enumerate(WHOLE)])
def test_what_a_part_cannot_say_whole_goes_back_whole_and_is_named_to_others(block: dict[str, Any]) -> None:
    asked = decode(asking({"type": "text", "text": "x"}, block))
    # the first turn and this one are both the user's, and are sent as one
    blocks = write(asked)[0]["messages"][0]["content"]
    assert block in blocks
    assert list(asked.extras[ID]) == ["messages.1.content.1"]
    assert not isinstance(asked.messages[1].parts[1], Opaque)


def test_a_search_result_is_a_text_to_others() -> None:
    (part,) = read_parts(WHOLE[0])
    assert part == Text(text="T\nhttps://s\n\nbody")
    (result,) = read_parts(WHOLE[4])
    assert isinstance(result, ToolResult)
    assert result.content == (Text(text='{"type":"tool_reference","tool_name":"n"}'),)


def test_a_direct_caller_is_the_usual_one() -> None:
    block = {"type": "tool_use", "id": "t", "name": "n", "input": {}, "caller": {"type": "direct"}}
    assert decode(asking(block)).extras == {}


def test_arguments_keep_their_letters() -> None:
    text = b'{"z": 1.10,  "a":"\\u00e9"}'
    (part,) = (
        decode(asking({"type": "tool_use", "id": "t", "name": "n", "input": "@"}).replace(b'"@"', text))
        .messages[1]
        .parts
    )
    assert isinstance(part, ToolCall)
    assert part.arguments == text.decode()
    assert text in CODEC.encode_request(request(part, role="assistant"), PLAIN).body


LOST: list[tuple[Part, str, dict[str, str]]] = [
    (Audio(source=Inline("audio/wav", "QQ==")), "user", {"part.audio": "content"}),
    (Image(source=Inline("image/tiff", "QQ==")), "user", {"part.image": "content"}),
    (Image(source=Stored("f", CHAT)), "user", {"part.image": "content"}),
    (Image(source=Url("https://u")), "assistant", {"part.image": "content"}),
    (File(source=Inline("application/zip", "QQ==")), "user", {"part.file": "content"}),
    (File(source=Inline("text/plain", "not base64")), "user", {"part.file": "content"}),
    (File(source=Stored("f", CHAT)), "user", {"part.file": "content"}),
    (File(source=Url("https://u")), "assistant", {"part.file": "content"}),
    (Opaque(origin=CHAT, raw=Raw(b"{}")), "user", {"part.opaque": "content"}),
    (Thinking(text="hm", seal="s", origin=GEMINI), "assistant", {"thinking": "hint"}),
    (Thinking(text="hm"), "assistant", {"thinking": "hint"}),
    (
        HostedCall(id="h", tool="web_search", arguments="{}", origin=GEMINI, raw=Raw(b"{}")),
        "assistant",
        {"part.hosted": "hint"},
    ),
    (Text(text=""), "user", {}),
    (Refusal(text=""), "assistant", {}),
]


@pytest.mark.parametrize(("part", "role", "losses"), LOST, ids=[str(number) for number in range(len(LOST))])
def test_a_part_that_cannot_be_said_is_named_as_lost(part: Part, role: str, losses: dict[str, str]) -> None:
    assert write_blocks(part, role=role) == ([], losses)


CHANGED: list[tuple[Part, str, dict[str, Any], dict[str, str]]] = [
    (
        Image(source=Url("https://u"), detail="high"),
        "user",
        {"type": "image", "source": {"type": "url", "url": "https://u"}},
        {"image.detail": "hint"},
    ),
    (Audio(id="a", transcript="la"), "assistant", {"type": "text", "text": "la"}, {"part.audio": "setting"}),
    (Refusal(text="no"), "assistant", {"type": "text", "text": "no"}, {}),
    (
        Text(text="a", citations=(Citation(url="https://u"),)),
        "assistant",
        {"type": "text", "text": "a"},
        {"text.citations": "hint"},
    ),
    (
        ToolCall(id="t", name="n", arguments='{"a":', seal="s", origin=GEMINI),
        "assistant",
        {"type": "tool_use", "id": "t", "name": "n", "input": {"_raw": '{"a":'}},
        {"tool_call.seal": "hint", "tool_call.arguments": "setting"},
    ),
    (
        ToolCall(id="t", name="n", arguments="[1]"),
        "assistant",
        {"type": "tool_use", "id": "t", "name": "n", "input": {"_raw": "[1]"}},
        {"tool_call.arguments": "setting"},
    ),
    (
        ToolCall(id="t", name="n", arguments=" "),
        "assistant",
        {"type": "tool_use", "id": "t", "name": "n", "input": {}},
        {},
    ),
    (
        ToolCall(id="t", name="n", arguments="free", custom=True),
        "assistant",
        {"type": "tool_use", "id": "t", "name": "n", "input": {"input": "free"}},
        {},
    ),
    (
        HostedResult(call_id="h", tool="code_execution", origin=GEMINI, raw=Raw(b"{}"), text="4"),
        "assistant",
        {"type": "text", "text": "```output\n4\n```"},
        {"part.hosted": "hint"},
    ),
]


@pytest.mark.parametrize(
    ("part", "role", "block", "losses"), CHANGED, ids=[str(number) for number in range(len(CHANGED))]
)
def test_a_part_of_another_format_is_said_as_near_as_can_be(
    part: Part, role: str, block: dict[str, Any], losses: dict[str, str]
) -> None:
    assert write_blocks(part, role=role) == ([block], losses)


def test_a_seal_of_another_format_comes_back_to_its_origin() -> None:
    signed = wrap_seal("sig", GEMINI)
    call = wrap_seal("call:toolu_1:tsig", GEMINI)
    parts = read_parts(
        {"type": "thinking", "thinking": "hm", "signature": signed},
        {"type": "redacted_thinking", "data": call},
        {"type": "tool_use", "id": "toolu_1", "name": "n", "input": {}},
        role="assistant",
    )
    assert parts == (
        Thinking(text="hm", seal="sig", origin=GEMINI),
        ToolCall(id="toolu_1", name="n", arguments="{}", seal="tsig", origin=GEMINI),
    )
    unsigned = read_parts({"type": "thinking", "thinking": "hm", "signature": ""}, role="assistant")
    assert unsigned == (Thinking(text="hm"),)


def test_a_citation_that_we_made_up_for_another_format_is_not_sent_to_anthropic() -> None:
    (part,) = read_parts({"type": "text", "text": "a", "citations": [WEB | {"encrypted_index": ""}]}, role="assistant")
    assert part == Text(text="a", citations=(Citation(url="https://w", title="W", quote="q"),))
    assert write_blocks(part, role="assistant")[0] == [{"type": "text", "text": "a"}]
