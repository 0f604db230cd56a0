"""Streams of chunks: what compatible servers send as events, and what clients of chat get to read."""

import json
from typing import Any

import pytest
from msgspec import Raw
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.fuzz.pieces import cut, grains
from yescale.domain.assembly import assemble, disassemble
from yescale.domain.chat import ChatRequest, ChatResponse, Choice, StopReason, TokenScore
from yescale.domain.content import (
    Audio,
    Citation,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from yescale.domain.event_grammar import check
from yescale.domain.events import Event, MessageStart, PartDelta, PartStart, StreamEnd, StreamError, UsageReport
from yescale.domain.ids import ProtocolId
from yescale.domain.seals import wrap_seal
from yescale.domain.usage import Meter
from yescale.protocols.codec import Envelope, Garbled
from yescale.protocols.openai_chat.answers import decode_response, encode_response
from yescale.protocols.openai_chat.stream_decoder import ChatDecoder
from yescale.protocols.openai_chat.stream_encoder import ChatEncoder
from yescale.protocols.openai_chat.words import ID

ANTHROPIC = ProtocolId("anthropic.messages")
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}


def chunk(delta: Any = None, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 5,
        "model": "m",
        "choices": choices,
        **more,
    }
    return f"data: {json.dumps(body)}\n\n".encode()


def hear(*pieces: bytes) -> list[Event]:
    decoder = ChatDecoder(100_000)
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.finish()]


def parts_of(*deltas: Any, finish: str = "stop") -> tuple[Part, ...]:
    events = hear(*map(chunk, deltas), chunk({}, finish), DONE)
    assert check(events) == []
    return assemble(events).choices[0].parts


def piece(index: int | None, arguments: str, call_id: str = "", name: str = "") -> dict[str, Any]:
    head = ({} if index is None else {"index": index}) | ({"id": call_id, "type": "function"} if call_id else {})
    return {"tool_calls": [{**head, "function": {"arguments": arguments, **({"name": name} if name else {})}}]}


RECORDED = (
    chunk({"role": "assistant", "content": ""})
    + b": OPENROUTER PROCESSING\n\n"
    + chunk({"reasoning_content": "hm\u2028"})
    + chunk({"content": "Hé"})
    + chunk({"content": "llo"}, logprobs=None)
    + chunk(piece(0, "", "call_a", "f"))
    + chunk(piece(0, '{"z":'))
    + chunk(piece(0, "1.10}"))
    + chunk(piece(1, "{}", "call_b", "g"))
    + chunk({}, "tool_calls")
    + chunk(None, usage={**USAGE, "prompt_tokens_details": {"cached_tokens": 4}})
    + DONE
)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_a_cut_at_any_offset_changes_nothing(newline: bytes) -> None:
    stream = RECORDED.replace(b"\n", newline)
    whole = hear(stream)
    assert check(whole) == []
    for place in range(len(stream)):
        assert hear(*cut(stream, [place])) == whole
    assert hear(*grains(stream)) == whole


def test_a_recorded_stream_tells_thoughts_text_and_parallel_calls() -> None:
    """Promises 7 and 26: usage from the last chunk, and each call by itself."""
    answer = assemble(hear(RECORDED))
    assert answer.choices[0].parts == (
        Thinking(text="hm\u2028", origin=ID),
        Text(text="Héllo"),
        ToolCall(id="call_a", name="f", arguments='{"z":1.10}'),
        ToolCall(id="call_b", name="g", arguments="{}"),
    )
    assert (answer.id, answer.model, answer.created) == ("chatcmpl-1", "m", 5)
    assert answer.choices[0].reason is StopReason.TOOL_CALLS
    assert answer.usage == {Meter.INPUT_TOKENS: 5, Meter.CACHE_READ_TOKENS: 4, Meter.OUTPUT_TOKENS: 12}


