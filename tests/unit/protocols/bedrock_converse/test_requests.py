"""Requests for Converse: what is said how, what is lost, and botocore's own model of it as the judge of shapes."""

import base64
import json
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from msgspec import Raw

from tests.laws import strategies as make
from yescale.domain.chat import ChatRequest, HostedTool, Message, OutputForm, Reasoning, Sampling, Tool, ToolChoice
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
from yescale.protocols.bedrock_converse import CODEC
from yescale.providers.bedrock import profile

CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
ANTHROPIC, OTHER = ProtocolId("anthropic.messages"), ProtocolId("openai.chat")
HI = Message(role="user", parts=(Text(text="hi"),))
TOOL = Tool(name="f", description="F", parameters=Raw(b'{"type":"object"}'))
SERVICE = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
SHAPE = SERVICE.operation_model("Converse").input_shape


def encode(model: str = CLAUDE, known: Profile | None = None, **fields: Any) -> tuple[dict[str, Any], dict[str, str]]:
    request = ChatRequest(**{"model": model, "messages": (HI,), **fields})
    encoded = CODEC.encode_request(request, known or profile(model))
    body = json.loads(encoded.body)
    judge(body)
    return body, {loss.what: loss.weight for loss in encoded.losses}


def judge(body: dict[str, Any]) -> None:
    """botocore checks types and names, where bytes are bytes."""
    report = ParamValidator().validate({"modelId": "m", **opened(body)}, SHAPE)
    assert not report.has_errors(), report.generate_report()


def opened(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: base64.b64decode(inner) if name in ("bytes", "redactedContent") else opened(inner)
            for name, inner in value.items()
        }
    return [opened(each) for each in value] if isinstance(value, list) else value


def blocks(*parts: Part, role: Any = "user") -> tuple[list[Any], dict[str, str]]:
    """The last turn's blocks."""
    before = HI if role == "assistant" else Message(role="assistant", parts=(Text(text="well"),))
    first = () if before is HI else (HI,)
    body, losses = encode(messages=(*first, before, Message(role=role, parts=parts)))
    return body["messages"][-1]["content"], losses


@pytest.mark.parametrize(
    ("part", "role", "block"),
    [
        (Text(text="a"), "user", {"text": "a"}),
        (Refusal(text="no"), "assistant", {"text": "no"}),
        (
            Image(source=Inline("image/png", "QQ==")),
            "user",
            {"image": {"format": "png", "source": {"bytes": "QQ=="}}},
        ),
        (
            ToolCall(id="c 1", name="f", arguments='{"a":1.10}'),
            "assistant",
            {
                "toolUse": {
                    "toolUseId": "call_e3f8ea2d3f5ac7a2b27eb64e1b98b5d6",
                    "name": "f",
                    "input": {"a": 1.1},
                }
            },
        ),
        (
            Thinking(text="hm", seal="S", origin=ANTHROPIC),
            "assistant",
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "S"}}},
        ),
        (
            Thinking(seal="SEAL", origin=ANTHROPIC, redacted=True),
            "assistant",
            {"reasoningContent": {"redactedContent": base64.b64encode(b"SEAL").decode()}},
        ),
        (Audio(transcript="said"), "user", {"text": "said"}),
        (
            HostedResult(call_id="h", tool="code_execution", origin=OTHER, raw=Raw(b"{}"), text="42"),
            "assistant",
            {"text": "```output\n42\n```"},
        ),
    ],
)
def test_a_part_is_a_block(part: Part, role: str, block: dict[str, Any]) -> None:
    found, _ = blocks(part, role=role)
    if isinstance(part, ToolCall):
        block["toolUse"]["toolUseId"] = found[0]["toolUse"]["toolUseId"]
        assert found[0]["toolUse"]["toolUseId"].startswith("call_")
    assert found == [block]


