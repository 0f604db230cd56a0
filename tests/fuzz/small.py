"""The smaller readers: embeddings and other single shapes, WebSocket frames, compressed bodies, costs, the link."""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from tests.fuzz import framed
from tests.fuzz.bodies import read
from tests.fuzz.pieces import LONGEST, Row, cut, grains
from tests.fuzz.wires import JSON_WORDS, STREAM_WORDS, check_passing, passed
from yescale.control.frames import encode_frame
from yescale.domain.faults import Fault
from yescale.domain.link import Alive, Changed, Drawn, KeyAnswer
from yescale.gateway import frames, inflating
from yescale.protocols.codec import Codec, Garbled, Malformed, PathWords
from yescale.protocols.embedding import EmbedCodec
from yescale.protocols.openai_chat import costs, realtime
from yescale.protocols.openai_chat.stream import ChatTap
from yescale.protocols.passthrough import Format
from yescale.protocols.registry import FORMATS
from yescale.wire import websocket
from yescale.wire.websocket import Frames, Message, Violation

_WORDS = PathWords("m-1")
_SINGLE = tuple(form for form in FORMATS.values() if not isinstance(form.codec, Codec))
_EMBED = tuple(form.codec for form in _SINGLE if isinstance(form.codec, EmbedCodec))
_VECTORS = b'"usage":{"prompt_tokens":3,"total_tokens":3}}'
_SINGLE_SEEDS = (
    b'{"model":"m","input":["a","b"],"encoding_format":"base64","dimensions":2,"user":"u"}',
    b'{"model":"m","input":[[1,2],[3]],"input_type":"query"}',
    b'{"object":"list","data":[{"embedding":[1,2.5],"index":1},{"embedding":"AACAPw==","index":0}],' + _VECTORS,
    b'{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":2,"title":"t"}',
    b'{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"},{"text":"b"}]}}]}',
    b'{"embedding":{"values":[1,2.5]},"usageMetadata":{"promptTokenCount":3}}',
    b'{"embeddings":[{"values":[1]},{"values":[1e300]}]}',
    b'{"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":1}',
    b'{"results":[{"index":0,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1}}}',
    b'{"model":"m","results":[],"usage":{"total_tokens":3}}',
    b'{"model":"m","input":[{"type":"text","text":"a"}]}',
    b'{"id":"modr-1","model":"m","results":[{"flagged":false}]}',
    b'{"model":"m","messages":[{"role":"user","content":"hi"}],"system":"s","tools":[]}',
    b'{"input_tokens":3}',
    b'{"contents":[{"parts":[{"text":"a"}]}],"generateContentRequest":{"model":"models/m"}}',
    b'{"totalTokens":3}',
)
_EVENTS = (
    b'{"type":"session.update","session":{"model":"m","audio":{"input":{"transcription":{"model":"w"}}}}}',
    b'{"type":"response.create","response":{"max_output_tokens":50,"input":[{"content":[{"type":"input_image"}]}]}}',
    b'{"type":"input_audio_buffer.append","audio":"UklGRg=="}',
    b'{"type":"response.done","response":{"id":"r","status":"completed","usage":{"input_tokens":9,"output_tokens":5,'
    b'"input_token_details":{"cached_tokens":2,"audio_tokens":3,"cached_tokens_details":{"audio_tokens":1}},'
    b'"output_token_details":{"audio_tokens":2}}}}',
    b'{"type":"session.created","session":{"model":"m","max_output_tokens":"inf"}}',
    b'{"type":"response.output_audio.delta","response_id":"r","delta":"UklGRg=="}',
)
_SAID = b'{"choices":[{"index":0,"delta":{"content":"a"}}]}'
_USED = b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5,"cost_details":{"a":1}}}'
_COSTS = (
    b"data: %b\n\ndata: %b\n\ndata: [DONE]\n\n" % (_SAID, _USED),
    b"data: %b\r\n\r\ndata: %b\r\n\r\n" % (_SAID, _USED),
    _USED,
)
_MASK = b"abcd"
_SPOKEN = (
    websocket.frame(websocket.TEXT, "Grüße".encode(), _MASK) + websocket.frame(websocket.PING, b"p", _MASK),
    b"\x01\x83abcd" + websocket.masked(b"abc", _MASK) + b"\x80\x81abcd" + websocket.masked(b"d", _MASK),
    websocket.frame(websocket.CLOSE, websocket.closing(1001, "bye"), _MASK),
    websocket.frame(websocket.BINARY, bytes(300), _MASK),
    websocket.frame(websocket.TEXT, b"from a server") + websocket.frame(websocket.CLOSE, b"\x03\xe8"),
)
_FRAME_WORDS = (b"\x81", b"\x80", b"\x01", b"\x88\x02\x03\xe8", b"\x7e", b"\x7f", b"\xff", b"\xfe", b"\0" * 8, _MASK)
_LIMIT = 2_000  # bytes that a body may have when it is whole
_PACKED = (gzip.compress(b"{}", mtime=0), zlib.compress(b'{"a":1}'), zlib.compress(bytes(9_000)), b"\x1f\x8b\x08\0")
_LINKED = tuple(map(encode_frame, (Alive(), Changed(hashes=(b"h",)), Drawn(id=1), KeyAnswer(hash=b"h", key=None))))


