"""Every scenario, as it looks on the wire and in the record."""

import json
import re
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

Chat = Callable[..., httpx.Response]
Recorded = Callable[[str], list[dict[str, Any]]]
DONE = "[DONE]"


def events(text: str) -> list[Any]:
    """The data of the server-sent events."""
    data = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    return [one if one == DONE else json.loads(one) for one in data]


def content(chunks: list[Any]) -> str:
    deltas = [choice["delta"] for chunk in chunks if chunk != DONE for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


@pytest.fixture
def ending(recorded: Recorded, marker: str) -> Callable[[], dict[str, Any]]:
    """Wait for the end of the request with the marker, and give its record."""

    def wait() -> dict[str, Any]:
        for _ in range(200):
            entries = recorded(marker)
            if entries and entries[-1]["outcome"] is not None:
                return entries[-1]
            time.sleep(0.01)
        raise AssertionError("no request with the marker has ended")

    return wait


@contextmanager
def raw(sandbox_url: str, model: str, marker: str, *, stream: bool = False) -> Generator[socket.socket, None, None]:
    """A bare connection on which a chat completion was asked for."""
    host, port = sandbox_url.removeprefix("http://").split(":")
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": marker}], "stream": stream}).encode()
    head = (
        "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-sandbox-raw-key\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=3) as link:
        link.sendall(head.encode() + body)
        yield link


def read_all(link: socket.socket) -> bytes:
    read = b""
    while block := link.recv(65536):
        read += block
    return read


def read_until_silent(link: socket.socket, seconds: float = 0.2) -> bytes:
    link.settimeout(seconds)
    read = b""
    try:
        while block := link.recv(65536):
            read += block
    except TimeoutError:
        return read
    raise AssertionError("the connection was closed")


STATUSES = {
    "400": (400, "invalid_request_error", None),
    "401": (401, "invalid_request_error", "invalid_api_key"),
    "402": (402, "insufficient_quota", "credit_balance_exhausted"),
    "403": (403, "request_forbidden", "unsupported_country_region_territory"),
    "404": (404, "invalid_request_error", "model_not_found"),
    "429": (429, "tokens", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "500": (500, "server_error", None),
    "502": (502, "cf_bad_gateway", 502),
    "503": (503, "server_error", None),
    "529": (529, "overloaded_error", None),
}


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_status_scenario_answers_with_that_status(
    chat: Chat, recorded: Recorded, marker: str, name: str, stream: bool
) -> None:
    answer = chat(model=f"gpt-4o+{name}", stream=stream)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == STATUSES[name]
    assert answer.headers.get("retry-after") == ("1" if name == "429" else None)
    entry = recorded(marker)[-1]
    assert (entry["outcome"], entry["scenario"], entry["usage"]) == ("failed", f"+{name}", None)
    assert entry["status"] == answer.status_code


def test_flaky_fails_as_often_as_asked_for_each_prompt(chat: Chat, marker: str) -> None:
    assert [chat(model="gpt-4o+flaky-2").status_code for _ in range(4)] == [500, 500, 200, 200]
    other = [{"role": "user", "content": f"{marker} again"}]
    assert chat(model="gpt-4o+flaky-2", messages=other).status_code == 500


def test_redirect_points_where_the_record_would_see_a_follower(chat: Chat) -> None:
    answer = chat(model="gpt-4o+redirect")
    assert (answer.status_code, answer.headers["location"]) == (307, "/openai/v1/elsewhere")


def test_echo_secret_shows_the_key(chat: Chat) -> None:
    answer = chat(model="gpt-4o+echo-secret")
    assert answer.status_code == 400
    assert "sk-sandbox-0123456789" in answer.json()["error"]["message"]


def test_a_refused_request_stays_refused_whatever_the_scenario(chat: Chat) -> None:
    assert chat(model="gpt-4o+500", bogus=1).status_code == 400


def test_slow_and_delay_take_their_time(chat: Chat) -> None:
    began = time.monotonic()
    assert chat(model="gpt-4o+slow-10", stream=True).text.endswith("data: [DONE]\n\n")
    assert time.monotonic() - began >= 0.08
    began = time.monotonic()
    chat(model="gpt-4o+delay-80")
    chat(model="gpt-4o+slow-10")
    assert time.monotonic() - began >= 0.11


def test_stall_says_two_chunks_and_then_nothing(
    sandbox_url: str, marker: str, ending: Callable[[], dict[str, Any]]
) -> None:
    with raw(sandbox_url, "gpt-4o+stall", marker, stream=True) as link:
        assert read_until_silent(link).count(b"data: ") == 2
    entry = ending()
    assert (entry["outcome"], entry["chunks_sent"], entry["usage_reported"]) == ("client_gone", 2, None)


def test_stall_without_a_stream_sends_half_of_the_body(sandbox_url: str, marker: str) -> None:
    with raw(sandbox_url, "gpt-4o+stall", marker) as link:
        head, _, half = read_until_silent(link).partition(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head)
        assert found is not None
        assert len(half) == int(found.group(1)) // 2


def test_stall_head_says_nothing_at_all(sandbox_url: str, marker: str, ending: Callable[[], dict[str, Any]]) -> None:
    with raw(sandbox_url, "gpt-4o+stall-head", marker) as link:
        assert read_until_silent(link, 0.1) == b""
    assert ending()["outcome"] == "client_gone"


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
def test_cut_closes_the_stream_after_its_chunks_and_never_ends_it(
    sandbox_url: str, marker: str, count: int, ending: Callable[[], dict[str, Any]]
) -> None:
    with raw(sandbox_url, f"gpt-4o+cut-{count}", marker, stream=True) as link:
        read = read_all(link)
    assert read.count(b"data: ") == (count if count < 1000 else 8)
    assert b"[DONE]" not in read
    assert not read.endswith(b"0\r\n\r\n")
    entry = ending()
    assert (entry["outcome"], entry["chunks_sent"]) == ("cut", read.count(b"data: "))


def test_cut_without_a_number_breaks_an_event_or_the_body(
    chat: Chat, sandbox_url: str, marker: str, ending: Callable[[], dict[str, Any]]
) -> None:
    with raw(sandbox_url, "gpt-4o+cut", marker, stream=True) as link:
        assert not read_all(link).endswith(b"\n")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        chat(model="gpt-4o+cut")
    assert ending()["outcome"] == "cut"


def test_reset_resets(sandbox_url: str, marker: str, ending: Callable[[], dict[str, Any]]) -> None:
    with raw(sandbox_url, "gpt-4o+reset", marker) as link, pytest.raises(ConnectionResetError):
        link.recv(100)
    assert (ending()["outcome"], ending()["status"]) == ("cut", 0)


def test_garbage_is_not_http(chat: Chat, ending: Callable[[], dict[str, Any]]) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        chat(model="gpt-4o+garbage")
    assert ending()["outcome"] == "failed"


def test_badjson_is_a_good_status_with_broken_json(chat: Chat) -> None:
    answer = chat(model="gpt-4o+badjson")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    text = chat(model="gpt-4o+badjson", stream=True).text
    with pytest.raises(json.JSONDecodeError):
        events(text)
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_html_is_a_page(chat: Chat, stream: bool) -> None:
    answer = chat(model="gpt-4o+html", stream=stream)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=UTF-8")


def test_error_comes_as_an_event_and_the_stream_ends(chat: Chat, marker: str, recorded: Recorded) -> None:
    found = events(chat(model="gpt-4o+error-2", stream=True).text)
    assert len(found) == 3
    assert found[2]["error"]["type"] == "server_error"
    assert recorded(marker)[-1]["outcome"] == "failed"


def test_no_done_leaves_out_the_end_mark(chat: Chat) -> None:
    found = events(chat(model="gpt-4o+no-done", stream=True).text)
    assert DONE not in found
    assert found[-1]["choices"][0]["finish_reason"] == "stop"


def test_comments_stand_before_every_event(chat: Chat) -> None:
    text = chat(model="gpt-4o+comment", stream=True).text
    assert text.count(": keep-alive\n\ndata: ") == text.count("data: ") - 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("name", "prompt"), [("usage-0", 0), ("usage-huge", 10**15), ("usage-none", None)])
def test_usage_is_bent_as_asked(
    chat: Chat, recorded: Recorded, marker: str, name: str, prompt: Any, stream: bool
) -> None:
    options: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answer = chat(model=f"gpt-4o+{name}", **options)
    chunks = events(answer.text)[:-1] if stream else [answer.json()]
    found = [chunk["usage"] for chunk in chunks if chunk.get("usage") is not None]
    assert [usage["prompt_tokens"] for usage in found] == ([] if prompt is None else [prompt])
    entry = recorded(marker)[-1]
    assert entry["usage"]["prompt_tokens"] > 0
    assert (entry["usage_reported"] or {}).get("prompt_tokens") == prompt


def test_usage_each_grows_with_the_stream(chat: Chat) -> None:
    found = events(chat(model="gpt-4o+usage-each", stream=True).text)[:-1]
    counts = [chunk["usage"]["completion_tokens"] for chunk in found]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1] > 5, found[-1]["choices"]) == (0, True, [])


