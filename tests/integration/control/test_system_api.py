"""The System API field by field: every value is caused by the test and computed here, not by the code under test."""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from tests.integration.control.house import House, bearer
from tests.integration.control.parties import check_books
from tests.integration.control.worker import RawJournal, new_call_id, new_incarnation
from yescale.control.operations.refusals import OperationRefused
from yescale.store.tables import tasks


def tokens(read: int, written: int, input_nano: int, output_nano: int) -> list[tuple[str, int, int, int]]:
    """Tokens and their prices in nano-dollars each."""
    million = 10**6
    return [
        ("input_tokens", read, million, input_nano * million),
        ("output_tokens", written, million, output_nano * million),
    ]


GOLDEN = [  # contract 3.3: model, group ratio in millionths, (meter, count, per, price), quota
    ("gpt-4o", 1_000_000, tokens(9, 12, 2_500, 10_000), 71),
    ("gpt-4o-mini", 1_500_000, tokens(1000, 500, 150, 600), 338),
    ("claude-3-5-sonnet-20241022", 1_750_000, tokens(100, 50, 3_000, 15_000), 919),
    ("imagen4-fast", 1_250_000, [("requests", 1, 1, 40_000_000)], 25_000),
    ("tts-1", 1_000_000, [("characters", 11, 10**6, 15_000 * 10**6)], 83),
    ("whisper-1", 1_000_000, [("seconds", 60, 60, 30_000_000)], 15_000),
    ("text-embedding-3-small", 1_000_000, tokens(8, 0, 20, 0), 0),
]


class Calls:
    """Calls of the demo key, written into a journal as a worker would."""

    def __init__(self, house: House, journal: RawJournal, key: dict[str, Any]) -> None:
        self.house, self.journal, self.key = house, journal, key

    @classmethod
    async def begin(cls, house: House, key: str | None = None) -> "Calls":
        worker = await house.worker()
        hashed = _hash(await worker.next("welcome"), key or house.note["api_key"])
        record = (await worker.ask_key(hashed))["key"]
        return cls(house, house.journal(new_incarnation()), record)

    def end(self, model: str, ratio: int, priced: list[tuple[str, int, int, int]], **fields: Any) -> int:
        """Write one call; what it cost in nano-dollars, each line rounded half up."""
        lines = []
        for number, (meter, count, per, price) in enumerate(priced):
            amount = (2 * count * price * ratio + per * 10**6) // (2 * per * 10**6)
            line = {"rule": number + 1, "meter": meter, "quantity": count, "per": per, "price": price}
            lines.append({**line, "ratio": ratio, "amount": amount})
        total = sum(line["amount"] for line in lines)
        key = self.key
        self.journal.end(
            fields.pop("id", None) or new_call_id(),
            key=key["id"], account=key["account"], username=key["username"], key_name=key["name"], group=key["group"],
            model=model, upstream_model=fields.pop("upstream_model", model),
            usage={meter: count for meter, count, _, _ in priced},
            lines=lines, amount=total, charges=[[key["account_purse"], total], [key["key_purse"], total]], **fields,
        )  # fmt: skip
        return total


def _hash(welcome: dict[str, Any], api_key: str) -> bytes:

    return hmac.digest(welcome["key_pepper"], api_key.removeprefix("sk-").encode(), hashlib.sha256)


async def test_a_fresh_demo_account_has_one_dollar(house: House) -> None:
    answer = await house.get("user")
    assert answer.status_code == 200
    key = house.note["access_key"]
    assert answer.json() == {
        "data": {
            "access_token": f"{key[:4]}**********{key[-4:]}",
            "display_name": "Demo",
            "email": "",
            "quota": 500_000,
            "used_quota": 0,
            "request_count": 0,
            "role": 1,
            "telegram_id": "",
            "username": "demo",
        },
        "message": "",
        "success": True,
    }


