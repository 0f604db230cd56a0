"""What holds of every format of the registries, whatever comes: a new format is attacked by being listed there."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain

from msgspec.structs import replace

from tests.fuzz import framed
from tests.fuzz.pieces import LONGEST, Row, cut, grains
from tests.laws import strategies as make
from tests.laws.told import origin_of
from yescale.domain.assembly import disassemble
from yescale.domain.chat import ChatRequest, ChatResponse, Choice, Message, StopReason
from yescale.domain.content import Citation, Part, Refusal, Text, Thinking, ToolCall
from yescale.domain.event_grammar import check as faults_of
from yescale.domain.events import Event, PartDelta, StreamError
from yescale.domain.faults import Fault
from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile
from yescale.domain.usage import Meter
from yescale.protocols.codec import Codec, Envelope, Garbled, Malformed, PathWords, UpstreamCodec
from yescale.protocols.passthrough import Change, Format, Peek
from yescale.protocols.registry import CODECS, FORMATS, UPSTREAM_FORMATS

UPSTREAM = {name: form.codec for name, form in UPSTREAM_FORMATS.items()}
READERS: dict[ProtocolId, UpstreamCodec] = {**CODECS, **UPSTREAM}
JSON_WORDS = (
    b"null", b"{}", b"[]", b'""', b"true", b"1e400", b"-1", b"0", b"1.5", b"123456789012345678901234567890", b"{", b"}",
    b"[", b"]", b'"', b"\\", b"\\u0065", b"\\ud800", b"\xff", b",", b":", b'"type":', b'"text":"a"', b'"index":1,',
    b'"content":', b'"id":"a"', b'"name":"f"', b'"error":{"message":"no"}', b'"usage":{', b'"model":"m",',
)  # fmt: skip
STREAM_WORDS = (*JSON_WORDS, b"\n\n", b"\r\n", b"\r", b"data: ", b"event: error\n", b": c\n\n", b"[DONE]")
_WORDS = PathWords(model="m-1", stream=True)
_ASKED = ChatRequest(model="m-1", messages=(), stream=True, usage_wanted=True)
_ENVELOPE = Envelope(id="req1", model="m-1", created=7, request=_ASKED, input_tokens=3)
_MARK = "QUJDMTIz"


# What each format would write, damaged, is what it reads.


def request_seeds(codec: Codec) -> Iterator[bytes]:
    """Each kind of part in a request of its own, with a tool."""
    before = Message(role="assistant", parts=(ToolCall(id="call_0", name="g", arguments="{}"),))
    ask = Message(role="user", parts=(Text(text="hi"),))
    plain = ChatRequest(model="m-1", messages=(ask,), max_tokens=2_000)
    yield codec.encode_request(plain, Profile()).body
    for role, part in (kind(_MARK, origin_of(codec.id)) for kind in make.MARKED.values()):
        turns = (ask, before, Message(role=role, parts=(part,)))
        tools = (make.Tool(name="f", parameters=make.SCHEMA), *make.HOSTED_TOOLS[:1])
        yield codec.encode_request(replace(plain, messages=turns, tools=tools, stop=("x",)), Profile()).body


def answers(origin: ProtocolId) -> tuple[ChatResponse, ...]:
    """A rich answer, and a poor one."""
    parts: tuple[Part, ...] = (
        Thinking(text="hm", seal="c2VhbA==", origin=origin),
        Text(text="hé", citations=(Citation(url="https://a.example", title="t", start=0, end=1),)),
        ToolCall(id="call_1", name="f", arguments='{"a":1.10}'),
        ToolCall(id="call_2", name="g", arguments="{}"),
    )
    usage = {Meter.INPUT_TOKENS: 3, Meter.OUTPUT_TOKENS: 5, Meter.CACHE_READ_TOKENS: 2}
    return tuple(
        ChatResponse(id="r1", model="m-1", choices=(Choice(parts=said, reason=reason),), usage=usage, created=7)
        for said, reason in ((parts, StopReason.TOOL_CALLS), ((Refusal(text="no"),), StopReason.REFUSAL))
    )


def answer_seeds(codec: Codec) -> Iterator[bytes]:
    """Whole answers."""
    return (codec.encode_response(answer, _ENVELOPE) for answer in answers(origin_of(codec.id)))


def stream_seeds(codec: Codec) -> Iterator[bytes]:
    """The same as streams."""
    for answer in answers(origin_of(codec.id)):
        encoder = codec.stream_encoder(_ENVELOPE)
        yield b"".join(map(encoder.encode, disassemble(answer)))


# The properties.


def check_request(codec: Codec, data: bytes, _: Sequence[int]) -> None:
    """A request is read or malformed; what was read can be said in every format, and once more in its own."""
    check_passing(FORMATS[codec.id], data)
    try:
        request = codec.decode_request(data, _WORDS)
    except Malformed:
        return
    for writer in READERS.values():
        with suppress(Malformed):
            json.loads(writer.encode_request(request, Profile()).body)
    with suppress(Malformed):
        codec.decode_request(codec.encode_request(request, Profile()).body, _WORDS)


def check_passing(form: Format, data: bytes) -> None:
    """A body is a fault or a peek, and a rewrite leaves a body that reads the same but for the model."""
    peek = form.peek(data, _WORDS)
    assert isinstance(peek, Peek | Fault)
    if isinstance(peek, Fault):
        assert 400 <= peek.status < 500
        return
    again = form.peek(form.rewrite(data, peek, Change(model="other")), PathWords("other", True))
    assert isinstance(again, Peek), "a rewrite broke the body"
    assert (again.n, again.stream) == (peek.n, peek.stream)


def check_answer(codec: UpstreamCodec, data: bytes, _: Sequence[int]) -> None:
    """A whole answer is read or garbled; what was read can be told in every client's format."""
    form = FORMATS.get(codec.id) or UPSTREAM_FORMATS[codec.id]
    form.read_error(data)
    if isinstance(form, Format):
        answer = form.read_answer(data)
        assert answer is None or answer.text_bytes(data) >= 0
        assert answer is None or all(count >= 0 for count in (answer.usage or {}).values())
    try:
        response = codec.decode_response(data)
    except Garbled:
        return
    assert all(count >= 0 for count in (response.usage or {}).values())
    for client in CODECS.values():
        json.loads(client.encode_response(response, _ENVELOPE))


