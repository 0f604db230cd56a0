"""Responses that control keeps: for their account alone, within bounds, for a time; over the socket and over HTTP."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import pytest

from tests.integration.control.house import House, bearer, enter_house
from tests.integration.control.parties import read_rows
from tests.integration.control.worker import RawWorker, new_incarnation
from tests.postgres import running
from yescale.control import conversations
from yescale.control.context import Context
from yescale.control.secrets import derive_vault
from yescale.domain.ids import AccountId
from yescale.domain.memory import Kept
from yescale.store.database import Database
from yescale.store.tables import accounts, keys, responses
from yescale.tuning import MemorySettings

ADA, EVE = AccountId(1), AccountId(2)
ITEMS = b'[{"role":"user","content":"hi"}]'
KEPT = Kept(input=ITEMS, answer=b'{"id":"resp_1","object":"response","output":[]}')


def context(database: Database, **memory: Any) -> Context:
    return Context(database=database, vault=derive_vault(b"m" * 32), memory=MemorySettings(**memory))


async def names(desk: Context) -> list[str]:
    rows = await read_rows(desk.database, responses.select().order_by(responses.c.id))
    return [row["response_id"] for row in rows]


async def test_what_is_kept_is_its_accounts_alone(database: Database) -> None:
    desk = context(database)
    assert await conversations.keep(desk, ADA, "resp_1", KEPT) == ""
    assert await conversations.find(desk, ADA, "resp_1") == KEPT
    assert await conversations.find(desk, EVE, "resp_1") is None
    assert await conversations.forget(desk, EVE, "resp_1") is False
    assert await conversations.forget(desk, ADA, "resp_1") is True
    assert await conversations.find(desk, ADA, "resp_1") is None


async def test_a_row_that_was_given_to_another_account_does_not_open(database: Database) -> None:
    desk = context(database)
    await conversations.keep(desk, ADA, "resp_1", KEPT)
    async with database.writing() as connection:
        await connection.execute(responses.update().values(account_id=EVE))
    assert await conversations.find(desk, EVE, "resp_1") is None


async def test_the_same_response_kept_twice_is_one(database: Database) -> None:
    desk = context(database)
    for answer in (b'{"n":1}', b'{"n":2}'):
        await conversations.keep(desk, ADA, "resp_1", Kept(input=ITEMS, answer=answer))
    await conversations.keep(desk, EVE, "resp_1", KEPT)
    found = await conversations.find(desk, ADA, "resp_1")
    assert found is not None
    assert found.answer == b'{"n":2}'
    assert await names(desk) == ["resp_1", "resp_1"]


@pytest.mark.parametrize("response", ["", "a/b", "x" * 257, "a\x00b", "résp", "a b"])
async def test_an_id_of_another_shape_is_neither_kept_nor_looked_up(database: Database, response: str) -> None:
    desk = context(database)
    assert "cannot be asked for" in await conversations.keep(desk, ADA, response, KEPT)
    assert await conversations.find(desk, ADA, response) is None
    assert await conversations.forget(desk, ADA, response) is False


async def test_what_is_too_large_is_not_kept_and_with_zero_days_nothing_is(database: Database) -> None:
    assert "response_bytes" in await conversations.keep(context(database, response_bytes=10), ADA, "resp_1", KEPT)
    desk = context(database, keep_days=0)
    assert "keep_days" in await conversations.keep(desk, ADA, "resp_1", KEPT)
    assert await names(desk) == []


async def test_the_oldest_go_where_an_account_has_too_many(database: Database) -> None:
    desk = context(database, account_responses=3)
    await conversations.keep(desk, EVE, "eves", KEPT)
    for number in range(5):
        await conversations.keep(desk, ADA, f"resp_{number}", KEPT)
    assert await names(desk) == ["eves", "resp_2", "resp_3", "resp_4"]


async def test_the_oldest_go_where_an_account_has_too_many_bytes(database: Database) -> None:
    whole = context(database)
    for number in range(4):
        await conversations.keep(whole, ADA, f"resp_{number}", KEPT)
    (size, *_), *_ = await read_rows(database, responses.select().with_only_columns(responses.c.size)), 0
    desk = context(database, account_bytes=2 * size["size"] + 1)
    await conversations.keep(desk, ADA, "resp_4", KEPT)
    assert await names(desk) == ["resp_3", "resp_4"]


async def test_what_has_expired_is_gone_before_it_is_removed(database: Database) -> None:
    desk = context(database)
    for number in range(250):
        await conversations.keep(desk, ADA, f"resp_{number}", KEPT)
    async with database.writing() as connection:
        old = responses.c.response_id != "resp_0"
        await connection.execute(responses.update().where(old).values(expires_ms=1))
    assert await conversations.find(desk, ADA, "resp_1") is None
    assert await conversations.forget(desk, ADA, "resp_2") is False
    assert len(await names(desk)) == 250
    assert [await conversations.remove_expired(desk) for _ in range(3)] == [200, 49, 0]
    assert await names(desk) == ["resp_0"]


async def test_the_sweep_removes_what_has_expired(database: Database) -> None:
    desk = context(database, keep_days=1e-9, sweep_s=0.02)
    await conversations.keep(desk, ADA, "resp_1", KEPT)
    sweeping = asyncio.create_task(conversations.sweep(desk))
    try:
        async with asyncio.timeout(10):
            while await names(desk):
                await asyncio.sleep(0.02)
    finally:
        sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeping  # a connection that it opens is its to close, before the database goes


async def test_who_asks_before_it_is_stored_waits_a_little(database: Database) -> None:
    desk = context(database)
    finding = asyncio.create_task(conversations.find(desk, ADA, "resp_1"))
    await asyncio.sleep(0.02)
    await conversations.keep(desk, ADA, "resp_1", KEPT)
    assert await finding == KEPT


# --- the socket


async def open_memory(house: House) -> RawWorker:
    peer = await house.peer()
    peer.send({"type": "memory", "incarnation": new_incarnation(), "slot": 0, "format": 1, "a_field_of_tomorrow": 1})
    assert (await peer.next("opened"))["format"] == 1
    return peer


def keep(number: int, account: int, response: str = "resp_1", kept: Kept = KEPT) -> Mapping[str, Any]:
    return {"type": "keep", "id": number, "account": account, "response": response, "kept": msgspec.to_builtins(
        kept, builtin_types=(bytes,)
    )}  # fmt: skip


async def test_a_worker_keeps_and_finds_over_a_connection_of_its_own(house: House) -> None:
    peer = await open_memory(house)
    peer.send(keep(1, 7))
    assert await peer.next("noted") == {"type": "noted", "id": 1, "refusal": ""}
    peer.send({"type": "find", "id": 2, "account": 7, "response": "resp_1"})
    peer.send({"type": "find", "id": 3, "account": 8, "response": "resp_1"})
    found = [await peer.next("found", count) for count in (1, 2)]
    assert {message["id"]: message["kept"] for message in found} == {
        2: {"input": KEPT.input, "answer": KEPT.answer}, 3: None,
    }  # fmt: skip


async def test_a_frame_over_the_bound_or_of_another_seam_ends_this_connection_alone(house: House) -> None:
    worker = await house.worker()
    for data in ((2**30).to_bytes(4, "big"), b"\x00\x00\x00\x01\xc1"):
        peer = await open_memory(house)
        peer.send_bytes(data)
        await asyncio.wait_for(peer.ended.wait(), 5)
    peer = await open_memory(house)
    peer.send({"type": "ask_key", "hash": b"x"})
    await asyncio.wait_for(peer.ended.wait(), 5)
    assert (await worker.ask_key(b"x"))["key"] is None


async def test_a_database_that_is_away_keeps_nothing_and_says_so(anyio_backend: object, tmp_path: Any) -> None:
    """Database trouble is not an unknown response (promise 33)."""
    with running(durable=True) as server, server.database() as url:
        async with enter_house(tmp_path / "h", url) as house:
            peer = await open_memory(house)
            peer.send(keep(1, 7))
            await peer.next("noted")
            server.crash()
            peer.send({"type": "find", "id": 2, "account": 7, "response": "resp_1"})
            peer.send(keep(3, 7))
            found = await peer.next("found", timeout_s=30)
            assert (found["unavailable"], found["kept"]) == (True, None)
            assert (await peer.next("noted", 2, timeout_s=30))["refusal"]
            header = bearer(house.note["api_key"])
            assert (await house.client.get("/v1/responses/resp_1", headers=header)).status_code == 503
            server.start()


# --- HTTP


async def test_the_routes_know_only_the_callers_own(house: House) -> None:
    (demo,) = await read_rows(house.context.database, accounts.select().where(accounts.c.username == "demo"))
    await conversations.keep(house.context, AccountId(demo["id"]), "resp_1", KEPT)
    await conversations.keep(house.context, AccountId(demo["id"] + 1), "resp_2", KEPT)
    mine, nobodys = await answers(house, "resp_1"), await answers(house, "resp_2")
    assert [answer.status_code for answer in mine] == [200, 200, 400, 200]
    assert mine[0].content == KEPT.answer
    assert mine[0].headers["content-type"] == "application/json"
    assert mine[1].json()["data"][0]["id"] == "msg_resp_1_0"
    assert mine[3].json() == {"id": "resp_1", "object": "response", "deleted": True}
    for one, other in zip(nobodys, await answers(house, "resp_3"), strict=True):
        assert one.status_code == other.status_code == 404
        said = [{**answer.json()["error"], "message": ""} for answer in (one, other)]
        assert said[0] == said[1]
        assert "not found" in one.json()["error"]["message"]


async def answers(house: House, response: str) -> list[httpx.Response]:
    """Read, listed, cancelled and, at last, deleted."""
    header, path = bearer(house.note["api_key"]), f"/v1/responses/{response}"
    return [
        await house.client.request(method, path + tail, headers=header)
        for method, tail in (("GET", ""), ("GET", "/input_items"), ("POST", "/cancel"), ("DELETE", ""))
    ]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up", "after=msg_9", "after=" + "x" * 300])
async def test_a_parameter_that_does_not_fit_is_named(house: House, query: str) -> None:
    (demo,) = await read_rows(house.context.database, accounts.select().where(accounts.c.username == "demo"))
    await conversations.keep(house.context, AccountId(demo["id"]), "resp_1", KEPT)
    path = f"/v1/responses/resp_1/input_items?{query}"
    answer = await house.client.get(path, headers=bearer(house.note["api_key"]))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("address", "status"), [("10.1.2.3", 404), ("::ffff:10.1.2.3", 404), ("11.1.2.3", 403), ("", 403)]
)
async def test_the_keys_list_of_addresses_counts(house: House, address: str, status: int) -> None:
    async with house.context.database.writing() as connection:
        await connection.execute(keys.update().values(allow_ips="10.0.0.0/8"))
    header = bearer(house.note["api_key"]) | {"X-Forwarded-For": address}
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")):
        answer = await house.client.request(method, f"/v1/responses/resp_1{path}", headers=header)
        assert answer.status_code == status
