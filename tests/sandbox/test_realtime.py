"""Realtime sessions, over a WebSocket client and OpenAI's own."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from openai import OpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

KEY = {"authorization": "Bearer sk-sandbox-realtime"}
BETA = {**KEY, "openai-beta": "realtime=v1"}
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}


@contextmanager
def session(
    url: str, model: str = "gpt-realtime", headers: dict[str, str] | None = None, **more: Any
) -> Iterator[ClientConnection]:
    """An open session whose first event was read."""
    address = f"{url.replace('http', 'ws')}/openai/v1/realtime?model={model}"
    with connect(address, additional_headers=KEY if headers is None else headers, **more) as link:
        assert read(link)["type"] == "session.created"
        yield link


def read(link: ClientConnection) -> dict[str, Any]:
    return json.loads(link.recv(timeout=5))


def send(link: ClientConnection, kind: str, **fields: Any) -> None:
    link.send(json.dumps({"type": kind, **fields}))


def until(link: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """The events up to one of a kind."""
    found = [read(link)]
    while found[-1]["type"] != kind:
        found.append(read(link))
    return found


def ask(link: ClientConnection, text: str, **response: Any) -> list[dict[str, Any]]:
    """Say something and read the whole response."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    send(link, "conversation.item.create", item=item)
    send(link, "response.create", response=response)
    return until(link, "response.done")


def joined(events: list[dict[str, Any]], kind: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == kind)


def test_a_session_answers_in_text(sandbox_url: str, marker: str) -> None:
    with session(sandbox_url) as link:
        events = ask(link, marker, output_modalities=["text"])
        assert [event["type"] for event in events[:6]] == [
            *("conversation.item.added", "conversation.item.done", "response.created", "response.output_item.added"),
            *("conversation.item.added", "response.content_part.added"),
        ]
        assert [event["type"] for event in events[-5:]] == [
            *("response.output_text.done", "response.content_part.done", "response.output_item.done"),
            *("conversation.item.done", "response.done"),
        ]
        text = joined(events, "response.output_text.delta")
        assert text.startswith(f"You said: {marker}")
        done = events[-1]["response"]
        assert (done["status"], done["output"][0]["content"][0]["text"]) == ("completed", text)
        usage = done["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["output_tokens"] == -(-len(text) // 4)
        assert len({event["event_id"] for event in events}) == len(events)


def test_a_session_speaks_and_counts_its_audio(sandbox_url: str, marker: str) -> None:
    with session(sandbox_url) as link:
        events = ask(link, marker)
    assert joined(events, "response.output_audio_transcript.delta").startswith(f"You said: {marker}")
    sound = b"".join(base64.b64decode(event["delta"]) for event in events if event["type"].endswith("audio.delta"))
    details = events[-1]["response"]["usage"]["output_token_details"]
    assert details["audio_tokens"] == -(-len(sound) * 20 // 48_000)
    assert details["text_tokens"] > 0


def test_the_beta_has_the_older_names(sandbox_url: str, marker: str) -> None:
    with session(sandbox_url, "gpt-4o-realtime-preview", BETA) as link:
        assert read(link)["type"] == "conversation.created"
        send(link, "session.update", session={"modalities": ["text"], "voice": "verse"})
        updated = read(link)
        assert (updated["type"], updated["session"]["voice"]) == ("session.updated", "verse")
        events = ask(link, marker)
    assert joined(events, "response.text.delta").startswith(f"You said: {marker}")
    assert events[0]["type"] == "conversation.item.created"


def test_tools_are_called_and_answered(sandbox_url: str) -> None:
    with session(sandbox_url) as link:
        send(link, "session.update", session={"type": "realtime", "tools": [TOOL], "output_modalities": ["text"]})
        assert read(link)["type"] == "session.updated"
        call = ask(link, "look there")[-1]["response"]["output"][0]
        assert (call["type"], json.loads(call["arguments"])) == ("function_call", {"a": "look there"})
        until(link, "rate_limits.updated")
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "a tree"}
        send(link, "conversation.item.create", item=output)
        send(link, "response.create")
        events = until(link, "response.done")
    assert joined(events, "response.output_text.delta").startswith("The tool look answered: a tree")


def test_audio_is_committed_and_heard(sandbox_url: str) -> None:
    with session(sandbox_url) as link:
        send(link, "input_audio_buffer.commit")
        assert read(link)["error"]["code"] == "input_audio_buffer_commit_empty"
        send(link, "input_audio_buffer.append", audio=base64.b64encode(bytes(48_000)).decode())
        send(link, "input_audio_buffer.commit")
        assert [read(link)["type"] for _ in range(2)] == ["input_audio_buffer.committed", "conversation.item.added"]
        send(link, "response.create", response={"output_modalities": ["text"]})
        events = until(link, "response.done")
    assert joined(events, "response.output_text.delta").startswith("You said: 1.0 seconds of audio")
    assert events[-1]["response"]["usage"]["input_token_details"]["audio_tokens"] == 10


def test_a_response_is_cancelled_and_two_at_once_are_refused(sandbox_url: str, marker: str) -> None:
    with session(sandbox_url, "gpt-realtime%2Bslow-20") as link:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": marker}]}
        send(link, "conversation.item.create", item=item)
        send(link, "response.create")
        until(link, "response.created")
        send(link, "response.create", event_id="mine")
        send(link, "response.cancel")
        events = until(link, "response.done")
        assert events[-1]["response"]["status"] == "cancelled"
        refused = until(link, "error")[-1]["error"]
        assert (refused["code"], refused["event_id"]) == ("conversation_already_has_active_response", "mine")
        send(link, "response.cancel")
        assert until(link, "error")[-1]["error"]["code"] == "response_cancel_not_active"


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ("no JSON", "invalid_json", None),
        ("[]", "invalid_event", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type":"dance"}', "invalid_value", "type"),
        ('{"type":"response.create","bogus":1}', "unknown_parameter", "bogus"),
        ('{"type":"session.update","session":{"type":"realtime","bogus":1}}', "unknown_parameter", "session.bogus"),
        ('{"type":"session.update","session":{}}', "missing_required_parameter", "session.type"),
        (
            '{"type":"conversation.item.create","item":{"type":"message","role":"user"}}',
            *("missing_required_parameter", "item.content"),
        ),
        ('{"type":"conversation.item.delete","item_id":"item_none"}', "item_not_found", "item_id"),
        ('{"type":"input_audio_buffer.append","audio":"@@"}', "invalid_value", "audio"),
    ],
)
def test_faults_are_told_and_the_session_goes_on(sandbox_url: str, event: str, code: str, param: str | None) -> None:
    with session(sandbox_url) as link:
        link.send(event)
        told = read(link)
        assert (told["type"], told["error"]["code"], told["error"]["param"]) == ("error", code, param)
        assert ask(link, "hi", output_modalities=["text"])[-1]["response"]["status"] == "completed"


