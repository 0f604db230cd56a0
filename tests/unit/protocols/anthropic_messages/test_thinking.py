"""Thinking: budgets, efforts and what goes with them, as each kind of model takes them."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.protocols.anthropic_messages.said import (
    request,
    weights,
    write,
)
from yescale.domain.chat import (
    Message,
    Reasoning,
    Sampling,
    Tool,
    ToolChoice,
)
from yescale.domain.content import Part, Text, Thinking, ToolCall, ToolResult
from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile
from yescale.protocols.anthropic_messages.thinking import with_thinking
from yescale.protocols.anthropic_messages.words import ID

THOUGHTS: list[tuple[Reasoning, str, int, dict[str, Any], dict[str, str]]] = [
    (
        Reasoning(effort="high"),
        "adaptive",
        100,
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        {},
    ),
    (
        Reasoning(effort="minimal"),
        "adaptive",
        100,
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        {"reasoning.effort": "hint"},
    ),
    (
        Reasoning(enabled=True, budget=9000),
        "adaptive",
        100,
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        {"reasoning.budget": "setting"},
    ),
    (Reasoning(effort="none"), "adaptive", 100, {"thinking": {"type": "disabled"}}, {}),
    (Reasoning(effort="none"), "no", 100, {}, {}),
    (Reasoning(effort="high"), "no", 100, {}, {"reasoning": "setting"}),
    (
        Reasoning(effort="medium"),
        "budget",
        20_000,
        {"thinking": {"type": "enabled", "budget_tokens": 8192}},
        {"reasoning.effort": "hint"},
    ),
    (
        Reasoning(enabled=True, budget=-1),
        "budget",
        4_000,
        {"thinking": {"type": "enabled", "budget_tokens": 3200}},
        {"reasoning.effort": "hint"},
    ),
    (
        Reasoning(enabled=True, budget=5000),
        "budget",
        4_000,
        {"thinking": {"type": "enabled", "budget_tokens": 3200}},
        {"reasoning.budget": "setting"},
    ),
    (
        Reasoning(enabled=True, budget=10),
        "budget",
        4_000,
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"reasoning.budget": "setting"},
    ),
    (Reasoning(enabled=True, budget=2000), "budget", 1_100, {}, {"reasoning": "setting"}),
    (Reasoning(effort="low"), "effort", 100, {"output_config": {"effort": "low"}}, {}),
    (Reasoning(shown=True), "budget", 100, {}, {"reasoning.shown": "hint"}),
    (
        Reasoning(enabled=True, budget=2000, shown=False),
        "budget",
        4_000,
        {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
        {},
    ),
]


@pytest.mark.parametrize(
    ("wish", "thinks", "limit", "said", "losses"), THOUGHTS, ids=[str(n) for n in range(len(THOUGHTS))]
)
def test_thinking_is_asked_for_as_the_model_takes_it(
    wish: Reasoning, thinks: Any, limit: int, said: dict[str, Any], losses: dict[str, str]
) -> None:
    wire, encoded = write(replace(request(Text(text="x"), reasoning=wish), max_tokens=limit), Profile(thinks=thinks))
    assert {name: wire[name] for name in ("thinking", "output_config") if name in wire} == said
    assert weights(encoded) == losses


def test_thinking_leaves_no_room_for_temperature_and_a_forced_tool_none_for_thinking() -> None:
    asked = replace(request(Text(text="x"), reasoning=Reasoning(enabled=True, budget=2000)), max_tokens=4000)
    warm = replace(asked, sampling=Sampling(temperature=0.2, top_p=0.5, top_k=4))
    wire, encoded = write(warm)
    assert not {"temperature", "top_p", "top_k"} & wire.keys()
    assert weights(encoded) == dict.fromkeys(("sampling.temperature", "sampling.top_p", "sampling.top_k"), "setting")
    assert write(replace(asked, sampling=Sampling(temperature=1.0)))[0]["temperature"] == 1
    assert write(replace(asked, sampling=Sampling(top_p=0.97)))[0]["top_p"] == 0.97
    forced = replace(asked, tools=(Tool(name="f"),), tool_choice=ToolChoice(mode="named", name="f"))
    wire, encoded = write(forced)
    assert "thinking" not in wire
    assert weights(encoded) == {"reasoning": "setting"}


@pytest.mark.parametrize(
    ("thought", "thinks"),
    [
        ((), False),
        ((Thinking(text="hm", seal="s", origin=ProtocolId("gemini.generate")),), False),
        ((Thinking(text="hm", seal="s", origin=ID),), True),
        ((Thinking(redacted=True, seal="s", origin=ID),), True),
    ],
)
def test_a_call_that_another_model_made_is_answered_without_a_budget(thought: tuple[Part, ...], thinks: bool) -> None:
    """Anthropic refuses a turn that tools are answering, and that begins without a thought of its own."""
    call = ToolCall(id="c", name="f", arguments="{}")
    result = Message(role="user", parts=(ToolResult(call_id="c", content=(Text(text="r"),)),))
    turns = (*request(Text(text="x")).messages, Message(role="assistant", parts=(*thought, call)), result)
    asked = replace(request(Text(text="x"), reasoning=Reasoning(enabled=True, budget=2000)), max_tokens=4000)
    wire, encoded = write(replace(asked, messages=turns), Profile(thinks="budget"))
    assert ("thinking" in wire) is thinks
    assert (weights(encoded).get("reasoning") == "setting") is not thinks
    later = (*turns, Message(role="assistant", parts=(Text(text="so"),)), *request(Text(text="y")).messages)
    assert "thinking" in write(replace(asked, messages=later), Profile(thinks="budget"))[0]
    assert write(replace(asked, messages=turns), Profile(thinks="adaptive"))[0]["thinking"] == {"type": "adaptive"}


def test_a_model_that_takes_no_sampling_gets_none() -> None:
    asked = request(Text(text="x"), sampling=Sampling(temperature=0.2, top_p=1.0))
    wire, encoded = write(asked, Profile(samples=False))
    assert not {"temperature", "top_p"} & wire.keys()
    assert weights(encoded) == {"sampling.temperature": "setting", "sampling.top_p": "hint"}
    usual = write(request(Text(text="x"), sampling=Sampling(temperature=1.0)), Profile(samples=False))[1]
    assert weights(usual) == {"sampling.temperature": "hint"}


def test_the_suffix_asks_for_four_fifths_of_the_output() -> None:
    asked = request(Text(text="x"), sampling=Sampling(temperature=0.3, top_k=3))
    more = with_thinking(replace(asked, max_tokens=10_000))
    assert more.reasoning == Reasoning(enabled=True, budget=8_000)
    assert more.sampling == Sampling(temperature=1.0)
    assert with_thinking(asked).max_tokens == 1280
    wire, encoded = write(with_thinking(asked))
    assert wire["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert encoded.losses == ()
    told = replace(asked, reasoning=Reasoning(enabled=False))
    assert with_thinking(told) is told