def test_usage_finish_rides_with_the_finish_reason(chat: Chat) -> None:
    options = {"include_usage": True}
    found = events(chat(model="gpt-4o+usage-finish", stream=True, stream_options=options).text)[:-1]
    assert found[-1]["choices"][0]["finish_reason"] == "stop"
    assert found[-1]["usage"]["total_tokens"] > 0


def test_cached_tells_a_share_of_the_prompt(chat: Chat) -> None:
    usage = chat(model="gpt-4o+cached-50", messages=[{"role": "user", "content": "x" * 400}]).json()["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (104, 52)


def test_long_and_big_grow_the_answer(chat: Chat, marker: str) -> None:
    found = events(chat(model="gpt-4o+long-200", stream=True).text)
    assert len(found) >= 203
    assert content(found) == chat(model="gpt-4o+long-200").json()["choices"][0]["message"]["content"]
    big = chat(model="gpt-4o+big-1000").json()["choices"][0]["message"]["content"]
    assert 1_024_000 <= len(big) <= 1_030_000
    assert marker in big
    assert content(events(chat(model="gpt-4o+big-1000", stream=True).text)) == big


@pytest.mark.parametrize("name", ["drip", "done-only"])
def test_the_cutting_of_the_text_changes_no_word(chat: Chat, name: str) -> None:
    usual = chat(stream=True, model="gpt-4o")
    found = events(chat(stream=True, model=f"gpt-4o+{name}").text)
    assert content(found) == content(events(usual.text))
    assert len(found) == (4 if name == "done-only" else len(content(found)) + 3)


@pytest.mark.parametrize("name", ["drip", "done-only", "tool-done-only", "slow-1"])
def test_the_cutting_of_a_tool_call_changes_no_argument(chat: Chat, name: str) -> None:
    shape = {"type": "object", "properties": {"a": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "look", "parameters": shape}}]
    whole = chat(tools=tools, tool_choice="required").json()["choices"][0]["message"]["tool_calls"][0]
    found = events(chat(tools=tools, tool_choice="required", stream=True, model=f"gpt-4o+{name}").text)[:-1]
    parts = [part for chunk in found for part in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert (parts[0]["id"], parts[0]["function"]["name"]) == (whole["id"], "look")
    assert "".join(part["function"]["arguments"] for part in parts) == whole["function"]["arguments"]
    assert (len(parts) == 1) is ("done-only" in name)


@pytest.mark.parametrize("stream", [False, True])
def test_refuse_is_a_refusal_and_not_content(chat: Chat, stream: bool) -> None:
    answer = chat(model="gpt-4o+refuse", stream=stream)
    if stream:
        deltas = [chunk["choices"][0]["delta"] for chunk in events(answer.text)[:-1]]
        assert "".join(delta.get("refusal") or "" for delta in deltas).startswith("I'm sorry")
        assert not any(delta.get("content") for delta in deltas)
    else:
        message = answer.json()["choices"][0]["message"]
        assert (message["content"], message["refusal"][:9]) == (None, "I'm sorry")


def test_filter_ends_with_content_filter(chat: Chat) -> None:
    assert chat(model="gpt-4o+filter").json()["choices"][0]["finish_reason"] == "content_filter"


def test_failed_ends_a_response_as_failed_and_with_usage(http: httpx.Client, marker: str) -> None:
    body = http.post("/openai/v1/responses", json={"model": "gpt-4o+failed", "input": marker}).json()
    assert (body["status"], body["output"], body["error"]["code"]) == ("failed", [], "server_error")
    assert body["usage"]["output_tokens"] > 0


def test_filter_prompt_is_azures_refusal(sandbox_url: str, marker: str) -> None:
    deployment = "gpt-4o+filter-prompt"
    url = f"{sandbox_url}/azure/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21"
    asked = {"messages": [{"role": "user", "content": marker}]}
    refused = httpx.post(url, json=asked, headers={"api-key": "sk-sandbox-azure"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "content_filter")


def test_scenarios_combine(sandbox_url: str, marker: str) -> None:
    began = time.monotonic()
    with raw(sandbox_url, "gpt-4o+slow-30+cut-3+usage-each", marker, stream=True) as link:
        read = read_all(link)
    assert time.monotonic() - began >= 0.06
    assert read.count(b'"usage":{') == 3


def test_openai_knows_no_pause(chat: Chat) -> None:
    assert chat(model="gpt-4o+pause").json()["choices"][0]["finish_reason"] == "stop"


def test_every_listed_scenario_is_tested(http: httpx.Client) -> None:
    text = "".join(source.read_text("utf-8") for source in Path(__file__).parent.rglob("test_*.py"))
    for row in http.get("/__sandbox/scenarios").json()["scenarios"]:
        name = re.sub(r"\[?-N\]?$", "", row["name"]).removeprefix("+")
        assert re.search(rf'[+"]{re.escape(name)}[-+"]', text), row
        assert row["meaning"]
