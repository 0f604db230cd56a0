"""What Anthropic's API says in its documents, as bodies and streams, for the tests beside this."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Raw

from yescale.domain.chat import ChatRequest, Message
from yescale.domain.content import Part, Text
from yescale.domain.events import Event
from yescale.domain.profile import Profile
from yescale.protocols.anthropic_messages import CODEC
from yescale.protocols.codec import NO_WORDS, Encoded, Envelope

PLAIN = Profile()


def dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def raw(value: object) -> Raw:
    return Raw(dump(value))


def body(**more: object) -> bytes:
    return dump({"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]} | more)


def asking(*blocks: object, role: str = "user") -> bytes:
    """A request whose last turn is made of these blocks."""
    turns = [{"role": "user", "content": "hi"}, {"role": role, "content": list(blocks)}]
    return body(messages=turns)


def decode(asked: bytes) -> ChatRequest:
    return CODEC.decode_request(asked, NO_WORDS)


def read_parts(*blocks: object, role: str = "user") -> tuple[Part, ...]:
    return decode(asking(*blocks, role=role)).messages[1].parts


def request(*parts: Part, role: Any = "user", **more: Any) -> ChatRequest:
    hello = Message(role="assistant" if role == "user" else "user", parts=(Text(text="hi"),))
    return ChatRequest(model="claude", messages=(hello, Message(role=role, parts=parts)), max_tokens=100, **more)


def write(asked: ChatRequest, profile: Profile = PLAIN) -> tuple[dict[str, Any], Encoded]:
    encoded = CODEC.encode_request(asked, profile)
    return json.loads(encoded.body), encoded


def write_blocks(*parts: Part, role: str = "user") -> tuple[list[Any], dict[str, str]]:
    """The blocks that these parts of the last turn became, and the weight of each loss."""
    wire, encoded = write(request(*parts, role=role))
    turns = wire["messages"]
    return (turns[1]["content"] if len(turns) > 1 else []), {loss.what: loss.weight for loss in encoded.losses}


def weights(encoded: Encoded) -> dict[str, str]:
    return {loss.what: loss.weight for loss in encoded.losses}


def envelope(**more: Any) -> Envelope:
    asked = ChatRequest(model="claude", messages=(Message(role="user", parts=(Text(text="hi"),)),))
    return Envelope(id="20250827", model="my-claude", created=1, request=asked, **more)


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), dump(event)) for event in events)


def opened(**usage: object) -> dict[str, Any]:
    counts = {"input_tokens": 25, "output_tokens": 1} | usage
    return {
        "type": "message_start",
        "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": counts,
        },
    }  # fmt: skip


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def closed(reason: str = "end_turn", **usage: object) -> list[dict[str, Any]]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": 15} | usage,
        },
        {"type": "message_stop"},
    ]


THINKING = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "Let me "},
    {"type": "thinking_delta", "thinking": "see."},
    {"type": "signature_delta", "signature": "EqQBCgIYAhIM"},
)
REDACTED = block(1, {"type": "redacted_thinking", "data": "EmwKAhgB"})
SEARCH = block(
    2,
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    {"type": "input_json_delta", "partial_json": ""},
    {"type": "input_json_delta", "partial_json": '{"query":'},
    {"type": "input_json_delta", "partial_json": ' "weather NYC"}'},
)
FOUND = block(
    3,
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [
            {
                "type": "web_search_result",
                "url": "https://w.example",
                "title": "W",
                "encrypted_content": "Eq",
                "page_age": None,
            }
        ],
    },
)
CITATION = {
    "type": "web_search_result_location",
    "url": "https://w.example",
    "title": "W",
    "encrypted_index": "Eo8",
    "cited_text": "It is hot",
}
ANSWERED = block(
    4,
    {"type": "text", "text": "", "citations": []},
    {"type": "citations_delta", "citation": CITATION},
    {"type": "text_delta", "text": 'Hé \\ said "hot" \u2028 '},
    {"type": "text_delta", "text": "🌞"},
)
CALLED = block(
    5,
    {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {}},
    {"type": "input_json_delta", "partial_json": '{"z":1'},
    {"type": "input_json_delta", "partial_json": ".10}"},
)
CALLED_TOO = block(6, {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}})
RICH = sse(
    opened(cache_creation_input_tokens=7, cache_read_input_tokens=3),
    {"type": "ping"},
    *THINKING, *REDACTED, *SEARCH, *FOUND, *ANSWERED, *CALLED, *CALLED_TOO,
    *closed("tool_use", server_tool_use={"web_search_requests": 1}, output_tokens_details={"thinking_tokens": 5}),
)  # fmt: skip


def hear(pieces: Iterable[bytes], limit: int = 1_000_000) -> list[Event]:
    decoder = CODEC.stream_decoder(limit)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return [*events, *decoder.finish()]


def tell(events: Iterable[Event], **more: Any) -> bytes:
    encoder = CODEC.stream_encoder(envelope(**more))
    return b"".join(map(encoder.encode, events))


def lines(stream: bytes) -> Sequence[dict[str, Any]]:
    """The data of a stream of ours, each event named as it is."""
    found: list[dict[str, Any]] = []
    for event in stream.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found
