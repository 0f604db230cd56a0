"""Translation alone: what a chunk costs from each format to each, and a long conversation re-encoded.

usage: python -m bench.translating [--try]

Microseconds of this process's CPU, the least of many batches. The live cost of a passed chunk, sockets included, is in
the loads; a translated chunk costs that, less what listening to it costs, plus what is measured here.
"""

import argparse
import gc
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from bench import results
from bench.report import write_page
from yescale.domain.chat import ChatRequest, Message, StopReason, Tool
from yescale.domain.content import Text, ToolCall, ToolResult
from yescale.domain.events import Event, MessageEnd, MessageStart, PartDelta, PartEnd, PartStart, StreamEnd, UsageReport
from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile
from yescale.domain.usage import Meter
from yescale.protocols.codec import NO_WORDS, Codec, Encoded, Envelope, PathWords
from yescale.protocols.passthrough import Format, Tap
from yescale.protocols.registry import FORMATS
from yescale.protocols.translation import Translation

Decode = Callable[[bytes, PathWords], ChatRequest]
Encode = Callable[[ChatRequest, Profile], Encoded]
CHAT_FORMATS = tuple(
    FORMATS[ProtocolId(name)] for name in ("openai.chat", "openai.responses", "anthropic.messages", "gemini.generate")
)
CHUNKS = 500
TURNS = 200
MOST_EVENT = 1 << 20
PROFILE = Profile(max_output=8_192)
BATCHES = 15
REQUEST = ChatRequest(
    model="m", messages=(Message(role="user", parts=(Text(text="hello"),)),), max_tokens=1_000, stream=True
)
ENVELOPE = Envelope(id="20261124000000000000000abcdefgh", model="m", created=1, request=REQUEST, input_tokens=10)


def codec_of(form: Format) -> Codec:
    """A chat format's codec."""
    if not isinstance(form.codec, Codec):
        raise TypeError(f"{form.id} is no format of chat")
    return form.codec


def events() -> list[Event]:
    """A stream of text."""
    deltas = [PartDelta(index=0, kind="text", data=f"word {number:05} and some more of it") for number in range(CHUNKS)]
    return [
        MessageStart(id="m1", model="m", created=1, input_tokens=10),
        PartStart(index=0, part=Text(text="")),
        *deltas,
        PartEnd(index=0),
        MessageEnd(reason=StopReason.END),
        UsageReport({Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: CHUNKS}),
        StreamEnd(),
    ]


def chunks(form: Format) -> list[bytes]:
    """The stream as an upstream of this format sends it, a write an event."""
    encoder = codec_of(form).stream_encoder(ENVELOPE)
    return [chunk for event in events() if (chunk := encoder.encode(event))]


def conversation() -> ChatRequest:
    """A conversation of many turns, every other pair of which calls a tool."""
    messages: list[Message] = []
    for turn in range(TURNS // 4):
        arguments = f'{{"path":"src/file_{turn}.py","limit":{turn}}}'
        call = ToolCall(id=f"call_{turn}", name="read_file", arguments=arguments)
        messages += [
            Message(role="user", parts=(Text(text=f"Look at file {turn} and tell me what it does, please."),)),
            Message(role="assistant", parts=(Text(text="I shall read it."), call)),
            Message(role="user", parts=(ToolResult(call_id=call.id, content=(Text(text="line of code\n" * 20),)),)),
            Message(role="assistant", parts=(Text(text=f"File {turn} holds twenty lines of code."),)),
        ]
    schema = b'{"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}}}'
    tool = Tool(name="read_file", description="Reads a file.", parameters=msgspec.Raw(schema))
    return ChatRequest(model="m", messages=tuple(messages), tools=(tool,), max_tokens=1_000)


def least_us(act: Callable[[], object], batches: int) -> float:
    """The least CPU of one `act`, in microseconds."""
    act()
    gc.collect()
    best = float("inf")
    for _ in range(batches):
        started = time.process_time()
        act()
        best = min(best, time.process_time() - started)
    return best * 1e6


def feed(make: Callable[[], Tap], pieces: list[bytes]) -> None:
    """A whole stream through a tap."""
    tap = make()
    for piece in pieces:
        tap.feed(piece)
    if not tap.done:
        tap.finish()
    if not tap.done or tap.error is not None:
        raise RuntimeError(f"the stream was not understood: {tap.error}")


def measure_chunks(batches: int) -> dict[str, dict[str, float]]:
    """CPU per chunk, by the upstream's format and the client's; the diagonal is the tap that listens."""
    found: dict[str, dict[str, float]] = {}
    for upstream in CHAT_FORMATS:
        pieces = chunks(upstream)
        for client in CHAT_FORMATS:
            translation = Translation(codec_of(client), upstream, codec_of(upstream), ENVELOPE)
            carrier = upstream if client is upstream else translation
            cost = least_us(partial(feed, partial(carrier.tap, True, MOST_EVENT), pieces), batches)
            found.setdefault(upstream.id, {})[client.id] = cost / CHUNKS
    return found


def reencode(decode: Decode, encode: Encode, body: bytes) -> None:
    """A request from one format to another."""
    encode(decode(body, NO_WORDS), PROFILE)


def measure_conversation(batches: int) -> dict[str, dict[str, float]]:
    """Decoding and encoding of the long conversation, in milliseconds."""
    found: dict[str, dict[str, float]] = {}
    for client in CHAT_FORMATS:
        body = codec_of(client).encode_request(conversation(), PROFILE).body
        decode = codec_of(client).decode_request
        for upstream in CHAT_FORMATS:
            if upstream is client:
                continue
            encode = codec_of(upstream).encode_request
            cost = least_us(partial(reencode, decode, encode, body), batches)
            found.setdefault(client.id, {})[upstream.id] = cost / 1_000
    return found


def main() -> None:
    """Measure, print, and write down unless it was a trial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--try", dest="trial", action="store_true", help="in short, written nowhere")
    batches = 3 if (trial := parser.parse_args().trial) else BATCHES
    section: Mapping[str, Any] = results.place() | {
        "chunk_us": measure_chunks(batches),
        "conversation_ms": measure_conversation(batches),
    }
    for name in ("chunk_us", "conversation_ms"):
        print(name, {row: {to: round(cost, 2) for to, cost in costs.items()} for row, costs in section[name].items()})
    if not trial:
        write_page(results.merge({"translation": section}))


if __name__ == "__main__":
    main()
