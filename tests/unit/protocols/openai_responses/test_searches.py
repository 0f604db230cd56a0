"""Searches of the web, which are billed beside tokens: counted in whole answers and streams, carried or translated."""

import json
from typing import Any

import pytest

from yescale.domain.events import UsageReport
from yescale.domain.usage import Meter
from yescale.protocols.openai_responses.decoder import ResponsesDecoder
from yescale.protocols.openai_responses.responses import decode_response
from yescale.protocols.openai_responses.tap import ResponsesTap, read_answer

USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
MESSAGE = {
    "type": "message", "id": "m", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": "web_search_call", "annotations": []}],
}  # fmt: skip


def call(action: dict[str, Any] | None) -> dict[str, Any]:
    said = {} if action is None else {"action": action}
    return {"type": "web_search_call", "id": "ws", "status": "completed", **said}


SEARCH, OPENED = call({"type": "search", "query": "q"}), call({"type": "open_page", "url": "u"})
CASES = [
    ([MESSAGE], 0),
    ([SEARCH, MESSAGE], 1),
    ([SEARCH, OPENED, SEARCH, MESSAGE], 2),
    ([OPENED, MESSAGE], 0),
    ([call(None), MESSAGE], 1),  # as the tool's first version told it
]


def response(output: list[Any], status: str = "completed", usage: object = USAGE) -> dict[str, Any]:
    return {"id": "r", "object": "response", "model": "m", "status": status, "output": output, "usage": usage}


def end(output: list[Any], status: str) -> bytes:
    kind = f"response.{status}"
    said = {"type": kind, "response": response(output, status)}
    return f"event: {kind}\ndata: {json.dumps(said, separators=(',', ':'))}\n\n".encode()


@pytest.mark.parametrize(("output", "searches"), CASES)
def test_searches_of_a_whole_answer_are_counted(output: list[Any], searches: int) -> None:
    body = json.dumps(response(output), separators=(",", ":")).encode()
    carried = read_answer(body)
    assert carried is not None
    for usage in (carried.usage, decode_response(body).usage):
        assert usage is not None
        assert usage.get(Meter.WEB_SEARCHES, 0) == searches
        assert usage[Meter.INPUT_TOKENS] == 3


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
@pytest.mark.parametrize(("output", "searches"), CASES)
def test_searches_of_a_stream_are_counted_however_it_ends(output: list[Any], searches: int, status: str) -> None:
    """Promise 7: usage is read from any terminal event."""
    data = end(output, status)
    tap = ResponsesTap(True, 10_000)
    tap.feed(data)
    reports = [event for event in ResponsesDecoder(10_000).feed(data) if isinstance(event, UsageReport)]
    for usage in (tap.usage, reports[-1].usage):
        assert usage is not None
        assert usage.get(Meter.WEB_SEARCHES, 0) == searches


def test_an_answer_without_usage_stays_without() -> None:
    body = json.dumps(response([SEARCH, MESSAGE], usage=None), separators=(",", ":")).encode()
    answer = read_answer(body)
    assert answer is not None
    assert answer.usage is None
