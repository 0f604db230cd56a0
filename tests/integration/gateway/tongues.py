"""What a provider of each format says, in pieces: a stream with its usage and its end, an error within, a whole answer.

Every answer has three texts of two tokens each, read 100 tokens of which 40 came from its cache, and made 20.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from yescale.domain.usage import Meter
from yescale_sandbox.bedrock import eventstream
from yescale_sandbox.playback import Event

TEXT = "12345678"
TEXTS = 3
TOKENS = 2  # of one text, by the rule of four bytes
NOTHING: Mapping[Meter, int] = {}


class Tongue(Struct, frozen=True, kw_only=True):
    """One format as a provider speaks it. `early`: what was said of the usage before any text; `ends_itself`: the
    event that tells the usage is the end.
    """

    whole: bytes
    usage: Mapping[Meter, int]
    opening: bytes = b""
    texts: Sequence[bytes] = ()
    reckoning: bytes = b""  # why it ends, and the usage
    mark: bytes = b""
    failing: bytes = b""
    idle: bytes = b": nothing\n\n"  # what it may send between events
    early: Mapping[Meter, int] = NOTHING
    kind: str = "text/event-stream"
    ends_itself: bool = False


def _sse(fields: Mapping[str, Any], name: str = "") -> bytes:
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + json.dumps(fields, separators=(",", ":")).encode() + b"\n\n"


def _json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode()


_READ = {Meter.INPUT_TOKENS: 60, Meter.CACHE_READ_TOKENS: 40}
_WRITTEN = {**_READ, Meter.CACHE_WRITE_TOKENS: 8}
_MADE = {Meter.OUTPUT_TOKENS: 15, Meter.REASONING_TOKENS: 5}

# --- OpenAI's chat and completions

_CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def _chunk(**fields: Any) -> bytes:
    return _sse({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **fields})


_STOP = {"index": 0, "delta": {}, "finish_reason": "stop"}
_SPOKEN = {"role": "assistant", "content": TEXTS * TEXT}
CHAT = Tongue(
    texts=[_chunk(choices=[{"index": 0, "delta": {"content": TEXT}, "finish_reason": None}])] * TEXTS,
    reckoning=_chunk(choices=[_STOP]) + _chunk(choices=[], usage=_CHAT_USAGE),
    mark=b"data: [DONE]\n\n",
    failing=_sse({"error": {"message": "boom", "code": "c"}}),
    whole=_json({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": _CHAT_USAGE,
                 "choices": [{"index": 0, "message": _SPOKEN, "finish_reason": "stop"}]}),
    usage={**_READ, **_MADE},
)  # fmt: skip


def _piece(**fields: Any) -> bytes:
    return _sse({"id": "c", "object": "text_completion", "created": 1, "model": "m", **fields})


COMPLETIONS = Tongue(
    texts=[_piece(choices=[{"index": 0, "text": TEXT, "logprobs": None, "finish_reason": None}])] * TEXTS,
    reckoning=_piece(choices=[{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}])
    + _piece(choices=[], usage=_CHAT_USAGE),
    mark=b"data: [DONE]\n\n",
    failing=CHAT.failing,
    whole=_json({"id": "c", "object": "text_completion", "created": 1, "model": "m", "usage": _CHAT_USAGE,
                 "choices": [{"index": 0, "text": TEXTS * TEXT, "logprobs": None, "finish_reason": "stop"}]}),
    usage=CHAT.usage,
)  # fmt: skip

# --- OpenAI's Responses

_RESPONSES_USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}
_MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
_WORDS = {"type": "output_text", "text": TEXTS * TEXT, "annotations": []}


def _response(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status, **fields}


def _told(kind: str, **fields: Any) -> bytes:
    return _sse({"type": kind, "sequence_number": 1, **fields}, kind)


_DONE = _MESSAGE | {"status": "completed", "content": [_WORDS]}
_PLACE = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
RESPONSES = Tongue(
    opening=_told("response.created", response=_response("in_progress", output=[]))
    + _told("response.output_item.added", output_index=0, item=_MESSAGE)
    + _told("response.content_part.added", part=_WORDS | {"text": ""}, **_PLACE),
    texts=[_told("response.output_text.delta", delta=TEXT, **_PLACE)] * TEXTS,
    reckoning=_told("response.output_text.done", text=TEXTS * TEXT, **_PLACE)
    + _told("response.output_item.done", output_index=0, item=_DONE)
    + _told("response.completed", response=_response("completed", output=[_DONE], usage=_RESPONSES_USAGE)),
    failing=_told("error", code="c", message="boom", param=None),
    whole=_json(_response("completed", output=[_DONE], usage=_RESPONSES_USAGE)),
    usage=CHAT.usage,
    ends_itself=True,
)

# --- Anthropic's Messages, alone and in the envelopes of clouds

_PROMPT = {"input_tokens": 60, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 8}
_THOUGHTS = {"output_tokens": 20, "output_tokens_details": {"thinking_tokens": 5}}
_BEGUN = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": None}
_OPENING: tuple[dict[str, Any], ...] = (
    {"type": "message_start", "message": _BEGUN | {"content": [], "usage": _PROMPT | {"output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
)
_DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}}
_RECKONING: tuple[dict[str, Any], ...] = (
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _THOUGHTS},
)
_FAILING = {"type": "error", "error": {"type": "overloaded_error", "message": "boom"}}


def _event(fields: dict[str, Any]) -> bytes:
    return _sse(fields, fields["type"])


def _framed(fields: dict[str, Any]) -> bytes:
    payload = _json({"bytes": base64.b64encode(_json(fields)).decode()})
    return eventstream.event(Event(payload, name="chunk"))


_PING = eventstream.event(Event(b"{}", name="ping"))
MESSAGES = Tongue(
    opening=b"".join(map(_event, _OPENING)),
    texts=[_event(_DELTA)] * TEXTS,
    reckoning=b"".join(map(_event, _RECKONING)),
    mark=_event({"type": "message_stop"}),
    failing=_event(_FAILING),
    whole=_json({**_BEGUN, "stop_reason": "end_turn", "usage": _PROMPT | _THOUGHTS,
                 "content": [{"type": "text", "text": TEXTS * TEXT}]}),
    usage={**_WRITTEN, **_MADE},
    early=_WRITTEN,
)  # fmt: skip
FRAMED = Tongue(
    opening=b"".join(map(_framed, _OPENING)),
    texts=[_framed(_DELTA)] * TEXTS,
    reckoning=b"".join(map(_framed, _RECKONING)),
    mark=_framed({"type": "message_stop"}),
    failing=eventstream.exception("throttlingException", _json({"message": "boom"})),
    whole=MESSAGES.whole,
    usage=MESSAGES.usage,
    early=_WRITTEN,
    kind=eventstream.MEDIA,
    idle=_PING,
)

# --- Bedrock's Converse

_CONVERSE_USAGE = {
    "inputTokens": 60, "outputTokens": 20, "totalTokens": 128, "cacheReadInputTokens": 40, "cacheWriteInputTokens": 8,
}  # fmt: skip


def _frame(name: str, **fields: Any) -> bytes:
    return eventstream.event(Event(_json(fields), name=name))


CONVERSE = Tongue(
    opening=_frame("messageStart", role="assistant"),
    texts=[_frame("contentBlockDelta", contentBlockIndex=0, delta={"text": TEXT})] * TEXTS,
    reckoning=_frame("contentBlockStop", contentBlockIndex=0)
    + _frame("messageStop", stopReason="end_turn")
    + _frame("metadata", usage=_CONVERSE_USAGE, metrics={"latencyMs": 1}),
    failing=eventstream.exception("modelStreamErrorException", _json({"message": "boom"})),
    whole=_json({"output": {"message": {"role": "assistant", "content": [{"text": TEXTS * TEXT}]}},
                 "stopReason": "end_turn", "usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 1}}),
    usage={**_WRITTEN, Meter.OUTPUT_TOKENS: 20},
    kind=eventstream.MEDIA,
    idle=_PING,
    ends_itself=True,
)  # fmt: skip

# --- Ollama's own chat, line by line


def _line(text: str, **fields: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    return (
        _json({"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False, **fields}) + b"\n"
    )


_OLLAMA_END = {"done": True, "done_reason": "stop", "prompt_eval_count": 100, "eval_count": 20}
OLLAMA = Tongue(
    texts=[_line(TEXT)] * TEXTS,
    reckoning=_line("", **_OLLAMA_END),
    failing=_json({"error": "boom"}) + b"\n",
    whole=_line(TEXTS * TEXT, **_OLLAMA_END),
    usage={Meter.INPUT_TOKENS: 100, Meter.OUTPUT_TOKENS: 20},
    kind="application/x-ndjson",
    idle=b"\n",
    ends_itself=True,
)

# --- Google's generateContent, as events and as an array

_GEMINI_PROMPT = {"promptTokenCount": 100, "cachedContentTokenCount": 40, "totalTokenCount": 100}
_GEMINI_USAGE = _GEMINI_PROMPT | {"candidatesTokenCount": 15, "thoughtsTokenCount": 5, "totalTokenCount": 120}


def _candidate(text: str, usage: dict[str, int], **fields: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **fields}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"}


_GROWING = _candidate(TEXT, _GEMINI_PROMPT)
_LAST = {"candidates": [{"index": 0, "finishReason": "STOP"}], "usageMetadata": _GEMINI_USAGE}
_GOOGLE_FAILING = {"error": {"code": 503, "message": "boom", "status": "UNAVAILABLE"}}
_GEMINI_WHOLE = _json(_candidate(TEXTS * TEXT, _GEMINI_USAGE, finishReason="STOP"))
GENERATE = Tongue(
    texts=[_sse(_GROWING)] * TEXTS,
    reckoning=_sse(_LAST),
    failing=_sse(_GOOGLE_FAILING),
    whole=_GEMINI_WHOLE,
    usage=CHAT.usage,
    early=_READ,
)
ARRAY = Tongue(
    opening=b"[",
    texts=[_json(_GROWING), *[b",\r\n" + _json(_GROWING)] * (TEXTS - 1)],
    reckoning=b",\r\n" + _json(_LAST),
    mark=b"]",
    failing=b",\r\n" + _json(_GOOGLE_FAILING),
    whole=_GEMINI_WHOLE,
    usage=CHAT.usage,
    early=_READ,
    kind="application/json",
    idle=b" ",
)

# --- what is never a stream

_VECTOR = {"object": "embedding", "index": 0, "embedding": [0.5]}
_TWELVE = {Meter.INPUT_TOKENS: 12}
_GOOGLE_TWELVE = {"usageMetadata": {"promptTokenCount": 12}}
_OPENAI_TWELVE = {"prompt_tokens": 12, "total_tokens": 12}

TONGUES: Mapping[str, Tongue] = {
    "openai.chat": CHAT,
    "openai.completions": COMPLETIONS,
    "openai.responses": RESPONSES,
    "anthropic.messages": MESSAGES,
    "anthropic.vertex": MESSAGES,
    "anthropic.bedrock": FRAMED,
    "bedrock.converse": CONVERSE,
    "gemini.generate": GENERATE,
    "ollama.chat": OLLAMA,
    "gemini.generate.array": ARRAY,
    "openai.embeddings": Tongue(
        whole=_json({"object": "list", "data": [_VECTOR], "model": "m", "usage": _OPENAI_TWELVE}), usage=_TWELVE
    ),
    "gemini.embed": Tongue(whole=_json({"embedding": {"values": [0.5]}, **_GOOGLE_TWELVE}), usage=_TWELVE),
    "gemini.batch_embed": Tongue(whole=_json({"embeddings": [{"values": [0.5]}], **_GOOGLE_TWELVE}), usage=_TWELVE),
    "openai.moderations": Tongue(
        whole=_json({"id": "m", "model": "m", "results": [{"flagged": False}]}), usage={Meter.REQUESTS: 1}
    ),
    "rerank": Tongue(
        whole=_json({"results": [{"index": 0, "relevance_score": 0.5}], "usage": {"total_tokens": 12}}), usage=_TWELVE
    ),
    "anthropic.count_tokens": Tongue(whole=_json({"input_tokens": 12}), usage=NOTHING),
    "gemini.count": Tongue(whole=_json({"totalTokens": 12}), usage=NOTHING),
}
