"""A client's chat request in canonical form: every role, part, setting and dialect."""

import json
from typing import Any

import pytest
from msgspec import Raw

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
    File,
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
from yescale.protocols.codec import Malformed
from yescale.protocols.openai_chat.decoding import decode_request
from yescale.protocols.openai_chat.words import ID

ANTHROPIC = ProtocolId("anthropic.messages")
USER = {"role": "user", "content": "hi"}


def decode(*messages: Any, **fields: Any) -> ChatRequest:
    return decode_request(json.dumps({"model": "m", "messages": messages or [USER], **fields}).encode())


def user_part(part: Any) -> Part:
    return decode({"role": "user", "content": [part]}).messages[0].parts[0]


@pytest.mark.parametrize(
    ("wire", "part"),
    [
        ({"type": "text", "text": "a\u2028b"}, Text(text="a\u2028b")),
        ({"type": "text", "text": ""}, Text(text="")),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            Text(text="a", cache=CachePoint("5m")),
        ),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text(text="a", cache=CachePoint("1h")),
        ),
        (
            {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
            Text(text="a", cache=CachePoint("1h")),
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://a.example/x.png", "detail": "low"}},
            Image(source=Url("https://a.example/x.png"), detail="low"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,QUJD"}},
            Image(source=Inline("image/jpeg", "QUJD")),
        ),
        (
            {"type": "image_url", "image_url": {"url": "u", "detail": "original"}},
            Image(source=Url("u"), detail="high"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
            Audio(source=Inline("audio/mpeg", "QUJD")),
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
            File(source=Inline("application/pdf", "QUJD"), name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, File(source=Stored("file-1", ID))),
        ({"type": "video_url", "video_url": 1}, Opaque(origin=ID, raw=Raw(b'{"type": "video_url", "video_url": 1}'))),
    ],
)
def test_each_kind_of_part_has_its_canonical_form(wire: Any, part: Part) -> None:
    assert user_part(wire) == part


def test_leading_system_and_developer_words_are_the_system_and_later_ones_stay() -> None:
    """Promise 25."""
    request = decode(
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        USER,
        {"role": "developer", "content": "late"},
    )
    assert request.system == (Text(text="a"), Text(text="b"))
    assert request.messages == (
        Message(role="user", parts=(Text(text="hi"),)),
        Message(role="system", parts=(Text(text="late"),)),
    )


def test_results_of_tools_join_the_words_of_the_user_that_follow() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"z":1.10'}},
        {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "free"}},
    ]
    request = decode(
        USER,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "name": "ann", "content": "and?"},
    )
    assert request.messages[1].parts == (
        ToolCall(id="c1", name="f", arguments='{"z":1.10'),
        ToolCall(id="c2", name="g", arguments="free", custom=True),
    )
    assert request.messages[2:] == (
        Message(
            role="user",
            name="ann",
            parts=(
                ToolResult(call_id="c1", name="f", content=(Text(text="one"),)),
                ToolResult(call_id="c2", name="g", content=(Text(text="two"),), custom=True),
                Text(text="and?"),
            ),
        ),
    )


def test_what_the_model_said_keeps_its_thoughts_refusal_and_voice() -> None:
    request = decode(
        USER,
        {
            "role": "assistant", "content": "word", "refusal": "no", "reasoning_content": "hm", "audio": {"id": "a1"},
            "annotations": [],
        },
    )  # fmt: skip
    assert request.messages[1].parts == (
        Thinking(text="hm", origin=ID),
        Text(text="word"),
        Refusal(text="no"),
        Audio(id="a1"),
    )
    assert not request.extras


