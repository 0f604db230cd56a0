"""What the query modules keep and find, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.ledger.parties import Bank, Worker, topup
from yescale.domain.ids import AccountId, ModelName
from yescale.domain.price import Condition
from yescale.domain.usage import Meter
from yescale.ledger.entries import enter
from yescale.ledger.purses import open_account_purse, open_key_purse
from yescale.store import changes, idempotency, meta, nodes
from yescale.store.accounts import (
    NewAccount,
    account_named,
    account_of_access_key,
    create_account,
    find_account,
    list_accounts,
    set_access_key,
)
from yescale.store.calls import CallFilter, recent_calls
from yescale.store.catalogue import CatalogueEntry, find_model, list_models, set_model, update_model
from yescale.store.channels import (
    NewChannel,
    create_channel,
    delete_channel,
    find_channel,
    list_channels,
    update_channel,
)
from yescale.store.database import Database, DatabaseAway, DatabaseLimits, open_database
from yescale.store.groups import delete_group, list_groups, set_group
from yescale.store.keys import NewKey, create_key, find_key, key_record, list_keys, update_key
from yescale.store.logs import LogFilter, find_logs
from yescale.store.migrations import migrate
from yescale.store.prices import NewPrice, current_prices, find_prices, set_prices
from yescale.store.tasks import NewTask, TaskFilter, advance_task, create_task, due_tasks, find_task, list_tasks


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate(database_url)
    database = open_database(database_url)
    yield database
    await database.close()


async def test_an_account_is_found_by_name_id_and_access_key(database: Database) -> None:
    async with database.writing() as connection:
        account = await create_account(connection, NewAccount(username="ann_1", email="a@b.c", created_ms=5))
        await open_account_purse(connection, account)
        await enter(connection, topup(account, 700, "1"))
        await set_access_key(connection, account, b"old", "o***")
        await set_access_key(connection, account, b"new", "n***")
    async with database.reading() as connection:
        row = await find_account(connection, account)
        assert row is not None
        assert (row.balance, row.granted, row.request_count, row.access_masked) == (700, 700, 0, "n***")
        assert await account_named(connection, "ann_1") == await account_of_access_key(connection, b"new") == row
        assert await account_of_access_key(connection, b"old") is None
        assert (await list_accounts(connection, keyword="NN_"))[1] == 1
        assert (await list_accounts(connection, keyword="n%1"))[1] == 0


async def test_a_key_is_found_by_its_hash_until_it_is_deleted(database: Database) -> None:
    async with database.writing() as connection:
        account = await create_account(connection, NewAccount(username="bob", created_ms=5))
        purse = await open_account_purse(connection, account)
        key_purse = await open_key_purse(connection, account, granted=10, limited=True)
        new = NewKey(
            hash=b"h",
            masked="sk-",
            name="100%",
            account_id=account,
            group="g",
            purse_id=key_purse,
            models=("a", "b"),
            allow_ips=("10.0.0.0/8", "::1"),
            created_at=3,
        )
        key = await create_key(connection, new)
    async with database.reading() as connection:
        record = await key_record(connection, b"h")
        assert record is not None
        assert (record.id, record.account_purse, record.key_purse, record.limited) == (key, purse, key_purse, True)
        assert (record.models, record.allow_ips, record.username) == (("a", "b"), ("10.0.0.0/8", "::1"), "bob")
        assert [row.remaining for row in await list_keys(connection, account, keyword="0%")] == [10]
        assert await list_keys(connection, account, keyword="0_") == ()
    async with database.writing() as connection:
        assert await update_key(connection, key, models=None, status=2, allow_ips=())
        row = await find_key(connection, key)
        assert row is not None
        assert (row.models, row.status, row.allow_ips, row.used) == (None, 2, (), 0)
        await update_key(connection, key, deleted_ms=1)
        assert await key_record(connection, b"h") is None
        assert await find_key(connection, key) is None


async def test_prices_and_ratios_are_superseded_and_never_lost(database: Database) -> None:
    model = ModelName("m")
    dear = NewPrice(meter=Meter.INPUT_TOKENS, per=10**6, price=7, when=(Condition("context_tokens", ">", 200_000),))
    async with database.writing() as connection:
        (first,) = await set_prices(connection, model, [dear], now_ms=1)
        (second,) = await set_prices(connection, model, [NewPrice(meter=Meter.REQUESTS, per=1, price=9)], now_ms=2)
        assert await current_prices(connection) == (second,)
        assert await find_prices(connection, [first.id]) == (first,)
        assert first.when == dear.when
        one = await set_group(connection, "claude", 1_750_000, now_ms=1)
        two = await set_group(connection, "claude", 1_500_000, now_ms=2)
        assert one.ratio_id != two.ratio_id
        assert await list_groups(connection) == (two,)
        await delete_group(connection, "claude", now_ms=3)
        assert await list_groups(connection) == ()


async def test_channels_and_models_come_back_as_they_went(database: Database) -> None:
    new = NewChannel(name="c", provider="openai", base_url="u", secrets=b"\x00\xff", models={"a": "b"}, groups=("g",))
    entry = CatalogueEntry(
        name=ModelName("m"), context_window=9, operations=("chat", "embed"), list_input=5, is_hot=True
    )
    async with database.writing() as connection:
        channel = await create_channel(connection, new, now_ms=1)
        await set_model(connection, entry, now_ms=1)
        await set_model(connection, CatalogueEntry(name=ModelName("n"), enabled=False), now_ms=1)
        await update_channel(connection, channel, now_ms=2, status=2, models={"x": "y"})
        await update_model(connection, ModelName("m"), now_ms=2, input_modalities=("text", "image"))
    async with database.reading() as connection:
        row = await find_channel(connection, channel)
        assert row is not None
        assert (row.models, row.groups, row.secrets, row.status) == ({"x": "y"}, ("g",), b"\x00\xff", 2)
        assert "\\xff" not in repr(row)
        assert await list_channels(connection, enabled_only=True) == ()
        stored = await find_model(connection, ModelName("m"))
        assert stored is not None
        assert stored.model.input_modalities == ("text", "image")
        assert (stored.model.priced_as, stored.operations, stored.is_hot) == ("m", ("chat", "embed"), True)
        assert [model.name for model in await list_models(connection)] == ["m"]
        assert len(await list_models(connection, enabled_only=False)) == 2
    async with database.writing() as connection:
        assert await delete_channel(connection, channel, now_ms=3)
        assert not await delete_channel(connection, channel, now_ms=3)


async def test_logs_mix_calls_and_events_newest_first(database: Database) -> None:
    bank = Bank(database)
    owner, other = await bank.owner(money=1_000), await bank.owner(money=1_000)
    worker = Worker(bank)
    for model in ("gpt-4o", "gpt-4o-mini", "gpt_4o%"):
        worker.end(owner, 5, model=model, at_ms=86_400_000 * 2)
    worker.end(other, 7)
    await worker.settle()
    async with database.reading() as connection:

        async def find(**wanted: Any) -> list[str]:
            rows, total = await find_logs(connection, LogFilter(account=owner.account, **wanted))
            assert total == len(rows)
            return [row.model or row.content for row in rows]

        assert await find() == ["topup", "gpt_4o%", "gpt-4o-mini", "gpt-4o"]
        assert await find(type=2, model="gpt-4o*") == ["gpt-4o-mini", "gpt-4o"]
        assert await find(model="gpt-4o") == ["gpt-4o"]
        assert await find(model="gpt_4o%") == ["gpt_4o%"]
        assert await find(model="%") == []
        assert await find(type=1) == ["topup"]
        assert await find(type=9) == []
        assert await find(start_ms=86_400_000 * 3) == ["topup"]
        rows, total = await find_logs(connection, LogFilter(account=owner.account, page=2, page_size=3))
        assert (len(rows), total) == (1, 4)
        assert rows[0].source == "call"


async def test_of_many_pollers_one_moves_a_task(database: Database) -> None:
    """promise 14"""
    new = NewTask(
        task_id="t1", platform="kling", action="video", model="m", account_id=AccountId(1), submit_ms=5, next_poll_ms=7
    )
    async with database.writing() as connection:
        row = await create_task(connection, new, now_ms=5)
        assert [task.task_id for task in await due_tasks(connection, 7)] == ["t1"]
        assert await due_tasks(connection, 6) == ()

    async def finish() -> bool:
        async with database.writing() as connection:
            return await advance_task(connection, row, "NOT_START", now_ms=9, status="SUCCESS", progress=100)

    assert sorted(await asyncio.gather(*(finish() for _ in range(8)))) == [False] * 7 + [True]
    async with database.reading() as connection:
        task = await find_task(connection, "t1")
        assert task is not None
        assert (task.status, task.progress, task.updated_ms) == ("SUCCESS", 100, 9)
        assert len(await list_tasks(connection, TaskFilter(account=AccountId(1), start_ms=5, end_ms=5))) == 1
        assert (
            await list_tasks(connection, TaskFilter(account=AccountId(1), start_ms=0, end_ms=9, status="FAILURE")) == ()
        )
        assert (
            await list_tasks(connection, TaskFilter(account=AccountId(1), start_ms=0, end_ms=9, page=2, page_size=1))
            == ()
        )


async def test_a_repeated_request_gets_the_first_answer(database: Database) -> None:
    answer = idempotency.KeptAnswer(status=201, answer="{}")

    async def post(fingerprint: bytes) -> bool:
        async with database.writing() as connection:
            kept = await idempotency.claim(connection, "a", "k", fingerprint, now_ms=1)
            if kept is None:
                await idempotency.keep(connection, "a", "k", answer)
            else:
                assert kept == answer
            return kept is None

    assert sorted(await asyncio.gather(*(post(b"x") for _ in range(6)))) == [False] * 5 + [True]
    with pytest.raises(idempotency.OtherRequest):
        await post(b"y")
    async with database.writing() as connection:
        await idempotency.forget(connection, 2)
    assert await post(b"y")


async def test_nodes_are_fenced_by_their_boot_and_settings_set_once(database: Database) -> None:
    async with database.writing() as connection:
        await nodes.join(connection, "n", "boot1", "1")
        await nodes.join(connection, "n", "boot2", "1")
        assert not await nodes.beat(connection, "n", "boot1")
        assert await nodes.beat(connection, "n", "boot2")
        assert len(await nodes.lost_nodes(connection, -1_000)) == 1
        assert await nodes.lost_nodes(connection, 60_000) == ()
        await nodes.leave(connection, "n", "boot2")
        assert (await nodes.list_nodes(connection))[0].left_ms is not None
        assert await meta.set_once(connection, "seed", "1", now_ms=1)
        assert not await meta.set_once(connection, "seed", "2", now_ms=1)
        await meta.write_setting(connection, "seed", "3", now_ms=1)
        assert await meta.read_setting(connection, "seed") == "3"
        assert await meta.read_setting(connection, "none") is None
        await changes.note(connection, "snapshot", at_ms=1)
        await changes.forget(connection, 2)
        assert await changes.after(connection, 0) == ()


async def test_an_unreachable_database_is_away(tmp_path: Path) -> None:
    """promise 33"""
    for url in (f"sqlite:///{tmp_path}/none/x.db", "postgresql://nobody@127.0.0.1:1/none"):
        database = open_database(url, DatabaseLimits(connect_s=1.0))
        for way in (database.writing, database.reading):
            with pytest.raises(DatabaseAway):
                async with way() as connection:
                    await connection.execute(text("SELECT 1"))
        await database.close()


async def test_a_mistake_of_ours_is_not_called_away(database: Database) -> None:
    with pytest.raises(Exception, match="nowhere") as raised:
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1 FROM nowhere"))
    assert not isinstance(raised.value, DatabaseAway)


async def test_sqlite_readers_cannot_write_and_writers_take_turns_with_draws_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    await migrate(url)
    database = open_database(url)
    with pytest.raises(DatabaseAway):
        async with database.reading() as connection:
            await connection.execute(text("INSERT INTO counters (name) VALUES ('x')"))
    order: list[str] = []

    async def write(name: str, *, urgent: bool) -> None:
        async with database.writing(urgent=urgent):
            order.append(name)

    async with asyncio.TaskGroup() as group, database.writing():
        group.create_task(write("settlement", urgent=False))
        given_up = group.create_task(write("given up", urgent=False))
        await asyncio.sleep(0)
        group.create_task(write("draw", urgent=True))
        await asyncio.sleep(0.01)
        given_up.cancel()
        assert order == []
    assert order == ["draw", "settlement"]
    await database.close()


async def test_calls_are_found_by_their_tags(database: Database) -> None:
    bank = Bank(database)
    owner, other = await bank.owner(money=1_000), await bank.owner(money=1_000)
    worker = Worker(bank)
    worker.end(owner, 1, model=ModelName("a"), tags=(("session_id", "s1"), ("user", "ann")))
    worker.end(owner, 1, model=ModelName("b"), tags=(("session_id", "s2"), ("user", "ann")))
    worker.end(other, 1, model=ModelName("c"), tags=(("session_id", "s1"), ("plan", "\u0110\u1ed3ng 's1' %")))
    worker.end(owner, 1, model=ModelName("d"))
    assert (await worker.settle()).alarms == ()
    async with database.reading() as connection:

        async def find(name: str, value: str, **wanted: Any) -> list[str]:
            rows, total = await find_logs(connection, LogFilter(tag=(name, value), **wanted))
            assert total == len(rows)
            return [row.model for row in rows]

        assert await find("session_id", "s1", account=owner.account) == ["a"]
        assert await find("session_id", "s1") == ["c", "a"]
        assert await find("user", "ann", account=owner.account) == ["b", "a"]
        assert await find("user", "ann", account=owner.account, model="a", type=2) == ["a"]
        assert await find("user", "ann", account=other.account) == []
        assert await find("user", "s1") == await find("user", "a%") == await find("user", "ann", type=1) == []
        assert await find("plan", "\u0110\u1ed3ng 's1' %") == ["c"]
        newest = await recent_calls(connection, CallFilter(tag=("session_id", "s2")))
        assert [(row.model, row.explained.tags) for row in newest] == [("b", {"session_id": "s2", "user": "ann"})]
