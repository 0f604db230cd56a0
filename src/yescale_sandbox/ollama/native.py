"""Ollama's own chat: known fields by their type, pictures in base64, lines of JSON for a stream.

https://docs.ollama.com/api/chat, /api/streaming, /api/errors and /capabilities/thinking
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from yescale_sandbox import playback
from yescale_sandbox.chatlike import answer
from yescale_sandbox.chatlike import request as requests
from yescale_sandbox.chatlike.answer import Answered
from yescale_sandbox.exchange import JSON, Answer, Request, Tokens, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.ollama import endpoint
from yescale_sandbox.ollama.endpoint import RefusedError
from yescale_sandbox.openai.call import Asked, Count, Stage, good
from yescale_sandbox.outage import Failure, Failures
from yescale_sandbox.playback import Event, Framing
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import claimed, digest_of, pieces

PREFIX = "/ollama/api"
CREATED = "2025-01-02T03:04:05.678901Z"
LEVELS = ("low", "medium", "high")
SECOND_NS = 1_000_000_000


class Called(Struct, frozen=True):
    name: str
    arguments: dict[str, Any]


class Call(Struct, frozen=True):
    function: Called
    id: str | None = None


class Message(Struct, frozen=True):
    role: str
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[Call] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class Function(Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(Struct, frozen=True):
    type: str
    function: Function


class Options(Struct, frozen=True):
    """Those that the sandbox minds, and others by their type."""

    num_predict: int | None = None
    num_ctx: int | None = None
    seed: int | None = None
    top_k: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    stop: list[str] | None = None


class Chat(Struct, frozen=True):
    model: str
    messages: list[Message]
    stream: bool | None = None
    format: str | dict[str, Any] | None = None
    tools: list[Tool] | None = None
    options: Options | None = None
    think: bool | str | None = None
    keep_alive: str | int | float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


def error_body(message: str) -> bytes:
    return msgspec.json.encode({"error": message})


def _in_own_words(failure: Failure) -> Failure:
    return msgspec.structs.replace(failure, body=_plain(failure.body)) if failure.body else failure


def _plain(compatible: bytes) -> bytes:
    """The body of an error as this API writes it."""
    return error_body(msgspec.json.decode(compatible)["error"]["message"])


FAILURES = Failures({name: _in_own_words(one) for name, one in endpoint.FAILURES.by_name.items()}, error_body)
FRAMING = Framing(
    b"", FAILURES.by_name["500"].body + b"\n", "application/x-ndjson", lambda event: event.payload + b"\n"
)


class Native:
    """The fake."""

    def __init__(self, count: Count) -> None:
        self._stage = Stage(count, FAILURES)

    def answer(self, request: Request, call_id: str) -> Answer:
        """Answer any request below the prefix."""
        if (request.method, request.path) != ("POST", f"{PREFIX}/chat"):
            start, body = whole(404, "text/plain", b"404 page not found")
            return Answer(404, joined(start, body), "refused")
        try:
            asked = endpoint.asked_of(request)
        except RefusedError as refused:
            return _refused(refused)
        try:
            answered = self._chat(asked)
        except RefusedError as refused:
            answered = _refused(refused)
        return msgspec.structs.replace(answered, model=asked.base, scenario=asked.script.suffix)

    def _chat(self, asked: Asked) -> Answer:
        if asked.base not in endpoint.CHAT:
            raise RefusedError(f"model '{asked.base[:80]}' not found", 404)
        chat = checked(asked.body, thinks=endpoint.CHAT[asked.base], levels=asked.base.startswith("gpt-oss"))
        stopped = self._stage.stopped(asked, digest_of(asked.body["messages"]))
        if stopped is not None:
            return stopped
        body = _as_compatible(chat)
        thinks = endpoint.CHAT[asked.base] and chat.think is not False
        answered = answer.compose(
            *(requests.typed(body), body, asked.request.body, asked.script), model=asked.base, thinks=thinks
        )
        reported = claimed(answered.usage, asked.script)
        if chat.stream is not False:
            played = playback.stream_steps(_lines(answered, reported, asked.script), asked.script, (), FRAMING)
        else:
            message: JsonObject = {"role": "assistant", "content": answered.text}
            if answered.thought:
                message["thinking"] = answered.thought
            if answered.calls:
                message["tool_calls"] = _calls(answered)
            line = msgspec.json.encode(_frame(answered, message) | _end(answered, reported))
            played = playback.body_steps(line, asked.script, ())
        return good(asked.script, played, answered.usage, reported)


def checked(body: JsonObject, *, thinks: bool, levels: bool) -> Chat:
    """The request, typed, if Ollama would take it.

    Raises: RefusedError.
    """
    try:
        chat = msgspec.convert(body, Chat)
    except msgspec.ValidationError as error:
        raise RefusedError(f"json: cannot unmarshal: {error}") from None
    for message in chat.messages:
        if message.role not in endpoint.ROLES:
            raise RefusedError(f"invalid role: {message.role[:40]}")
        for picture in message.images or ():
            _check_picture(picture)
    _check_settings(chat, thinks=thinks, levels=levels)
    return chat


def _check_settings(chat: Chat, *, thinks: bool, levels: bool) -> None:
    if isinstance(chat.format, str) and chat.format not in ("", "json"):
        raise RefusedError('invalid format: expected "json" or a JSON schema')
    if isinstance(chat.think, str) and chat.think not in LEVELS:
        raise RefusedError(
            f'invalid think value: "{chat.think[:20]}" (must be "high", "medium", "low", true, or false)'
        )
    if chat.think and not thinks:
        raise RefusedError(f'"{chat.model[:80]}" does not support thinking')
    if isinstance(chat.think, str) and not levels:
        raise RefusedError(f'think value "{chat.think}" is not supported for this model')
    for tool in chat.tools or ():
        if tool.type != "function" or not tool.function.name:
            raise RefusedError("invalid tool")


def _check_picture(picture: str) -> None:
    try:
        base64.b64decode(picture, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError("illegal base64 data at input byte 0") from None


def _as_compatible(chat: Chat) -> JsonObject:
    """The same in the form that all fake models read."""
    options = chat.options or Options()
    body: JsonObject = {"model": chat.model, "messages": [*_messages(chat)]}
    if chat.tools:
        body["tools"] = [msgspec.to_builtins(tool) for tool in chat.tools]
    if options.num_predict is not None and options.num_predict >= 0:
        body["max_tokens"] = options.num_predict
    if options.stop:
        body["stop"] = list[Json](options.stop)
    if isinstance(chat.format, dict):
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "f", "schema": chat.format}}
    elif chat.format == "json":
        body["response_format"] = {"type": "json_object"}
    return body


def _messages(chat: Chat) -> Iterator[Json]:
    ids: list[str] = []
    for number, message in enumerate(chat.messages):
        wire: JsonObject = {"role": message.role}
        pictures: list[Json] = [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{each}"}}
            for each in message.images or ()
        ]
        wire["content"] = [{"type": "text", "text": message.content or ""}, *pictures]
        if message.tool_calls:
            ids = [f"call_{number}_{place}" for place in range(len(message.tool_calls))]
            wire["tool_calls"] = [
                {"id": name, "type": "function", "function": {
                    "name": call.function.name, "arguments": msgspec.json.encode(call.function.arguments).decode()}}
                for name, call in zip(ids, message.tool_calls, strict=True)
            ]  # fmt: skip
        if message.role == "tool":
            wire["tool_call_id"] = ids.pop(0) if ids else "call_unknown"
        yield wire


def _frame(answered: Answered, message: JsonObject) -> JsonObject:
    return {"model": answered.model, "created_at": CREATED, "message": message, "done": False}


def _end(answered: Answered, usage: Tokens | None) -> JsonObject:
    """What the last line says. A count of zero is left out, as Go's `omitempty` does."""
    end: JsonObject = {"done": True, "done_reason": "length" if answered.finish == "length" else "stop"}
    end |= {"total_duration": SECOND_NS, "load_duration": 1, "prompt_eval_duration": 1, "eval_duration": 1}
    counts = {} if usage is None else {"prompt_eval_count": usage.prompt, "eval_count": usage.completion}
    return end | {name: count for name, count in counts.items() if count}


def _calls(answered: Answered) -> list[Json]:
    return [
        {"function": {"index": place, "name": call.name, "arguments": _object(call.arguments)}}
        for place, call in enumerate(answered.calls)
    ]


def _object(arguments: str) -> Json:
    try:
        found: Json = msgspec.json.decode(arguments)
    except msgspec.DecodeError:  # cut off by the limit
        return {}
    return found if isinstance(found, dict) else {}


def _lines(answered: Answered, usage: Tokens | None, script: Script) -> Iterator[Event]:
    said: list[Mapping[str, Json]] = [{"content": "", "thinking": piece} for piece in pieces(answered.thought, script)]
    said += [{"content": piece} for piece in pieces(answered.text, script, is_json=answered.is_json)]
    said += [{"content": "", "tool_calls": [call]} for call in _calls(answered)]
    for message in said:
        yield Event(msgspec.json.encode(_frame(answered, {"role": "assistant", **message})))
    last = _frame(answered, {"role": "assistant", "content": ""})
    yield Event(msgspec.json.encode(last | _end(answered, usage)), usage is not None)


def _refused(refused: RefusedError) -> Answer:
    start, body = whole(refused.status, JSON, _plain(refused.body))
    return Answer(refused.status, joined(start, body), "refused")
