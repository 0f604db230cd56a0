"""The grammar itself: a good stream passes it, and each rule is broken once and seen."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.grammars import gemini as grammar

Chunks = list[dict[str, Any]]


def chunk(part: dict[str, Any], count: int, **beside: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0, **beside}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": count, "totalTokenCount": count + 1},
        "modelVersion": "m",
        "responseId": "r",
    }


CALL = {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "AAAA"}
GOOD: Chunks = [
    chunk({"text": "hm", "thought": True}, 0),
    chunk({"text": "he"}, 1),
    chunk({"text": "llo"}, 2),
    chunk(CALL, 3, finishReason="STOP"),
]


def changed(number: int, path: str, value: Any) -> Chunks:
    """The good stream with one thing set, or taken out by an Ellipsis."""
    made = copy.deepcopy(GOOD)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = made[number]
    for step in steps:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made


def test_a_good_stream_passes() -> None:
    grammar.check(GOOD)
    assert grammar.parts(GOOD) == [{"text": "hm", "thought": True}, {"text": "hello"}, CALL]


@pytest.mark.parametrize(
    "broken",
    [
        [],
        GOOD[:-1],
        [*GOOD, GOOD[1]],
        [*GOOD, GOOD[-1]],
        changed(1, "choices", []),
        changed(1, "modelVersion", "other"),
        changed(1, "responseId", "other"),
        changed(1, "promptFeedback", {}),
        changed(1, "candidates.0.delta", {}),
        changed(1, "candidates.0.content.role", "assistant"),
        changed(3, "candidates.0.finishReason", "stop"),
        changed(1, "candidates.0.content.parts.0", {}),
        changed(1, "candidates.0.content.parts.0.inlineData", {}),
        changed(1, "candidates.0.content.parts.0.text", 3),
        changed(1, "candidates.0.content.parts.0.thought", "yes"),
        changed(3, "candidates.0.content.parts.0.functionCall.args", "{}"),
        changed(3, "candidates.0.content.parts.0.functionCall.name", ""),
        changed(3, "usageMetadata.totalTokenCount", 0),
        [{"error": {"code": 500, "message": "x", "status": "INTERNAL"}}],
    ],
)
def test_a_broken_rule_is_seen(broken: Chunks) -> None:
    with pytest.raises((AssertionError, KeyError)):
        grammar.check(broken)


def test_a_failed_stream_ends_with_its_error_alone() -> None:
    error = {"error": {"code": 500, "message": "x", "status": "INTERNAL"}}
    grammar.check_failed([*GOOD[:2], error])
    for broken in ([*GOOD, error], [GOOD[0], {**error, "candidates": []}], [{"error": {}}]):
        with pytest.raises(AssertionError):
            grammar.check_failed(broken)


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (grammar.events, b"data: {}\r\n"),
        (grammar.events, b"event: x\ndata: {}\n\n"),
        (grammar.events, b"data: {}\ndata: {}\n\n"),
        (grammar.array, b'{"candidates":[]}'),
        (grammar.array, b"[1]"),
    ],
)
def test_broken_frames_are_seen(read: Callable[[bytes], Chunks], data: bytes) -> None:
    with pytest.raises(AssertionError):
        read(data)


def test_frames_may_end_in_either_way_and_hold_comments() -> None:
    frames = b"".join(b"data: %b\r\n\r\n" % json.dumps(one).encode() for one in GOOD)
    assert grammar.events(b": hello\r\n\r\n" + frames) == GOOD
    assert grammar.events(frames.replace(b"\r\n", b"\n")) == GOOD
    assert grammar.array(json.dumps(GOOD).encode()) == GOOD
