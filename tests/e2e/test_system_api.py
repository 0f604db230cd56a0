"""The System API, field by field, for values that the tests cause and compute by themselves (contract section 4)."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.installation import Installation, serving
from tests.postgres import fresh_database

USER_FIELDS = {
    "access_token", "display_name", "email", "quota", "used_quota", "request_count", "role", "telegram_id", "username",
}  # fmt: skip
KEY_FIELDS = {
    "id", "user_id", "key", "name", "status", "group", "remain_quota", "used_quota", "unlimited_quota", "expired_time",
    "created_time", "accessed_time", "model_limits_enabled", "model_limits", "allow_ips", "DeletedAt",
}  # fmt: skip
LOG_FIELDS = {
    "id", "user_id", "created_at", "type", "content", "username", "token_name", "token_id", "model_name", "quota",
    "prompt_tokens", "completion_tokens", "use_time", "is_stream", "channel", "channel_name", "group", "other",
}  # fmt: skip
MODEL_FIELDS = {
    "id", "model_name", "provider_name", "provider_logo", "category", "endpoint", "docs", "billing_type",
    "price_per_request", "input_price", "output_price", "group_name", "group_ratio", "saving", "saving_details",
    "uptime", "is_deprecation", "is_hot", "is_image", "is_web_access", "quality_api", "avg_time_low", "avg_time_normal",
    "avg_time_high", "throughput", "max_input", "max_output", "knowledge_cutoff", "release_date", "updated_at",
    "alternative_info", "notes", "created_at",
}  # fmt: skip
GPT_4O = (2_500, 10_000)  # nano-dollars per input and output token


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def yescale(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("system") / "home"
    if request.param == "sqlite":
        with serving(home) as running:
            yield running
    else:
        with fresh_database() as url, serving(home, database=url) as running:
            yield running


@pytest.fixture
def account(yescale: Installation) -> dict[str, Any]:
    """A new user with $5, an access key and nothing else."""
    name = f"user{time.time_ns()}"
    made = yescale.admin("user", "create", "--name", name)
    yescale.admin("topup", "--user", name, "--usd", "4")
    return {"username": name, "access_key": made["access_key"], "id": made["id"]}


def make_key(yescale: Installation, account: dict[str, Any], *words: str) -> dict[str, Any]:
    return yescale.admin("key", "create", "--user", account["username"], *words)


def chat(yescale: Installation, key: str, text: str = "Say hello.", **more: Any) -> httpx.Response:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "max_tokens": 50} | more
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{yescale.base_url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def cost_of(usage: dict[str, Any], prices: tuple[int, int] = GPT_4O) -> int:
    return usage["prompt_tokens"] * prices[0] + usage["completion_tokens"] * prices[1]


def quota(nano: int) -> int:
    return (2 * nano + 2_000) // 4_000


def read(yescale: Installation, account: dict[str, Any], path: str) -> Any:
    answer = yescale.system("GET", path, access_key=account["access_key"])
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["success"], told["message"]) == (True, "")
    return told["data"]


def test_user_shows_what_the_calls_left(yescale: Installation, account: dict[str, Any]) -> None:
    key = make_key(yescale, account, "--unlimited")["key"]
    costs = [cost_of(chat(yescale, key, "x" * size).json()["usage"]) for size in (10, 400, 3000)]
    told = read(yescale, account, "/yescale/user")
    assert set(told) == USER_FIELDS
    left = (5_000_000_000 - sum(costs)) // 2_000
    assert (told["quota"], told["used_quota"], told["request_count"]) == (left, 2_500_000 - left, 3)
    assert (told["username"], told["role"], told["telegram_id"]) == (account["username"], 1, "")
    assert account["access_key"] not in json.dumps(told)


def test_a_key_row_shows_what_is_left_of_its_limit(yescale: Installation, account: dict[str, Any]) -> None:
    made = make_key(yescale, account, "--name", "limited", "--quota", "100000")
    free = make_key(yescale, account, "--name", "free", "--unlimited")
    before = int(time.time())
    cost = cost_of(chat(yescale, made["key"]).json()["usage"])
    rows = {row["name"]: row for row in read(yescale, account, "/yescale/apikeylist")}
    assert set(rows) == {"limited", "free"}
    row = rows["limited"]
    assert set(row) == KEY_FIELDS
    assert row["id"] == made["id"]
    assert row["user_id"] == account["id"]
    assert row["key"] == made["key"][:7] + "*" * 10 + made["key"][-4:]
    assert row["remain_quota"] == (200_000_000 - cost) // 2_000
    assert row["remain_quota"] + row["used_quota"] == 100_000
    assert (row["status"], row["unlimited_quota"], row["expired_time"], row["DeletedAt"]) == (1, False, -1, None)
    assert before - 1 <= row["accessed_time"] <= time.time() + 1
    assert before - 60 <= row["created_time"] <= time.time() + 1
    assert (row["model_limits_enabled"], row["model_limits"], row["allow_ips"]) == (False, "", "")
    assert rows["free"]["unlimited_quota"] is True
    assert [r["name"] for r in read(yescale, account, "/yescale/apikeylist?keyword=limi")] == ["limited"]
    assert read(yescale, account, "/yescale/apikeylist?keyword=%25") == []
    assert [r["id"] for r in read(yescale, account, f"/yescale/apikeylist?token={free['key'][-4:]}")] == [free["id"]]


def test_a_deleted_key_stops_within_a_second(yescale: Installation, account: dict[str, Any]) -> None:
    made = make_key(yescale, account, "--unlimited")
    assert chat(yescale, made["key"]).status_code == 200
    answer = yescale.system("DELETE", f"/yescale/deletekey/{made['id']}", access_key=account["access_key"])
    assert (answer.status_code, answer.json()) == (200, {"message": "", "success": True})
    time.sleep(1)
    refused = chat(yescale, made["key"])
    assert refused.status_code == 401
    assert read(yescale, account, "/yescale/apikeylist") == []
    again = yescale.system("DELETE", f"/yescale/deletekey/{made['id']}", access_key=account["access_key"])
    assert (again.status_code, again.json()["success"]) == (404, False)


def test_editquota_sets_the_limit_and_revives_an_exhausted_key(yescale: Installation, account: dict[str, Any]) -> None:
    made = make_key(yescale, account, "--quota", "400")
    path = f"/yescale/editquota/{made['id']}"

    def put(body: Any) -> httpx.Response:
        return yescale.system("PUT", path, access_key=account["access_key"], json=body)

    told = put({"remain_quota": 0})
    assert told.status_code == 200
    assert told.json()["data"]["remain_quota"] == 0
    time.sleep(1)
    refused = chat(yescale, made["key"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "key_exhausted")
    assert put({"remain_quota": 50_000_000}).json()["data"]["remain_quota"] == 50_000_000
    time.sleep(1)
    assert chat(yescale, made["key"]).status_code == 200
    assert put({"remain_quota": 2**53}).json()["data"]["remain_quota"] == 2**53
    for wrong in (
        {},
        {"remain_quota": -1},
        {"remain_quota": 1.5},
        {"remain_quota": "7"},
        {"remain_quota": 2**53 + 1},
        [],
    ):
        answer = put(wrong)
        assert (answer.status_code, answer.json()["success"]) == (400, False), wrong


def test_a_log_row_explains_the_call(yescale: Installation, account: dict[str, Any]) -> None:
    key = make_key(yescale, account, "--name", "logger", "--unlimited")
    started = int(time.time())
    answer = chat(yescale, key["key"])
    usage = answer.json()["usage"]
    streamed = chat(yescale, key["key"], model="gpt-4o-mini", stream=True, stream_options={"include_usage": True})
    told = read(yescale, account, "/yescale/logs?type=2")
    assert (told["total"], told["page"], told["page_size"]) == (2, 1, 10_000)
    mini, row = told["items"]
    assert set(row) >= LOG_FIELDS
    assert (row["model_name"], row["token_name"], row["token_id"]) == ("gpt-4o", "logger", key["id"])
    assert (row["prompt_tokens"], row["completion_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert row["quota"] == quota(cost_of(usage))
    assert (row["type"], row["is_stream"], row["username"], row["user_id"]) == (
        2,
        False,
        account["username"],
        account["id"],
    )
    assert row["channel_name"] == ""
    assert started - 1 <= row["created_at"] <= time.time() + 1
    assert isinstance(row["use_time"], int)
    other = json.loads(row["other"])
    assert (other["model_ratio"], other["completion_ratio"], other["group_ratio"]) == (1.25, 4, 1)
    assert other["model_price"] == -1
    assert other["frt"] == -1000
    assert row["request_id"] == answer.headers["x-request-id"] == answer.headers["X-Oneapi-Request-Id"]
    chunks = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    assert (mini["model_name"], mini["is_stream"]) == ("gpt-4o-mini", True)
    assert mini["quota"] == quota(cost_of(chunks[-1]["usage"], (150, 600)))
    assert json.loads(mini["other"])["frt"] >= 0


def test_logs_filter_and_page(yescale: Installation, account: dict[str, Any]) -> None:
    one, two = (
        make_key(yescale, account, "--name", "one", "--unlimited"),
        make_key(yescale, account, "--name", "two", "--unlimited"),
    )
    for key, model in ((one, "gpt-4o"), (one, "gpt-4o-mini"), (two, "gpt-4o-mini")):
        assert chat(yescale, key["key"], model=model).status_code == 200

    def models(query: str) -> list[str]:
        return [row["model_name"] for row in read(yescale, account, f"/yescale/logs?type=2&{query}")["items"]]

    assert models("") == ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]
    assert models("token_name=two") == ["gpt-4o-mini"]
    assert models("model_name=gpt-4o") == ["gpt-4o"]
    assert models("model_name=gpt-4o*") == ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]
    assert models("model_name=gpt-4%25") == []
    assert models("p=2&page_size=2") == ["gpt-4o"]
    assert models(f"end_timestamp={int(time.time()) - 3600}") == []
    for wrong in ("page_size=0", "page_size=10001", "p=x", "type=x", "start_timestamp=x"):
        answer = yescale.system("GET", f"/yescale/logs?{wrong}", access_key=account["access_key"])
        assert (answer.status_code, answer.json()["success"]) == (400, False), wrong
        assert wrong.partition("=")[0] in answer.json()["message"]


def test_tasks_need_both_timestamps(yescale: Installation, account: dict[str, Any]) -> None:
    assert read(yescale, account, "/yescale/task?start_timestamp=0&end_timestamp=9999999999") == []
    for wrong in ("", "?start_timestamp=0", "?end_timestamp=5", "?start_timestamp=a&end_timestamp=5"):
        answer = yescale.system("GET", f"/yescale/task{wrong}", access_key=account["access_key"])
        assert (answer.status_code, answer.json()["success"]) == (400, False)


def test_the_catalogue_shows_prices_and_savings(yescale: Installation, account: dict[str, Any]) -> None:
    rows = {row["model_name"]: row for row in read(yescale, account, "/yescale/models")}
    assert read(yescale, account, "/yescale/models/list") == list(rows.values())
    assert all(set(row) == MODEL_FIELDS for row in rows.values())
    imagen = rows["imagen4-fast"]
    assert (imagen["saving"], imagen["price_per_request"], imagen["billing_type"]) == (
        23.08,
        "0.04 ~ 400 VND",
        "pay-per-request",
    )
    assert (imagen["group_name"], imagen["group_ratio"]) == ("drawing", 1.25)
    gpt = rows["gpt-4o"]
    assert (gpt["billing_type"], gpt["input_price"], gpt["output_price"]) == ("pay-per-token", 2.5, 10)
    assert gpt["endpoint"] == "/v1/chat/completions"


@pytest.mark.parametrize(
    "path",
    [
        "/yescale/user",
        "/yescale/apikeylist",
        "/yescale/logs",
        "/yescale/models",
        "/yescale/task?start_timestamp=0&end_timestamp=1",
    ],
)
def test_only_the_access_key_opens_the_system_api(yescale: Installation, account: dict[str, Any], path: str) -> None:
    api_key = make_key(yescale, account, "--unlimited")["key"]
    for header in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {api_key}"},
        {"Authorization": ""},
    ):
        answer = httpx.get(yescale.base_url + path, headers=header, timeout=30)
        assert answer.status_code == 401, header
        assert answer.json()["success"] is False
        assert answer.json()["message"]


def test_someone_elses_key_is_unknown(yescale: Installation, account: dict[str, Any]) -> None:
    other = yescale.admin("user", "create", "--name", f"{account['username']}b")
    key = make_key(yescale, account, "--unlimited")
    for method, path, more in (
        ("DELETE", f"/yescale/deletekey/{key['id']}", {}),
        ("PUT", f"/yescale/editquota/{key['id']}", {"json": {"remain_quota": 1}}),
    ):
        answer = yescale.system(method, path, access_key=other["access_key"], **more)
        assert (answer.status_code, answer.json()["success"]) == (404, False)
    assert chat(yescale, key["key"]).status_code == 200


def test_a_disabled_account_is_refused_on_both_planes(yescale: Installation, account: dict[str, Any]) -> None:
    key = make_key(yescale, account, "--unlimited")
    assert chat(yescale, key["key"]).status_code == 200
    yescale.admin("user", "disable", account["username"])
    time.sleep(1)
    refused = chat(yescale, key["key"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "account_disabled")
    assert yescale.system("GET", "/yescale/user", access_key=account["access_key"]).status_code == 403


def test_a_call_that_the_balance_cannot_pay_is_refused_and_says_what_is_missing(
    yescale: Installation, account: dict[str, Any]
) -> None:
    key = make_key(yescale, account, "--unlimited")
    before = yescale.last_arrival()
    refused = chat(yescale, key["key"], max_tokens=16_000, n=64)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["type"]) == (402, "insufficient_balance", "insufficient_quota")
    assert error["available_quota"] == 2_500_000
    assert error["min_required_quota"] >= 16_000 * 64 * 17 // 2
    assert error["min_required_credit"].startswith("$17.")  # at the priority tier, its dearest
    assert yescale.arrived(before) == []


def test_the_books_balance_after_all_this(yescale: Installation) -> None:
    assert yescale.admin("ledger", "verify")["ok"] is True
