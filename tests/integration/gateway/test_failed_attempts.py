"""What attempts that failed cost: nothing, unless their provider charges for them (promise 21)."""

import asyncio

import pytest
from msgspec.structs import replace

from tests.integration.gateway.rig import Rig, Visit, event, usage_event

PRICE = 10 * 1_000 + 20 * 2_000  # of rig.USAGE
SMALL = {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}


async def report_and_fail(visit: Visit) -> None:
    """Usage, and an error before any content."""
    await visit.stream()
    await visit.chunk(usage_event(SMALL))
    await visit.chunk(b'data: {"error":{"message":"overloaded"}}\n\n')
    await visit.end()


async def bills(rig: Rig, *, failures: bool) -> None:
    snapshot = rig.snapshot(version=2)
    first, second = snapshot.channels
    await rig.publish(replace(snapshot, channels=(replace(first, bills_failures=failures), second)))


@pytest.mark.parametrize("failures", [False, True])
async def test_a_failed_attempt_is_charged_only_where_its_provider_charges_for_it(rig: Rig, failures: bool) -> None:
    """promise 21"""
    await bills(rig, failures=failures)
    rig.first.script = report_and_fail
    assert (await rig.call(stream=True)).events[-1] == "[DONE]"
    end = await rig.end()
    owed = 7 * 1_000 if failures else 0
    assert [note.channel for note in end.attempts] == [1, 2]
    assert end.amount == PRICE + owed == sum(line.amount for line in end.lines)
    assert ("failed attempts charged: 7000 nano" in end.note) == failures
    assert dict(end.charges) == dict.fromkeys(dict(end.charges), PRICE + owed)


async def test_a_call_that_fails_everywhere_still_owes_what_its_attempts_cost(rig: Rig) -> None:
    """promise 21"""
    await bills(rig, failures=True)
    rig.first.script = report_and_fail

    async def fail(visit: Visit) -> None:
        await visit.answer(500, {"error": {"message": "down"}})

    rig.second.script = fail
    assert (await rig.call(stream=True)).status == 502
    end = await rig.end()
    assert (end.outcome, end.amount) == ("upstream_error", 7_000)


async def test_usage_that_cannot_be_is_not_owed(rig: Rig) -> None:
    await bills(rig, failures=True)

    async def exaggerate(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(usage_event({"prompt_tokens": 10**9, "completion_tokens": 0, "total_tokens": 10**9}))
        await visit.chunk(b'data: {"error":{"message":"overloaded"}}\n\n')
        await visit.end()

    rig.first.script = exaggerate
    await rig.call(stream=True)
    assert (await rig.end()).amount == PRICE


@pytest.mark.parametrize(("drain_s", "words"), [(0.0, "not drained"), (5.0, "drained")])
async def test_the_row_says_how_a_channel_was_read_when_the_client_had_left(
    rig: Rig, drain_s: float, words: str
) -> None:
    """promise 9"""
    await rig.publish(rig.snapshot(version=2, drain_s=drain_s))

    async def slow(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(event("hello"))
        await rig.until(lambda: gone == [True])
        await asyncio.sleep(0.1)
        await visit.chunk(usage_event() + b"data: [DONE]\n\n")
        await visit.end()

    gone: list[bool] = []
    rig.first.script = slow
    client = await rig.post(stream=True)
    await client.head()
    client.leave()
    gone.append(True)
    end = await rig.end()
    assert (end.outcome, words in end.note, end.amount > 0) == ("client_gone", True, True)
