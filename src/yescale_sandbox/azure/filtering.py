"""What Azure's content filter adds to answers, and how it refuses prompts.

https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter; the first chunk of a stream, which has no
choices, is that of github.com/microsoft/semantic-kernel/issues/3650.
"""

from collections.abc import Iterator

import msgspec

from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.playback import Event

_KINDS = ("hate", "self_harm", "sexual", "violence")
_PROMPT_REFUSED = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify "
    "your prompt and retry. To learn more about our content filtering policies please read our documentation: "
    "https://go.microsoft.com/fwlink/?linkid=2198766"
)


def results(filtered: str = "") -> JsonObject:
    """What the filter found, of each kind; at most one kind is too much."""
    return {
        kind: {"filtered": kind == filtered, "severity": "medium" if kind == filtered else "safe"} for kind in _KINDS
    }


def prompt_results() -> list[Json]:
    found: JsonObject = {**results(), "jailbreak": _NOT_DETECTED}
    return [{"prompt_index": 0, "content_filter_results": found}]


_NOT_DETECTED: JsonObject = {"filtered": False, "detected": False}


def prompt_refused() -> bytes:
    """The body of a refusal: https://github.com/vibrantlabsai/ragas/issues/649."""
    found: JsonObject = {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {**results("violence"), "jailbreak": _NOT_DETECTED},
    }
    error: Json = {
        "message": _PROMPT_REFUSED,
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": found,
    }
    return msgspec.json.encode({"error": error})


def annotated_body(body: bytes) -> bytes:
    """A whole answer with what the filter found."""
    answer: JsonObject = msgspec.json.decode(body)
    return msgspec.json.encode({**answer, "choices": _annotated(answer), "prompt_filter_results": prompt_results()})


def annotated_events(events: Iterator[Event]) -> Iterator[Event]:
    """A stream with what the filter found: of the prompt first, in a chunk without choices, then of each delta."""
    opening: JsonObject = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
    yield Event(msgspec.json.encode({**opening, "prompt_filter_results": prompt_results()}))
    for event in events:
        chunk: JsonObject = msgspec.json.decode(event.payload)
        yield Event(msgspec.json.encode({**chunk, "choices": _annotated(chunk)}), event.usage, event.name)


def _annotated(answer: JsonObject) -> list[Json]:
    choices = answer["choices"]
    return [
        {**choice, "content_filter_results": _found(choice)}
        for choice in (choices if isinstance(choices, list) else [])
        if isinstance(choice, dict)
    ]


def _found(choice: JsonObject) -> JsonObject:
    delta = choice.get("delta")
    if isinstance(delta, dict) and not delta.get("content") and choice.get("finish_reason") is None:
        return {}
    return results("violence" if choice.get("finish_reason") == "content_filter" else "")