async def test_golden_calls_show_their_quota_and_move_the_balance_at_once(house: House) -> None:
    """The golden numbers of the contract, 3.3; a read of money sees the calls before it."""
    calls = await Calls.begin(house)
    left = 1_000_000_000
    for count, (model, ratio, priced, quota) in enumerate(GOLDEN, start=1):
        left -= calls.end(model, ratio, priced)
        user = (await house.get("user")).json()["data"]
        assert (user["quota"], user["used_quota"]) == (left // 2_000, 500_000 - left // 2_000), model
        assert user["request_count"] == count
        newest = (await house.get("logs", page_size=1)).json()["data"]["items"][0]
        assert (newest["model_name"], newest["quota"]) == (model, quota)
    [key] = (await house.get("apikeylist")).json()["data"]
    assert (key["remain_quota"], key["used_quota"]) == (-(1_000_000_000 - left) // 2_000, -(-(10**9 - left) // 2_000))
    await check_books(house.context.database)


async def test_a_log_row_explains_the_call(house: House) -> None:
    calls = await Calls.begin(house)
    before = int(time.time())
    call_id = new_call_id()
    priced = [
        ("input_tokens", 60, 10**6, 2_500_000_000),
        ("cache_read_tokens", 40, 10**6, 1_250_000_000),
        ("output_tokens", 50, 10**6, 10_000_000_000),
    ]
    facts = {"first_ms": 321, "total_ms": 2_999, "upstream_model": "gpt-4o-2024-08-06", "ip": "192.0.2.7"}
    cost = calls.end("gpt-4o", 1_500_000, priced, id=call_id, stream=True, **facts)
    assert cost == (60 * 2_500 + 40 * 1_250 + 50 * 10_000) * 3 // 2
    page = (await house.get("logs", type=2)).json()
    assert (page["success"], page["message"]) == (True, "")
    assert (page["data"]["total"], page["data"]["page"], page["data"]["page_size"]) == (1, 1, 10_000)
    [row] = page["data"]["items"]
    other = json.loads(row.pop("other"))
    assert before <= row.pop("created_at") <= time.time() + 1
    assert 0 <= row.pop("id") < 1024
    assert row == {
        "user_id": calls.key["account"],
        "type": 2,
        "content": "gpt-4o: model ratio 1.25, completion ratio 4.00, group ratio 1.50",
        "username": "demo",
        "token_name": "demo",
        "token_id": calls.key["id"],
        "model_name": "gpt-4o",
        "quota": (cost + 1_000) // 2_000,
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "use_time": 2,
        "is_stream": True,
        "channel": 0,
        "channel_name": "",
        "group": "default",
        "ip": "192.0.2.7",
        "request_id": call_id,
    }
    assert other == {
        "model_ratio": 1.25,
        "group_ratio": 1.5,
        "completion_ratio": 4,
        "model_price": -1,
        "cache_tokens": 40,
        "cache_ratio": 0.5,
        "frt": 321,
        "outcome": "ok",
        "status": 200,
        "amount_nano": cost,
        "estimated": False,
        "is_model_mapped": True,
        "upstream_model_name": "gpt-4o-2024-08-06",
    }


async def test_a_call_by_the_piece_and_a_call_of_nothing_say_so(house: House) -> None:
    calls = await Calls.begin(house)
    calls.end("imagen4-fast", 1_250_000, [("requests", 1, 1, 40_000_000)])
    calls.end("gpt-4o", 1_000_000, [])
    nothing, image = (await house.get("logs", type=2)).json()["data"]["items"]
    assert image["content"] == "imagen4-fast: fixed price $0.04, group ratio 1.25"
    other = json.loads(image["other"])
    assert (other["model_price"], other["group_ratio"], other["frt"]) == (0.04, 1.25, -1000)
    assert (nothing["quota"], nothing["content"]) == (0, "gpt-4o: nothing was used")


async def test_logs_are_filtered_paged_and_counted(house: House) -> None:
    calls = await Calls.begin(house)
    at = 1_700_000_000_000
    for number in range(7):
        calls.end("gpt-4o" if number % 2 else "gpt-4o-mini", 10**6, [], at_ms=at + number * 1000)
    calls.end("o1_x%", 10**6, [], at_ms=at)

    async def names(**wanted: Any) -> tuple[list[str], int]:
        data = (await house.get("logs", type=2, **wanted)).json()["data"]
        return [row["model_name"] for row in data["items"]], data["total"]

    assert (await names())[1] == 8
    assert await names(model_name="gpt-4o") == (["gpt-4o"] * 3, 3)
    assert (await names(model_name="gpt-4o*"))[1] == 7
    for raw in ("gpt-4_", "%", "_", "gpt%", "o1_x_", "' OR '1'='1", "\\", "gpt-4o\\*"):
        assert (await names(model_name=raw))[1] == 0, raw
    assert await names(model_name="o1_x%") == (["o1_x%"], 1)
    assert (await names(model_name="*_x%"))[1] == 1
    assert (await names(token_name="demo"))[1] == 8
    assert (await names(token_name="dem"))[1] == 0
    assert (await names(username="demo"))[1] == 8
    assert (await names(username="root"))[1] == 0
    assert (await names(start_timestamp=at // 1000 + 2, end_timestamp=at // 1000 + 4))[1] == 3
    first, second = (await names(p=1, page_size=5))[0], (await names(p=2, page_size=5))[0]
    assert (len(first), len(second)) == (5, 3)
    assert (await names(p=0, page_size=5))[0] == first
    assert (await names(p=10**9, page_size=10_000))[0] == []


async def test_logs_are_found_by_a_tag_and_show_it(house: House) -> None:
    calls = await Calls.begin(house)
    calls.end("gpt-4o", 10**6, [], tags=[["session_id", "a:b"], ["user", "ann"]])
    calls.end("gpt-4o-mini", 10**6, [])
    data = (await house.get("logs", tag="session_id:a:b")).json()["data"]
    assert [row["model_name"] for row in data["items"]] == ["gpt-4o"]
    assert json.loads(data["items"][0]["other"])["tags"] == {"session_id": "a:b", "user": "ann"}
    assert (await house.get("logs", tag="session_id:a")).json()["data"]["total"] == 0
    assert "tags" not in json.loads(
        (await house.get("logs", model_name="gpt-4o-mini")).json()["data"]["items"][0]["other"]
    )
    for wrong in ("session_id", "session_id:", "colour:red", "x" * 300):
        refused = await house.get("logs", tag=wrong)
        assert refused.status_code == 400, wrong
        assert refused.json()["message"].startswith("tag:")
    [listed] = await house.operate("log list", tag="user:ann")
    assert listed["tags"] == {"session_id": "a:b", "user": "ann"}
    with pytest.raises(OperationRefused, match="NAME:VALUE"):
        await house.operate("log list", tag="ann")


async def test_a_deprecated_model_is_shown_and_served_as_one(house: House) -> None:
    told = await house.operate("model deprecate", name="gpt-4o-mini", alternative="gpt-4o")
    assert told == {"name": "gpt-4o-mini", "is_deprecation": 1, "alternative_info": "gpt-4o"}
    await house.operate("model add", name="gpt-4o-mini", owner="openai")
    rows = {row["model_name"]: row for row in (await house.get("models")).json()["data"]}
    assert (rows["gpt-4o-mini"]["is_deprecation"], rows["gpt-4o-mini"]["alternative_info"]) == (1, "gpt-4o")
    assert (rows["gpt-4o"]["is_deprecation"], rows["gpt-4o"]["alternative_info"]) == (0, None)
    worker = await (await house.peer()).hello(None)
    models = {m["name"]: m for m in (await worker.next("publish"))["snapshot"]["models"]}
    assert (models["gpt-4o-mini"]["deprecation"], models["gpt-4o-mini"]["alternative"]) == (1, "gpt-4o")
    await house.operate("model deprecate", name="gpt-4o-mini", stage=2)
    for wrong in ({"stage": 3}, {"alternative": "a\r\nb"}, {"name": "nobody"}):
        with pytest.raises(OperationRefused):
            await house.operate("model deprecate", **({"name": "gpt-4o-mini"} | wrong))


async def test_key_rows_show_what_is_documented(house: House) -> None:
    before = int(time.time())
    made = await house.operate(
        "key create", username="demo", name="fine", group="openai", quota=500_000,
        models=("gpt-4o", "gpt-4o-mini"), allow_ips=("192.0.2.0/24", "2001:db8::1"), expires_at=before + 3_600,
    )  # fmt: skip
    row = next(row for row in (await house.get("apikeylist")).json()["data"] if row["id"] == made["id"])
    secret = made["key"]
    created = row.pop("created_time")
    assert before <= created <= time.time() + 1
    assert row == {
        "id": made["id"],
        "user_id": row["user_id"],
        "key": f"sk-{secret[3:7]}**********{secret[-4:]}",
        "name": "fine",
        "status": 1,
        "group": "openai",
        "remain_quota": 500_000,
        "used_quota": 0,
        "unlimited_quota": False,
        "expired_time": before + 3_600,
        "accessed_time": created,
        "model_limits_enabled": True,
        "model_limits": "gpt-4o,gpt-4o-mini",
        "allow_ips": "192.0.2.0/24\n2001:db8::1",
        "DeletedAt": None,
    }
    assert secret not in (await house.get("apikeylist")).text


async def test_keys_are_searched_by_name_and_by_what_is_shown_of_them(house: House) -> None:
    """LIKE wildcards in a search are characters like any other (promises B, CVE-2026-25591)."""
    made = {
        name: (await house.operate("key create", username="demo", name=name))["key"]
        for name in ("alpha", "beta_1", "100%")
    }

    async def names(**wanted: str) -> list[str]:
        return sorted(row["name"] for row in (await house.get("apikeylist", **wanted)).json()["data"])

    assert await names() == ["100%", "alpha", "beta_1", "demo"]
    assert await names(keyword="a_1") == ["beta_1"]
    assert await names(keyword="%") == ["100%"]
    assert await names(keyword="_") == ["beta_1"]
    assert await names(keyword="' OR 1=1 --") == []
    assert await names(token=made["alpha"]) == ["alpha"]
    assert await names(token=made["alpha"][-4:]) == ["alpha"]
    assert await names(token="%") == []


async def test_a_deleted_key_is_gone_and_deleting_it_again_is_404(house: House) -> None:
    made = await house.operate("key create", username="demo", name="brief")
    first = await house.call("DELETE", f"deletekey/{made['id']}")
    assert (first.status_code, first.json()) == (200, {"message": "", "success": True})
    again = await house.call("DELETE", f"deletekey/{made['id']}")
    assert (again.status_code, again.json()["success"]) == (404, False)
    assert [row["name"] for row in (await house.get("apikeylist")).json()["data"]] == ["demo"]


@pytest.mark.parametrize("quota", [0, 1, 50_000_000, 8_664_402_091, 2**51, 2**53])
async def test_editquota_is_absolute_and_takes_64_bit_numbers(house: House, quota: int) -> None:
    made = await house.operate("key create", username="demo", name="limited", quota=7)
    answer = await house.call("PUT", f"editquota/{made['id']}", json={"remain_quota": quota})
    assert answer.status_code == 200
    row = answer.json()["data"]
    assert (row["id"], row["remain_quota"], row["used_quota"]) == (made["id"], quota, 0)
    assert row["status"] == (1 if quota else 4)
    assert answer.json()["success"] is True


async def test_editquota_revives_an_exhausted_key_and_never_forgets_what_was_used(house: House) -> None:
    made = await house.operate("key create", username="demo", name="limited", quota=100)
    calls = await Calls.begin(house, made["key"])
    calls.end("gpt-4o", 10**6, [("requests", 1, 1, 200_000)])
    row = (await house.get("apikeylist", keyword="limited")).json()["data"][0]
    assert (row["status"], row["remain_quota"], row["used_quota"]) == (4, 0, 100)
    row = (await house.call("PUT", f"editquota/{made['id']}", json={"remain_quota": 60})).json()["data"]
    assert (row["status"], row["remain_quota"], row["used_quota"]) == (1, 60, 100)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"", b"{", b'{"remain_quota":-1}', b'{"remain_quota":1.5}', b'{"remain_quota":"7"}',
             b'{"remain_quota":true}', b'{"remain_quota":null}', b'{"remain_quota":9007199254740993}',
             b'{"remain_quota":1e400}']
)  # fmt: skip
async def test_editquota_refuses_what_is_no_quota(house: House, body: bytes) -> None:
    made = await house.operate("key create", username="demo", name="limited", quota=7)
    answer = await house.call("PUT", f"editquota/{made['id']}", content=body)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert answer.json()["message"]
    assert (await house.get("apikeylist", keyword="limited")).json()["data"][0]["remain_quota"] == 7


async def test_edits_of_a_limit_race_with_settlement_without_losing_a_charge(house: House) -> None:
    made = await house.operate("key create", username="demo", name="busy", quota=1_000_000)
    calls = await Calls.begin(house, made["key"])
    spent = 0
    for round_ in range(10):
        spent += sum(calls.end("gpt-4o", 10**6, [("requests", 1, 1, 3_000)]) for _ in range(20))
        answers = await asyncio.gather(
            *(house.call("PUT", f"editquota/{made['id']}", json={"remain_quota": 10_000 + round_}) for _ in range(3)),
            house.get("user"),
        )
        assert {answer.status_code for answer in answers} == {200}
    user = (await house.get("user")).json()["data"]
    assert user["quota"] == (10**9 - spent) // 2_000
    final = (await house.call("PUT", f"editquota/{made['id']}", json={"remain_quota": 5})).json()["data"]
    assert (final["remain_quota"], final["used_quota"]) == (5, spent // 2_000)
    await check_books(house.context.database)


async def test_createkey_shows_the_key_once(house: House) -> None:
    answer = await house.call("POST", "createkey", json={"name": "mine", "remain_quota": 900, "group": "openai"})
    assert answer.status_code == 200
    row = answer.json()["data"]
    secret = row.pop("full_key")
    assert len(secret) == 51
    assert (row["remain_quota"], row["unlimited_quota"], row["group"]) == (900, False, "openai")
    listed = await house.get("apikeylist", keyword="mine")
    assert listed.json()["data"] == [row]
    assert secret not in listed.text
    unlimited = (await house.call("POST", "createkey", json={"name": "all"})).json()["data"]
    assert unlimited["unlimited_quota"] is True


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 31}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"name": "x", "group": "vip"}, "group"),
        ({"name": "x", "role": 100}, "role"),
        ({"name": "x", "user_id": 1}, "user_id"),
        ({"name": "x", "remain_quota": -1}, "remain_quota"),
        ({"name": "x", "unlimited_quota": False}, "remain_quota"),
        ({"name": "x", "expired_time": 1}, "expired_time"),
        ({"name": "x", "allow_ips": ["999.1.1.1"]}, "allow_ips"),
        ({"name": "x", "model_limits": [""]}, "model_limits"),
    ],
)
async def test_createkey_names_what_does_not_fit(house: House, body: dict[str, Any], part: str) -> None:
    """Fields that a caller may not choose are refused, not taken over (promises B, CVE-2026-47102)."""
    answer = await house.call("POST", "createkey", json=body)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert part in answer.json()["message"]
    assert len((await house.get("apikeylist")).json()["data"]) == 1


