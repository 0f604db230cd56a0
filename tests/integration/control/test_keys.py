"""Keys as people use them: two secrets for a while, secrets from elsewhere, and `/api/v1/keys`."""

import hashlib
import hmac
import logging
from typing import Any

import httpx
import pytest

from tests.integration.control.house import House, bearer
from tests.integration.control.worker import RawWorker
from yescale.control.operations import OperationRefused

OLD = "sk-" + "Canary7" * 6 + "abcdef"
FILE = f"""key,name,group,quota,expires_at,models,allow_ips
{OLD},from before,claude,500000,4102444800,gpt-4o*;o1,10.0.0.0/8 ::1
{"b" * 48},,,,,,
"""


async def known(worker: RawWorker, secret: str) -> dict[str, Any] | None:
    """What control tells a worker of a key."""
    welcome = await worker.next("welcome")
    hashed = hmac.digest(welcome["key_pepper"], secret.removeprefix("sk-").encode(), hashlib.sha256)
    before = sum(message["type"] == "key" for message in worker.received)
    return (await worker.ask_key(hashed, before + 1))["key"]


def hash_of(welcome: dict[str, Any], secret: str) -> bytes:
    return hmac.digest(welcome["key_pepper"], secret.removeprefix("sk-").encode(), hashlib.sha256)


async def ask(house: House, method: str, path: str = "", access_key: str | None = None, **body: Any) -> httpx.Response:
    headers = bearer(access_key or house.note["access_key"])
    params = body.pop("params", None)
    return await house.client.request(
        method,
        f"/api/v1/keys{path}",
        headers=headers,
        params=params,
        json=body if method in {"POST", "PATCH"} else None,
    )


