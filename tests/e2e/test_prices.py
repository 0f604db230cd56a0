"""A quote, its charge, its log row and its ledger entry are one number; docs/prices.md shows them (promise 17)."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.installation import Installation, serving
from tests.e2e.sessions import new_account

PAGE = Path(__file__).parents[2] / "docs" / "prices.md"
POEM = "Write a poem about the sea."
LONG = "A rule of the house that every answer keeps to. " * 400


class Guest:
    """A fresh account, whose every call can be followed to the ledger."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.account = new_account(installation, usd=20)
        self.url = installation.base_url

    def call(self, path: str, body: dict[str, Any]) -> tuple[str, Any]:
        """The id of a call, and its answer."""
        headers = {"Authorization": f"Bearer {self.account['key']}", "anthropic-version": "2023-06-01"}
        answer = httpx.post(self.url + path, json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-request-id"], answer.json()

    def quote(self, **asked: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.account['access_key']}"}
        answer = httpx.post(f"{self.url}/api/v1/quotes", json={"group": "default"} | asked, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        old = self.installation.system(
            "POST", "/yescale/quote", access_key=self.account["access_key"], json={"group": "default"} | asked
        ).json()["data"]
        assert (old["amount_nano"], old["lines"]) == (answer.json()["amount_nano"], answer.json()["lines"])
        return answer.json()

    def settled(self, request_id: str) -> dict[str, Any]:
        """The row of a call in the log, once it is there."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            rows = self.installation.admin("log", "list", "--request-id", request_id)
            if rows:
                return self.installation.admin("log", "show", request_id)
            time.sleep(0.1)
        raise AssertionError("the call was not settled")

    def entry(self, request_id: str) -> tuple[int, int]:
        """What the ledger entry of a call took from the account, and what the calls of that entry come to."""
        with closing(sqlite3.connect(f"file:{self.installation.home / 'yescale.db'}?mode=ro", uri=True)) as database:
            (number,) = database.execute("SELECT entry_id FROM calls WHERE call_id = ?", (request_id,)).fetchone()
            (rows,) = database.execute("SELECT SUM(paid) FROM calls WHERE entry_id = ?", (number,)).fetchone()
            (taken,) = database.execute(
                "SELECT -SUM(amount) FROM postings WHERE entry_id = ? AND amount < 0", (number,)
            ).fetchone()
        return int(taken), int(rows)


@pytest.fixture(scope="module")
def guest(installation: Installation) -> Iterator[Guest]:
    yield Guest(installation)
    assert installation.admin("ledger", "verify")["ok"]


def follow(guest: Guest, request_id: str, model: str, **facts: str) -> dict[str, Any]:
    """The row of a call, after its usage was quoted and its entry found: all must be one amount."""
    row = guest.settled(request_id)
    quoted = guest.quote(model=model, usage=row["usage"], facts=facts)
    assert quoted["kind"] == "exact"
    assert quoted["amount_nano"] == row["amount"] == row["paid"]
    lines = [(line["meter"], line["quantity"], line["amount"]) for line in row["lines"]]
    assert lines == [(line["meter"], line["quantity"], line["amount_nano"]) for line in quoted["lines"]]
    taken, rows = guest.entry(request_id)
    assert taken == rows
    assert taken >= row["amount"]  # an entry may hold more calls than one
    return {**row, "quoted": quoted}


def shown(quoted: dict[str, Any]) -> list[str]:
    """The lines of a quote as docs/prices.md has them."""
    return [
        f"| {line['meter']} | {line['quantity']} | {line['price_usd']} USD for {line['unit']}"
        f"{' where ' + line['when'] if line['when'] else ''} | {line['amount_nano']} |"
        for line in quoted["lines"]
    ]


def on_page(rows: list[str], total: int) -> None:
    page = PAGE.read_text()
    for row in [*rows, f"| total | | | {total} |"]:
        assert row in page, row


def test_a_call_per_token_costs_its_quote_with_the_tier_that_served_it(guest: Guest) -> None:
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": POEM}], "max_completion_tokens": 500}
    ceiling = guest.quote(model="gpt-5-mini", call={"prompt_tokens": 100, "max_tokens": 500})
    assert ceiling["kind"] == "ceiling"
    amounts: dict[str, int] = {}
    for tier in ("default", "flex", "priority"):
        request_id, answer = guest.call("/v1/chat/completions", body | {"service_tier": tier})
        assert answer["service_tier"] == tier
        row = follow(guest, request_id, "gpt-5-mini", service_tier=tier)
        amounts[tier] = row["amount"]
        assert row["amount"] <= ceiling["amount_nano"]
        if tier == "flex":
            on_page(shown(row["quoted"]), row["amount"])
    assert amounts["flex"] * 2 == amounts["default"] < amounts["priority"]


def test_what_is_written_to_a_cache_and_read_from_it_has_prices_of_its_own(guest: Guest) -> None:
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 200,
        "system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [{"role": "user", "content": POEM}],
    }
    meters: list[set[str]] = []
    for _ in range(2):
        request_id, _ = guest.call("/v1/messages", body)
        row = follow(guest, request_id, "claude-sonnet-4-5")
        meters.append({line["meter"] for line in row["lines"]})
        on_page(shown(row["quoted"]), row["amount"])
    assert meters == [
        {"input_tokens", "cache_write_1h_tokens", "output_tokens"},
        {"input_tokens", "cache_read_tokens", "output_tokens"},
    ]


def test_a_call_per_request_costs_its_price_once(guest: Guest) -> None:
    """Whatever it reads: 2.5 dollars stay 2.5 dollars."""
    documents = ["Hanoi is the capital.", "The sea is blue."]
    before = guest.quote(model="rerank-v3.5", usage={"requests": 1})
    request_id, _ = guest.call("/v1/rerank", {"model": "rerank-v3.5", "query": "sea", "documents": documents})
    row = follow(guest, request_id, "rerank-v3.5")
    assert before["amount_nano"] == row["amount"] == 2_000_000
    on_page(shown(before), row["amount"])


def test_a_grounded_answer_pays_for_its_search(guest: Guest) -> None:
    body = {"contents": [{"parts": [{"text": POEM}], "role": "user"}], "tools": [{"google_search": {}}]}
    request_id, _ = guest.call("/v1beta/models/gemini-2.5-flash:generateContent", body)
    row = follow(guest, request_id, "gemini-2.5-flash")
    assert row["usage"]["web_searches"] == 1
    assert not row["estimated"]
    on_page(shown(row["quoted"]), row["amount"])


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("imagen4-fast", {"requests": 1}),
        ("whisper-1", {"seconds": 90}),
        ("tts-1", {"characters": 1_200}),
    ],
)
def test_pieces_seconds_and_characters_are_quoted_by_their_unit(
    guest: Guest, model: str, usage: dict[str, int]
) -> None:
    quoted = guest.quote(model=model, usage=usage)
    on_page(shown(quoted), quoted["amount_nano"])


def test_the_catalogue_goes_out_and_comes_in_by_the_command_line(tmp_path: Path) -> None:
    """Promise 40. Of an installation of its own: models that others add have no source."""
    file = tmp_path / "catalogue.yaml"
    with serving(tmp_path / "home", workers=1) as installation:
        file.write_text(installation.admin("catalogue", "export")["text"])
        said = installation.admin("catalogue", "import", str(file), "--dry-run")
        assert (said["changed"], said["imported"]) == ([], False)
        assert installation.admin("catalogue", "diff", str(file))["text"] == "The catalogue is as the file says.\n"
