"""Requests: what Anthropic's clients say is read whole, and what any client says is written or named as lost."""

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from tests.unit.protocols.anthropic_messages.said import (
    body,
    decode,
    raw,
    request,
    weights,
    write,
)
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
    CachePoint,
    Text,
    ToolCall,
    ToolResult,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile

CHAT = ProtocolId("openai.chat")
GEMINI = ProtocolId("gemini.generate")
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}

FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"system": [{"type": "text", "text": "s"} | HOUR]}, {"system": (Text(text="s", cache=CachePoint("1h")),)}),
    ({"stream": True}, {"stream": True}),
    ({"temperature": 0.5, "top_k": 3}, {"sampling": Sampling(temperature=0.5, top_k=3)}),
    ({"top_p": 0.5}, {"sampling": Sampling(top_p=0.5)}),
    ({"stop_sequences": ["a", "b"]}, {"stop": ("a", "b")}),
    ({"metadata": {"user_id": "u"}}, {"user": "u"}),
    ({"service_tier": "standard_only"}, {"service_tier": "default"}),
    ({"service_tier": "auto"}, {"service_tier": "auto"}),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000},
        {"reasoning": Reasoning(enabled=True, budget=1024), "max_tokens": 4000},
    ),
    ({"thinking": {"type": "disabled"}}, {"reasoning": Reasoning(enabled=False)}),
    (
        {"thinking": {"type": "adaptive", "display": "summarized"}},
        {"reasoning": Reasoning(enabled=True, budget=-1, shown=True)},
    ),
    (
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
        {"reasoning": Reasoning(enabled=True, budget=-1, effort="xhigh")},
    ),
    ({"output_config": {"effort": "low"}}, {"reasoning": Reasoning(effort="low")}),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"output": OutputForm(schema=raw({"type": "object"}))},
    ),
    (
        {"tools": [{"name": "f", "input_schema": {"type": "object"}, "description": "d", "strict": True} | HOUR]},
        {
            "tools": (
                Tool(
                    name="f", parameters=raw({"type": "object"}), description="d", strict=True, cache=CachePoint("1h")
                ),
            )
        },
    ),
]


@pytest.mark.parametrize(("fields", "said"), FIELDS, ids=[str(number) for number in range(len(FIELDS))])
def test_a_field_is_read_and_written_the_same(fields: dict[str, Any], said: dict[str, Any]) -> None:
    asked = decode(body(**fields))
    plain: dict[str, Any] = {"max_tokens": 100, **said}
    expected = ChatRequest(model="claude", messages=(Message(role="user", parts=(Text(text="hi"),)),), **plain)
    assert asked == expected
    wire, encoded = write(asked)
    assert encoded.losses == ()
    assert {name: wire.get(name) for name in fields} == fields
    assert wire.keys() == {"model", "messages", "max_tokens", *fields}, "nothing that was not said (promise 30)"


TOOL = {"name": "f", "input_schema": {"type": "object"}}
CHOICES: list[tuple[dict[str, Any], ToolChoice, bool | None]] = [
    ({"type": "auto"}, ToolChoice(mode="auto"), None),
    ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(mode="auto"), False),
    ({"type": "any", "disable_parallel_tool_use": False}, ToolChoice(mode="required"), True),
    ({"type": "tool", "name": "f"}, ToolChoice(mode="named", name="f"), None),
    ({"type": "none"}, ToolChoice(mode="none"), None),
]


@pytest.mark.parametrize(("wire", "choice", "parallel"), CHOICES)
def test_a_choice_of_tools_is_read_and_written(wire: object, choice: ToolChoice, parallel: bool | None) -> None:
    asked = decode(body(tools=[TOOL], tool_choice=wire))
    assert (asked.tool_choice, asked.parallel_tools) == (choice, parallel)
    assert write(asked)[0]["tool_choice"] == wire


HOSTED: list[tuple[dict[str, Any], str]] = [
    (
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 5,
            "allowed_domains": ["a.b"],
            "user_location": {"type": "approximate", "city": "Hanoi"},
        },
        "web_search",
    ),
    ({"type": "web_search_20260318", "name": "web_search", "blocked_domains": ["a.b"]}, "web_search"),
    ({"type": "web_fetch_20250910", "name": "web_fetch"}, "web_fetch"),
    ({"type": "code_execution_20250825", "name": "code_execution"}, "code_execution"),
    ({"type": "bash_20250124", "name": "bash"}, "other"),
    ({"type": "computer_toolset_20260801"}, "other"),
]


