"""The laws of wire formats: they hold for every codec and every format of the registries, by being listed there."""

import json
import os
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Literal, get_args

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from tests.fuzz.pieces import cut, damaged, grains, places
from tests.laws import strategies as make
from tests.laws import told
from yescale.domain.assembly import assemble, disassemble
from yescale.domain.chat import ChatRequest, ChatResponse, Choice, Message, OutputForm, StopReason
from yescale.domain.content import Text, ToolCall
from yescale.domain.event_grammar import check
from yescale.domain.events import Event, MessageStart, PartDelta, PartStart, StreamEnd, StreamError, UsageReport
from yescale.domain.faults import MALFORMED, FaultType
from yescale.domain.profile import Profile
from yescale.protocols.codec import Codec, Encoded, Envelope, Garbled, Malformed, PathWords, UpstreamCodec
from yescale.protocols.passthrough import Format
from yescale.protocols.registry import CODECS, FORMATS, UPSTREAM_FORMATS

WIDEST = Profile(custom_tools=True, searches=True)  # whatever the format can say
LIMIT = 1_000_000
MARK = "QUJDMTIz"  # base64, too
Role = Literal["user", "assistant"]

EXAMPLES = int(os.environ.get("LAW_EXAMPLES", "30"))
law = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large)
)
pytestmark = pytest.mark.timeout(20 + EXAMPLES)
each_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
WRITERS: dict[str, UpstreamCodec] = {**CODECS, **{name: form.codec for name, form in UPSTREAM_FORMATS.items()}}
each_writer = pytest.mark.parametrize("codec", WRITERS.values(), ids=WRITERS.keys())  # upstream, at least
each_format = pytest.mark.parametrize("format_", FORMATS.values(), ids=FORMATS.keys())


def envelope(estimate: int = 11) -> Envelope:
    request = ChatRequest(model="m-1", messages=(), stream=True, usage_wanted=True)
    return Envelope(id="req1", model="m-1", created=7, request=request, input_tokens=estimate)


def decode_again(codec: Codec, body: bytes, request: ChatRequest) -> ChatRequest:
    return codec.decode_request(body, PathWords(model=request.model, stream=request.stream))


def written(codec: Codec, events: Sequence[Event], *, estimate: int = 11) -> bytes:
    encoder = codec.stream_encoder(envelope(estimate))
    return b"".join(map(encoder.encode, events))


def heard(codec: Codec, pieces: Sequence[bytes]) -> list[Event]:
    decoder = codec.stream_decoder(LIMIT)
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.finish()]


def tells(codec: Codec, found: ChatResponse, meant: ChatResponse) -> bool:
    differences = told.differences(
        told.told(found, told.origin_of(codec.id)), told.told(meant, told.origin_of(codec.id))
    )
    assert differences == [], (found, meant)
    return True


def asked(codec: Codec) -> st.SearchStrategy[ChatRequest]:
    """Requests that the format might carry: one that has no conversations gets a single text."""
    requests = make.requests(told.origin_of(codec.id))
    return st.builds(_shortened, requests, make.texts()) if codec.id in told.TEXT_ONLY else requests


def _shortened(request: ChatRequest, text: Text) -> ChatRequest:
    return replace(request, system=(), messages=(Message(role="user", parts=(text,)),))


def sendable(codec: Codec, request: ChatRequest) -> Encoded:
    """The request as it goes up; one of which content would be missing is never sent."""
    encoded = codec.encode_request(request, WIDEST)
    assume(all(loss.weight != "content" for loss in encoded.losses))
    return encoded


def silent_losses(codec: Codec, request: ChatRequest, encoded: Encoded) -> dict[str, object]:
    """The settings that are neither on the wire nor in the losses."""
    back = told.settings(decode_again(codec, encoded.body, request))
    return {
        name: (value, encoded)
        for name, value in told.settings(request).items()
        if not (name in back and (name in ("reasoning", "output") or back[name] == value))
        and not told.names_it(encoded.losses, [name])
    }


def joined(events: Sequence[Event]) -> list[Event]:
    """The same stream with deltas that follow one another as one."""
    found: list[Event] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, PartDelta) and isinstance(last, PartDelta) and _joins(last, event):
            found[-1] = replace(last, data=last.data + event.data)
        else:
            found.append(event)
    return found