@pytest.mark.parametrize(
    ("part", "role", "lost"),
    [
        (Image(source=Url("https://x/y.png")), "user", {"part.image": "content"}),
        (Image(source=Inline("image/tiff", "QQ==")), "user", {"part.image": "content"}),
        (Image(source=Inline("image/png", "QQ==")), "assistant", {"part.image": "content"}),
        (File(source=Stored("f", OTHER)), "user", {"part.file": "content"}),
        (File(source=Inline("application/zip", "QQ==")), "user", {"part.file": "content"}),
        (Audio(source=Inline("audio/wav", "QQ==")), "user", {"part.audio": "content"}),
        (Opaque(origin=OTHER, raw=Raw(b"{}")), "user", {"part.opaque": "content"}),
        (Thinking(text="hm", seal="S", origin=OTHER), "assistant", {"thinking": "hint"}),
        (
            HostedCall(id="h", tool="web_search", arguments="{}", origin=OTHER, raw=Raw(b"{}")),
            "assistant",
            {"part.hosted": "hint"},
        ),
        (Text(text="x", citations=(Citation(url="u"),)), "assistant", {"text.citations": "hint"}),
        (ToolCall(id="c", name="f", arguments="{", seal="s", origin=OTHER), "assistant", {
            "tool_call.seal": "hint", "tool_call.arguments": "setting", "tools": "hint",
        }),
    ],
)  # fmt: skip
def test_what_converse_cannot_say_is_lost_by_name(part: Part, role: str, lost: dict[str, str]) -> None:
    assert blocks(Text(text="x"), part, role=role)[1] == lost


def test_documents_have_names_of_their_own_and_words_beside_them() -> None:
    pdf = File(source=Inline("application/pdf", "QQ=="), name="a/b: ü.pdf", context="c", cited=True)
    found, losses = blocks(pdf, pdf)
    assert [block["document"]["name"] for block in found[:2]] == ["a b pdf 1", "a b pdf 2"]
    assert found[0]["document"]["citations"] == {"enabled": True}
    assert found[2] == {"text": "See the document."}
    assert losses == {"part.file": "hint"}


def test_cache_points_stand_behind_what_they_cache() -> None:
    cached = Text(text="a", cache=CachePoint(ttl="1h"))
    body, losses = encode(
        system=(cached,),
        messages=(Message(role="user", parts=(Text(text="b", cache=CachePoint()),)),),
        tools=(Tool(name="f", cache=CachePoint()),),
    )
    assert body["system"] == [{"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert body["messages"][0]["content"][1] == {"cachePoint": {"type": "default"}}
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}
    assert losses == {}
    assert encode("meta.llama3", system=(cached,))[1] == {"part.cache": "hint"}


def test_turns_alternate_and_begin_with_the_user() -> None:
    said = (
        Message(role="assistant", parts=(Text(text="1"),)),
        Message(role="user", parts=(Text(text="2"), ToolResult(call_id="c", content=(Text(text="r"),), failed=True))),
        Message(role="system", parts=(Text(text="3"),)),
        Message(role="user", parts=(Text(text=" "),), name="me"),
        Message(role="assistant", parts=(Text(text="4"),)),
    )
    body, losses = encode(messages=said)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "assistant"]
    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "c", "content": [{"text": "r"}], "status": "error"}},
        {"text": "2"},
        {"text": "<system>\n3\n</system>"},
    ]
    assert losses == {"messages": "hint", "message.system": "setting", "message.name": "hint", "tools": "hint"}


@pytest.mark.parametrize(
    ("choice", "wire", "lost"),
    [
        (None, None, {}),
        (ToolChoice(mode="auto"), {"auto": {}}, {}),
        (ToolChoice(mode="required"), {"any": {}}, {}),
        (ToolChoice(mode="named", name="f"), {"tool": {"name": "f"}}, {}),
        (ToolChoice(mode="required", allowed=("f",)), {"any": {}}, {"tool_choice.allowed": "hint"}),
    ],
)
def test_a_choice_of_tools(choice: ToolChoice | None, wire: Any, lost: dict[str, str]) -> None:
    body, losses = encode(tools=(TOOL,), tool_choice=choice)
    assert body["toolConfig"].get("toolChoice") == wire
    assert body["toolConfig"]["tools"] == [
        {"toolSpec": {"name": "f", "description": "F", "inputSchema": {"json": {"type": "object"}}}}
    ]
    assert losses == lost


def test_tools_that_are_forbidden_go_unless_they_were_called() -> None:
    assert "toolConfig" not in encode(tools=(TOOL,), tool_choice=ToolChoice(mode="none"))[0]
    called = Message(role="assistant", parts=(ToolCall(id="c", name="f", arguments="{}"),))
    body, losses = encode(tools=(TOOL,), tool_choice=ToolChoice(mode="none"), messages=(HI, called))
    assert body["toolConfig"]["tools"]
    assert losses == {"tool_choice": "setting"}


