"""The link as a worker sees it: raw frames over the internal socket of a running control process."""

import asyncio
import hashlib
import hmac
import stat
import tempfile
from pathlib import Path

from tests.integration.control.house import House, enter_house
from tests.integration.control.parties import Party, make_party, read_purse, read_rows
from tests.integration.control.worker import RawWorker, new_incarnation
from yescale.domain.ids import KeyId
from yescale.ledger.purses import set_key_limit
from yescale.store.tables import incarnations, keys, logs
from yescale.tuning import ControlSettings

USD = 1_000_000_000


def hash_of(welcome: dict, api_key: str) -> bytes:
    return hmac.digest(welcome["key_pepper"], api_key.removeprefix("sk-").encode(), hashlib.sha256)


async def party_of(house: House, money: int = 0, limit: int | None = None) -> Party:
    return await make_party(house.context.database, money, limit)


async def test_a_hello_is_answered_by_welcome_and_then_the_snapshot(house: House) -> None:
    worker = await house.worker()
    assert [message["type"] for message in worker.received[:2]] == ["welcome", "publish"]
    welcome, snapshot = worker.received[0], worker.received[1]["snapshot"]
    assert len(welcome["key_pepper"]) == 32
    assert {group["name"]: group["ratio"] for group in snapshot["groups"]}["claude"] == 1_750_000
    channel = next(channel for channel in snapshot["channels"] if channel["name"] == "sandbox")
    assert channel["base_url"] == "http://127.0.0.1:4999/openai/v1"
    assert channel["models"]["gpt-4o+*"] == "gpt-4o+*"
    by_name = {model["name"]: model for model in snapshot["models"]}
    assert by_name["gpt-4o+*"]["priced_as"] == "gpt-4o"
    plain = [row for row in snapshot["prices"] if row["model"] == "gpt-4o" and not row["when"]]
    prices = {row["meter"]: row["price"] for row in plain}
    assert prices == {
        "input_tokens": 2_500_000_000,
        "cache_read_tokens": 1_250_000_000,
        "output_tokens": 10_000_000_000,
        "web_searches": 10_000_000,
    }


async def test_a_worker_hears_at_its_welcome_that_the_node_lives(house: House) -> None:
    """A worker admits nothing before that; the next heartbeat may be seconds away."""
    for _ in range(3):
        worker = await house.worker()
        await worker.next("alive", timeout_s=0.5)


async def test_a_life_that_is_over_is_told_so(house: House) -> None:
    worker = await house.worker()
    life = worker.incarnation
    await worker.close()
    async with house.context.database.writing() as connection:
        await connection.execute(incarnations.update().where(incarnations.c.id == life).values(closed_ms=1))
    again = await (await RawWorker.connect(house.settings.internal_socket)).hello(life)
    told = await again.next("drawn")
    assert told["refused"]["code"] == "incarnation_closed"
    assert again.count("welcome") == 0
    await again.close()


