"""OpenAI's Responses: whatever comes as a stream or as a request is read the same wherever it is cut, or refused."""

import json
from collections.abc import Sequence

from tests.fuzz.pieces import LONGEST, cut, grains
from yescale.domain.event_grammar import check as grammar_of
from yescale.domain.events import Event, StreamError
from yescale.domain.profile import Profile
from yescale.protocols.codec import NO_WORDS, Envelope, Garbled, Malformed
from yescale.protocols.openai_responses import CODEC, RESPONSES
from yescale.protocols.openai_responses.conversation import Continuation, continuation, expand, items_to_keep
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.sse import data_of, split

_TEXT = b'{"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"h\xc3\xa9"}]}'
_CALL = b'{"id":"f","type":"function_call","call_id":"c","name":"f","arguments":"{}"}'
_THOUGHT = b'{"id":"r","type":"reasoning","summary":[{"type":"summary_text","text":"so"}],"encrypted_content":"s"}'
_MADE = b'event: response.created\ndata: {"type":"response.created","response":{"id":"r","model":"m"}}\n\n'
_ADDED = b'data: {"type":"response.output_item.added","output_index":%d,"item":%b}\n\n'
_DONE = b'data: {"type":"response.output_item.done","output_index":%d,"item":%b}\n\n'
_DELTA = b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"h"}\n\n'
_ARGUED = b'data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":"{"}\n\n'
_THINK = b'data: {"type":"response.reasoning_summary_text.delta","output_index":2,"summary_index":0,"delta":"s"}\n\n'
_USAGE = b'{"input_tokens":3,"input_tokens_details":{"cached_tokens":1},"output_tokens":2}'
_OVER = b'data: {"type":"response.completed","response":{"status":"completed","output":[%b],"usage":%b}}\n\n'
_FAILED = b'data: {"type":"response.failed","response":{"status":"failed","error":{"message":"no"},"usage":%b}}\n\n'
_ERROR = b'event: error\ndata: {"type":"error","code":"c","message":"no"}\n\n'
_BODY = b'{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]},%b,%b],"store":false}'
SEEDS = (
    _MADE + _ADDED % (0, _TEXT) + _DELTA + _DONE % (0, _TEXT) + _OVER % (_TEXT, _USAGE),
    _MADE + _ADDED % (0, _TEXT) + _ADDED % (1, _CALL) + _ARGUED + _DELTA + _DONE % (1, _CALL) + _DONE % (0, _TEXT),
    (_MADE + _ADDED % (2, _THOUGHT) + _THINK + _DONE % (2, _THOUGHT) + _OVER % (b"", _USAGE)).replace(b"\n", b"\r\n"),
    (_MADE + _OVER % (_TEXT + b"," + _CALL + b"," + _THOUGHT, b"null")).replace(b"\n", b"\r"),
    _MADE + _DELTA + _FAILED % _USAGE,
    _MADE + _DELTA + _ERROR + _DELTA,
    _BODY % (_THOUGHT, _CALL),
    b'{"model":"m","input":"hi","stream":true,"max_output_tokens":null,"previous_response_id":"r","reasoning":{}}',
    b'{"model":"m","input":"x","tools":[{"type":"custom","name":"p"},{"type":"web_search"}],"tool_choice":"auto"}',
)
WORDS = (
    b"\r\n", b"\n\n", b"\r\r", b"data: ", b"event: error\n", b'"type":', b'"error"', b'"item":null', b'"delta":"x"',
    b'"output_index":1', b'"content_index":1', b"response.completed", b"{", b"}", b"[]", b"null", b"5", b"\\", b'"',
    b"\xff", b"\\u0065", _TEXT, _CALL, _THOUGHT, _DELTA, _ARGUED, _THINK, _OVER % (_CALL, _USAGE), _ERROR,
)  # fmt: skip
_ENVELOPE = Envelope(id="r", model="m", created=1, request=CODEC.decode_request(b'{"model":"m","input":"x"}', NO_WORDS))


def check(data: bytes, places: Sequence[int]) -> None:
    """Raises where the codec breaks a promise."""
    pieces = cut(data, places)
    assert tapped(pieces) == tapped([data]) == tapped(grains(data)), "a cut changed what the tap hears"
    told = decoded([data])
    assert decoded(pieces) == told == decoded(grains(data)), "a cut changed the events"
    if told is not None:
        encodes(told)
    request(data)


def tapped(pieces: Sequence[bytes]) -> tuple[object, ...]:
    """What a reader of the tap's output gets, and what the tap knows."""
    tap = RESPONSES.tap(True, 2 * LONGEST)
    out = b"".join(map(tap.feed, pieces)) + tap.finish()
    events = [event for event in map(data_of, split(out)) if any(event)]
    return events, tap.usage, tap.done, tap.error


def decoded(pieces: Sequence[bytes]) -> list[Event] | None:
    """The events of a stream; None = garbled."""
    decoder = CODEC.stream_decoder(2 * LONGEST)
    try:
        events = [event for piece in pieces for event in decoder.feed(piece)]
        return [*events, *decoder.finish()]
    except Garbled:
        return None


def encodes(events: list[Event]) -> None:
    """The events are well formed, and each answer to a client is lines of JSON."""
    faults = grammar_of(events)
    assert faults in ([], ["the stream has no end"]), faults
    encoder = CODEC.stream_encoder(_ENVELOPE)
    out = b"".join(encoder.encode(event) for event in events if not isinstance(event, StreamError))
    for event in split(out):
        json.loads(data_of(event)[1])


def request(data: bytes) -> None:
    """A body that is let pass is read, changed and gone on from without surprise."""
    peek = RESPONSES.peek(data, NO_WORDS)
    if not isinstance(peek, Peek):
        return
    changed = RESPONSES.peek(RESPONSES.rewrite(data, peek, Change(model="other", limit=7)), NO_WORDS)
    assert isinstance(changed, Peek), "a rewrite broke the body"
    assert changed.model == "other"
    if isinstance(continuation(data), Continuation):
        assert isinstance(RESPONSES.peek(expand(data, items_to_keep(data, b'{"output":[]}') or []), NO_WORDS), Peek)
    try:
        CODEC.encode_request(CODEC.decode_request(data, NO_WORDS), Profile())
    except Malformed:
        return
