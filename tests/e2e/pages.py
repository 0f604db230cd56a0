"""Calls as the pages of the API documentation make them: the answer, what reached the provider, and the charge."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from tests.e2e.installation import Installation

Json = dict[str, Any]

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # one, as PNG
)
WEATHER_SCHEMA: Json = {
    "type": "object",
    "properties": {
        "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
    },
    "required": ["location"],
}


@dataclass(frozen=True)
class Page:
    """One call that was made."""

    answer: httpx.Response
    arrived: list[Json]
    row: Json  # of the log

    @property
    def json(self) -> Json:
        """The answer's body."""
        return self.answer.json()

    @property
    def up(self) -> Json:
        """The body that reached the provider."""
        (request,) = self.arrived
        return request["body"]

    @property
    def path(self) -> str:
        """The path that the provider was asked at."""
        (request,) = self.arrived
        return request["path"]

    @cached_property
    def events(self) -> list[tuple[str, str]]:
        """Name and data of each event of a stream."""
        found: list[tuple[str, str]] = []
        for block in self.answer.text.replace("\r\n", "\n").split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if lines:
                found.append((lines.get("event", ""), lines["data"]))
        return found

    @property
    def chunks(self) -> list[Json]:
        """The events of a stream, but for an end mark that is no JSON."""
        return [json.loads(data) for _, data in self.events if data != "[DONE]"]

    def charged(self, nano: int) -> bool:
        """Whether the call cost this many billionths of a dollar, to the quota that is shown, here and in the log."""
        cost = self.answer.headers.get("x-yescale-cost")
        assert cost is None or int(cost) == nano
        assert self.row["quota"] == (2 * nano + 2_000) // 4_000
        return True


@dataclass(frozen=True)
class Caller:
    """A user with money who calls models."""

    yescale: Installation
    key: str
    access_key: str

    def send(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post a body and return whatever comes."""
        carried = {"Authorization": f"Bearer {self.key}"} if headers is None else headers
        return httpx.post(self.yescale.base_url + path, json=body, headers=carried, timeout=30)

    def call(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Page:
        """Make a call that succeeds."""
        before = self.yescale.last_arrival()
        answer = self.send(path, body, headers)
        assert answer.status_code == 200, answer.text
        return Page(answer, self.yescale.arrived(before), self._row(answer.headers["x-request-id"]))

    def _row(self, request_id: str) -> Json:
        """The call's row of the log, which is there soon after its answer (promise 10)."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            told = self.yescale.system("GET", f"/yescale/logs?request_id={request_id}", access_key=self.access_key)
            if rows := told.json()["data"]["items"]:
                return rows[0]
            time.sleep(0.02)
        raise AssertionError(f"no row of {request_id}")

    def chat(self, model: str, messages: object, **more: Any) -> Page:
        """A call of /v1/chat/completions."""
        return self.call("/v1/chat/completions", {"model": model, "messages": messages, **more})

    def google(self, model: str, verb: str, /, **body: Any) -> Page:
        """A call of Google's own API."""
        return self.call(f"/v1beta/models/{model}:{verb}", body, {"x-goog-api-key": self.key})


def is_chat(answer: Json, *, model: str, reasons: tuple[str, ...] = ("stop",)) -> bool:
    """Whether this is a chat completion object, field by field."""
    assert answer["id"]
    assert answer["object"] == "chat.completion"
    assert isinstance(answer["created"], int)
    assert answer["model"].startswith(model)
    assert [choice["index"] for choice in answer["choices"]] == list(range(len(reasons)))
    assert tuple(choice["finish_reason"] for choice in answer["choices"]) == reasons
    assert all(choice["message"]["role"] == "assistant" for choice in answer["choices"])
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    return True


def is_chat_stream(page: Page, *, model: str, reason: str = "stop", usage: bool = False) -> str:
    """The text of a stream of one choice that keeps to the format."""
    chunks = page.chunks
    assert page.answer.headers["content-type"].startswith("text/event-stream")
    assert page.events[-1] == ("", "[DONE]")
    assert {(chunk["id"], chunk["object"]) for chunk in chunks} == {(chunks[0]["id"], "chat.completion.chunk")}
    assert all(chunk["model"].startswith(model) and isinstance(chunk["created"], int) for chunk in chunks)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    said = chunks[:-1] if usage else chunks
    assert all(chunk["choices"] for chunk in said)
    assert not any(chunk.get("usage") for chunk in said)
    assert [chunk["choices"][0]["finish_reason"] for chunk in said] == [None] * (len(said) - 1) + [reason]
    if usage:
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"]["prompt_tokens"] == page.row["prompt_tokens"]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in said)


def price(usage: Json, inward: int, outward: int) -> int:
    """What a call of these tokens costs, at nano-dollars per token."""
    return usage["prompt_tokens"] * inward + usage["completion_tokens"] * outward
