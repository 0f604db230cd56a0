"""`/api/v1` where money moves: once per key and per outside id, written down with who and why, undone where refused."""

import asyncio
from typing import Any

import httpx
import pytest
from msgspec import Struct
from sqlalchemy import select, text, update

from tests.integration.control.house import House, bearer
from tests.integration.control.parties import check_books, read_rows
from tests.integration.control.worker import RawJournal, new_incarnation
from yescale.control.api.once import forget_old
from yescale.control.operations.codes import MOST_TRIES
from yescale.control.operations.refusals import OperationRefused
from yescale.store.tables import accounts, calls, codes, idempotency, keys, logs, purses

USD = 1_000_000_000


class Money(Struct, frozen=True):
    """The API as an operator (`boss`) and as the demo account use it."""

    house: House
    operator: str

    async def post(self, path: str, body: dict[str, Any], key: str = "", *, as_user: bool = False) -> httpx.Response:
        headers = bearer(self.house.note["access_key"] if as_user else self.operator)
        headers |= {"Idempotency-Key": key} if key else {}
        return await self.house.client.post(f"/api/v1/{path}", json=body, headers=headers)

    async def get(self, path: str, *, as_user: bool = False, **params: Any) -> Any:
        headers = bearer(self.house.note["access_key"] if as_user else self.operator)
        return (await self.house.client.get(f"/api/v1/{path}", params=params, headers=headers)).json()

    async def balance(self) -> int:
        return (await self.get("account", as_user=True))["balance_nano"]

    async def codes(self, count: int = 1, **more: Any) -> list[str]:
        made = await self.post("codes", {"usd": "2", "batch": "spring", "count": count} | more)
        assert made.status_code == 201, made.text
        return [each["code"] for each in made.json()["data"]]

    async def redeem(self, code: str, key: str = "") -> httpx.Response:
        return await self.post("redemptions", {"code": code}, key, as_user=True)


@pytest.fixture
async def money(house: House) -> Money:
    made = await house.operate("user create", username="boss", role=10, trial_usd="0")
    return Money(house, made["access_key"])


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# --- top-ups and adjustments


async def test_a_payment_number_that_comes_again_enters_nothing(money: Money) -> None:
    body = {"username": "demo", "usd": "5.5", "outside_id": "pay-1", "note": "by card"}
    first, again = await money.post("topups", body), await money.post("topups", body)
    assert (first.status_code, first.json()["repeated"], again.json()["repeated"]) == (201, False, True)
    assert (first.json()["id"], first.json()["balance_nano"]) == (again.json()["id"], again.json()["balance_nano"])
    assert await money.balance() == 6_500_000_000
    assert error(await money.post("topups", body | {"usd": "6"})) == (409, "outside_id_reused")
    assert (await money.house.operate("topup", username="demo", usd="5.5", outside_id="pay-1"))["repeated"] is True
    await check_books(money.house.context.database)


async def test_a_request_whose_answer_was_lost_is_answered_the_same_and_done_once(money: Money) -> None:
    body = {"username": "demo", "usd": "3"}
    answers = await asyncio.gather(*(money.post("topups", body, "key-1") for _ in range(10)))
    assert {answer.text for answer in answers} == {answers[0].text}
    assert sum(answer.headers.get("idempotent-replayed") == "true" for answer in answers) == 9
    assert await money.balance() == 4 * USD
    assert error(await money.post("topups", body | {"usd": "4"}, "key-1")) == (409, "idempotency_key_reused")
    assert (await money.post("adjustments", body | {"reason": "other path"}, "key-1")).status_code == 201
    assert await money.balance() == 7 * USD
    await check_books(money.house.context.database)


async def test_a_refused_request_keeps_nothing_under_its_key(money: Money) -> None:
    body = {"username": "demo", "usd": "-2", "reason": "a mistake"}
    assert error(await money.post("adjustments", body, "key-1")) == (400, "not_covered")
    await money.post("topups", {"username": "demo", "usd": "2"})
    assert (await money.post("adjustments", body, "key-1")).status_code == 201
    assert await money.balance() == USD


