"""Realtime through yescale: OpenAI's own client and a bare WebSocket."""

import base64
import json
import socket
from typing import Any, cast

import httpx
import pytest
from openai import AuthenticationError, OpenAI
from openai.resources.realtime.realtime import RealtimeConnection
from openai.types.realtime import ResponseAudioTranscriptDeltaEvent, ResponseTextDeltaEvent
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.installation import Installation
from tests.e2e.sessions import TEXT, ask, cost_of, new_account, read, rows_of, send, session, until

SIZE = ("--context", "32000", "--max-output", "4096")
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}


@pytest.fixture
def account(installation: Installation) -> dict[str, Any]:
    return new_account(installation)


def heard(link: RealtimeConnection) -> tuple[str, bytes, dict[str, Any]]:
    """Text, sound and the end of one response, as OpenAI's client reads them."""
    text, sound = "", b""
    for event in link:
        if isinstance(event, ResponseTextDeltaEvent | ResponseAudioTranscriptDeltaEvent):
            text += event.delta
        elif event.type == "response.output_audio.delta":
            sound += base64.b64decode(event.delta)
        elif event.type == "response.done":
            return text, sound, event.response.to_dict()
    raise AssertionError("the session ended inside a response")


@pytest.mark.filterwarnings("ignore:connect:DeprecationWarning")  # the client's own use of its library
def test_openais_client_writes_and_speaks_and_each_response_is_charged_to_the_nano(
    installation: Installation, account: dict[str, Any]
) -> None:
    """Promise 16."""
    client = OpenAI(api_key=account["key"], base_url=f"{installation.base_url}/v1")
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Good morning."}]}
    with client.realtime.connect(model="gpt-realtime") as link:
        assert next(iter(link)).type == "session.created"
        link.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        link.conversation.item.create(item=cast("Any", message))
        link.response.create()
        text, sound, first = heard(link)
        assert (text[:23], sound) == ("You said: Good morning.", b"")
        link.input_audio_buffer.append(audio=base64.b64encode(bytes(48_000)).decode())
        link.input_audio_buffer.commit()
        link.response.create(response={"output_modalities": ["audio"]})
        text, sound, second = heard(link)
        assert text.startswith("You said: 1.0 seconds of audio")
        assert len(sound) > 24_000
    assert second["usage"]["input_token_details"]["audio_tokens"] == 10
    assert second["usage"]["output_token_details"]["audio_tokens"] > 0
    rows = rows_of(installation, account, 2)
    assert [row["amount"] for row in rows] == [cost_of(first["usage"]), cost_of(second["usage"]), 0]
    assert [row["request_id"] for row in rows] == [f"{rows[2]['request_id']}{tail}" for tail in ("-1", "-2", "")]
    assert not any(row["estimated"] for row in rows)
    assert rows[1]["usage"]["audio_input_tokens"] == 10


def test_tools_are_called_and_errors_are_passed_on_without_ending_the_session(
    installation: Installation, account: dict[str, Any]
) -> None:
    with session(installation, account["key"]) as link:
        send(link, "session.update", session={"type": "realtime", "tools": [TOOL], **TEXT})
        assert read(link)["type"] == "session.updated"
        call = ask(link, "look there")[-1]["response"]["output"][0]
        assert (call["type"], json.loads(call["arguments"])) == ("function_call", {"a": "look there"})
        until(link, "rate_limits.updated")
        send(link, "conversation.item.delete", item_id="item_unknown", event_id="mine")
        told = read(link)["error"]
        assert (told["code"], told["event_id"]) == ("item_not_found", "mine")
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "a tree"}
        send(link, "conversation.item.create", item=output)
        send(link, "response.create")
        assert until(link, "response.done")[-1]["response"]["status"] == "completed"


def test_messages_come_as_the_provider_sent_them(installation: Installation, account: dict[str, Any]) -> None:
    """What the gateway does not have to change it does not touch: neither order nor spelling of a field."""
    with session(installation, account["key"]) as link:
        link.send('{ "type" : "conversation.item.create",  "item":{"type":"message","role":"user",'
                  '"content":[{"type":"input_text","text":"\\u00e9t\\u00e9"}]} }')  # fmt: skip
        raw = link.recv(timeout=10)
        assert isinstance(raw, str)
        assert raw.startswith('{"event_id":"event_')
        assert "été" in raw


@pytest.mark.parametrize("beta", [False, True])
def test_browsers_bring_their_key_as_a_subprotocol(
    installation: Installation, account: dict[str, Any], beta: bool
) -> None:
    names = ["realtime", f"openai-insecure-api-key.{account['key']}", *(["openai-beta.realtime-v1"] if beta else [])]
    with session(installation, account["key"], additional_headers={}, subprotocols=cast("Any", names)) as link:
        assert link.subprotocol == "realtime"
        if beta:
            assert read(link)["type"] == "conversation.created"
        kind = "response.text.delta" if beta else "response.output_text.delta"
        events = ask(link, "hi", **({"modalities": ["text"]} if beta else TEXT))
        assert kind in {event["type"] for event in events}


def status_of(installation: Installation, key: str, model: str = "gpt-realtime", **more: Any) -> tuple[int, str]:
    """How a session is refused before there is one."""
    with pytest.raises(InvalidStatus) as refused, session(installation, key, model, **more):
        pass
    answer = refused.value.response
    return answer.status_code, json.loads(answer.body or b"")["error"]["code"]


