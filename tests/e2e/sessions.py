"""Realtime sessions for tests: accounts, bare connections, and what a response must cost."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e.installation import Installation

# Nano-dollars per token of gpt-realtime: text in, cached, audio in, text out, audio out.
PRICES = (4_000, 400, 32_000, 16_000, 64_000)
TEXT: dict[str, Any] = {"output_modalities": ["text"]}


def cost_of(usage: dict[str, Any]) -> int:
    """What a response costs, counted from what the provider says that it used."""
    heard, spoken = usage["input_token_details"], usage["output_token_details"]
    cached, audio = heard["cached_tokens"], heard["audio_tokens"]
    counts = (usage["input_tokens"] - cached - audio, cached, audio, spoken["text_tokens"], spoken["audio_tokens"])
    return sum(count * price for count, price in zip(counts, PRICES, strict=True))


def new_account(installation: Installation, *words: str, usd: int = 1) -> dict[str, Any]:
    """An account with this much and nothing else, and an API key of it."""
    name = f"rt{uuid.uuid4().hex[:12]}"
    made = installation.admin("user", "create", "--name", name)
    if usd > 1:
        installation.admin("topup", "--user", name, "--usd", str(usd - 1))
    key = installation.admin("key", "create", "--user", name, "--name", "rt", *words)["key"]
    return {"username": name, "access_key": made["access_key"], "key": key}


@contextmanager
def session(
    installation: Installation, key: str, model: str = "gpt-realtime", **more: Any
) -> Iterator[ClientConnection]:
    """An open session whose first event was read."""
    more = {"additional_headers": {"authorization": f"Bearer {key}"}, **more}
    with connect(f"{installation.base_url.replace('http', 'ws')}/v1/realtime?model={model}", **more) as link:
        assert read(link)["type"] == "session.created"
        yield link


def read(link: ClientConnection) -> dict[str, Any]:
    return json.loads(link.recv(timeout=10))


def send(link: ClientConnection, kind: str, **fields: Any) -> None:
    link.send(json.dumps({"type": kind, **fields}))


def until(link: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """The events up to one of a kind."""
    found = [read(link)]
    while found[-1]["type"] != kind:
        found.append(read(link))
    return found


def until_closed(link: ClientConnection) -> tuple[list[dict[str, Any]], int, str]:
    """What still comes, and how the session is closed."""
    found: list[dict[str, Any]] = []
    with pytest.raises(ConnectionClosed) as closed:
        _read_on(link, found)
    assert closed.value.rcvd is not None
    return found, closed.value.rcvd.code, closed.value.rcvd.reason


def _read_on(link: ClientConnection, found: list[dict[str, Any]]) -> None:
    while True:
        found.append(read(link))


def say(link: ClientConnection, text: str, **response: Any) -> None:
    """Say something and ask for a response."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    send(link, "conversation.item.create", item=item)
    send(link, "response.create", response=response)


def ask(link: ClientConnection, text: str, **response: Any) -> list[dict[str, Any]]:
    """Say something and read the whole response."""
    say(link, text, **response)
    return until(link, "response.done")


def rows_of(installation: Installation, account: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The lines of an account's responses, oldest first, and behind them that of the session, when all are there."""
    end = time.monotonic() + 15
    rows: list[dict[str, Any]] = []
    while len(rows) < count + 1 and time.monotonic() < end:
        time.sleep(0.2)
        rows = installation.admin("log", "list", "--user", account["username"])
    assert len(rows) == count + 1, rows
    rows.sort(key=lambda row: (row["status"] == 101, int(row["request_id"].partition("-")[2] or 0)))
    assert (rows[-1]["status"], rows[-1]["amount"]) == (101, 0)
    return rows


def left_of(installation: Installation, account: dict[str, Any]) -> int:
    """The balance in quota."""
    answer = installation.system("GET", "/yescale/user", access_key=account["access_key"])
    return int(answer.json()["data"]["quota"])