def check_single(form: Format, data: bytes, places: Sequence[int]) -> None:
    """One shape of request and answer, with neither parts nor events."""
    if form.id != realtime.ID:
        check_passing(form, data)
    form.read_error(data)
    answer = form.read_answer(data)
    assert answer is None or all(count >= 0 for count in (answer.usage or {}).values())
    assert passed(form, cut(data, places)) == passed(form, [data])
    if isinstance(form.codec, EmbedCodec):
        _check_embedding(form.codec, data)


def _check_embedding(codec: EmbedCodec, data: bytes) -> None:
    """What one format asks, each can ask; what one answers, each can answer, unless a number is too large for it."""
    with suppress(Malformed):
        request = codec.decode_request(data, _WORDS)
        for other in _EMBED:
            json.loads(other.encode_request(request, "m").body)
    with suppress(Garbled):
        response = codec.decode_response(data)
        asked = codec.decode_request(b'{"model":"m","input":"a","content":{"parts":[{"text":"a"}]}}', _WORDS)
        for other in _EMBED:
            json.loads(other.encode_response(response, asked))


def check_events(data: bytes, _: Sequence[int]) -> None:
    """Events of a session never raise, weigh nothing less than nothing, and are renamed to events."""
    asked, told = realtime.read_client(data), realtime.read_server(data)
    assert asked is None or asked.tokens >= 0
    assert told is None or (told.text_bytes >= -2 and told.audio_tokens >= 0)
    assert told is None or all(count >= 0 for count in (told.usage or {}).values())
    renamed = realtime.rename(data, "m", "other")
    assert renamed == data or json.loads(renamed)["session"]["model"] == "other"


def check_costs(data: bytes, places: Sequence[int]) -> None:
    """A cost is written into usage alone, and a stream that is held back for it loses nothing."""
    priced, said = costs.price_answer(data, 5), read(data)
    if said is not None and not said.twice and isinstance(said.get("usage"), dict):
        assert json.loads(priced) == said | {"usage": said["usage"] | {"cost": 5e-9}}
    costs.price_events(data, 5)
    held = costs.Withholding(ChatTap(True, 2 * LONGEST))
    out = b"".join(map(held.feed, cut(data, places))) + held.finish()
    tap = ChatTap(True, 2 * LONGEST)
    assert out == b"".join(map(tap.feed, cut(data, places))) + tap.finish(), "holding back changed a stream"


def check_frames(data: bytes, places: Sequence[int]) -> None:
    """Frames of either side: a cut changes nothing, a violation is the last event, and memory is bounded."""
    for masks in (True, False):
        whole = _spoken([data], masks=masks)
        for pieces in (cut(data, places), grains(data)):
            assert _spoken(pieces, masks=masks) == whole, "a cut changed the frames"
        assert all(not isinstance(event, Violation) for event in whole[:-1])


def _spoken(pieces: Sequence[bytes], *, masks: bool) -> list[websocket.Event]:
    reader = Frames(_LIMIT, masks=masks)
    found: list[websocket.Event] = []
    for piece in pieces:
        reader.add(piece)
        for event in reader.events():
            found.append(event)
            assert not isinstance(event, Message) or len(event.data) <= _LIMIT
        assert len(reader._held) <= _LIMIT + len(piece) + 14
    return found


def check_packed(data: bytes, _: Sequence[int]) -> None:
    """A compressed body is refused, or is what another reader makes of it, and never over the limit."""
    for name, unpack in ((b"gzip", partial(zlib.decompress, wbits=31)), (b"deflate", zlib.decompress)):
        coding = inflating.find_coding(name)
        assert isinstance(coding, int)
        whole = inflating.inflate(data, coding, _LIMIT)
        if isinstance(whole, Fault):
            assert whole.status in (400, 413)
        else:
            assert len(whole) <= _LIMIT
            assert whole == unpack(data)


def check_link(data: bytes, places: Sequence[int]) -> None:
    """Control's frames are messages, skipped or broken, wherever the socket cut them."""
    assert _linked(cut(data, places)) == _linked([data]) == _linked(grains(data))


def _linked(pieces: Sequence[bytes]) -> tuple[list[object], bool]:
    reader, found = frames.Frames(frames.FROM_CONTROL, _LIMIT), list[object]()
    try:
        for piece in pieces:
            found += reader.feed(piece)
    except frames.BrokenFrame:
        return [], True
    return found, False


def rows() -> Iterator[Row]:
    """Name, property, seeds and words of these targets."""
    for form in _SINGLE:
        yield form.id, partial(check_single, form), _SINGLE_SEEDS, JSON_WORDS
    yield "realtime.events", check_events, _EVENTS, (*JSON_WORDS, b'"model":"m"', b'"session":', b'"response":')
    yield "costs", check_costs, _COSTS, (*STREAM_WORDS, b'"usage":{', b'"cost":1', b'"cost_details":{}')
    yield "eventstream", framed.check, framed.SEEDS, framed.WORDS
    yield "websocket", check_frames, _SPOKEN, _FRAME_WORDS
    yield "inflating", check_packed, _PACKED, (b"\x1f\x8b", b"\x78\x9c", b"\0\0\xff\xff", b"\x03\0")
    yield "link", check_link, _LINKED, (b"\0\0\0\x01", b"\x80", b"\x81\xa4type\xa5alive", b"\xff", b"\xc1")
