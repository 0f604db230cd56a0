"""Answers written: each event and each response is what the SDK's types demand, in OpenAI's order."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.unit.protocols.openai_responses.recordings import CODE, OUTPUT, SEARCH, raw, response
from yescale.domain.assembly import assemble, disassemble
from yescale.domain.chat import ChatResponse, Choice, StopReason, TokenScore
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
    Text,
    Thinking,
    ToolCall,
    Url,
)
from yescale.domain.event_grammar import check
from yescale.domain.events import (
    Cited,
    Event,
    MessageEnd,
    MessageStart,
    PartDelta,
    PartEnd,
    PartStart,
    StreamEnd,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Meter, Usage
from yescale.protocols.codec import NO_WORDS, Envelope
from yescale.protocols.openai_responses import CODEC
from yescale.protocols.openai_responses.schema import OWN

DEEPSEEK = ProtocolId("openai.chat")
CLAUDE = ProtocolId("anthropic.messages")
GEMINI = ProtocolId("gemini.generate")
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
RESPONSE: TypeAdapter[Any] = TypeAdapter(Response)
SETTINGS: dict[str, Any] = {
    "model": "nice",
    "instructions": "be brief",
    "input": "hi",
    "metadata": {"a": "b"},
    "store": False,
    "temperature": 0.0,
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object"}},
        {"type": "custom", "name": "patch", "format": {"type": "text"}},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "web_search_preview"},
    "reasoning": {"effort": "low", "summary": "concise"},
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
}


def envelope(settings: dict[str, Any] | None = None, indent: int | None = None) -> Envelope:
    request = CODEC.decode_request(
        json.dumps(settings or {"model": "nice", "input": "hi"}, indent=indent).encode(), NO_WORDS
    )
    return Envelope(id="r1", model="nice", created=1_700_000_001, request=request)


def answer(*parts: Part, reason: StopReason = StopReason.END, usage: Usage | None = None, **more: Any) -> ChatResponse:
    return ChatResponse(id="up", model="up", choices=(Choice(parts=parts, reason=reason, **more),), usage=usage)


def stream(events: Iterable[Event], given: Envelope | None = None) -> list[dict[str, Any]]:
    """The events that a client reads, each checked against the SDK's types."""
    encoder = CODEC.stream_encoder(given or envelope())
    told: list[dict[str, Any]] = []
    for block in b"".join(map(encoder.encode, events)).decode().removesuffix("\n\n").split("\n\n"):
        name, line = block.split("\n")
        data = line.removeprefix("data: ")
        EVENTS.validate_json(data)
        told.append(json.loads(data))
        assert name == f"event: {told[-1]['type']}"
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    return told


def whole(given: ChatResponse, to: Envelope | None = None) -> dict[str, Any]:
    body = CODEC.encode_response(given, to or envelope())
    RESPONSE.validate_json(body)
    return json.loads(body)


def steps(told: Sequence[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in told]


def last(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return told[-1]["response"]


def test_the_response_says_the_settings_of_its_request_again() -> None:
    body = whole(answer(Text(text="x")), envelope(SETTINGS))
    for name in ("model", "instructions", "metadata", "store", "temperature", "tool_choice", "reasoning"):
        assert body[name] == SETTINGS[name]
    assert body["text"] == SETTINGS["text"]
    assert [tool["type"] for tool in body["tools"]] == ["function", "custom", "web_search"]
    assert (body["id"], body["created_at"], body["status"]) == ("resp_r1", 1_700_000_001, "completed")


def test_what_the_client_did_not_say_stands_there_as_it_is_by_default() -> None:
    body = whole(answer(Text(text="x")))
    assert (body["store"], body["temperature"], body["top_p"], body["truncation"]) == (True, 1.0, 1.0, "disabled")
    assert (body["tool_choice"], body["parallel_tool_calls"], body["tools"]) == ("auto", True, [])
    assert body["text"] == {"format": {"type": "text"}}
    assert body["usage"] is None


def test_usage_counts_again_what_overlaps() -> None:
    usage = {
        Meter.INPUT_TOKENS: 1,
        Meter.CACHE_READ_TOKENS: 2,
        Meter.CACHE_WRITE_TOKENS: 4,
        Meter.CACHE_WRITE_1H_TOKENS: 8,
        Meter.OUTPUT_TOKENS: 16,
        Meter.REASONING_TOKENS: 32,
    }
    assert whole(answer(usage=usage))["usage"] == {
        "input_tokens": 15,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 12},
        "output_tokens": 48,
        "output_tokens_details": {"reasoning_tokens": 32},
        "total_tokens": 63,
    }


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        (StopReason.END, "completed", None),
        (StopReason.TOOL_CALLS, "completed", None),
        (StopReason.STOP_SEQUENCE, "completed", None),
        (StopReason.REFUSAL, "completed", None),
        (StopReason.OTHER, "completed", None),
        (StopReason.LENGTH, "incomplete", "max_output_tokens"),
        (StopReason.PAUSED, "incomplete", "max_output_tokens"),
        (StopReason.FILTERED, "incomplete", "content_filter"),
        (StopReason.ERROR, "failed", None),
    ],
)
def test_each_reason_is_a_status(reason: StopReason, status: str, why: str | None) -> None:
    given = answer(Text(text="x"), reason=reason, raw_reason="word")
    body = whole(given)
    told = stream(disassemble(given))
    assert told[-1]["type"] == f"response.{status}"
    assert last(told) == body
    assert body["status"] == status
    assert body["incomplete_details"] == (None if why is None else {"reason": why})
    assert (body["error"] is None) == (status != "failed")


