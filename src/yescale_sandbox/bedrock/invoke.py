"""A reply written down as InvokeModel has it: Anthropic's own message, its events in chunks.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html; the last chunk
carries what the call cost.
"""

import base64
from collections.abc import Iterator, Mapping

import msgspec

from yescale_sandbox.anthropic import message
from yescale_sandbox.anthropic.message import Written
from yescale_sandbox.anthropic.shapes import Choice, Field, Items, Text, may, need
from yescale_sandbox.exchange import Headers, Tokens
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.playback import Event
from yescale_sandbox.scenario import Script

NAMED: Mapping[str, Field] = {
    "anthropic_version": need(Choice(("bedrock-2023-05-31",))),
    "anthropic_beta": may(Items(Text())),
}


def cost_headers(usage: Tokens | None) -> Headers:
    """What the answer without a stream says about its cost in its head."""
    if usage is None:
        return ()
    counts = {
        "input-token-count": usage.prompt - usage.cached - usage.cache_write,
        "output-token-count": usage.completion,
        "cache-read-input-token-count": usage.cached,
        "cache-write-input-token-count": usage.cache_write,
        "invocation-latency": 1,
    }
    return tuple((f"x-amzn-bedrock-{name}", str(count)) for name, count in counts.items())


def chunks(written: Written, script: Script) -> Iterator[Event]:
    """The events of Anthropic's stream, each in a chunk; there are no pings."""
    for event in message.events(written, script):
        if event.name == "ping":
            continue
        payload = event.payload
        if event.name == "message_stop" and written.usage is not None:
            stop: JsonObject = {"type": "message_stop", "amazon-bedrock-invocationMetrics": _metrics(written.usage)}
            payload = msgspec.json.encode(stop)
        chunk = {"bytes": base64.b64encode(payload).decode(), "p": "abcdefgh"}
        yield Event(msgspec.json.encode(chunk), event.usage, "chunk")


def _metrics(usage: Tokens) -> JsonObject:
    return {
        "inputTokenCount": usage.prompt - usage.cached - usage.cache_write,
        "outputTokenCount": usage.completion,
        "invocationLatency": 1,
        "firstByteLatency": 1,
        "cacheReadInputTokenCount": usage.cached,
        "cacheWriteInputTokenCount": usage.cache_write,
    }
