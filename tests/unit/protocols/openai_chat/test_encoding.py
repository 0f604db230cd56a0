"""A canonical request for an upstream of chat: what is said how, and what is lost."""

import json
from typing import Any

import pytest
from msgspec import Raw

from yescale.domain.chat import ChatRequest, HostedTool, Message, OutputForm, Reasoning, Sampling, Tool, ToolChoice
from yescale.domain.content import (
    Audio,
    File,
    HostedCall,
    Image,
    Inline,
    Part,
    Refusal,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile
from yescale.protocols.openai_chat.encoding import encode_request
from yescale.protocols.openai_chat.words import ID

OTHER = ProtocolId("anthropic.messages")
HI = Message(role="user", parts=(Text(text="hi"),))


def encode(profile: Profile | None = None, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    encoded = encode_request(ChatRequest(**{"model": "m", "messages": (HI,), **fields}), profile or Profile())
    return json.loads(encoded.body), [loss.what for loss in encoded.losses]


def spoken(*parts: Part, profile: Profile | None = None) -> tuple[list[Any], list[str]]:
    body, losses = encode(profile, messages=(HI, Message(role="assistant", parts=parts)))
    return body["messages"][1:], losses


def asked(*parts: Part) -> tuple[list[Any], list[str]]:
    body, losses = encode(messages=(Message(role="user", parts=parts),))
    return body["messages"], losses


def test_system_words_stand_in_the_role_that_the_model_takes() -> None:
    late = (HI, Message(role="system", parts=(Text(text="late"),)))
    for profile, first, second in (
        (Profile(), "system", "system"),
        (Profile(developer=True), "developer", "developer"),
        (Profile(late_system=False), "system", "user"),
    ):
        body, losses = encode(profile, system=(Text(text="a"), Text(text="b")), messages=late)
        assert [message["role"] for message in body["messages"]] == [first, "user", second]
        assert body["messages"][0]["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        assert losses == ([] if profile.late_system else ["message.system"])


def test_results_stand_right_behind_their_calls_and_their_pictures_follow() -> None:
    result = ToolResult(call_id="c", failed=True, content=(Text(text="see"), Image(source=Inline("image/png", "QUJD"))))
    messages, losses = asked(Text(text="well"), result)
    assert messages == [
        {"role": "tool", "tool_call_id": "c", "content": "see"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "text", "text": "well"},
            ],
        },
    ]
    assert sorted(losses) == ["tool_result.failed", "tool_result.image"]


def test_arguments_go_up_as_they_were_written() -> None:
    (message,), losses = spoken(ToolCall(id="c", name="f", arguments='{"z":1.10, "bad'))
    assert message["tool_calls"][0]["function"]["arguments"] == '{"z":1.10, "bad'
    assert message["content"] is None
    assert losses == []


def test_thoughts_go_back_to_servers_of_their_kind_only() -> None:
    own, foreign = Thinking(text="hm", seal="s", origin=ID), Thinking(text="ha", seal="t", origin=OTHER)
    (message,), losses = spoken(own, foreign, Text(text="x"))
    assert message["reasoning_content"] == "hm"
    assert [each["signature"] for each in message["reasoning_details"]] == ["s"]
    assert losses == ["thinking.seal"]
    (message,), losses = spoken(own, Text(text="x"), profile=Profile(thinks="no"))
    assert message == {"role": "assistant", "content": "x"}
    assert losses == ["part.thinking"]


def test_a_seal_on_a_call_goes_back_to_its_origin_only() -> None:
    (message,), losses = spoken(ToolCall(id="c", name="f", arguments="{}", seal="s", origin=ID))
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}
    assert losses == []
    (message,), losses = spoken(ToolCall(id="c", name="f", arguments="{}", seal="s", origin=OTHER))
    assert "extra_content" not in message["tool_calls"][0]
    assert losses == ["tool_call.seal"]


