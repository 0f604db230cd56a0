"""The money of sessions: cut when it is gone, charged whatever the end, never below zero (promise 16)."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from tests.e2e.installation import Installation, serving
from tests.e2e.sessions import (
    TEXT,
    ask,
    cost_of,
    left_of,
    new_account,
    read,
    rows_of,
    say,
    send,
    session,
    until,
    until_closed,
)

LONG = "Tell me of the sea and of the ships that sail on it. " * 40


def spend(installation: Installation, account: dict[str, Any]) -> tuple[list[int], dict[str, Any], int]:
    """Talk until the session is cut: what each response cost, the last error, the close code."""
    costs: list[int] = []
    with session(installation, account["key"]) as link:
        while (event := turn(link))["type"] == "response.done":
            costs.append(cost_of(event["response"]["usage"]))
        _, code, _ = until_closed(link)
    return costs, event["error"], code


def turn(link: ClientConnection) -> dict[str, Any]:
    """Say something long: the end of the response, or the error in its place."""
    say(link, LONG)
    while (event := read(link))["type"] not in ("response.done", "error"):
        pass
    return event


def test_a_session_is_cut_when_the_account_is_empty_and_never_goes_below_zero(installation: Installation) -> None:
    """Promise 16."""
    account = new_account(installation)
    costs, error, code = spend(installation, account)
    assert (error["type"], error["code"], code) == ("insufficient_quota", "insufficient_balance", 1008)
    rows = rows_of(installation, account, len(costs))
    assert [row["amount"] for row in rows[:-1]] == costs
    assert [row["paid"] for row in rows[:-1]] == costs
    assert rows[-1]["error"] == "insufficient_balance"
    assert left_of(installation, account) == (1_000_000_000 - sum(costs)) // 2_000
    assert 0 <= 1_000_000_000 - sum(costs) < 600_000_000
    assert installation.admin("ledger", "verify")["ok"] is True


def test_a_session_is_cut_when_its_keys_limit_is_used_up(installation: Installation) -> None:
    """Promise 16: the key's own limit holds inside the session, whatever the account has."""
    account = new_account(installation, "--quota", "250000", usd=5)
    costs, error, code = spend(installation, account)
    assert (error["code"], code) == ("insufficient_balance", 1008)
    assert 0 < sum(costs) <= 500_000_000
    assert len(rows_of(installation, account, len(costs))) == len(costs) + 1


def test_an_account_that_cannot_pay_one_response_gets_no_session(installation: Installation) -> None:
    account = new_account(installation, "--quota", "10000")
    before = installation.last_arrival()
    with pytest.raises(InvalidStatus) as refused, session(installation, account["key"]):
        pass
    assert refused.value.response.status_code == 402
    assert installation.last_arrival() == before


def test_a_lower_limit_of_the_session_is_enough_to_go_on_with_less(installation: Installation) -> None:
    """The worst case is that of the session's own limit, once the provider has confirmed it."""
    account = new_account(installation, "--quota", "170000")  # $0.34
    with session(installation, account["key"]) as link:
        send(link, "session.update", session={"type": "realtime", "max_output_tokens": 200, **TEXT})
        assert read(link)["type"] == "session.updated"
        for _ in range(6):
            done = ask(link, LONG)[-1]["response"]
            assert done["status"] in ("completed", "incomplete")
            until(link, "rate_limits.updated")


def test_a_client_that_leaves_midway_pays_what_the_provider_reports(installation: Installation) -> None:
    """Promises 6 and 16: the response is cancelled, and its usage heard."""
    account = new_account(installation)
    before = installation.last_arrival()
    with session(installation, account["key"], "gpt-realtime+slow-20") as link:
        say(link, "and then?", **TEXT)
        until(link, "response.output_text.delta")
        link.socket.close()
    row = rows_of(installation, account, 1)[0]
    assert (row["outcome"], row["estimated"], row["note"]) == ("ok", False, "cancelled")
    (arrival,) = [entry for entry in installation.arrived(before) if "realtime" in entry["path"]]
    reported = arrival["usage_reported"]
    assert row["usage"]["input_tokens"] == reported["prompt_tokens"]
    assert row["usage"]["output_tokens"] == reported["completion_tokens"]
    assert row["amount"] == reported["prompt_tokens"] * 4_000 + reported["completion_tokens"] * 16_000 > 0


@pytest.mark.parametrize("scenario", ["cut-12", "usage-none"])
def test_a_response_without_its_usage_is_estimated_and_flagged(installation: Installation, scenario: str) -> None:
    account = new_account(installation)
    with session(installation, account["key"], f"gpt-realtime+{scenario}") as link:
        say(link, "hello", **TEXT)
        if scenario == "usage-none":
            until(link, "response.done")
        else:
            assert until_closed(link)[1] == 1011
    row = rows_of(installation, account, 1)[0]
    assert row["estimated"]
    assert row["note"].endswith("usage not reported: estimated")
    assert row["outcome"] == ("ok" if scenario == "usage-none" else "upstream_cut")
    assert row["amount"] > 0


def test_a_usage_of_zero_stays_zero(installation: Installation) -> None:
    """Promise 11."""
    account = new_account(installation)
    with session(installation, account["key"], "gpt-realtime+usage-0") as link:
        ask(link, "hello", **TEXT)
    row = rows_of(installation, account, 1)[0]
    assert (row["amount"], row["estimated"]) == (0, False)


def test_a_key_that_is_disabled_ends_its_sessions(installation: Installation) -> None:
    account = new_account(installation)
    with session(installation, account["key"]) as link:
        ask(link, "hello", **TEXT)
        installation.admin("user", "disable", account["username"])
        events, code, reason = until_closed(link)
    assert events[-1]["error"]["code"] == "account_disabled"
    assert (code, reason) == (1008, "account_disabled")
    assert rows_of(installation, account, 1)[-1]["error"] == "account_disabled"


def test_a_restart_lets_a_response_end_and_then_closes_the_session(tmp_path: Path) -> None:
    with serving(tmp_path / "home", workers=1) as installation:
        account = new_account(installation)
        with (
            session(installation, account["key"], "gpt-realtime+slow-100") as busy,
            session(installation, account["key"]) as quiet,
        ):
            say(busy, "and then?", **TEXT)
            until(busy, "response.output_text.delta")
            os.kill(installation.pid, signal.SIGTERM)
            assert until_closed(quiet)[:2] == ([], 1001)
            done = until(busy, "response.done")[-1]["response"]
            assert done["status"] == "completed"
            assert until_closed(busy)[1] == 1001
        time.sleep(2)
        rows = installation.admin("log", "list", "--user", account["username"])
        assert sorted(row["outcome"] for row in rows) == ["drained", "drained", "ok"]
        assert sum(row["amount"] for row in rows) == cost_of(done["usage"])
