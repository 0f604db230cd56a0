"""What is tried in each cell: a conversation, and what must have arrived, been understood and been charged."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jsonschema
import pytest

from tests.matrix.asking import PERSON, PIXEL, TOOL, WEATHER, Ask, Client, Said
from tests.matrix.clients import Kind
from tests.matrix.house import Call, House
from tests.matrix.upstreams import BY_NAME, KNOWN_THINKER, TALKER, THINKER, Upstream

RESULT = "31 degrees, humid"
LONG_PIECES = 2000
REFUSALS = ("this model answers every call so", "Request contains an invalid argument")  # the fakes' own words
# How an upstream is told to think.
WISHES = {
    "chat": '"model": "deepseek-reasoner"',  # which thinks unless it is told not to
    "responses": '"effort": "low"',
    "messages": '"budget_tokens": ',
    "generate": '"thinkingLevel": ',
}
# What of its thoughts an upstream sees again.
SEALS = {
    "chat": '"reasoning_content": "',
    "responses": '"encrypted_content": "',
    "messages": '"signature": "',
    "generate": '"thoughtSignature": "',
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One client at one upstream, streaming or not."""

    house: House
    client: Client
    upstream: Upstream
    stream: bool
    kind: Kind

    def ask(self, asked: Ask) -> tuple[Said, Call]:
        """Ask, and hold the answer against what arrived and what was charged."""
        mark = self.house.installation.last_arrival()
        said = self.client.ask(asked)
        call = self.house.only_call(mark)
        self._check(said, call)
        return said, call

    def scenario(self, suffix: str) -> str:
        """The talker's name with a scenario."""
        if not self.kind.named:
            return TALKER + suffix
        return next(name for name, meant in BY_NAME.items() if meant == suffix)

    def _check(self, said: Said, call: Call) -> None:
        request, row = call.request, call.row
        assert request["path"].endswith(self.upstream.paths[self.stream])
        assert (row["outcome"], row["status"], row["stream"]) == ("ok", 200, self.stream), row
        assert not row["estimated"]
        reported = request["usage_reported"]
        assert (said.prompt, said.completion) == (reported["prompt_tokens"], reported["completion_tokens"])
        assert row["amount"] == self.house.price(call)


def text(cell: Cell) -> list[Call]:
    marker = _marker()
    said, call = cell.ask(Ask(model=TALKER, text=f"Say {marker} ünïcödé 是 \U0001f600", stream=cell.stream))
    assert f"Say {marker} ünïcödé 是 \U0001f600" in call.text
    assert f"You said: Say {marker} ünïcödé 是 \U0001f600" in said.text
    return [call]


def tools(cell: Cell) -> list[Call]:
    """Call, result, final answer."""
    question = Ask(model=TALKER, text=f"Ask {TOOL} about {_marker()}.", stream=cell.stream, tool=True)
    return list(_round_trip(cell, question))


def _round_trip(cell: Cell, question: Ask) -> tuple[Call, Call]:
    said, first = cell.ask(question)
    assert question.text in first.text
    assert TOOL in first.text
    (called,) = said.calls
    assert called.name == TOOL
    jsonschema.validate(dict(called.arguments), {**WEATHER, "additionalProperties": True})
    follow = Ask(model=question.model, stream=cell.stream, tool=True, thinks=question.thinks, after=said, result=RESULT)
    final, second = cell.ask(follow)
    assert RESULT in second.text
    assert all(str(value) in second.text for value in called.arguments.values())
    assert f"The tool {TOOL} answered:" in final.text
    assert RESULT in final.text
    assert not final.calls
    return first, second


def vision(cell: Cell) -> list[Call]:
    said, call = cell.ask(Ask(model=TALKER, text=f"Look: {_marker()}", stream=cell.stream, image=True))
    assert PIXEL in call.text
    assert "I see 1 image" in said.text
    return [call]


def structured(cell: Cell) -> list[Call]:
    said, call = cell.ask(Ask(model=TALKER, text=f"Who is {_marker()}?", stream=cell.stream, schema=True))
    jsonschema.validate(json.loads(said.text), PERSON)
    assert "tags" in call.text
    return [call]


def thinking(cell: Cell) -> list[Call]:
    """The thoughts are shown, and what seals them goes back, with the call of a tool, to whom it came from."""
    model = KNOWN_THINKER if cell.kind.named else THINKER
    question = Ask(model=model, text=f"Ask {TOOL} about {_marker()}.", stream=cell.stream, thinks=True)
    if not cell.kind.keeps_thoughts:
        return _think_once(cell, question)
    first, second = _round_trip(cell, replace(question, tool=True))
    assert first.request["usage"]["reasoning_tokens"] > 0 or cell.upstream.name == "messages"
    assert SEALS[cell.upstream.name] in second.text
    return [first, second]


def _think_once(cell: Cell, question: Ask) -> list[Call]:
    """A client that forgets what was thought: no tool may be called, whose result would need the thought again."""
    said, call = cell.ask(question)
    assert WISHES[cell.upstream.name] in call.text
    assert f"You said: {question.text}" in said.text
    if cell.kind.shows_thoughts and cell.upstream.name == "chat":
        assert call.request["usage"]["reasoning_tokens"] > 0
        assert said.thoughts
    return [call]


def long(cell: Cell) -> list[Call]:
    asked = Ask(model=cell.scenario(f"+long-{LONG_PIECES}"), text=f"Much of {_marker()}", stream=cell.stream)
    said, call = cell.ask(asked)
    numbers = [f"number {number:06}." for number in range(said.text.count("filler"))]
    assert all(number in said.text for number in numbers)
    assert len(numbers) * 6 >= LONG_PIECES * 3 - 60
    assert call.request["usage"]["completion_tokens"] * 4 >= len(said.text.encode()) - 4
    return [call]


def error(cell: Cell) -> list[Call]:
    """The upstream refuses the request: the client raises its own exception with the provider's words, and nothing is
    charged.
    """
    asked = Ask(model=cell.scenario("+400"), text=_marker(), stream=cell.stream)
    mark = cell.house.installation.last_arrival()
    with pytest.raises(cell.kind.raises) as caught:
        cell.client.ask(asked)
    call = cell.house.only_call(mark)
    assert asked.text in call.text
    assert call.request["path"].endswith(cell.upstream.paths[cell.stream])
    assert _status(caught.value) == 400
    assert any(words in str(caught.value) for words in REFUSALS), str(caught.value)
    assert (call.row["outcome"], call.row["status"], call.row["amount"]) == ("upstream_error", 400, 0)
    return [call]


def _status(error: BaseException) -> Any:
    """Where an exception, or the one that it wraps, keeps the status."""
    for name in ("status_code", "code"):
        found = getattr(error, name, None)
        if isinstance(found, int):
            return found
    return _status(error.__cause__) if error.__cause__ is not None else None


Capability = Callable[[Cell], list[Call]]
CAPABILITIES: dict[str, Capability] = {
    "text": text,
    "tools": tools,
    "vision": vision,
    "thinking": thinking,
    "structured": structured,
    "long": long,
    "error": error,
}


def _marker() -> str:
    return f"marker-{uuid.uuid4().hex[:8]}"