async def test_only_the_owner_reaches_the_sockets(house: House) -> None:
    """No path of the public port reaches the internal socket; both lie in a directory of mode 0700."""
    assert stat.S_IMODE(house.settings.run.stat().st_mode) == 0o700
    assert stat.S_IMODE(house.settings.internal_socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(house.settings.public_socket.stat().st_mode) == 0o600


async def test_a_key_is_found_by_its_keyed_hash_and_by_nothing_else(house: House) -> None:
    worker = await house.worker()
    welcome = await worker.next("welcome")
    hashed = hash_of(welcome, house.note["api_key"])
    answer = await worker.ask_key(hashed)
    key = answer["key"]
    assert answer["hash"] == hashed
    assert answer["unavailable"] is False
    assert (key["username"], key["status"], key["account_status"], key["group"], key["limited"]) == (
        "demo", 1, 1, "default", False,
    )  # fmt: skip
    unknown = await worker.ask_key(hash_of(welcome, house.note["api_key"][:-1] + "x"), count=2)
    assert unknown["key"] is None
    assert unknown["unavailable"] is False


async def test_a_draw_raises_the_lease_to_a_total_and_the_same_draw_again_changes_nothing(house: House) -> None:
    party = await party_of(house, USD)
    worker = await house.worker()
    first = await worker.draw((party.purse, 0, 1_000, 5_000))
    assert [(g["purse"], g["total"]) for g in first["granted"]] == [(party.purse, 5_000)]
    again = await worker.draw((party.purse, 0, 1_000, 5_000))
    assert again["granted"] == first["granted"]
    assert (await read_purse(house.context.database, party.purse)).held == 5_000


async def test_a_draw_that_nobody_could_help_is_refused_at_once_with_what_is_there(house: House) -> None:
    party = await party_of(house, 700)
    worker = await house.worker()
    drawn = await worker.draw((party.purse, 0, 1_000, 1_000))
    assert drawn["refused"] == {
        "purse": party.purse, "code": "insufficient_balance", "balance": 700, "held": 0, "limit": 0, "valid_s": None,
    }  # fmt: skip
    assert worker.count("recall") == 0


async def test_a_refusal_first_recalls_what_other_workers_hold_idle(house: House) -> None:
    """A rich worker's idle money serves a poor one within the same draw."""
    party = await party_of(house, 10_000)
    rich, poor = await house.worker(), await house.worker()
    journal = house.journal(rich.incarnation)
    assert (await rich.draw((party.purse, 0, 9_000, 9_000)))["granted"][0]["total"] == 9_000

    async def give_back() -> None:
        recall = await rich.next("recall")
        assert recall["purses"] == [party.purse]
        journal.give_back((party.purse, 9_000))
        rich.send({"type": "recalled", "id": recall["id"], "n": journal.n})

    drawn, _ = await asyncio.gather(poor.draw((party.purse, 0, 5_000, 5_000)), give_back())
    assert [(g["purse"], g["total"]) for g in drawn["granted"]] == [(party.purse, 5_000)]
    purse = await read_purse(house.context.database, party.purse)
    assert (purse.held, purse.balance) == (5_000, 10_000)
    assert poor.count("recall") == 0


async def test_a_refusal_first_settles_what_the_journals_already_gave_back(house: House) -> None:
    party = await party_of(house, 10_000)
    rich, poor = await house.worker(), await house.worker()
    journal = house.journal(rich.incarnation)
    await rich.draw((party.purse, 0, 9_000, 9_000))
    journal.end("exact", **party.end(100, backs=[[party.purse, 8_900]]))
    drawn = await poor.draw((party.purse, 0, 9_500, 9_500))
    assert drawn["refused"] is None
    assert drawn["granted"][0]["total"] == 9_500


async def test_many_draws_that_wait_share_one_recall(house: House) -> None:
    """One recall in flight per purse, or a broke account floods every worker."""
    party = await party_of(house, 10_000)
    rich, poor = await house.worker(), await house.worker()
    await rich.draw((party.purse, 0, 9_000, 9_000))
    drawn = await asyncio.gather(*(poor.draw((party.purse, 0, 5_000, 5_000)) for _ in range(20)))
    assert {answer["refused"]["code"] for answer in drawn} == {"insufficient_balance"}
    assert {(answer["refused"]["balance"], answer["refused"]["held"]) for answer in drawn} == {(10_000, 9_000)}
    assert rich.count("recall") == 1


async def test_a_worker_that_leaves_during_a_recall_is_not_waited_for(house: House) -> None:
    party = await party_of(house, 10_000)
    rich, poor = await house.worker(), await house.worker()
    await rich.draw((party.purse, 0, 9_000, 9_000))
    asking = asyncio.create_task(poor.draw((party.purse, 0, 5_000, 5_000), timeout_s=5))
    await rich.next("recall")
    await rich.close()
    assert (await asking)["refused"]["held"] == 9_000
    await poor.close()


async def test_the_money_of_a_dead_worker_is_lent_again(house: House) -> None:
    party = await party_of(house, 10_000)
    dead, heir = await house.worker(), await house.worker()
    journal = house.journal(dead.incarnation)
    await dead.draw((party.purse, 0, 9_000, 9_000))
    await dead.close()
    journal.die()
    async with asyncio.timeout(5):
        while (drawn := await heir.draw((party.purse, 0, 9_500, 9_500)))["refused"]:
            await asyncio.sleep(0.02)
    assert drawn["granted"][0]["total"] == 9_500
    await heir.close()


async def test_a_life_that_is_over_is_not_welcomed_again(house: House) -> None:
    incarnation = new_incarnation()
    worker = await house.worker(incarnation)
    journal = house.journal(incarnation)
    await worker.close()
    journal.die()
    query = incarnations.select().where(incarnations.c.id == incarnation, incarnations.c.closed_ms.is_not(None))
    async with asyncio.timeout(5):
        while not await read_rows(house.context.database, query):
            await asyncio.sleep(0.02)
        again = await (await house.peer()).hello(incarnation)
        await again.ended.wait()
    assert again.count("welcome") == 0
    await again.close()


async def test_a_deleted_key_is_said_to_be_changed_and_its_purse_closed_at_once(house: House) -> None:
    worker = await house.worker()
    made = await house.operate("key create", username="demo", name="short-lived")
    hashed = hash_of(await worker.next("welcome"), made["key"])
    key = (await worker.ask_key(hashed))["key"]
    answer = await house.call("DELETE", f"deletekey/{made['id']}")
    assert answer.json() == {"message": "", "success": True}
    changed = await worker.next("changed")
    assert changed["hashes"] == [hashed]
    assert changed["closed"] == [key["key_purse"]]
    assert (await worker.ask_key(hashed, count=2))["key"] is None
    refused = await worker.draw((key["key_purse"], 0, 1, 1))
    assert refused["refused"]["code"] == "invalid_api_key"


async def test_own_writes_are_passed_on_without_waiting_for_the_poll(database_url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="yescale-") as folder:
        patient = ControlSettings(poll_s=3_600)
        async with enter_house(Path(folder), database_url, control=patient) as house:
            worker = await house.worker()
            made = await house.operate("key create", username="demo", name="brief")
            await house.call("PUT", f"editquota/{made['id']}", json={"remain_quota": 1})
            await worker.next("changed", count=1)
            await house.call("DELETE", f"deletekey/{made['id']}")
            await worker.next("changed", count=2)
            await house.operate("group set", name="vip", ratio="2")
            await worker.next("publish", count=2)


async def test_what_another_process_changes_is_passed_on_within_the_poll(house: House) -> None:
    """Changes are numbered rows that every control polls; nobody has to tell this one."""
    party = await party_of(house, USD, limit=1_000)
    worker = await house.worker()
    async with house.context.database.writing() as connection:
        await set_key_limit(connection, KeyId(party.key), remaining=7)
    changed = await worker.next("changed", timeout_s=3 * house.settings.control.poll_s)
    assert changed["hashes"] == [party.key_hash]


async def test_a_price_change_is_published_as_a_newer_snapshot(house: House) -> None:
    worker = await house.worker()
    before = (await worker.next("publish"))["snapshot"]
    await house.operate("price set", model="gpt-4o", input="3", output="12")
    after = (await worker.next("publish", count=2))["snapshot"]
    assert after["version"] > before["version"]
    rows = {row["meter"]: row for row in after["prices"] if row["model"] == "gpt-4o" and not row["when"]}
    assert {meter: row["price"] for meter, row in rows.items()} == {
        "input_tokens": 3 * USD, "cache_read_tokens": 1_250_000_000, "output_tokens": 12 * USD,
        "web_searches": USD // 100,
    }  # fmt: skip
    old = {row["id"] for row in before["prices"] if row["model"] == "gpt-4o"}
    assert old.isdisjoint(row["id"] for row in rows.values())


async def test_a_disabled_account_is_said_to_be_changed(house: House) -> None:
    worker = await house.worker()
    hashed = hash_of(await worker.next("welcome"), house.note["api_key"])
    key = (await worker.ask_key(hashed))["key"]
    await house.operate("user disable", username="demo")
    assert (await worker.next("changed"))["accounts"] == [key["account"]]
    assert (await worker.ask_key(hashed, count=2))["key"]["account_status"] == 2


async def test_a_heartbeat_reaches_every_worker(house: House) -> None:
    first, second = await house.worker(), await house.worker()
    for worker in (first, second):
        await worker.next("alive", timeout_s=2 * house.settings.control.heartbeat_s)


async def test_the_operator_is_told_of_resting_secrets_and_unpriced_models_once(house: House) -> None:
    worker = await house.worker()
    for _ in range(3):
        worker.send({"type": "rested", "channel": 1, "secret": 0, "status": 401})
        worker.send({"type": "unpriced", "model": "mystery"})
    await worker.operate("group list")
    query = logs.select().where(logs.c.type == 4)
    async with asyncio.timeout(5):
        while len(rows := await read_rows(house.context.database, query)) < 2:
            await asyncio.sleep(0.02)
    assert sorted(row["content"].split()[0] for row in rows) == ["Channel", "Model"]
    assert {row["account_id"] for row in rows} == {0}


async def test_an_operation_over_the_link_answers_with_its_result_or_one_sentence(house: House) -> None:
    desk = await house.peer()
    made = await desk.operate("key create", username="demo", name="by hand", group="openai")
    assert made["error"] is None
    assert made["result"]["key"].startswith("sk-")
    for operation, arguments, part in (
        ("no such", {}, "no operation"),
        ("key create", {"username": "nobody", "name": "x"}, "no user"),
        ("key create", {"username": "demo", "name": "x", "colour": "red"}, "colour"),
        ("key create", {"username": "demo", "name": "x", "group": "vip"}, "no group"),
        ("price set", {"model": "gpt-4o", "input": "cheap"}, "US dollars"),
        ("channel delete", {"id": 999}, "no channel"),
    ):
        refused = await desk.operate(operation, **arguments)
        assert part in refused["error"], refused
        assert refused["result"] is None


async def test_a_peer_that_does_not_speak_the_protocol_is_cut_off_and_no_one_else(house: House) -> None:
    worker = await house.worker()
    for noise in (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x00\x00\x00\x01\xc1", b"\xff" * 64):
        stranger = await house.peer()
        stranger.send_bytes(noise)
        async with asyncio.timeout(5):
            await stranger.ended.wait()
    assert (await worker.draw((999_999, 0, 1, 1)))["refused"]["code"] == "invalid_api_key"


async def test_a_draw_before_a_hello_ends_the_connection(house: House) -> None:
    stranger = await house.peer()
    stranger.send({"type": "draw", "id": 1, "wants": []})
    async with asyncio.timeout(5):
        await stranger.ended.wait()


async def test_no_secret_of_the_store_is_readable_in_the_database(house: House) -> None:
    rows = await read_rows(house.context.database, keys.select())
    secret = house.note["api_key"].encode()
    assert all(secret not in bytes(row["hash"]) and row["masked"] != house.note["api_key"] for row in rows)
