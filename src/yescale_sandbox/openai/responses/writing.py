"""An answer written down: as the response object, or as the events of a stream.

The shapes: openapi.json, `Response` and `ResponseStreamEvent`; the order of events is that of the streaming guide
(https://platform.openai.com/docs/api-reference/responses-streaming).
"""

from collections.abc import Iterator, Mapping

import msgspec

from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.completion import PADDED_TO
from yescale_sandbox.openai.reply import CREATED, service_tier
from yescale_sandbox.openai.responses.answer import Outcome
from yescale_sandbox.openai.responses.request import Asking, ResponseRequest, StreamOptions
from yescale_sandbox.playback import Event
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import claimed, pieces

# What a request that leaves a field out is told that it meant.
DEFAULTS: Mapping[str, Json] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
FAILURE: JsonObject = {
    "code": "server_error",
    "message": "The server had an error while processing your request. Sorry about that!",
}
OPEN = ("queued", "in_progress")


def usage_object(usage: Tokens) -> JsonObject:
    """openapi.json, `ResponseUsage`."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }


def response_object(outcome: Outcome, asking: Asking, usage: Tokens | None, status: str = "") -> JsonObject:
    """The response; with the status of one under way it has no output yet."""
    status = status or outcome.status
    ended = status not in OPEN
    failed = status == "failed"
    output: list[Json] = [*outcome.output] if ended and not failed else []
    return {
        "id": outcome.id,
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "completed_at": CREATED + 1 if status == "completed" else None,
        "error": FAILURE if failed else None,
        "incomplete_details": {"reason": outcome.reason} if status == "incomplete" else None,
        "model": outcome.model,
        "output": output,
        **_repeated(asking, ended=ended),
        "usage": usage_object(usage) if ended and usage is not None else None,
    }


def _repeated(asking: Asking, *, ended: bool) -> JsonObject:
    """What an answer says again of its request."""
    body, request = asking.body, asking.request
    said: JsonObject = {name: default if body.get(name) is None else body[name] for name, default in DEFAULTS.items()}
    metadata, text = body.get("metadata"), body.get("text")
    given = text if isinstance(text, dict) else {}
    said["metadata"] = metadata if isinstance(metadata, dict) else {}
    said["reasoning"] = {
        "effort": request.reasoning.effort if request.reasoning else None,
        "summary": request.reasoning.summary if request.reasoning else None,
    }
    said["text"] = {"format": given.get("format", {"type": "text"}), "verbosity": given.get("verbosity") or "medium"}
    tools = body.get("tools")
    said["tools"] = [_tool_object(tool) for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    said["service_tier"] = service_tier(request.service_tier) if ended else request.service_tier or "auto"
    return said


def _tool_object(tool: JsonObject) -> JsonObject:
    if tool.get("type") == "function":
        return {"description": None, "parameters": None, "strict": True, **tool}
    return tool


def events(outcome: Outcome, asking: Asking, script: Script) -> Iterator[Event]:
    """The stream: the response begins, its items one after the other, the response as it ended."""
    writer = _Writer(outcome, asking, script)
    if asking.request.background:
        yield writer.whole("response.created", "queued")
        yield writer.whole("response.queued", "queued")
    else:
        yield writer.whole("response.created", "in_progress")
    yield writer.whole("response.in_progress", "in_progress")
    if outcome.status != "failed":
        for index, item in enumerate(outcome.output):
            yield from _item_events(writer, index, item)
    yield writer.whole(f"response.{outcome.status}", outcome.status)


class _Writer:
    """Numbers the events."""

    def __init__(self, outcome: Outcome, asking: Asking, script: Script) -> None:
        options = asking.request.stream_options or StreamOptions()
        self._outcome = outcome
        self._asking = asking
        self._padded = options.include_obfuscation
        self._number = 0
        self.script = script

    @property
    def request(self) -> ResponseRequest:
        return self._asking.request

    def whole(self, name: str, status: str) -> Event:
        """An event that carries the response."""
        ended = status not in OPEN
        usage = claimed(self._outcome.usage, self.script)
        body = response_object(self._outcome, self._asking, usage, status)
        return self._event(name, {"response": body}, usage=ended and usage is not None)

    def part(self, name: str, index: int, item: JsonObject, /, **fields: Json) -> Event:
        """An event that concerns an item, by its id."""
        return self._event(f"response.{name}", {"item_id": item["id"], "output_index": index, **fields})

    def delta(self, name: str, index: int, item: JsonObject, text: str, **fields: Json) -> Event:
        padding: JsonObject = {"obfuscation": "x" * (PADDED_TO - len(text) % PADDED_TO)} if self._padded else {}
        return self.part(f"{name}.delta", index, item, **fields, delta=text, **padding)

    def item(self, name: str, index: int, item: JsonObject) -> Event:
        return self._event(f"response.output_item.{name}", {"output_index": index, "item": item})

    def _event(self, name: str, fields: JsonObject, *, usage: bool = False) -> Event:
        payload = msgspec.json.encode({"type": name, "sequence_number": self._number, **fields})
        self._number += 1
        return Event(payload, usage, name)


def _item_events(writer: _Writer, index: int, item: JsonObject) -> Iterator[Event]:
    kind = str(item["type"])
    yield writer.item("added", index, _begun(item))
    if kind == "message":
        yield from _message_events(writer, index, item)
    elif kind == "reasoning":
        yield from _summary_events(writer, index, item)
    elif kind in _SPELLED:
        yield from _call_events(writer, index, item)
    elif kind == "web_search_call":
        for step in ("in_progress", "searching", "completed"):
            yield writer.part(f"{kind}.{step}", index, item)
    yield writer.item("done", index, item)


# Calls whose text comes in pieces: the name of its events, and the field that holds it.
_SPELLED: Mapping[str, tuple[str, str]] = {
    "function_call": ("function_call_arguments", "arguments"),
    "custom_tool_call": ("custom_tool_call_input", "input"),
}


def _begun(item: JsonObject) -> JsonObject:
    """The item as it is announced."""
    kind = str(item["type"])
    empty: JsonObject = {"status": "in_progress"} if "status" in item else {}
    if kind == "message":
        empty["content"] = []
    elif kind == "reasoning":
        empty["summary"] = []
    elif kind in _SPELLED:
        empty[_SPELLED[kind][1]] = ""
    return {**item, **empty}


def _message_events(writer: _Writer, index: int, item: JsonObject) -> Iterator[Event]:
    content = item["content"]
    for place, part in enumerate(content if isinstance(content, list) else []):
        if isinstance(part, dict):
            yield from _part_events(writer, index, item, (place, part))


def _part_events(writer: _Writer, index: int, item: JsonObject, placed: tuple[int, JsonObject]) -> Iterator[Event]:
    place, part = placed
    field = "refusal" if part["type"] == "refusal" else "text"
    name = "refusal" if field == "refusal" else "output_text"
    text = str(part[field])
    empty: JsonObject = {"annotations": [], "logprobs": []} if name == "output_text" else {}
    yield writer.part("content_part.added", index, item, content_index=place, part={**part, field: "", **empty})
    logprobs = part.get("logprobs", [])
    for piece in _deltas(text, writer.script):
        extra: JsonObject = {"logprobs": []} if name == "output_text" else {}
        yield writer.delta(name, index, item, piece, content_index=place, **extra)
    annotations = part.get("annotations")
    for number, annotation in enumerate(annotations if isinstance(annotations, list) else []):
        fields: JsonObject = {"content_index": place, "annotation_index": number, "annotation": annotation}
        yield writer.part("output_text.annotation.added", index, item, **fields)
    extra = {"logprobs": logprobs} if name == "output_text" else {}
    yield writer.part(f"{name}.done", index, item, content_index=place, **{field: text}, **extra)
    yield writer.part("content_part.done", index, item, content_index=place, part=part)


def _summary_events(writer: _Writer, index: int, item: JsonObject) -> Iterator[Event]:
    summary = item["summary"]
    for place, part in enumerate(summary if isinstance(summary, list) else []):
        if not isinstance(part, dict):
            continue
        text = str(part["text"])
        name = "reasoning_summary_text"
        yield writer.part("reasoning_summary_part.added", index, item, summary_index=place, part={**part, "text": ""})
        for piece in _deltas(text, writer.script):
            yield writer.delta(name, index, item, piece, summary_index=place)
        yield writer.part(f"{name}.done", index, item, summary_index=place, text=text)
        yield writer.part("reasoning_summary_part.done", index, item, summary_index=place, part=part)


def _call_events(writer: _Writer, index: int, item: JsonObject) -> Iterator[Event]:
    """Fragments, then the whole; `+done-only` leaves the fragments out, `+tool-done-only` both."""
    name, field = _SPELLED[str(item["type"])]
    text = str(item[field])
    if "tool-done-only" in writer.script:
        return
    for piece in _deltas(text, writer.script, is_json=True):
        yield writer.delta(name, index, item, piece)
    named: JsonObject = {"name": item["name"]} if field == "arguments" else {}
    yield writer.part(f"{name}.done", index, item, **{field: text}, **named)


def _deltas(text: str, script: Script, *, is_json: bool = False) -> list[str]:
    return [] if "done-only" in script else pieces(text, script, is_json=is_json)
