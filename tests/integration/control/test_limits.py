"""Limits as operators set them and as workers hear of them: operations, the API, key records, snapshots, draws."""

import asyncio
from typing import Any

import pytest

from tests.integration.control.house import House, bearer, enter_house
from tests.integration.control.worker import RawWorker
from yescale.control.operations import OperationRefused
from yescale.control.secrets import hash_api_key
from yescale.store.migrations import downgrade


def ask(limit: int, need: int, *, amount: int = 10, at_once: bool = False) -> dict[str, Any]:
    return {"limit": limit, "amount": amount, "need": need, "want": need, "at_once": at_once}


async def take(worker: RawWorker, number: int, *asks: dict[str, Any]) -> dict[str, Any]:
    worker.send({"type": "take", "id": number, "asks": asks})
    async with asyncio.timeout(5):
        while True:
            for message in worker.received:
                if message["type"] == "taken" and message["id"] == number:
                    return message
            await asyncio.sleep(0.01)


async def draw(worker: RawWorker, limit: int, least: int) -> dict[str, Any]:
    worker.send({"type": "draw", "id": 99, "wants": [
        {"purse": 0, "limit": limit, "have": 0, "least": least, "want": least}
    ]})  # fmt: skip
    return await worker.next("drawn")


async def operator(house: House) -> dict[str, str]:
    made = await house.operate("user create", username="boss", role=10)
    return bearer(made["access_key"])


async def test_limits_of_an_account_and_its_key_come_with_the_key_within_a_second(house: House) -> None:
    worker = await house.worker()
    hashed = hash_api_key(house.context.vault.pepper, house.note["api_key"])
    record = (await worker.ask_key(hashed))["key"]
    assert record["limits"] == []
    a_day = await house.operate("limit set", scope="account", subject="demo", what="money", window="day", usd="2.5")
    await worker.next("changed", timeout_s=1)
    at_once = await house.operate("limit set", scope="key", subject=str(record["id"]), what="concurrency", amount=3)
    await worker.next("changed", 2, timeout_s=1)
    limits = (await worker.ask_key(hashed, 2))["key"]["limits"]
    assert [(each["id"], each["what"], each["amount"]) for each in limits] == [
        (a_day["id"], "money", 2_500_000_000),
        (at_once["id"], "concurrency", 3),
    ]
    await house.operate("limit remove", id=a_day["id"])
    await worker.next("changed", 3, timeout_s=1)
    assert len((await worker.ask_key(hashed, 3))["key"]["limits"]) == 1


async def test_limits_of_groups_models_and_channels_come_with_the_snapshot_within_a_second(house: House) -> None:
    worker = await house.worker()
    channel = (await house.operate("channel list"))[0]["id"]
    for scope, subject in (("group", "default"), ("model", "gpt-4o"), ("channel", str(channel))):
        await house.operate("limit set", scope=scope, subject=subject, what="requests", window="minute", amount=5)
    snapshot = (await worker.next("publish", 4, timeout_s=1))["snapshot"]
    assert [(each["scope"], each["subject"]) for each in snapshot["limits"]] == [
        ("group", "default"),
        ("model", "gpt-4o"),
        ("channel", str(channel)),
    ]


async def test_a_draw_by_limit_and_a_lowered_limit_that_is_recalled(house: House) -> None:
    worker = await house.worker()
    limit = await house.operate("limit set", scope="group", subject="default", what="tokens", window="hour", amount=100)
    (granted,) = (await draw(worker, limit["id"], 80))["granted"]
    assert (granted["limit"], granted["total"]) == (limit["id"], 80)
    assert 0 < granted["valid_s"] <= 3_600
    await house.operate("limit set", scope="group", subject="default", what="tokens", window="hour", amount=50)
    assert granted["purse"] in (await worker.next("recall"))["purses"]
    verdict = await house.operate("ledger verify")
    assert verdict["problems"] == []


async def test_rates_are_taken_from_one_bucket_by_all_workers_and_calls_at_once_are_counted_by_worker(
    house: House,
) -> None:
    one, other = await house.worker(), await house.worker()
    assert (await take(one, 1, ask(7, 6)))["given"] == [{"limit": 7, "amount": 6, "left": 4}]
    refused = await take(other, 1, ask(8, 1), ask(7, 6))
    assert (refused["refused"], refused["left"]) == (7, 4)
    assert 11 < refused["after_s"] <= 12
    assert (await take(other, 2, ask(8, 10)))["refused"] == 0, "nothing was taken where one of them refused"
    one.send({"type": "give", "unused": [[7, 5]], "at_once": []})
    await take(one, 2)
    assert (await take(other, 3, ask(7, 6)))["refused"] == 0
    assert (await take(one, 3, ask(9, 2, amount=2, at_once=True)))["refused"] == 0
    assert (await take(other, 4, ask(9, 1, amount=2, at_once=True)))["refused"] == 9
    await one.close()
    await asyncio.sleep(0.1)
    assert (await take(other, 5, ask(9, 2, amount=2, at_once=True)))["refused"] == 0, "who is gone carries nothing"