def check_stream(codec: UpstreamCodec, shape: Callable[[bytes], bytes], data: bytes, places: Sequence[int]) -> None:
    """A stream is read or garbled, wherever it is cut, in good order; and is told in every client's format."""
    stream = shape(data)
    pieces = cut(stream, places)
    whole = hear(codec, [stream])
    assert joined(hear(codec, pieces)) == joined(whole), "a cut changed the events"
    assert joined(hear(codec, grains(stream))) == joined(whole), "a cut changed the events"
    form = FORMATS.get(codec.id)
    if form is not None:
        assert passed(form, pieces) == passed(form, [stream]), "a cut changed what passes"
    if whole is None:
        return
    assert all("no end" in fault for fault in faults_of(whole)), faults_of(whole)
    told = [event for event in whole if not isinstance(event, StreamError)]
    for client in CODECS.values():
        encoder = client.stream_encoder(_ENVELOPE)
        b"".join(map(encoder.encode, told)).decode()


def hear(codec: UpstreamCodec, pieces: Iterable[bytes]) -> list[Event] | None:
    """The events of a stream; None = garbled."""
    decoder = codec.stream_decoder(4 * LONGEST)
    try:
        return [*chain.from_iterable(map(decoder.feed, pieces)), *decoder.finish()]
    except Garbled:
        return None


def joined(events: Sequence[Event] | None) -> list[Event] | None:
    """The same with deltas that follow one another as one."""
    found: list[Event] = []
    for event in events or ():
        last = found[-1] if found else None
        if (
            isinstance(event, PartDelta)
            and isinstance(last, PartDelta)
            and replace(event, data="") == replace(last, data="")
        ):
            found[-1] = replace(last, data=last.data + event.data)
        else:
            found.append(event)
    return None if events is None else found


def passed(form: Format, pieces: Sequence[bytes]) -> tuple[object, ...]:
    """What a client gets through the tap, white space aside, and what the tap knows."""
    tap = form.tap(True, 4 * LONGEST)
    out = b"".join(map(tap.feed, pieces)) + tap.finish()
    assert not (tap.done and tap.error)
    assert tap.text_bytes >= 0
    return b"".join(out.split()), tap.usage if tap.done else None, tap.done, tap.error


def as_it_is(data: bytes) -> bytes:
    """Bytes of the network."""
    return data


_LINES = (
    b'{"model":"m","created_at":"c","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}\n'
    b'{"model":"m","message":{"role":"assistant","content":"h\xc3\xa9"},"done":false}\n'
    b'{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1.10}}}]},"done":false}\n'
    b'{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}\n',
    b'{"message":{"content":"a"},"logprobs":[{"token":"a","logprob":-0.5}],"done":false}\n{"error":"no"}\n',
)
# How the input becomes a stream, where chance would never meet the checksums of frames; and seeds of such inputs.
SHAPES: dict[ProtocolId, tuple[Callable[[bytes], bytes], tuple[bytes, ...]]] = {
    ProtocolId("bedrock.converse"): (framed.named, framed.CONVERSE),
    ProtocolId("anthropic.bedrock"): (framed.chunks, framed.CLAUDE),
    ProtocolId("ollama.chat"): (as_it_is, _LINES),
}
_CLAUDE = CODECS[ProtocolId("anthropic.messages")]
# What formats that are not ours to write answer with.
_WHOLE: dict[ProtocolId, tuple[bytes, ...]] = {
    ProtocolId("bedrock.converse"): framed.CONVERSE_ANSWERS,
    ProtocolId("anthropic.bedrock"): tuple(answer_seeds(_CLAUDE)),
    ProtocolId("anthropic.vertex"): tuple(answer_seeds(_CLAUDE)),
    ProtocolId("ollama.chat"): (
        b'{"model":"m","message":{"role":"assistant","content":"a","thinking":"hm","tool_calls":[{"function":{"name":"f",'
        b'"arguments":{"a":1}}}]},"done":true,"done_reason":"length","prompt_eval_count":3}',
    ),
}


def rows() -> Iterator[Row]:
    """Name, property, seeds and words of every target that the registries make."""
    for name, codec in CODECS.items():
        yield f"{name}.request", partial(check_request, codec), tuple(request_seeds(codec)), JSON_WORDS
        yield f"{name}.answer", partial(check_answer, codec), tuple(answer_seeds(codec)), JSON_WORDS
        yield f"{name}.stream", partial(check_stream, codec, as_it_is), tuple(stream_seeds(codec)), STREAM_WORDS
    for name, reader in UPSTREAM.items():
        shape, seeds = SHAPES.get(name, (as_it_is, tuple(stream_seeds(_CLAUDE))))
        yield f"{name}.answer", partial(check_answer, reader), _WHOLE[name], JSON_WORDS
        yield f"{name}.stream", partial(check_stream, reader, shape), seeds, STREAM_WORDS
