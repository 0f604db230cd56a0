"""Providers of every kind, each reached through a whole yescale at its fake: whole, streamed, refused, passed over."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import pytest

from tests.e2e.installation import Installation

AWS = "AKIASANDBOX000000000:sandbox/secret/access/key/for/tests/only/00"
ENTRA = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJhenVyZSJ9.c2lnbmF0dXJl"
VERTEX = "/vertex/v1/projects/sandbox-project/locations/us-central1"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


class Row(NamedTuple):
    """A channel: its provider, where that is, its secret, and the model's name there."""

    provider: str
    path: str
    secret: str
    upstream: str
    model: str  # of the catalogue, whose price applies


ROWS: Mapping[str, Row] = {
    "azure": Row("azure", "/azure?api-version=2024-10-21", "sk-sandbox-azure", "gpt-4o", "gpt-4o"),
    "entra": Row("azure", "/azure?api-version=2024-10-21", ENTRA, "gpt-4o", "gpt-4o"),
    "azurev1": Row("azure_v1", "/azure", "sk-sandbox-azure", "gpt-4o", "gpt-4o"),
    "converse": Row("bedrock", "/bedrock", AWS, CLAUDE, "claude-sonnet-4-5"),
    "apikey": Row("bedrock", "/bedrock", "bedrock-api-key-sandbox-1", CLAUDE, "claude-sonnet-4-5"),
    "invoke": Row("bedrock_anthropic", "/bedrock", AWS, CLAUDE, "claude-sonnet-4-5"),
    "vertex": Row("vertex", VERTEX, "", "gemini-2.5-flash", "gemini-2.5-flash"),
    "rawpredict": Row("vertex_anthropic", VERTEX, "", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
    "deepseek": Row("deepseek", "/deepseek", "sk-sandbox-deepseek", "deepseek-chat", "deepseek-chat"),
    "ark": Row("ark", "/ark/api/v3", "sk-sandbox-ark", "deepseek-v3-1-250821", "deepseek-v3-1-250821"),
    "ollama": Row("ollama", "/ollama/v1", "any", "llama3.2", "gpt-4o"),
    "ollamaown": Row("ollama_native", "/ollama", "any", "llama3.2", "gpt-4o"),
}


@pytest.fixture(scope="module")
def yescale(installation: Installation) -> Installation:
    """Channels of each row: one works, one refuses, one breaks off, and one fails that comes before the first."""
    account = httpx.get(f"{installation.sandbox_url}/__sandbox/service-account", timeout=30).text
    for name, row in ROWS.items():
        channels = {
            name: {f"{row.model}+{name}": row.upstream, f"{row.model}+{name}-over": row.upstream},
            f"{name}-bad": {f"{row.model}+{name}-bad": f"{row.upstream}+400"},
            f"{name}-cut": {f"{row.model}+{name}-cut": f"{row.upstream}+error-6"},
            f"{name}-down": {f"{row.model}+{name}-over": f"{row.upstream}+500"},
        }
        for channel, models in channels.items():
            installation.admin(
                "channel", "add", "--name", channel, "--provider", row.provider, "--secret", row.secret or account,
                "--base-url", installation.sandbox_url + row.path,
                "--priority", "9" if channel.endswith("-down") else "0",
                "--models", ",".join(f"{ours}={theirs}" for ours, theirs in models.items()),
            )  # fmt: skip
    for name in ("vertex", "rawpredict"):
        wait_for_token(installation, name)
    return installation


def wait_for_token(yescale: Installation, name: str) -> None:
    """Control is to have exchanged the account: until then there is no such channel."""
    end = time.monotonic() + 20
    while chat(yescale, name).status_code != 200:
        assert time.monotonic() < end, chat(yescale, name).text
        time.sleep(0.2)


def chat(yescale: Installation, name: str, ending: str = "", **more: Any) -> httpx.Response:
    body = {"model": f"{ROWS[name].model}+{name}{ending}", "max_tokens": 200} | more
    body.setdefault("messages", [{"role": "user", "content": "Say hello."}])
    headers = {"Authorization": f"Bearer {yescale.api_key}"}
    return httpx.post(f"{yescale.base_url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def messages(yescale: Installation, name: str, *, betas: str = "", **more: Any) -> httpx.Response:
    body = {"model": f"{ROWS[name].model}+{name}", "max_tokens": 200} | more
    body.setdefault("messages", [{"role": "user", "content": "Say hello."}])
    headers = {"x-api-key": yescale.api_key} | ({"anthropic-beta": betas} if betas else {})
    return httpx.post(f"{yescale.base_url}/v1/messages", json=body, headers=headers, timeout=30)


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize("name", ROWS)
def test_a_whole_answer_comes_with_the_usage_that_the_provider_counted(yescale: Installation, name: str) -> None:
    before = yescale.last_arrival()
    answer = chat(yescale, name)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["model"]
    assert told["choices"][0]["message"]["content"]
    assert told["choices"][0]["finish_reason"] == "stop"
    (arrived,) = yescale.arrived(before)
    assert arrived["status"] == 200
    counted = arrived["usage"]
    assert told["usage"]["prompt_tokens"] == counted["prompt_tokens"]
    assert told["usage"]["completion_tokens"] == counted["completion_tokens"]
    row = yescale.admin("log", "show", answer.headers["x-request-id"])
    assert (row["outcome"], row["estimated"]) == ("ok", False)
    assert row["amount"] > 0


@pytest.mark.parametrize("name", ROWS)
def test_a_stream_says_what_the_whole_answer_says(yescale: Installation, name: str) -> None:
    whole = chat(yescale, name).json()
    answer = chat(yescale, name, stream=True, stream_options={"include_usage": True})
    assert answer.status_code == 200, answer.text
    assert answer.text.rstrip().endswith("[DONE]")
    chunks = events(answer)
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    usage = next(chunk["usage"] for chunk in chunks if chunk.get("usage"))
    assert usage["completion_tokens"] == whole["usage"]["completion_tokens"]
    assert yescale.admin("log", "show", answer.headers["x-request-id"])["estimated"] is False


# The fakes of DeepSeek and Ollama have no Anthropic area.
@pytest.mark.parametrize("name", [name for name in ROWS if name not in ("deepseek", "ollama")])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_of_anthropic_is_answered_in_its_own_words(yescale: Installation, name: str, stream: bool) -> None:
    answer = messages(yescale, name, stream=stream)
    assert answer.status_code == 200, answer.text
    if not stream:
        told = answer.json()
        assert told["content"][-1]["text"]
        assert told["stop_reason"] == "end_turn"
        assert told["usage"]["output_tokens"] > 0
        return
    kinds = [event["type"] for event in events(answer) if event["type"] != "ping"]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert any(event.get("delta", {}).get("text") for event in events(answer))


@pytest.mark.parametrize("name", ROWS)
def test_a_refusal_is_the_client_s_own_and_free(yescale: Installation, name: str) -> None:
    answer = chat(yescale, name, "-bad")
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["message"]
    assert ROWS[name].secret == "" or ROWS[name].secret not in answer.text
    assert yescale.admin("log", "show", answer.headers["x-request-id"])["amount"] == 0


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_fails_is_passed_over(yescale: Installation, name: str, stream: bool) -> None:
    """Promise 21."""
    before = yescale.last_arrival()
    answer = chat(yescale, name, "-over", stream=stream)
    assert answer.status_code == 200, answer.text
    assert [arrived["status"] for arrived in yescale.arrived(before)] == [500, 200]


@pytest.mark.parametrize("name", ROWS)
def test_a_stream_that_breaks_does_not_look_complete(yescale: Installation, name: str) -> None:
    """Promise 28: an error is its last event, and the connection ends as no whole answer does."""
    said = [{"role": "user", "content": "a long text " * 20}]
    body = {"model": f"{ROWS[name].model}+{name}-cut", "stream": True, "max_tokens": 200, "messages": said}
    headers = {"Authorization": f"Bearer {yescale.api_key}"}
    url = f"{yescale.base_url}/v1/chat/completions"
    got: list[bytes] = []
    with httpx.stream("POST", url, json=body, headers=headers, timeout=30) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_raw()
        with pytest.raises(httpx.RemoteProtocolError):
            got.extend(pieces)
    text = b"".join(got)
    assert b"[DONE]" not in text
    assert b'"error"' in text.rstrip().split(b"\n")[-1]


TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.mark.parametrize("name", [name for name in ROWS if name != "ollama"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_goes_back(yescale: Installation, name: str, stream: bool) -> None:
    said: list[dict[str, Any]] = [{"role": "user", "content": "What is the weather in Paris? Use get_weather."}]
    asked = {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
    answer = chat(yescale, name, messages=said, stream=stream, **asked)
    assert answer.status_code == 200, answer.text
    if stream:
        pieces = [c for e in events(answer) if e["choices"] for c in e["choices"][0]["delta"].get("tool_calls", [])]
        arguments = "".join(piece["function"].get("arguments", "") for piece in pieces)
        call = {"id": pieces[0]["id"], "type": "function"}
        call["function"] = {"name": pieces[0]["function"]["name"], "arguments": arguments}
    else:
        call = answer.json()["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["name"] == "get_weather"
    assert isinstance(json.loads(call["function"]["arguments"]), dict)
    said += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
    ]
    following = chat(yescale, name, messages=said, tools=[TOOL])
    assert following.status_code == 200, following.text


PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
        "a5f645400000000049454e44ae426082"
    )
).decode()


@pytest.mark.parametrize("name", ["converse", "invoke", "rawpredict", "vertex"])
def test_a_picture_gets_there(yescale: Installation, name: str) -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    before = yescale.last_arrival()
    answer = chat(yescale, name, messages=[{"role": "user", "content": parts}])
    assert answer.status_code == 200, answer.text
    (arrived,) = yescale.arrived(before)
    assert PNG in json.dumps(arrived["body"])


@pytest.mark.parametrize("name", ["converse", "invoke", "rawpredict"])
def test_thoughts_come_back_sealed_and_go_up_again(yescale: Installation, name: str) -> None:
    """A thought of Claude's keeps its seal on every way to it."""
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    said: list[dict[str, Any]] = [{"role": "user", "content": "What is the weather in Paris? Use get_weather."}]
    tool = {"name": "get_weather", "input_schema": TOOL["function"]["parameters"]}
    first = messages(yescale, name, max_tokens=4_000, thinking=thinking, tools=[tool], messages=said)
    assert first.status_code == 200, first.text
    content = first.json()["content"]
    thought = next(block for block in content if block["type"] == "thinking")
    assert thought["signature"]
    assert not thought["signature"].startswith("ys1.")
    calls = [block for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "sunny"} for call in calls]
    said += [{"role": "assistant", "content": content}]
    said += [{"role": "user", "content": results or "Go on."}]
    before = yescale.last_arrival()
    second = messages(yescale, name, max_tokens=4_000, thinking=thinking, tools=[tool], messages=said)
    assert second.status_code == 200, second.text
    (arrived,) = yescale.arrived(before)
    assert thought["signature"] in json.dumps(arrived["body"])


BETAS = "context-1m-2025-08-07, files-api-2025-04-14,advanced-tool-use-2025-11-20,nothing-2020-01-01"
KNOWN = ["context-1m-2025-08-07", "tool-search-tool-2025-10-19"]


@pytest.mark.parametrize("name", ["invoke", "rawpredict", "converse"])
@pytest.mark.parametrize("stream", [False, True])
def test_betas_that_a_cloud_knows_go_on_and_others_are_recorded(yescale: Installation, name: str, stream: bool) -> None:
    """Promise 29: one unknown beta would have the whole request refused. Bedrock reads them in the body."""
    before = yescale.last_arrival()
    answer = messages(yescale, name, stream=stream, betas=BETAS, anthropic_beta=["nothing-2020-01-01"])
    assert answer.status_code == 200, answer.text
    (arrived,) = yescale.arrived(before)
    header = arrived["headers"].get("anthropic-beta")
    assert header == (",".join(KNOWN) if name == "rawpredict" else None)
    assert arrived["body"].get("anthropic_beta") == (KNOWN if name == "invoke" else None)
    row = yescale.admin("log", "show", answer.headers.get("x-request-id") or answer.headers["request-id"])
    assert "header.anthropic-beta" in row["losses"]
    assert "extras.anthropic_beta" in row["losses"]


GOOGLE = "/v1beta/models/gpt-4o+second"
HELLO: Mapping[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50},
    "/v1/responses": {"input": "Say hello.", "store": False, "max_output_tokens": 50},
    "/v1/messages": {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50},
    f"{GOOGLE}:generateContent": {
        "contents": [{"role": "user", "parts": [{"text": "Say hello."}]}],
        "generationConfig": {"maxOutputTokens": 50},
    },
}


@pytest.mark.parametrize("path", HELLO)
@pytest.mark.parametrize("stream", [False, True])
def test_a_yescale_behind_a_yescale_speaks_every_format_as_it_is(
    yescale: Installation, path: str, stream: bool
) -> None:
    """The installation is its own second one: the provider `newapi` at its address, with a key of its own."""
    if "second" not in {channel["name"] for channel in yescale.admin("channel", "list")}:
        yescale.admin(
            "channel", "add", "--name", "second", "--provider", "newapi", "--secret", yescale.api_key,
            "--base-url", yescale.base_url, "--models", "gpt-4o+second=gpt-4o",
        )  # fmt: skip
    body = HELLO[path] if path.startswith("/v1beta") else HELLO[path] | {"model": "gpt-4o+second", "stream": stream}
    target = path.replace(":generateContent", ":streamGenerateContent?alt=sse") if stream else path
    before = yescale.last_arrival()
    headers = {"Authorization": f"Bearer {yescale.api_key}"}
    answer = httpx.post(yescale.base_url + target, json=body, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    assert "hello" in answer.text.lower()
    assert "x-yescale-losses" not in answer.headers
    (arrived,) = yescale.arrived(before)
    assert arrived["model"] == "gpt-4o"


def test_a_token_is_renewed_before_it_ends(yescale: Installation) -> None:
    """Its account's JSON never leaves control."""
    account = httpx.get(f"{yescale.sandbox_url}/__sandbox/service-account?lifetime=8", timeout=30).text
    yescale.admin(
        "channel", "add", "--name", "short", "--provider", "vertex", "--secret", account,
        "--base-url", yescale.sandbox_url + VERTEX, "--models", "gemini-2.5-flash+short=gemini-2.5-flash",
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {yescale.api_key}"}
    body = {"model": "gemini-2.5-flash+short", "messages": [{"role": "user", "content": "Hi"}]}
    statuses: list[int] = []
    end = time.monotonic() + 14  # in which its first token ends
    while time.monotonic() < end:
        answer = httpx.post(f"{yescale.base_url}/v1/chat/completions", json=body, headers=headers, timeout=30)
        statuses.append(answer.status_code)
        time.sleep(0.2)
    works = statuses.index(200)
    assert set(statuses[works:]) == {200}, statuses
    assert len(statuses) - works > 20
