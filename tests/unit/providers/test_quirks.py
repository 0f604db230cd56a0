"""Tweaks that single providers need: what each changes, what it loses, and that it leaves the rest alone."""

import json
from typing import Any

import pytest
from msgspec import Raw

from yescale.domain.chat import ChatRequest, HostedTool, Message, OutputForm, Reasoning, Sampling, Tool
from yescale.domain.content import Text, Thinking, ToolCall, ToolResult
from yescale.domain.ids import ProtocolId
from yescale.protocols.codec import Quirk
from yescale.protocols.openai_chat import CHAT_CODEC
from yescale.protocols.passthrough import Change
from yescale.protocols.translation import encode
from yescale.providers import quirks
from yescale.providers.compatible import CEREBRAS, DEEPSEEK, GROQ, MISTRAL, QWEN
from yescale.providers.provider import Provider

OTHER = ProtocolId("anthropic.messages")
HI = Message(role="user", parts=(Text(text="hi"),))


def request(**fields: Any) -> ChatRequest:
    return ChatRequest(**{"model": "m", "messages": (HI,), **fields})


def sent(provider: Provider, asked: ChatRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """What goes up to a provider's chat endpoint in translation."""
    (endpoint, *_) = provider.endpoints["chat"]
    encoded = encode(asked, CHAT_CODEC, provider.profile("m"), Change(model="m"), endpoint.quirks)
    return json.loads(encoded.body), {loss.what: loss.weight for loss in encoded.losses}


ALL: tuple[Quirk, ...] = (
    quirks.switch_thinking,
    quirks.enable_thinking,
    quirks.random_seed,
    quirks.schema_in_words,
    quirks.thoughts_with_calls,
    quirks.short_call_ids,
    quirks.unnamed,
    quirks.leave_out("user", "n", "modalities", "sampling.logprobs"),
)


@pytest.mark.parametrize("quirk", ALL)
def test_a_request_that_needs_nothing_stays_as_it_is(quirk: Quirk) -> None:
    assert quirk(request()) == (request(), ())


@pytest.mark.parametrize(
    ("wish", "thinking", "lost"),
    [
        (Reasoning(effort="high"), {"type": "enabled"}, {"reasoning.effort": "setting"}),
        (Reasoning(budget=2_000, enabled=True), {"type": "enabled"}, {"reasoning.effort": "setting"}),
        (Reasoning(enabled=True), {"type": "enabled"}, {}),
        (Reasoning(effort="none"), {"type": "disabled"}, {}),
        (Reasoning(budget=0), {"type": "disabled"}, {}),
        (Reasoning(shown=True), None, {}),
    ],
)
def test_deepseek_s_thinking_is_on_or_off(wish: Reasoning, thinking: Any, lost: dict[str, str]) -> None:
    body, losses = sent(DEEPSEEK, request(reasoning=wish))
    assert body.get("thinking") == thinking
    assert "reasoning_effort" not in body
    assert losses == lost


@pytest.mark.parametrize(
    ("wish", "fields", "lost"),
    [
        (Reasoning(budget=2_000), {"enable_thinking": True, "thinking_budget": 2_000}, {}),
        (Reasoning(effort="high"), {"enable_thinking": True}, {"reasoning.effort": "setting"}),
        (Reasoning(enabled=False), {"enable_thinking": False}, {}),
        (Reasoning(shown=True), {}, {}),
    ],
)
def test_qwen_has_two_fields_for_it(wish: Reasoning, fields: dict[str, Any], lost: dict[str, str]) -> None:
    body, losses = sent(QWEN, request(reasoning=wish))
    assert {name: body[name] for name in body if "think" in name or "reason" in name} == fields
    assert losses == lost


def test_a_schema_goes_in_words_where_there_is_none() -> None:
    body, losses = sent(DEEPSEEK, request(output=OutputForm(schema=Raw(b'{"type":"object","title":"T"}'))))
    assert body["response_format"] == {"type": "json_object"}
    assert "JSON" in body["messages"][0]["content"]
    assert '"title":"T"' in body["messages"][0]["content"]
    assert losses == {"output.schema": "setting"}


def test_thoughts_go_back_with_the_calls_of_this_turn_alone() -> None:
    thought = Thinking(text="hm")
    call = ToolCall(id="c", name="f", arguments="{}")
    result = Message(role="user", parts=(ToolResult(call_id="c", content=(Text(text="r"),)),))
    messages = (
        HI,
        Message(role="assistant", parts=(thought, call)),
        result,
        Message(role="assistant", parts=(thought, Text(text="done"))),
        HI,
        Message(role="assistant", parts=(thought, call)),
        result,
    )
    body, losses = sent(DEEPSEEK, request(messages=messages))
    assert [("reasoning_content" in turn) for turn in body["messages"]] == [False] * 5 + [True, False]
    assert losses == {"part.thinking": "hint"}


def test_mistral_s_calls_have_short_ids_and_its_seed_another_name() -> None:
    call = ToolCall(id="toolu_01A09q90qw90lq917835lq9", name="f", arguments="{}")
    own = ToolCall(id="abcDEF123", name="f", arguments="{}")
    results = tuple(ToolResult(call_id=each.id, content=(Text(text="r"),)) for each in (call, own))
    messages = (HI, Message(role="assistant", parts=(call, own)), Message(role="user", parts=results))
    sampling = Sampling(seed=7, logprobs=True)
    asked = request(messages=messages, sampling=sampling, user="u", stream=True)
    body, losses = sent(MISTRAL, asked)
    ids = [each["id"] for each in body["messages"][1]["tool_calls"]]
    assert [len(each) for each in ids] == [9, 9]
    assert ids[1] == "abcDEF123"
    assert [turn["tool_call_id"] for turn in body["messages"][2:]] == ids
    assert body["random_seed"] == 7
    assert not {"seed", "user", "logprobs", "stream_options"} & set(body)
    assert losses == {"user": "hint", "sampling.logprobs": "setting"}


def test_mistral_is_asked_for_no_search_and_no_probabilities_be_they_unwanted() -> None:
    asked = request(
        tools=(Tool(name="f"), HostedTool(kind="web_search", origin=OTHER)), sampling=Sampling(logprobs=False)
    )
    body, losses = sent(MISTRAL, asked)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    assert not {"web_search_options", "logprobs"} & set(body)
    assert losses == {"tool.web_search": "setting", "sampling.logprobs": "setting"}


def test_groq_hears_no_names() -> None:
    body, losses = sent(GROQ, request(messages=(Message(role="user", name="ann", parts=HI.parts),), n=2))
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert "n" not in body
    assert losses == {"message.name": "hint", "n": "setting"}


def test_cerebras_is_not_told_to_call_one_tool_at_a_time() -> None:
    body, losses = sent(CEREBRAS, request(tools=(Tool(name="f"),), parallel_tools=False, service_tier="auto"))
    assert not {"parallel_tool_calls", "service_tier"} & set(body)
    assert losses == {"parallel_tools": "setting", "service_tier": "setting"}
