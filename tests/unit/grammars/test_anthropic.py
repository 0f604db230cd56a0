"""The checker of Anthropic's grammar sees what a bad stream does wrong. promise 23"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.grammars.anthropic import Event, content, events, faults

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    },
}


def block(index: int, kind: str, **start: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **start}}


def delta(index: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **more}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


GOOD: list[dict[str, Any]] = [
    START,
    block(0, "thinking", thinking="", signature=""),
    {"type": "ping"},
    delta(0, "thinking", thinking="Hm."),
    delta(0, "signature", signature="abc"),
    stop(0),
    block(1, "text", text=""),
    delta(1, "text", text="Hello"),
    stop(1),
    block(2, "tool_use", id="toolu_1", name="look", input={}),
    delta(2, "input_json", partial_json='{"a":'),
    delta(2, "input_json", partial_json="1}"),
    stop(2),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 9},
    },
    {"type": "message_stop"},
]

LISTED = delta(2, "input_json", partial_json="[]")
Break = Callable[[list[dict[str, Any]]], object]
BROKEN: dict[str, tuple[Break, str]] = {
    "twice begun": (lambda s: s.insert(1, START), "a second message_start"),
    "not begun": (lambda s: s.pop(0), "content_block_start while new"),
    "a thought in a text": (lambda s: s.insert(8, delta(1, "thinking", thinking="x")), "thinking_delta in a block"),
    "not closed": (lambda s: s.pop(5), "block 1 starts while 0 is open"),
    "closed twice": (lambda s: s.insert(6, stop(0)), "block 0 stops while None is open"),
    "a wrong index": (lambda s: s[7].update(index=0), "a delta for block 0 while 1 is open"),
    "a skipped index": (lambda s: s[6].update(index=2), "block 2 is number 1"),
    "half a call": (lambda s: s.pop(11), "the input of look is not JSON"),
    "a call of a list": (lambda s: s.__setitem__(slice(10, 12), [LISTED]), "is no object"),
    "no signature": (lambda s: s.pop(4), "thinking without a signature"),
    "words at the start": (lambda s: s[6]["content_block"].update(text="H"), "does not start empty"),
    "arguments at the start": (lambda s: s[9]["content_block"].update(input={"a": 1}), "does not start with an empty"),
    "no reason": (lambda s: s[13]["delta"].update(stop_reason=None), "unknown stop_reason None"),
    "another reason": (lambda s: s[13]["delta"].update(stop_reason="end_turn"), "does not fit the blocks"),
    "no sequence": (lambda s: s[13]["delta"].update(stop_sequence="x"), "stop_sequence does not fit"),
    "no usage": (lambda s: s[13].pop("usage"), "output_tokens is None"),
    "less usage": (lambda s: s[13]["usage"].update(output_tokens=0), "output_tokens went down"),
    "no usage at the start": (lambda s: s[0]["message"].pop("usage"), "input_tokens is None"),
    "no end": (lambda s: s.pop(), "the stream ends while ending"),
    "after the end": (lambda s: s.append({"type": "ping"}), "ping after the end"),
    "no delta": (lambda s: s.pop(13), "message_stop while begun"),
    "an unknown event": (lambda s: s.insert(1, {"type": "message_pause"}), "unknown event message_pause"),
    "an unknown block": (lambda s: s[6]["content_block"].update(type="song"), "unknown block song"),
    "an error": (lambda s: s.__setitem__(slice(7, None), [{"type": "error"}]), "the stream ends while failed"),
}  # fmt: skip


def named(stream: list[dict[str, Any]]) -> list[Event]:
    return [Event(one["type"], one) for one in stream]


def test_a_good_stream_has_no_faults() -> None:
    read = named(copy.deepcopy(GOOD))
    assert faults(read) == []
    assert [one["type"] for one in content(read)] == ["thinking", "text", "tool_use"]
    assert content(read)[2]["input"] == {"a": 1}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_stream_has_its_fault(name: str) -> None:
    break_it, words = BROKEN[name]
    stream = copy.deepcopy(GOOD)
    break_it(stream)
    assert words in "; ".join(faults(named(stream)))


def test_an_error_may_be_the_last_event() -> None:
    assert faults(named([*GOOD[:7], {"type": "error"}]), may_fail=True) == []
    assert faults([Event("ping", {"type": "pong"}), *named(GOOD)]) == ["the event ping says type pong"]


def test_bytes_are_read_as_events() -> None:
    stream = b': hello\n\nevent: ping\r\ndata: {"type": "ping"}\r\n\r\n'
    assert events(stream) == [Event("ping", {"type": "ping"})]
