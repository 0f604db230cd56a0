"""Amazon's framing, against botocore's writer and reader of it and against damage."""

import struct
from binascii import crc32
from datetime import UTC, datetime

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from yescale.protocols.eventstream import BadFrame, Frame, Framer

LIMIT = 10_000
names = st.text(min_size=1, max_size=20).filter(lambda name: 0 < len(name.encode()) < 256)


def string(name: str, value: str) -> bytes:
    raw, text = name.encode(), value.encode()
    return struct.pack(">B", len(raw)) + raw + struct.pack(">BH", 7, len(text)) + text


def message(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    unchecked = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return unchecked + struct.pack(">I", crc32(unchecked))


def event(name: str, payload: bytes, kind: str = "event") -> bytes:
    head = string(":event-type" if kind == "event" else f":{kind}-type", name)
    return message(head + string(":message-type", kind), payload)


ODD = (
    struct.pack(">B1sB", 1, b"t", 0) + struct.pack(">B1sB", 1, b"f", 1) + struct.pack(">B1sBb", 1, b"b", 2, -1)
    + struct.pack(">B1sBh", 1, b"s", 3, -2) + struct.pack(">B1sBi", 1, b"i", 4, -3)
    + struct.pack(">B1sBq", 1, b"l", 5, -4) + struct.pack(">B1sBH3s", 1, b"y", 6, 3, b"abc")
    + struct.pack(">B1sBq", 1, b"m", 8, 1_000)
    + struct.pack(">B1sB16s", 1, b"u", 9, bytes(16))
)  # fmt: skip


@given(
    headers=st.dictionaries(names, st.text(max_size=30), max_size=4),
    payload=st.binary(max_size=200),
    number=st.integers(1, 3),
)
def test_botocore_reads_the_same(headers: dict[str, str], payload: bytes, number: int) -> None:
    whole = message(b"".join(string(name, value) for name, value in headers.items()), payload) * number
    buffer = EventStreamBuffer()
    buffer.add_data(whole)
    theirs = [Frame(dict(m.headers), m.payload) for m in buffer]
    assert Framer(LIMIT).feed(whole) == theirs


def test_a_cut_anywhere_changes_nothing() -> None:
    stream = event("a", b'{"x":1}') + message(ODD + string(":event-type", "odd"), b"") + event("b", b"{}", "exception")
    whole = Framer(LIMIT).feed(stream)
    assert [(frame.name, frame.failed) for frame in whole] == [("a", False), ("odd", False), ("b", True)]
    for at in range(len(stream)):
        framer = Framer(LIMIT)
        assert framer.feed(stream[:at]) + framer.feed(stream[at:]) == whole
    framer = Framer(LIMIT)
    assert [frame for byte in stream for frame in framer.feed(bytes([byte]))] == whole


def test_headers_of_every_type_are_passed_over() -> None:
    when = datetime.fromtimestamp(1, UTC)
    buffer = EventStreamBuffer()
    buffer.add_data(message(ODD, b"x"))
    assert next(iter(buffer)).headers["m"] == when.timestamp() * 1_000
    assert Framer(LIMIT).feed(message(ODD, b"x")) == [Frame({}, b"x")]


def test_every_flipped_bit_is_noticed() -> None:
    good = event("a", b'{"x":1}')
    for place in range(len(good) * 8):
        bad = bytearray(good)
        bad[place // 8] ^= 1 << place % 8
        with pytest.raises(BadFrame):
            Framer(LIMIT).feed(bytes(bad) + good)


@pytest.mark.parametrize(
    "bad",
    [
        message(b"\x05ab", b""),  # a name that is longer than what there is
        message(struct.pack(">B1sBH", 1, b"a", 7, 9), b""),  # a value that is
        message(struct.pack(">B1sB", 1, b"a", 12), b""),  # of no known type
        message(struct.pack(">B1sBH2s", 1, b"a", 7, 2, b"\xff\xfe"), b""),  # no text
        struct.pack(">II", 8, 0) + struct.pack(">I", crc32(struct.pack(">II", 8, 0))),  # shorter than a message can be
        struct.pack(">II", 16, 9) + struct.pack(">I", crc32(struct.pack(">II", 16, 9))),  # headers beyond its end
        event("a", b"x" * LIMIT),
    ],
)
def test_what_is_no_message_is_refused(bad: bytes) -> None:
    with pytest.raises(BadFrame):
        Framer(LIMIT).feed(bad)


def test_a_long_message_is_refused_by_its_prelude_alone() -> None:
    prelude = struct.pack(">II", 2**31, 0)
    with pytest.raises(BadFrame, match="bytes"):
        Framer(LIMIT).feed(prelude + struct.pack(">I", crc32(prelude)))


@given(data=st.binary(max_size=80))
def test_any_bytes_raise_nothing_else(data: bytes) -> None:
    framer = Framer(LIMIT)
    try:
        framer.feed(data)
    except BadFrame:
        return
    assert len(framer._held) <= len(data)
