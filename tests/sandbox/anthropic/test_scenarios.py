"""Every scenario, as it looks on the wire and in the record."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.grammars import anthropic as grammar

Ask = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]
MODEL = "claude-sonnet-4-5"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["400", "401", "402", "403", "404", "429", "quota", "500", "502", "503", "529"])
def test_a_status_is_answered_and_recorded(ask: Ask, recorded: Recorded, marker: str, name: str, stream: bool) -> None:
    answer = ask(model=f"{MODEL}+{name}", stream=stream)
    assert answer.status_code == (400 if name == "quota" else int(name))
    assert answer.json()["request_id"] == answer.headers["request-id"]
    entry = recorded(marker)[-1]
    assert (entry["outcome"], entry["scenario"], entry["usage"]) == ("failed", f"+{name}", None)


def test_flaky_redirect_and_echo_secret(ask: Ask) -> None:
    assert [ask(model=f"{MODEL}+flaky-2").status_code for _ in range(4)] == [500, 500, 200, 200]
    moved = ask(model=f"{MODEL}+redirect")
    assert (moved.status_code, moved.headers["location"]) == (307, "/anthropic/v1/elsewhere")
    assert "sk-ant-sandbox-0123456789" in ask(model=f"{MODEL}+echo-secret").json()["error"]["message"]


def test_a_refused_request_stays_refused_whatever_the_scenario(ask: Ask) -> None:
    assert ask(model=f"{MODEL}+500", bogus=1).status_code == 400


def test_an_error_event_ends_a_stream_cleanly(ask: Ask, recorded: Recorded, marker: str) -> None:
    answer = ask(model=f"{MODEL}+error-4", stream=True)
    read = grammar.events(answer.content)
    assert len(read) == 5
    assert read[-1].data["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert grammar.faults(read, may_fail=True) == []
    assert recorded(marker)[-1]["outcome"] == "failed"


def test_a_stream_without_its_end_is_seen_by_the_grammar(ask: Ask) -> None:
    read = grammar.events(ask(model=f"{MODEL}+no-done", stream=True).content)
    assert grammar.faults(read) == ["the stream ends while ending"]


@pytest.mark.parametrize("name", ["cut-3", "cut", "reset", "garbage"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_connection_is_broken(ask: Ask, name: str, stream: bool) -> None:
    with pytest.raises(httpx.TransportError):
        ask(model=f"{MODEL}+{name}", stream=stream)


@pytest.mark.parametrize("name", ["stall", "stall-head"])
def test_a_stalled_answer_never_ends(http: httpx.Client, marker: str, name: str) -> None:
    body = {"model": f"{MODEL}+{name}", "max_tokens": 99, "messages": [{"role": "user", "content": marker}]}
    with pytest.raises(httpx.ReadTimeout):
        http.post("/anthropic/v1/messages", json={**body, "stream": True}, timeout=0.2)


def test_broken_bodies_are_not_json(ask: Ask) -> None:
    for name in ("badjson", "html"):
        with pytest.raises(json.JSONDecodeError):
            ask(model=f"{MODEL}+{name}").json()
    with pytest.raises(json.JSONDecodeError):
        grammar.events(ask(model=f"{MODEL}+badjson", stream=True).content)


def test_slow_and_delay_take_their_time(ask: Ask) -> None:
    began = time.monotonic()
    ask(model=f"{MODEL}+slow-10", stream=True)
    assert time.monotonic() - began >= 0.08
    began = time.monotonic()
    ask(model=f"{MODEL}+delay-80")
    assert time.monotonic() - began >= 0.08


def test_usage_is_bent_as_asked_for(ask: Ask, recorded: Recorded, marker: str) -> None:
    assert ask(model=f"{MODEL}+usage-0").json()["usage"]["input_tokens"] == 0
    assert ask(model=f"{MODEL}+usage-huge").json()["usage"]["input_tokens"] == 10**15
    assert "usage" not in ask(model=f"{MODEL}+usage-none").json()
    assert b'"usage"' not in ask(model=f"{MODEL}+usage-none", stream=True).content
    entry = recorded(marker)[-1]
    assert (entry["usage"] is None, entry["usage_reported"]) == (False, None)


def test_a_stream_reports_its_usage_with_its_last_words_only(ask: Ask, recorded: Recorded, marker: str) -> None:
    ask(model=f"{MODEL}+error-2", stream=True)
    assert recorded(marker)[-1]["usage_reported"] is None
    ask(stream=True)
    entry = recorded(marker)[-1]
    assert entry["usage_reported"] == entry["usage"]