def test_a_text_is_told_in_openais_order() -> None:
    citation = Citation(url="https://a.example", title="A")
    told = stream(
        [
            MessageStart(id="up", model="up"),
            PartStart(index=0, part=Text(text="")),
            PartDelta(index=0, kind="text", data="Hel"),
            PartDelta(index=0, kind="text", data="lo"),
            Cited(index=0, citation=citation),
            PartEnd(index=0),
            PartStart(index=1, part=Refusal(text="no")),
            PartEnd(index=1),
            MessageEnd(reason=StopReason.END),
            StreamEnd(),
        ]
    )
    assert steps(told) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["content_index"] for event in told if "content_index" in event] == [0] * 6 + [1] * 4
    content = last(told)["output"][0]["content"]
    assert content[0]["annotations"] == [
        {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5}
    ]
    assert [part.get("text") or part.get("refusal") for part in content] == ["Hello", "no"]


def test_thoughts_and_calls_have_items_of_their_own() -> None:
    """promise 26"""
    thought = Thinking(text="So.", seal="sig", origin=CLAUDE)
    call = ToolCall(id="c1", name="f", arguments='{"a":1}')
    told = stream(disassemble(answer(thought, call, thought, call, Text(text="x"), reason=StopReason.TOOL_CALLS)))
    output = last(told)["output"]
    assert [item["type"] for item in output] == ["reasoning", "function_call", "reasoning", "function_call", "message"]
    assert len({item["id"] for item in output}) == len(output)
    for event in told:
        if "item_id" in event:
            assert event["item_id"] == output[event["output_index"]]["id"]
    assert steps(told)[2:12] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]


def test_seals_of_others_are_carried_and_come_back() -> None:
    parts = (
        Thinking(text="So.", seal="sig", origin=CLAUDE),
        Thinking(seal="xyz", origin=CLAUDE, redacted=True),
        ToolCall(id="c1", name="f", arguments="{}", seal="gem", origin=GEMINI),
    )
    output = whole(answer(*parts))["output"]
    request = CODEC.decode_request(json.dumps({"model": "m", "input": output}).encode(), NO_WORDS)
    assert request.messages[0].parts == tuple(
        Thinking(text=part.text, seal=part.seal, origin=CLAUDE, redacted=part.redacted)
        if isinstance(part, Thinking)
        else part
        for part in parts
    )


def test_a_thought_that_nobody_sealed_is_carried_all_the_same() -> None:
    """Clients without a store send only reasoning back that has an encrypted content."""
    thought = Thinking(text="So.", origin=DEEPSEEK)
    pieces = [PartDelta(index=0, kind="text", data=piece) for piece in ("S", "o.")]
    start = PartStart(index=0, part=Thinking(origin=DEEPSEEK))
    told = stream([MessageStart(), start, *pieces, PartEnd(index=0), MessageEnd(reason=StopReason.END), StreamEnd()])
    for output in (whole(answer(thought))["output"], last(told)["output"]):
        assert output[0]["encrypted_content"] == "ys1.openai-chat."
        request = CODEC.decode_request(json.dumps({"model": "m", "input": output[:1]}).encode(), NO_WORDS)
        assert request.messages[0].parts == (thought,)
    (item,) = whole(answer(Thinking(text="So.", origin=OWN)))["output"]
    assert "encrypted_content" not in item