@pytest.mark.parametrize(("wire", "kind"), HOSTED)
def test_a_tool_of_anthropics_is_read_and_goes_back(wire: dict[str, Any], kind: str) -> None:
    asked = decode(body(tools=[wire]))
    (tool,) = asked.tools
    assert isinstance(tool, HostedTool)
    assert tool.kind == kind
    assert tool.max_uses == wire.get("max_uses")
    assert (*tool.allowed_domains, *tool.blocked_domains) == (
        *wire.get("allowed_domains", ()),
        *wire.get("blocked_domains", ()),
    )
    assert write(asked)[0]["tools"] == [wire]


def test_tools_of_others_become_anthropics_own_where_it_has_them() -> None:
    place = raw({"type": "approximate", "country": "VN"})
    tools = (
        HostedTool(
            kind="web_search", origin=CHAT, max_uses=2, allowed_domains=("a",), blocked_domains=("b",), location=place
        ),
        HostedTool(kind="code_execution", origin=GEMINI),
        HostedTool(kind="url_context", origin=GEMINI),
        HostedTool(kind="file_search", origin=CHAT),
    )
    wire, encoded = write(request(Text(text="x"), tools=tools))
    assert wire["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 2,
            "allowed_domains": ["a"],
            "user_location": {"type": "approximate", "country": "VN"},
        },
        {"type": "code_execution_20250825", "name": "code_execution"},
        {"type": "web_fetch_20250910", "name": "web_fetch"},
    ]
    assert weights(encoded) == {"tools.blocked_domains": "setting", "tools.file_search": "setting"}


def test_more_than_we_read_of_a_tool_goes_back_too() -> None:
    tool = TOOL | {"defer_loading": True}
    asked = decode(body(tools=[tool]))
    assert isinstance(asked.tools[0], Tool)
    assert write(asked)[0]["tools"] == [tool]


def test_unknown_fields_go_back_to_anthropic_only() -> None:
    extras = {
        "container": "c",
        "context_management": {"edits": []},
        "mcp_servers": [{"type": "url", "url": "https://m", "name": "m"}],
        "cache_control": {"type": "ephemeral"},
        "output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 9}},
        "metadata": {"user_id": "u", "team": 1},
        "thinking": {"type": "between_tools"},
    }
    asked = decode(body(**extras))
    assert asked.user == "u"
    wire, encoded = write(asked)
    assert {name: wire[name] for name in extras} == extras
    assert encoded.losses == ()
    foreign = write(request(Text(text="x"), extras={CHAT: {"metadata": Raw(b"{}"), "prediction": Raw(b"{}")}}))
    assert "prediction" not in foreign[0]
    assert weights(foreign[1]) == {"extras.metadata": "hint", "extras.prediction": "setting"}


def test_null_and_absent_are_not_said() -> None:
    fields = (
        "system",
        "stream",
        "temperature",
        "tools",
        "tool_choice",
        "thinking",
        "metadata",
        "stop_sequences",
        "output_config",
        "service_tier",
        "container",
    )
    assert decode(body(**dict.fromkeys(fields))) == decode(body())


def test_leading_system_turns_are_the_system_prompt() -> None:
    turns = [
        {"role": "system", "content": "b"},
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "late"},
    ]
    asked = decode(body(system="a", messages=turns))
    assert asked.system == (Text(text="a"), Text(text="b"))
    assert [message.role for message in asked.messages] == ["user", "system"]