def _joins(last: PartDelta, event: PartDelta) -> bool:
    return (last.index, last.kind, last.choice) == (event.index, event.kind, event.choice) and event.kind != "seal"


# Law 1: what a format can say survives, and what it cannot is named.


@each_codec
def test_a_request_that_went_up_once_reads_the_same_ever_after(codec: Codec) -> None:
    @law
    @given(request=asked(codec))
    def holds(request: ChatRequest) -> None:
        once = decode_again(codec, sendable(codec, request).body, request)
        twice = decode_again(codec, codec.encode_request(once, WIDEST).body, once)
        assert twice == once

    holds()


@each_codec
def test_all_that_a_request_says_of_its_answer_is_on_the_wire_or_in_the_losses(codec: Codec) -> None:
    @law
    @given(request=asked(codec))
    def holds(request: ChatRequest) -> None:
        assert silent_losses(codec, request, sendable(codec, request)) == {}

    holds()


@each_codec
def test_words_calls_and_results_come_through_in_their_order(codec: Codec) -> None:
    @law
    @given(request=asked(codec))
    def holds(request: ChatRequest) -> None:
        encoded = sendable(codec, request)
        back = decode_again(codec, encoded.body, request)
        assert told.calls(back) == told.calls(request)
        assert told.results(back) == told.results(request)
        found, said = told.said(back), told.said(request)
        assert found.assistant == said.assistant
        if told.names_it(encoded.losses, ["system"]):  # the user says nothing: the system words are the only turn
            assert (said.user, found.system) == ("", "")
            assert found.user.startswith(said.system)
        else:
            assert found.user == said.user
            # Where there is no field for JSON it is asked for in words, behind the client's own.
            asks = told.names_it(encoded.losses, ["output"])
            assert found.system.startswith(said.system) if asks else found.system == said.system
        if not told.names_it(encoded.losses, ["tools"]):
            # Without a list of the allowed ones, the others are left out.
            only = told.names_it(encoded.losses, ["tool_choice.allowed"])
            assert told.tool_names(back) == told.tool_names(request, allowed_only=only)

    holds()


# Law 2: a cut anywhere changes nothing.


@each_codec
def test_a_cut_anywhere_changes_nothing(codec: Codec) -> None:
    @law
    @given(
        events=make.event_streams(told.origin_of(codec.id)), cuts=places(), newline=st.sampled_from([b"\n", b"\r\n"])
    )
    def holds(events: list[Event], cuts: list[int], newline: bytes) -> None:
        stream = written(codec, events).replace(b"\n", newline)
        whole = joined(heard(codec, [stream]))
        assert joined(heard(codec, cut(stream, cuts))) == whole
        assert joined(heard(codec, grains(stream))) == whole

    holds()


# Law 3: streams are well formed, and tell what they were to tell.


@each_codec
def test_what_an_encoder_writes_its_decoder_reads_in_good_order(codec: Codec) -> None:
    """Promises 23 and 26."""

    @law
    @given(events=make.event_streams(told.origin_of(codec.id)))
    def holds(events: list[Event]) -> None:
        found = heard(codec, [written(codec, events)])
        assert check(found) == []
        assert tells(codec, assemble(found), assemble(events))

    holds()


@each_codec
def test_a_whole_answer_tells_what_it_was_to_tell(codec: Codec) -> None:
    @law
    @given(response=make.responses(told.origin_of(codec.id)))
    def holds(response: ChatResponse) -> None:
        back = codec.decode_response(codec.encode_response(response, envelope()))
        assert tells(codec, back, response)

    holds()


@each_codec
def test_seals_of_another_format_come_home(codec: Codec) -> None:
    """A client that speaks this format carries them, and its next request brings them back to their origin."""

    @law
    @given(response=make.responses(make.FOREIGN))
    def holds(response: ChatResponse) -> None:
        events = [*disassemble(response)]
        streamed = assemble(heard(codec, [written(codec, events)]))
        assert tells(codec, streamed, response)

    holds()