def test_a_seal_that_comes_late_is_carried() -> None:
    told = stream(
        [
            MessageStart(),
            PartStart(index=0, part=Thinking(origin=OWN, id="rs_up")),
            PartDelta(index=0, kind="seal", data="sealed"),
            PartEnd(index=0),
            PartStart(index=1, part=ToolCall(id="c", name="f", arguments="", origin=GEMINI)),
            PartDelta(index=1, kind="seal", data="gem"),
            PartEnd(index=1),
            MessageEnd(reason=StopReason.TOOL_CALLS),
            StreamEnd(),
        ]
    )
    output = last(told)["output"]
    assert output[0] == {"id": "rs_up", "type": "reasoning", "summary": [], "encrypted_content": "sealed"}
    assert output[2]["encrypted_content"] == "ys1.gemini-generate.call.gem"


def test_a_call_of_a_custom_tool_is_free_text_again() -> None:
    to = envelope(SETTINGS)
    start = PartStart(index=0, part=ToolCall(id="c", name="patch", arguments=""))
    pieces = [PartDelta(index=0, kind="arguments", data=piece) for piece in ('{"inp', 'ut":"a', '\\nb"}')]
    end = [PartEnd(index=0), MessageEnd(reason=StopReason.TOOL_CALLS), StreamEnd()]
    told = stream([MessageStart(), start, *pieces, *end], to)
    assert steps(told)[2:-1] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    (item,) = last(told)["output"]
    assert (item["type"], item["input"], item["call_id"]) == ("custom_tool_call", "a\nb", "c")
    assert whole(answer(ToolCall(id="c", name="patch", arguments='{"input":"a\\nb"}')), to)["output"] == [item]


def test_free_text_that_comes_as_such_is_told_as_it_comes() -> None:
    told = stream(disassemble(answer(ToolCall(id="c", name="other", arguments="text", custom=True))))
    assert [event["delta"] for event in told if event["type"].endswith("input.delta")] == ["text"]


def test_items_of_its_own_are_given_back_as_they_were() -> None:
    body = json.dumps(response("completed", OUTPUT)).encode()
    output = whole(CODEC.decode_response(body))["output"]
    assert output[1:3] == [SEARCH, CODE]
    assert [item["type"] for item in output] == [item["type"] for item in OUTPUT]


def test_tools_of_other_providers_are_shown_as_ours() -> None:
    search = HostedCall(id="s", tool="web_search", arguments='{"query":"w"}', origin=CLAUDE, raw=Raw(b"{}"))
    code = HostedCall(
        id="x",
        tool="code_execution",
        arguments='{"language":"python","code":"print(1)"}',
        origin=GEMINI,
        raw=Raw(b"{}"),
    )
    result = HostedResult(call_id="x", tool="code_execution", origin=GEMINI, raw=Raw(b"{}"), text="1\n")
    told = stream(disassemble(answer(search, code, result, Text(text="one"))))
    found, ran, said = last(told)["output"]
    assert found["action"] == {"type": "search", "query": "w"}
    assert (ran["code"], ran["outputs"]) == ("print(1)", [{"type": "logs", "logs": "1\n"}])
    assert said["content"][0]["text"] == "one"
    assert steps(told)[2:14] == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
        "output_item.added",
        "code_interpreter_call.in_progress",
        "code_interpreter_call_code.delta",
        "code_interpreter_call_code.done",
        "code_interpreter_call.interpreting",
        "code_interpreter_call.completed",
        "output_item.done",
    ]


def test_a_picture_that_the_model_made_is_an_item() -> None:
    told = stream(disassemble(answer(Image(source=Inline("image/png", "AAAA")))))
    assert last(told)["output"][0]["result"] == "AAAA"


def test_log_probabilities_stand_at_their_text() -> None:
    scores = (TokenScore(token="é", logprob=-0.5, top=(("é", -0.5), ("e", -1.0))),)
    told = stream(disassemble(answer(Text(text="é"), scores=scores)))
    (token,) = last(told)["output"][0]["content"][0]["logprobs"]
    assert (token["bytes"], token["logprob"], len(token["top_logprobs"])) == ([0xC3, 0xA9], -0.5, 2)


