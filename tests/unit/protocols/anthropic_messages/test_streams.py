"""Streams: read into events wherever they are cut, and written in exactly Anthropic's grammar."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.unit.protocols.anthropic_messages.said import (
    ANSWERED,
    CALLED,
    CITATION,
    FOUND,
    REDACTED,
    RICH,
    THINKING,
    block,
    closed,
    envelope,
    hear,
    lines,
    opened,
    sse,
    tell,
)
from yescale.domain.assembly import assemble, disassemble
from yescale.domain.chat import ChatResponse, Choice, StopReason
from yescale.domain.content import (
    Audio,
    Citation,
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
)
from yescale.domain.event_grammar import check
from yescale.domain.events import (
    Event,
    MessageEnd,
    MessageStart,
    PartDelta,
    PartEnd,
    PartStart,
    StreamEnd,
    StreamError,
    UsageReport,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Meter
from yescale.protocols.anthropic_messages import CODEC
from yescale.protocols.anthropic_messages.words import ID
from yescale.protocols.codec import Garbled

GEMINI = ProtocolId("gemini.generate")


def test_a_rich_stream_is_read_whole() -> None:
    events = hear([RICH])
    assert check(events) == []
    answer = assemble(events)
    thought, redacted, searched, found, said, call, other = answer.choices[0].parts
    assert thought == Thinking(text="Let me see.", seal="EqQBCgIYAhIM", origin=ID)
    assert redacted == Thinking(seal="EmwKAhgB", origin=ID, redacted=True)
    assert isinstance(searched, HostedCall)
    assert (searched.tool, json.loads(searched.arguments)) == ("web_search", {"query": "weather NYC"})
    assert json.loads(bytes(searched.raw))["input"] == {"query": "weather NYC"}
    assert isinstance(found, HostedResult)
    assert (found.tool, found.call_id) == ("web_search", "srvtoolu_1")
    assert isinstance(said, Text)
    assert said.text == 'Hé \\ said "hot" \u2028 🌞'
    assert (said.citations[0].url, said.citations[0].quote) == ("https://w.example", "It is hot")
    assert call == ToolCall(id="toolu_1", name="get", arguments='{"z":1.10}')
    assert other == ToolCall(id="toolu_2", name="now", arguments="{}")
    assert answer.choices[0].reason is StopReason.TOOL_CALLS
    assert answer.usage == {
        Meter.INPUT_TOKENS: 25,
        Meter.CACHE_READ_TOKENS: 3,
        Meter.CACHE_WRITE_TOKENS: 7,
        Meter.OUTPUT_TOKENS: 10,
        Meter.REASONING_TOKENS: 5,
        Meter.WEB_SEARCHES: 1,
    }


@pytest.mark.parametrize(("ends", "step"), [("\n", 1), ("\r\n", 3), ("\r", 3)])
def test_a_cut_anywhere_changes_nothing(ends: str, step: int) -> None:
    stream = RICH.replace(b"\n", ends.encode())
    whole = hear([RICH])
    for cut in range(0, len(stream), step):
        assert hear([stream[:cut], stream[cut:]]) == whole
    assert hear([stream[i : i + 1] for i in range(len(stream))]) == whole


def test_what_was_cut_off_has_no_end() -> None:
    for cut in range(len(RICH) - len(b'"message_stop"}\n\n')):
        events = hear([RICH[:cut]])
        assert not any(isinstance(event, StreamEnd | MessageEnd) for event in events)


ARGUMENTS = '{"a": [1, "x"], "b": 1.0}'


@pytest.mark.parametrize(
    ("start", "pieces"),
    [
        ({}, [ARGUMENTS]),
        ({}, list(ARGUMENTS)),
        (json.loads(ARGUMENTS), []),
        (json.loads(ARGUMENTS), [ARGUMENTS]),
        (None, ["", ARGUMENTS[:3], "", ARGUMENTS[3:]]),
    ],
    ids=["delta only", "one letter each", "start only", "both", "no input at the start"],
)
def test_arguments_arrive_the_same_however_they_come(start: object, pieces: list[str]) -> None:
    """promise 22"""
    first = {"type": "tool_use", "id": "t", "name": "n"} | ({} if start is None else {"input": start})
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    stream = sse(opened(), *block(0, first, *deltas), *closed("tool_use"))
    stream = stream.replace(json.dumps(start, separators=(",", ":")).encode(), ARGUMENTS.encode()) if start else stream
    assert assemble(hear([stream])).choices[0].parts == (ToolCall(id="t", name="n", arguments=ARGUMENTS),)


def test_usage_is_read_from_any_end_and_zero_stays_zero() -> None:
    """promise 7, promise 11"""
    stream = sse(opened(), *closed("max_tokens", output_tokens=0, input_tokens=0))
    reports = [event.usage for event in hear([stream]) if isinstance(event, UsageReport)]
    assert reports == [{Meter.INPUT_TOKENS: 25}, {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}]


def test_an_error_event_ends_the_stream() -> None:
    failed = sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    events = hear([sse(opened()) + failed + sse(*ANSWERED)])
    assert events[-1] == StreamError(message="Overloaded", type="overloaded_error")
    assert hear([failed])[-1] == events[-1]


@pytest.mark.parametrize(
    "events",
    [
        [opened(), opened()],
        [opened(), *ANSWERED[:1], *THINKING[:1]],
        [opened(), *ANSWERED[:1], *closed()],
        [opened(), ANSWERED[1]],
        [opened(), ANSWERED[-1]],
        [opened(), ANSWERED[0], THINKING[1]],
        [{"type": "message_start", "message": 5}],
        [opened(), {"type": "content_block_start", "index": 0, "content_block": {"text": "no type"}}],
        [opened(), {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use"}}],
    ],
)
def test_what_is_no_stream_of_anthropics_is_garbled(events: list[Any]) -> None:
    with pytest.raises(Garbled):
        hear([sse(*events)])


def test_buffers_have_an_end() -> None:
    with pytest.raises(Garbled):
        hear([b"data: " + b"x" * 200], limit=100)
    call = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    piece = {"type": "input_json_delta", "partial_json": "1" * 50}
    with pytest.raises(Garbled):
        hear([sse(opened(), *block(0, call, *[piece] * 5))], limit=200)


@settings(max_examples=150)
@given(st.data())
def test_damage_is_garbled_or_read_and_nothing_else(data: st.DataObject) -> None:
    stream = bytearray(RICH)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=6))
    try:
        events = hear([bytes(stream)])
    except Garbled:
        return
    faults = check(events)
    assert all("has no end" in fault for fault in faults), faults


@given(st.binary(max_size=200))
def test_any_bytes_are_garbled_or_read(noise: bytes) -> None:
    for stream in (noise, sse(opened()) + b"data: " + noise + b"\n\n"):
        try:
            hear([stream])
        except Garbled:
            continue


def test_a_stream_of_anthropics_is_written_as_it_was_read() -> None:
    events = hear([RICH])
    again = tell(events)
    assert assemble(hear([again])).choices == assemble(events).choices
    grammar(again)


def grammar(stream: bytes) -> list[dict[str, Any]]:
    """The blocks of a stream that is well formed: one start, blocks one after another, deltas of their own kind."""
    events = lines(stream)
    kinds = {
        "text_delta": "text",
        "citations_delta": "text",
        "thinking_delta": "thinking",
        "signature_delta": "thinking",
        "input_json_delta": ("tool_use", "server_tool_use"),
    }
    assert events[0]["type"] == "message_start"
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    blocks: list[dict[str, Any]] = []
    is_open = False
    for event in events[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == len(blocks)
                blocks.append(event["content_block"] | {"deltas": []})
                is_open = True
            case "content_block_delta":
                assert is_open
                assert event["index"] == len(blocks) - 1
                assert blocks[-1]["type"] in kinds[event["delta"]["type"]]
                blocks[-1]["deltas"].append(event["delta"])
            case "content_block_stop":
                assert is_open
                assert event["index"] == len(blocks) - 1
                is_open = False
            case other:
                pytest.fail(f"{other} in the middle")
    assert not is_open
    return blocks


PARTS = st.one_of(
    st.builds(Text, text=st.text(max_size=5)),
    st.builds(Text, text=st.just("t"), citations=st.sampled_from([(Citation(url="https://u"),), (Citation(),)])),
    st.builds(Refusal, text=st.text(max_size=5)),
    st.builds(
        Thinking,
        text=st.text(max_size=5),
        seal=st.sampled_from(["", "s"]),
        origin=st.sampled_from([None, ID, GEMINI]),
        redacted=st.booleans(),
    ),
    st.builds(
        ToolCall,
        id=st.sampled_from(["a", "b:c"]),
        name=st.just("f"),
        arguments=st.sampled_from(["", '{"q":1}', "odd"]),
        custom=st.booleans(),
        seal=st.sampled_from(["", "s"]),
        origin=st.sampled_from([None, GEMINI]),
    ),
    st.builds(Image, source=st.just(Inline("image/png", "QQ=="))),
    st.builds(Audio, transcript=st.text(max_size=5)),
    st.builds(
        HostedCall,
        id=st.just("x-1"),
        tool=st.sampled_from(["web_search", "code_execution", "other"]),
        arguments=st.sampled_from(['{"code":"1"}', "odd"]),
        origin=st.just(GEMINI),
        raw=st.just(Raw(b"{}")),
    ),
    st.builds(
        HostedResult,
        call_id=st.just("x-1"),
        tool=st.sampled_from(["web_search", "code_execution", "other"]),
        origin=st.just(GEMINI),
        raw=st.just(Raw(b"{}")),
        text=st.text(max_size=3),
    ),
    st.builds(
        Opaque, origin=st.sampled_from([ID, GEMINI]), raw=st.just(Raw(b'{"type":"container_upload","file_id":"f"}'))
    ),
)


@settings(max_examples=150)
@given(st.lists(PARTS, max_size=6))
def test_any_sequence_of_parts_is_written_in_the_grammar_and_as_in_a_whole_answer(parts: list[Part]) -> None:
    """promise 23, promise 26"""
    answer = ChatResponse(id="i", model="m", choices=(Choice(parts=tuple(parts), reason=StopReason.END),))
    stream = tell(disassemble(answer))
    blocks = grammar(stream)
    whole = json.loads(CODEC.encode_response(answer, envelope()))["content"]
    assert [each["type"] for each in blocks] == [each["type"] for each in whole]
    assert all(each["text"] for each in whole if each["type"] == "text")


def test_deltas_grow_blocks_and_empty_texts_are_none() -> None:
    events: list[Event] = [
        MessageStart(id="i", model="m"),
        PartStart(index=0, part=Text(text="")),
        PartEnd(index=0),
        PartStart(index=1, part=Thinking(origin=GEMINI)),
        PartDelta(index=1, kind="text", data="hm"),
        PartDelta(index=1, kind="seal", data="sig"),
        PartEnd(index=1),
        PartStart(index=2, part=ToolCall(id="c", name="f", arguments="")),
        PartDelta(index=2, kind="arguments", data='{"a":'),
        PartDelta(index=2, kind="arguments", data="1}"),
        PartDelta(index=2, kind="seal", data="tsig"),
        PartEnd(index=2),
        PartStart(index=3, part=Audio()),
        PartDelta(index=3, kind="audio", data="QQ=="),
        PartDelta(index=3, kind="transcript", data="la"),
        PartEnd(index=3),
        MessageEnd(reason=StopReason.TOOL_CALLS),
        UsageReport({Meter.INPUT_TOKENS: 9, Meter.OUTPUT_TOKENS: 4}),
        StreamEnd(),
    ]
    assert check(events) == []
    thinking, call, text = grammar(tell(events))
    assert [delta.get("thinking", delta.get("signature")) for delta in thinking["deltas"]] == [
        "hm",
        "ys1.gemini-generate.sig",
    ]
    assert "".join(delta["partial_json"] for delta in call["deltas"]) == '{"a":1}'
    assert text["deltas"] == [{"type": "text_delta", "text": "la"}]


def test_the_prompts_size_comes_first_and_the_usage_last() -> None:
    """promise 24"""
    events = [
        MessageStart(),
        MessageEnd(reason=StopReason.STOP_SEQUENCE, stop_sequence="END"),
        UsageReport({Meter.INPUT_TOKENS: 9, Meter.CACHE_READ_TOKENS: 2, Meter.OUTPUT_TOKENS: 4}),
        StreamEnd(),
    ]
    first, delta, _ = lines(tell(events, input_tokens=77))
    assert first["message"]["usage"]["input_tokens"] == 77
    assert first["message"]["id"] == "msg_20250827"
    assert first["message"]["model"] == "my-claude"
    assert delta["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert (delta["usage"]["input_tokens"], delta["usage"]["output_tokens"]) == (9, 4)
    assert delta["usage"]["cache_read_input_tokens"] == 2
    said = lines(tell([MessageStart(input_tokens=5)], input_tokens=77))
    assert said[0]["message"]["usage"]["input_tokens"] == 5


def test_only_the_first_choice_is_told() -> None:
    events = [
        MessageStart(),
        PartStart(index=0, part=Text(text="no"), choice=1),
        PartEnd(index=0, choice=1),
        MessageEnd(reason=StopReason.LENGTH, choice=1),
        MessageEnd(reason=StopReason.END),
        StreamEnd(),
    ]
    assert grammar(tell(events)) == []
    assert lines(tell(events))[-2]["delta"]["stop_reason"] == "end_turn"


def test_a_search_is_told_as_anthropic_tells_it() -> None:
    blocks = grammar(tell(hear([sse(opened(), *_renumbered(FOUND, ANSWERED, CALLED), *closed())])))
    assert [each["type"] for each in blocks] == ["web_search_tool_result", "text", "tool_use"]
    assert blocks[0]["content"][0]["encrypted_content"] == "Eq"
    assert blocks[1]["deltas"][0] == {"type": "citations_delta", "citation": CITATION}
    assert grammar(tell(hear([sse(opened(), *_renumbered(REDACTED), *closed())])))[0]["data"] == "EmwKAhgB"


def _renumbered(*blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event | {"index": number} for number, events in enumerate(blocks) for event in events]