def test_words_of_an_assistant_are_text_refusal_voice_and_programs() -> None:
    program = HostedCall(
        id="h", tool="code_execution", arguments='{"language":"PYTHON","code":"1+1"}', origin=OTHER, raw=Raw(b"{}")
    )
    (message,), losses = spoken(Text(text="x"), program, Refusal(text="no"), Audio(id="a"))
    assert message["content"] == [
        {"type": "text", "text": "x"},
        {"type": "text", "text": "```python\n1+1\n```\n"},
    ]
    assert (message["refusal"], message["audio"]) == ("no", {"id": "a"})
    assert losses == []


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (
            File(source=Inline("application/pdf", "QUJD")),
            {"file_data": "data:application/pdf;base64,QUJD", "filename": "file"},
        ),
        (File(source=Stored("file-1", ProtocolId("openai.responses"))), {"file_id": "file-1"}),
        (Audio(source=Inline("audio/mpeg", "QUJD")), {"data": "QUJD", "format": "mp3"}),
    ],
    ids=["file", "file of OpenAI", "audio"],
)
def test_files_and_sound_go_up_as_bytes(part: Part, content: object) -> None:
    ((message,), losses) = asked(part)
    ((kind, held),) = [(k, v) for k, v in message["content"][0].items() if k != "type"]
    assert held == content
    assert message["content"][0]["type"] == kind
    assert losses == []


@pytest.mark.parametrize(
    ("profile", "reasoning", "fields", "losses"),
    [
        (Profile(), Reasoning(effort="low"), {"reasoning_effort": "low"}, []),
        (Profile(), Reasoning(enabled=True, budget=9_000), {"reasoning_effort": "medium"}, ["reasoning.budget"]),
        (Profile(), Reasoning(budget=50_000), {"reasoning_effort": "xhigh"}, ["reasoning.budget"]),
        (Profile(), Reasoning(enabled=False), {}, ["reasoning"]),
        (Profile(), Reasoning(enabled=True, shown=True), {"reasoning_effort": "medium"}, ["reasoning.shown"]),
        (Profile(thinks="no"), Reasoning(effort="low"), {}, ["reasoning"]),
        (
            Profile(thinks="budget"),
            Reasoning(enabled=True, budget=9),
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
            [],
        ),
        (Profile(thinks="budget"), Reasoning(enabled=False), {"thinking": {"type": "disabled"}}, []),
        (Profile(thinks="adaptive"), Reasoning(budget=-1), {"thinking": {"type": "auto"}}, []),
        (
            Profile(thinks="adaptive"),
            Reasoning(enabled=True, budget=9),
            {"thinking": {"type": "enabled"}},
            ["reasoning.budget"],
        ),
    ],
)
def test_the_model_is_told_to_think_as_it_takes_it(
    profile: Profile, reasoning: Reasoning, fields: dict[str, Any], losses: list[str]
) -> None:
    body, lost = encode(profile, reasoning=reasoning)
    assert {name: value for name, value in body.items() if name in ("reasoning_effort", "thinking")} == fields
    assert lost == losses


def test_limits_stand_where_the_model_looks_for_them() -> None:
    body, losses = encode(Profile(limit_field="max_completion_tokens"), max_tokens=9, stop=tuple("abcde"), n=2)
    assert (body["max_completion_tokens"], body["stop"], body["n"]) == (9, ["a", "b", "c", "d"], 2)
    assert losses == ["stop"]


def test_sampling_that_the_model_refuses_is_lost_by_name() -> None:
    sampling = Sampling(temperature=0, top_k=3, seed=7)
    body, losses = encode(Profile(samples=False), sampling=sampling)
    assert body["seed"] == 7
    assert "temperature" not in body
    assert sorted(losses) == ["sampling.temperature", "sampling.top_k"]


def test_a_model_that_takes_no_custom_tools_gets_functions() -> None:
    call = ToolCall(id="c", name="sh", arguments="ls -l", custom=True)
    result = ToolResult(call_id="c", name="sh", content=(Text(text="a"),), custom=True)
    turns = (HI, Message(role="assistant", parts=(call,)), Message(role="user", parts=(result,)))
    tools = (Tool(name="sh", description="A shell.", custom=True), HostedTool(kind="web_search", origin=OTHER))
    body, losses = encode(messages=turns, tools=tools, tool_choice=ToolChoice(mode="named", name="sh"))
    (tool,) = body["tools"]
    assert (tool["type"], tool["function"]["name"]) == ("function", "sh")
    assert tool["function"]["parameters"]["required"] == ["input"]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "sh"}}
    (called,) = body["messages"][1]["tool_calls"]
    assert json.loads(called["function"]["arguments"]) == {"input": "ls -l"}
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "c", "content": "a"}
    assert losses == ["tools.custom", "tool.web_search"]
    assert "tools.custom" not in encode(tools=(Tool(name="f"),))[1]


