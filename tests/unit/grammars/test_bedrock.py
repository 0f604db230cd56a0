"""The checker of Bedrock's framing and grammar sees what a bad stream does wrong. promise 23"""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.grammars.bedrock import Frame, FramingError, chunks, content, faults, frames
from yescale_sandbox.bedrock import eventstream

Stream = list[tuple[str, dict[str, Any]]]


def delta(index: int, **more: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": more}


def stop(index: int) -> tuple[str, dict[str, Any]]:
    return "contentBlockStop", {"contentBlockIndex": index}


USAGE = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
GOOD: Stream = [
    ("messageStart", {"role": "assistant"}),
    delta(0, reasoningContent={"text": "Hm."}),
    delta(0, reasoningContent={"signature": "abc"}),
    stop(0),
    delta(1, text="Hello"),
    stop(1),
    ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "look"}}}),
    delta(2, toolUse={"input": '{"a":'}),
    delta(2, toolUse={"input": "1}"}),
    stop(2),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
]

Break = Callable[[Stream], object]
BROKEN: dict[str, tuple[Break, str]] = {
    "not begun": (lambda s: s.pop(0), "contentBlockDelta after nothing"),
    "twice begun": (lambda s: s.insert(1, s[0]), "messageStart after messageStart"),
    "of the user": (lambda s: s[0][1].update(role="user"), "messageStart is not of the assistant"),
    "a text in a thought": (lambda s: s.insert(3, delta(0, text="x")), "text in a block of reasoningContent"),
    "no signature": (lambda s: s.pop(2), "reasoning without a signature"),
    "not closed": (lambda s: s.pop(5), "block 2 starts while 1 is open"),
    "closed twice": (lambda s: s.insert(4, stop(0)), "block 0 stops while None is open"),
    "a skipped index": (lambda s: s.__setitem__(slice(4, 6), []), "block 2 is number 1"),
    "another index": (lambda s: s.insert(5, delta(0, text="x")), "a delta for block 0 while 1 is open"),
    "a call without a start": (lambda s: s.pop(6), "a delta for block 2 while None is open"),
    "a start of a text": (lambda s: s[6][1].update(start={"text": ""}), "only a call has a start"),
    "half a call": (lambda s: s.pop(8), "the input of look is not JSON"),
    "another reason": (lambda s: s[10][1].update(stopReason="end_turn"), "does not fit the blocks"),
    "no reason": (lambda s: s[10][1].pop("stopReason"), "unknown stopReason None"),
    "no stop": (lambda s: s.pop(10), "metadata after contentBlock"),
    "an open block": (lambda s: s.pop(9), "messageStop while block 2 is open"),
    "no metadata": (lambda s: s.pop(), "the stream ends after messageStop"),
    "no usage": (lambda s: s[11][1].pop("usage"), "inputTokens is None"),
    "no latency": (lambda s: s[11][1].pop("metrics"), "metadata has no latency"),
    "after the end": (lambda s: s.append(stop(3)), "contentBlockStop after the end"),
    "an unknown event": (lambda s: s.insert(1, ("song", {"la": 1})), "unknown event ['la']"),
}  # fmt: skip


def framed(stream: Stream) -> list[Frame]:
    return [Frame({":event-type": name, ":message-type": "event"}, data) for name, data in stream]


def test_a_good_stream_has_no_faults() -> None:
    read = framed(copy.deepcopy(GOOD))
    assert faults(read) == []
    assert content(read) == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "abc"}}},
        {"text": "Hello"},
        {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"a": 1}}},
    ]


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_stream_has_its_fault(name: str) -> None:
    break_it, words = BROKEN[name]
    stream = copy.deepcopy(GOOD)
    break_it(stream)
    assert words in "; ".join(faults(framed(stream)))


def test_an_exception_may_be_the_last() -> None:
    failed = Frame({":exception-type": "throttlingException", ":message-type": "exception"}, {"message": "x"})
    read = [*framed(GOOD[:5]), failed]
    assert (faults(read, may_fail=True), faults(read)) == ([], ["the stream ends after failed"])


def test_bytes_are_read_as_messages_and_chunks_as_anthropics_events() -> None:
    inner = base64.b64encode(json.dumps({"type": "ping"}).encode()).decode()
    stream = eventstream.message(
        {":event-type": "chunk", ":message-type": "event"}, json.dumps({"bytes": inner}).encode()
    )
    (frame,) = read = frames(stream)
    assert (frame.name, frame.failed) == ("chunk", False)
    assert [(event.name, event.data) for event in chunks(read)] == [("ping", {"type": "ping"})]


def test_every_broken_byte_is_seen() -> None:
    stream = eventstream.message({":event-type": "ping"}, b"{}")
    for place in range(len(stream)):
        broken = bytearray(stream)
        broken[place] ^= 1
        with pytest.raises(FramingError):
            frames(bytes(broken))
    for end in range(1, len(stream)):
        with pytest.raises(FramingError):
            frames(stream[:end])
