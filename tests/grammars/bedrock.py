"""The framing and the grammar of Bedrock's streams: what a good one may say, in which order.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html; InvokeModel's chunks hold
Anthropic's events, which its own grammar judges. Pure.
"""

import base64
import binascii
import json
import re
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tests.grammars import anthropic

STOP_REASONS = {"end_turn", "tool_use", "max_tokens", "stop_sequence", "guardrail_intervened", "content_filtered"}
ORDER = ("messageStart", "contentBlock", "messageStop", "metadata")
COUNTS = ("inputTokens", "outputTokens", "totalTokens")


class FramingError(Exception):
    """The bytes are no whole messages."""


class Frame(NamedTuple):
    """One message: its headers and its JSON."""

    headers: dict[str, str]
    data: dict[str, Any]

    @property
    def name(self) -> str:
        return self.headers.get(":event-type") or self.headers.get(":exception-type", "")

    @property
    def failed(self) -> bool:
        return self.headers.get(":message-type") == "exception"


def frames(stream: bytes) -> list[Frame]:
    """The messages of a stream of bytes, their checksums checked.

    Raises: FramingError.
    """
    found: list[Frame] = []
    while stream:
        if len(stream) < 16:
            raise FramingError("a prelude is cut")
        size, head_size, check = struct.unpack(">III", stream[:12])
        if binascii.crc32(stream[:8]) != check:
            raise FramingError("a prelude's checksum is wrong")
        if len(stream) < size:
            raise FramingError("a message is cut")
        body, (whole,) = stream[: size - 4], struct.unpack(">I", stream[size - 4 : size])
        if binascii.crc32(body) != whole:
            raise FramingError("a message's checksum is wrong")
        found.append(Frame(_headers(body[12 : 12 + head_size]), json.loads(body[12 + head_size :])))
        stream = stream[size:]
    return found


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    while head:
        name_end = 1 + head[0]
        name = head[1:name_end].decode()
        kind, size = struct.unpack(">BH", head[name_end : name_end + 3])
        if kind != 7:
            raise FramingError(f"the header {name} is no string")
        found[name] = head[name_end + 3 : name_end + 3 + size].decode()
        head = head[name_end + 3 + size :]
    return found