async def test_kept_answers_hold_no_code_in_the_clear_and_are_forgotten_after_a_day(money: Money) -> None:
    made = await money.post("codes", {"usd": "1", "batch": "b"}, "key-1")
    code = made.json()["data"][0]["code"]
    database = money.house.context.database
    (kept,) = await read_rows(database, select(idempotency))
    assert code not in repr(kept)
    assert (await money.post("codes", {"usd": "1", "batch": "b"}, "key-1")).json() == made.json()
    await forget_old(money.house.context)
    assert len(await read_rows(database, select(idempotency))) == 1
    async with database.writing() as connection:
        await connection.execute(update(idempotency).values(created_ms=idempotency.c.created_ms - 86_400_000))
    await forget_old(money.house.context)
    assert await read_rows(database, select(idempotency)) == []


async def test_bad_amounts_names_and_missing_reasons_are_told(money: Money) -> None:
    for path, body in (
        ("topups", {"username": "demo", "usd": "five"}),
        ("topups", {"username": "demo", "usd": "-1"}),
        ("topups", {"username": "nobody", "usd": "1"}),
        ("topups", {"username": "demo", "usd": "0.0000000001"}),
        ("adjustments", {"username": "demo", "usd": "1", "reason": "  "}),
        ("adjustments", {"username": "demo", "usd": "1"}),
        ("codes", {"usd": "0", "batch": "b"}),
        ("codes", {"usd": "1", "batch": "b", "count": 1_001}),
        ("codes", {"usd": "1", "batch": "b", "expires_at": 1}),
    ):
        assert (await money.post(path, body)).status_code == 400, (path, body)
    assert error(await money.post("topups", {"username": "demo", "usd": "0"})) == (400, "not_covered")
    assert await money.balance() == USD


async def test_an_entry_says_who_made_it_when_and_why(money: Money) -> None:
    await money.post("topups", {"username": "demo", "usd": "2", "outside_id": "pay-9", "note": "bank transfer"})
    await money.post("adjustments", {"username": "demo", "usd": "-0.5", "reason": "paid twice"})
    page = await money.get("entries", username="demo", limit=2)
    assert page["has_more"] is True
    assert [(row["kind"], row["amount_usd"], row["note"], row["actor"]) for row in page["data"]] == [
        ("adjustment", "-0.5", "paid twice", "boss"),
        ("topup", "2", "bank transfer", "boss"),
    ]
    rest = await money.get("entries", username="demo", after=page["data"][-1]["id"])
    assert [(row["kind"], row["actor"]) for row in rest["data"]] == [("trial", None)]
    assert (await money.get("entries", as_user=True, kind="topup", username="boss"))["data"] == [page["data"][1]]
    rows = await read_rows(money.house.context.database, select(logs.c.type, logs.c.content, logs.c.actor_id))
    boss = await read_rows(money.house.context.database, select(accounts.c.id).where(accounts.c.username == "boss"))
    assert [tuple(row.values()) for row in rows][-2:] == [
        (1, "bank transfer", boss[0]["id"]),
        (3, "paid twice", boss[0]["id"]),
    ]


# --- refunds


async def call_of(house: House, amount: int, call_id: str = "call-1") -> None:
    """A call of the demo key, which cost that."""
    account = select(accounts.c.id, accounts.c.purse_id).where(accounts.c.username == "demo")
    (owner,) = await read_rows(house.context.database, account)
    (key,) = await read_rows(
        house.context.database, select(keys.c.id, keys.c.purse_id).where(keys.c.account_id == owner["id"])
    )
    journal: RawJournal = house.journal(new_incarnation())
    journal.end(
        call_id, key=key["id"], account=owner["id"], amount=amount,
        charges=[[owner["purse_id"], amount], [key["purse_id"], amount]],
    )  # fmt: skip
    await house.context.catch_up()


