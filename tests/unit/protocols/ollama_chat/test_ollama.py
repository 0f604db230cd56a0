"""Ollama's own chat: what is asked of it, what it answers, whole and line by line."""

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from tests.fuzz.pieces import grains
from yescale.domain.assembly import assemble
from yescale.domain.chat import (
    ChatRequest,
    Message,
    OutputForm,
    Reasoning,
    Sampling,
    StopReason,
    TokenScore,
    Tool,
    ToolChoice,
)
from yescale.domain.content import File, Image, Inline, Part, Text, Thinking, ToolCall, ToolResult, Url
from yescale.domain.event_grammar import check
from yescale.domain.events import Event, StreamEnd, StreamError
from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile
from yescale.domain.usage import Meter
from yescale.protocols.codec import Garbled
from yescale.protocols.ollama_chat import CHAT, CODEC

SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
SWITCH, LEVELS = Profile(thinks="adaptive"), Profile(thinks="effort")
PLAIN = ChatRequest(model="m", messages=(Message(role="user", parts=(Text(text="hi"),)),))


def asked(request: ChatRequest, profile: Profile = LEVELS) -> tuple[dict[str, Any], list[str]]:
    encoded = CODEC.encode_request(request, profile)
    return json.loads(encoded.body), [loss.what for loss in encoded.losses]


def turn(role: Any, *parts: Part) -> Message:
    return Message(role=role, parts=parts)


def test_a_stream_is_asked_for_or_not_since_ollama_streams_unasked() -> None:
    message = {"role": "user", "content": "hi"}
    assert asked(PLAIN) == ({"model": "m", "messages": [message], "stream": False}, [])
    assert asked(replace(PLAIN, stream=True))[0]["stream"] is True


def test_a_conversation_with_pictures_tools_and_thoughts() -> None:
    request = ChatRequest(
        model="m",
        system=(Text(text="be brief"),),
        messages=(
            turn("user", Text(text="look"), Image(source=Inline("image/png", "QUJD"))),
            turn("assistant", Thinking(text="hm"), ToolCall(id="c1", name="f", arguments='{"z":1.10}'),
                 ToolCall(id="c2", name="g", arguments="")),
            turn("user", ToolResult(call_id="c1", content=(Text(text="one"),)), ToolResult(call_id="c2"),
                 Text(text="go")),
            turn("system", Text(text="late")),
        ),
        tools=(Tool(name="f", description="d", parameters=SCHEMA), Tool(name="g")),
    )  # fmt: skip
    wire, losses = asked(request)
    assert losses == []
    assert wire["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "look", "images": ["QUJD"]},
        {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [
            {"function": {"name": "f", "arguments": {"z": 1.1}}}, {"function": {"name": "g", "arguments": {}}}]},
        {"role": "tool", "content": "one", "tool_name": "f"},
        {"role": "tool", "content": "", "tool_name": "g"},
        {"role": "user", "content": "go"},
        {"role": "system", "content": "late"},
    ]  # fmt: skip
    assert wire["tools"][0] == {
        "type": "function", "function": {"name": "f", "description": "d", "parameters": json.loads(bytes(SCHEMA))},
    }  # fmt: skip
    assert b'"arguments":{"z":1.10}' in CODEC.encode_request(request, LEVELS).body


def test_settings_are_options() -> None:
    sampling = Sampling(
        temperature=0.0, top_p=0.5, top_k=4, seed=7, presence_penalty=1.0, frequency_penalty=-1.0, logprobs=True,
        top_logprobs=2,
    )  # fmt: skip
    wire, losses = asked(replace(PLAIN, sampling=sampling, max_tokens=9, stop=("x",)))
    assert losses == []
    assert wire["options"] == {
        "num_predict": 9, "temperature": 0.0, "top_p": 0.5, "top_k": 4, "seed": 7, "presence_penalty": 1.0,
        "frequency_penalty": -1.0, "stop": ["x"],
    }  # fmt: skip
    assert (wire["logprobs"], wire["top_logprobs"]) == (True, 2)


@pytest.mark.parametrize(
    ("form", "wire"), [(OutputForm(), "json"), (OutputForm(schema=SCHEMA), json.loads(bytes(SCHEMA)))]
)
def test_a_form_of_output_is_a_format(form: OutputForm, wire: object) -> None:
    assert asked(replace(PLAIN, output=form))[0]["format"] == wire


@pytest.mark.parametrize(
    ("wish", "profile", "think", "losses"),
    [
        (Reasoning(effort="high"), LEVELS, "high", []),
        (Reasoning(effort="xhigh"), LEVELS, "high", []),
        (Reasoning(effort="low"), SWITCH, True, ["reasoning.effort"]),
        (Reasoning(enabled=True, budget=2_000), SWITCH, True, ["reasoning.budget"]),
        (Reasoning(enabled=True, budget=-1), SWITCH, True, []),
        (Reasoning(enabled=False), SWITCH, False, []),
        (Reasoning(budget=0), LEVELS, False, []),
        (Reasoning(effort="none"), LEVELS, False, []),
        (Reasoning(effort="high"), Profile(thinks="no"), None, ["reasoning"]),
        (Reasoning(enabled=False), Profile(thinks="no"), None, []),
        (Reasoning(), SWITCH, None, []),
    ],
)
def test_a_wish_to_think_is_a_level_or_a_switch(
    wish: Reasoning, profile: Profile, think: object, losses: list[str]
) -> None:
    wire, lost = asked(replace(PLAIN, reasoning=wish), profile)
    assert (wire.get("think"), lost) == (think, losses)


