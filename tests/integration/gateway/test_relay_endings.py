"""Every way in which a call can end badly: the client hears the truth, and the journal has exactly one line of it."""

import asyncio
import gc
import json
import resource
from pathlib import Path
from typing import cast

import pytest

from tests.integration.gateway.control import KEY, key_record
from tests.integration.gateway.rig import DONE, SECRET, Rig, Visit, event, say_hello, usage_event
from yescale.domain.journal import OpenLine
from yescale.domain.usage import Meter
from yescale.gateway.relay.call import Call
from yescale.gateway.relay.passage import Passage

PRICE = 10 * 1_000 + 20 * 2_000  # of rig.USAGE


def failing(status: int, *headers: str, **error: object):
    async def script(visit: Visit) -> None:
        await visit.answer(status, {"error": {"message": f"no, {SECRET}", "code": "c", **error}}, *headers)

    return script


async def broken(visit: Visit) -> None:
    visit.reset()


async def not_http(visit: Visit) -> None:
    await visit.raw(b"garbage\r\n\r\n")
    visit.reset()


async def html(visit: Visit) -> None:
    await visit.answer(200, b"<html>", "x-a: b")


async def half_json(visit: Visit) -> None:
    await visit.answer(200, b'{"choices":[')


async def error_in_200(visit: Visit) -> None:
    await visit.answer(200, {"error": {"message": "no"}})


async def half_body(visit: Visit) -> None:
    await visit.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}")
    visit.reset()


async def error_event_first(visit: Visit) -> None:
    await visit.stream()
    await visit.chunk(b'data: {"error":{"message":"overloaded"}}\n\n')
    await visit.end()


async def empty_stream(visit: Visit) -> None:
    await visit.stream()
    await visit.end()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "script",
    [failing(500), failing(529), failing(429), failing(401), failing(402), failing(403), failing(302),
     broken, not_http, html, half_json, error_in_200, half_body],
)  # fmt: skip
async def test_a_failed_attempt_goes_to_the_next_channel(rig: Rig, script, stream: bool) -> None:
    """Promise 21: never the channel that failed, and only one attempt is charged."""
    rig.first.script = script
    answer = await rig.call(stream=stream)
    assert answer.status == 200
    assert b"hello" in answer.body
    end = await rig.end()
    assert (end.outcome, end.amount, end.channel) == ("ok", PRICE, 2)
    assert [note.channel for note in end.attempts] == [1, 2]
    assert len(rig.first.visits) == len(rig.second.visits) == 1


@pytest.mark.parametrize("script", [error_event_first, empty_stream])
async def test_a_stream_that_says_nothing_goes_to_the_next_channel(rig: Rig, script) -> None:
    rig.first.script = script
    assert (await rig.call(stream=True)).events[-1] == "[DONE]"
    assert [note.channel for note in (await rig.end()).attempts] == [1, 2]


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_secret_rests_and_the_operator_is_told(rig: Rig, status: int) -> None:
    rig.first.script = failing(status)
    await rig.call()
    await rig.call()
    assert [note.channel for note in (await rig.end(2)).attempts] == [2]
    assert [(rested.channel, rested.status) for rested in rig.control.rested] == [(1, status)]


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        (failing(500), 502, "upstream_error"),
        (failing(401), 502, "upstream_error"),
        (failing(429, "retry-after: 7"), 429, "rate_limit_exceeded"),
        (failing(504), 504, "upstream_timeout"),
        (html, 502, "upstream_error"),
        (broken, 502, "upstream_error"),
    ],
)
async def test_when_no_channel_answers_the_client_hears_whose_fault_it_is(rig: Rig, script, status, code) -> None:
    rig.first.script = rig.second.script = script
    answer = await rig.call(stream=True)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert SECRET not in answer.body.decode()
    end = await rig.end()
    assert (end.amount, end.status, end.error) == (0, status, code)
    assert (answer.headers.get("retry-after") == "7") == (status == 429)


@pytest.mark.parametrize("status", [400, 404, 413, 422, 451])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_clients_own_mistake_passes_with_its_body(rig: Rig, status: int, stream: bool) -> None:
    """Promise 8: an error body is never billed. No secret of ours is in it."""
    rig.first.script = failing(status, param="messages")
    answer = await rig.call(stream=stream)
    assert answer.status == status
    assert answer.json["error"] == {"message": "no, ***", "code": "c", "param": "messages"}
    assert rig.second.visits == []
    assert (await rig.end()).amount == 0


