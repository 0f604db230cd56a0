"""Every surface that reaches an upstream, times every kind of limit: a call beyond it is refused and does not go up.

Surfaces come from the gateway's own table: one without an example here fails.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.installation import Installation, serving
from yescale.command.asking import open_desk
from yescale.gateway.surfaces import SURFACES, Kind, Surface
from yescale.settings import Settings
from yescale.store.migrations import downgrade

HI: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
PART: dict[str, Any] = {"parts": [{"text": "hi"}]}
SHAKE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}
# The model and the body of a good call, by the path of the surface.
EXAMPLES: dict[bytes, tuple[str, dict[str, Any]]] = {
    b"/v1/chat/completions": ("gpt-4o", HI),
    b"/v1/responses": ("gpt-4o", {"input": "hi"}),
    b"/v1/completions": ("gpt-3.5-turbo-instruct", {"prompt": "hi"}),
    b"/v1/embeddings": ("text-embedding-3-small", {"input": "hi"}),
    b"/v1/engines/*/embeddings": ("text-embedding-3-small", {"input": "hi"}),
    b"/v1/moderations": ("omni-moderation-latest", {"input": "hi"}),
    b"/v1/realtime": ("gpt-realtime", {}),
    b"/v1/rerank": ("rerank-v3.5", {"query": "hi", "documents": ["one", "two"]}),
    b"/v1/messages": ("claude-sonnet-4-5", HI | {"max_tokens": 20}),
    b"/v1/messages/count_tokens": ("claude-sonnet-4-5", HI),
    b"/v1beta/models/*:generateContent": ("gemini-2.5-flash", {"contents": [PART]}),
    b"/v1beta/models/*:streamGenerateContent": ("gemini-2.5-flash", {"contents": [PART]}),
    b"/v1beta/models/*:countTokens": ("gemini-2.5-flash", {"contents": [PART]}),
    b"/v1beta/models/*:embedContent": ("gemini-embedding-001", {"content": PART}),
    b"/v1beta/models/*:batchEmbedContents": (
        "gemini-embedding-001",
        {"requests": [{"model": "models/gemini-embedding-001", "content": PART}]},
    ),
}
UPWARD = tuple(
    each
    for surface in SURFACES
    if surface.kind in (Kind.RELAY, Kind.REALTIME)
    for each in (surface, *((surface.by_query[1],) if surface.by_query else ()))
)
UNPAID = (b"/v1/moderations",)  # its price is 0
SCOPES = ("account", "key", "group", "model", "channel")
COUNTS = (
    ("money", "minute"), ("money", "day"), ("tokens", "minute"), ("tokens", "day"), ("requests", "minute"),
    ("requests", "month"), ("concurrency", ""),
)  # fmt: skip
USER = "limited"
IN_FORCE_S = 1.0


class House:
    """A running installation, an operator at its desk, and a caller with money."""

    def __init__(self, running: Installation) -> None:
        self.running = running
        self.client = httpx.Client(timeout=30, verify=False)  # noqa: S501 - plain HTTP, for which nothing is loaded
        name = f"{USER}{time.time_ns()}"
        self.ask("user create", username=name)
        self.ask("topup", username=name, usd="50")
        made = self.ask("key create", username=name, name="k")
        self.key = made["key"]
        self.subjects = {
            "account": [name],
            "key": [str(made["id"])],
            "group": ["default"],
            "model": sorted({model for model, _ in EXAMPLES.values()}, key=lambda model: model == "gpt-4o"),
            "channel": [str(row["id"]) for row in reversed(self.ask("channel list"))],
        }

    def ask(self, operation: str, **arguments: Any) -> Any:
        with open_desk(Settings(home=self.running.home)) as desk:
            return desk.ask(operation, arguments)

    def call(self, surface: Surface, key: str = "") -> httpx.Response:
        model, body = EXAMPLES[surface.path]
        path = surface.path.decode().replace("*", model)
        if surface.by_query is None and surface.stream:
            path += "?alt=sse"
        headers = {"authorization": f"Bearer {key or self.key}"}
        if surface.kind is Kind.REALTIME:
            return self.client.get(f"{self.running.base_url}{path}?model={model}", headers=headers | SHAKE)
        body = body if "*:" in surface.path.decode() else {"model": model} | body
        return self.client.post(self.running.base_url + path, headers=headers, json=body)

    def arrivals(self) -> int:
        """How many calls went up so far."""
        answer = self.client.get(f"{self.running.sandbox_url}/__sandbox/requests", params={"after": 10**12})
        return int(answer.json()["last"])

    def limit(self, scope: str, what: str, window: str, amount: int) -> list[int]:
        """Set it for all subjects that the examples have; it is in force when this returns."""
        numbers = [
            self.ask("limit set", scope=scope, subject=subject, what=what, window=window, amount=amount)["id"]
            for subject in self.subjects[scope]
        ]
        self.until(429 if amount == 0 else 200)
        return numbers

    def unlimit(self, numbers: list[int]) -> None:
        for number in numbers:
            self.ask("limit remove", id=number)
        self.until(200)

    def until(self, status: int) -> None:
        """A chat is answered so, within the second that a change may take."""
        end = time.monotonic() + IN_FORCE_S
        while (answer := self.call(UPWARD[0])).status_code != status:
            assert time.monotonic() < end, answer.text
            time.sleep(0.02)


@pytest.fixture(scope="module", params=["fresh", "migrated"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home: Path = tmp_path_factory.mktemp("limits") / "home"
    if request.param == "migrated":
        with serving(home, workers=1) as running:
            before = House(running)
            assert before.call(UPWARD[0]).status_code == 200
            before.client.close()
        asyncio.run(downgrade(Settings(home=home).database_url, "0003"))
    with serving(home, workers=1) as running:
        made = House(running)
        yield made
        made.client.close()


def code_of(answer: httpx.Response) -> str:
    """What a refusal is called, in whichever words."""
    error = answer.json()["error"]
    return str(error.get("code") or error["type"]) if "status" not in error else str(error["status"])


def test_every_surface_that_goes_up_has_an_example() -> None:
    assert {surface.path for surface in UPWARD} == EXAMPLES.keys()


def test_without_limits_every_surface_goes_up(house: House) -> None:
    for surface in UPWARD:
        if surface.kind is not Kind.REALTIME:  # which would stay open
            before = house.arrivals()
            answer = house.call(surface)
            assert answer.status_code == 200, (surface.path, answer.text)
            assert house.arrivals() == before + 1, surface.path
            assert not [name for name in answer.headers if "ratelimit" in name]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("scope", "count"), tuple(itertools.product(SCOPES, COUNTS)), ids=str)
def test_a_call_beyond_a_limit_is_refused_and_does_not_go_up(house: House, scope: str, count: tuple[str, str]) -> None:
    """promises 4, 5 and 19"""
    what, window = count
    numbers = house.limit(scope, what, window, 0)
    code = "budget_exceeded" if window in ("day", "month") else "rate_limit_exceeded"
    try:
        before = house.arrivals()
        for surface in UPWARD:
            answer = house.call(surface)
            if (surface.free and what in ("money", "tokens")) or (surface.path in UNPAID and what == "money"):
                assert answer.status_code == 200, "what costs nothing is not refused for want of it"
                before += 1
                continue
            assert answer.status_code == 429, (surface.path, answer.text)
            assert code_of(answer) in (code, "rate_limit_error", "RESOURCE_EXHAUSTED"), surface.path
            assert int(answer.headers["retry-after"]) > 0
        assert house.arrivals() == before
    finally:
        house.unlimit(numbers)


@pytest.mark.parametrize("window", ["minute", "hour"])
@pytest.mark.parametrize("surface", [each for each in UPWARD if each.kind is Kind.RELAY], ids=lambda each: each.path)
def test_with_a_limit_of_one_the_first_call_goes_up_and_the_second_does_not(
    house: House, surface: Surface, window: str
) -> None:
    """promises 4, 5 and 19"""
    made = house.ask("key create", username=house.subjects["account"][0], name="one")
    house.ask("limit set", scope="key", subject=str(made["id"]), what="requests", window=window, amount=1)
    before = house.arrivals()
    statuses = [house.call(surface, made["key"]).status_code for _ in range(3)]
    assert statuses == [200, 429, 429]
    assert house.arrivals() == before + 1