async def test_a_worker_that_is_back_already_keeps_its_calls_when_its_old_connection_ends(house: House) -> None:
    """The old one ends late: something that it asked for is still being done."""

    async def dawdle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        writer.close()

    server = await asyncio.start_server(dawdle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    slow = await house.operate(
        "channel add", name="slow", provider="openai_compatible", base_url=url, secrets=["s"],
        models={"gpt-4o": "gpt-4o"}, groups=["default"],
    )  # fmt: skip
    old, other = await house.worker(), await house.worker()
    assert (await take(old, 1, ask(9, 1, amount=1, at_once=True)))["refused"] == 0
    old.send({"type": "ask_admin", "id": 1, "operation": "channel test", "arguments": {"id": slow["id"]}})
    await asyncio.sleep(0.1)
    again = await house.worker(old.incarnation)
    again.send({"type": "give", "unused": [], "at_once": [[9, 1]]})
    await take(again, 2)
    await asyncio.sleep(0.8)
    server.close()
    assert (await take(other, 3, ask(9, 1, amount=1, at_once=True)))["refused"] == 9


async def test_workers_hear_among_how_many_a_limit_is_shared_out(house: House) -> None:
    one = await house.worker()
    await house.worker()
    await asyncio.sleep(0.2)
    peers = [message for message in one.received if message["type"] == "peers"]
    assert (peers[-1]["workers"], peers[-1]["nodes"]) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"what": "concurrency", "window": "day", "amount": 1}, "window:"),
        ({"what": "tokens", "amount": 1}, "window:"),
        ({"what": "tokens", "window": "day"}, "amount:"),
        ({"what": "tokens", "window": "day", "amount": -1}, "amount:"),
        ({"what": "tokens", "window": "day", "usd": "1"}, "usd:"),
        ({"what": "money", "window": "day", "usd": "much"}, "usd:"),
        ({"what": "tokens", "window": "day", "amount": 1, "zone": "Mars/Olympus"}, "zone:"),
        ({"what": "tokens", "window": "year", "amount": 1}, "limit set:"),
        ({"what": "tokens", "window": "day", "amount": 1, "scope": "model", "subject": "nobody"}, "subject:"),
        ({"what": "tokens", "window": "day", "amount": 1, "scope": "channel", "subject": "x"}, "subject:"),
        ({"what": "tokens", "window": "day", "amount": 1, "scope": "channel", "subject": "4711"}, "subject:"),
        ({"what": "tokens", "window": "day", "amount": 1, "scope": "key", "subject": "4711"}, "There is no key"),
        ({"what": "tokens", "window": "day", "amount": 1, "scope": "account", "subject": "x"}, "There is no user"),
    ],
)
async def test_what_is_no_limit_is_refused_with_what_is_wrong(house: House, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(OperationRefused) as refusal:
        await house.operate("limit set", **{"scope": "group", "subject": "default"} | asked)
    assert str(refusal.value).startswith(said)
    assert await house.operate("limit list") == []


async def test_operators_set_list_and_remove_limits_over_the_api(house: House) -> None:
    headers = await operator(house)
    body = {"scope": "model", "subject": "gpt-4o", "what": "tokens", "window": "day", "amount": 5, "zone": "Asia/Tokyo"}
    made = (await house.client.put("/api/v1/limits", headers=headers, json=body)).json()
    assert made == {"object": "limit", "id": made["id"]} | body
    again = (await house.client.put("/api/v1/limits", headers=headers, json=body | {"amount": 6})).json()
    assert again == made | {"amount": 6}
    found = (await house.client.get("/api/v1/limits", headers=headers, params={"scope": "model"})).json()
    assert found == {"object": "list", "data": [again], "has_more": False}
    refused = await house.client.put("/api/v1/limits", headers=headers, json=body | {"zone": "Mars"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "zone")
    gone = await house.client.delete(f"/api/v1/limits/{made['id']}", headers=headers)
    assert gone.json() == {"object": "limit", "id": made["id"], "deleted": True}
    assert (await house.client.get("/api/v1/limits", headers=headers)).json()["data"] == []
    assert (await house.client.delete(f"/api/v1/limits/{made['id']}", headers=headers)).status_code == 400


async def test_limits_hold_in_a_database_that_was_migrated(database_url: str, tmp_path: Any) -> None:
    """promise 5"""
    async with enter_house(tmp_path / "h", database_url):
        pass
    await downgrade(database_url, "0003")
    async with enter_house(tmp_path / "h", database_url) as house:
        limit = await house.operate(
            "limit set", scope="group", subject="openai", what="requests", window="day", amount=1
        )
        worker = await house.worker()
        assert (await draw(worker, limit["id"], 2))["refused"]["code"] == "budget_exceeded"
