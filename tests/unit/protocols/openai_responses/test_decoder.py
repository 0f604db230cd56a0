"""The decoder of an upstream's stream: the same events wherever it is cut, and whole calls however they were told."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocols.openai_responses.recordings import (
    CALL,
    CREATED,
    CUSTOM,
    FULL,
    MESSAGE,
    OUTPUT,
    REASONING,
    SEARCH,
    USAGE,
    Event,
    added,
    completed,
    done,
    raw,
    response,
    wire,
)
from yescale.domain.assembly import assemble
from yescale.domain.chat import StopReason, TokenScore
from yescale.domain.content import Citation, HostedCall, HostedResult, Opaque, Refusal, Text, Thinking, ToolCall
from yescale.domain.event_grammar import check
from yescale.domain.events import Event as Told
from yescale.domain.events import MessageEnd, MessageStart, StreamEnd, StreamError, UsageReport
from yescale.domain.usage import Meter
from yescale.protocols.codec import Garbled
from yescale.protocols.openai_responses import CODEC
from yescale.protocols.openai_responses.schema import OWN

LIMIT = 1_000_000
METERS = {
    Meter.INPUT_TOKENS: 15,
    Meter.CACHE_READ_TOKENS: 10,
    Meter.CACHE_WRITE_TOKENS: 5,
    Meter.OUTPUT_TOKENS: 12,
    Meter.REASONING_TOKENS: 8,
}
PARTS = (
    Thinking(text="First.\n\nThen.", seal="sealed", origin=OWN, id="rs_1"),
    HostedCall(
        id="ws_1", tool="web_search", arguments='{"type": "search", "query": "weather"}', origin=OWN, raw=raw(SEARCH)
    ),
    HostedResult(call_id="ws_1", tool="web_search", origin=OWN, raw=raw(SEARCH)),
    HostedCall(
        id="ci_1",
        tool="code_execution",
        arguments='{"language":"python","code":"print(1)"}',
        origin=OWN,
        raw=raw(OUTPUT[2]),
    ),
    HostedResult(
        call_id="ci_1", tool="code_execution", origin=OWN, raw=raw([{"type": "logs", "logs": "1\n"}]), text="1\n"
    ),
    Text(
        text="Hello, wörld",
        citations=(
            Citation(
                url="https://a.example",
                title="A",
                start=0,
                end=5,
                origin=OWN,
                raw=raw(
                    {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5}
                ),
            ),
        ),
    ),
    Refusal(text="But no."),
    ToolCall(id="call_1", name="f", arguments='{"a": "ü"}'),
    ToolCall(id="call_2", name="patch", arguments="*** Begin", custom=True),
)


def hear(data: bytes, cuts: Sequence[int] = ()) -> list[Told]:
    decoder = CODEC.stream_decoder(LIMIT)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    events = [event for a, b in pairwise(edges) for event in decoder.feed(data[a:b])]
    return [*events, *decoder.finish()]


def tell(events: list[Event]) -> list[Told]:
    return hear(wire(events))


def test_a_stream_with_everything_in_it_is_read() -> None:
    events = tell(FULL)
    assert check(events) == []
    answer = assemble(events)
    assert (answer.id, answer.model, answer.created) == ("resp_up", "gpt-up", 1_700_000_000)
    assert answer.usage == METERS | {Meter.WEB_SEARCHES: 1}  # `OUTPUT` has one
    (choice,) = answer.choices
    assert choice.parts == PARTS
    assert choice.reason is StopReason.TOOL_CALLS
    assert choice.scores == (TokenScore(token="w", logprob=-0.5),)


@pytest.mark.parametrize(("ends", "step"), [(b"\n", 1), (b"\r\n", 9), (b"\r", 9)])
def test_every_cut_gives_the_same_events(ends: bytes, step: int) -> None:
    data = wire(FULL).replace(b"\n", ends)
    expected = tell(FULL)
    for cut in range(0, len(data), step):
        assert hear(data, [cut]) == expected


def test_byte_by_byte_gives_the_same_events() -> None:
    data = wire(FULL)
    assert hear(data, range(len(data))) == tell(FULL)


def test_the_whole_answer_and_the_streamed_one_are_the_same() -> None:
    whole = CODEC.decode_response(json.dumps(response("completed", OUTPUT, usage=USAGE)).encode())
    streamed = assemble(tell(FULL))
    assert whole.choices[0].parts == streamed.choices[0].parts
    assert whole.usage == streamed.usage
    assert whole.choices[0].reason is streamed.choices[0].reason


def _calls(item: Event, deltas: list[str], *, in_done: bool, in_item: bool) -> list[Event]:
    custom = item["type"] == "custom_tool_call"
    field, kind = ("input", "custom_tool_call_input") if custom else ("arguments", "function_call_arguments")
    grown = [{"type": f"response.{kind}.delta", "output_index": 0, "delta": delta} for delta in deltas]
    ended: list[Event] = [{"type": f"response.{kind}.done", "output_index": 0, field: item[field]}] if in_done else []
    return [
        CREATED,
        added(0, item | {field: ""}),
        *grown,
        *ended,
        *([done(0, item)] if in_item else []),
        completed([item]),
    ]


@pytest.mark.parametrize("item", [CALL, CUSTOM], ids=["function", "custom"])
@pytest.mark.parametrize(
    ("pieces", "in_done", "in_item"),
    [
        ("all", False, True),
        ("none", True, True),
        ("none", False, True),
        ("none", False, False),
        ("all", True, True),
        ("bytes", True, True),
        ("half", True, False),
        ("half", False, False),
    ],
)
def test_arguments_told_in_any_way_give_the_identical_call(
    item: Event, pieces: str, in_done: bool, in_item: bool
) -> None:
    """promise 22"""
    whole = str(item.get("arguments") or item.get("input"))
    deltas = {"all": [whole], "none": [], "bytes": list(whole), "half": [whole[:4]]}[pieces]
    events = tell(_calls(item, deltas, in_done=in_done, in_item=in_item))
    assert check(events) == []
    custom = item is CUSTOM
    call = ToolCall(id=str(item["call_id"]), name=str(item["name"]), arguments=whole, custom=custom)
    assert assemble(events).choices[0].parts == (call,)


@pytest.mark.parametrize("only", range(len(OUTPUT)))
def test_an_item_that_only_the_last_event_has_is_read_from_there(only: int) -> None:
    events = tell([CREATED, completed([OUTPUT[only]])])
    assert check(events) == []
    whole = CODEC.decode_response(json.dumps(response("completed", [OUTPUT[only]])).encode())
    assert assemble(events).choices[0].parts == whole.choices[0].parts


def test_an_item_that_never_began_comes_with_its_end() -> None:
    events = tell([CREATED, done(0, REASONING), done(1, MESSAGE), completed([])])
    assert check(events) == []
    assert assemble(events).choices[0].parts == (PARTS[0], *PARTS[5:7])


def test_items_that_grow_side_by_side_come_one_after_another() -> None:
    other = CALL | {"call_id": "call_9"}
    delta = "response.function_call_arguments.delta"
    events = tell(
        [
            CREATED,
            added(0, CALL | {"arguments": ""}),
            added(1, other | {"arguments": ""}),
            {"type": delta, "output_index": 1, "delta": '{"a"'},
            {"type": delta, "output_index": 0, "delta": '{"a": '},
            done(1, other),
            {"type": delta, "output_index": 0, "delta": '"ü"}'},
            done(0, CALL),
            completed([CALL, other]),
        ]
    )
    assert check(events) == []
    calls = [part for part in assemble(events).choices[0].parts if isinstance(part, ToolCall)]
    assert [(call.id, call.arguments) for call in calls] == [("call_1", '{"a": "ü"}'), ("call_9", '{"a": "ü"}')]


def test_items_that_all_claim_the_first_place_are_kept_apart() -> None:
    other = CALL | {"call_id": "call_9"}
    events = tell([CREATED, added(0, CALL), done(0, CALL), added(0, other), done(0, other), completed([])])
    assert check(events) == []
    assert [getattr(part, "id", "") for part in assemble(events).choices[0].parts] == ["call_1", "call_9"]


def test_a_text_that_nothing_announced_is_read() -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hi"}
    events = tell([delta, completed([], None)])
    assert check(events) == []
    assert assemble(events).choices[0].parts == (Text(text="Hi"),)


def test_raw_thoughts_are_read_where_there_is_no_summary() -> None:
    item: Event = {
        "id": "rs",
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "So"}],
    }
    delta = {"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "S"}
    events = tell([CREATED, added(0, item | {"content": []}), delta, done(0, item), completed([item])])
    assert check(events) == []
    assert assemble(events).choices[0].parts == (Thinking(text="So", origin=OWN, id="rs"),)


def test_an_item_of_no_other_format_comes_whole() -> None:
    item: Event = {"id": "sh", "type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}}
    events = tell([CREATED, added(0, item), done(0, item), completed([item])])
    assert check(events) == []
    assert assemble(events).choices[0].parts == (Opaque(origin=OWN, raw=raw(item)),)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("max_output_tokens", StopReason.LENGTH), ("content_filter", StopReason.FILTERED), ("steered", StopReason.OTHER)],
)
def test_an_incomplete_answer_says_why_and_what_it_used(word: str, reason: StopReason) -> None:
    """promise 7"""
    last = response("incomplete", [MESSAGE], usage=USAGE, incomplete_details={"reason": word})
    events = tell([CREATED, {"type": "response.incomplete", "response": last}])
    assert check(events) == []
    assert assemble(events).usage == METERS
    assert [(e.reason, e.raw_reason) for e in events if isinstance(e, MessageEnd)] == [(reason, word)]


def test_a_failed_answer_says_what_it_used_before_its_error() -> None:
    """promise 7"""
    last = response("failed", usage=USAGE, error={"code": "server_error", "message": "Broke."})
    events = tell([CREATED, {"type": "response.failed", "response": last}])
    assert events[1:] == [UsageReport(METERS), StreamError(message="Broke.", code="server_error")]


def test_no_usage_is_not_zero_usage() -> None:
    """promise 11"""
    assert assemble(tell([CREATED, completed([], None)])).usage is None
    zero: Event = {"input_tokens": 0, "output_tokens": 0}
    assert assemble(tell([CREATED, completed([], zero)])).usage == {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}


@pytest.mark.parametrize(
    "data",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "Slow.", "param": None},
        {"type": "error", "error": {"type": "x", "code": "rate_limit_exceeded", "message": "Slow."}},
        {"error": {"code": "rate_limit_exceeded", "message": "Slow."}, "type": "error"},
    ],
)
def test_an_error_event_ends_the_stream(data: Event) -> None:
    events = tell([CREATED, data, completed([MESSAGE])])
    assert isinstance(events[-1], StreamError)
    assert (events[-1].message, events[-1].code) == ("Slow.", "rate_limit_exceeded")
    assert len(events) == 2


def test_a_stream_that_breaks_off_has_no_end() -> None:
    """promise 28"""
    data = wire(FULL)
    broken = data[: data.rindex(b"event: response.completed")]
    assert not any(isinstance(event, StreamEnd | MessageEnd) for event in hear(broken))


def test_the_last_event_counts_without_its_blank_line() -> None:
    assert hear(wire(FULL).rstrip(b"\n")) == tell(FULL)


def test_nothing_is_heard_after_the_end() -> None:
    assert hear(wire(FULL) + wire(FULL) + b"data: [DONE]\n\n") == tell(FULL)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b'data: {"type":5}\n\n',
        b'data: {"type":"response.output_item.added","item":{"type":7}}\n\n',
        b'data: {"type":"response.output_item.done","item":{"type":"function_call"}}\n\n',
        b'data: {"type":"response.output_item.done","item":{"type":"message","role":"assistant","content":[5]}}\n\n',
        b'data: {"type":"response.completed","response":{"output":[{"type":"message"}]}}\n\n',
        b"data: " + b"[" * 5_000 + b"\n\n",
        b"data: \xff\n\n",
        b"data: " + b"x" * (LIMIT + 10),
    ],
)
def test_what_is_no_stream_of_a_response_is_garbled(data: bytes) -> None:
    with pytest.raises(Garbled):
        hear(data)


def test_what_waits_for_its_turn_is_bounded() -> None:
    decoder = CODEC.stream_decoder(1_000)
    delta: Event = {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "x" * 300}
    decoder.feed(wire([CREATED, added(0, CALL), added(1, CALL), delta, delta, delta]))
    with pytest.raises(Garbled, match="too long"):
        decoder.feed(wire([delta]))


@given(st.data())
def test_any_order_and_damage_gives_grammar_or_garbled(data: st.DataObject) -> None:
    events = data.draw(st.lists(st.sampled_from(FULL), max_size=40))
    cuts = data.draw(st.lists(st.integers(0, 10_000), max_size=4))
    stream = wire(events)
    if stream and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream = stream[:at] + data.draw(st.binary(max_size=3)) + stream[at + 1 :]
    try:
        told = hear(stream, cuts)
    except Garbled:
        with pytest.raises(Garbled):
            hear(stream)
        return
    assert told == hear(stream)
    faults = check(told)
    assert faults in ([], ["the stream has no end"])
    assert not told or isinstance(told[0], MessageStart)
