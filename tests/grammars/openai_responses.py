"""The grammar of a stream of OpenAI's Responses, as a function from its frames to what is wrong with them.

It opens with response.created, numbers its events, opens and closes each item and each part in order, adds deltas up to
what the done events say, and ends with one terminal event or with an error.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.grammars.frames import Frame

TERMINAL = {"response.completed", "response.incomplete", "response.failed", "error"}
STATUSES = ("queued", "in_progress")
# Deltas by the name before `.delta`: the field of the done event that they add up to.
SPELLED = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.reasoning_summary_text": "text",
    "response.reasoning_text": "text",
}
OF_KIND = {
    "response.output_text": "message",
    "response.refusal": "message",
    "response.content_part": "message",
    "response.function_call_arguments": "function_call",
    "response.custom_tool_call_input": "custom_tool_call",
    "response.reasoning_summary_text": "reasoning",
    "response.reasoning_summary_part": "reasoning",
    "response.web_search_call": "web_search_call",
}


def faults(frames: Sequence[Frame]) -> Iterator[str]:
    """What is wrong; nothing comes if the stream is as it should be."""
    if not frames:
        yield "the stream is empty"
        return
    reading = _Reading()
    for place, frame in enumerate(frames):
        event = frame.json()
        if frame.name != event.get("type"):
            yield f"event {place} is named {frame.name!r} and typed {event.get('type')!r}"
        if event.get("sequence_number") != place:
            yield f"event {place} has the number {event.get('sequence_number')}"
        yield from reading.read(event, last=place == len(frames) - 1)
    yield from reading.ended()


class _Reading:
    """What is open while a stream is read."""

    def __init__(self) -> None:
        self._begun = False
        self._over = False
        self._id = ""
        self._item: dict[str, Any] | None = None
        self._index = -1
        self._part: dict[str, Any] | None = None
        self._texts: dict[tuple[str, int], str] = {}
        self._done: list[dict[str, Any]] = []

    def read(self, event: dict[str, Any], *, last: bool) -> Iterator[str]:
        name = event["type"]
        if not self._begun and name != "response.created":
            yield f"{name} comes before response.created"
        if name in TERMINAL and not last:
            yield f"something follows {name}"
        if name == "error":
            self._over = True
            self._item = None
        elif "response" in event:
            yield from self._response(name, event["response"])
        elif name == "response.output_item.added":
            yield from self._opens(event)
        elif name == "response.output_item.done":
            yield from self._closes(event)
        else:
            yield from self._inside(name, event)

    def ended(self) -> Iterator[str]:
        if not self._over:
            yield "no terminal event"
        if self._item is not None:
            yield f"item {self._index} is never done"

    def _response(self, name: str, response: dict[str, Any]) -> Iterator[str]:
        if name == "response.created":
            if self._begun:
                yield "response.created comes twice"
            self._begun, self._id = True, response["id"]
        if response["id"] != self._id:
            yield f"{name} has another id"
        if name not in TERMINAL:
            if response["status"] not in STATUSES or response["usage"] is not None:
                yield f"{name} has the status {response['status']} and the usage {response['usage']}"
            return
        self._over = True
        if f"response.{response['status']}" != name:
            yield f"{name} has the status {response['status']}"
        if name != "response.failed" and response["output"] != self._done:
            yield f"{name} has another output than the items said"

    def _opens(self, event: dict[str, Any]) -> Iterator[str]:
        if self._item is not None:
            yield f"item {event['output_index']} is added before item {self._index} is done"
        self._index += 1
        if event["output_index"] != self._index:
            yield f"item {event['output_index']} is added in the place of {self._index}"
        self._item, self._texts = event["item"], {}

    def _closes(self, event: dict[str, Any]) -> Iterator[str]:
        item = event["item"]
        if self._item is None or self._item["id"] != item["id"] or self._item["type"] != item["type"]:
            yield f"item {event['output_index']} is done and was not open"
        if self._part is not None:
            yield f"item {event['output_index']} is done before its part"
        self._done.append(item)
        self._item = None

    def _inside(self, name: str, event: dict[str, Any]) -> Iterator[str]:
        stem, _, verb = name.rpartition(".")
        if self._item is None or event["item_id"] != self._item["id"] or event["output_index"] != self._index:
            yield f"{name} concerns no open item"
            return
        if OF_KIND.get(stem, self._item["type"]) != self._item["type"]:
            yield f"{name} stands inside of a {self._item['type']}"
        if stem.endswith("_part"):
            yield from self._bounds(name, verb, event)
        elif stem in SPELLED:
            yield from self._spells(stem, verb, event)

    def _bounds(self, name: str, verb: str, event: dict[str, Any]) -> Iterator[str]:
        if (verb == "added") is (self._part is not None):
            yield f"{name} while a part is {'open' if self._part else 'not open'}"
        self._part = event["part"] if verb == "added" else None

    def _spells(self, stem: str, verb: str, event: dict[str, Any]) -> Iterator[str]:
        needs_part = stem in ("response.output_text", "response.refusal", "response.reasoning_summary_text")
        if needs_part and self._part is None:
            yield f"{stem}.{verb} outside of a part"
        place = (stem, event.get("content_index", event.get("summary_index", 0)))
        if verb == "delta":
            self._texts[place] = self._texts.get(place, "") + event["delta"]
        elif verb == "done" and self._texts.get(place, event[SPELLED[stem]]) != event[SPELLED[stem]]:
            yield f"{stem}.done says {event[SPELLED[stem]][:40]!r}, its deltas {self._texts[place][:40]!r}"
