"""Responses that yescale keeps: the official OpenAI SDK goes on from them over any upstream, and none else may."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.responses import (
    FunctionToolParam,
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseFunctionToolCall,
    ResponseInProgressEvent,
)

from tests.e2e.installation import Installation, serving
from tests.postgres import fresh_database

# One model by the wire format of its upstream.
CHAT, RESPONSES, ANTHROPIC, GOOGLE = "deepseek-chat", "gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash"
PINNED = "gpt-4o-responses"  # a channel of the provider `openai_responses`, which speaks nothing else
CITY = {"city": "Hanoi"}
TOOL: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def yescale(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("conversations") / "home"
    if request.param == "sqlite":
        with serving(home) as running:
            yield pinned(running)
    else:
        with fresh_database() as url, serving(home, database=url) as running:
            yield pinned(running)


def pinned(running: Installation) -> Installation:
    running.admin("model", "add", PINNED, "--priced-as", "gpt-4o", "--context", "128000", "--max-output", "16384")
    running.admin(
        "channel", "add", "--name", "pinned", "--provider", "openai_responses", "--models", f"{PINNED}=gpt-4o",
        "--base-url", f"{running.sandbox_url}/openai/v1", "--secret", "sk-sandbox-pinned", "--groups", "default,normal",
    )  # fmt: skip
    return running


@pytest.fixture
def client(yescale: Installation) -> Iterator[OpenAI]:
    with sdk(yescale, yescale.api_key) as made:
        yield made


def sdk(yescale: Installation, key: str) -> OpenAI:
    return OpenAI(base_url=f"{yescale.base_url}/v1", api_key=key, max_retries=0)


def ask(client: OpenAI, *, stream: bool = False, **body: Any) -> Response:
    """One turn, to its end."""
    if not stream:
        return client.responses.create(**body)
    with client.responses.create(stream=True, **body) as events:
        told = list(events)
    for event in told:
        if isinstance(event, ResponseCreatedEvent | ResponseInProgressEvent | ResponseCompletedEvent):
            assert event.response.previous_response_id == body.get("previous_response_id")
            assert event.response.model_dump()["store"] is body.get("store", True)
    assert isinstance(told[-1], ResponseCompletedEvent)
    return told[-1].response


def words(tag: str) -> str:
    """What no other test says: the sandbox's ids depend on it."""
    return f"{tag} {time.time_ns()}"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [CHAT, RESPONSES, PINNED, ANTHROPIC, GOOGLE])
def test_three_turns_with_a_tool_over_any_upstream(
    yescale: Installation, client: OpenAI, model: str, stream: bool
) -> None:
    start = words("marker")
    first = ask(
        client, stream=stream, model=model, tools=[TOOL],
        input=f"{start}\nsandbox-call: get_weather {json.dumps(CITY)}",
    )  # fmt: skip
    (call,) = [item for item in first.output if isinstance(item, ResponseFunctionToolCall)]
    assert json.loads(call.arguments) == CITY
    second = ask(
        client, stream=stream, model=model, tools=[TOOL], previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "31 degrees, humid"}],
    )  # fmt: skip
    assert "31 degrees, humid" in second.output_text
    assert second.previous_response_id == first.id
    before = yescale.last_arrival()
    third = ask(client, stream=stream, model=model, tools=[TOOL], previous_response_id=second.id, input="And now?")
    (request,) = yescale.arrived(before)
    said = json.dumps(request["body"])
    places = [said.find(text) for text in (start, "Hanoi", "31 degrees, humid", "And now?")]
    assert -1 not in places
    assert places == sorted(places)
    assert "previous_response_id" not in request["body"]
    assert request["body"].get("store", False) is False
    assert third.model_dump()["store"] is True
    kept = client.responses.retrieve(third.id)
    assert kept.model_dump() == third.model_dump()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "seal"),
    [("o4-mini", '"encrypted_content"'), (ANTHROPIC, '"signature"'), (GOOGLE, '"thoughtSignature"')],
)
def test_reasoning_goes_back_sealed_to_who_sealed_it(
    yescale: Installation, client: OpenAI, model: str, seal: str, stream: bool
) -> None:
    first = ask(
        client, stream=stream, model=model, reasoning={"effort": "low", "summary": "auto"}, tools=[TOOL],
        input=f"{words('think')}\nsandbox-call: get_weather {json.dumps(CITY)}",
    )  # fmt: skip
    assert any(item.type == "reasoning" for item in first.output)
    (call,) = [item for item in first.output if isinstance(item, ResponseFunctionToolCall)]
    before = yescale.last_arrival()
    ask(
        client, stream=stream, model=model, reasoning={"effort": "low"}, tools=[TOOL], previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "31 degrees"}],
    )  # fmt: skip
    (request,) = yescale.arrived(before)
    assert seal in json.dumps(request["body"])


def test_input_items_are_listed_page_by_page(client: OpenAI) -> None:
    first = ask(client, model=CHAT, input=words("one"))
    second = ask(client, model=CHAT, input="two", previous_response_id=first.id)
    whole = list(client.responses.input_items.list(second.id, order="asc"))
    assert [getattr(item, "role", "") for item in whole] == ["user", "assistant", "user"]
    assert len({item.id for item in whole}) == 3
    paged = client.responses.input_items.list(second.id, limit=2)
    assert paged.has_more is True
    assert [item.id for item in paged] == [item.id for item in reversed(whole)]  # the SDK turns the page
    with pytest.raises(openai.BadRequestError, match="no item"):
        client.responses.input_items.list(second.id, after="msg_nowhere")


