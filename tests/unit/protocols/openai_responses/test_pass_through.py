"""The pass-through side: what is read of a request, what is changed, what is heard of an answer."""

import json
from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.unit.protocols.openai_responses.recordings import (
    CREATED,
    FULL,
    MESSAGE,
    OUTPUT,
    USAGE,
    Event,
    response,
    wire,
)
from yescale.domain.faults import INSUFFICIENT_BALANCE, UPSTREAM_CUT, Fault
from yescale.domain.usage import Meter
from yescale.protocols.codec import NO_WORDS
from yescale.protocols.openai_responses import RESPONSES
from yescale.protocols.passthrough import Change, Peek, Tap, UpstreamError
from yescale.protocols.sse import TooLong

METERS = {
    Meter.INPUT_TOKENS: 15,
    Meter.CACHE_READ_TOKENS: 10,
    Meter.CACHE_WRITE_TOKENS: 5,
    Meter.OUTPUT_TOKENS: 12,
    Meter.REASONING_TOKENS: 8,
}
WHOLE = 2**40


def read(**fields: Any) -> Peek | Fault:
    return RESPONSES.peek(json.dumps({"model": "m"} | fields).encode(), NO_WORDS)


def peek(**fields: Any) -> Peek:
    found = read(**fields)
    assert isinstance(found, Peek), found
    return found


def test_a_request_is_peeked_at() -> None:
    found = peek(input="hi", stream=True, max_output_tokens=7)
    assert (found.model, found.stream, found.declared, found.n, found.wants_usage) == ("m", True, 7, 1, True)
    assert peek(input="hi").declared is None


@pytest.mark.parametrize(
    "fields",
    [
        {"input": "hi"},
        {"input": [{"role": "user", "content": "hi"}]},
        {"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": {"properties": {"file_id": {}}}}]},
        {"input": "hi", "tools": [{"type": "custom", "name": "previous_response_id"}]},
        {"input": "hi", "previous_response_id": None, "conversation": None},
        {"input": [{"role": "user", "content": 'look: "file_id": "x", {"type":"item_reference"}'}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": None, "image_url": "https://a"}]}]},
    ],
)
def test_a_prompt_that_lies_in_the_body_is_bounded_by_its_bytes(fields: dict[str, Any]) -> None:
    assert peek(**fields).prompt_tokens < 5_000


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}},
        {"input": [{"type": "item_reference", "id": "x"}]},
        {"input": [{"id": "x"}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://a"}]}]},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "file_search"}]},
        {"tools": [{"type": "mcp"}]},
        {"tools": [{"type": "something_new"}]},
    ],
)
def test_a_prompt_with_text_that_we_do_not_see_may_fill_the_context(fields: dict[str, Any]) -> None:
    assert peek(**({"input": "hi"} | fields)).prompt_tokens == WHOLE


def test_pictures_and_sound_count_by_table_and_not_by_their_bytes() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 400_000}
    assert 3_000 < peek(input=[{"role": "user", "content": [picture]}]).prompt_tokens < 5_000
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 400_000, "format": "wav"}}
    assert 4_000 < peek(input=[{"role": "user", "content": [sound]}]).prompt_tokens < 6_000


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b'{"input":"x"}', "model"),
        (b'{"model":"","input":"x"}', "model"),
        (b'{"model":"m","input":5}', "input"),
        (b'{"model":"m","input":["x"]}', "input[0]"),
        (b'{"model":"m","input":"x","max_output_tokens":0}', "max_output_tokens"),
        (b'{"model":"m","input":"x","stream":"yes"}', "stream"),
        (b'{"model":"m","input":"x","background":true}', "background"),
        (b'{"model":"m","model":"n","input":"x"}', "model"),
        (b'{"max_output_tokens":1,"model":"m","input":"x","max_output_tokens":2}', "max_output_tokens"),
        (b'{"tools":[],"model":"m","input":"x","tools":[{"type":"web_search"}]}', "tools"),
        (b'{"previous_response_id":"a","previous_response_id":null,"model":"m","input":"x"}', "previous_response_id"),
    ],
)
def test_what_could_be_read_in_two_ways_or_not_at_all_is_refused(body: bytes, param: str | None) -> None:
    fault = RESPONSES.peek(body, NO_WORDS)
    assert isinstance(fault, Fault)
    assert fault.param == param


