"""Requests: from the wire to the canonical form and back, what is refused, and what is lost."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from tests.unit.protocols.openai_responses.recordings import CODE, SEARCH, raw
from yescale.domain.chat import (
    ChatRequest,
    HostedTool,
    Message,
    OutputForm,
    Reasoning,
    Sampling,
    Tool,
    ToolChoice,
    Voice,
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
from yescale.domain.profile import Profile
from yescale.domain.seals import wrap_seal
from yescale.protocols.codec import NO_WORDS, Malformed
from yescale.protocols.openai_responses import CODEC
from yescale.protocols.openai_responses.schema import OWN

PLAIN = Profile()
CLAUDE = ProtocolId("anthropic.messages")
GEMINI = ProtocolId("gemini.generate")
USER = Message(role="user", parts=(Text(text="hi"),))


def decode(**fields: Any) -> ChatRequest:
    return CODEC.decode_request(json.dumps({"model": "m"} | fields).encode(), NO_WORDS)


def encode(request: ChatRequest, profile: Profile = PLAIN) -> dict[str, Any]:
    return json.loads(CODEC.encode_request(request, profile).body)


def losses(request: ChatRequest, profile: Profile = PLAIN) -> dict[str, str]:
    return {loss.what: loss.weight for loss in CODEC.encode_request(request, profile).losses}


def foreign(*parts: Part, role: str = "user", **fields: Any) -> ChatRequest:
    message = Message(role="assistant" if role == "assistant" else "user", parts=parts)
    return ChatRequest(model="m", messages=(USER, message), **fields)


@dataclass(frozen=True)
class Case:
    """Input items, and the turns that they are."""

    name: str
    items: list[dict[str, Any]]
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    again: list[dict[str, Any]] | None = field(default=None)  # as they are written, where that differs


def said(*content: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content)}


def turn(*parts: Part) -> Message:
    return Message(role="user", parts=parts)


def reply(*parts: Part) -> Message:
    return Message(role="assistant", parts=parts)


ANNOTATION = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}
CASES = [
    Case(
        "an easy message",
        [{"role": "user", "content": "hi"}],
        (USER,),
        again=[said({"type": "input_text", "text": "hi"})],
    ),
    Case(
        "leading system words",
        [
            {"role": "system", "content": "a"},
            {"role": "developer", "content": "b"},
            said({"type": "input_text", "text": "hi"}),
        ],
        (USER,),
        (Text(text="a"), Text(text="b")),
        again=[said({"type": "input_text", "text": "b"}, role="system"), said({"type": "input_text", "text": "hi"})],
    ),
    Case(
        "late system words",
        [said({"type": "input_text", "text": "hi"}), said({"type": "input_text", "text": "b"}, role="system")],
        (USER, Message(role="system", parts=(Text(text="b"),))),
    ),
    Case(
        "pictures",
        [
            said(
                {"type": "input_image", "image_url": "https://a.example/p.png", "detail": "high"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_image", "file_id": "file-1"},
            )
        ],
        (
            turn(
                Image(source=Url("https://a.example/p.png"), detail="high"),
                Image(source=Inline("image/png", "AAAA")),
                Image(source=Stored("file-1", OWN)),
            ),
        ),
    ),
    Case(
        "files and sound",
        [
            said(
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
                {"type": "input_file", "file_id": "file-1"},
                {"type": "input_file", "file_url": "https://a.example/a.pdf"},
                {"type": "input_file", "filename": "x", "file_data": "AAAA"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            )
        ],
        (
            turn(
                File(source=Inline("application/pdf", "AAAA"), name="a.pdf"),
                File(source=Stored("file-1", OWN)),
                File(source=Url("https://a.example/a.pdf")),
                File(source=Inline("", "AAAA"), name="x"),
                Audio(source=Inline("audio/wav", "AAAA")),
            ),
        ),
    ),
    Case(
        "a turn of the model with all that it does",
        [
            said({"type": "input_text", "text": "hi"}),
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "So."}],
                "encrypted_content": "s",
            },
            said(
                {"type": "output_text", "text": "x", "annotations": [ANNOTATION]},
                {"type": "refusal", "refusal": "no"},
                role="assistant",
            ),
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1'},
            {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** x"},
            SEARCH,
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {
                "type": "custom_tool_call_output",
                "call_id": "c2",
                "output": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "image_url": "https://a.example/p"},
                ],
            },
            said({"type": "input_text", "text": "and"}),
        ],
        (
            USER,
            reply(
                Thinking(text="So.", seal="s", origin=OWN, id="rs_1"),
                Text(
                    text="x",
                    citations=(
                        Citation(url="https://a.example", title="A", start=0, end=1, origin=OWN, raw=raw(ANNOTATION)),
                    ),
                ),
                Refusal(text="no"),
                ToolCall(id="c1", name="f", arguments='{"a": 1'),
                ToolCall(id="c2", name="patch", arguments="*** x", custom=True),
                HostedCall(
                    id="ws_1", tool="web_search", arguments=json.dumps(SEARCH["action"]), origin=OWN, raw=raw(SEARCH)
                ),
                HostedResult(call_id="ws_1", tool="web_search", origin=OWN, raw=raw(SEARCH)),
            ),
            turn(
                ToolResult(call_id="c1", content=(Text(text="one"),)),
                ToolResult(
                    call_id="c2",
                    content=(Text(text="a"), Image(source=Url("https://a.example/p"))),
                    custom=True,
                ),
            ),
            turn(Text(text="and")),
        ),
    ),
    Case(
        "code that ran lies in one item with its output",
        [CODE],
        (
            reply(
                HostedCall(
                    id="ci_1",
                    tool="code_execution",
                    arguments='{"language":"python","code":"print(1)"}',
                    origin=OWN,
                    raw=raw(CODE),
                ),
                HostedResult(call_id="ci_1", tool="code_execution", origin=OWN, raw=raw(CODE["outputs"]), text="1\n"),
            ),
        ),
    ),
    Case(
        "two messages of the model stay two",
        [
            said({"type": "output_text", "text": "a"}, role="assistant"),
            said({"type": "output_text", "text": "b"}, role="assistant"),
        ],
        (reply(Text(text="a")), reply(Text(text="b"))),
    ),
    Case(
        "items of no other format",
        [
            {"type": "local_shell_call", "id": "l", "call_id": "c", "action": {}, "status": "completed"},
            {"type": "local_shell_call_output", "id": "l", "output": "x"},
            {"id": "msg_1", "type": "item_reference"},
            said({"type": "input_hologram", "beam": 1}),
        ],
        (
            reply(
                Opaque(
                    origin=OWN,
                    raw=raw(
                        {"type": "local_shell_call", "id": "l", "call_id": "c", "action": {}, "status": "completed"}
                    ),
                )
            ),
            turn(Opaque(origin=OWN, raw=raw({"type": "local_shell_call_output", "id": "l", "output": "x"}))),
            reply(Opaque(origin=OWN, raw=raw({"id": "msg_1", "type": "item_reference"}))),
            turn(Opaque(origin=OWN, raw=raw({"type": "input_hologram", "beam": 1}))),
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_items_are_turns_and_turns_are_items(case: Case) -> None:
    request = decode(input=case.items)
    assert request.messages == case.messages
    assert request.system == case.system
    body = encode(request)
    assert body["input"] == (case.items if case.again is None else case.again)
    assert decode(**body) == request
    assert losses(request) == {}


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"instructions": "be brief"}, {"system": (Text(text="be brief"),)}),
    ({"stream": True}, {"stream": True}),
    ({"max_output_tokens": 1}, {"max_tokens": 1}),
    ({"temperature": 0.0, "top_p": 0.5}, {"sampling": Sampling(temperature=0.0, top_p=0.5)}),
    (
        {"top_logprobs": 2, "include": ["message.output_text.logprobs"]},
        {"sampling": Sampling(logprobs=True, top_logprobs=2)},
    ),
    ({"parallel_tool_calls": False}, {"parallel_tools": False}),
    ({"service_tier": "flex", "prompt_cache_key": "k"}, {"service_tier": "flex", "cache_key": "k"}),
    ({"user": "u"}, {"user": "u"}),
    ({"safety_identifier": "u"}, {"user": "u"}),
    ({"user": "u", "safety_identifier": "v"}, {"user": "u"}),
    (
        {"reasoning": {"effort": "high", "summary": "auto"}},
        {"reasoning": Reasoning(enabled=True, effort="high", shown=True)},
    ),
    ({"reasoning": {"effort": "none"}}, {"reasoning": Reasoning(enabled=False, effort="none")}),
    ({"reasoning": {"summary": "detailed"}}, {"reasoning": Reasoning(shown=True)}),
    ({"reasoning": {"effort": "low", "mode": "pro"}}, {"reasoning": Reasoning(enabled=True, effort="low")}),
    ({"text": {"format": {"type": "json_object"}, "verbosity": "low"}}, {"output": OutputForm(), "verbosity": "low"}),
    (
        {
            "text": {
                "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "description": "d", "strict": True}
            }
        },
        {"output": OutputForm(schema=raw(SCHEMA), name="n", description="d", strict=True)},
    ),
    (
        {"tools": [{"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}]},
        {"tools": (Tool(name="f", description="d", parameters=raw(SCHEMA), strict=False),)},
    ),
    (
        {"tools": [{"type": "custom", "name": "patch", "format": {"type": "text"}}]},
        {"tools": (Tool(name="patch", custom=True, grammar=raw({"type": "text"})),)},
    ),
    (
        {
            "tools": [
                {
                    "type": "web_search",
                    "filters": {"allowed_domains": ["a.example"]},
                    "user_location": {"type": "approximate"},
                }
            ]
        },
        {
            "tools": (
                HostedTool(
                    kind="web_search",
                    origin=OWN,
                    raw=raw(
                        {
                            "type": "web_search",
                            "filters": {"allowed_domains": ["a.example"]},
                            "user_location": {"type": "approximate"},
                        }
                    ),
                    allowed_domains=("a.example",),
                    location=raw({"type": "approximate"}),
                ),
            )
        },
    ),
    (
        {"tools": [{"type": "mcp", "server_label": "x"}]},
        {"tools": (HostedTool(kind="other", origin=OWN, raw=raw({"type": "mcp", "server_label": "x"})),)},
    ),
    ({"tool_choice": "required"}, {"tool_choice": ToolChoice(mode="required")}),
    ({"tool_choice": {"type": "function", "name": "f"}}, {"tool_choice": ToolChoice(mode="named", name="f")}),
    (
        {"tool_choice": {"type": "custom", "name": "p"}, "tools": [{"type": "custom", "name": "p"}]},
        {"tool_choice": ToolChoice(mode="named", name="p")},
    ),
    (
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
        {"tool_choice": ToolChoice(mode="auto", allowed=("f",))},
    ),
    ({"tool_choice": {"type": "web_search_preview"}}, {"tool_choice": None}),
    ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}}, {"tool_choice": None}),
    (
        {
            "store": False,
            "previous_response_id": "resp_1",
            "conversation": "conv",
            "truncation": "auto",
            "metadata": {"a": "b"},
            "include": ["reasoning.encrypted_content"],
            "background": False,
            "max_tool_calls": 3,
            "stream_options": {"include_obfuscation": False},
            "a_new_field": [1, 2.0, None],
        },
        {},
    ),
]


@pytest.mark.parametrize(("wire", "expected"), FIELDS, ids=",".join)
def test_settings_are_read_and_written_as_they_came(wire: dict[str, Any], expected: dict[str, Any]) -> None:
    """promise 30"""
    request = decode(input="hi", **wire)
    for name, value in expected.items():
        assert getattr(request, name) == value
    items = [said({"type": "input_text", "text": "hi"})]
    assert encode(request) == {"model": "m", "input": items} | wire
    assert losses(request) == {}


def test_fields_that_only_this_format_has_travel_as_extras() -> None:
    request = decode(input="hi", store=False, truncation="auto", reasoning={"summary": "concise"})
    assert request.extras[OWN] == {
        "store": raw(False),
        "truncation": raw("auto"),
        "reasoning": raw({"summary": "concise"}),
    }
    assert decode(input="hi").extras == {OWN: {}}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"model":"m","input":"\xff"}', None),
        (b'{"model":"m","input":' + b"[" * 5_000, None),
        (b'{"input":"x"}', "model"),
        (b'{"model":"","input":"x"}', "model"),
        (b'{"model":"m","input":5}', "input"),
        (b'{"model":"m","input":{}}', "input"),
        (b'{"model":"m","input":[5]}', "input[0]"),
        (b'{"model":"m","input":["x"]}', "input[0]"),
        (b'{"model":"m","input":[{"role":"robot","content":"x"}]}', "input[0].role"),
        (b'{"model":"m","input":[{"role":"user"}]}', "input[0].content"),
        (b'{"model":"m","input":[{"role":"user","content":[{"type":"input_text"}]}]}', "input[0].content[0].text"),
        (b'{"model":"m","input":[{"role":"user","content":[7]}]}', "input[0].content[0]"),
        (
            b'{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}',
            "input[0].content[0].image_url",
        ),
        (b'{"model":"m","input":[{"role":"user","content":[{"type":"input_file"}]}]}', "input[0].content[0].file_data"),
        (
            b'{"model":"m","input":[{"role":"user","content":[{"type":"input_audio"}]}]}',
            "input[0].content[0].input_audio",
        ),
        (b'{"model":"m","input":[{"role":"assistant","content":[{"type":"refusal"}]}]}', "input[0].content[0].refusal"),
        (b'{"model":"m","input":[{"type":"function_call","name":"f","arguments":"{}"}]}', "input[0].call_id"),
        (
            b'{"model":"m","input":[{"type":"function_call","call_id":"c","name":"f","arguments":{}}]}',
            "input[0].arguments",
        ),
        (b'{"model":"m","input":[{"type":"function_call_output","call_id":"c"}]}', "input[0].output"),
        (
            b'{"model":"m","input":[{"type":"function_call_output","call_id":"c","output":[{"type":"x"}]}]}',
            "input[0].output[0]",
        ),
        (b'{"model":"m","input":[{"type":"reasoning","summary":"x"}]}', "input[0].summary"),
        (b'{"model":"m","input":"x","tools":{}}', "tools"),
        (b'{"model":"m","input":"x","tools":[{}]}', "tools[0].type"),
        (b'{"model":"m","input":"x","tools":[{"type":"function"}]}', "tools[0].name"),
        (b'{"model":"m","input":"x","tools":[{"type":"web_search","filters":5}]}', "tools[0].filters"),
        (b'{"model":"m","input":"x","tool_choice":"maybe"}', "tool_choice"),
        (b'{"model":"m","input":"x","tool_choice":5}', "tool_choice"),
        (b'{"model":"m","input":"x","max_output_tokens":0}', "max_output_tokens"),
        (b'{"model":"m","input":"x","max_output_tokens":"9"}', "max_output_tokens"),
        (b'{"model":"m","input":"x","reasoning":{"effort":"giant"}}', "reasoning.effort"),
        (b'{"model":"m","input":"x","reasoning":[]}', "reasoning"),
        (b'{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n"}}}', "text.format.schema"),
        (b'{"model":"m","input":"x","text":{"format":{"type":"xml"}}}', "text.format.type"),
        (b'{"model":"m","input":"x","temperature":"hot"}', "temperature"),
        (b'{"model":"m","input":"x","reasoning":{"\xff":1}}', None),
    ],
)
def test_a_malformed_body_names_its_field(body: bytes, param: str | None) -> None:
    with pytest.raises(Malformed) as caught:
        CODEC.decode_request(body, NO_WORDS)
    assert caught.value.fault.param == param
    assert caught.value.fault.status == 400


@given(st.data())
def test_damage_is_malformed_and_nothing_else(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    settings, _ = data.draw(st.sampled_from(FIELDS))
    body = json.dumps({"model": "m", "input": case.items} | settings).encode()
    at = data.draw(st.integers(0, len(body) - 1))
    broken = body[:at] + data.draw(st.binary(max_size=4)) + body[at + data.draw(st.integers(0, 6)) :]
    try:
        request = CODEC.decode_request(broken, NO_WORDS)
    except Malformed:
        return
    CODEC.encode_request(request, PLAIN)


WORDS = st.text(max_size=8)
NAMES = st.text("abc_", min_size=1, max_size=5)
PARTS = st.one_of(
    st.builds(Text, text=WORDS),
    st.builds(
        Image, source=st.builds(Url, st.just("https://a.example")), detail=st.sampled_from([None, "low", "auto"])
    ),
    st.builds(File, source=st.builds(Stored, NAMES, st.just(OWN)), name=NAMES),
)
RESULTS = st.builds(
    ToolResult,
    call_id=NAMES,
    content=st.tuples(st.builds(Text, text=WORDS)) | st.lists(PARTS, min_size=2, max_size=3).map(tuple),
    custom=st.booleans(),
)
TURN_OF_USER = st.lists(PARTS, min_size=1, max_size=3) | st.lists(RESULTS, min_size=1, max_size=3)
SPOKEN = st.lists(st.builds(Text, text=WORDS) | st.builds(Refusal, text=WORDS), max_size=2)
CALLS = st.lists(
    st.builds(ToolCall, id=NAMES, name=NAMES, arguments=WORDS, custom=st.booleans()), min_size=1, max_size=3
)
THOUGHTS = st.lists(st.builds(Thinking, text=WORDS, seal=NAMES, origin=st.just(OWN), id=NAMES), max_size=2)


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    messages: list[Message] = []
    for _ in range(draw(st.integers(1, 3))):
        messages.append(Message(role="user", parts=tuple(draw(TURN_OF_USER))))
        parts = (*draw(THOUGHTS), *draw(SPOKEN), *draw(CALLS))
        messages.append(Message(role="assistant", parts=parts))
    return replace(
        decode(input=""),
        messages=tuple(messages),
        system=tuple(draw(st.lists(st.builds(Text, text=WORDS), max_size=3))),
        max_tokens=draw(st.none() | st.integers(1, 99)),
        sampling=Sampling(temperature=draw(st.none() | st.floats(0, 2))),
        reasoning=draw(
            st.none() | st.builds(Reasoning, enabled=st.just(True), effort=st.sampled_from(["low", "xhigh"]))
        ),
        tools=tuple(draw(st.lists(st.builds(Tool, name=NAMES, description=WORDS, strict=st.none() | st.booleans())))),
        stream=draw(st.booleans()),
    )


@given(requests())
def test_what_the_format_can_say_survives_a_round_trip(request: ChatRequest) -> None:
    encoded = CODEC.encode_request(request, PLAIN)
    assert CODEC.decode_request(encoded.body, NO_WORDS) == request
    assert encoded.losses == ()


SEAL = wrap_seal("sig", CLAUDE)


def test_a_foreign_seal_comes_back_to_its_origin() -> None:
    items = [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "So."}],
            "encrypted_content": SEAL,
        },
        {"type": "reasoning", "summary": [], "encrypted_content": wrap_seal("redacted.xyz", CLAUDE)},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "summary": [], "encrypted_content": wrap_seal("call.gem", GEMINI)},
    ]
    (message,) = decode(input=items).messages
    assert message.parts == (
        Thinking(text="So.", seal="sig", origin=CLAUDE),
        Thinking(seal="xyz", origin=CLAUDE, redacted=True),
        ToolCall(id="c", name="f", arguments="{}", seal="gem", origin=GEMINI),
    )


def test_a_seal_of_a_call_that_is_gone_is_dropped() -> None:
    items = [{"type": "reasoning", "summary": [], "encrypted_content": wrap_seal("call.gem", GEMINI)}]
    assert decode(input=items).messages == ()


def test_a_mark_to_cache_is_read() -> None:
    mark = {"mode": "explicit", "ttl": "12h"}
    items = [said({"type": "input_text", "text": "a", "prompt_cache_breakpoint": mark})]
    assert decode(input=items).messages[0].parts == (Text(text="a", cache=CachePoint("1h")),)


def test_a_request_of_another_format_means_the_same_here() -> None:
    request = ChatRequest(
        model="m",
        messages=(USER,),
        tools=(Tool(name="f", parameters=raw(SCHEMA)), Tool(name="p", custom=True)),
        reasoning=Reasoning(enabled=True, budget=20_000),
        sampling=Sampling(logprobs=True),
        max_tokens=1,
    )
    assert encode(request) == {
        "model": "m",
        "input": [said({"type": "input_text", "text": "hi"})],
        "tools": [
            {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False},
            {"type": "custom", "name": "p"},
        ],
        "reasoning": {"effort": "high"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "max_output_tokens": 16,
        "store": False,
    }
    assert losses(request) == {"max_tokens": "hint", "reasoning.budget": "hint"}


@pytest.mark.parametrize(
    ("reasoning", "wire"),
    [
        (Reasoning(budget=1_024), {"effort": "low"}),
        (Reasoning(budget=8_000), {"effort": "medium"}),
        (Reasoning(budget=16_384), {"effort": "high"}),
        (Reasoning(budget=-1, shown=True), {"summary": "auto"}),
        (Reasoning(budget=0), {"effort": "none"}),
        (Reasoning(enabled=False), {"effort": "none"}),
        (Reasoning(enabled=True), None),
    ],
)
def test_a_budget_of_thought_becomes_an_effort(reasoning: Reasoning, wire: dict[str, str] | None) -> None:
    assert encode(foreign(reasoning=reasoning)).get("reasoning") == wire


LEFT_OUT = {"thinking.seal", "part.hosted_call", "part.opaque", "part.media", "part.misplaced"}


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        (Thinking(text="So.", seal="sig", origin=CLAUDE), {"thinking.seal": "hint"}),
        (Thinking(text="So."), {"thinking.seal": "hint"}),
        (ToolCall(id="c", name="f", arguments="{}", seal="s", origin=GEMINI), {"tool_call.seal": "hint"}),
        (
            HostedCall(id="h", tool="web_search", arguments="{}", origin=CLAUDE, raw=Raw(b"{}")),
            {"part.hosted_call": "hint"},
        ),
        (HostedResult(call_id="h", tool="web_search", origin=CLAUDE, raw=Raw(b"{}")), {"part.hosted_call": "hint"}),
        (Opaque(origin=CLAUDE, raw=Raw(b"{}")), {"part.opaque": "content"}),
        (Image(source=Url("https://a.example")), {"part.media": "content"}),
        (File(source=Url("https://a.example")), {"part.media": "content"}),
        (Audio(id="a"), {"part.media": "content"}),
        (Audio(id="a", transcript="said"), {"part.audio": "setting"}),
        (ToolResult(call_id="c"), {"part.misplaced": "content"}),
        (Text(text="x", citations=(Citation(url="https://a.example"),)), {"text.citations": "hint"}),
        (Text(text="x", cache=CachePoint()), {"cache": "hint"}),
        (Text(text="x"), {}),
        (Refusal(text="x"), {}),
        (ToolCall(id="c", name="f", arguments="{}"), {}),
    ],
)
def test_each_part_of_the_model_is_said_or_lost(part: Part, lost: dict[str, str]) -> None:
    request = foreign(part, role="assistant")
    assert losses(request) == lost
    assert (len(encode(request)["input"]) > 1) == (not lost.keys() & LEFT_OUT)


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        (Audio(source=Inline("audio/mpeg", "AA")), {}),
        (Audio(source=Inline("audio/ogg", "AA")), {"part.audio": "content"}),
        (Audio(source=Url("https://a.example")), {"part.audio": "content"}),
        (Image(source=Stored("f", CLAUDE)), {"source.stored": "content"}),
        (Image(source=Stored("f", ProtocolId("openai.chat"))), {}),
        (File(source=Stored("f", CLAUDE)), {"source.stored": "content"}),
        (File(source=Inline("application/pdf", "AA"), context="c"), {"file.context": "setting"}),
        (File(source=Inline("application/pdf", "AA"), cited=True), {"file.cited": "setting"}),
        (ToolResult(call_id="c", failed=True), {"tool_result.failed": "hint"}),
        (Thinking(text="x"), {"part.misplaced": "content"}),
        (Opaque(origin=CLAUDE, raw=Raw(b"{}")), {"part.opaque": "content"}),
        (Refusal(text="x"), {}),
    ],
)
def test_each_part_of_the_user_is_said_or_lost(part: Part, lost: dict[str, str]) -> None:
    request = foreign(part)
    assert losses(request) == lost
    assert (len(encode(request)["input"]) > 1) == ("content" not in lost.values())


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"stop": ("x",)}, {"stop": "setting"}),
        ({"n": 2}, {"n": "setting"}),
        ({"n": 1}, {}),
        ({"sampling": Sampling(top_k=1, seed=2)}, {"sampling.top_k": "setting", "sampling.seed": "setting"}),
        ({"sampling": Sampling(presence_penalty=0.5)}, {"sampling.presence_penalty": "setting"}),
        ({"sampling": Sampling(frequency_penalty=0.5)}, {"sampling.frequency_penalty": "setting"}),
        ({"sampling": Sampling(logit_bias=Raw(b"{}"))}, {"sampling.logit_bias": "setting"}),
        ({"modalities": ("text", "audio"), "voice": Voice(name="v")}, {"modalities": "setting", "voice": "setting"}),
        ({"modalities": ("text",)}, {}),
        ({"system": (Text(text="s", cache=CachePoint()),)}, {"cache": "hint"}),
        ({"tools": (HostedTool(kind="url_context", origin=GEMINI),)}, {"tool.url_context": "setting"}),
        ({"tools": (HostedTool(kind="web_search", origin=CLAUDE, max_uses=2),)}, {"tool.max_uses": "setting"}),
        (
            {"tools": (HostedTool(kind="web_search", origin=CLAUDE, blocked_domains=("a",)),)},
            {"tool.blocked_domains": "setting"},
        ),
        ({"tools": (HostedTool(kind="code_execution", origin=CLAUDE),)}, {}),
        ({"tools": (Tool(name="f", cache=CachePoint()),)}, {"cache": "hint"}),
        (
            {"extras": {CLAUDE: {"metadata": Raw(b"{}"), "thinking_display": Raw(b"1")}}},
            {"extras.metadata": "hint", "extras.thinking_display": "setting"},
        ),
    ],
)
def test_each_setting_is_said_or_lost(fields: dict[str, Any], lost: dict[str, str]) -> None:
    assert losses(foreign(**fields)) == lost


@pytest.mark.parametrize(
    ("fields", "profile", "lost"),
    [
        ({"sampling": Sampling(temperature=0.5)}, Profile(samples=False), {"sampling.temperature": "setting"}),
        ({"reasoning": Reasoning(effort="high")}, Profile(thinks="no"), {"reasoning": "setting"}),
        ({"output": OutputForm(schema=raw(SCHEMA))}, Profile(schemas=False), {"output.schema": "setting"}),
    ],
)
def test_what_the_model_cannot_do_is_not_asked_of_it(
    fields: dict[str, Any], profile: Profile, lost: dict[str, str]
) -> None:
    request = foreign(**fields)
    assert losses(request, profile) == lost
    assert not encode(request, profile).keys() & {"temperature", "reasoning", "include"}


@pytest.mark.parametrize(
    ("profile", "role"),
    [(Profile(), "system"), (Profile(developer=True), "developer"), (Profile(late_system=False), "user")],
)
def test_late_system_words_stand_where_the_model_takes_them(profile: Profile, role: str) -> None:
    """promise 25"""
    late = Message(role="system", parts=(Text(text="late"),))
    assert encode(ChatRequest(model="m", messages=(USER, late)), profile)["input"][1]["role"] == role


def test_hosted_tools_of_others_become_ours() -> None:
    tools = (
        HostedTool(kind="web_search", origin=CLAUDE, allowed_domains=("a",), location=raw({"type": "approximate"})),
        HostedTool(kind="code_execution", origin=GEMINI),
    )
    assert encode(foreign(tools=tools))["tools"] == [
        {"type": "web_search", "filters": {"allowed_domains": ["a"]}, "user_location": {"type": "approximate"}},
        {"type": "code_interpreter", "container": {"type": "auto"}},
    ]


def test_a_long_id_of_a_call_is_shortened_the_same_on_both_sides() -> None:
    call, result = ToolCall(id="x" * 200, name="f", arguments="{}"), ToolResult(call_id="x" * 200)
    messages = (USER, reply(call), turn(result))
    _, called, answered = encode(ChatRequest(model="m", messages=messages))["input"]
    assert called["call_id"] == answered["call_id"]
    assert len(called["call_id"]) <= 64


def test_a_long_name_of_a_user_goes_up_as_a_hash() -> None:
    named = encode(foreign(Text(text="hi"), user="u" * 65))["user"]
    assert len(named) == 64
    assert named != "u" * 64


MEMBER = {"type": "function", "name": "close", "description": "Close one.", "parameters": {"type": "object"}}
GROUP = {"type": "namespace", "name": "crew", "description": "Who helps.", "tools": [MEMBER]}
DECLARED: list[dict[str, Any]] = [
    {"input": "hi", "tools": [GROUP]},
    {"input": [{"type": "additional_tools", "role": "developer", "tools": [GROUP]}, {"role": "user", "content": "hi"}]},
]


@pytest.mark.parametrize("body", DECLARED)
def test_members_of_a_group_stand_among_the_other_tools(body: dict[str, Any]) -> None:
    request = decode(**body)
    (tool,) = request.tools
    assert isinstance(tool, Tool)
    assert (tool.name, tool.group, tool.description) == ("crew__close", "crew", "Who helps.\n\nClose one.")
    assert [message.parts for message in request.messages] == [(Text(text="hi"),)]


def test_a_call_of_a_member_comes_back_under_the_groups_name() -> None:
    call = {"type": "function_call", "call_id": "1", "name": "close", "namespace": "crew", "arguments": "{}"}
    (message,) = decode(tools=[GROUP], input=[call]).messages
    assert message.parts == (ToolCall(id="1", name="crew__close", arguments="{}"),)


def test_a_word_of_additional_tools_in_a_text_is_a_text() -> None:
    (message,) = decode(input=[{"role": "user", "content": "additional_tools"}]).messages
    assert message.parts == (Text(text="additional_tools"),)