async def test_an_upstream_that_breaks_off_gives_an_error_and_no_end(rig: Rig) -> None:
    """Promise 28."""

    async def cut(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(event("hello"))
        await visit.chunk(event("12345678")[:30])
        visit.reset()

    rig.first.script = cut
    answer = await rig.call(stream=True)
    assert not answer.whole
    assert "[DONE]" not in answer.body.decode()
    assert json.loads(answer.events[-1])["error"]["code"] == "upstream_cut"
    end = await rig.end()
    assert (end.outcome, end.estimated, end.usage[Meter.OUTPUT_TOKENS]) == ("upstream_cut", True, 2)
    assert rig.second.visits == []


@pytest.mark.parametrize("last", [b"", b'data: {"error":{"message":"sk-upstream-secret boom"}}\n\n'])
async def test_a_stream_that_ends_early_or_in_an_error_is_cut(rig: Rig, last: bytes) -> None:
    """Promise 28: a clean end of the connection is no end of the answer."""

    async def early(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(event("hello"))
        if last:
            await visit.chunk(last)
        await visit.end()

    rig.first.script = early
    answer = await rig.call(stream=True)
    assert not answer.whole
    assert SECRET not in answer.body.decode()
    error = json.loads(answer.events[-1])["error"]
    assert "boom" in error["message"] if last else error["code"] == "upstream_cut"
    assert (await rig.end()).outcome == "upstream_cut"


async def slow(visit: Visit) -> None:
    await visit.stream()
    for _ in range(10):
        await visit.chunk(event("hello"))
        await asyncio.sleep(0.05)
    await visit.chunk(event(finish_reason="stop"))
    await visit.chunk(usage_event())
    await visit.chunk(DONE)
    await visit.end()


async def slow_whole(visit: Visit) -> None:
    await asyncio.sleep(0.4)
    await say_hello(visit)


@pytest.mark.parametrize("moment", ["before the first byte", "after the first chunk", "midway"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_is_charged_what_the_upstream_reports(rig: Rig, moment: str, stream: bool) -> None:
    """Promises 6 and 10."""
    rig.first.script = slow if stream else slow_whole
    client = await rig.post(stream=stream)
    if stream and moment != "before the first byte":
        await client.head()
        for _ in range(1 if moment == "after the first chunk" else 4):
            await client.chunk()
    else:
        await rig.until(lambda: bool(rig.first.visits))
    client.leave()
    end = await rig.end()
    assert (end.outcome, end.estimated, end.amount) == ("client_gone", False, PRICE)
    assert "drained" in end.note


@pytest.mark.parametrize(
    ("channel", "why"),
    [({"drain_s": 0.0}, "not drained"), ({"drain_s": 0.1}, "time limit"), ({"drain_cost": 2_000}, "cost limit")],
)
async def test_a_drain_is_bounded_and_the_rest_is_estimated(rig: Rig, channel: dict[str, float], why: str) -> None:
    """Promises 6 and 9: the policy is the channel's, and its consequence is in the row."""
    left = asyncio.Event()

    async def endless(visit: Visit) -> None:
        await visit.stream()
        try:
            while True:
                await visit.chunk(event("12345678"))
                await asyncio.sleep(0.02)
        except ConnectionError:
            left.set()

    rig.first.script = endless
    rig.control.publish(rig.snapshot(version=2, **channel))
    await asyncio.sleep(0.05)
    client = await rig.post(stream=True)
    await client.head()
    await client.chunk()
    client.leave()
    end = await rig.end()
    assert (end.outcome, end.estimated, end.snapshot) == ("client_gone", True, 2)
    assert why in end.note
    assert end.amount > 0
    await asyncio.wait_for(left.wait(), 5)


async def test_a_client_that_leaves_after_the_end_changes_nothing(rig: Rig) -> None:
    client = await rig.post(stream=True)
    await client.answer()
    client.leave()
    assert (await rig.end()).outcome == "ok"


async def test_the_client_gets_its_end_while_the_upstream_dawdles(rig: Rig) -> None:
    async def dawdle(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(event("hello", finish_reason="stop") + usage_event() + DONE)
        await visit.left()

    rig.first.script = dawdle
    client = await rig.post(stream=True)
    answer = await client.answer()
    assert answer.events[-1] == "[DONE]"
    assert (await rig.end()).amount == PRICE
    rig.first.script = say_hello
    await rig.post(client, stream=False)
    assert (await client.answer()).status == 200


async def test_the_end_line_is_written_before_the_last_bytes(rig: Rig) -> None:
    for number in range(1, 6):
        client = await rig.post(stream=number % 2 == 0)
        await client.answer()
        assert len(rig.ends) == number


async def test_an_absurd_usage_is_not_believed(rig: Rig) -> None:
    async def huge(visit: Visit) -> None:
        await visit.answer(200, {"choices": [{"message": {"content": "12345678"}}], "usage": {"prompt_tokens": 10**9}})

    rig.first.script = huge
    await rig.call()
    end = await rig.end()
    assert (end.estimated, end.usage[Meter.OUTPUT_TOKENS]) == (True, 2)
    assert "not believed" in end.note


async def test_a_zero_usage_costs_nothing(rig: Rig) -> None:
    """Promise 11."""

    async def zero(visit: Visit) -> None:
        await visit.answer(200, {"choices": [{}], "usage": {"prompt_tokens": 0, "completion_tokens": 0}})

    rig.first.script = zero
    await rig.call()
    end = await rig.end()
    assert (end.estimated, end.amount, end.outcome) == (False, 0, "ok")


async def test_the_only_channel_is_tried_again_and_blamed_once(rig: Rig) -> None:
    async def flaky(visit: Visit) -> None:
        await (failing(500) if len(rig.first.visits) < 3 else say_hello)(visit)

    rig.first.script = flaky
    rig.control.keys[KEY] = key_record(role=10)
    client = await rig.client()
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    client.send("POST", "/v1/chat/completions", json.dumps(body).encode(), authorization=f"Bearer sk-{KEY}-1")
    answer = await client.answer()
    assert answer.status == 200
    assert answer.headers["x-yescale-channel"] == "1"
    assert [note.status for note in (await rig.end()).attempts] == [500, 500, 200]


async def test_silence_is_filled_with_comments_and_another_channel_may_still_answer(tmp_path: Path) -> None:
    async def silent(visit: Visit) -> None:
        await asyncio.sleep(0.5)
        visit.reset()

    async with Rig(tmp_path, keepalive_s=0.1) as rig:
        rig.first.script = silent
        answer = await rig.call(stream=True)
        assert answer.body.startswith(b": keepalive\n\n")
        assert answer.events[-1] == "[DONE]"
        assert (await rig.end()).channel == 2


async def test_after_a_comment_an_error_is_an_event(tmp_path: Path) -> None:
    async def silent(visit: Visit) -> None:
        await asyncio.sleep(0.3)
        visit.reset()

    async with Rig(tmp_path, keepalive_s=0.1) as rig:
        rig.first.script = rig.second.script = silent
        answer = await rig.call(stream=True)
        assert (answer.status, answer.whole) == (200, False)
        assert json.loads(answer.events[-1])["error"]["code"] == "upstream_error"
        assert (await rig.end()).outcome == "upstream_error"


async def test_a_slow_client_pauses_its_upstream(rig: Rig) -> None:
    sent = 0

    async def flood(visit: Visit) -> None:
        nonlocal sent
        await visit.stream()
        for _ in range(4_000):
            await visit.chunk(event("x" * 10_000))
            sent += 1
        await visit.chunk(event(finish_reason="stop") + usage_event() + DONE)
        await visit.end()

    rig.first.script = flood
    client = await rig.post(stream=True)
    await client.head()
    transport = cast("asyncio.Transport", client.writer.transport)  # uvloop's own is no subclass
    transport.pause_reading()
    for _ in range(100):
        before = sent
        await asyncio.sleep(0.1)
        if sent == before:
            break
    assert sent < 3_000
    transport.resume_reading()
    while await client.chunk():
        pass
    assert (await rig.end()).amount == PRICE


async def test_a_call_upstream_stands_in_the_journal_before_it_ends(rig: Rig) -> None:
    rig.first.script = slow_whole
    client = await rig.post()
    await asyncio.sleep(0.3)
    opened = [call for line in rig.lines if isinstance(line, OpenLine) for call in line.calls]
    assert [(call.key, call.channel, call.model) for call in opened] == [(7, 1, "gpt-4o")]
    answer = await client.answer()
    assert opened[0].id == answer.headers["x-request-id"]


async def test_a_shutdown_waits_for_calls_and_gives_the_money_back(rig: Rig) -> None:
    rig.first.script = slow
    client = await rig.post(stream=True)
    await client.head()
    stopped = asyncio.ensure_future(rig.stop())
    answer = await client.answer_body()
    assert b"[DONE]" in answer
    await stopped
    assert (await rig.end()).outcome == "ok"


async def test_a_small_grant_limits_the_output_and_says_so(rig: Rig) -> None:
    rig.control.balance = 3_000_000
    answer = await rig.call()
    assert answer.headers["x-yescale-losses"] == "max_tokens"
    sent = rig.first.visits[0].json["max_tokens"]
    assert 1_024 <= sent < 16_384
    assert (await rig.end()).losses == ("max_tokens",)


async def test_a_declared_limit_is_never_changed(rig: Rig) -> None:
    """Promise 30."""
    await rig.call(max_tokens=100)
    assert rig.first.visits[0].json == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 100,
    }


async def test_an_empty_account_is_told_how_much_is_missing(rig: Rig) -> None:
    rig.control.balance = 5_000
    answer = await rig.call()
    assert answer.status == 402
    error = answer.json["error"]
    assert error["code"] == "insufficient_balance"
    assert error["available_quota"] == 2
    assert error["min_required_quota"] > 1_000
    assert error["min_required_credit"].startswith("$0.00")
    assert rig.first.visits == []
    await rig.until(lambda: rig.refusals == ["insufficient_balance"])


async def test_an_ended_call_is_freed_without_the_garbage_collector(rig: Rig) -> None:
    """Promise 34: bodies of ended calls do not pile up. (Opening a connection may need a collection; calls do not.)"""
    assert (await rig.call()).status == 200
    gc.collect()
    gc.disable()
    try:
        for stream in (False, True, True, False):
            assert (await rig.call(stream=stream)).status == 200
        assert (await rig.call(model="none")).status == 404
        await asyncio.sleep(0.1)
        assert [kept for kept in gc.get_objects() if isinstance(kept, (Call, Passage))] == []
    finally:
        gc.enable()


async def test_a_client_that_leaves_inside_its_request_leaves_no_trace(rig: Rig) -> None:
    client = await rig.client()
    client.send("POST", "/v1/chat/completions", b"", authorization=f"sk-{KEY}", expect="100-continue")
    client.writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n")
    client.leave()
    assert (await rig.call()).status == 200
    await rig.end()
    assert len(rig.first.visits) == 1


async def test_a_compressed_answer_is_garbage(rig: Rig) -> None:
    async def zipped(visit: Visit) -> None:
        await visit.answer(200, b"\x1f\x8b", "content-encoding: gzip")

    rig.first.script = zipped
    assert (await rig.call()).status == 200
    assert (await rig.end()).channel == 2


async def test_a_channel_that_makes_no_request_is_left_out_and_settled(rig: Rig) -> None:
    """Promise 12: a reservation does not outlive its call, whatever raises."""
    broken_channel = rig.snapshot(version=2, headers={"x": "a\nb"})
    rig.control.publish(broken_channel)
    await asyncio.sleep(0.05)
    answer = await rig.call()
    assert (answer.status, answer.json["error"]["code"]) == (503, "no_channel_available")
    end = await rig.end()
    assert (end.outcome, end.amount) == ("refused", 0)


async def test_the_answer_waits_for_its_line_where_the_disk_is_full(rig: Rig) -> None:
    """The end line is written before the last bytes, or a kill between them would give the answer away."""
    rig.first.script = slow_whole
    client = await rig.post()
    await asyncio.sleep(0.25)
    (file,) = rig.settings.journals.glob("[!.]*/*.log")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
    try:
        answer = asyncio.ensure_future(client.answer())
        await asyncio.sleep(0.5)
        assert not answer.done()
        assert rig.ends == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (await answer).status == 200
    assert (await rig.end()).amount == PRICE


async def test_a_slow_client_that_leaves_is_still_drained(rig: Rig) -> None:
    """Promise 6: a paused upstream goes on when nobody reads any more."""

    async def flood(visit: Visit) -> None:
        await visit.stream()
        for _ in range(1_000):
            await visit.chunk(event("x" * 10_000))
        await visit.chunk(event(finish_reason="stop") + usage_event() + DONE)
        await visit.end()

    rig.first.script = flood
    rig.control.publish(rig.snapshot(version=2, drain_cost=10**11))
    await asyncio.sleep(0.05)
    client = await rig.post(stream=True)
    await client.head()
    transport = cast("asyncio.Transport", client.writer.transport)  # uvloop's own is no subclass
    transport.pause_reading()
    await asyncio.sleep(0.5)
    client.leave()
    end = await rig.end()
    assert (end.outcome, end.estimated, end.amount) == ("client_gone", False, PRICE)
