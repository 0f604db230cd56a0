"""Anthropic's Messages: bodies are read or refused, streams are read or garbled, and a cut changes nothing."""

import json
from collections.abc import Sequence

from tests.fuzz.pieces import LONGEST, cut, grains
from yescale.domain.event_grammar import check as check_grammar
from yescale.domain.events import Event, PartDelta
from yescale.domain.faults import Fault
from yescale.domain.profile import Profile
from yescale.protocols.anthropic_messages import CODEC, MESSAGES
from yescale.protocols.anthropic_messages.estimate import estimate_tokens
from yescale.protocols.codec import NO_WORDS, Garbled, Malformed
from yescale.protocols.passthrough import Change, Peek

_TURN = b'{"role":"user","content":['
_BLOCKS = (
    b'{"type":"text","text":"h\\u00e9","cache_control":{"type":"ephemeral","ttl":"1h"}}',
    b'{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUFB"}}',
    b'{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"},"title":"T"}',
    b'{"type":"tool_use","id":"t","name":"n","input":{"z":1.10}}',
    b'{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"4"}],"is_error":true}',
    b'{"type":"thinking","thinking":"hm","signature":"ys1.gemini-generate.s"}',
    b'{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}}',
    b'{"type":"search_result","source":"s","title":"t","content":[]}',
)
_MORE = (
    b'"system":[{"type":"text","text":"s"}],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"},'
    b'"thinking":{"type":"enabled","budget_tokens":1024},"metadata":{"user_id":"u"},"stop_sequences":["a"],"x":1'
)
BODY_SEEDS = (
    *(b'{"model":"m","max_tokens":5,"messages":[%b%b]}]}' % (_TURN, block) for block in _BLOCKS),
    b'{"model":"m","messages":[%b]}],%b}' % (_TURN, _MORE),
)
BODY_WORDS = (
    b'"model":', b'"messages":', b'"content":', b'"type":', b'"text"', b'"image"', b'"source":', b'"input":', b"{}",
    b"[]", b"null", b"true", b'"', b"\\", b"\\ud800", b"\\u0065", b"\xff", b"1e400", b"-1", *_BLOCKS,
)  # fmt: skip

_DATA = b'data: {"type":"%b","index":0,"%b":{%b}}\n\n'
_START = b'event: message_start\ndata: {"type":"message_start","message":{"id":"i","usage":{"input_tokens":1}}}\n\n'
_OPEN = _DATA % (b"content_block_start", b"content_block", b'"type":"tool_use","id":"t","name":"n","input":{}')
_GROW = _DATA % (b"content_block_delta", b"delta", b'"type":"input_json_delta","partial_json":"{\\"a\\":1}"')
_CLOSE = b'data: {"type":"content_block_stop","index":0}\n\n'
_END = (
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
_SAY = _OPEN.replace(b'"tool_use","id":"t","name":"n","input":{}', b'"text","text":""')
_SAID = _GROW.replace(b'"input_json_delta","partial_json"', b'"text_delta","text"')
_SERVED = _OPEN.replace(b'"tool_use"', b'"server_tool_use"')
_ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n'
STREAM_SEEDS = (
    _START + _OPEN + _GROW + _GROW + _CLOSE + _END,
    (_START + _SAY + _SAID + _CLOSE + _END).replace(b"\n", b"\r\n"),
    _START + _SERVED + _GROW + _CLOSE + _END[:-2],
    _START + _SAY + _ERROR + _END,
    _OPEN + _CLOSE + b"event: ping\ndata: {}\n\n" + _END,
)
STREAM_WORDS = (
    b"\n\n", b"\r\n", b"\r", b"data: ", b"event: error\n", b": c\n\n", b"{", b"}", b'"', b"\\", b"null", b"\xff",
    b'"error":', b'"index":1', _START, _OPEN, _GROW, _CLOSE, _END, _SAY, _SAID, _SERVED, _ERROR,
)  # fmt: skip


def check_body(data: bytes, places: Sequence[int]) -> None:
    """Raises where a promise about requests is broken. Bodies are read whole: cuts are not for them."""
    assert estimate_tokens(data) > 0
    peek = MESSAGES.peek(data, NO_WORDS)
    assert isinstance(peek, Peek | Fault)
    if isinstance(peek, Peek):
        changed = MESSAGES.peek(MESSAGES.rewrite(data, peek, Change(model="other", limit=7)), NO_WORDS)
        assert isinstance(changed, Peek)
        assert (changed.model, changed.declared) == ("other", 7 if peek.declared is None else peek.declared)
    try:
        request = CODEC.decode_request(data, NO_WORDS)
    except Malformed:
        return
    encoded = CODEC.encode_request(request, Profile())
    assert json.loads(encoded.body.decode(errors="replace"))["model"] == request.model


def check_stream(data: bytes, places: Sequence[int]) -> None:
    """Raises where a promise about streams is broken."""
    whole = _hear([data])
    for pieces in (cut(data, places), grains(data)):
        assert _hear(pieces) == whole, "a cut changed the events"
        assert _pass(pieces) == _pass([data]), "a cut changed what passes"


def _hear(pieces: Sequence[bytes]) -> list[Event] | None:
    """The events of a stream, None if it is garbled. Each cut of a text comes as it came from upstream."""
    decoder = CODEC.stream_decoder(2 * LONGEST)
    events: list[Event] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.finish()
    except Garbled:
        return None
    assert all("no end" in fault for fault in check_grammar(events)), check_grammar(events)
    assert all(event.data for event in events if isinstance(event, PartDelta))
    return events


def _pass(pieces: Sequence[bytes]) -> tuple[object, ...]:
    tap = MESSAGES.tap(True, 2 * LONGEST)
    out = b"".join(map(tap.feed, pieces)) + tap.finish()
    assert tap.feed(b"data: more\n\n") == b"" or not (tap.done or tap.error), "nothing after the end"
    said = b"".join(out.split())
    return said, tap.usage if tap.done else None, tap.done, tap.error