async def test_refunds_of_a_call_are_never_more_than_it_paid_and_stand_in_the_log(money: Money) -> None:
    await call_of(money.house, 300_000_000)
    assert await money.balance() == 700_000_000
    body = {"request_id": "call-1", "reason": "an empty answer", "usd": "0.2"}
    parts = await asyncio.gather(*(money.post("refunds", body) for _ in range(3)))
    assert sorted(part.status_code for part in parts) == [201, 400, 400]
    rest = {"request_id": "call-1", "reason": "the rest", "outside_id": "case-7"}
    first, again = await money.post("refunds", rest), await money.post("refunds", rest)
    assert (first.json()["amount_nano"], first.json()["repeated"]) == (100_000_000, False)
    assert (again.json()["amount_nano"], again.json()["repeated"]) == (100_000_000, True)
    assert error(await money.post("refunds", rest | {"outside_id": "case-8"})) == (400, "not_covered")
    assert error(await money.post("refunds", rest | {"request_id": "none"})) == (404, "call_not_found")
    assert await money.balance() == USD
    database = money.house.context.database
    assert await read_rows(database, select(calls.c.paid, calls.c.refunded)) == [
        {"paid": 300_000_000, "refunded": 300_000_000}
    ]
    assert {row["spent"] for row in await read_rows(database, select(purses.c.spent))} == {0}
    shown = (await money.house.get("logs", type=6)).json()["data"]["items"]
    assert [(row["quota"], row["request_id"], row["content"]) for row in shown] == [
        (50_000, "call-1", "the rest"),
        (100_000, "call-1", "an empty answer"),
    ]
    await check_books(database)


async def test_the_command_line_refunds_what_is_left(money: Money) -> None:
    await call_of(money.house, 300_000_000)
    some = await money.house.operate("refund", request_id="call-1", usd="0.1", note="half")
    rest = await money.house.operate("refund", request_id="call-1", note="and half")
    assert (some["balance_nano"], rest["balance_nano"]) == (800_000_000, USD)
    with pytest.raises(OperationRefused, match="are refunded"):
        await money.house.operate("refund", request_id="call-1", note="more")
    with pytest.raises(OperationRefused, match="reason"):
        await money.house.operate("refund", request_id="call-1", note=" ")


# --- codes


