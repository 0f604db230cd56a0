"""An answer written down in the manner of a company: as one completion, or as the events of a stream."""

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from yescale_sandbox.chatlike.answer import ID_CHARS, Answered
from yescale_sandbox.chatlike.request import ChatLike
from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.logprob import token_logprobs
from yescale_sandbox.openai.prompt import StreamOptions
from yescale_sandbox.openai.reply import CREATED
from yescale_sandbox.playback import Event
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import Called, claimed, pieces


def _call_id(digest: str) -> str:
    return f"call_{digest[:ID_CHARS]}"


class Manner(Struct, frozen=True):
    """How a company writes: ids, usage, what else stands in every object, and whether usage comes unasked."""

    answer_id: Callable[[str], str]
    usage: Callable[[Tokens], JsonObject]
    extra: JsonObject
    thought_field: str = "reasoning_content"
    usage_at_finish: bool = False
    call_id: Callable[[str], str] = _call_id  # from a digest


def whole_body(answered: Answered, request: ChatLike, manner: Manner, usage: Tokens | None) -> bytes:
    """The answer without a stream."""
    message: JsonObject = {"role": "assistant", "content": answered.text}
    if answered.thought:
        message[manner.thought_field] = answered.thought
    if answered.calls:
        message["tool_calls"] = [{"index": place, **_call(call, manner)} for place, call in enumerate(answered.calls)]
    choice: JsonObject = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs(answered.text, request),
        "finish_reason": answered.finish,
    }
    body = {**_envelope(answered, "chat.completion", manner), "choices": [choice]}
    if usage is not None:
        body["usage"] = manner.usage(usage)
    return msgspec.json.encode(body)


def events(answered: Answered, request: ChatLike, manner: Manner, script: Script) -> Iterator[Event]:
    """The stream: the role, the thought, the text, the calls, the end."""
    frame = _envelope(answered, "chat.completion.chunk", manner)
    usage = claimed(answered.usage, script)
    asked = (request.stream_options or StreamOptions()).include_usage
    for delta in _deltas(answered, manner, script):
        text = delta.get("content")
        logprobs = _logprobs(text, request) if isinstance(text, str) and text else None
        yield _event(frame, [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": None}])
    end: Json = {"index": 0, "delta": {"content": ""}, "logprobs": None, "finish_reason": answered.finish}
    if usage is not None and (manner.usage_at_finish or "usage-finish" in script):
        yield _event({**frame, "usage": manner.usage(usage)}, [end], usage=True)
        return
    yield _event(frame, [end])
    if usage is not None and asked:
        yield _event({**frame, "usage": manner.usage(usage)}, [], usage=True)


def _deltas(answered: Answered, manner: Manner, script: Script) -> Iterator[JsonObject]:
    field = manner.thought_field
    if answered.thought:
        yield {"role": "assistant", "content": None, field: ""}
        for piece in pieces(answered.thought, script):
            yield {"content": None, field: piece}
    else:
        yield {"role": "assistant", "content": ""}
    for piece in pieces(answered.text, script, is_json=answered.is_json):
        yield {"content": piece, field: None} if answered.thought else {"content": piece}
    at_once = "done-only" in script or "tool-done-only" in script
    for place, call in enumerate(answered.calls):
        first = call.arguments if at_once else ""
        yield {"tool_calls": [{"index": place, **_call(call, manner, first)}]}
        for piece in pieces("" if at_once else call.arguments, script, is_json=True):
            yield {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}


def _call(call: Called, manner: Manner, arguments: str | None = None) -> JsonObject:
    said = call.arguments if arguments is None else arguments
    function: JsonObject = {"name": call.name, "arguments": said}
    return {"id": manner.call_id(call.digest), "type": "function", "function": function}


def _envelope(answered: Answered, kind: str, manner: Manner) -> JsonObject:
    return {
        "id": manner.answer_id(answered.seed),
        "object": kind,
        "created": CREATED,
        "model": answered.model,
        **manner.extra,
    }


def _event(frame: JsonObject, choices: list[Json], *, usage: bool = False) -> Event:
    return Event(msgspec.json.encode({**frame, "choices": choices}), usage)


def _logprobs(text: str, request: ChatLike) -> Json:
    if not request.logprobs:
        return None
    return {"content": [*token_logprobs(text, request.top_logprobs or 0)]}
