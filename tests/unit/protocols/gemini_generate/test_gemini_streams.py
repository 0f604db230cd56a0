"""Streams: wherever the network cuts them they tell the same, in order, and never pretend an end."""

import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.assembly import assemble, disassemble
from yescale.domain.chat import ChatRequest, ChatResponse, Choice, StopReason
from yescale.domain.content import Audio, Citation, Image, Inline, Opaque, Part, Refusal, Text, Thinking, ToolCall
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
    StreamError,
    UsageReport,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.usage import Meter
from yescale.protocols.codec import Codec, Envelope, Garbled
from yescale.protocols.gemini_generate import ARRAY_CODEC, CODEC, GENERATE, GENERATE_ARRAY
from yescale.protocols.passthrough import Format
from yescale.protocols.sse import TooLong

OWN = ProtocolId("gemini.generate")
FOREIGN = ProtocolId("anthropic.messages")
ENVELOPE = Envelope(id="req", model="shown", created=1, request=ChatRequest(model="shown", messages=()))
LIMIT = 100_000
FORMS = pytest.mark.parametrize(
    ("codec", "format_"), [(CODEC, GENERATE), (ARRAY_CODEC, GENERATE_ARRAY)], ids=["sse", "array"]
)


def chunk(*parts: object, index: int = 0, tokens: int = 1, **more: object) -> dict[str, object]:
    grown = {"content": {"parts": parts, "role": "model"}, "index": index} | more
    usage = {"promptTokenCount": 7, "candidatesTokenCount": tokens}
    return {"candidates": [grown], "usageMetadata": usage, "modelVersion": "gemini-3", "responseId": "r1"}


CHUNKS = [
    chunk({"text": "let me ", "thought": True}),
    chunk({"text": "see", "thought": True}),
    chunk({"text": 'h\u00e9 "}]{['}),
    chunk({"text": "llo\\ "}, tokens=2),
    chunk({"text": "", "thoughtSignature": "c2Vh"}),
    chunk({"functionCall": {"name": "f", "args": {"a": "}]"}}, "thoughtSignature": "c2Vi"}),
    chunk({"functionCall": {"name": "g", "args": {}}}),
    chunk({"executableCode": {"language": "PYTHON", "code": "1"}}),
    chunk({"text": ""}, finishReason="STOP", tokens=9),
]


def written(form: Codec | Format, chunks: list[dict[str, object]]) -> bytes:
    bodies = [json.dumps(one, ensure_ascii=False).encode() for one in chunks]
    if form in (ARRAY_CODEC, GENERATE_ARRAY):
        return b"[" + b"\n,\r\n".join(bodies) + b"\n]\n"
    return b"".join(b"data: %b\r\n\r\n" % body for body in bodies)


def hear(codec: Codec, data: bytes, *cuts: int) -> list[Event]:
    decoder = codec.stream_decoder(LIMIT)
    places = [0, *sorted(cuts), len(data)]
    found = [event for start, end in pairwise(places) for event in decoder.feed(data[start:end])]
    return [*found, *decoder.finish()]


@FORMS
def test_a_cut_anywhere_changes_nothing(codec: Codec, format_: Format) -> None:
    data = written(codec, CHUNKS)
    whole = hear(codec, data)
    assert check(whole) == []
    answer = assemble(whole)
    first, second = (part for part in answer.choices[0].parts if isinstance(part, ToolCall))
    assert (first.name, first.arguments, first.seal) == ("f", '{"a": "}]"}', "c2Vi")
    assert (second.name, second.seal) == ("g", "")
    assert answer.choices[0].parts[:3] == (
        Thinking(text="let me see", origin=OWN),
        Text(text='h\u00e9 "}]{[llo\\ '),
        Thinking(seal="c2Vh", origin=OWN, redacted=True),
    )
    assert answer.choices[0].reason is StopReason.TOOL_CALLS
    assert answer.usage == {Meter.INPUT_TOKENS: 7, Meter.OUTPUT_TOKENS: 9}
    for cut in range(len(data)):
        assert hear(codec, data, cut) == whole
    assert hear(codec, data, *range(len(data))) == whole


