"""Channels as operators see them: their health from the workers' words, small real calls, where a call would go."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.control.house import House, bearer, enter_house
from yescale.control.operations import OperationRefused
from yescale.domain.ids import ChannelId
from yescale.domain.snapshot import fingerprint
from yescale.store.channels import find_channel
from yescale.tuning import ControlSettings

GOOD, BAD = "sk-good-secret", "sk-bad-secret"
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}], "usage": {}}


class Provider:
    """Takes only some secrets; `heard` are its requests."""

    def __init__(self) -> None:
        self.good = {GOOD}
        self.heard: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length"))
        self.heard.append(head + await reader.readexactly(length))
        works = any(secret.encode() in head for secret in self.good)
        body = json.dumps(ANSWER if works else {"error": {"message": f"no such key: {BAD}"}}).encode()
        status = b"200 OK" if works else b"401 Unauthorized"
        writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
        writer.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def add(house: House, far: Provider, *secrets: str, **more: Any) -> int:
    fields = {
        "name": "c", "provider": "openai_compatible", "base_url": f"http://127.0.0.1:{far.port}/v1",
        "secrets": secrets, "models": {"gpt-4o": "theirs"}, "groups": ("default",),
    } | more  # fmt: skip
    return (await house.operate("channel add", **fields))["id"]


async def operator(house: House) -> dict[str, str]:
    made = await house.operate("user create", username="op", role=10)
    return bearer(made["access_key"])


async def until(true: Callable[[], Awaitable[object]]) -> None:
    for _ in range(200):
        if await true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came true")


# --- small real calls


async def test_a_channel_is_tried_with_each_of_its_secrets(house: House, provider: Provider) -> None:
    channel = await add(house, provider, GOOD, BAD)
    shown = await house.operate("channel test", id=channel)
    assert (shown["ok"], shown["model"], shown["upstream_model"]) == (False, "gpt-4o", "theirs")
    assert [(each["secret"], each["ok"], each["status"]) for each in shown["secrets"]] == [
        (1, True, 200),
        (2, False, 401),
    ]
    assert shown["secrets"][1]["error"] == "no such key: ***"
    assert all(each["ms"] >= 0 for each in shown["secrets"])
    assert b'"model":"theirs"' in provider.heard[0].replace(b" ", b"")
    answer = await house.client.post(f"/api/v1/channels/{channel}/test", headers=await operator(house))
    assert (answer.status_code, answer.json()["ok"], answer.json()["object"]) == (200, False, "channel_trial")


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"id": 999}, "There is no channel 999"), ({"model": "nothing"}, "serves no model 'nothing'")],
)
async def test_a_test_of_nothing_is_refused(house: House, provider: Provider, asked: dict[str, Any], why: str) -> None:
    channel = await add(house, provider, GOOD)
    with pytest.raises(OperationRefused, match=why):
        await house.operate("channel test", **{"id": channel} | asked)
    answer = await house.client.post("/api/v1/channels/999/test", headers=await operator(house))
    assert answer.status_code == 400
    assert provider.heard == []


async def test_a_provider_that_is_not_there_is_told(house: House, provider: Provider) -> None:
    channel = await add(house, provider, GOOD, base_url="http://127.0.0.1:1/v1")
    (tried,) = (await house.operate("channel test", id=channel))["secrets"]
    assert (tried["ok"], tried["status"], tried["error"]) == (False, 0, "refused")


# --- what is kept secret


async def test_headers_and_proxy_are_encrypted_and_shown_without_what_they_hold(
    house: House, provider: Provider
) -> None:
    secret = "hush-hush-value"
    channel = await add(
        house, provider, GOOD, headers={"X-Key": secret}, proxy=f"http://ada:{secret}@10.0.0.1:8080",
        body={"set": {"temperature": 1}, "remove": ["user"]},
    )  # fmt: skip
    async with house.context.database.reading() as connection:
        row = await find_channel(connection, ChannelId(channel))
    assert row is not None
    assert row.headers == {}
    assert secret.encode() not in (row.sealed or b"")
    (shown,) = [each for each in await house.operate("channel list") if each["id"] == channel]
    assert secret not in json.dumps(shown)
    assert (shown["headers"], shown["proxy"]) == (["X-Key"], "http://10.0.0.1:8080")
    assert shown["body"] == {"set": ["temperature"], "default": [], "remove": ["user"]}
    await house.operate("channel edit", id=channel, proxy="")
    worn = next(each for each in house.context.snapshot().channels if each.id == channel)
    assert (worn.headers, worn.proxy) == ({"X-Key": secret}, "")


async def test_headers_that_an_older_version_stored_in_clear_are_encrypted_at_the_next_start(database_url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="yescale-") as folder:
        async with enter_house(Path(folder), database_url) as house:
            channel = ChannelId(1)
            async with house.context.database.writing() as connection:
                await connection.exec_driver_sql('UPDATE channels SET headers = \'{"X-Key": "old"}\' WHERE id = 1')
        async with enter_house(Path(folder), database_url) as house:
            async with house.context.database.reading() as connection:
                row = await find_channel(connection, channel)
            assert row is not None
            assert row.headers == {}
            assert next(c for c in house.context.snapshot().channels if c.id == 1).headers == {"X-Key": "old"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"proxy": "socks5://a"}, {"max_attempts": -1}, {"total_s": -1}, {"body": {"set": {"model": "dearer"}}},
        {"body": {"remove": ["max_tokens"]}}, {"body": {"set": {"a": 1}, "remove": ["a"]}},
        {"body": {"set": {"a": "x" * 20_000}}}, {"models": {"a*b": "c"}}, {"models": {"a": "c*"}},
        {"models": {"a*": "c**"}},
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(house: House, provider: Provider, wrong: dict[str, Any]) -> None:
    with pytest.raises(OperationRefused):
        await add(house, provider, GOOD, **wrong)


# --- health


def felt(channel: int, rest_s: float = 0.0, **secrets: float) -> dict[str, Any]:
    """What a worker says; `secrets`: since when they are refused."""
    rests = [
        {"fingerprint": fingerprint(name), "status": 401, "rest_s": 30.0, "since_s": since}
        for name, since in secrets.items()
    ]
    fields = {"channel": channel, "rest_s": rest_s, "secrets": rests, "speeds": {"theirs": 0.25}, "failures": 3}
    return {"type": "felt", "channels": [fields]}


async def shown(house: House, channel: int) -> dict[str, Any]:
    return next(each for each in await house.operate("channel list") if each["id"] == channel)


async def test_the_list_shows_what_workers_say_until_they_leave(house: House, provider: Provider) -> None:
    channel = await add(house, provider, "a", "b")
    first, second = await house.worker(), await house.worker()
    second.send({"type": "felt", "channels": []})
    first.send(felt(channel, 40.0, a=5.0))

    async def rests() -> bool:
        return bool((await shown(house, channel))["resting_secrets"])

    await until(rests)
    seen = await shown(house, channel)
    assert (seen["resting_s"], seen["first_byte_ms"]) == (0.0, {"theirs": 250}), "the other worker sends calls there"
    second.send(felt(channel, 20.0, a=9.0))

    async def rests_everywhere() -> bool:
        return 15.0 < (await shown(house, channel))["resting_s"] <= 20.0

    await until(rests_everywhere)
    await first.close()
    await second.close()

    async def forgotten() -> bool:
        return not (await shown(house, channel))["resting_secrets"]

    await until(forgotten)


@asynccontextmanager
async def watchful(database_url: str) -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="yescale-") as folder:
        control = ControlSettings(guard_s=0.05, refused_s=60.0, probe_s=0.2, settle_s=0.02)
        async with enter_house(Path(folder), database_url, control=control) as house:
            yield house


async def test_a_channel_whose_every_secret_is_refused_is_disabled_and_comes_back_when_one_works(
    database_url: str, provider: Provider
) -> None:
    async with watchful(database_url) as house:
        channel = await add(house, provider, "sk-first-one", "sk-second-one")
        worker = await house.worker()
        worker.send(felt(channel, **{"sk-first-one": 90.0}))
        await asyncio.sleep(0.3)
        assert (await shown(house, channel))["enabled"], "one of them may work"
        worker.send(felt(channel, **{"sk-first-one": 90.0, "sk-second-one": 59.0}))
        await asyncio.sleep(0.3)
        assert (await shown(house, channel))["enabled"], "not for long enough"
        worker.send(felt(channel, **{"sk-first-one": 90.0, "sk-second-one": 61.0}))

        async def disabled() -> bool:
            return channel not in {each.id for each in house.context.snapshot().channels}

        await until(disabled)
        assert "401" in (await shown(house, channel))["refused"]
        await worker.close()
        await until(lambda: asyncio.sleep(0, provider.heard))
        assert not (await shown(house, channel))["enabled"], "a probe that is refused changes nothing"
        provider.good.add("sk-second-one")

        async def enabled() -> bool:
            return channel in {each.id for each in house.context.snapshot().channels}

        await until(enabled)
        seen = await shown(house, channel)
        assert (seen["enabled"], seen["refused"]) == (True, "")


async def test_the_operator_may_enable_it_too_and_one_that_the_operator_disabled_is_not_probed(
    database_url: str, provider: Provider
) -> None:
    async with watchful(database_url) as house:
        channel = await add(house, provider, GOOD)
        await house.operate("channel disable", id=channel)
        await asyncio.sleep(0.6)
        assert provider.heard == []
        assert not (await shown(house, channel))["enabled"]
        await house.operate("channel enable", id=channel)
        assert (await shown(house, channel))["enabled"]


# --- where a call would go


async def test_a_route_is_explained_channel_by_channel(house: House, provider: Provider) -> None:
    await house.operate("group set", name="vip", ratio="1")
    native = await add(house, provider, GOOD, provider="openai", priority=5)
    foreign = await add(house, provider, GOOD, provider="anthropic", priority=5)
    vip = await add(house, provider, GOOD, groups=("vip",))
    off = await add(house, provider, GOOD)
    wide = await add(house, provider, GOOD, models={"gpt-*": "theirs-*"}, priority=-1)
    mute = await add(house, provider, GOOD, provider="jina")
    await house.operate("channel disable", id=off)
    await house.operate("model edit", name="gpt-4o", fallbacks=["gpt-4o-mini"])
    worker = await house.worker()
    worker.send(felt(foreign, 50.0))
    await asyncio.sleep(0.2)
    headers = await operator(house)
    answer = await house.client.get("/api/v1/routes/explain", params={"model": "gpt-4o"}, headers=headers)
    route = answer.json()
    places = {place["channel"]: place for place in route["places"]}
    assert (route["priced"], route["operation"]) == (True, "chat")
    assert route["fallbacks"] == [{"model": "gpt-4o-mini", "served": True}]
    assert [(places[each]["tier"], places[each]["native"]) for each in (native, foreign)] == [(1, True), (2, False)]
    assert places[wide]["tier"] == max(place["tier"] for place in route["places"])
    assert places[wide]["upstream_model"] == "theirs-4o"
    whys = {each: places[each]["why_not"] for each in (native, vip, off, mute, wide)}
    assert whys == {
        native: "", vip: "not open to the group 'default'", off: "disabled", wide: "",
        mute: "its provider does not do 'chat'",
    }  # fmt: skip
    assert places[foreign]["why_not"].startswith("rests for ")
    assert GOOD not in answer.text


async def test_a_route_of_nothing_is_not_found(house: House) -> None:
    headers = await operator(house)
    answer = await house.client.get("/api/v1/routes/explain", params={"model": "nothing"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert (await house.client.get("/api/v1/routes/explain", headers=headers)).status_code == 400


# --- models that stand behind models


async def test_aliases_and_fallbacks_are_the_operators(house: House) -> None:
    await house.operate("model add", name="mine", alias_of="gpt-4o", fallbacks=["gpt-4o-mini"])
    (row,) = [each for each in await house.operate("model list") if each["name"] == "mine"]
    assert (row["alias_of"], row["priced_as"], row["fallbacks"]) == ("gpt-4o", "gpt-4o", ["gpt-4o-mini"])
    for wrong in (
        {"alias_of": "nothing"}, {"alias_of": "mine"}, {"alias_of": "gpt-4o", "name": "gpt-4o"},
        {"fallbacks": ["nothing"]}, {"fallbacks": ["gpt-4o"] * 9},
    ):  # fmt: skip
        with pytest.raises(OperationRefused):
            await house.operate("model edit", **{"name": "gpt-4o-mini"} | wrong)