class Grammar:
    """Reads Converse's events one after the other and notes what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.blocks: dict[int, dict[str, Any]] = {}
        self._open: int | None = None
        self._state = ""  # the last of ORDER that was seen, or failed

    def read(self, frame: Frame) -> None:
        if self._state in ("failed", "metadata"):
            self._fault(f"{frame.name} after the end")
        elif frame.failed:
            self._state = "failed"
        else:
            self._enter(frame.name)
            getattr(self, _method(frame.name), self._unknown)(frame.data)

    def finish(self, *, may_fail: bool = False) -> list[str]:
        """All faults, once the stream is over."""
        if self._state != "metadata" and not (may_fail and self._state == "failed"):
            self._fault(f"the stream ends after {self._state or 'nothing'}")
        return self.faults

    def _fault(self, words: str) -> None:
        self.faults.append(words)

    def _unknown(self, data: dict[str, Any]) -> None:
        self._fault(f"unknown event {sorted(data)}")

    def _enter(self, name: str) -> None:
        """Check the order of the four stages."""
        stage = "contentBlock" if name.startswith("contentBlock") else name
        before = ORDER.index(self._state) if self._state else -1
        now = ORDER.index(stage) if stage in ORDER else before
        may_follow = now == before + 1 or (stage == "contentBlock" and now == before)
        if stage == "messageStop" and self._state == "messageStart":
            may_follow = True
        if stage in ORDER and not may_follow:
            self._fault(f"{name} after {self._state or 'nothing'}")
        self._state = stage if stage in ORDER else self._state

    def _message_start(self, data: dict[str, Any]) -> None:
        if data.get("role") != "assistant":
            self._fault("messageStart is not of the assistant")

    def _content_block_start(self, data: dict[str, Any]) -> None:
        if set(data.get("start", {})) != {"toolUse"}:
            self._fault("only a call has a start")
        self._begin(data["contentBlockIndex"], "toolUse")
        self.blocks[data["contentBlockIndex"]].update(data["start"].get("toolUse", {}))

    def _content_block_delta(self, data: dict[str, Any]) -> None:
        index, delta = data["contentBlockIndex"], data["delta"]
        kind = next(iter(delta))
        kind = "text" if kind == "citation" else kind
        if self._open is None and kind != "toolUse":
            self._begin(index, kind)
        if index != self._open:
            self._fault(f"a delta for block {index} while {self._open} is open")
        elif self.blocks[index]["kind"] != kind:
            self._fault(f"{kind} in a block of {self.blocks[index]['kind']}")
        else:
            self._add(self.blocks[index], delta)

    def _content_block_stop(self, data: dict[str, Any]) -> None:
        index = data["contentBlockIndex"]
        if index != self._open:
            self._fault(f"block {index} stops while {self._open} is open")
            return
        self._open = None
        block = self.blocks[index]
        if block["kind"] == "toolUse":
            try:
                block["input"] = json.loads(block.get("text") or "{}")
            except ValueError:
                self._fault(f"the input of {block.get('name')} is not JSON")
        if block["kind"] == "reasoningContent" and not (block.get("signature") or block.get("redactedContent")):
            self._fault("reasoning without a signature")

    def _message_stop(self, data: dict[str, Any]) -> None:
        reason = data.get("stopReason")
        if self._open is not None:
            self._fault(f"messageStop while block {self._open} is open")
        if reason not in STOP_REASONS:
            self._fault(f"unknown stopReason {reason}")
        calls = any(block["kind"] == "toolUse" for block in self.blocks.values())
        if calls != (reason == "tool_use") and not (calls and reason == "max_tokens"):
            self._fault(f"stopReason {reason} does not fit the blocks")

    def _metadata(self, data: dict[str, Any]) -> None:
        usage = data.get("usage") or {}
        for name in COUNTS:
            if not isinstance(usage.get(name), int) or usage[name] < 0:
                self._fault(f"{name} is {usage.get(name)!r}")
        if not isinstance(data.get("metrics", {}).get("latencyMs"), int):
            self._fault("metadata has no latency")

    def _begin(self, index: int, kind: str) -> None:
        if self._open is not None:
            self._fault(f"block {index} starts while {self._open} is open")
        if index != len(self.blocks):
            self._fault(f"block {index} is number {len(self.blocks)}")
        self.blocks[index] = {"kind": kind}
        self._open = index

    def _add(self, block: dict[str, Any], delta: dict[str, Any]) -> None:
        inner = delta.get("reasoningContent", delta)
        for name in ("text", "signature", "redactedContent"):
            if name in inner:
                block[name] = block.get(name, "") + inner[name]
        if "toolUse" in delta:
            block["text"] = block.get("text", "") + delta["toolUse"]["input"]
        if "citation" in delta:
            block["citations"] = [*block.get("citations", []), delta["citation"]]


def _method(name: str) -> str:
    """The name of the method that reads an event: `messageStart` is read by `_message_start`."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", f"_{name}")


def faults(read: Iterable[Frame], *, may_fail: bool = False) -> list[str]:
    """What is wrong with the events of one Converse stream; `may_fail` allows an exception as the last."""
    grammar = Grammar()
    for frame in read:
        grammar.read(frame)
    return grammar.finish(may_fail=may_fail)


def content(read: Iterable[Frame]) -> list[dict[str, Any]]:
    """The blocks that Converse's events add up to, as a whole answer would have them."""
    grammar = Grammar()
    for frame in read:
        grammar.read(frame)
    return [_whole(block) for block in grammar.blocks.values()]


def _whole(block: dict[str, Any]) -> dict[str, Any]:
    if block["kind"] == "toolUse":
        return {"toolUse": {name: block[name] for name in ("toolUseId", "name", "input")}}
    if block["kind"] == "reasoningContent":
        if "redactedContent" in block:
            return {"reasoningContent": {"redactedContent": block["redactedContent"]}}
        return {"reasoningContent": {"reasoningText": {name: block[name] for name in ("text", "signature")}}}
    if "citations" in block:
        return {"citationsContent": {"content": [{"text": block["text"]}], "citations": block["citations"]}}
    return {"text": block["text"]}


def chunks(read: Sequence[Frame]) -> list[anthropic.Event]:
    """Anthropic's events out of InvokeModel's chunks."""
    inner = [json.loads(base64.b64decode(frame.data["bytes"])) for frame in read if not frame.failed]
    return [anthropic.Event(event["type"], event) for event in inner]