@pytest.mark.parametrize(
    ("body", "change", "expected"),
    [
        (b'{"model":"m","input":"x"}', Change(model="m"), b'{"model":"m","input":"x"}'),
        (b'{ "model" : "m","input":"x"}', Change(model="up"), b'{ "model" : "up","input":"x"}'),
        (
            b'{"input":[{"role":"user","content":"\\"model\\": 1"}],"model":"m"}',
            Change(model="up"),
            b'{"input":[{"role":"user","content":"\\"model\\": 1"}],"model":"up"}',
        ),
        (
            b'{"model":"m","input":"x","stream":true}',
            Change(model="m", limit=9, limit_field="max_completion_tokens"),
            b'{"max_output_tokens":9,"model":"m","input":"x","stream":true}',
        ),
        (
            b'{"model":"m","input":"x","max_output_tokens":null}',
            Change(model="m", limit=9),
            b'{"model":"m","input":"x","max_output_tokens":9}',
        ),
    ],
)
def test_a_rewrite_changes_the_model_and_the_limit_alone(body: bytes, change: Change, expected: bytes) -> None:
    """promise 30"""
    found = RESPONSES.peek(body, NO_WORDS)
    assert isinstance(found, Peek)
    assert RESPONSES.rewrite(body, found, change) == expected


def hear(data: bytes, cut: int | None = None) -> tuple[bytes, Tap]:
    tap = RESPONSES.tap(True, 1_000_000)
    pieces = [data] if cut is None else [data[:cut], data[cut:]]
    out = b"".join(map(tap.feed, pieces))
    return out + tap.finish(), tap


def test_every_cut_lets_the_same_bytes_pass_and_hears_the_same() -> None:
    data = wire(FULL)
    for cut in range(0, len(data), 3):
        out, tap = hear(data, cut)
        assert out == data
        assert tap.usage == METERS | {Meter.WEB_SEARCHES: 1}  # `OUTPUT` has one
        assert (tap.done, tap.finished, tap.error) == (True, True, None)
        assert tap.text_bytes == hear(data)[1].text_bytes


def test_text_is_measured_by_its_deltas() -> None:
    texts = ["Fir", "st.", "Then.", "Hello, ", "w\\u00f6rld", "But no.", '{\\"a\\": ', '\\"\\u00fc\\"}', "*** Begin"]
    assert hear(wire(FULL))[1].text_bytes == sum(len(text.replace("\\\\", "\\")) for text in texts)


@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_usage_is_heard_from_any_end(status: str) -> None:
    """promise 7"""
    end: Event = {"type": f"response.{status}", "response": response(status, [MESSAGE], usage=USAGE)}
    out, tap = hear(wire([CREATED, end]))
    assert out == wire([CREATED, end])
    assert (tap.usage, tap.done) == (METERS, True)


def test_a_failed_response_is_an_error_that_is_withheld_and_its_usage_is_heard() -> None:
    """promise 7"""
    failed = response("failed", usage=USAGE, error={"code": "server_error", "message": "Broke."})
    out, tap = hear(wire([CREATED, {"type": "response.failed", "response": failed}]))
    assert out == wire([CREATED])
    assert tap.error == UpstreamError(message="Broke.", code="server_error")
    assert (tap.usage, tap.done) == (METERS, False)


@pytest.mark.parametrize(
    "event",
    [
        b'event: error\ndata: {"type":"error","code":"x","message":"Broke.","param":null}\n\n',
        b'data: {"type":"error","error":{"code":"x","message":"Broke."}}\n\n',
        b'data: {"error":{"code":"x","message":"Broke."}}\n\n',
    ],
)
def test_an_error_event_is_withheld_with_what_follows(event: bytes) -> None:
    out, tap = hear(wire([CREATED]) + event + wire(FULL))
    assert out == wire([CREATED])
    assert tap.error == UpstreamError(message="Broke.", code="x")