async def make(house: House, **body: Any) -> dict[str, Any]:
    answer = await ask(house, "POST", **{"name": "k"} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


# --- rotation


async def test_two_secrets_are_the_same_key_until_the_overlap_ends(house: House) -> None:
    worker = await house.worker()
    made = await make(house)
    rotated = (await ask(house, "POST", f"/{made['id']}/rotate", overlap_s=3_600)).json()
    assert rotated["secret"] != made["secret"]
    old, new = await known(worker, made["secret"]), await known(worker, rotated["secret"])
    assert old is not None
    assert new is not None
    assert (old["id"], new["id"], new["expires_at"]) == (made["id"], made["id"], -1)
    assert old["expires_at"] == rotated["old_until"]
    assert {name for name in old if old[name] != new[name]} == {"expires_at"}
    again = (await ask(house, "POST", f"/{made['id']}/rotate")).json()
    assert await known(worker, made["secret"]) is None  # two live ones, not three
    assert await known(worker, rotated["secret"]) is not None
    assert await known(worker, again["secret"]) is not None


async def test_without_an_overlap_the_old_secret_stops_at_once(house: House) -> None:
    worker = await house.worker()
    made = await make(house)
    rotated = await house.operate("key rotate", id=made["id"], overlap_s=0)
    assert await known(worker, made["secret"]) is None
    assert await known(worker, rotated["key"]) is not None
    changed = await worker.next("changed", worker.count("changed") or 1)
    assert hash_of(await worker.next("welcome"), made["secret"]) in changed["hashes"]


@pytest.mark.parametrize("change", ["delete", "disable", "quota"])
async def test_a_change_of_a_key_is_told_for_both_of_its_secrets(house: House, change: str) -> None:
    """Deleted or disabled, both stop within a second: whoever remembers one of them hears of it."""
    worker = await house.worker()
    made = await make(house)
    rotated = (await ask(house, "POST", f"/{made['id']}/rotate")).json()
    before = worker.count("changed")
    if change == "delete":
        assert (await ask(house, "DELETE", f"/{made['id']}")).json()["deleted"] is True
    else:
        body: dict[str, Any] = {"enabled": False} if change == "disable" else {"quota": 5}
        assert (await ask(house, "PATCH", f"/{made['id']}", **body)).status_code == 200
    changed = await worker.next("changed", before + 1, timeout_s=1.0)
    welcome = await worker.next("welcome")
    assert {hash_of(welcome, made["secret"]), hash_of(welcome, rotated["secret"])} <= set(changed["hashes"])
    for secret in (made["secret"], rotated["secret"]):
        record = await known(worker, secret)
        assert record is None if change == "delete" else record is not None
        if change == "disable":
            assert record is not None
            assert record["status"] == 2


# --- import


async def test_keys_from_elsewhere_go_on_working_and_a_repetition_changes_nothing(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await house.worker()
    with caplog.at_level(logging.DEBUG):
        made = await house.operate("key import", username="demo", text=FILE)
        again = await house.operate("key import", username="demo", text=FILE)
    assert [row["new"] for row in made] == [True, True]
    assert [row["new"] for row in again] == [False, False]
    assert [row["id"] for row in made] == [row["id"] for row in again]
    assert "Canary7" * 2 not in caplog.text + str(made)
    record = await known(worker, OLD)
    assert record is not None
    assert (record["name"], record["group"], record["expires_at"]) == ("from before", "claude", 4_102_444_800)
    assert (record["models"], record["allow_ips"]) == (["gpt-4o*", "o1"], ["10.0.0.0/8", "::1"])
    assert record["limited"] is True
    plain = await known(worker, "sk-" + "b" * 48)
    assert plain is not None
    assert (plain["group"], plain["limited"], plain["models"]) == ("default", False, None)
    (row,) = [row for row in (await house.get("apikeylist")).json()["data"] if row["name"] == "from before"]
    assert (row["remain_quota"], row["key"]) == (500_000, f"sk-{OLD[3:7]}{'*' * 10}{OLD[-4:]}")
    assert (await house.client.get("/v1/dashboard/billing/usage", headers=bearer("b" * 48))).status_code == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sk-short", "line 1: a key is"),
        (f"{OLD}\nsk-{'x' * 30}!", "line 2: a key is"),
        (f"key,colour\n{OLD},red", "text: its columns"),
        (f"key,quota\n{OLD},much", "line 2: quota and expires_at"),
        (f"key,quota\n{OLD},-1", "line 2: quota"),
        (f"key,group\n{OLD},nowhere", "line 2: group"),
        (f"key,expires_at\n{OLD},5", "line 2: expired_time"),
        (f"key,allow_ips\n{OLD},home", "line 2: allow_ips"),
    ],
)
async def test_a_file_with_a_mistake_is_refused_whole_and_not_repeated(house: House, text: str, said: str) -> None:
    with pytest.raises(OperationRefused) as refused:
        await house.operate("key import", username="demo", text=f"{text}\n")
    assert str(refused.value).startswith(said)
    assert "Canary7" * 2 not in str(refused.value)
    assert await known(await house.worker(), OLD) is None


async def test_a_key_of_another_account_or_one_deleted_is_not_taken_over(house: House) -> None:
    await house.operate("user create", username="mallory")
    await house.operate("key import", username="demo", text=OLD)
    with pytest.raises(OperationRefused, match="another account"):
        await house.operate("key import", username="mallory", text=OLD)
    (row,) = [row for row in await house.operate("key list", username="demo") if row["name"] == "imported 1"]
    await house.operate("key delete", id=row["id"])
    with pytest.raises(OperationRefused, match="was deleted"):
        await house.operate("key import", username="demo", text=OLD)


# --- /api/v1/keys

TERMS: dict[str, Any] = {
    "group": "auto", "groups": ["claude", "default"], "models": ["gpt-4o*"], "allow_ips": ["10.0.0.0/8"],
    "operations": ["chat"], "max_output": 500, "tags": {"feature": "search"}, "quota": 1_000,
}  # fmt: skip


async def test_a_key_is_made_read_changed_and_deleted(house: House) -> None:
    worker = await house.worker()
    made = await make(house, **TERMS)
    assert {name: made[name] for name in TERMS} == TERMS
    record = await known(worker, made["secret"])
    assert record is not None
    assert {name: record[name] for name in ("groups", "operations", "max_output", "models")} == {
        name: TERMS[name] for name in ("groups", "operations", "max_output", "models")
    }
    assert record["tags"] == [["feature", "search"]]
    path = f"/{made['id']}"
    changed = (
        await ask(house, "PATCH", path, operations=None, models=None, max_output=0, quota=None, name="new")
    ).json()
    assert (changed["operations"], changed["models"], changed["max_output"]) == (None, None, 0)
    assert (changed["quota"], changed["name"], changed["tags"]) == (None, "new", {"feature": "search"})
    assert (await ask(house, "GET", path)).json() == changed
    assert "secret" not in changed
    assert (await ask(house, "DELETE", path)).json() == {"object": "api_key", "id": made["id"], "deleted": True}
    assert (await ask(house, "GET", path)).status_code == 404
    assert await known(worker, made["secret"]) is None


