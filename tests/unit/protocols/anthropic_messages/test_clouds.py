"""Anthropic's messages in the envelopes of clouds."""

import base64
import json
from typing import Any

import pytest

from tests.unit.protocols.anthropic_messages import said
from tests.unit.protocols.test_eventstream import event
from yescale.domain.chat import ChatRequest
from yescale.domain.event_grammar import check
from yescale.domain.events import Event, StreamEnd, StreamError
from yescale.protocols.anthropic_messages import CODEC
from yescale.protocols.anthropic_messages.clouds import BEDROCK, VERTEX
from yescale.protocols.codec import Garbled

STREAM = [said.opened(), *said.THINKING, *said.REDACTED, *said.closed()]


def framed(*events: dict[str, Any]) -> bytes:
    chunks = ({"bytes": base64.b64encode(json.dumps(one).encode()).decode(), "p": "ab"} for one in events)
    return b"".join(event("chunk", json.dumps(chunk).encode()) for chunk in chunks)


def heard(*pieces: bytes) -> list[Event]:
    decoder = BEDROCK.codec.stream_decoder(100_000)
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.finish()]


def asked(**more: Any) -> ChatRequest:
    return said.decode(said.body(**more))


@pytest.mark.parametrize(
    ("codec", "version", "left_out"),
    [
        (BEDROCK.codec, "bedrock-2023-05-31", {"model", "stream"}),
        (VERTEX.codec, "vertex-2023-10-16", {"model"}),
    ],
)
def test_a_request_is_anthropic_s_with_a_version_and_without_what_the_path_says(
    codec: Any, version: str, left_out: set[str]
) -> None:
    request = asked(stream=True, temperature=0.5, future_field={"a": 1.10})
    plain = json.loads(CODEC.encode_request(request, said.PLAIN).body)
    wire = json.loads(codec.encode_request(request, said.PLAIN).body)
    assert wire == {"anthropic_version": version} | {n: v for n, v in plain.items() if n not in left_out}
    assert wire["future_field"] == {"a": 1.1}


@pytest.mark.parametrize("codec", [BEDROCK.codec, VERTEX.codec])
def test_what_is_the_envelope_s_own_is_not_the_client_s_to_say(codec: Any) -> None:
    """Promise 29: a beta that a provider does not know must not reach it through the body."""
    request = asked(anthropic_beta=["nothing-2020-01-01"], anthropic_version="2020-01-01")
    encoded = codec.encode_request(request, said.PLAIN)
    assert b"2020-01-01" not in encoded.body
    assert [loss.what for loss in encoded.losses] == ["extras.anthropic_version", "extras.anthropic_beta"]


def test_frames_tell_the_same_events_as_anthropic_s_stream() -> None:
    direct = CODEC.stream_decoder(100_000)
    wanted = [*direct.feed(said.sse(*STREAM)), *direct.finish()]
    stream = framed(*STREAM)
    assert heard(stream) == wanted
    assert check(wanted) == []
    for at in range(0, len(stream), 5):
        assert heard(stream[:at], stream[at:]) == wanted


def test_the_cost_that_bedrock_adds_to_the_end_disturbs_nothing() -> None:
    *before, end = STREAM
    assert isinstance(
        heard(framed(*before, end | {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}}))[-1], StreamEnd
    )


def test_an_exception_is_an_error() -> None:
    failed = event("modelStreamErrorException", b'{"message":"it failed","originalStatusCode":500}', "exception")
    for before in (b"", framed(*STREAM[:4])):
        events = heard(before + failed)
        last = events[-1]
        assert isinstance(last, StreamError)
        assert (last.message, last.type) == ("it failed", "modelStreamErrorException")
        assert check(events) == []


def test_other_frames_are_passed_over() -> None:
    assert heard(event("initial-response", b"{}")) == []


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"bytes":"!"}', b'{"bytes":"e30"}', b'{"bytes":"WzFd"}'])
def test_a_frame_that_holds_no_event_is_garbled(payload: bytes) -> None:
    with pytest.raises(Garbled):
        heard(event("chunk", payload))


def test_a_stream_that_was_cut_has_no_end() -> None:
    """Promise 28."""
    stream = framed(*STREAM)
    assert not any(isinstance(event, StreamEnd) for event in heard(stream[:-5]))
