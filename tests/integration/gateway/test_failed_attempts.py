"""Attempts that failed before any content: free, unless their provider says that it bills them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway.askers import asked, relayed
from tests.integration.gateway.control import KEY
from tests.integration.gateway.rig import Visit
from tests.integration.gateway.stage import Pair, Stage, cost, pairs_of
from tests.integration.gateway.tongues import MESSAGES, RESPONSES
from yescale.domain.journal import EndLine
from yescale.domain.usage import Meter

USED = {"input_tokens": 30, "output_tokens": 7, "total_tokens": 37}
OWED = cost({Meter.INPUT_TOKENS: 30, Meter.OUTPUT_TOKENS: 7})


def pair(spoken: str) -> Pair:
    """A client of chat whose provider speaks another format: nothing is relayed before the first text."""
    surface = next(surface for surface in relayed() if surface.format.id == "openai.chat")
    return next(pair for pair in pairs_of(surface) if pair.spoken == spoken)


def failed(usage: dict[str, int] | None) -> bytes:
    response = {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "no"}, "usage": usage}
    return b"event: response.failed\ndata: " + json.dumps({"type": "response.failed", "response": response}).encode()


async def play(
    folder: Path, answers: list[bytes], spoken: str = "openai.responses", **relay: Any
) -> tuple[int, EndLine]:
    """A streamed call; the provider gives one of the answers each time it is asked."""
    left = list(answers)

    async def script(visit: Visit) -> None:
        await visit.stream()
        await visit.chunk(left.pop(0) + b"\n\n")
        await visit.end()

    one = pair(spoken)
    async with Stage(folder, (one,), **relay) as stage:
        stage.first.script = script
        path, body = asked(one.surface, one.model("long"), "hi", stream=True)
        client = await stage.client()
        client.send("POST", path, body, authorization=f"Bearer {KEY}")
        answer = await client.answer()
        assert left == []
        return answer.status, await stage.end()


@pytest.mark.parametrize(
    ("usage", "outcome", "amount"),
    [
        (USED, "upstream_cut", OWED),
        ({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, "upstream_error", 0),
        (None, "upstream_error", 0),
    ],
)
async def test_a_failure_costs_what_its_provider_says_that_it_used(
    tmp_path: Path, usage: dict[str, int] | None, outcome: str, amount: int
) -> None:
    """Promises 7 and 11: usage is read from any terminal event, and zero stays zero."""
    status, end = await play(tmp_path, [failed(usage)])
    assert (status, end.outcome, end.amount, end.estimated) == (502, outcome, amount, False)


async def test_a_failure_before_a_success_is_the_operators(tmp_path: Path) -> None:
    """Promise 21: only one attempt is charged."""
    whole = b"".join((RESPONSES.opening, *RESPONSES.texts, RESPONSES.reckoning))
    status, end = await play(tmp_path, [failed(USED), whole], max_attempts=2)
    assert (status, end.outcome, end.amount) == (200, "ok", cost(RESPONSES.usage))
    assert len(end.attempts) == 2


async def test_the_usage_of_a_prompt_alone_is_no_answer_yet(tmp_path: Path) -> None:
    """Claude says the prompt's size first; an error behind it may still be made good elsewhere."""
    whole = b"".join((MESSAGES.opening, *MESSAGES.texts, MESSAGES.reckoning, MESSAGES.mark))
    overloaded = MESSAGES.opening.partition(b"event: content_block_start")[0] + MESSAGES.failing
    status, end = await play(tmp_path, [overloaded, whole], "anthropic.messages", max_attempts=2)
    assert (status, end.outcome, end.amount) == (200, "ok", cost(MESSAGES.usage))
    assert len(end.attempts) == 2
