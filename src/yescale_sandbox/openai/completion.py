"""A reply written down: as one chat completion, or as the events of a stream.

The shapes: openapi.json, `CreateChatCompletionResponse` and `CreateChatCompletionStreamResponse`.
"""

import base64
from collections.abc import Iterator

import msgspec

from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.audio import Sound, encoded
from yescale_sandbox.openai.logprob import token_logprobs
from yescale_sandbox.openai.prompt import ChatRequest, StreamOptions
from yescale_sandbox.openai.reply import Call, Choice, Reply
from yescale_sandbox.playback import Event
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import BYTES_PER_TOKEN, claimed, pieces

PADDED_TO = 16
AUDIO_CHUNK_BYTES = 12_000


def usage_object(usage: Tokens) -> JsonObject:
    """openapi.json, `CompletionUsage`; where there is audio, the rest is counted beside it."""
    heard: JsonObject = {"text_tokens": usage.prompt - usage.heard, "image_tokens": 0}
    spoken: JsonObject = {"text_tokens": usage.completion - usage.spoken}
    has_audio = bool(usage.heard or usage.spoken)
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "audio_tokens": usage.heard,
            **(heard if has_audio else {}),
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.spoken,
            **(spoken if has_audio else {}),
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def whole_body(reply: Reply, request: ChatRequest, usage: Tokens | None) -> bytes:
    """The answer without a stream."""
    answer = _envelope(reply, "chat.completion")
    answer["choices"] = [_whole_choice(choice, request) for choice in reply.choices]
    if usage is not None:
        answer["usage"] = usage_object(usage)
    return msgspec.json.encode(answer)


def _whole_choice(choice: Choice, request: ChatRequest) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": choice.text, "refusal": choice.refusal, "annotations": []}
    if choice.calls:
        message["tool_calls"] = [_call_object(call) for call in choice.calls]
    if choice.legacy is not None:
        message["function_call"] = {"name": choice.legacy.name, "arguments": choice.legacy.text}
    if choice.audio is not None:
        message["audio"] = _audio_object(choice.audio, request.audio.format if request.audio else "pcm16")
    logprobs = _logprobs(choice.text, request)
    return {"index": choice.index, "message": message, "logprobs": logprobs, "finish_reason": choice.finish}


def _audio_object(sound: Sound, form: str) -> JsonObject:
    """openapi.json, `ChatCompletionResponseMessage.audio`."""
    data = base64.b64encode(encoded(sound, form)).decode()
    return {"id": sound.id, "data": data, "expires_at": sound.expires_at, "transcript": sound.transcript}


def _call_object(call: Call) -> JsonObject:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.text}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}


def events(reply: Reply, request: ChatRequest, script: Script) -> Iterator[Event]:
    """The stream: the roles, the deltas of all choices in turn, the finish reasons, the usage if asked for."""
    writer = _Writer(reply, request, script)
    for choice in reply.choices:
        content = "" if choice.text is not None else None
        yield writer.event(choice, {"role": "assistant", "content": content, "refusal": None})
    streams = [(choice, _deltas(choice, script)) for choice in reply.choices]
    while streams:
        left: list[tuple[Choice, Iterator[JsonObject]]] = []
        for choice, deltas in streams:
            delta = next(deltas, None)
            if delta is not None:
                yield writer.event(choice, delta)
                left.append((choice, deltas))
        streams = left
    for choice in reply.choices:
        yield writer.finish(choice, last=choice is reply.choices[-1])
    closing = writer.closing()
    if closing is not None:
        yield closing


def _deltas(choice: Choice, script: Script) -> Iterator[JsonObject]:
    for piece in pieces(choice.text or "", script, is_json=choice.is_json):
        yield {"content": piece}
    for piece in pieces(choice.refusal or "", script):
        yield {"refusal": piece}
    if choice.audio is not None:
        yield from _audio_deltas(choice.audio, script)
    for index, call in enumerate(choice.calls):
        yield from _call_deltas(index, call, script)
    if choice.legacy is not None:
        yield {"function_call": {"name": choice.legacy.name, "arguments": ""}}
        for piece in pieces(choice.legacy.text, script, is_json=True):
            yield {"function_call": {"arguments": piece}}