def test_a_stream_tells_the_same_as_the_whole_answer() -> None:
    """Promise 22: however a call's arguments come, the call is the same."""
    parts: list[object] = [
        {"functionCall": {"name": "f", "args": {"a": "}]"}}, "thoughtSignature": "c2Vi"},
        {"functionCall": {"name": "g", "args": {}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"text": ""},
    ]
    whole = chunk(*parts, finishReason="STOP", tokens=9)
    streamed = assemble(hear(CODEC, written(CODEC, CHUNKS[5:])))
    assert streamed == CODEC.decode_response(json.dumps(whole).encode())


@FORMS
def test_a_stream_that_was_cut_has_no_end(codec: Codec, format_: Format) -> None:
    """Promise 28."""
    data = written(codec, CHUNKS)
    for end in (len(data) // 2, len(written(codec, CHUNKS[:-1])), len(data) - 12):
        events = hear(codec, data[:end])
        assert StreamEnd() not in events
        assert not any(isinstance(event, MessageEnd) for event in events)


def test_one_candidate_without_a_reason_is_a_cut_stream() -> None:
    chunks = [chunk({"text": "a"}), chunk({"text": "b"}, index=1), chunk(finishReason="STOP")]
    assert StreamEnd() not in hear(CODEC, written(CODEC, chunks))
    events = hear(CODEC, written(CODEC, [*chunks, chunk(index=1, finishReason="MAX_TOKENS")]))
    assert check(events) == []
    assert [choice.reason for choice in assemble(events).choices] == [StopReason.END, StopReason.LENGTH]


@FORMS
def test_an_error_within_the_stream_is_told_and_nothing_follows(codec: Codec, format_: Format) -> None:
    error: dict[str, object] = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    data = written(codec, [CHUNKS[0], error, CHUNKS[-1]])
    events = hear(codec, data)
    assert events[-1] == StreamError(message="overloaded", code="UNAVAILABLE", type="UNAVAILABLE")
    tap = format_.tap(True, LIMIT)
    out = tap.feed(data) + tap.finish()
    assert tap.error is not None
    assert not tap.done
    assert b"overloaded" not in out
    assert b"let me" in out


def test_a_blocked_prompt_ends_the_stream_filtered() -> None:
    blocked = {"promptFeedback": {"blockReason": "OTHER"}, "usageMetadata": {"promptTokenCount": 3}}
    events = hear(CODEC, written(CODEC, [blocked]))
    assert check(events) == []
    (choice,) = assemble(events).choices
    assert choice.reason is StopReason.FILTERED
    assert choice.parts == (Refusal(text="The provider blocked the prompt: OTHER."),)


def test_an_empty_stream_has_no_end() -> None:
    assert hear(CODEC, b"") == []
    assert hear(ARRAY_CODEC, b"[]") == []
    assert StreamEnd() not in hear(CODEC, b'data: {"responseId":"r"}\n\n')


def test_an_array_without_its_bracket_is_a_cut_stream() -> None:
    """Promise 28."""
    data = written(ARRAY_CODEC, CHUNKS).rstrip(b"\n]")
    assert StreamEnd() not in hear(ARRAY_CODEC, data)
    tap = GENERATE_ARRAY.tap(True, LIMIT)
    assert not (tap.feed(data) + tap.finish()).endswith(b"]")
    assert (tap.finished, tap.done) == (True, False)


@FORMS
def test_the_tap_waits_for_every_candidate(codec: Codec, format_: Format) -> None:
    chunks = [chunk({"text": "a"}), chunk({"text": "b"}, index=1), chunk(finishReason="STOP")]
    for more, done in ([], False), ([chunk(index=1, finishReason="STOP")], True):
        tap = format_.tap(True, LIMIT)
        tap.feed(written(codec, [*chunks, *more]))
        tap.finish()
        assert tap.done is done


def test_sources_that_come_last_are_cited_at_the_open_text() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": 6, "text": "two"}, "groundingChunkIndices": [0]}
        ],
    }
    chunks = [
        chunk({"text": "\u00e9 t"}),
        chunk({"text": "wo"}),
        chunk(finishReason="STOP", groundingMetadata=grounding),
    ]
    (choice,) = assemble(hear(CODEC, written(CODEC, chunks))).choices
    cited = Citation(url="https://a", title="A", quote="two", start=2, end=5)
    assert choice.parts == (Text(text="\u00e9 two", citations=(cited,)),)