def test_a_session_is_refused_as_a_call_is_before_the_upgrade(
    installation: Installation, account: dict[str, Any]
) -> None:
    key, before = account["key"], installation.last_arrival()
    narrow = new_account(installation, "--models", "gpt-4o")["key"]
    wrong = "sk-" + "x" * 48
    assert status_of(installation, wrong) == (401, "invalid_api_key")
    assert status_of(installation, key, additional_headers={}) == (401, "missing_api_key")
    assert status_of(installation, "", f"gpt-realtime&key={key}", additional_headers={}) == (401, "missing_api_key")
    both = cast("Any", [f"openai-insecure-api-key.{wrong}"])
    assert status_of(installation, key, subprotocols=both) == (400, "conflicting_api_keys")
    assert status_of(installation, narrow) == (403, "model_not_allowed")
    assert status_of(installation, key, "gpt-nonsense") == (404, "model_not_found")
    assert status_of(installation, key, "gpt-4o") == (400, "invalid_request")
    assert status_of(installation, key, "") == (400, "invalid_request")
    assert installation.last_arrival() == before


def test_openais_client_hears_of_a_wrong_key(installation: Installation) -> None:
    client = OpenAI(api_key="sk-" + "y" * 48, base_url=f"{installation.base_url}/v1")
    with pytest.raises((InvalidStatus, AuthenticationError)) as refused, client.realtime.connect(model="gpt-realtime"):
        pass
    assert "401" in str(refused.value)


def test_without_an_upgrade_and_with_another_version_the_answer_is_426(
    installation: Installation, account: dict[str, Any]
) -> None:
    headers = {"authorization": f"Bearer {account['key']}"}
    plain = httpx.get(f"{installation.base_url}/v1/realtime?model=gpt-realtime", headers=headers)
    assert (plain.status_code, plain.headers["upgrade"]) == (426, "websocket")
    assert plain.json()["error"]["code"] == "upgrade_not_supported"
    old = {**headers, "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "8"}
    answer = httpx.get(f"{installation.base_url}/v1/realtime?model=gpt-realtime", headers=old)
    assert (answer.status_code, answer.headers["sec-websocket-version"]) == (426, "13")
    elsewhere = httpx.get(f"{installation.base_url}/v1/models", headers=old)
    assert (elsewhere.status_code, "sec-websocket-version" in elsewhere.headers) == (426, False)


@pytest.mark.parametrize(
    ("scenario", "status", "code"),
    [("429", 429, "rate_limit_exceeded"), ("500", 502, "upstream_error"), ("401", 502, "upstream_error")],
)
def test_an_upstream_that_refuses_the_session_is_answered_before_the_upgrade(
    installation: Installation, account: dict[str, Any], scenario: str, status: int, code: str
) -> None:
    model = f"gpt-realtime-{scenario}"
    installation.admin("model", "add", model, "--operations", "realtime", "--priced-as", "gpt-realtime", *SIZE)
    add_channel(installation, f"rt-{scenario}", f"{model}=gpt-realtime+{scenario}")
    assert status_of(installation, account["key"], model) == (status, code)


def add_channel(installation: Installation, name: str, models: str, *more: str, url: str = "") -> None:
    installation.admin(
        "channel", "add", "--name", name, "--provider", "openai", "--models", models, "--secret", f"sk-sandbox-{name}",
        "--base-url", url or f"{installation.sandbox_url}/openai/v1", *more,
    )  # fmt: skip


def test_another_channel_is_tried_before_the_upgrade(installation: Installation, account: dict[str, Any]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        model = "gpt-4o-mini-realtime-preview"
        add_channel(installation, "rt-dead", model, "--priority", "9", url=dead)
        with session(installation, account["key"], model) as link:
            assert ask(link, "hello", **TEXT)[-1]["response"]["status"] == "completed"
    row = rows_of(installation, account, 1)[-1]
    assert [note["status"] for note in row["attempts"]] == [0, 101]
    assert row["attempts"][0]["failure"] == "refused"


def test_a_session_keeps_its_model_and_says_its_name(installation: Installation, account: dict[str, Any]) -> None:
    installation.admin("model", "add", "talker", "--operations", "realtime", "--priced-as", "gpt-realtime", *SIZE)
    add_channel(installation, "rt-talker", "talker=gpt-realtime-2025-08-28")
    with session(installation, account["key"], "talker") as link:
        for name in ("gpt-realtime-mini", "gpt-realtime-2025-08-28"):
            send(link, "session.update", session={"type": "realtime", "model": name}, event_id="try")
            told = read(link)["error"]
            assert (told["param"], told["event_id"]) == ("session.model", "try")
        send(link, "session.update", session={"type": "realtime", "model": "talker", **TEXT})
        updated = read(link)
        assert (updated["type"], updated["session"]["model"]) == ("session.updated", "talker")
        done = ask(link, "hello")[-1]["response"]
    assert rows_of(installation, account, 1)[0]["amount"] == cost_of(done["usage"])


def test_what_cannot_be_priced_or_read_is_answered_with_an_error(
    installation: Installation, account: dict[str, Any]
) -> None:
    """Promise 19: a second model that transcribes would not be metered."""
    with session(installation, account["key"]) as link:
        heard_by = {"input": {"transcription": {"model": "whisper-1"}}}
        send(link, "session.update", session={"type": "realtime", "audio": heard_by})
        assert read(link)["error"]["param"] == "session.audio.input.transcription"
        for unreadable in ("nonsense", "[]", '{"type":7}'):
            link.send(unreadable)
            assert read(link)["error"]["code"] == "invalid_request"
        assert ask(link, "still here", **TEXT)[-1]["response"]["status"] == "completed"


def test_a_frame_that_breaks_the_protocol_ends_the_session_with_its_code(
    installation: Installation, account: dict[str, Any]
) -> None:
    with session(installation, account["key"]) as link:
        link.socket.sendall(bytes((0x81, 0x01)) + b"x")  # not masked
        with pytest.raises(ConnectionClosed) as closed:
            link.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1002
    assert rows_of(installation, account, 0)[0]["status"] == 101