TOOLS = (Tool(name="f"), Tool(name="g"))


@pytest.mark.parametrize(
    ("choice", "offered", "losses"),
    [
        (ToolChoice(mode="auto"), ["f", "g"], []),
        (ToolChoice(mode="none"), [], []),
        (ToolChoice(mode="required"), ["f", "g"], ["tool_choice"]),
        (ToolChoice(mode="named", name="g"), ["g"], ["tool_choice"]),
        (ToolChoice(mode="auto", allowed=("f",)), ["f"], ["tool_choice.allowed"]),
    ],
)
def test_a_choice_is_met_by_what_is_offered(choice: ToolChoice, offered: list[str], losses: list[str]) -> None:
    wire, lost = asked(replace(PLAIN, tools=TOOLS, tool_choice=choice))
    assert [tool["function"]["name"] for tool in wire.get("tools", [])] == offered
    assert lost == losses


@pytest.mark.parametrize(
    ("part", "what", "weight"),
    [
        (Image(source=Url("https://a.example/x.png")), "part.image", "content"),
        (File(source=Inline("application/pdf", "QUJD")), "part.file", "content"),
        (Thinking(text="x", seal="s", origin=ProtocolId("anthropic.messages")), "thinking", "hint"),
        (ToolCall(id="c", name="f", arguments='{"a'), "tool_call.arguments", "setting"),
    ],
)
def test_what_ollama_cannot_take_is_named(part: Part, what: str, weight: str) -> None:
    losses = CODEC.encode_request(replace(PLAIN, messages=(turn("assistant", part),)), LEVELS).losses
    assert [(loss.what, loss.weight) for loss in losses] == [(what, weight)]


CALL = {"function": {"name": "f", "arguments": {"a": 1.5}}}
LINES = (
    {"model": "m", "created_at": "c", "message": {"role": "assistant", "content": "", "thinking": "h"}, "done": False},
    {"message": {"role": "assistant", "content": "", "thinking": "m"}, "done": False},
    {"message": {"role": "assistant", "content": "Hé"}, "logprobs": [{"token": "H", "logprob": -0.5}], "done": False},
    {"message": {"role": "assistant", "content": "", "tool_calls": [CALL]}, "done": False},
    {"message": {"role": "assistant", "content": "", "tool_calls": [CALL]}, "done": False},
    {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 7,
     "eval_count": 5},
)  # fmt: skip
STREAM = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in LINES)


def heard(*pieces: bytes, limit: int = 10_000) -> list[Event]:
    decoder = CODEC.stream_decoder(limit)
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.finish()]


def test_a_stream_is_told_in_good_order_wherever_it_is_cut() -> None:
    events = heard(STREAM)
    assert check(events) == []
    told = assemble(events)
    (choice,) = told.choices
    first, second = choice.parts[2:]
    assert choice.parts[:2] == (Thinking(text="hm"), Text(text="Hé"))
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.id != second.id
    assert [(call.name, json.loads(call.arguments)) for call in (first, second)] == [("f", {"a": 1.5})] * 2
    assert (choice.reason, choice.scores) == (StopReason.TOOL_CALLS, (TokenScore("H", -0.5),))
    assert told.usage == {Meter.INPUT_TOKENS: 7, Meter.OUTPUT_TOKENS: 5}
    assert heard(*grains(STREAM)) == events
    assert heard(STREAM.rstrip(b"\n")) == events
    assert heard(STREAM.replace(b"\n", b"\r\n")) == events


def test_a_whole_answer_says_the_same() -> None:
    message = {"role": "assistant", "content": "Hé", "thinking": "hm", "tool_calls": [CALL]}
    body = {"model": "m", "message": message, "done": True, "done_reason": "length", "prompt_eval_count": 7}
    told = CODEC.decode_response(json.dumps(body).encode())
    assert told.choices[0].parts[:2] == (Thinking(text="hm"), Text(text="Hé"))
    assert told.choices[0].reason is StopReason.LENGTH
    assert told.usage == {Meter.INPUT_TOKENS: 7, Meter.OUTPUT_TOKENS: 0}
    unsaid = CODEC.decode_response(json.dumps(body | {"prompt_eval_count": None}).encode())
    assert unsaid.usage is None


def test_a_stream_that_was_cut_has_no_end() -> None:
    """Promise 28."""
    for count in range(len(LINES)):
        cut = b"".join(STREAM.splitlines(keepends=True)[:count]) + STREAM.splitlines()[count][:9]
        assert not any(isinstance(event, StreamEnd) for event in heard(cut))


def test_an_error_is_the_last_that_is_heard() -> None:
    events = heard(STREAM[: STREAM.index(b"\n") + 1] + b'{"error":"out of memory"}\n' + STREAM)
    assert events[-1] == StreamError(message="out of memory")
    assert check(events) == []
    assert CHAT.read_error(b'{"error":"model \'x\' not found"}').message == "model 'x' not found"
    assert CHAT.read_error(b"<html>").message == ""


@pytest.mark.parametrize("line", [b"[]\n", b"nonsense\n", b'{"message":7}\n', b'{"message":{"content":"\xff"}}\n'])
def test_what_is_none_of_its_lines_is_garbled(line: bytes) -> None:
    with pytest.raises(Garbled):
        heard(line)
    with pytest.raises(Garbled):
        CODEC.decode_response(line)
    with pytest.raises(Garbled):
        heard(b"x" * 900, b"x" * 900, limit=1_000)
