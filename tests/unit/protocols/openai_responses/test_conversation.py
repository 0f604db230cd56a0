"""Conversations that the gateway keeps: what goes up, what is kept, and the response that a stream told."""

import json
from typing import Any

import pytest
from msgspec import Raw

from tests.unit.protocols.openai_responses.recordings import (
    CREATED,
    FULL,
    MESSAGE,
    OUTPUT,
    REASONING,
    USAGE,
    Event,
    completed,
    done,
    raw,
    response,
    wire,
)
from yescale.domain.faults import Fault
from yescale.protocols.openai_responses.conversation import (
    Continuation,
    Recording,
    continuation,
    expand,
    items_to_keep,
)

HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
EARLIER = [raw(HI), raw(MESSAGE)]


def up(earlier: list[Raw], **fields: Any) -> dict[str, Any]:
    return json.loads(expand(json.dumps({"model": "m"} | fields).encode(), earlier))


def listed(items: list[Raw] | None) -> list[Any]:
    assert items is not None
    return [json.loads(bytes(item)) for item in items]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Continuation("", True)),
        ({"store": None}, Continuation("", True)),
        ({"store": False, "previous_response_id": "resp_1"}, Continuation("resp_1", False)),
        ({"previous_response_id": None}, Continuation("", True)),
    ],
)
def test_what_a_request_says_of_keeping(fields: dict[str, Any], expected: Continuation) -> None:
    assert continuation(json.dumps({"model": "m", "input": "x"} | fields).encode()) == expected


@pytest.mark.parametrize(
    "fields", [{"store": "no"}, {"previous_response_id": 5}, {"include": "x"}, {"conversation": "conv_1"}]
)
def test_what_it_says_wrongly_is_named(fields: dict[str, Any]) -> None:
    fault = continuation(json.dumps({"model": "m"} | fields).encode())
    assert isinstance(fault, Fault)
    assert fault.param in fields


def test_earlier_items_come_before_the_new_input() -> None:
    body = up(EARLIER, input="and?", previous_response_id="resp_1", temperature=0.0)
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and?"}]}
    assert body == {"model": "m", "input": [HI, MESSAGE, said], "temperature": 0.0, "store": False}


def test_a_first_turn_goes_up_as_it_is_but_is_not_stored_there() -> None:
    """promise 30"""
    assert up([], input="hi") == {"model": "m", "input": "hi", "store": False}
    assert up([], input=[HI], store=True) == {"model": "m", "input": [HI], "store": False}


def test_a_turn_without_input_of_its_own_has_the_earlier_one() -> None:
    assert up(EARLIER, previous_response_id="resp_1")["input"] == [HI, MESSAGE]


@pytest.mark.parametrize(
    ("fields", "earlier", "asked"),
    [
        ({}, [], None),
        ({"reasoning": {"effort": "low"}}, [], ["reasoning.encrypted_content"]),
        ({"reasoning": {"effort": "low"}, "store": False}, [], None),
        ({}, [REASONING], ["reasoning.encrypted_content"]),
        ({"include": ["x"], "reasoning": {}}, [], ["x", "reasoning.encrypted_content"]),
        ({"include": ["reasoning.encrypted_content"]}, [], ["reasoning.encrypted_content"]),
        ({"include": ["reasoning.encrypted_content"], "reasoning": {}}, [], ["reasoning.encrypted_content"]),
    ],
)
def test_sealed_reasoning_is_asked_for_where_the_next_turn_needs_it(
    fields: dict[str, Any], earlier: list[Event], asked: list[str] | None
) -> None:
    """promise 30"""
    assert up([raw(item) for item in earlier], input="x", **fields).get("include") == asked


def test_reasoning_without_its_seal_is_left_out_and_still_shows_a_model_that_reasons() -> None:
    bare = {name: value for name, value in REASONING.items() if name != "encrypted_content"}
    body = up([raw(bare), raw(MESSAGE), raw(REASONING)], input=[])
    assert body["input"] == [MESSAGE, REASONING]
    assert body["include"] == ["reasoning.encrypted_content"]


def test_a_reference_to_an_item_that_stands_before_it_is_left_out() -> None:
    unknown = {"type": "item_reference", "id": "msg_other"}
    body = up(EARLIER, input=[{"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}, unknown, HI])
    assert body["input"] == [HI, MESSAGE, unknown, HI]


def test_a_reference_that_was_kept_stands_for_what_stands_before_it_too() -> None:
    unknown = {"type": "item_reference", "id": "msg_other"}
    earlier = [*EARLIER, raw({"type": "item_reference", "id": "msg_1"}), raw(unknown)]
    assert up(earlier, input=[unknown])["input"] == [HI, MESSAGE, unknown, unknown]


def test_values_go_up_byte_for_byte() -> None:
    out = expand(b'{"model":"m", "input":[ {"role":"user","content":"\\u00e9"} ],"x": 1e400}', [Raw(b'{"a" : 1e2}')])
    assert out == b'{"model":"m","input":[{"a" : 1e2},{"role":"user","content":"\\u00e9"}],"x":1e400,"store":false}'


def test_the_items_of_a_turn_are_its_input_and_its_output() -> None:
    answer = json.dumps(response("completed", OUTPUT)).encode()
    asked = {"role": "user", "content": "hi", "id": "msg_0"}
    assert listed(items_to_keep(json.dumps({"input": [asked]}).encode(), answer)) == [asked, *OUTPUT]
    assert listed(items_to_keep(b'{"input":"hi"}', answer)) == [HI, *OUTPUT]
    assert listed(items_to_keep(b"{}", answer)) == OUTPUT


def test_a_turn_of_too_many_bytes_is_not_kept() -> None:
    answer = json.dumps(response("completed", OUTPUT)).encode()
    size = sum(len(json.dumps(item)) for item in OUTPUT)
    assert items_to_keep(b"{}", answer, size) is not None
    assert items_to_keep(b"{}", answer, size - 1) is None


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"output":5}', b"[" * 5_000])
def test_what_is_no_answer_is_not_kept(answer: bytes) -> None:
    assert items_to_keep(b'{"input":"hi"}', answer) is None


def record(data: bytes, cut: int = 0, most: int = 1_000_000) -> bytes | None:
    recording = Recording(1_000_000, most)
    recording.feed(data[:cut])
    recording.feed(data[cut:])
    return recording.response()


def test_a_stream_tells_its_response_wherever_it_is_cut() -> None:
    data = wire(FULL)
    for cut in range(0, len(data), 11):
        found = record(data, cut)
        assert found is not None
        assert json.loads(found) == response("completed", OUTPUT, usage=USAGE)


def test_items_that_the_last_event_does_not_repeat_are_put_in() -> None:
    found = record(wire([CREATED, done(0, REASONING), done(1, MESSAGE), completed([])]))
    assert found is not None
    assert json.loads(found)["output"] == [REASONING, MESSAGE]


def test_an_incomplete_response_is_kept_and_a_broken_or_failed_one_is_not() -> None:
    end: Event = {"type": "response.incomplete", "response": response("incomplete", [MESSAGE])}
    found = record(wire([CREATED, end]))
    assert found is not None
    assert json.loads(found)["status"] == "incomplete"
    assert record(wire(FULL[:-1])) is None
    assert record(wire([CREATED, {"type": "response.failed", "response": response("failed")}])) is None


def test_a_stream_of_too_many_bytes_is_not_kept() -> None:
    assert record(wire(FULL), most=100) is None
