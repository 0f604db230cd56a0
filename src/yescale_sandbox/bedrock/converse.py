"""A reply written down as Converse has it: whole, or as events.

botocore's `bedrock-runtime` model: `ConverseResponse` and `ConverseStreamOutput`. The padding `p` is Bedrock's, so that
lengths tell nothing; here the content decides its length.
"""

import base64
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct

from yescale_sandbox.anthropic.reply import Part, Redacted, Reply, Result, Thought, Use, Words
from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.playback import Event
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import pieces

STOP_REASONS: Mapping[str, str] = {"refusal": "content_filtered", "pause_turn": "end_turn"}
LATENCY_MS = 1
PADDED_TO = 16
_PADDING = "abcdefghijklmnop"
_LOCATIONS: Mapping[str, tuple[str, str, str]] = {
    "char_location": ("documentChar", "start_char_index", "end_char_index"),
    "page_location": ("documentPage", "start_page_number", "end_page_number"),
    "content_block_location": ("documentChunk", "start_block_index", "end_block_index"),
}


class Told(Struct, frozen=True):
    """A reply with the usage that is claimed; `paths` are the fields of the model's answer that were asked for."""

    reply: Reply
    usage: Tokens | None
    paths: tuple[str, ...] = ()


def usage_object(usage: Tokens) -> JsonObject:
    counted: JsonObject = {
        "inputTokens": usage.prompt - usage.cached - usage.cache_write,
        "outputTokens": usage.completion,
        "totalTokens": usage.prompt + usage.completion,
        "cacheReadInputTokens": usage.cached,
        "cacheWriteInputTokens": usage.cache_write,
    }
    written = {"5m": usage.cache_write - usage.cache_write_1h, "1h": usage.cache_write_1h}
    if usage.cache_write:
        counted["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in written.items() if count]
    return counted


def whole_body(told: Told) -> bytes:
    """The answer without a stream."""
    content = [_whole(part) for part in told.reply.parts]
    body: JsonObject = {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        **_stop(told),
        "metrics": {"latencyMs": LATENCY_MS},
    }
    if told.usage is not None:
        body["usage"] = usage_object(told.usage)
    return msgspec.json.encode(body)


def events(told: Told, script: Script) -> Iterator[Event]:
    """The stream: who speaks, the blocks one after the other, how it ended, what it cost."""
    yield _event("messageStart", {"role": "assistant"})
    for index, part in enumerate(told.reply.parts):
        if isinstance(part, Use):
            yield _event("contentBlockStart", {"start": {"toolUse": _named(part)}, "contentBlockIndex": index})
        for delta in _deltas(part, script):
            yield _event("contentBlockDelta", {"delta": delta, "contentBlockIndex": index})
        yield _event("contentBlockStop", {"contentBlockIndex": index})
    if "no-done" in script:
        return
    yield _event("messageStop", _stop(told))
    cost: JsonObject = {"metrics": {"latencyMs": LATENCY_MS}}
    if told.usage is not None:
        cost["usage"] = usage_object(told.usage)
    yield _event("metadata", cost, usage=told.usage is not None)


def _stop(told: Told) -> JsonObject:
    reply = told.reply
    stop: JsonObject = {"stopReason": STOP_REASONS.get(reply.stop_reason, reply.stop_reason)}
    if "/stop_sequence" in told.paths:
        stop["additionalModelResponseFields"] = {"stop_sequence": reply.stop_sequence}
    return stop


def _named(use: Use) -> JsonObject:
    return {"toolUseId": use.id, "name": use.name}


def _whole(part: Part) -> JsonObject:
    match part:
        case Words():
            if not part.citations:
                return {"text": part.text}
            cited: JsonObject = {"citations": [_citation(one) for one in part.citations]}
            return {"citationsContent": {"content": [{"text": part.text}], **cited}}
        case Thought():
            return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}
        case Redacted():
            return {"reasoningContent": {"redactedContent": _encoded(part.data)}}
        case Use():
            return {"toolUse": {**_named(part), "input": msgspec.json.decode(part.arguments)}}
        case Result():
            return {"text": ""}


def _deltas(part: Part, script: Script) -> Iterator[JsonObject]:
    match part:
        case Words():
            for piece in pieces(part.text, script, is_json=part.is_json):
                yield {"text": piece}
            for one in part.citations:
                yield {"citation": _citation(one)}
        case Thought():
            for piece in pieces(part.text, script):
                yield {"reasoningContent": {"text": piece}}
            yield {"reasoningContent": {"signature": part.signature}}
        case Redacted():
            yield {"reasoningContent": {"redactedContent": _encoded(part.data)}}
        case Use():
            at_once = "tool-done-only" in script
            for piece in [part.arguments] if at_once else pieces(part.arguments, script, is_json=True):
                yield {"toolUse": {"input": piece}}
        case Result():
            return


def _citation(cited: JsonObject) -> JsonObject:
    kind, start, end = _LOCATIONS[str(cited["type"])]
    place: JsonObject = {"documentIndex": cited["document_index"], "start": cited[start], "end": cited[end]}
    return {
        "title": cited["document_title"],
        "sourceContent": [{"text": cited["cited_text"]}],
        "location": {kind: place},
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _event(name: str, value: JsonObject, *, usage: bool = False) -> Event:
    written = msgspec.json.encode(value)
    padding = _PADDING[: PADDED_TO - len(written) % PADDED_TO]
    return Event(msgspec.json.encode({**value, "p": padding}), usage, name)
