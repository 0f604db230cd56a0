"""What the client sees of keeping: two fields of a response, in whichever event, and nothing else."""

import json
from typing import Any

import pytest

from tests.unit.protocols.openai_responses.recordings import FULL, response, wire
from yescale.protocols import sse
from yescale.protocols.openai_responses.showing import Shown, show_events, show_response

ASKED = Shown("resp_before", stored=True)


def told(block: bytes) -> list[dict[str, Any]]:
    return [json.loads(sse.data_of(event)[1]) for event in sse.split(block)]


def test_a_response_says_what_the_client_asked() -> None:
    answer = b'{"id":"resp_1", "store":false,"x":1.10,"previous_response_id":null}'
    assert show_response(answer, ASKED) == (
        b'{"id":"resp_1","store":true,"x":1.10,"previous_response_id":"resp_before"}'
    )
    assert json.loads(show_response(answer, Shown("", stored=False)))["previous_response_id"] is None


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b'{"a":'])
def test_what_is_no_response_is_left_alone(data: bytes) -> None:
    assert show_response(data, ASKED) == data


def test_each_event_with_a_response_says_it_and_every_other_keeps_its_bytes() -> None:
    block = wire(FULL)
    shown = show_events(block, ASKED)
    for before, after in zip(sse.split(block), sse.split(shown), strict=True):
        (was,), (now,) = told(before), told(after)
        if "response" in was:
            was["response"] |= {"store": True, "previous_response_id": "resp_before"}
            assert now == was
        else:
            assert after == before


def test_an_event_on_several_lines_and_with_line_ends_inside_stays_one_event() -> None:
    inner = json.dumps(response("completed"), indent=1)
    lines = ['{"type":"response.completed",', '"response":', *inner.split("\n"), "}"]
    event = b"event: response.completed\n" + b"".join(b"data: %b\n" % line.encode() for line in lines) + b"\n"
    shown = show_events(event, ASKED)
    (now,) = told(shown)
    assert now["response"]["previous_response_id"] == "resp_before"
    assert shown.endswith(b"\n\n")
    assert sse.data_of(shown)[0] == b"response.completed"


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"type":"response.completed"}\n\n',
        b"data: response.completed\n\n",
        b'data: {"type":"response.output_text.delta","delta":"response.completed"}\n\n',
        b": response.failed\n\n",
    ],
)
def test_an_event_without_a_response_keeps_every_byte(event: bytes) -> None:
    assert show_events(event, ASKED) == event
