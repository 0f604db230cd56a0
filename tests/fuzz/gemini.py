"""Gemini's bodies and streams: only the named exceptions, wherever the network cuts; rewrites that say one limit."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tests.fuzz.pieces import LONGEST, cut
from yescale.domain.chat import ChatRequest
from yescale.domain.event_grammar import check as faults_of
from yescale.domain.events import Event
from yescale.domain.faults import Fault
from yescale.domain.profile import Profile
from yescale.protocols.codec import Codec, Envelope, Garbled, Malformed, PathWords
from yescale.protocols.gemini_generate import (
    ARRAY_CODEC,
    BATCH_EMBED,
    BATCH_EMBED_CODEC,
    CODEC,
    COUNT,
    EMBED,
    GENERATE,
    GENERATE_ARRAY,
)
from yescale.protocols.passthrough import Change, Peek

_HI = b'"contents":[{"role":"user","parts":[{"text":"h\xc3\xa9 \\"o"}]}]'
_SAY = b'{"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0}],"usageMetadata":{"promptTokenCount":1}}'
_CALL = (
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1.0}},"thoughtSignature":"e"}]}}]}'
)
_STOP = (
    b'{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":'
    b'[{"web":{"uri":"u"}}],"groundingSupports":[{"segment":{"endIndex":1},"groundingChunkIndices":[0]}]}}]}'
)
_ERROR = b'{"error":{"code":503,"message":"no","details":[{"@type":"x/RetryInfo","retryDelay":"3s"}]}}'
SEEDS = (
    b"{" + _HI + b"}",
    b'{"generation_config":{"top_k":1.0,"maxOutputTokens":null,"thinkingConfig":{"thinkingBudget":-1}},' + _HI + b"}",
    b"{" + _HI + b',"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"a":'
    b'{"type":"ARRAY","minItems":"1","items":{"nullable":true}}}}}]},{"googleSearch":{}}],"toolConfig":'
    b'{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}}',
    b'{"contents":{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}},{"functionResponse":{"name":"f",'
    b'"response":{"output":"x"},"parts":[{"fileData":{"fileUri":"u"}}]}}]},"cachedContent":"cachedContents/a"}',
    b'{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"outputDimensionality":3}]}',
    b'{"embeddings":[{"values":[1,2.5]}]}',
    b"".join(b"data: %b\r\n\r\n" % one for one in (_SAY, _CALL, _STOP)),
    b"".join(b"data: %b\n\n" % one for one in (_SAY, _ERROR, _STOP)),
    b"[" + b",\r\n".join((_SAY, _CALL, _STOP)) + b"]",
    b"[" + _SAY + b",\n" + _ERROR + b"]",
    b'data: {"promptFeedback":{"blockReason":"OTHER"}}\n\n',
)
WORDS = (
    b'"text":', b'"thought":true,', b'"thoughtSignature":"eXMxLmEuYg"', b'"inlineData":', b'"functionCall":',
    b'"args":',
    b'"index":1,', b'"finishReason":"STOP"', b'"error":', b'"parts":', b'"contents":', b'"generationConfig":{',
    b'"maxOutputTokens":', b'"candidateCount":', b'"usageMetadata":{', b'"startIndex":', b"\r\n\r\n", b"\n\n",
    b"data: ", b"[", b"]", b"{", b"}", b'"', b"\\", b",", b"null", b"-1", b"1e400", b'"nan"', b"1.5",
    b"\\ud800", b"\xff",
    b"audio/L16", _SAY, _CALL, _STOP, _ERROR,
)  # fmt: skip

_PATH = PathWords("m", True)
_ENVELOPE = Envelope(id="r", model="m", created=1, request=ChatRequest(model="m", messages=()))


def check(data: bytes, places: Sequence[int]) -> None:
    """Raises where a promise of Gemini's formats is broken."""
    requests(data)
    passes(data)
    for format_ in (GENERATE, EMBED, BATCH_EMBED, COUNT):
        format_.read_error(data)
        format_.read_answer(data)
    for codec in (CODEC, ARRAY_CODEC):
        streams(codec, data, cut(data, places))
    for tap in (GENERATE.tap(True, 2 * LONGEST), GENERATE_ARRAY.tap(True, 2 * LONGEST)):
        out = b"".join(map(tap.feed, cut(data, places))) + tap.finish()
        assert len(out) <= len(data) + 4 * (1 + data.count(b"}")), "a tap adds no more than ends and separators"
        assert not (tap.done and tap.error)


def requests(data: bytes) -> None:
    """A request is read or refused; what is read can be written for its own format and read again."""
    try:
        request = CODEC.decode_request(data, _PATH)
    except Malformed:
        request = None
    if request is not None:
        again = (
            CODEC.decode_request(CODEC.encode_request(request, Profile()).body, _PATH) if any_part(request) else None
        )
        assert again is None or again.model == request.model
    with suppress(Malformed):
        BATCH_EMBED_CODEC.encode_request(BATCH_EMBED_CODEC.decode_request(data, _PATH), "m")
    with suppress(Garbled):
        CODEC.decode_response(data)


def any_part(request: ChatRequest) -> bool:
    """Whether something would stand in the contents: a request without is refused."""
    return bool(json.loads(CODEC.encode_request(request, Profile()).body)["contents"])


def passes(data: bytes) -> None:
    """A rewrite says the limit, and nothing else changes."""
    for format_ in (EMBED, BATCH_EMBED, COUNT):
        found = format_.peek(data, _PATH)
        if isinstance(found, Peek):
            format_.rewrite(data, found, Change(model="other"))
    found = GENERATE.peek(data, _PATH)
    if isinstance(found, Fault):
        assert found.status == 400
        return
    assert GENERATE.rewrite(data, found, Change(model="m")) == data
    if found.declared is None:
        limited = GENERATE.rewrite(data, found, Change(model="m", limit=7))
        after = GENERATE.peek(limited, _PATH)
        assert isinstance(after, Peek)
        assert after.declared == 7
        assert without(limited) == without(data), "a rewrite changed something else"


def without(data: bytes) -> Any:
    """What another reader makes of a body, less its limit."""
    try:
        body = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    for name in ("generationConfig", "generation_config"):
        config = body.pop(name, None) or {}
        for limit in ("maxOutputTokens", "max_output_tokens"):
            config.pop(limit, None)
        body["config"] = body.get("config") or config
    return body


def streams(codec: Codec, data: bytes, pieces: Sequence[bytes]) -> None:
    """A cut changes nothing, the grammar is kept, and what was heard can be said again."""
    whole, split_ = hear(codec, [data]), hear(codec, pieces)
    assert whole == split_, "a cut changed the events"
    if whole is None:
        return
    assert [fault for fault in faults_of(whole) if "has no end" not in fault] == []
    encoder = codec.stream_encoder(_ENVELOPE)
    for event in whole:
        encoder.encode(event)


def hear(codec: Codec, pieces: Sequence[bytes]) -> list[Event] | None:
    """Everything a decoder says; None, if it is garbled."""
    decoder = codec.stream_decoder(2 * LONGEST)
    try:
        return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.finish()]
    except Garbled:
        return None
