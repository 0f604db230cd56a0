"""Routing seen from outside: what reached the providers is what the log row lists."""

import time
from typing import Any

import httpx
import pytest

from tests.e2e.installation import Installation


@pytest.fixture(scope="module")
def channels(installation: Installation) -> Installation:
    """A model that fails on its first channel and works on its second."""
    for name, upstream, priority in (("worse", "gpt-4o+500", 10), ("better", "gpt-4o", 5)):
        installation.admin(
            "channel", "add", "--name", name, "--provider", "openai", "--secret", f"sk-sandbox-{name}",
            "--base-url", f"{installation.sandbox_url}/openai/v1", "--priority", str(priority),
            "--models", f"gpt-4o+failover={upstream}",
        )  # fmt: skip
    return installation


def call(yescale: Installation, model: str, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50} | more
    headers = {"Authorization": f"Bearer {yescale.api_key}"}
    return httpx.post(f"{yescale.base_url}/v1/chat/completions", json=body, headers=headers, timeout=30)


@pytest.mark.parametrize("stream", [False, True])
def test_the_log_row_lists_exactly_the_attempts_that_arrived(channels: Installation, stream: bool) -> None:
    """Promise 21: the channel that failed is not asked again, and one attempt is charged."""
    before = channels.last_arrival()
    answer = call(channels, "gpt-4o+failover", stream=stream)
    assert answer.status_code == 200, answer.text
    arrived = [(request["body"]["model"], request["status"]) for request in channels.arrived(before)]
    assert arrived == [("gpt-4o+500", 500), ("gpt-4o", 200)]
    told = channels.admin("log", "show", answer.headers["x-request-id"])
    assert [attempt["status"] for attempt in told["attempts"]] == [500, 200]
    names = {channel["id"]: channel["name"] for channel in channels.admin("channel", "list")}
    assert [names[attempt["channel"]] for attempt in told["attempts"]] == ["worse", "better"]
    assert told["outcome"] == "ok"


def test_a_forged_request_id_changes_nothing(channels: Installation) -> None:
    """Promise 18: the client's id is kept for the log, never used as a key."""
    headers = {"Authorization": f"Bearer {channels.api_key}", "x-request-id": "forged"}
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50}
    before = channels.system("GET", "/yescale/user").json()["data"]
    ids = {
        httpx.post(f"{channels.base_url}/v1/chat/completions", json=body, headers=headers, timeout=30).headers[
            "x-request-id"
        ]
        for _ in range(3)
    }
    assert len(ids) == 3
    assert "forged" not in ids
    after = channels.system("GET", "/yescale/user").json()["data"]
    assert after["request_count"] == before["request_count"] + 3
    assert channels.admin("log", "show", ids.pop())["client_request_id"] == "forged"


def test_a_client_that_leaves_is_charged_what_the_provider_counted(channels: Installation) -> None:
    """Promises 6 and 10: the upstream is read on for its usage; the row is there within moments."""
    before = channels.last_arrival()
    with httpx.stream(
        "POST", f"{channels.base_url}/v1/chat/completions", timeout=30,
        headers={"Authorization": f"Bearer {channels.api_key}"},
        json={"model": "gpt-4o-mini+slow-50", "stream": True, "max_tokens": 60,
              "messages": [{"role": "user", "content": "a fairly long text, " * 10}]},
    ) as answer:  # fmt: skip
        request_id = answer.headers["x-request-id"]
        next(answer.iter_raw())
    end = time.monotonic() + 20
    while not (rows := channels.admin("log", "list", "--request-id", request_id)) and time.monotonic() < end:
        time.sleep(0.1)
    (row,) = rows
    (request,) = channels.arrived(before)
    assert row["outcome"] == "client_gone"
    assert row["estimated"] is False
    assert row["amount"] == request["usage"]["prompt_tokens"] * 150 + request["usage"]["completion_tokens"] * 600