def test_a_stream_that_breaks_off_is_not_done() -> None:
    """promise 28"""
    data = wire(FULL)
    out, tap = hear(data[: data.rindex(b"event: response.completed")] + b"event: response.compl")
    assert not tap.done
    assert out == data[: data.rindex(b"event: response.completed")]


def test_the_last_event_counts_without_its_blank_line() -> None:
    out, tap = hear(wire(FULL).rstrip(b"\n"))
    assert tap.done
    assert out == wire(FULL)


def test_words_of_a_text_that_quote_an_end_do_not_end_the_stream() -> None:
    delta: Event = {"type": "response.output_text.delta", "delta": 'event: error "error" response.completed'}
    data = wire([CREATED, delta])
    out, tap = hear(data)
    assert out == data
    assert (tap.done, tap.error) == (False, None)


def test_an_event_that_never_ends_is_too_long() -> None:
    tap = RESPONSES.tap(True, 100)
    with pytest.raises(TooLong):
        tap.feed(b"x" * 200)


def test_a_whole_answer_is_measured() -> None:
    body = json.dumps(response("completed", OUTPUT, usage=USAGE)).encode()
    found = RESPONSES.read_answer(body)
    assert found is not None
    assert found.usage == METERS | {Meter.WEB_SEARCHES: 1}  # `OUTPUT` has one
    assert found.text_bytes(body) > len("First.Then.Hello, But no.*** Begin")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"output":{}}', b'{"output":null}', b"[" * 5_000, b"\xff"])
def test_what_is_no_answer_is_none(body: bytes) -> None:
    assert RESPONSES.read_answer(body) is None


@pytest.mark.parametrize(
    ("usage", "meters"),
    [
        (None, None),
        ({}, None),
        ({"input_tokens": 0, "output_tokens": 0}, {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}),
        ({"input_tokens": -5, "output_tokens": 1}, None),
        ({"input_tokens": "many"}, None),
        (
            {"input_tokens": 3, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 9}},
            {Meter.INPUT_TOKENS: 0, Meter.CACHE_READ_TOKENS: 3, Meter.OUTPUT_TOKENS: 1},
        ),
    ],
)
def test_usage_that_cannot_be_is_none_and_zero_is_zero(usage: object, meters: object) -> None:
    """promise 11"""
    found = RESPONSES.read_answer(json.dumps({"output": [], "usage": usage}).encode())
    assert found is not None
    assert found.usage == meters


def test_an_error_body_has_openais_form_and_names_the_request() -> None:
    body = json.loads(RESPONSES.render(INSUFFICIENT_BALANCE.saying("Top up.", balance=3), "r1"))
    assert body == {
        "error": {
            "message": "Top up. (request id: r1)",
            "type": "insufficient_quota",
            "param": None,
            "code": "insufficient_balance",
            "balance": 3,
        }
    }


def test_an_error_in_a_stream_is_heard_by_sdks_and_by_codex() -> None:
    """promise 28"""
    block = RESPONSES.render_event(UPSTREAM_CUT, "r1").decode()
    error, failed = (json.loads(event.split("data: ")[1]) for event in block.removesuffix("\n\n").split("\n\n"))
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    adapter.validate_python(error)
    adapter.validate_python(failed)
    assert block.startswith("event: error\n")
    assert error["error"]["code"] == "upstream_cut"  # SDKs raise on this field, wherever it stands
    assert failed["response"]["error"]["code"] == "server_error"
    assert "request id: r1" in failed["response"]["error"]["message"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"error":{"message":"m","type":"t","code":"c","param":"p"}}',
            UpstreamError(message="m", type="t", code="c", param="p"),
        ),
        (b'{"error":{"message":null,"code":429}}', UpstreamError(code="429")),
        (b'{"error":"plain"}', UpstreamError(message="plain")),
        (b'{"detail":"not here"}', UpstreamError(message="not here")),
        (b"<html>", UpstreamError()),
        (b"[]", UpstreamError()),
        (b'{"error":true}', UpstreamError()),
    ],
)
def test_an_upstreams_error_is_read_whatever_it_is(body: bytes, expected: UpstreamError) -> None:
    assert RESPONSES.read_error(body) == expected