def test_line_ends_in_what_the_client_wrote_do_not_break_the_stream() -> None:
    told = stream(disassemble(answer(Text(text="x\ny"))), envelope(SETTINGS, indent=2))
    assert last(told)["tools"][0]["parameters"] == {"type": "object"}
    assert last(told)["output"][0]["content"][0]["text"] == "x\ny"


def test_only_the_first_choice_is_told() -> None:
    choices = (
        Choice(parts=(Text(text="a"),), reason=StopReason.END),
        Choice(parts=(Text(text="b"),), reason=StopReason.LENGTH),
    )
    told = stream(disassemble(ChatResponse(id="", model="", choices=choices)))
    assert last(told)["status"] == "completed"
    assert [content["text"] for content in last(told)["output"][0]["content"]] == ["a"]


WORDS = st.text(max_size=6)
NAMES = st.text("abc_", min_size=1, max_size=5)
APPROVAL = raw({"type": "mcp_approval_request", "id": "m", "arguments": "", "name": "n", "server_label": "s"})
PARTS = st.one_of(
    st.builds(Text, text=WORDS, citations=st.lists(st.builds(Citation, url=WORDS, title=WORDS), max_size=2).map(tuple)),
    st.builds(Refusal, text=WORDS),
    st.builds(Thinking, text=WORDS, seal=WORDS, origin=st.sampled_from([None, OWN, CLAUDE]), redacted=st.booleans()),
    st.builds(
        ToolCall,
        id=NAMES,
        name=st.sampled_from(["f", "patch"]),
        arguments=WORDS,
        custom=st.booleans(),
        seal=WORDS,
        origin=st.sampled_from([None, GEMINI]),
    ),
    st.builds(
        HostedCall,
        id=WORDS,
        tool=st.sampled_from(["web_search", "code_execution", "other"]),
        arguments=st.sampled_from(["{}", "x", '{"queries":["a"]}']),
        origin=st.just(CLAUDE),
        raw=st.just(Raw(b"{}")),
    ),
    st.builds(
        HostedResult,
        call_id=WORDS,
        tool=st.sampled_from(["web_search", "code_execution"]),
        origin=st.sampled_from([CLAUDE, OWN]),
        raw=st.just(Raw(b"{}")),
        text=WORDS,
        failed=st.booleans(),
    ),
    st.builds(Image, source=st.sampled_from([Inline("image/png", "AA"), Url("https://a.example")])),
    st.builds(Audio, transcript=WORDS),
    st.builds(Opaque, origin=st.sampled_from([CLAUDE, OWN]), raw=st.just(APPROVAL)),
    st.just(File(source=Url("https://a.example"))),
)


@given(st.lists(PARTS, max_size=6), st.sampled_from(StopReason), st.booleans())
def test_any_answer_is_what_the_sdk_takes_and_reads_again_as_it_was_told(
    parts: list[Part], reason: StopReason, custom: bool
) -> None:
    """promise 27"""
    to = envelope(SETTINGS if custom else None)
    given_answer = answer(*parts, reason=reason, raw_reason="word")
    told = stream(disassemble(given_answer), to)
    body = whole(given_answer, to)
    assert last(told) == body
    decoder = CODEC.stream_decoder(1_000_000)
    encoder = CODEC.stream_encoder(to)
    events = [*decoder.feed(b"".join(map(encoder.encode, disassemble(given_answer)))), *decoder.finish()]
    assert check(events) == []
    again = CODEC.decode_response(json.dumps(body).encode())
    assert _gist(assemble(events)) == _gist(again)


def _gist(told: ChatResponse) -> list[tuple[type[Part], str]]:
    return [
        (type(part), getattr(part, "text", ""))
        for choice in told.choices
        for part in choice.parts
        if not isinstance(part, HostedCall | HostedResult | Opaque)
    ]


def test_a_call_of_a_groups_member_names_both() -> None:
    member = {"type": "function", "name": "close", "parameters": {"type": "object"}}
    group = {"type": "namespace", "name": "crew", "description": "", "tools": [member]}
    to = envelope(SETTINGS | {"tools": [group], "tool_choice": "auto"})
    told = stream(disassemble(answer(ToolCall(id="c", name="crew__close", arguments="{}"))), to)
    item = next(event["item"] for event in told if event["type"] == "response.output_item.done")
    assert (item["name"], item["namespace"]) == ("close", "crew")
    done = next(event for event in told if event["type"] == "response.function_call_arguments.done")
    assert done["name"] == "close"