def test_sound_that_comes_in_pieces_is_one() -> None:
    pieces = [base64.b64encode(piece).decode() for piece in (b"a", b"bcde", b"fg")]
    chunks = [chunk({"inlineData": {"mimeType": "audio/L16", "data": piece}}) for piece in pieces]
    events = hear(CODEC, written(CODEC, [*chunks, chunk(finishReason="STOP")]))
    (part,) = assemble(events).choices[0].parts
    assert part == Audio(source=Inline("audio/L16", base64.b64encode(b"abcdefg").decode()))
    out = speak(CODEC, events)
    sound = b"".join(
        base64.b64decode(part["inlineData"]["data"])
        for one in read(CODEC, out)
        for part in one["candidates"][0]["content"]["parts"]
        if "inlineData" in part
    )
    assert sound == b"abcdefg"


@FORMS
def test_what_is_too_long_or_none_of_geminis_is_garbled(codec: Codec, format_: Format) -> None:
    with pytest.raises(Garbled):
        codec.stream_decoder(10).feed(b'[{"a":"' + b"x" * 99)
    with pytest.raises(Garbled):
        hear(codec, written(codec, [{"candidates": 1}]))
    with pytest.raises(Garbled):
        hear(codec, written(codec, [chunk({"text": 1})]))
    with pytest.raises(TooLong):
        format_.tap(True, 10).feed(b'[{"a":"' + b"x" * 99)


DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 2_000), st.sampled_from([b"", b"{", b"}", b'"', b"\\", b"[", b"]", b"1", b"\n\n", b"\xff"])
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=200)
@given(DAMAGE, st.lists(st.integers(0, 2_000), max_size=3), st.sampled_from([CODEC, ARRAY_CODEC]))
def test_no_bytes_raise_anything_but_garbled(damage: list[tuple[int, bytes]], cuts: list[int], codec: Codec) -> None:
    data = written(codec, CHUNKS)
    for place, piece in damage:
        data = data[:place] + piece + data[place + 1 :]
    try:
        events = hear(codec, data, *(min(cut, len(data)) for cut in cuts))
    except Garbled:
        return
    assert [fault for fault in check(events) if "has no end" not in fault] == []


def speak(codec: Codec, events: list[Event]) -> bytes:
    encoder = codec.stream_encoder(ENVELOPE)
    return b"".join(encoder.encode(event) for event in events)


def read(codec: Codec, out: bytes) -> list[Any]:
    if codec is ARRAY_CODEC:
        found: list[Any] = json.loads(out)
        return found
    assert out.endswith(b"\r\n\r\n")
    return [json.loads(one.removeprefix(b"data: ")) for one in out.split(b"\r\n\r\n")[:-1]]


TEXTS = st.text("ab\u00e9", min_size=1, max_size=5)
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=TEXTS),
    st.builds(Thinking, text=TEXTS, seal=st.sampled_from(["", "c2Vh"]), origin=st.just(OWN)),
    st.builds(Thinking, seal=st.just("c2Vh"), origin=st.sampled_from([OWN, FOREIGN]), redacted=st.just(True)),
    st.builds(ToolCall, id=TEXTS, name=TEXTS, arguments=st.sampled_from(["{}", '{"a":1.0}'])),
    st.builds(ToolCall, id=TEXTS, name=TEXTS, arguments=st.just("{}"), seal=st.just("s"), origin=st.just(OWN)),
    st.just(Image(source=Inline("image/png", "AAAA"))),
    st.just(Opaque(origin=OWN, raw=Raw(b'{"x":1}'))),
)


def apart(parts: list[Part]) -> list[Part]:
    """No two parts in a row that the format would join."""
    kept: list[Part] = []
    for part in parts:
        if not (kept and type(kept[-1]) is type(part) and isinstance(part, Text | Thinking)):
            kept.append(part)
    return kept