def test_usage_of_every_response_is_on_record(sandbox_url: str, http: httpx.Client) -> None:
    """Promise 16: what a session costs is the sum of its responses."""
    last = http.get("/__sandbox/health").json()["last"]
    with session(sandbox_url) as link:
        told = []
        for text in ("one", "two"):
            told.append(ask(link, text, output_modalities=["text"])[-1]["response"]["usage"]["total_tokens"])
            until(link, "rate_limits.updated")
    time.sleep(0.05)
    entries = http.get("/__sandbox/requests", params={"after": last}).json()["requests"]
    entry = next(entry for entry in entries if entry["path"] == "/openai/v1/realtime")
    assert entry["usage"]["total_tokens"] == entry["usage_reported"]["total_tokens"] == sum(told)
    assert (entry["status"], entry["outcome"]) == (101, "served")


def test_a_key_may_stand_among_the_subprotocols(sandbox_url: str) -> None:
    offered: Any = ["realtime", "openai-insecure-api-key.sk-sandbox-browser"]
    with session(sandbox_url, headers={}, subprotocols=offered) as link:
        assert link.subprotocol == "realtime"
    with pytest.raises(InvalidStatus) as refused, session(sandbox_url, headers={}):
        pass
    assert refused.value.response.status_code == 401


def test_an_unknown_model_is_told_and_the_connection_closed(sandbox_url: str) -> None:
    address = f"{sandbox_url.replace('http', 'ws')}/openai/v1/realtime?model=gpt-4o"
    with connect(address, additional_headers=KEY) as link:
        assert read(link)["error"]["code"] == "invalid_model"
        with pytest.raises(ConnectionClosed) as closed:
            link.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "invalid_request_error.invalid_model")


def test_pings_pieces_and_binary_are_answered(sandbox_url: str, marker: str) -> None:
    with session(sandbox_url) as link:
        assert link.ping().wait(5)
        whole = json.dumps({"type": "input_audio_buffer.clear"})
        link.send(iter([whole[:5], whole[5:9], whole[9:]]))
        assert read(link)["type"] == "input_audio_buffer.cleared"
        link.send(b"bytes")
        with pytest.raises(ConnectionClosed) as closed:
            link.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


def test_a_session_may_be_cut(sandbox_url: str) -> None:
    with session(sandbox_url, "gpt-realtime%2Bcut-5") as link:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
        send(link, "conversation.item.create", item=item)
        send(link, "response.create")
        assert [read(link)["type"] for _ in range(4)][-1] == "response.output_item.added"
        with pytest.raises(ConnectionClosed):
            read(link)


def test_failures_come_before_the_switch(sandbox_url: str) -> None:
    with pytest.raises(InvalidStatus) as refused, session(sandbox_url, "gpt-realtime%2B429"):
        pass
    assert refused.value.response.status_code == 429


def test_without_an_upgrade_the_path_says_what_it_needs(http: httpx.Client) -> None:
    answer = http.get("/openai/v1/realtime?model=gpt-realtime")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")


def test_an_upgrade_elsewhere_gets_a_plain_answer(sandbox_url: str) -> None:
    host, port = sandbox_url.removeprefix("http://").split(":")
    head = "GET /__sandbox/health HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(head.encode())
        answer = b""
        while data := link.recv(65_536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"HTTP/1.1") == 1


# OpenAI's client opens its WebSocket in a way that the newest websockets advises against.
@pytest.mark.filterwarnings("ignore:connect:DeprecationWarning")
def test_the_official_client_holds_a_session(sdk: OpenAI, marker: str) -> None:
    with sdk.realtime.connect(model="gpt-realtime") as link:
        link.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        said: list[Any] = [{"type": "input_text", "text": marker}]
        link.conversation.item.create(item={"type": "message", "role": "user", "content": said})
        link.response.create()
        text = ""
        for event in link:
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.done":
                assert event.response.usage is not None
                break
    assert text.startswith(f"You said: {marker}")