async def test_a_code_is_redeemed_once_and_its_repetition_is_answered_the_same(money: Money) -> None:
    (code,) = await money.codes()
    other = (await money.house.operate("user create", username="other", trial_usd="0"))["access_key"]
    answers = [await money.redeem(written) for written in (code, code.lower().replace("-", " "), code)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert (answers[0].json()["quota"], answers[0].json()["amount_usd"]) == (1_000_000, "2")
    stolen = await money.house.client.post("/api/v1/redemptions", json={"code": code}, headers=bearer(other))
    assert error(stolen) == (409, "code_used")
    assert await money.balance() == 3 * USD
    assert [row["id"] for row in (await money.get("redemptions", as_user=True))["data"]] == [answers[0].json()["id"]]
    (shown,) = (await money.get("codes", batch="spring"))["data"]
    assert (shown["state"], shown["username"], shown["code"][-4:]) == ("redeemed", "demo", code[-4:])
    await check_books(money.house.context.database)


async def test_fifty_redemptions_at_once_give_one_amount(money: Money) -> None:
    """Over both surfaces, some of them under one idempotency key; of so many at once some count as guesses."""
    (code,) = await money.codes()
    system = (money.house.call("POST", "redeem", json={"code": code}) for _ in range(25))
    answers = await asyncio.gather(*system, *(money.redeem(code, "key-1" * (i % 2)) for i in range(25)))
    assert {answer.status_code for answer in answers} & {200, 201}
    assert {answer.status_code for answer in answers} <= {200, 201, 429}
    assert await money.balance() == 3 * USD
    await check_books(money.house.context.database)


async def test_a_code_is_nowhere_in_the_database(money: Money) -> None:
    made = await money.codes(count=3)
    await money.redeem(made[0], "key-1")
    database = money.house.context.database
    tables = ("codes", "logs", "entries", "idempotency")
    async with database.reading() as connection:
        dump = repr([(await connection.execute(text(f"SELECT * FROM {name}"))).all() for name in tables])
    for code in made:
        assert code not in dump
        assert code.removeprefix("YS-").replace("-", "") not in dump


async def test_guessing_is_stopped_and_good_codes_are_no_guesses(money: Money) -> None:
    for code in await money.codes(count=MOST_TRIES + 2):
        assert (await money.redeem(code)).status_code == 201
    for number in range(MOST_TRIES):
        guess = f"YS-0000-0000-0000-{number:04d}" if number else "no code at all"
        assert error(await money.redeem(guess)) == (404, "code_not_found")
    (good,) = await money.codes()
    stopped = await money.redeem(good)
    assert error(stopped) == (429, "rate_limit_exceeded")
    assert 0 < int(stopped.headers["retry-after"]) <= 3_600
    system = await money.house.call("POST", "redeem", json={"code": good})
    assert (system.status_code, system.json()["success"]) == (429, False)
    assert int(system.headers["retry-after"]) > 0


async def test_the_system_api_redeems_in_its_own_words(money: Money) -> None:
    (code,) = await money.codes()
    answer = await money.house.call("POST", "redeem", json={"code": code})
    assert answer.json() == {
        "data": {"quota": 1_000_000, "amount_usd": "2", "code": f"YS-****-****-****-{code[-4:]}"},
        "message": "",
        "success": True,
    }
    other = (await money.house.operate("user create", username="other", trial_usd="0"))["access_key"]
    for body, status, key in (({"code": code}, 409, other), ({"code": "YS-1"}, 404, None), ({}, 400, None)):
        refused = await money.house.call("POST", "redeem", key, json=body)
        assert (refused.status_code, refused.json()["success"]) == (status, False)
    assert (await money.house.call("POST", "redeem", "x" * 32, json={"code": code})).status_code == 401


async def test_codes_are_made_listed_and_voided_by_the_command_line(money: Money) -> None:
    made = await money.house.operate("code create", usd="1.5", batch="spring", count=2, days=1)
    assert [(row["usd"], row["batch"]) for row in made] == [("1.5", "spring")] * 2
    assert await money.house.operate("code void", id=made[0]["id"]) == {"voided": 1}
    assert error(await money.redeem(made[0]["code"])) == (409, "code_used")
    async with money.house.context.database.writing() as connection:
        await connection.execute(update(codes).where(codes.c.id == made[1]["id"]).values(expires_ms=1))
    assert error(await money.redeem(made[1]["code"])) == (409, "code_used")
    listed = await money.house.operate("code list", batch="spring")
    assert [(row["id"], row["state"]) for row in listed] == [(made[1]["id"], "expired"), (made[0]["id"], "void")]
    for wrong in ({"usd": "0", "batch": "b"}, {"usd": "1", "batch": " "}, {"usd": "1", "batch": "b", "count": 0}):
        with pytest.raises(OperationRefused):
            await money.house.operate("code create", **wrong)
    with pytest.raises(OperationRefused):
        await money.house.operate("code void")
    said = await read_rows(money.house.context.database, select(logs.c.content).where(logs.c.account_id == 0))
    assert [row["content"] for row in said][-2:] == [
        "Made 2 redemption codes of 1.5 USD each: spring",
        f"Voided 1 redemption codes: number {made[0]['id']}",
    ]


async def test_a_void_code_of_the_api_is_written_down_with_its_operator(money: Money) -> None:
    made = await money.post("codes", {"usd": "1", "batch": "b"})
    path = f"/api/v1/codes/{made.json()['data'][0]['id']}"
    headers = bearer(money.operator)
    assert (await money.house.client.delete(path, headers=headers)).json()["voided"] == 1
    assert error(await money.house.client.delete(path, headers=headers)) == (404, "code_not_found")
    rows = await read_rows(money.house.context.database, select(logs.c.content, logs.c.actor_id, logs.c.type))
    assert rows[-1]["content"].startswith("Voided 1 redemption codes: number")
    assert (rows[-1]["type"], rows[-1]["actor_id"]) == (3, rows[-2]["actor_id"])
    assert rows[-1]["actor_id"] is not None