async def test_the_catalogue_shows_prices_and_savings(house: House) -> None:
    rows = {row["model_name"]: row for row in (await house.get("models")).json()["data"]}
    assert (await house.get("models/list")).json()["data"] == list(rows.values())
    assert not any("*" in name for name in rows)
    image, chat = rows["imagen4-fast"], rows["gpt-4o"]
    assert {name: image[name] for name in ("provider_name", "category", "endpoint", "billing_type", "price_per_request",
            "group_name", "group_ratio", "saving", "is_image", "is_deprecation")} == {
        "provider_name": "Google", "category": "Image, Dall-e", "endpoint": "/v1/images/generations",
        "billing_type": "pay-per-request", "price_per_request": "0.04 ~ 400 VND", "group_name": "drawing",
        "group_ratio": 1.25, "saving": 23.08, "is_image": 1, "is_deprecation": 0,
    }  # fmt: skip
    assert (image["uptime"], chat["uptime"]) == (0, 1)  # no channel of this house makes pictures
    assert image["saving_details"] == "- Official price: 520 VND\n- YEScale price: 400 VND\n- Saving: 23.08%"
    assert (image["input_price"], image["output_price"]) == (None, None)
    assert (chat["billing_type"], chat["input_price"], chat["output_price"]) == ("pay-per-token", 2.5, 10)
    assert (chat["price_per_request"], chat["max_output"], chat["max_input"]) == (None, 16_384, 128_000)
    assert chat["saving"] == 69.23  # 1 - 8,000 / 26,000
    assert rows["claude-3-5-sonnet-20241022"]["saving"] == 46.15  # 1 - 1.75 x 8,000 / 26,000


