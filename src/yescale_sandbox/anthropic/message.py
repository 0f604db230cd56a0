"""A reply written down: as one message, or as the events of a stream.

https://platform.claude.com/docs/en/build-with-claude/streaming; the shapes are `message.py`, `usage.py` and `raw_*.py`
of anthropic-sdk-python's types.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from yescale_sandbox.anthropic.reply import Part, Redacted, Reply, Result, Thought, Use, Words
from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.playback import Event
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import pieces


class Written(Struct, frozen=True):
    """A reply with what the answer says about its cost; `extras` are fields that the request opened."""

    reply: Reply
    usage: Tokens | None
    extras: JsonObject


def usage_object(usage: Tokens, fetches: int = 0) -> JsonObject:
    """`usage.py`: what was read from the cache or written to it is no part of `input_tokens`."""
    counted = _cumulative(usage, fetches)
    counted["cache_creation"] = {
        "ephemeral_5m_input_tokens": usage.cache_write - usage.cache_write_1h,
        "ephemeral_1h_input_tokens": usage.cache_write_1h,
    }
    counted["service_tier"] = "standard"
    return counted


def whole_body(written: Written) -> bytes:
    """The answer without a stream."""
    reply = written.reply
    body = _envelope(written)
    body["content"] = [_whole(part) for part in reply.parts]
    body["stop_reason"] = reply.stop_reason
    body["stop_sequence"] = reply.stop_sequence
    body.update(_details(reply))
    if written.usage is not None:
        body["usage"] = usage_object(written.usage, reply.fetches)
    return msgspec.json.encode(body)


def events(written: Written, script: Script) -> Iterator[Event]:
    """The stream: the message without content, its blocks one after the other, how it ended, its end."""
    yield _event({"type": "message_start", "message": _started(written)})
    for index, part in enumerate(written.reply.parts):
        yield _event({"type": "content_block_start", "index": index, "content_block": _empty(part)})
        if index == 0:
            yield _event({"type": "ping"})
        for delta in _deltas(part, script):
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})
    yield _ending(written)
    if "no-done" not in script:
        yield _event({"type": "message_stop"})


def _envelope(written: Written) -> JsonObject:
    reply = written.reply
    return {
        "model": reply.model,
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        **written.extras,
    }


def _started(written: Written) -> JsonObject:
    message = _envelope(written)
    if written.usage is not None:
        least = min(1, written.usage.completion)
        started = msgspec.structs.replace(written.usage, completion=least, reasoning=0, web_searches=0)
        message["usage"] = usage_object(started)
    return message


def _ending(written: Written) -> Event:
    reply = written.reply
    delta: JsonObject = {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence, **_details(reply)}
    event: JsonObject = {"type": "message_delta", "delta": delta}
    if written.usage is not None:
        event["usage"] = _cumulative(written.usage, reply.fetches)
    return _event(event, usage=written.usage is not None)


def _details(reply: Reply) -> JsonObject:
    if reply.stop_reason != "refusal":
        return {}
    return {"stop_details": {"type": "refusal", "category": None, "explanation": None}}


def _cumulative(usage: Tokens, fetches: int) -> JsonObject:
    counted: JsonObject = {
        "input_tokens": usage.prompt - usage.cached - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    }
    if usage.reasoning:
        counted["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.web_searches or fetches:
        counted["server_tool_use"] = {"web_search_requests": usage.web_searches, "web_fetch_requests": fetches}
    return counted


def _whole(part: Part) -> JsonObject:
    match part:
        case Words():
            cited: JsonObject = {"citations": list(part.citations)} if part.citations else {}
            return {**cited, "type": "text", "text": part.text}
        case Thought():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case Use():
            return {**_empty(part), "input": msgspec.json.decode(part.arguments)}
        case Redacted() | Result():
            return _empty(part)


def _empty(part: Part) -> JsonObject:
    """A block as it starts; what has no deltas is there at once."""
    match part:
        case Words():
            cited: JsonObject = {"citations": []} if part.citations or part.citing else {}
            return {**cited, "type": "text", "text": ""}
        case Thought():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Redacted():
            return {"type": "redacted_thinking", "data": part.data}
        case Use():
            kind = "server_tool_use" if part.server else "tool_use"
            return {"type": kind, "id": part.id, "name": part.name, "input": {}}
        case Result():
            return part.block


def _deltas(part: Part, script: Script) -> Iterator[JsonObject]:
    match part:
        case Words():
            for cited in part.citations:
                yield {"type": "citations_delta", "citation": cited}
            for piece in pieces(part.text, script, is_json=part.is_json):
                yield {"type": "text_delta", "text": piece}
        case Thought():
            for piece in pieces(part.text, script):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": part.signature}
        case Use():
            at_once = "tool-done-only" in script
            for piece in ["", *([part.arguments] if at_once else pieces(part.arguments, script, is_json=True))]:
                yield {"type": "input_json_delta", "partial_json": piece}
        case Redacted() | Result():
            return


def _event(value: JsonObject, *, usage: bool = False) -> Event:
    name: Json = value["type"]
    return Event(msgspec.json.encode(value), usage, str(name))