async def test_auto_keys_that_name_no_groups_get_the_installations(house: House) -> None:
    worker = await house.worker()
    record = await known(worker, (await make(house, group="auto"))["secret"])
    assert record is not None
    assert record["groups"] == ["default"]
    plain = await known(worker, (await make(house, groups=["claude"]))["secret"])
    assert plain is not None
    assert plain["groups"] == []


async def test_keys_are_listed_newest_first_in_pages(house: House) -> None:
    made = [(await make(house, name=f"k{n}"))["id"] for n in range(5)]
    first = (await ask(house, "GET", params={"limit": 2})).json()
    assert ([row["id"] for row in first["data"]], first["has_more"]) == ([made[4], made[3]], True)
    rest = (await ask(house, "GET", params={"limit": 10, "after": made[3]})).json()
    assert [row["id"] for row in rest["data"]][:3] == [made[2], made[1], made[0]]
    assert rest["has_more"] is False


async def test_nobody_but_operators_sees_or_touches_another_accounts_keys(house: House) -> None:
    other = await house.operate("user create", username="other")
    foreign = await house.operate("key create", username="other", name="theirs")
    path = f"/{foreign['id']}"
    for method, tail, body in (
        ("GET", "", {}),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", {}),
        ("POST", "/rotate", {}),
    ):
        answer = await ask(house, method, path + tail, **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "key_not_found"), method
    for answer in (
        await ask(house, "GET", params={"account": 0}),
        await ask(house, "POST", name="x", account=1),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "operators_only")
    root = (await house.operate("user access-key", username="root"))["access_key"]
    everyone = (await ask(house, "GET", access_key=root, params={"account": 0})).json()["data"]
    account = next(row["account"] for row in everyone if row["id"] == foreign["id"])
    assert {row["account"] for row in everyone} > {account}
    assert (await ask(house, "PATCH", path, access_key=root, name="renamed")).json()["name"] == "renamed"
    assert (await make_for(house, root, account))["account"] == account
    assert other["username"] == "other"


async def make_for(house: House, access_key: str, account: int) -> dict[str, Any]:
    return (await ask(house, "POST", access_key=access_key, name="given", account=account)).json()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"group": "nowhere"}, "group"),
        ({"group": "auto", "groups": ["default", "nowhere"]}, "group"),
        ({"groups": []}, "groups"),
        ({"operations": ["dance"]}, "operations"),
        ({"operations": []}, "operations"),
        ({"tags": {"colour": "red"}}, "tags"),
        ({"tags": {"plan": ""}}, "tags"),
        ({"allow_ips": ["home"]}, "allow_ips"),
        ({"max_output": -1}, "max_output"),
        ({"quota": -1}, "quota"),
        ({"name": ""}, "name"),
        ({"role": 100}, "role"),
        ({"account_id": 1}, "account_id"),
    ],
)
async def test_what_does_not_fit_is_named(house: House, body: dict[str, Any], param: str) -> None:
    answers = [await ask(house, "POST", **{"name": "k"} | body)]
    (row,) = (await ask(house, "GET")).json()["data"]
    answers.append(await ask(house, "PATCH", f"/{row['id']}", **body))
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_createkey_takes_the_same_terms(house: House) -> None:
    worker = await house.worker()
    body = {
        "name": "t",
        "group": "auto",
        "groups": ["claude"],
        "operations": ["chat"],
        "max_output": 9,
        "tags": {"plan": "x"},
    }
    made = (await house.call("POST", "createkey", json=body)).json()["data"]
    record = await known(worker, made["full_key"])
    assert record is not None
    assert (record["groups"], record["operations"], record["max_output"]) == (["claude"], ["chat"], 9)
    assert record["tags"] == [["plan", "x"]]