def _audio_deltas(sound: Sound, script: Script) -> Iterator[JsonObject]:
    """The words, the sound in parts that each stand alone, and at last how long it may be referred to."""
    for piece in pieces(sound.transcript, script):
        yield {"audio": {"id": sound.id, "transcript": piece}}
    for start in range(0, len(sound.pcm), AUDIO_CHUNK_BYTES):
        data = base64.b64encode(sound.pcm[start : start + AUDIO_CHUNK_BYTES]).decode()
        yield {"audio": {"id": sound.id, "data": data}}
    yield {"audio": {"id": sound.id, "expires_at": sound.expires_at}}


def _call_deltas(index: int, call: Call, script: Script) -> Iterator[JsonObject]:
    """First the id and the name, then fragments of the arguments."""
    kind, field = ("custom", "input") if call.custom else ("function", "arguments")
    at_once = "done-only" in script or "tool-done-only" in script
    first = call.text if at_once else ""
    yield {"tool_calls": [{"index": index, "id": call.id, "type": kind, kind: {"name": call.name, field: first}}]}
    for piece in pieces("" if at_once else call.text, script, is_json=True):
        yield {"tool_calls": [{"index": index, kind: {field: piece}}]}


class _Writer:
    """Writes events, and keeps count of the tokens in them for `+usage-each`."""

    def __init__(self, reply: Reply, request: ChatRequest, script: Script) -> None:
        options = request.stream_options or StreamOptions()
        self._reply = reply
        self._request = request
        self._script = script
        self._usage = claimed(reply.usage, script)
        self._asked = options.include_usage
        self._padded = options.include_obfuscation
        self._frame = _envelope(reply, "chat.completion.chunk")
        self._bytes = 0

    def event(self, choice: Choice, delta: JsonObject) -> Event:
        content = delta.get("content")
        text = content if isinstance(content, str) else ""
        self._bytes += len(text.encode())
        logprobs = _logprobs(text, self._request) if text else None
        return self._chunk(
            [{"index": choice.index, "delta": delta, "logprobs": logprobs, "finish_reason": None}],
            self._so_far(),
            padding=len(text),
        )

    def finish(self, choice: Choice, *, last: bool) -> Event:
        usage = self._usage if last and "usage-finish" in self._script else self._so_far()
        end: JsonObject = {"index": choice.index, "delta": {}, "logprobs": None, "finish_reason": choice.finish}
        return self._chunk([end], usage, padding=0)

    def closing(self) -> Event | None:
        """The chunk without choices that carries the usage."""
        wanted = self._asked or "usage-each" in self._script
        if self._usage is None or not wanted or "usage-finish" in self._script:
            return None
        return self._chunk([], self._usage, padding=0)

    def _so_far(self) -> Tokens | None:
        if self._usage is None or "usage-each" not in self._script:
            return None
        done = min(self._usage.completion, -(-self._bytes // BYTES_PER_TOKEN))
        return msgspec.structs.replace(self._usage, completion=done, reasoning=0)

    def _chunk(self, choices: list[Json], usage: Tokens | None, *, padding: int) -> Event:
        chunk = {**self._frame, "choices": choices}
        if usage is not None:
            chunk["usage"] = usage_object(usage)
        elif self._asked and "usage-none" not in self._script:
            chunk["usage"] = None
        if self._padded:
            # Random at OpenAI, so that lengths tell nothing; here of a length that the content alone decides.
            chunk["obfuscation"] = "x" * (PADDED_TO - padding % PADDED_TO)
        return Event(msgspec.json.encode(chunk), usage is not None)


def _envelope(reply: Reply, kind: str) -> JsonObject:
    return {
        "id": reply.id,
        "object": kind,
        "created": reply.created,
        "model": reply.model,
        "service_tier": reply.service_tier,
        "system_fingerprint": reply.fingerprint,
    }


def _logprobs(text: str | None, request: ChatRequest) -> Json:
    if not request.logprobs or text is None:
        return None
    return {"content": [*token_logprobs(text, request.top_logprobs or 0)], "refusal": None}