@each_codec
def test_arguments_in_one_piece_or_a_byte_at_a_time_are_the_same_call(codec: Codec) -> None:
    """Promise 22."""
    if codec.id in told.TEXT_ONLY:
        return
    arguments = '{"z":1.10,"n":123456789012345678901234567890,"a":"\u2028"}'
    call = ToolCall(id="call_1", name="f", arguments=arguments)
    choice = Choice(parts=(call,), reason=StopReason.TOOL_CALLS)
    whole = [*disassemble(ChatResponse(id="r1", model="m-1", choices=(choice,), usage={}))]
    bare = PartStart(index=0, part=replace(call, arguments=""))
    deltas = [PartDelta(index=0, kind="arguments", data=letter) for letter in arguments]
    for events in (whole, [whole[0], bare, *deltas, *whole[2:]]):
        parts = assemble(heard(codec, [written(codec, events)])).choices[0].parts
        assert [(part.name, part.arguments) for part in parts if isinstance(part, ToolCall)] == [("f", arguments)]


@each_codec
def test_a_stream_that_was_cut_has_no_end(codec: Codec) -> None:
    """Promise 28."""
    response = ChatResponse(
        id="r1", model="m-1", usage={}, choices=(Choice(parts=(Text(text="hello"),), reason=StopReason.END),)
    )
    events = [*disassemble(response)]
    before = [event for event in events if isinstance(event, MessageStart | PartStart)]
    assert not any(isinstance(event, StreamEnd) for event in heard(codec, [written(codec, before)]))


# Law 5: every reason and every fault is a legal word everywhere.


@each_codec
@pytest.mark.parametrize("reason", StopReason)
def test_every_reason_is_a_word_that_clients_know(codec: Codec, reason: StopReason) -> None:
    pattern, legal = told.REASON_WORDS[codec.id]
    choice = Choice(parts=(Text(text="hello"),), reason=reason)
    response = ChatResponse(id="r1", model="m-1", choices=(choice,), usage={})
    for answer in (
        codec.encode_response(response, envelope()),
        written(codec, [*disassemble(response)]),
    ):
        found = pattern.findall(answer.decode())
        assert found
        assert set(found) <= legal


@each_format
@pytest.mark.parametrize("kind", get_args(FaultType))
def test_every_fault_is_a_word_that_clients_know(format_: Format, kind: FaultType) -> None:
    pattern, legal = told.FAULT_WORDS[format_.id.split(".")[0]]
    fault = replace(MALFORMED, type=kind, message="It went wrong.")
    for body in (format_.render(fault, "req1"), format_.render_event(fault, "req1")):
        found = pattern.findall(body.decode())
        assert found
        assert set(found) <= legal
        assert b"It went wrong." in body
        assert b"req1" in body


@each_format
def test_an_error_that_was_rendered_reads_as_one(format_: Format) -> None:
    read = format_.read_error(format_.render(MALFORMED.saying("It went wrong.", param="messages"), "req1"))
    assert "It went wrong." in read.message


# Law 6: on the wire or in the losses; nothing third.


@each_writer
@pytest.mark.parametrize("kind", make.MARKED)
def test_every_part_is_on_the_wire_or_in_the_losses(codec: UpstreamCodec, kind: str) -> None:
    role, part = make.MARKED[kind](MARK, told.origin_of(codec.id))
    before = Message(role="assistant", parts=(ToolCall(id="call_0", name="g", arguments="{}"),))
    message = Message(role=role, parts=(part,))
    request = ChatRequest(
        model="m-1", messages=(Message(role="user", parts=(Text(text="hi"),)), before, message), max_tokens=2_000
    )
    encoded = codec.encode_request(request, WIDEST)
    found = MARK.encode() in encoded.body or b64decode(MARK) in encoded.body  # a text may stand as itself
    assert found or encoded.losses
    assert not found or not _loses(encoded.losses, type(part).__name__)


def _loses(losses: Sequence[object], kind: str) -> bool:
    """Whether a part of this kind is said to be missing."""
    return any(
        getattr(loss, "weight", "") == "content" and kind.lower() in getattr(loss, "what", "") for loss in losses
    )


@each_writer
@pytest.mark.parametrize("tool", make.HOSTED_TOOLS, ids=lambda tool: tool.kind)
def test_every_tool_of_a_provider_is_on_the_wire_or_in_the_losses(codec: UpstreamCodec, tool: make.HostedTool) -> None:
    plain = ChatRequest(model="m-1", messages=(Message(role="user", parts=(Text(text="hi"),)),), max_tokens=2_000)
    without = codec.encode_request(plain, WIDEST)
    with_tool = codec.encode_request(replace(plain, tools=(tool,)), WIDEST)
    assert with_tool.body != without.body or told.names_it(with_tool.losses, ["tool"])