def test_choices_of_tools_name_their_kind() -> None:
    tools = (Tool(name="f"), Tool(name="sh", custom=True))
    custom = Profile(custom_tools=True)
    body, _ = encode(custom, tools=tools, tool_choice=ToolChoice(mode="named", name="sh"), parallel_tools=True)
    assert body["tool_choice"] == {"type": "custom", "custom": {"name": "sh"}}
    assert body["tools"] == [
        {"type": "function", "function": {"name": "f"}},
        {"type": "custom", "custom": {"name": "sh"}},
    ]
    body, _ = encode(tools=tools, tool_choice=ToolChoice(mode="auto", allowed=("f",)))
    assert body["tool_choice"]["allowed_tools"] == {
        "mode": "auto",
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }


def test_a_foreign_web_search_is_chats_own_as_far_as_it_goes() -> None:
    search = HostedTool(
        kind="web_search",
        origin=OTHER,
        max_uses=3,
        location=Raw(b'{"type":"approximate","city":"Hue"}'),
    )
    body, losses = encode(Profile(searches=True), tools=(search,))
    assert body["web_search_options"] == {"user_location": {"type": "approximate", "approximate": {"city": "Hue"}}}
    assert losses == ["tool.web_search.max_uses"]
    body, losses = encode(tools=(search,))  # a model that does not search is not asked to
    assert "web_search_options" not in body
    assert losses == ["tool.web_search"]


def test_a_schema_for_a_model_that_takes_none_becomes_any_json() -> None:
    form = OutputForm(schema=Raw(b'{"type":"object"}'))
    body, losses = encode(output=form)
    assert body["response_format"]["json_schema"] == {"name": "answer", "schema": {"type": "object"}}
    assert losses == []
    body, losses = encode(Profile(schemas=False), output=form)
    assert body["response_format"] == {"type": "json_object"}
    assert losses == ["output.schema"]


def test_a_stream_asks_for_its_usage() -> None:
    body, _ = encode(stream=True)
    assert body["stream_options"] == {"include_usage": True}


def test_foreign_extras_weigh_what_they_change() -> None:
    extras = {OTHER: {"metadata": Raw(b"{}"), "odd": Raw(b"1"), "previous_response_id": Raw(b'"r"')}}
    encoded = encode_request(ChatRequest(model="m", messages=(HI,), extras=extras), Profile())
    assert [(loss.what, loss.weight) for loss in encoded.losses] == [
        ("extras.metadata", "hint"),
        ("extras.odd", "setting"),
        ("extras.previous_response_id", "content"),
    ]


def test_a_description_that_is_too_long_is_cut_and_said_whole_among_the_system_words() -> None:
    tools = (Tool(name="long", description="a" * 1_000 + "the end"), Tool(name="short", description="b"))
    body, losses = encode(Profile(description_chars=100), tools=tools, system=(Text(text="You are kind."),))
    told = [tool["function"]["description"] for tool in body["tools"]]
    assert told == ["a" * 99 + "…", "b"]
    first, added = (part["text"] for part in body["messages"][0]["content"])
    assert first == "You are kind."
    assert "## long\n\n" + "a" * 1_000 + "the end" in added
    assert "## short" not in added
    assert losses == ["tool.description"]


@pytest.mark.parametrize("most", [0, 7])
def test_a_description_that_fits_or_has_no_bound_stays(most: int) -> None:
    body, losses = encode(Profile(description_chars=most), tools=(Tool(name="t", description="exactly"),))
    assert body["tools"][0]["function"]["description"] == "exactly"
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert losses == []


def test_a_long_name_of_a_user_goes_up_as_one_hash() -> None:
    (one, _), (again, _), (other, _) = (encode(user=name) for name in ("u" * 65, "u" * 65, "v" * 65))
    assert len(one["user"]) == 64
    assert one["user"] == again["user"] != other["user"]
    assert encode(user="u" * 64)[0]["user"] == "u" * 64
