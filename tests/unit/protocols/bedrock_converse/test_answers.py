"""Answers of Converse, whole and as streams of frames."""

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tests.unit.protocols.test_eventstream import event
from yescale.domain.assembly import assemble
from yescale.domain.chat import StopReason
from yescale.domain.content import Citation, Image, Inline, Opaque, Part, Text, Thinking, ToolCall
from yescale.domain.event_grammar import check
from yescale.domain.events import Event, PartDelta, StreamEnd, StreamError
from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Meter
from yescale.protocols.bedrock_converse import CODEC, CONVERSE
from yescale.protocols.codec import Garbled

ANTHROPIC, ID = ProtocolId("anthropic.messages"), ProtocolId("bedrock.converse")
LIMIT = 100_000
USAGE = {
    "inputTokens": 10, "outputTokens": 5, "totalTokens": 35, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 13,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 3}, {"ttl": "5m", "inputTokens": 10}],
}  # fmt: skip
METERS = {
    Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 5, Meter.CACHE_READ_TOKENS: 7, Meter.CACHE_WRITE_TOKENS: 10,
    Meter.CACHE_WRITE_1H_TOKENS: 3,
}  # fmt: skip
CITED = {"title": "T", "sourceContent": [{"text": "q"}], "location": {"web": {"url": "https://w"}}}
CITATION = Citation(url="https://w", title="T", quote="q", origin=ID, raw=Raw(json.dumps(CITED).encode()))


def answer(*content: object, reason: str = "end_turn", **more: object) -> bytes:
    message = {"role": "assistant", "content": list(content)}
    return json.dumps({"output": {"message": message}, "stopReason": reason, "usage": USAGE, **more}).encode()


def stream(*events: tuple[str, dict[str, Any]]) -> bytes:
    return b"".join(event(name, json.dumps(body | {"p": "abc"}).encode()) for name, body in events)


def delta(index: int, **body: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": body}


def stop(index: int) -> tuple[str, dict[str, Any]]:
    return "contentBlockStop", {"contentBlockIndex": index}


START = ("messageStart", {"role": "assistant"})
END = ("messageStop", {"stopReason": "tool_use"})
COST = ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}})
CALL = ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "f"}}})
REASON = {"reasoningContent": {"text": "hm"}}
WHOLE = stream(
    START,
    delta(0, **REASON), delta(0, reasoningContent={"signature": "SEAL"}), stop(0),
    delta(1, text="Hé"), delta(1, text="llo"), delta(1, citation=CITED), stop(1),
    CALL, delta(2, toolUse={"input": '{"a":'}), delta(2, toolUse={"input": "1.10}"}), stop(2),
    delta(3, reasoningContent={"redactedContent": base64.b64encode(b"DARK").decode()}), stop(3),
    END, COST,
)  # fmt: skip


def heard(*pieces: bytes) -> list[Event]:
    decoder = CODEC.stream_decoder(LIMIT)
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.finish()]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"text": "hi"}, Text(text="hi")),
        (
            {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
            ToolCall(id="t", name="f", arguments='{"a": 1}'),
        ),
        ({"toolUse": {"toolUseId": "t", "name": "f"}}, ToolCall(id="t", name="f", arguments="{}")),
        (
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "S"}}},
            Thinking(text="hm", seal="S", origin=ANTHROPIC),
        ),
        ({"reasoningContent": {"reasoningText": {"text": "hm"}}}, Thinking(text="hm")),
        (
            {"reasoningContent": {"redactedContent": base64.b64encode(b"X").decode()}},
            Thinking(seal="X", origin=ANTHROPIC, redacted=True),
        ),
        (
            {"citationsContent": {"content": [{"text": "a"}], "citations": [CITED]}},
            Text(text="a", citations=(CITATION,)),
        ),
        ({"image": {"format": "png", "source": {"bytes": "QQ=="}}}, Image(source=Inline("image/png", "QQ=="))),
        ({"video": {"a": 1}}, Opaque(origin=ID, raw=Raw(b'{"video": {"a": 1}}'))),
    ],
)
def test_a_block_is_a_part(block: dict[str, Any], part: Part) -> None:
    response = CODEC.decode_response(answer(block))
    assert response.choices[0].parts == (part,)
    assert response.usage == METERS


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", StopReason.END), ("tool_use", StopReason.TOOL_CALLS), ("max_tokens", StopReason.LENGTH),
        ("stop_sequence", StopReason.STOP_SEQUENCE), ("guardrail_intervened", StopReason.FILTERED),
        ("content_filtered", StopReason.FILTERED), ("new_word", StopReason.OTHER),
    ],
)  # fmt: skip
def test_a_reason_is_read_from_either_kind_of_answer(word: str, reason: StopReason) -> None:
    whole = CODEC.decode_response(answer({"text": "a"}, reason=word)).choices[0]
    streamed = assemble(heard(stream(START, delta(0, text="a"), stop(0), ("messageStop", {"stopReason": word}), COST)))
    assert (whole.reason, whole.raw_reason) == (reason, word)
    assert (streamed.choices[0].reason, streamed.choices[0].raw_reason) == (reason, word)