def test_what_a_leading_system_turn_says_more_is_not_taken_for_the_users() -> None:
    more = {"role": "system", "content": [{"type": "text", "text": "b", "of_tomorrow": 1}]}
    turns = [more, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert write(decode(body(messages=turns)))[0]["messages"] == turns[1:]


LATE = Message(role="system", parts=(Text(text="be brief"),))
USER = Message(role="user", parts=(Text(text="u"),))
MODEL = Message(role="assistant", parts=(Text(text="a"),))


def talk(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest(model="claude", messages=messages, max_tokens=100, **more)


@pytest.mark.parametrize(
    ("messages", "late", "roles", "lost"),
    [
        ((USER, LATE), True, ["user", "system"], False),
        ((USER, LATE, MODEL, USER), True, ["user", "system", "assistant", "user"], False),
        ((USER, MODEL, LATE, USER), True, ["user", "assistant", "user"], True),
        ((USER, MODEL, LATE), True, ["user", "assistant", "user"], True),
        ((USER, LATE, USER), True, ["user"], True),
        ((USER, LATE), False, ["user"], True),
        ((USER, USER, MODEL, MODEL), True, ["user", "assistant"], False),
    ],
)
def test_system_words_stand_where_they_may(
    messages: tuple[Message, ...], late: bool, roles: list[str], lost: bool
) -> None:
    """promise 25"""
    wire, encoded = write(talk(*messages), Profile(late_system=late))
    assert [turn["role"] for turn in wire["messages"]] == roles
    assert weights(encoded) == ({"message.system": "setting"} if lost else {})
    assert ("<system>\\nbe brief\\n</system>" in json.dumps(wire)) is lost
    assert LATE not in messages or "be brief" in json.dumps(wire)


def test_results_of_tools_come_first_in_their_turn() -> None:
    call = ToolCall(id="functions.get:0", name="get", arguments="{}")
    wire, _ = write(
        talk(
            USER,
            Message(role="assistant", parts=(call,)),
            LATE,
            Message(
                role="user", parts=(Text(text="so?"), ToolResult(call_id="functions.get:0", content=(Text(text="4"),)))
            ),
        )
    )
    assert [block["type"] for block in wire["messages"][2]["content"]] == ["tool_result", "text", "text"]
    used = wire["messages"][1]["content"][0]["id"]
    assert wire["messages"][2]["content"][0]["tool_use_id"] == used
    assert used.replace("_", "").isalnum()
    assert used != "functions.get:0"


def test_every_other_setting_is_named_as_lost() -> None:
    asked = request(
        Text(text="x"),
        n=2,
        sampling=Sampling(
            temperature=1.5,
            top_p=0.9,
            seed=0,
            presence_penalty=0.1,
            frequency_penalty=0.1,
            logit_bias=Raw(b"{}"),
            logprobs=True,
            top_logprobs=2,
        ),
        verbosity="low",
        modalities=("text", "audio"),
        voice=Voice(name="v"),
        cache_key="k",
        service_tier="flex",
        stop=("\n", "END"),
        tools=(Tool(name="f", custom=True, grammar=Raw(b"{}")), Tool(name="g")),
        tool_choice=ToolChoice(mode="required", allowed=("f",)),
    )
    wire, encoded = write(asked)
    sampling = (
        "temperature",
        "top_p",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
    )
    settings_ = ("n", "verbosity", "modalities.audio", "voice", "service_tier", "stop", "tools.custom")
    assert weights(encoded) == (
        {f"sampling.{name}": "setting" for name in sampling}
        | dict.fromkeys(settings_, "setting")
        | {"cache_key": "hint", "tool_choice.allowed": "hint"}
    )
    assert wire["temperature"] == 1
    assert wire["stop_sequences"] == ["END"]
    assert [tool["name"] for tool in wire["tools"]] == ["f"]
    assert wire["tool_choice"] == {"type": "any"}


def test_tools_that_are_all_left_out_are_not_chosen() -> None:
    wire, encoded = write(request(Text(text="x"), tool_choice=ToolChoice(mode="required"), parallel_tools=False))
    assert "tool_choice" not in wire
    assert weights(encoded) == {"tool_choice": "setting"}
    parallel, _ = write(request(Text(text="x"), tools=(Tool(name="f"),), parallel_tools=False))
    assert parallel["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert parallel["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]


def test_a_system_prompt_alone_is_the_users_turn() -> None:
    wire, encoded = write(talk(system=(Text(text="write a poem"),)))
    assert wire["messages"] == [{"role": "user", "content": [{"type": "text", "text": "write a poem"}]}]
    assert "system" not in wire
    assert weights(encoded) == {"system": "setting"}


def test_the_limit_is_always_said() -> None:
    asked = replace(request(Text(text="x")), max_tokens=None)
    assert write(asked)[0]["max_tokens"] == 4096
    assert write(asked, Profile(max_output=8192))[0]["max_tokens"] == 8192


def test_json_without_a_schema_is_asked_for_in_words() -> None:
    wire, encoded = write(request(Text(text="x"), output=OutputForm(name="n", description="d")))
    assert "JSON" in wire["system"][-1]["text"]
    assert weights(encoded) == {"output": "setting", "output.name": "hint", "output.description": "setting"}
    form = OutputForm(schema=raw({"type": "object", "title": "Zed"}))
    wire, encoded = write(request(Text(text="x"), output=form), Profile(schemas=False))
    assert "Zed" in wire["system"][-1]["text"]
    assert "output_config" not in wire