def cut_up(events: list[Event]) -> list[Event]:
    """The same stream with text and arguments in deltas of one letter."""
    out: list[Event] = []
    for event in events:
        match event:
            case PartStart(part=Text() | Thinking() as part) if part.text:
                out.append(replace(event, part=replace(part, text="")))
                out += [
                    PartDelta(index=event.index, kind="text", data=letter, choice=event.choice) for letter in part.text
                ]
            case PartStart(part=ToolCall() as part):
                out.append(replace(event, part=replace(part, arguments="")))
                out += [
                    PartDelta(index=event.index, kind="arguments", data=one, choice=event.choice)
                    for one in part.arguments
                ]
            case _:
                out.append(event)
    return out


@settings(deadline=None)
@given(st.lists(st.lists(PARTS, max_size=5).map(apart), min_size=1, max_size=2), st.sampled_from([CODEC, ARRAY_CODEC]))
def test_what_is_streamed_out_reads_as_what_went_in(choices: list[list[Part]], codec: Codec) -> None:
    """Promise 26: interleaved thoughts and parallel calls keep their places."""
    called = [any(isinstance(part, ToolCall) for part in one) for one in choices]
    response = ChatResponse(
        id="req",
        model="shown",
        choices=tuple(
            Choice(parts=tuple(one), reason=StopReason.TOOL_CALLS if calls else StopReason.END, raw_reason="STOP")
            for one, calls in zip(choices, called, strict=True)
        ),
        usage={Meter.INPUT_TOKENS: 1, Meter.OUTPUT_TOKENS: 2},
    )
    whole = list(disassemble(response))
    for events in (whole, cut_up(whole)):
        out = speak(codec, events)
        read(codec, out)
        back = hear(codec, out)
        assert check(back) == []
        assert assemble(back) == response


def test_reasons_and_usage_wait_for_a_good_end() -> None:
    events: list[Event] = [
        MessageStart(id="x"),
        PartStart(index=0, part=Text(text="hi")),
        Cited(index=0, citation=Citation(url="https://a", start=0, end=2)),
        PartEnd(index=0),
        MessageEnd(reason=StopReason.LENGTH),
        UsageReport({Meter.INPUT_TOKENS: 3, Meter.OUTPUT_TOKENS: 1}),
    ]
    assert b"finishReason" not in speak(CODEC, events)
    last = read(CODEC, speak(CODEC, [*events, StreamEnd()]))[-1]
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert last["usageMetadata"]["promptTokenCount"] == 3
    assert last["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"] == {
        "endIndex": 2,
        "text": "hi",
    }


@FORMS
def test_the_tap_passes_every_stream_and_hears_its_usage(codec: Codec, format_: Format) -> None:
    data = written(codec, CHUNKS)
    for cut in range(0, len(data), 7):
        tap = format_.tap(True, LIMIT)
        out = tap.feed(data[:cut]) + tap.feed(data[cut:])
        assert not tap.done
        out += tap.finish()
        assert tap.done
        assert tap.finished
        assert tap.usage == {Meter.INPUT_TOKENS: 7, Meter.OUTPUT_TOKENS: 9}
        assert tap.text_bytes > 20
        assert assemble(hear(codec, out)) == assemble(hear(codec, data))
        assert out == data or codec is ARRAY_CODEC


@FORMS
def test_the_tap_of_a_cut_stream_is_not_done(codec: Codec, format_: Format) -> None:
    """Promise 28."""
    data = written(codec, CHUNKS)
    for end in (len(data) // 2, len(written(codec, CHUNKS[:-1])), len(data) - 12):
        tap = format_.tap(True, LIMIT)
        out = tap.feed(data[:end]) + tap.finish()
        assert not tap.done
        assert tap.usage is not None
        assert data.startswith(out) or codec is ARRAY_CODEC
        assert not out.endswith(b"\n]")


def test_an_error_of_ours_closes_an_array_that_has_begun() -> None:
    from_upstream = GENERATE_ARRAY.tap(True, LIMIT)
    begun = from_upstream.feed(written(ARRAY_CODEC, CHUNKS)[:400])
    found = json.loads(begun + GENERATE_ARRAY.render_event(faults.UPSTREAM_CUT, "r"))
    assert found[-1]["error"]["code"] == 502
