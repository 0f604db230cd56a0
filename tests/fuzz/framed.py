"""Amazon's frames around lines of input: an event's name, a blank and its payload; `!` before the name of an error.

Chance never meets a checksum, so that the input is what stands within the frames.
"""

import base64
import struct
from binascii import crc32
from collections.abc import Sequence

from tests.fuzz.pieces import LONGEST, cut, grains
from yescale.protocols.eventstream import BadFrame, Frame, Framer

_STRING = 7
_USAGE = b'metadata {"usage":{"inputTokens":3,"outputTokens":2,"cacheReadInputTokens":1}}'
CONVERSE = (
    b'messageStart {"role":"assistant"}\ncontentBlockDelta {"contentBlockIndex":0,"delta":{"text":"h\xc3\xa9"}}\n'
    b'contentBlockStop {"contentBlockIndex":0}\nmessageStop {"stopReason":"end_turn"}\n' + _USAGE,
    b'messageStart {"role":"assistant"}\n'
    b'contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}\n'
    b'contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}\n'
    b'contentBlockStop {"contentBlockIndex":0}\n'
    b'contentBlockStart {"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}\n'
    b'contentBlockDelta {"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}}\n'
    b'contentBlockStop {"contentBlockIndex":1}\nmessageStop {"stopReason":"tool_use"}\n' + _USAGE,
    b'messageStart {"role":"assistant"}\n!throttlingException {"message":"no"}',
    b'contentBlockDelta {"contentBlockIndex":0,"delta":{"citation":{"title":"t","location":{"web":{"url":"u"}}}}}',
    b'contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"redactedContent":"QUFB"}}}',
)
CONVERSE_ANSWERS = (
    b'{"output":{"message":{"role":"assistant","content":[{"text":"a"},{"toolUse":{"toolUseId":"t","name":"f",'
    b'"input":{"a":1.10}}}]}},"stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":2}}',
    b'{"output":{"message":{"content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},'
    b'{"citationsContent":{"content":[{"text":"a"}],"citations":[{"title":"t","sourceContent":[{"text":"q"}]}]}},'
    b'{"image":{"format":"png","source":{"bytes":"QQ=="}}}]}},"stopReason":"stop_sequence",'
    b'"additionalModelResponseFields":{"stop_sequence":"X"}}',
    b'{"__type":"com.amazon#ThrottlingException","message":"slow"}',
)
CLAUDE = (
    b'{"type":"message_start","message":{"id":"i","usage":{"input_tokens":1}}}\n'
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n'
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"h"}}\n'
    b'{"type":"content_block_stop","index":0}\n'
    b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n{"type":"message_stop"}',
    b'{"type":"message_start","message":{"id":"i"}}\n!modelStreamErrorException {"message":"no"}',
)
WORDS = (b"\0", b"\0\0\0\x10", b"\xff\xff\xff\xff", b"\x07", b":event-type", b"\0\0", b"{}")


def named(data: bytes) -> bytes:
    """Each line as a frame of its name."""
    return b"".join(_frame(*_split(line)) for line in data.split(b"\n"))


def chunks(data: bytes) -> bytes:
    """Each line as a frame that holds an event of Anthropic's; errors as they are."""
    return b"".join(
        _frame(*_split(line)) if line.startswith(b"!") else _frame(b"chunk", b'{"bytes":"%b"}' % base64.b64encode(line))
        for line in data.split(b"\n")
    )


def _split(line: bytes) -> tuple[bytes, bytes]:
    name, _, payload = line.partition(b" ")
    return name, payload


def _frame(name: bytes, payload: bytes) -> bytes:
    kind = b"exception" if name.startswith(b"!") else b"event"
    named = name.removeprefix(b"!")[:200]
    return message(_header(b":%b-type" % kind, named) + _header(b":message-type", kind), payload)


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _STRING, len(value)) + value


def message(headers: bytes, payload: bytes) -> bytes:
    """A message with good checksums."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    unchecked = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return unchecked + struct.pack(">I", crc32(unchecked))


SEEDS = (*map(named, CONVERSE), *map(chunks, CLAUDE), b"\0\x01b\0\0\x01y\x06\0\x01abc\0")


def check(data: bytes, places: Sequence[int]) -> None:
    """Raises where the framing breaks a promise: as bytes of the network, and as headers within good checksums."""
    for stream in (data, message(data, b"{}") + message(b"", data)):
        whole = _read([stream])
        for pieces in (cut(stream, places), grains(stream)):
            assert _read(pieces) == whole, "a cut changed the frames"


def _read(pieces: Sequence[bytes]) -> tuple[list[Frame], bool]:
    """The frames, and whether the rest is broken. What lies before broken bytes may have been heard, or not."""
    framer, found = Framer(2 * LONGEST), list[Frame]()
    for piece in pieces:
        try:
            found += framer.feed(piece)
        except BadFrame:
            return [], True
        assert len(framer._held) <= 2 * LONGEST + len(piece)
    return found, False