def test_the_sequence_that_ended_a_message_is_told() -> None:
    more = {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "X"}}
    whole = CODEC.decode_response(answer({"text": "a"}, **more))
    streamed = assemble(heard(stream(START, delta(0, text="a"), stop(0), ("messageStop", more), COST)))
    assert whole.choices[0].stop_sequence == streamed.choices[0].stop_sequence == "X"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"output":1}',
        answer({"toolUse": {}}),
        answer({"reasoningContent": {"redactedContent": "!"}}),
    ],
)
def test_what_is_no_answer_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        CODEC.decode_response(body)


def test_usage_that_is_not_said_is_none_and_zero_is_zero() -> None:
    assert CODEC.decode_response(answer({"text": "a"}, usage=None)).usage is None
    zero = CODEC.decode_response(answer({"text": "a"}, usage={"inputTokens": 0, "outputTokens": 0})).usage
    assert zero == {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}
    assert CODEC.decode_response(answer({"text": "a"}, usage={"inputTokens": -1, "outputTokens": 0})).usage is None


def test_a_stream_is_told_in_good_order() -> None:
    events = heard(WHOLE)
    assert check(events) == []
    response = assemble(events)
    assert response.choices[0].parts == (
        Thinking(text="hm", seal="SEAL", origin=ANTHROPIC),
        Text(text="Héllo", citations=(CITATION,)),
        ToolCall(id="t1", name="f", arguments='{"a":1.10}'),
        Thinking(seal="DARK", origin=ANTHROPIC, redacted=True),
    )
    assert response.usage == METERS


def test_a_cut_anywhere_changes_nothing() -> None:
    whole = heard(WHOLE)
    for at in range(0, len(WHOLE), 7):
        assert heard(WHOLE[:at], WHOLE[at:]) == whole
    assert heard(*(bytes([byte]) for byte in WHOLE)) == whole


def test_a_call_without_input_has_an_empty_object() -> None:
    events = heard(stream(START, CALL, ("contentBlockStop", {"contentBlockIndex": 2}), END, COST))
    assert [event.data for event in events if isinstance(event, PartDelta)] == ["{}"]
    assert check(events) == []


def test_a_stream_that_was_cut_has_no_end() -> None:
    """Promise 28."""
    frames = [START, delta(0, text="a"), stop(0)]
    for count in range(len(frames) + 1):
        assert not any(isinstance(event, StreamEnd) for event in heard(stream(*frames[:count])))
    assert check(heard(stream(*frames, END))) == []  # its usage alone is missing


def test_an_exception_is_an_error_after_which_nothing_comes() -> None:
    failed = event("throttlingException", b'{"message":"slow down"}', "exception")
    for before in (b"", stream(START, delta(0, text="a"))):
        events = heard(before + failed + stream(END, COST))
        assert events[-1] == StreamError(message="slow down", code="throttlingException", type="throttlingException")
        assert check(events) == []


@pytest.mark.parametrize(
    "events",
    [
        [START, delta(0, text="a"), delta(1, text="b")],
        [START, delta(0, text="a"), CALL],
        [START, delta(0, text="a"), delta(0, **REASON)],
        [START, delta(0, toolUse={"input": "{}"})],
        [START, stop(0)],
        [START, delta(0, text="a"), END],
        [START, END, END],
        [START, END, delta(0, text="a")],
        [START, delta(0, text="a"), delta(0, reasoningContent={"redactedContent": "QQ=="})],
        [START, delta(0, reasoningContent={"redactedContent": "!"})],
    ],
)
def test_events_out_of_order_are_garbled(events: Sequence[tuple[str, dict[str, Any]]]) -> None:
    with pytest.raises(Garbled):
        heard(stream(*events))


@given(
    data=st.binary(max_size=60), at=st.integers(0, len(WHOLE)), kind=st.sampled_from(["x", "metadata", "messageStop"])
)
def test_any_bytes_give_events_or_garbled(data: bytes, at: int, kind: str) -> None:
    for bad in (data, WHOLE[:at] + data, event(kind, data)):
        with suppress(Garbled):
            heard(bad)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"message":"bad"}', "bad", ""),
        (b'{"Message":"bad"}', "bad", ""),
        (b'{"__type":"com.amazon#ThrottlingException","message":"slow"}', "slow", "ThrottlingException"),
        (b"<html>", "", ""),
        (b'{"message":1}', "", ""),
    ],
)
def test_an_error_body_is_read(body: bytes, message: str, code: str) -> None:
    error = CONVERSE.read_error(body)
    assert (error.message, error.code) == (message, code)
