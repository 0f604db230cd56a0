"""Limits as a worker keeps them: who is refused, what an answer says of them, and channels that are passed over."""

import asyncio
import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.gateway.control import ACCOUNT_PURSE, BUDGET_PURSE, KEY, KEY_PURSE, key_record
from tests.integration.gateway.rig import ANSWER, Answer, Rig, Visit
from yescale.domain.ids import LimitId
from yescale.domain.limits import Limit, Limits

SCOPES = ("account", "key", "group", "model", "channel")
SUBJECTS = {"account": "3", "key": "7", "group": "default", "model": "gpt-4o", "channel": "1"}


def limit(
    number: int = 1, scope: Any = "key", what: Any = "requests", window: Any = "minute", amount: int = 1
) -> Limit:
    subject = SUBJECTS[scope]
    return Limit(id=LimitId(number), scope=scope, subject=subject, what=what, window=window, amount=amount)


async def bind(rig: Rig, *limits: Limit) -> None:
    """Let these limits hold, wherever they come from."""
    of_key: Limits = tuple(each for each in limits if each.scope in ("account", "key"))
    rig.control.keys[KEY] = key_record(limits=of_key)
    shared = tuple(each for each in limits if each not in of_key)
    if shared:
        rig.control.publish(replace(rig.snapshot(version=2), limits=shared))
        await asyncio.sleep(0.1)


def upstream(rig: Rig) -> int:
    return len(rig.first.visits) + len(rig.second.visits)


def wait_of(answer: Answer) -> int:
    return int(answer.headers["retry-after"])


async def slow(visit: Visit) -> None:
    await asyncio.sleep(0.3)
    await visit.answer(200, ANSWER)


