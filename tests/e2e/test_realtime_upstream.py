"""Sessions whose provider does what the sandbox's does not: it begins by itself, repeats our key, says odd things."""

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.e2e.installation import Installation
from tests.e2e.sessions import PRICES, new_account, read, rows_of, session, until, until_closed

SECRET = "sk-secret-of-the-channel"
CREATED = {"type": "session.created", "session": {"model": "gpt-realtime", "max_output_tokens": "inf"}}


def tell(link: ServerConnection, *events: dict[str, Any]) -> None:
    for event in events:
        link.send(json.dumps(event))


def done(name: str, tokens: int) -> dict[str, Any]:
    usage = {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens}
    return {"type": "response.done", "response": {"id": name, "status": "completed", "usage": usage}}


def created(name: str) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": name}}


def eager(link: ServerConnection) -> None:
    """It begins two responses that nobody asked for, the second with nothing set aside for it."""
    tell(link, CREATED, created("one"), done("one", 100), created("two"))
    assert json.loads(link.recv(timeout=5)) == {"type": "response.cancel", "response_id": "two"}
    tell(link, done("two", 200))


def telltale(link: ServerConnection) -> None:
    """It repeats what it was called with, and closes with a code of its own."""
    request = link.request
    assert request is not None
    tell(link, CREATED, {"type": "headers", "headers": dict(request.headers.raw_items())})
    tell(link, {"type": "error", "error": {"message": f"{request.headers['authorization']} is odd"}})
    link.send(b"\x00\xff")
    link.send("no JSON")
    link.close(4005, f"not with {SECRET}")


SCRIPTS = {"eager": eager, "telltale": telltale}


def play(link: ServerConnection) -> None:
    assert link.request is not None
    SCRIPTS[link.request.path.partition("model=")[2]](link)
    with contextlib.suppress(ConnectionClosed):
        list(link)


@contextmanager
def provider() -> Iterator[str]:
    with serve(play, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def played(installation: Installation) -> Iterator[Installation]:
    """An installation with a channel to that provider."""
    size = ("--context", "32000", "--max-output", "4096")
    for name in SCRIPTS:
        installation.admin("model", "add", name, "--operations", "realtime", "--priced-as", "gpt-realtime", *size)
    with provider() as url:
        installation.admin(
            "channel", "add", "--name", "played", "--provider", "openai", "--models", ",".join(SCRIPTS),
            "--secret", SECRET, "--base-url", url,
        )  # fmt: skip
        yield installation


def test_a_response_that_nobody_asked_for_is_charged_and_one_that_nothing_covers_ends_the_session(
    played: Installation,
) -> None:
    """Promise 16."""
    account = new_account(played)
    with session(played, account["key"], "eager") as link:
        until(link, "response.done")
        events, code, reason = until_closed(link)
    assert [event["type"] for event in events] == ["error"]
    assert (code, reason) == (1008, "insufficient_balance")
    rows = rows_of(played, account, 2)
    assert [row["amount"] for row in rows] == [100 * PRICES[0], 200 * PRICES[0], 0]
    assert not any(row["estimated"] for row in rows)
    assert played.admin("ledger", "verify")["ok"] is True


def test_the_channels_key_goes_up_and_never_comes_down_and_odd_messages_pass(played: Installation) -> None:
    """Promise 29: of the client's own headers only what is listed goes up."""
    account = new_account(played)
    headers = {
        "authorization": f"Bearer {account['key']}", "openai-beta": "realtime=v1, assistants=v2", "cookie": "a=b",
        "x-secret": "mine",
    }  # fmt: skip
    with session(played, account["key"], "telltale", additional_headers=headers) as link:
        sent = {name.lower(): value for name, value in read(link)["headers"].items()}
        assert sent["authorization"] == f"Bearer {SECRET}"
        assert sent["openai-beta"] == "realtime=v1"
        assert not {"cookie", "x-secret", "sec-websocket-protocol", "sec-websocket-extensions"} & set(sent)
        assert account["key"] not in json.dumps(sent)
        assert read(link)["error"]["message"] == "Bearer *** is odd"
        assert link.recv(timeout=5) == b"\x00\xff"
        assert link.recv(timeout=5) == "no JSON"
        assert until_closed(link)[1:] == (4005, "not with ***")