@pytest.mark.parametrize(
    "deltas",
    [
        [piece(0, '{"a":1}', "c", "f")],
        [piece(0, "", "c", "f"), piece(0, '{"a":1}')],
        [piece(0, "", "c", "f"), *(piece(0, letter) for letter in '{"a":1}')],
        [piece(0, "", "c", "f"), piece(0, '{"a"', "c"), piece(0, ":1}", "c", "f"), piece(0, "")],
        [piece(None, '{"a":1}', "c", "f")],
    ],
)
def test_however_arguments_come_the_call_is_the_same(deltas: list[Any]) -> None:
    """Promise 22."""
    assert parts_of(*deltas, finish="tool_calls") == (ToolCall(id="c", name="f", arguments='{"a":1}'),)


def test_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    """Promise 26."""
    assert parts_of(piece(0, "1", "a", "f"), piece(0, "2", "b", "f")) == (
        ToolCall(id="a", name="f", arguments="1"),
        ToolCall(id="b", name="f", arguments="2"),
    )


def test_calls_without_ids_get_some_of_their_own() -> None:
    first, second = parts_of(piece(0, "1", name="f"), piece(1, "2", name="g"))
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.id
    assert second.id
    assert first.id != second.id


def test_arguments_of_a_call_that_is_over_are_garbled() -> None:
    with pytest.raises(Garbled):
        parts_of(piece(0, "1", "a", "f"), piece(1, "2", "b", "g"), piece(0, "3"))