@pytest.mark.parametrize("scope", SCOPES)
async def test_requests_beyond_a_rate_are_refused_and_do_not_go_up(rig: Rig, scope: Any) -> None:
    both = [limit(scope=scope, amount=3)]
    if scope == "channel":
        both.append(replace(limit(2, scope=scope, amount=3), subject="2"))
    await bind(rig, *both)
    allowed = 3 * len(both)
    statuses = [(await rig.call()).status for _ in range(allowed + 2)]
    assert statuses == [200] * allowed + [429] * 2
    assert upstream(rig) == allowed
    refused = await rig.call()
    assert (refused.json["error"]["code"], refused.json["error"]["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert 1 <= wait_of(refused) <= 20


@pytest.mark.parametrize("calls", [20, 50])
async def test_of_many_calls_at_once_as_many_go_up_as_the_tokens_of_a_minute_cover(rig: Rig, calls: int) -> None:
    """promise 3: the prompt and the declared output are taken before the call goes up."""
    rig.first.script = slow
    await bind(rig, limit(what="tokens", amount=1_000))
    clients = [await rig.post(max_tokens=150, messages=[{"role": "user", "content": "x" * 50}]) for _ in range(calls)]
    statuses = sorted([(await client.answer()).status for client in clients])
    assert set(statuses) == {200, 429}
    assert 1 <= upstream(rig) == statuses.count(200) <= 1_000 // 150


async def test_tokens_that_a_call_did_not_use_may_be_used_by_the_next(rig: Rig) -> None:
    await bind(rig, limit(what="tokens", amount=1_000))
    for _ in range(20):
        assert (await rig.call(max_tokens=300)).status == 200  # and uses 30
    assert upstream(rig) == 20


async def test_what_a_call_used_beyond_its_reservation_is_missing_afterwards(rig: Rig) -> None:
    async def use_more(visit: Visit) -> None:
        await visit.answer(200, ANSWER | {"usage": {"prompt_tokens": 900, "completion_tokens": 900}})

    rig.first.script = use_more
    await bind(rig, limit(what="tokens", amount=1_000))
    assert (await rig.call(max_tokens=10)).status == 200
    await asyncio.sleep(2.2)  # until it is reported
    refused = await rig.call(max_tokens=10)
    assert refused.status == 429
    assert wait_of(refused) > 40


async def test_an_undeclared_output_is_cut_to_what_the_limit_has(rig: Rig) -> None:
    await bind(rig, limit(what="tokens", amount=16_000))
    answer = await rig.call()
    assert answer.status == 200
    asked = rig.first.visits[0].json
    assert 1_024 <= asked["max_tokens"] <= 2_000, "an eighth of what the bucket has, and no less than the least"
    assert answer.headers["x-yescale-losses"] == "max_tokens"


@pytest.mark.parametrize("scope", SCOPES)
async def test_calls_at_once_are_as_many_as_the_limit_says(rig: Rig, scope: Any) -> None:
    rig.first.script = slow
    both = [limit(scope=scope, what="concurrency", window="", amount=2)]
    if scope == "channel":
        both.append(replace(limit(2, scope=scope, what="concurrency", window="", amount=0), subject="2"))
    await bind(rig, *both)
    clients = [await rig.post() for _ in range(5)]
    assert sorted([(await client.answer()).status for client in clients]) == [200] * 2 + [429] * 3
    assert upstream(rig) == 2
    for _ in range(4):  # one after the other there is always room
        assert (await rig.call()).status == 200


async def test_a_client_that_leaves_makes_room(rig: Rig) -> None:
    async def endless(visit: Visit) -> None:
        await visit.left()

    rig.first.script = endless
    await bind(rig, limit(what="concurrency", window="", amount=1))
    rig.control.publish(rig.snapshot(version=2, drain_s=0.0))
    await asyncio.sleep(0.1)
    client = await rig.post()
    await rig.until(lambda: upstream(rig) == 1)
    assert (await rig.call()).status == 429
    client.leave()
    await rig.end()
    rig.first.script = slow
    assert (await rig.call()).status == 200


async def test_a_budget_that_is_used_up_refuses_until_its_window_ends(rig: Rig) -> None:
    await bind(rig, limit(what="money", window="day", amount=500_000_000))
    rig.control.spent_limits.add(1)
    refused = await rig.call()
    assert (refused.status, refused.json["error"]["code"]) == (429, "budget_exceeded")
    assert "This API key may use $0.50 per day" in refused.json["error"]["message"]
    assert wait_of(refused) == 91
    assert upstream(rig) == 0
    assert "x-ratelimit-limit-requests" not in refused.headers


@pytest.mark.parametrize(("what", "charged"), [("money", 50_000), ("tokens", 30), ("requests", 1)])
async def test_a_budget_is_charged_in_what_it_counts(rig: Rig, what: Any, charged: int) -> None:
    await bind(rig, limit(what=what, window="day", amount=10**9), limit(2, "model", "requests", "total", 10**6))
    assert (await rig.call()).status == 200
    charges = dict((await rig.end()).charges)
    purse = BUDGET_PURSE + 1
    assert charges == {ACCOUNT_PURSE: 50_000, KEY_PURSE: 50_000, purse: charged, BUDGET_PURSE + 2: 1}


async def test_a_limited_call_says_what_is_left_in_openais_words(rig: Rig) -> None:
    await bind(rig, limit(amount=60), limit(2, what="tokens", amount=60_000), limit(3, "account", amount=100))
    answer = await rig.call(max_tokens=100)
    told = {name: value for name, value in answer.headers.items() if "ratelimit" in name}
    assert told.keys() == {
        f"x-ratelimit-{which}-{what}" for which in ("limit", "remaining", "reset") for what in ("requests", "tokens")
    }
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("60", "59")
    assert told["x-ratelimit-reset-requests"] == "1s"
    assert told["x-ratelimit-limit-tokens"] == "60000"
    assert 59_000 < int(told["x-ratelimit-remaining-tokens"]) < 60_000
    assert re.fullmatch(r"\d+ms", told["x-ratelimit-reset-tokens"])
    streamed = await rig.call(max_tokens=100, stream=True)
    assert int(streamed.headers["x-ratelimit-remaining-requests"]) in (58, 59)


async def test_an_unlimited_call_says_nothing_of_limits(rig: Rig) -> None:
    assert not [name for name in (await rig.call()).headers if "ratelimit" in name]


async def messages(rig: Rig) -> Answer:
    client = await rig.client()
    body = {"model": "gpt-4o", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    client.send("POST", "/v1/messages", json.dumps(body).encode(), x_api_key=f"sk-{KEY}")
    return await client.answer()


async def test_on_anthropics_route_limits_and_refusals_are_in_its_own_words(rig: Rig) -> None:
    await bind(rig, limit(amount=1), limit(2, what="tokens", amount=60_000))
    answer = await messages(rig)
    assert answer.status == 200
    told = {name: value for name, value in answer.headers.items() if "ratelimit" in name}
    assert told.keys() == {
        f"anthropic-ratelimit-{what}-{which}"
        for which in ("limit", "remaining", "reset")
        for what in ("requests", "tokens")
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["anthropic-ratelimit-requests-reset"])
    refused = await messages(rig)
    assert (refused.status, refused.json["type"]) == (429, "error")
    assert refused.json["error"]["type"] == "rate_limit_error"
    assert refused.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert 50 <= wait_of(refused) <= 60


async def test_a_channel_at_its_limit_is_passed_over_and_the_last_one_refuses(rig: Rig) -> None:
    await bind(rig, limit(scope="channel", amount=1), replace(limit(2, scope="channel", amount=2), subject="2"))
    assert [(await rig.call()).status for _ in range(4)] == [200, 200, 200, 429]
    assert (len(rig.first.visits), len(rig.second.visits)) == (1, 2)
    refused = await rig.call()
    assert refused.json["error"]["message"].startswith("Every channel for this model is at its limit.")
    assert "x-ratelimit-limit-requests" not in refused.headers, "a channel's figures are the operator's"


async def test_a_failover_takes_the_limits_of_the_channel_that_it_goes_to(rig: Rig) -> None:
    async def fail(visit: Visit) -> None:
        await visit.answer(500, {"error": {"message": "down"}})

    rig.first.script = fail
    first = limit(scope="channel", what="tokens", window="day", amount=10**6)
    second = replace(limit(2, scope="channel", what="tokens", window="day", amount=10**6), subject="2")
    rate = replace(limit(3, scope="channel", amount=2), subject="2")
    await bind(rig, first, second, rate)
    answers = [await rig.call(max_tokens=100) for _ in range(3)]
    assert [answer.status for answer in answers[:2]] == [200, 200]
    assert answers[2].status == 429
    assert len(rig.second.visits) == 2
    ends: list[dict[int, int]] = [dict(end.charges) for end in rig.ends]
    assert [end.get(BUDGET_PURSE + 2) for end in ends[:2]] == [30, 30]
    assert [end.get(BUDGET_PURSE + 1) for end in ends[:2]] == [None, None], "the one that failed is charged no tokens"


async def test_a_client_that_leaves_while_another_channel_is_asked_for_holds_nothing(rig: Rig) -> None:
    """Promise 12: the first channel refuses at once, from memory, and the second is waited for."""
    second = replace(limit(2, scope="channel", what="concurrency", window="", amount=1), subject="2")
    await bind(rig, limit(scope="channel", amount=0), second)
    assert (await rig.call()).status == 200
    rig.control.silent = True
    client = await rig.post()
    await asyncio.sleep(0.02)
    client.leave()
    await asyncio.sleep(0.2)  # control is given up, and this worker's share decides
    assert upstream(rig) == 1
    assert (await rig.call()).status == 200


async def test_without_an_answer_of_control_each_worker_keeps_its_share(rig: Rig) -> None:
    await bind(rig, limit(amount=3))
    rig.control.silent = True
    statuses = [(await rig.call()).status for _ in range(5)]
    assert statuses == [200] * 3 + [429] * 2, "one worker's share is all of it"


async def test_an_edit_of_a_limit_holds_for_the_next_call(rig: Rig) -> None:
    await bind(rig, limit(scope="model", amount=1))
    assert [(await rig.call()).status for _ in range(2)] == [200, 429]
    await bind(rig, limit(scope="model", amount=5))
    assert (await rig.call()).status == 200
    await bind(rig, limit(scope="group", amount=0))
    assert (await rig.call()).status == 429
