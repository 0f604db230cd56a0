"""Calls that pass unchanged: what is read of a request, the bytes that may differ, and what the tap hears."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocols.anthropic_messages.said import (
    ANSWERED,
    CALLED,
    RICH,
    THINKING,
    asking,
    body,
    closed,
    dump,
    opened,
    sse,
)
from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.usage import Meter
from yescale.protocols.anthropic_messages import COUNT_TOKENS, MESSAGES
from yescale.protocols.anthropic_messages.estimate import estimate_tokens
from yescale.protocols.anthropic_messages.prompt import WHOLE_CONTEXT
from yescale.protocols.anthropic_messages.tap import MessageTap
from yescale.protocols.codec import NO_WORDS
from yescale.protocols.passthrough import Change, Peek, UpstreamError
from yescale.protocols.sse import TooLong


def look(request: bytes, *, count: bool = False) -> Peek:
    found = (COUNT_TOKENS if count else MESSAGES).peek(request, NO_WORDS)
    assert isinstance(found, Peek), found
    return found


def refused(request: bytes) -> Fault:
    found = MESSAGES.peek(request, NO_WORDS)
    assert isinstance(found, Fault)
    return found


def test_a_request_is_peeked_at() -> None:
    found = look(body(stream=True))
    assert (found.model, found.stream, found.declared, found.n, found.outputs) == ("claude", True, 100, 1, True)
    assert look(dump({"model": "m", "messages": [{}]})).declared is None
    assert look(body(max_tokens=0)).declared == 0
    counted = look(body(stream=True), count=True)
    assert (counted.outputs, counted.stream) == (False, False)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (b"{}", "model"),
        (b'{"model":"m"}', "messages"),
        (body(model=""), "model"),
        (body(messages={}), "messages"),
        (body(messages=[]), "messages"),
        (b'{"model":"m","messages":[ ]}', "messages"),
        (body(max_tokens=-1), "max_tokens"),
        (body(max_tokens=2**31), "max_tokens"),
        (body(max_tokens="9"), "max_tokens"),
        (body(stream="yes"), "stream"),
        (body(tools={}), "tools"),
        (body(tools=[{"type": 5}]), "tools[0].type"),
        (b'{"model":"a","model":"b","messages":[{}]}', "model"),
        (b'{"model":"a","messages":[{}],"max_tokens":1,"max_\\u0074okens":9}', "max_tokens"),
        (b"{", None),
    ],
)
def test_a_bad_request_is_refused_with_the_field_named(bad: bytes, field: str | None) -> None:
    fault = refused(bad)
    assert (fault.status, fault.param) == (400, field)


def test_only_the_model_and_a_missing_limit_change() -> None:
    """promise 30"""
    odd = b'{ "messages" : [{"role":"user","content":"\\"model\\": 2.0e3"}], "x": 1e400,'
    odd += b' "model":"claude" ,"max_tokens": 5}'
    found = look(odd)
    assert MESSAGES.rewrite(odd, found, Change(model="claude")) == odd
    assert MESSAGES.rewrite(odd, found, Change(model='o"ther')) == odd.replace(b'"claude"', b'"o\\"ther"')
    assert MESSAGES.rewrite(odd, found, Change(model="claude", limit=9)) == odd


@pytest.mark.parametrize(("limit", "said"), [(77, 77), (None, 4096)])
def test_a_limit_is_always_said_to_anthropic(limit: int | None, said: int) -> None:
    change = Change(model="claude", limit=limit, limit_field="max_completion_tokens")
    absent = b'{"model":"claude","messages":[{}]}'
    assert MESSAGES.rewrite(absent, look(absent), change) == b'{"max_tokens":%d,' % said + absent[1:]
    null = b'{"model":"claude","messages":[{}],"max_tokens":null}'
    assert MESSAGES.rewrite(null, look(null), change) == null.replace(b"null", b"%d" % said)
    assert COUNT_TOKENS.rewrite(absent, look(absent, count=True), change) == absent


PICTURE: dict[str, Any] = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "A" * 400_000},
}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}


def test_the_prompt_is_bound_by_half_its_bytes_and_pictures_by_a_table() -> None:
    text = asking({"type": "text", "text": "x" * 10_000})
    assert look(text).prompt_tokens == len(text) // 2 + 1
    seen = look(asking(PICTURE)).prompt_tokens
    assert 3_000 < seen < 4_000
    within = look(asking({"type": "tool_result", "tool_use_id": "t", "content": [PICTURE, PICTURE]})).prompt_tokens
    assert 6_000 < within < 7_000
    with_tools = look(body(tools=[{"name": "f", "input_schema": {}}])).prompt_tokens
    assert with_tools >= 1_000


@pytest.mark.parametrize(
    "request_",
    [
        asking(DOCUMENT),
        asking({"type": "image", "source": {"type": "file", "file_id": "f"}}),
        asking({"type": "container_upload", "file_id": "f"}),
        body(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        body(tools=[{"type": "web_fetch_20260318", "name": "web_fetch"}]),
        body(tools=[{"type": "code_execution_20250825", "name": "code_execution"}]),
        body(tools=[{"type": "mcp_toolset", "mcp_server_name": "m"}]),
        asking({"type": "tool_result", "tool_use_id": "t", "content": [DOCUMENT]}),
        body(mcp_servers=[]),
        body(container="c"),
    ],
)
def test_unseen_text_may_fill_the_whole_context(request_: bytes) -> None:
    assert look(request_).prompt_tokens == WHOLE_CONTEXT


def test_a_word_that_is_spelt_to_hide_is_found() -> None:
    for word, request in (
        (b"document", asking(DOCUMENT)),
        (b"web_search_20250305", body(tools=[{"type": "web_search_20250305", "name": "web_search"}])),
    ):
        hidden = request.replace(b'"%b"' % word, b'"%b"' % word.replace(b"e", b"\\u0065"))
        assert hidden != request
        assert look(hidden).prompt_tokens == WHOLE_CONTEXT


def test_text_cannot_pass_for_a_picture_or_a_document() -> None:
    quoted = asking(
        {"type": "text", "text": json.dumps([PICTURE, DOCUMENT])},
        {"type": "image", "source": {"type": "url", "url": "u"}},
    )
    assert 200_000 <= look(quoted).prompt_tokens < WHOLE_CONTEXT
    hidden = asking({"type": "tool_use", "id": "t", "name": "n", "input": PICTURE}, PICTURE)
    assert look(hidden).prompt_tokens > 200_000
    beside = asking({"type": "image", "source": PICTURE["source"] | {"type": "url", "url": "u"}}, PICTURE)
    assert look(beside).prompt_tokens > 200_000
    odd = asking({"type": "image", "source": 5}, PICTURE)
    assert look(odd).prompt_tokens == WHOLE_CONTEXT, "what is not read is taken for the worst"


def hear(pieces: list[bytes]) -> tuple[bytes, MessageTap]:
    tap = MessageTap(True, 1_000_000)
    out = b"".join(map(tap.feed, pieces))
    return out + tap.finish(), tap


@pytest.mark.parametrize(("ends", "step"), [("\n", 1), ("\r\n", 3), ("\r", 3)])
def test_a_cut_anywhere_changes_nothing_for_the_tap(ends: str, step: int) -> None:
    stream = RICH.replace(b"\n", ends.encode())
    usage = {
        Meter.INPUT_TOKENS: 25,
        Meter.CACHE_READ_TOKENS: 3,
        Meter.CACHE_WRITE_TOKENS: 7,
        Meter.OUTPUT_TOKENS: 10,
        Meter.REASONING_TOKENS: 5,
        Meter.WEB_SEARCHES: 1,
    }
    for cut in range(0, len(stream), step):
        out, tap = hear([stream[:cut], stream[cut:]])
        assert out == stream or (ends == "\r\n" and out.replace(b"\r\n", b"\n") == RICH)
        assert (tap.done, tap.finished, tap.error, tap.usage) == (True, True, None, usage)
    out, tap = hear([stream[i : i + 1] for i in range(len(stream))])
    assert out == stream
    assert tap.text_bytes == hear([RICH])[1].text_bytes > 60


def test_the_tap_knows_the_prompt_from_the_start_and_that_the_output_grows() -> None:
    """promise 10"""
    tap = MessageTap(True, 1_000)
    tap.feed(sse(opened(cache_read_input_tokens=3)))
    assert tap.usage == {Meter.INPUT_TOKENS: 25, Meter.CACHE_READ_TOKENS: 3, Meter.OUTPUT_TOKENS: 1}
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 400}}
    tap.feed(sse(text))
    assert tap.usage == {Meter.INPUT_TOKENS: 25, Meter.CACHE_READ_TOKENS: 3, Meter.OUTPUT_TOKENS: 1}
    assert (tap.partial, tap.text_bytes) == (True, 400)
    tap.feed(sse(*closed("max_tokens", output_tokens=0)))
    assert tap.usage == {Meter.INPUT_TOKENS: 25, Meter.CACHE_READ_TOKENS: 3, Meter.OUTPUT_TOKENS: 0}
    assert (tap.partial, tap.finish()) == (False, b"")


def test_an_error_event_and_what_follows_are_withheld() -> None:
    """promise 28"""
    before = sse(opened(), *THINKING)
    error = sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    out, tap = hear([before + error + RICH])
    assert out == before
    assert tap.error == UpstreamError(message="Overloaded", type="overloaded_error")
    assert not tap.done
    unnamed, other = hear([before, b'data: {"error":"no"}\n\n'])
    assert (unnamed, other.error) == (before, UpstreamError(message="no"))


def test_a_stream_without_its_end_has_none() -> None:
    """promise 28"""
    cut = sse(opened(), *ANSWERED)
    out, tap = hear([cut, b"event: content_block_del"])
    assert (out, tap.done, tap.finished) == (cut, False, False)
    out, tap = hear([sse(opened(), closed()[0])])
    assert out.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert tap.done
    out, tap = hear([RICH[:-2]])
    assert out == RICH


def test_an_event_that_never_ends_is_too_long() -> None:
    with pytest.raises(TooLong):
        MessageTap(True, 100).feed(b"data: " + b"x" * 200)


@given(st.binary(max_size=200))
def test_the_tap_raises_at_nothing(noise: bytes) -> None:
    for stream in (noise, RICH[:300] + noise + RICH[300:]):
        out, tap = hear([stream])
        assert tap.text_bytes >= 0
        assert len(out) <= len(stream) + 60


def test_arguments_and_thoughts_count_as_text() -> None:
    counted = {name: hear([sse(*events)])[1].text_bytes for name, events in {"t": THINKING, "c": CALLED}.items()}
    assert counted == {"t": len("Let me see."), "c": len('{\\"z\\":1.10}')}


def test_a_text_that_ends_in_a_backslash_counts() -> None:
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "C:\\"}}
    assert hear([sse(text)])[1].text_bytes == len("C:\\\\")


def test_every_event_of_a_block_counts() -> None:
    unnamed = b"".join(b"data: %b\n\n" % dump(event) for event in THINKING)
    assert hear([unnamed])[1].text_bytes == len("Let me see.")


def test_an_answer_is_read_for_settlement() -> None:
    said: dict[str, Any] = {
        "content": [{"type": "text", "text": "hello"}, {"type": "tool_use", "input": {"a": 1}}],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
    found = MESSAGES.read_answer(dump(said))
    assert found is not None
    assert found.usage == {Meter.INPUT_TOKENS: 1, Meter.OUTPUT_TOKENS: 2}
    assert found.text_bytes(dump(said)) == len('hello{"a":1}')
    unreported = MESSAGES.read_answer(b'{"content":[],"usage":{"input_tokens":"?"}}')
    assert unreported is not None
    assert unreported.usage is None
    assert MESSAGES.read_answer(b'{"type":"error"}') is None
    assert MESSAGES.read_answer(b"<html>") is None
    counted = COUNT_TOKENS.read_answer(b'{"input_tokens":14}')
    assert counted is not None
    assert counted.usage == {}
    assert COUNT_TOKENS.read_answer(b"{}") is None


WORDS = [
    (faults.MALFORMED, "invalid_request_error"),
    (faults.INVALID_KEY, "authentication_error"),
    (faults.INSUFFICIENT_BALANCE, "billing_error"),
    (faults.MODEL_NOT_ALLOWED, "permission_error"),
    (faults.MODEL_NOT_FOUND, "not_found_error"),
    (faults.WRONG_METHOD, "invalid_request_error"),
    (faults.TOO_LARGE, "request_too_large"),
    (faults.RATE_LIMITED, "rate_limit_error"),
    (faults.UPSTREAM_BUSY, "rate_limit_error"),
    (faults.INTERNAL, "api_error"),
    (faults.NO_CHANNEL, "overloaded_error"),
    (faults.UPSTREAM_ERROR, "api_error"),
    (faults.UPSTREAM_TIMEOUT, "timeout_error"),
]


@pytest.mark.parametrize(("fault", "word"), WORDS, ids=[fault.code for fault, _ in WORDS])
def test_a_fault_is_said_in_anthropics_words(fault: Fault, word: str) -> None:
    said = json.loads(MESSAGES.render(fault, "r1"))
    assert (said["type"], said["request_id"], said["error"]["type"]) == ("error", "r1", word)
    assert said["error"]["message"] == f"{fault.message} (request id: r1)"
    assert said["error"]["details"]["error_code"] == fault.code
    assert MESSAGES.render_event(fault, "r1") == b"event: error\ndata: " + MESSAGES.render(fault, "r1") + b"\n\n"


def test_particulars_of_a_fault_are_said() -> None:
    poor = faults.INSUFFICIENT_BALANCE.saying("no", param="model", available_quota=-5)
    said = json.loads(MESSAGES.render(poor, "r1"))["error"]
    assert (said["available_quota"], said["details"]["param"]) == (-5, "model")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "O", "details": {"error_code": "c"}}},
            UpstreamError(message="O", type="overloaded_error", code="c"),
        ),
        ({"error": {"message": "m", "code": 5, "param": "p"}}, UpstreamError(message="m", code="5", param="p")),
        ({"error": "words"}, UpstreamError(message="words")),
        ({"detail": "d"}, UpstreamError(message="d")),
        ({"error": {"message": "x" * 9_000}}, UpstreamError(message="x" * 2_000)),
        ([], UpstreamError()),
        ({"error": 5}, UpstreamError()),
    ],
)
def test_an_upstreams_error_is_read(said: object, read: UpstreamError) -> None:
    assert MESSAGES.read_error(dump(said)) == read


def test_the_estimate_comes_near_the_counts_that_anthropic_documents() -> None:
    hello = {"model": "m", "system": "You are a scientist", "messages": [{"role": "user", "content": "Hello, Claude"}]}
    assert abs(estimate_tokens(dump(hello)) - 14) <= 5
    place = {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}
    tool = {
        "name": "get_weather",
        "description": "Get the current weather in a given location",
        "input_schema": {"type": "object", "properties": {"location": place}, "required": ["location"]},
    }
    ask = {
        "model": "m",
        "tools": [tool],
        "messages": [{"role": "user", "content": "What's the weather like in San Francisco?"}],
    }
    assert abs(estimate_tokens(dump(ask)) - 403) <= 403 * 0.1


def test_the_estimate_counts_a_picture_as_one_and_never_gives_zero() -> None:
    assert 1_600 <= estimate_tokens(asking(PICTURE)) < 1_700
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 40_000}}
    assert 1_000 <= estimate_tokens(asking(pdf)) < 1_100
    assert estimate_tokens(b"") == 1
    assert estimate_tokens(b'{"model":"m","messages":[]}') == 1
    assert estimate_tokens(body(messages=[{"role": "user", "content": "你好世界" * 30}])) > 80


@pytest.mark.parametrize(
    ("turn", "late"),
    [
        ('{"role":"system","content":"Be long."}', True),
        ('{"content":"Be long.","role" :\n "system"}', True),
        (dump({"role": "user", "content": '"role":"system"'}).decode(), False),
        (dump({"role": "user", "content": [{"type": "text", "text": "system"}]}).decode(), False),
    ],
)
def test_a_system_message_among_the_turns_is_seen(turn: str, late: bool) -> None:
    """Promise 25: a model that does not take it gets the request in translation."""
    request = f'{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}},{turn}]}}'
    assert look(request.encode()).late_system is late
    assert not look(request.encode(), count=True).late_system  # there is no translating a count