def test_a_legacy_call_is_a_call() -> None:
    (call,) = parts_of({"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}})
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("f", "{}")


@pytest.mark.parametrize(
    ("deltas", "parts"),
    [
        ([{"reasoning": "a"}, {"reasoning": "b"}, {"content": "x"}], (Thinking(text="ab", origin=ID), Text(text="x"))),
        (
            [
                {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]},
                {"reasoning_details": [{"type": "reasoning.text", "text": "", "signature": "s"}]},
                {"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]},
            ],
            (Thinking(text="a", seal="s", origin=ID), Thinking(seal="d", origin=ID, redacted=True)),
        ),
        (
            [{"reasoning_details": [{"type": "reasoning.summary", "summary": "s"}]}],
            (Thinking(text="s", origin=ID),),
        ),
        (
            [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]}, {"content": "x"}],
            (Thinking(text="t", origin=ID), Text(text="x")),
        ),
        ([{"refusal": "n"}, {"refusal": "o"}], (Refusal(text="no"),)),
        (
            [{"content": "x", "images": [{"image_url": {"url": "data:image/png;base64,QUJD"}}]}],
            (Text(text="x"), Image(source=Inline("image/png", "QUJD"))),
        ),
        (
            [{"audio": {"id": "a", "expires_at": 9}}, {"audio": {"data": "QU"}}, {"audio": {"transcript": "hi"}}],
            (Audio(source=Inline("", "QU"), transcript="hi", id="a", expires_at=9),),
        ),
        (
            [{"content": "x"}, {"annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}]}],
            (Text(text="x", citations=(Citation(url="u", title="t"),)),),
        ),
    ],
)
def test_each_dialect_of_a_delta_has_its_parts(deltas: list[Any], parts: tuple[Part, ...]) -> None:
    assert parts_of(*deltas) == parts


def test_googles_signature_is_the_seal_of_its_call() -> None:
    delta = piece(0, "{}", "c", "f")
    delta["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "s"}}
    assert parts_of(delta) == (ToolCall(id="c", name="f", arguments="{}", seal="s", origin=ID),)


def test_choices_are_kept_apart() -> None:
    events = hear(chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk({"content": "c"}), DONE)
    assert check(events) == []
    assert [choice.parts for choice in assemble(events).choices] == [(Text(text="ac"),), (Text(text="b"),)]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", StopReason.END),
        ("length", StopReason.LENGTH),
        ("content_filter", StopReason.FILTERED),
        ("model_length", StopReason.LENGTH),
        ("insufficient_system_resource", StopReason.ERROR),
        ("new_word", StopReason.OTHER),
    ],
)
def test_each_word_is_a_reason(word: str, reason: StopReason) -> None:
    choice = assemble(hear(chunk({"content": "x"}, word), DONE)).choices[0]
    assert (choice.reason, choice.raw_reason) == (reason, word)


def test_stop_behind_calls_means_the_calls() -> None:
    assert assemble(hear(chunk(piece(0, "{}", "c", "f"), "stop"), DONE)).choices[0].reason is StopReason.TOOL_CALLS


def test_an_error_event_ends_the_stream() -> None:
    events = hear(chunk({"content": "x"}), b'data: {"error":{"message":"boom","code":7}}\n\n', DONE)
    assert events[-1] == StreamError(message="boom", code="7")
    assert check(events) == []
    assert isinstance(hear(b'event: error\ndata: {"message":"boom"}\n\n')[-1], StreamError)


def test_a_stream_without_its_end_has_none() -> None:
    """Promise 28."""
    assert not any(isinstance(event, StreamEnd) for event in hear(chunk({"content": "x"})))
    assert isinstance(hear(chunk({"content": "x"}, "stop"))[-1], StreamEnd)  # it said that it was done


@pytest.mark.parametrize(
    "event", [b"data: {\n\n", b"data: [1]\n\n", b"data: \xff\n\n", b'data: {"choices":[{"index":-1}]}\n\n']
)
def test_what_is_no_chunk_is_garbled(event: bytes) -> None:
    with pytest.raises(Garbled):
        hear(event)


def test_an_explicit_zero_stays_zero() -> None:
    """Promise 11."""
    events = hear(chunk(None, usage={"prompt_tokens": 0, "completion_tokens": 0}), DONE)
    assert UsageReport({Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}) in events


def envelope(**fields: Any) -> Envelope:
    request = ChatRequest(**{"model": "m", "messages": (), "stream": True, "usage_wanted": True, **fields})
    return Envelope(id="7", model="shown", created=5, request=request)


def tell(*parts: Part, reason: StopReason = StopReason.END, **fields: Any) -> list[dict[str, Any]]:
    """The chunks of a stream, each as OpenAI's own types accept it."""
    usage = {Meter.INPUT_TOKENS: 5, Meter.CACHE_READ_TOKENS: 4, Meter.OUTPUT_TOKENS: 2, Meter.REASONING_TOKENS: 1}
    choice = Choice(parts=parts, reason=reason, scores=(TokenScore("é", -0.5, (("e", -1.5),)),))
    events = [*disassemble(ChatResponse(id="up", model="m", choices=(choice,), usage=usage))]
    encoder = ChatEncoder(envelope(**fields))
    stream = b"".join(map(encoder.encode, events))
    assert stream.endswith(DONE)
    chunks = [json.loads(line[6:]) for line in stream.removesuffix(DONE).split(b"\n\n") if line]
    for each in chunks:
        ChatCompletionChunk.model_validate(each, strict=True)
    return chunks


def deltas_of(*parts: Part, **fields: Any) -> list[dict[str, Any]]:
    chunks = tell(*parts, **fields)
    return [c["choices"][0]["delta"] for c in chunks if c["choices"] and c["choices"][0]["delta"]][1:]


def test_a_stream_begins_with_the_role_and_ends_with_reason_and_usage() -> None:
    """Promise 27: OpenAI's own types read every chunk."""
    chunks = tell(Text(text="hi"))
    first, *_, last, usage = chunks
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {(c["id"], c["object"], c["created"], c["model"]) for c in chunks} == {
        ("chatcmpl-7", "chat.completion.chunk", 5, "shown")
    }
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert usage["choices"] == []
    assert usage["usage"] == {
        "prompt_tokens": 9,
        "completion_tokens": 3,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0},
    }


def test_usage_comes_only_if_it_was_asked_for() -> None:
    assert all("usage" not in each for each in tell(Text(text="hi"), usage_wanted=False))


def test_a_seal_comes_with_all_that_it_stands_for() -> None:
    sealed = Thinking(text="hm", seal="s", origin=ANTHROPIC)
    plain, details = deltas_of(sealed)
    assert plain == {"reasoning_content": "hm"}
    (detail,) = details["reasoning_details"]
    assert (detail["text"], detail["signature"]) == ("hm", wrap_seal("s", ANTHROPIC))
    assert deltas_of(Thinking(text="hm")) == [{"reasoning_content": "hm"}]