def test_what_was_not_to_be_stored_is_not_there(yescale: Installation, client: OpenAI) -> None:
    answer = ask(client, model=RESPONSES, input=words("forget me"), store=False)
    assert answer.model_dump()["store"] is False
    refused(client, answer.id)
    kept = ask(client, model=RESPONSES, input=words("keep me"))
    onward = ask(client, model=RESPONSES, input="go on", previous_response_id=kept.id, store=False)
    assert onward.previous_response_id == kept.id
    assert onward.model_dump()["store"] is False
    refused(client, onward.id)


def refused(client: OpenAI, response: str) -> None:
    """It is nowhere: not to be read, listed, deleted, cancelled, or gone on from."""
    shelf = client.responses
    acts: tuple[Callable[[str], object], ...] = (shelf.retrieve, shelf.delete, shelf.cancel, shelf.input_items.list)
    for act in acts:
        with pytest.raises(openai.NotFoundError) as missing:
            act(response)
        assert f"'{response}' not found" in str(missing.value)
    with pytest.raises(openai.BadRequestError) as unknown:
        client.responses.create(model=CHAT, input="x", previous_response_id=response)
    assert unknown.value.code == "previous_response_not_found"
    assert unknown.value.param == "previous_response_id"


def test_another_accounts_response_is_as_unknown_as_none(yescale: Installation, client: OpenAI) -> None:
    name = f"mallory{time.time_ns()}"
    yescale.admin("user", "create", "--name", name)
    yescale.admin("topup", "--user", name, "--usd", "4")
    mine = ask(client, model=RESPONSES, input=words("my secret"))
    with sdk(yescale, yescale.admin("key", "create", "--user", name)["key"]) as mallory:
        before = yescale.last_arrival()
        refused(mallory, mine.id)
        refused(mallory, "resp_nobody")
        assert yescale.arrived(before) == []
    assert client.responses.retrieve(mine.id).id == mine.id
    second = yescale.admin("key", "create", "--user", "demo", "--name", f"k{time.time_ns() % 10**9}")["key"]
    with sdk(yescale, second) as other_key:
        assert other_key.responses.retrieve(mine.id).id == mine.id


def test_a_deleted_response_is_gone_and_what_went_on_from_it_stays(client: OpenAI) -> None:
    first = ask(client, model=CHAT, input=words("first"))
    second = ask(client, model=CHAT, input="second", previous_response_id=first.id)
    client.responses.delete(first.id)
    refused(client, first.id)
    third = ask(client, model=CHAT, input="third", previous_response_id=second.id)
    assert len(list(client.responses.input_items.list(third.id))) == 5


def test_there_is_nothing_to_cancel_and_nothing_in_the_background(client: OpenAI) -> None:
    answer = ask(client, model=CHAT, input=words("x"))
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(answer.id)
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.create(model=CHAT, input="x", background=True)
    with pytest.raises(openai.BadRequestError, match="Conversations are not offered"):
        client.responses.create(model=CHAT, input="x", conversation="conv_1")


def test_nothing_is_shown_without_a_key(yescale: Installation, client: OpenAI) -> None:
    answer = ask(client, model=CHAT, input=words("x"))
    for path in (answer.id, f"{answer.id}/input_items"):
        assert httpx.get(f"{yescale.base_url}/v1/responses/{path}").status_code == 401
    assert httpx.delete(f"{yescale.base_url}/v1/responses/{answer.id}").status_code == 401


def test_what_is_kept_outlives_a_restart_and_expires_and_is_encrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    secret = words("nobody reads this on the disk")
    with serving(home, workers=1) as running, sdk(running, running.api_key) as client:
        first = ask(client, model=CHAT, input=secret)
    with serving(home, workers=1) as running, sdk(running, running.api_key) as client:
        second = ask(client, model=CHAT, input="go on", previous_response_id=first.id)
        assert len(list(client.responses.input_items.list(second.id))) == 3
        for file in home.rglob("*.db*"):
            assert secret.encode() not in file.read_bytes()
        with sqlite3.connect(home / "yescale.db") as database:
            database.execute("UPDATE responses SET expires_ms = 1 WHERE response_id = ?", (first.id,))
        refused(client, first.id)
        assert client.responses.retrieve(second.id).id == second.id


def test_control_away_refuses_only_who_goes_on_and_keeps_what_was_answered_meanwhile(tmp_path: Path) -> None:
    with serving(tmp_path / "home", workers=1) as running, sdk(running, running.api_key) as client:
        first = ask(client, model=CHAT, input=words("first"))
        control = child_of(running, "control")
        os.kill(control, signal.SIGSTOP)
        try:
            second = ask(client, model=CHAT, input=words("meanwhile"))
            with pytest.raises(openai.InternalServerError) as away:
                client.responses.create(model=CHAT, input="x", previous_response_id=first.id)
            assert away.value.status_code == 503
            assert away.value.code == "temporarily_unavailable"
            assert int(away.value.response.headers["retry-after"]) > 0
        finally:
            os.kill(control, signal.SIGKILL)
        for answered in (first, second):
            onward = until_there(client, answered.id)
            assert onward.previous_response_id == answered.id


def child_of(running: Installation, role: str) -> int:
    """The process id of one of the server's children."""
    command = ["ps", "-o", "pid=,args=", "--ppid", str(running.pid)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True)
    (found,) = [line for line in lines.stdout.splitlines() if role in line]
    return int(found.split()[0])


def until_there(client: OpenAI, previous: str) -> Response:
    """Go on, as soon as that works again."""
    end = time.monotonic() + 30
    while True:
        try:
            return ask(client, model=CHAT, input="go on", previous_response_id=previous)
        except openai.InternalServerError as error:
            if error.status_code != 503 or time.monotonic() > end:
                raise
            time.sleep(0.2)