@each_writer
def test_extras_of_another_format_are_lost_by_name(codec: UpstreamCodec) -> None:
    request = ChatRequest(
        model="m-1",
        messages=(Message(role="user", parts=(Text(text="hi"),)),),
        extras={make.FOREIGN: {"odd_field": Raw(b'"secret_value"')}},
    )
    encoded = codec.encode_request(request, WIDEST)
    assert told.names_it(encoded.losses, ["extras.odd_field"])
    assert b"secret_value" not in encoded.body


@each_writer
@pytest.mark.parametrize(
    ("field", "weight"),
    [("include", "hint"), ("metadata", "hint"), ("previous_response_id", "content"), ("odd_field", "setting")],
)
def test_extras_weigh_the_same_in_every_format_that_lacks_them(codec: UpstreamCodec, field: str, weight: str) -> None:
    request = ChatRequest(
        model="m-1",
        messages=(Message(role="user", parts=(Text(text="hi"),)),),
        extras={make.FOREIGN: {field: Raw(b'"x"')}},
    )
    losses = codec.encode_request(request, WIDEST).losses
    assert [loss.weight for loss in losses if loss.what == f"extras.{field}"] == [weight]


@each_codec
def test_extras_of_its_own_are_given_back(codec: Codec) -> None:
    request = ChatRequest(
        model="m-1",
        messages=(Message(role="user", parts=(Text(text="hi"),)),),
        extras={told.origin_of(codec.id): {"odd_field": Raw(b'{"a":1.10}')}},
    )
    assert b'"odd_field":{"a":1.10}' in codec.encode_request(request, WIDEST).body


@each_codec
def test_nothing_is_added_that_the_client_did_not_say(codec: Codec) -> None:
    """Promise 30: no null, and no setting of ours but what the format requires."""
    request = ChatRequest(model="m-1", messages=(Message(role="user", parts=(Text(text="hi"),)),))
    encoded = codec.encode_request(request, WIDEST)
    body = json.loads(encoded.body)
    added = told.ADDED.get(codec.id, {})
    assert set(body) - {"model", "messages", "prompt", "input", "contents"} == set(added)
    assert all(body[name] == value for name, value in added.items())
    assert b"null" not in encoded.body
    assert encoded.losses == ()