def test_calls_count_up_and_carry_their_seals() -> None:
    one, two = deltas_of(
        ToolCall(id="a", name="f", arguments="{}"),
        ToolCall(id="b", name="g", arguments="{}", seal="s", origin=ANTHROPIC),
    )
    assert one["tool_calls"][0] == {
        "index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"},
    }  # fmt: skip
    assert two["tool_calls"][0]["index"] == 1
    assert two["tool_calls"][0]["extra_content"]["google"]["thought_signature"] == wrap_seal("s", ANTHROPIC)


def test_pictures_and_programs_are_shown_in_the_text() -> None:
    run = HostedCall(
        id="h",
        tool="code_execution",
        arguments='{"language":"PYTHON","code":"print(1)"}',
        origin=ANTHROPIC,
        raw=Raw(b"{}"),
    )
    ran = HostedResult(call_id="h", tool="code_execution", origin=ANTHROPIC, raw=Raw(b"{}"), text="1\n")
    picture = Image(source=Inline("image/png", "QUJD"))
    shown = "".join(delta["content"] for delta in deltas_of(Text(text="see"), run, ran, Text(text="so"), picture))
    assert shown == "see\n\n```python\nprint(1)\n```\n```output\n1\n```\nso\n\n![image](data:image/png;base64,QUJD)"


def test_citations_count_from_the_start_of_the_whole_text() -> None:
    cited = Text(text="cde", citations=(Citation(url="u", title="t", start=1, end=2),))
    assert deltas_of(Text(text="ab"), cited)[-1]["annotations"] == [
        {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 3, "end_index": 4}}
    ]


def test_legacy_callers_get_the_legacy_call() -> None:
    call = ToolCall(id="a", name="f", arguments='{"a":1}')
    chunks = tell(call, reason=StopReason.TOOL_CALLS, legacy_functions=True)
    assert chunks[1]["choices"][0]["delta"] == {"function_call": {"name": "f", "arguments": '{"a":1}'}}
    assert "function_call" in {c["choices"][0]["finish_reason"] for c in chunks if c["choices"]}
    choice = Choice(parts=(call,), reason=StopReason.TOOL_CALLS)
    body = encode_response(ChatResponse(id="", model="", choices=(choice,)), envelope(legacy_functions=True))
    message = ChatCompletion.model_validate(json.loads(body), strict=True).choices[0].message
    assert message.function_call is not None
    assert (message.content, message.tool_calls, message.function_call.arguments) == (None, None, '{"a":1}')


def test_an_encoder_never_waits_for_more_than_a_seal_needs() -> None:
    encoder = ChatEncoder(envelope())
    assert encoder.encode(MessageStart()).startswith(b'data: {"id":"chatcmpl-7"')
    assert encoder.encode(PartStart(index=0, part=Text(text=""))) == b""
    assert b'"content":"x"' in encoder.encode(PartDelta(index=0, kind="text", data="x"))


def test_a_whole_answer_reads_in_openais_types_and_says_all() -> None:
    parts = (
        Thinking(text="hm", seal="s", origin=ANTHROPIC),
        Text(text="ab", citations=(Citation(url="u", title="t"),)),
        Audio(source=Inline("", "QUJD"), transcript="hi", id="a", expires_at=9),
        ToolCall(id="c", name="f", arguments="{"),
        ToolCall(id="d", name="sh", arguments="ls", custom=True),
    )
    choice = Choice(parts=parts, reason=StopReason.TOOL_CALLS, scores=(TokenScore("ab", -0.5),))
    body = encode_response(ChatResponse(id="", model="", choices=(choice, choice), usage={}), envelope())
    answer = ChatCompletion.model_validate(json.loads(body), strict=True)
    assert [each.index for each in answer.choices] == [0, 1]
    message = json.loads(body)["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"], message["audio"]["id"]) == ("ab", "hm", "a")
    assert message["reasoning_details"][0]["signature"] == wrap_seal("s", ANTHROPIC)
    assert [call["type"] for call in message["tool_calls"]] == ["function", "custom"]
    back = decode_response(body).choices[0]
    assert [part for part in back.parts if isinstance(part, ToolCall)] == list(parts[3:])
    assert back.scores == choice.scores


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"choices":null}', b'{"choices":[7]}', b'{"error":{"message":"x"}}', b"\xff"]
)
def test_what_is_no_answer_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        decode_response(body)
