"""`GET /api/v1/usage`: what was used, under the headings asked for; of others for operators alone."""

from typing import Any

import pytest

from tests.integration.control.house import House, bearer
from tests.integration.control.parties import make_party
from tests.integration.control.worker import new_incarnation
from yescale.domain.ids import CallId
from yescale.ledger.entries import refund

DAY_S = 1_700_006_400  # 2023-11-15T00:00:00Z
RANGE = {"from": DAY_S, "to": DAY_S + 86_400}


async def ask(house: House, access_key: str | None = None, **asked: Any) -> Any:
    headers = bearer(access_key or house.note["access_key"])
    return await house.client.get("/api/v1/usage", params=RANGE | asked, headers=headers)


async def lines(house: House, *shown: str, access_key: str | None = None, **asked: Any) -> list[tuple[Any, ...]]:
    answer = (await ask(house, access_key, **asked)).json()
    assert answer["object"] == "list", answer
    return [tuple(row[name] for name in shown) for row in answer["data"]]


async def write(house: House) -> tuple[int, int]:
    """Two calls of the demo account, one of another; the ids of both accounts."""
    own = next(row for row in await house.operate("key list", username="demo"))
    other = await make_party(house.context.database, money=10**9)
    journal = house.journal(new_incarnation())
    key = {"key": own["id"], "account": own["account"]}
    tagged = {"tags": [["feature", "chat"], ["plan", "pro"]]}
    at_ms = DAY_S * 1000
    used = {"input_tokens": 7, "output_tokens": 5}
    journal.end("c1", amount=10_000, at_ms=at_ms, model="gpt-4o", usage=used, **key, **tagged)
    journal.end("c2", amount=30_000, at_ms=at_ms + 3_600_000, model="o1", usage=used, **key)
    journal.end("c3", **other.end(2_000, at_ms=at_ms, model="o1", usage=used))
    await house.context.catch_up()
    return own["account"], other.account


async def test_usage_is_shown_under_any_headings(house: House) -> None:
    own, _ = await write(house)
    async with house.context.database.writing() as connection:
        await refund(connection, CallId("c1"), 4_000, outside_id="r1")
    shown = ("calls", "quota", "refunded_nano", "prompt_tokens", "completion_tokens")
    assert await lines(house, "day", *shown) == [("2023-11-15", 2, 20, 4_000, 14, 10)]
    assert await lines(house, "hour", "calls", group_by="hour") == [
        ("2023-11-15T00:00:00Z", 1),
        ("2023-11-15T01:00:00Z", 1),
    ]
    assert await lines(house, "model", "key_name", "calls", group_by="model,key") == [
        ("gpt-4o", "demo", 1),
        ("o1", "demo", 1),
    ]
    assert await lines(house, "tag", "calls", group_by="tag", tag="feature") == [("chat", 1)]
    assert await lines(house, "day", "calls", tag="plan:pro") == [("2023-11-15", 1)]
    assert await lines(house, "day", "calls", tag="plan:free") == []
    assert await lines(house, "model", group_by="model", model="gpt-*", account=own) == [("gpt-4o",)]
    (row,) = (await ask(house)).json()["data"]
    assert row["usage"] == {"input_tokens": 14, "output_tokens": 10}
    assert row["channel"] is None
    page = (await ask(house, group_by="model", limit=1)).json()
    assert (page["has_more"], len(page["data"])) == (True, 1)


async def test_operators_see_all_accounts_and_channels_and_users_their_own(house: House) -> None:
    own, other = await write(house)
    root = (await house.operate("user access-key", username="root"))["access_key"]
    by_account = await lines(house, "account", "calls", access_key=root, group_by="account", account=0)
    assert sorted(by_account) == sorted([(own, 2), (other, 1)])
    assert await lines(house, "channel", access_key=root, group_by="channel", account=other) == [(1,)]
    wrong: list[dict[str, Any]] = [
        {"account": other},
        {"account": 0},
        {"channel": 1},
        {"group_by": "channel"},
        {"group_by": "account"},
    ]
    for asked in wrong:
        answer = await ask(house, **asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "operators_only"), asked


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"group_by": "colour"}, "group_by"),
        ({"group_by": ""}, "group_by"),
        ({"group_by": "tag"}, "tag"),
        ({"group_by": "model", "tag": "plan"}, "group_by"),
        ({"tag": "plan", "model": "o1"}, "tag"),
        ({"tag": "colour:red"}, "tag"),
        ({"from": "soon"}, "from"),
        ({"limit": 0}, "limit"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
async def test_a_wrong_question_is_named(house: House, asked: dict[str, Any], param: str) -> None:
    answer = await ask(house, **asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