def test_seals_come_out_of_their_envelopes() -> None:
    sealed = wrap_seal("c2VhbA==", ANTHROPIC)
    signed = {"google": {"thought_signature": wrap_seal("sig", ProtocolId("gemini.generate"))}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": signed}
    details = [
        {"type": "reasoning.text", "text": "one", "signature": sealed},
        {"type": "reasoning.encrypted", "data": wrap_seal("dark", ANTHROPIC)},
        {"type": "reasoning.text", "text": "two", "signature": "bare"},
    ]
    spoken = {"role": "assistant", "reasoning_content": "onetwo", "reasoning_details": details, "tool_calls": [call]}
    assert decode(USER, spoken).messages[1].parts == (
        Thinking(text="one", seal="c2VhbA==", origin=ANTHROPIC),
        Thinking(seal="dark", origin=ANTHROPIC, redacted=True),
        Thinking(text="two", seal="bare", origin=ID),
        ToolCall(id="c", name="f", arguments="{}", seal="sig", origin=ProtocolId("gemini.generate")),
    )


def test_a_seal_without_its_text_takes_the_plain_one() -> None:
    details = [{"type": "reasoning.text", "signature": "bare"}]
    request = decode(USER, {"role": "assistant", "reasoning": "hm", "reasoning_details": details})
    assert request.messages[1].parts == (Thinking(text="hm", seal="bare", origin=ID),)


def test_legacy_functions_are_tools_called_one_at_a_time() -> None:
    request = decode(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
        functions=[{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    assert request.legacy_functions
    assert request.parallel_tools is False
    assert request.tools == (Tool(name="f", description="d", parameters=Raw(b'{"type": "object"}')),)
    assert request.tool_choice == ToolChoice(mode="named", name="f")
    (call,) = request.messages[1].parts
    (result,) = request.messages[2].parts
    assert isinstance(call, ToolCall)
    assert result == ToolResult(call_id=call.id, name="f", content=(Text(text="42"),))


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"max_tokens": 5}, "max_tokens", 5),
        ({"max_completion_tokens": 6}, "max_tokens", 6),
        ({"max_tokens": None}, "max_tokens", None),
        ({"temperature": 0, "top_k": 3}, "sampling", Sampling(temperature=0, top_k=3)),
        ({"logprobs": True, "top_logprobs": 2}, "sampling", Sampling(logprobs=True, top_logprobs=2)),
        ({"logit_bias": {"1": 2}}, "sampling", Sampling(logit_bias=Raw(b'{"1": 2}'))),
        ({"stop": "x"}, "stop", ("x",)),
        ({"stop": ["x", "y"]}, "stop", ("x", "y")),
        ({"stop": None}, "stop", ()),
        ({"n": 2}, "n", 2),
        ({"reasoning_effort": "xhigh"}, "reasoning", Reasoning(effort="xhigh")),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "reasoning", Reasoning(enabled=True, budget=9)),
        ({"thinking": {"type": "disabled"}}, "reasoning", Reasoning(enabled=False)),
        ({"thinking": {"type": "auto"}}, "reasoning", Reasoning(budget=-1)),
        ({"reasoning": {"max_tokens": 8, "exclude": True}}, "reasoning", Reasoning(budget=8, shown=False)),
        ({"verbosity": "low"}, "verbosity", "low"),
        ({"response_format": {"type": "text"}}, "output", None),
        ({"response_format": {"type": "json_object"}}, "output", OutputForm()),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}}},
            "output",
            OutputForm(schema=Raw(b"{}"), name="n", strict=True),
        ),
        ({"modalities": ["text", "audio"]}, "modalities", ("text", "audio")),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "voice", Voice(name="alloy", format="wav")),
        ({"tool_choice": "required"}, "tool_choice", ToolChoice(mode="required")),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice",
            ToolChoice(mode="named", name="f"),
        ),
        (
            {"tool_choice": {"type": "custom", "custom": {"name": "f"}}},
            "tool_choice",
            ToolChoice(mode="named", name="f"),
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
                }
            },
            "tool_choice",
            ToolChoice(mode="required", allowed=("f",)),
        ),
        ({"parallel_tool_calls": False}, "parallel_tools", False),
        ({"stream": True, "stream_options": {"include_usage": True}}, "usage_wanted", True),
        ({"user": "u"}, "user", "u"),
        ({"prompt_cache_key": "k"}, "cache_key", "k"),
        ({"service_tier": "flex"}, "service_tier", "flex"),
    ],
)
def test_each_setting_has_its_place(fields: dict[str, Any], name: str, value: object) -> None:
    request = decode(**fields)
    assert getattr(request, name) == value
    assert not request.extras


def test_tools_of_the_provider_keep_what_formats_share() -> None:
    place = {"type": "approximate", "approximate": {"city": "Huế", "country": "VN"}}
    request = decode(
        web_search_options={"user_location": place},
        tools=[
            {"type": "function", "function": {"name": "codeExecution"}},
            {"type": "custom", "custom": {"name": "sh", "format": {"type": "text"}}},
            {"type": "openrouter:tool"},
        ],
    )
    program, custom, other, search = request.tools
    assert isinstance(program, HostedTool)
    assert program.kind == "code_execution"
    assert custom == Tool(name="sh", custom=True, grammar=Raw(b'{"type": "text"}'))
    assert isinstance(other, HostedTool)
    assert other.kind == "other"
    assert isinstance(search, HostedTool)
    assert search.kind == "web_search"
    assert search.location is not None
    assert json.loads(bytes(search.location)) == {"type": "approximate", "city": "Huế", "country": "VN"}


def test_what_no_other_format_knows_is_kept_and_null_says_nothing() -> None:
    request = decode({**USER, "prefix": True}, store=True, metadata={"a": "b"}, odd=None, prediction={"x": 1.10})
    assert request.extras[ID] == {
        "store": Raw(b"true"),
        "metadata": Raw(b'{"a": "b"}'),
        "prediction": Raw(b'{"x": 1.1}'),
        "messages[0].prefix": Raw(b"true"),
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [7]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}]},
            "messages[0].content[0].input_audio.format",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "messages[0].content[0].file"),
        ({"messages": [{"role": "system", "content": [{"type": "refusal", "refusal": "x"}]}]}, "messages[0].content"),
        ({"messages": [USER, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].name"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
            "messages[0].tool_calls[0].id",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        ({"messages": [{"role": "assistant", "function_call": {}}]}, "messages[0].function_call.name"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop": 7}, "stop"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"function_call": "always"}, "function_call"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"web_search_options": 7}, "web_search_options"),
        ({"web_search_options": {"user_location": 7}}, "web_search_options.user_location"),
        ({"modalities": ["smell"]}, "modalities[0]"),
    ],
)
def test_a_malformed_request_names_the_field_at_fault(fields: dict[str, Any], param: str) -> None:
    body = {"model": "m", "messages": [USER], **fields}
    with pytest.raises(Malformed) as refused:
        decode_request(json.dumps(body).encode())
    assert refused.value.fault.param == param
    assert param.split("[", maxsplit=1)[0] in refused.value.fault.message