@pytest.mark.parametrize(
    ("model", "wish", "more", "lost"),
    [
        (CLAUDE, Reasoning(enabled=True, budget=2_000), {"thinking": {"type": "enabled", "budget_tokens": 2_000}}, {}),
        (
            CLAUDE,
            Reasoning(effort="low"),
            {"thinking": {"type": "enabled", "budget_tokens": 2_048}},
            {"reasoning.effort": "hint"},
        ),
        (
            CLAUDE,
            Reasoning(enabled=True, budget=9_000),
            {"thinking": {"type": "enabled", "budget_tokens": 3_200}},
            {"reasoning.budget": "setting"},
        ),
        (CLAUDE, Reasoning(enabled=False), {"thinking": {"type": "disabled"}}, {}),
        (
            "anthropic.claude-opus-4-6-v1",
            Reasoning(effort="high", enabled=True),
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            {},
        ),
        ("openai.gpt-oss-120b-1:0", Reasoning(effort="high"), {"reasoning_effort": "high"}, {}),
        ("meta.llama3", Reasoning(effort="high"), None, {"reasoning": "setting"}),
        ("meta.llama3", Reasoning(enabled=False), None, {}),
    ],
)
def test_thinking_is_asked_for_as_the_model_takes_it(
    model: str, wish: Reasoning, more: dict[str, Any] | None, lost: dict[str, str]
) -> None:
    body, losses = encode(model, reasoning=wish, max_tokens=4_000)
    assert body.get("additionalModelRequestFields") == more
    assert losses == lost


def test_who_thinks_takes_no_temperature() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.5, top_k=3)
    body, losses = encode(reasoning=Reasoning(budget=1_024), max_tokens=4_000, sampling=sampling)
    assert body["inferenceConfig"] == {"maxTokens": 4_000}
    assert losses == {"sampling.temperature": "setting", "sampling.top_p": "setting", "sampling.top_k": "setting"}


def test_settings_of_the_answer() -> None:
    body, losses = encode(
        max_tokens=9, stop=("x", "y"), sampling=Sampling(temperature=1.5, top_p=0.9, top_k=3, seed=1), n=2, user="u",
        service_tier="flex", cache_key="k", parallel_tools=False, verbosity="low",
        extras={OTHER: {"store": Raw(b"true"), "odd": Raw(b"1")}},
    )  # fmt: skip
    assert body["inferenceConfig"] == {"maxTokens": 9, "temperature": 1.0, "topP": 0.9, "stopSequences": ["x", "y"]}
    assert body["additionalModelRequestFields"] == {"top_k": 3}
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert body["serviceTier"] == {"type": "flex"}
    assert losses == {
        "sampling.temperature": "setting", "parallel_tools": "setting", "n": "setting", "verbosity": "setting",
        "sampling.seed": "setting", "user": "hint", "cache_key": "hint", "extras.store": "hint",
        "extras.odd": "setting",
    }  # fmt: skip


def test_a_schema_goes_as_text_or_in_words() -> None:
    form = OutputForm(schema=Raw(b'{"type":"object"}'), name="n", strict=True)
    body, losses = encode("anthropic.claude-sonnet-4-5-20250929-v1:0", output=form)
    structure = {"jsonSchema": {"schema": '{"type":"object"}', "name": "n"}}
    assert body["outputConfig"] == {"textFormat": {"type": "json_schema", "structure": structure}}
    assert losses == {"output.strict": "hint"}
    body, losses = encode("meta.llama3", output=form)
    assert '{"type":"object"}' in body["system"][-1]["text"]
    assert losses == {"output": "setting"}


def test_hosted_tools_are_lost() -> None:
    _, losses = encode(tools=(HostedTool(kind="web_search", origin=OTHER),))
    assert losses == {"tools.web_search": "setting"}


def test_system_words_alone_become_the_user_s() -> None:
    body, losses = encode(system=(Text(text="be"),), messages=())
    assert body == {"messages": [{"role": "user", "content": [{"text": "be"}]}]}
    assert losses == {"system": "setting"}


def test_nothing_is_added_that_the_client_did_not_say() -> None:
    """Promise 30."""
    assert encode() == ({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, {})


@settings(deadline=None, max_examples=60, suppress_health_check=(HealthCheck.too_slow,))
@given(request=make.requests(OTHER))
def test_any_request_has_the_shape_that_botocore_knows(request: ChatRequest) -> None:
    encoded = CODEC.encode_request(request, Profile())
    if all(loss.weight != "content" for loss in encoded.losses):
        judge(json.loads(encoded.body))