async def test_usage_is_summed_by_day_model_and_key(house: House) -> None:
    calls = await Calls.begin(house)
    day = 1_700_006_400_000  # 2023-11-15T00:00:00Z
    calls.end("gpt-4o", 10**6, [("input_tokens", 10, 10**6, 2_500_000_000)], at_ms=day)
    calls.end("gpt-4o", 10**6, [("input_tokens", 30, 10**6, 2_500_000_000)], at_ms=day + 86_399_999)
    calls.end("o1", 10**6, [("requests", 1, 1, 2_000_000)], at_ms=day + 86_400_000)
    asked = {"start_timestamp": day // 1000, "end_timestamp": day // 1000 + 86_400}

    async def usage(group_by: str) -> list[tuple[Any, ...]]:
        rows = (await house.get("usage", group_by=group_by, **asked)).json()["data"]
        return [(row["group"], row["requests"], row["quota"], row["prompt_tokens"]) for row in rows]

    assert await usage("day") == [("2023-11-15", 2, 50, 40), ("2023-11-16", 1, 1_000, 0)]
    assert await usage("model") == [("gpt-4o", 2, 50, 40), ("o1", 1, 1_000, 0)]
    assert await usage("key") == [("demo", 3, 1_050, 40)]
    assert (await house.get("usage")).json()["data"] == []
    assert (await house.get("usage", group_by="account")).status_code == 400
    assert (await house.get("usage", group_by="tag")).status_code == 400
    assert (await house.get("usage", group_by="model", tag="feature")).status_code == 400
    assert (await house.get("usage", tag="colour:red")).status_code == 400
    assert (await house.get("usage", group_by="tag", tag="feature", **asked)).json()["data"] == []


async def test_a_quote_says_what_a_call_would_cost(house: House) -> None:
    asked = {"model": "claude-3-5-sonnet-20241022", "usage": {"input_tokens": 100, "output_tokens": 50}}
    quoted = (await house.call("POST", "quote", json=asked)).json()["data"]
    assert (quoted["group"], quoted["quota"], quoted["amount_nano"]) == ("claude", 919, 1_837_500)
    assert quoted["amount_usd"] == "0.0018375"
    assert [(line["meter"], line["price_usd"], line["ratio"], line["amount_nano"]) for line in quoted["lines"]] == [
        ("input_tokens", "3", "1.75", 525_000),
        ("output_tokens", "15", "1.75", 1_312_500),
    ]
    for wrong, status in (
        ({"model": "none", "usage": {}}, 404),
        ({"model": "gpt-4o", "usage": {"input_tokens": -1}}, 400),
        ({"model": "gpt-4o", "usage": {"smiles": 1}}, 400),
        ({"model": "tts-1", "usage": {"seconds": 1}}, 400),
        ({"model": "gpt-4o", "group": "vip", "usage": {}}, 404),
    ):
        assert (await house.call("POST", "quote", json=wrong)).status_code == status, wrong


async def test_tasks_of_the_range_come_newest_first(house: House) -> None:
    account = (await house.operate("user list", keyword="demo"))["items"][0]["id"]
    row = {"platform": "kling", "action": "text2video", "model": "kling-v1", "status": "SUCCESS", "progress": 100}
    async with house.context.database.writing() as connection:
        for number, owner in enumerate((account, account, account, account + 1)):
            mine = {
                "task_id": f"t{number}",
                "account_id": owner,
                "submit_ms": 1_000_000 + number * 1_000,
                "amount": 2_500,
            }
            await connection.execute(tasks.insert(), row | mine)

    async def ids(**wanted: Any) -> list[str]:
        return [task["task_id"] for task in (await house.get("task", **wanted)).json()["data"]]

    assert await ids(start_timestamp=1_000, end_timestamp=2_000) == ["t2", "t1", "t0"]
    assert await ids(start_timestamp=1_001, end_timestamp=1_001) == ["t1"]
    assert await ids(start_timestamp=0, end_timestamp=9_999_999_999, p=2, page_size=2) == ["t0"]
    assert await ids(start_timestamp=0, end_timestamp=9_999, status="FAILURE") == []
    assert await ids(start_timestamp=0, end_timestamp=9_999, task_id="t1") == ["t1"]
    [task] = (await house.get("task", start_timestamp=1_001, end_timestamp=1_001)).json()["data"]
    expected = {
        "platform": "kling", "action": "text2video", "status": "SUCCESS", "progress": "100%", "quota": 1,
        "submit_time": 1_001, "channel_id": 0, "user_id": account, "fail_reason": "", "data": None, "properties": {},
    }  # fmt: skip
    assert expected.items() <= task.items()


async def test_a_large_balance_is_shown_exactly(house: House) -> None:
    """$17,328.804182 is 8,664,402,091 quota: beyond 32 bits (contract 4.1)."""
    await house.operate("topup", username="demo", usd="17327.804182", outside_id="bank-1")
    assert (await house.get("user")).json()["data"]["quota"] == 8_664_402_091
    again = await house.operate("topup", username="demo", usd="17327.804182", outside_id="bank-1")
    assert again["repeated"] is True
    assert (await house.get("user")).json()["data"]["quota"] == 8_664_402_091


async def test_billing_questions_honour_the_keys_addresses(house: House) -> None:
    made = await house.operate("key create", username="demo", name="local", allow_ips=["192.0.2.0/24", "::1"])
    for prefix in ("/v1", ""):
        for question in ("subscription", "usage"):
            for address, status in (("192.0.2.7", 200), ("::ffff:192.0.2.7", 200), ("192.0.3.7", 403), ("", 403)):
                headers = bearer(made["key"]) | ({"x-forwarded-for": address} if address else {})
                answer = await house.client.get(f"{prefix}/dashboard/billing/{question}", headers=headers)
                assert answer.status_code == status, (question, address)


async def test_billing_questions_take_the_api_key(house: House) -> None:
    made = await house.operate("key create", username="demo", name="limited", quota=500_000)
    calls = await Calls.begin(house, made["key"])
    calls.end("gpt-4o", 10**6, [("requests", 1, 1, 250_000_000)])
    for prefix in ("/v1", ""):
        asked = f"{prefix}/dashboard/billing/subscription"
        limited = await house.client.get(asked, headers=bearer(made["key"]))
        assert limited.json() == {
            "object": "billing_subscription", "has_payment_method": True, "soft_limit_usd": 1.0, "hard_limit_usd": 1.0,
            "system_hard_limit_usd": 1.0, "access_until": 0,
        }  # fmt: skip
        unlimited = await house.client.get(asked, headers=bearer(house.note["api_key"]))
        assert unlimited.json()["hard_limit_usd"] == 100_000_000
        used = await house.client.get(f"{prefix}/dashboard/billing/usage", headers=bearer(made["key"]))
        assert used.json() == {"object": "list", "total_usage": 25.0}