@each_codec
@pytest.mark.parametrize(
    "profile",
    [Profile(), Profile(samples=False), Profile(thinks="no"), Profile(thinks="budget"), Profile(thinks="adaptive"),
     Profile(schemas=False), Profile(late_system=False), Profile(developer=True, limit_field="max_completion_tokens")],
    ids=repr,
)  # fmt: skip
def test_whatever_the_model_can_do_its_request_is_one_of_the_format(codec: Codec, profile: Profile) -> None:
    late = Message(role="system", parts=(Text(text=MARK),))

    @settings(law, max_examples=EXAMPLES // 3)
    @given(request=asked(codec))
    def holds(request: ChatRequest) -> None:
        request = replace(request, messages=(*request.messages, late, *request.messages[:1]))
        encoded = codec.encode_request(request, profile)
        assert MARK.encode() in encoded.body, "promise 25"
        assert decode_again(codec, encoded.body, request).messages
        assert silent_losses(codec, request, encoded) == {}
        if not profile.schemas and isinstance(request.output, OutputForm) and request.output.schema is not None:
            assert told.names_it(encoded.losses, ["output"])

    holds()


# Law 7: meters never overlap and never go down.


@each_codec
def test_usage_adds_up_and_never_goes_down(codec: Codec) -> None:
    """Promises 7 and 11."""

    @law
    @given(events=make.event_streams(told.origin_of(codec.id)))
    def holds(events: list[Event]) -> None:
        stream = written(codec, events, estimate=0)  # an estimate is no report: what is reported may be less
        found = [event.usage for event in heard(codec, [stream]) if isinstance(event, UsageReport)]
        for earlier, later in pairwise(found):
            assert all(later.get(meter, 0) >= count for meter, count in earlier.items())
        assert all(count >= 0 for usage in found for count in usage.values())
        assert told.totals(found[-1]) == told.totals(assemble(events).usage)

    holds()


@each_codec
def test_usage_of_a_whole_answer_adds_up(codec: Codec) -> None:
    @law
    @given(response=make.responses(told.origin_of(codec.id)))
    def holds(response: ChatResponse) -> None:
        back = codec.decode_response(codec.encode_response(response, envelope()))
        assert told.totals(back.usage) == told.totals(response.usage)

    holds()


# What is none of a format is refused, by the one exception that there is for it.


@each_codec
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff", b'{"a":"\xff"}', b"[" * 5_000, b'{"a":' * 5_000, b"{}{}"],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_request_at_all_is_malformed(codec: Codec, body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        codec.decode_request(body, PathWords(model="m-1"))
    assert refused.value.fault.status == 400
    assert refused.value.fault.message


@each_codec
def test_an_empty_request_names_the_field_that_it_lacks(codec: Codec) -> None:
    with pytest.raises(Malformed) as refused:
        codec.decode_request(b"{}", PathWords(model="m-1"))
    assert refused.value.fault.param


@each_codec
@pytest.mark.parametrize("wrong", [{"a": [True]}, [[None]], "x"], ids=repr)
def test_a_value_of_the_wrong_type_is_malformed_by_name(codec: Codec, wrong: object) -> None:
    request = ChatRequest(model="m-1", messages=(Message(role="user", parts=(Text(text="hi"),)),), max_tokens=2_000)
    body = json.loads(codec.encode_request(request, WIDEST).body)
    inner, name = told.at_limit(body)
    inner[name] = wrong
    with pytest.raises(Malformed) as refused:
        codec.decode_request(json.dumps(body).encode(), PathWords(model="m-1"))
    assert refused.value.fault.status == 400
    assert name in (refused.value.fault.param or "")


@each_codec
def test_a_damaged_request_is_read_or_malformed(codec: Codec) -> None:
    seeds = tuple(
        codec.encode_request(
            ChatRequest(
                model="m-1",
                messages=(Message(role=role, parts=(part,)),),
                tools=(make.Tool(name="f", parameters=make.SCHEMA),),
                max_tokens=2_000,
            ),
            WIDEST,
        ).body
        for role, part in (marked(MARK, told.origin_of(codec.id)) for marked in make.MARKED.values())
    )
    words = (b"null", b"{}", b"[]", b'""', b"1e999", b"-1", b"true", b'"type":', b"\xff", b"\\ud800", b",", b'"x":1,')

    @settings(law, max_examples=4 * EXAMPLES)
    @given(body=damaged(seeds[:1], words) | st.sampled_from(seeds).flatmap(lambda seed: damaged((seed,), words)))
    def holds(body: bytes) -> None:
        with suppress(Malformed):
            codec.decode_request(body, PathWords(model="m-1"))

    holds()


@each_codec
def test_a_damaged_answer_is_read_or_garbled(codec: Codec) -> None:
    parts = (Text(text="hi"), ToolCall(id="call_1", name="f", arguments='{"a":1}'))
    choice = Choice(parts=parts, reason=StopReason.TOOL_CALLS)
    response = ChatResponse(id="r1", model="m-1", choices=(choice,), usage={})
    whole = codec.encode_response(response, envelope())
    stream = written(codec, [*disassemble(response)])
    words = (
        b"null",
        b"{}",
        b"[]",
        b'""',
        b"1e999",
        b"-1",
        b"data: ",
        b"event: error\n",
        b"\n\n",
        b"\r",
        b"\xff",
        b'"index":9',
    )

    @settings(law, max_examples=4 * EXAMPLES)
    @given(body=damaged((whole,), words), events=damaged((stream,), words), cuts=places())
    def holds(body: bytes, events: bytes, cuts: list[int]) -> None:
        with suppress(Garbled):
            codec.decode_response(body)
        try:
            found = heard(codec, cut(events, cuts))
        except Garbled:
            return
        ended = any(isinstance(event, StreamEnd | StreamError) for event in found)
        assert [fault for fault in check(found) if ended or "no end" not in fault] == []

    holds()


@each_codec
def test_an_event_longer_than_the_limit_is_garbled(codec: Codec) -> None:
    decoder = codec.stream_decoder(1_000)
    decoder.feed(told.OPENINGS.get(codec.id, b"data: ") + b"x" * 900)
    with pytest.raises(Garbled):
        decoder.feed(b"x" * 900)
