"""The grammar of an Anthropic stream: what a good one may say, in which order.

https://platform.claude.com/docs/en/build-with-claude/streaming. Pure: takes the decoded events with their names.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

BLOCK_DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "redacted_thinking": set(),
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "web_search_tool_result": set(),
    "web_fetch_tool_result": set(),
    "code_execution_tool_result": set(),
    "bash_code_execution_tool_result": set(),
    "text_editor_code_execution_tool_result": set(),
}
STOP_REASONS = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"}
START_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


class Event(NamedTuple):
    """One server-sent event: its name and its JSON."""

    name: str
    data: dict[str, Any]


class Grammar:
    """Reads events one after the other and notes what is wrong with them."""

    def __init__(self, *, estimates: bool = False) -> None:
        self.faults: list[str] = []
        self._estimates = estimates
        self.blocks: list[dict[str, Any]] = []
        self._open: int | None = None
        self._pieces: list[str] = []
        self._usage: dict[str, Any] = {}
        self._state = "new"  # then begun, ending, ended, failed

    def read(self, event: Event) -> None:
        if event.data.get("type") != event.name:
            self._fault(f"the event {event.name} says type {event.data.get('type')}")
        if self._state in ("ended", "failed"):
            self._fault(f"{event.name} after the end")
        elif event.name == "error":
            self._state = "failed"
        elif event.name != "ping":
            getattr(self, f"_{event.name}", self._unknown)(event.data)

    def finish(self, *, may_fail: bool = False) -> list[str]:
        """All faults, once the stream is over."""
        if self._state != "ended" and not (may_fail and self._state == "failed"):
            self._fault(f"the stream ends while {self._state}")
        return self.faults

    def _fault(self, words: str) -> None:
        self.faults.append(words)

    def _unknown(self, data: dict[str, Any]) -> None:
        self._fault(f"unknown event {data.get('type')}")

    def _message_start(self, data: dict[str, Any]) -> None:
        if self._state != "new":
            self._fault("a second message_start")
        self._state = "begun"
        message = data.get("message", {})
        if message.get("content") != [] or message.get("stop_reason") is not None or message.get("role") != "assistant":
            self._fault("message_start is not an empty message of the assistant")
        if not str(message.get("id", "")).strip() or message.get("type") != "message":
            self._fault("message_start has no id or type")
        self._usage = message.get("usage") or {}
        for name in ("input_tokens", "output_tokens"):
            self._check_count(name, self._usage)

    def _content_block_start(self, data: dict[str, Any]) -> None:
        self._must_be("begun", "content_block_start")
        if self._open is not None:
            self._fault(f"block {data.get('index')} starts while {self._open} is open")
        if data.get("index") != len(self.blocks):
            self._fault(f"block {data.get('index')} is number {len(self.blocks)}")
        block = data.get("content_block", {})
        if block.get("type") not in BLOCK_DELTAS:
            self._fault(f"unknown block {block.get('type')}")
        for name in ("text", "thinking"):
            if block.get("type") == name and block.get(name) != "":
                self._fault(f"a block of {name} does not start empty")
        if block.get("type") in ("tool_use", "server_tool_use") and block.get("input") != {}:
            self._fault("a call does not start with an empty input")
        self.blocks.append(dict(block))
        self._open = len(self.blocks) - 1
        self._pieces = []

    def _content_block_delta(self, data: dict[str, Any]) -> None:
        if self._open is None or data.get("index") != self._open:
            self._fault(f"a delta for block {data.get('index')} while {self._open} is open")
            return
        block, delta = self.blocks[self._open], data.get("delta", {})
        kind = delta.get("type")
        if kind not in BLOCK_DELTAS.get(block.get("type", ""), set()):
            self._fault(f"{kind} in a block of {block.get('type')}")
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        elif kind == "input_json_delta":
            self._pieces.append(delta["partial_json"])
        else:
            name = kind.removesuffix("_delta")
            block[name] = block.get(name, "") + delta[name]

    def _content_block_stop(self, data: dict[str, Any]) -> None:
        if self._open is None or data.get("index") != self._open:
            self._fault(f"block {data.get('index')} stops while {self._open} is open")
            return
        block = self.blocks[self._open]
        self._open = None
        if block["type"] == "thinking" and not block.get("signature"):
            self._fault("thinking without a signature")
        if block["type"] in ("tool_use", "server_tool_use"):
            self._close_call(block)

    def _close_call(self, block: dict[str, Any]) -> None:
        try:
            block["input"] = json.loads("".join(self._pieces) or "{}")
        except ValueError:
            self._fault(f"the input of {block.get('name')} is not JSON")
        if not isinstance(block["input"], dict):
            self._fault(f"the input of {block.get('name')} is no object")

    def _message_delta(self, data: dict[str, Any]) -> None:
        if self._open is not None:
            self._fault(f"message_delta while block {self._open} is open")
        if self._state not in ("begun", "ending"):
            self._fault(f"message_delta while {self._state}")
        self._state = "ending"
        reason = data.get("delta", {}).get("stop_reason")
        if reason not in STOP_REASONS:
            self._fault(f"unknown stop_reason {reason}")
        calls = any(block.get("type") == "tool_use" for block in self.blocks)
        if calls != (reason == "tool_use") and not (calls and reason == "max_tokens"):
            self._fault(f"stop_reason {reason} does not fit the blocks")
        if (reason == "stop_sequence") != (data["delta"].get("stop_sequence") is not None):
            self._fault("stop_sequence does not fit stop_reason")
        usage = data.get("usage") or {}
        self._check_count("output_tokens", usage)
        for name in () if self._estimates else START_COUNTS:
            if name in usage and name in self._usage and (usage[name] or 0) < (self._usage[name] or 0):
                self._fault(f"{name} went down")

    def _message_stop(self, data: dict[str, Any]) -> None:
        self._must_be("ending", "message_stop")
        self._state = "ended"

    def _must_be(self, state: str, name: str) -> None:
        if self._state != state:
            self._fault(f"{name} while {self._state}")

    def _check_count(self, name: str, usage: dict[str, Any]) -> None:
        count = usage.get(name)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            self._fault(f"{name} is {count!r}")


def events(stream: bytes) -> list[Event]:
    """The events of a stream of bytes; comments are passed over."""
    found: list[Event] = []
    for block in stream.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line for line in block.decode().split("\n") if line and not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        if "data" in fields:
            found.append(Event(fields.get("event", ""), json.loads(fields["data"])))
    return found


def faults(read: Iterable[Event], *, may_fail: bool = False, estimates: bool = False) -> list[str]:
    """What is wrong with the events of one stream; `may_fail` allows an error event as the last, `estimates` that the
    last counts correct the first.
    """
    grammar = Grammar(estimates=estimates)
    for event in read:
        grammar.read(event)
    return grammar.finish(may_fail=may_fail)


def content(read: Sequence[Event]) -> list[dict[str, Any]]:
    """The blocks that the events add up to, as a whole answer would have them."""
    grammar = Grammar()
    for event in read:
        grammar.read(event)
    return grammar.blocks
