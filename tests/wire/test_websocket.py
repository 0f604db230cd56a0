"""Laws of the frame codec: RFC 6455's vectors, every cut, both roles, and a Violation for what is broken."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yescale.wire import handshake, websocket
from yescale.wire.websocket import Close, Frames, Message, Ping, Pong, Violation

MOST = 70_000
MASK = bytes.fromhex("37fa213d")


def read(data: bytes, *, masks: bool = True, most: int = MOST) -> list[websocket.Event]:
    frames = Frames(most, masks=masks)
    frames.add(data)
    return list(frames.events())


def masked(kind: int, payload: bytes, *, fin: bool = True) -> bytes:
    made = websocket.frame(kind, payload, MASK)
    return made if fin else bytes((made[0] & 0x7F,)) + made[1:]


def test_the_vectors_of_the_rfc_are_read_and_written() -> None:
    """RFC 6455, sections 1.3 and 5.7."""
    assert handshake.accept(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert read(bytes.fromhex("810548656c6c6f"), masks=False) == [Message(b"Hello", True)]
    assert read(bytes.fromhex("818537fa213d7f9f4d5158")) == [Message(b"Hello", True)]
    assert read(bytes.fromhex("010348656c80026c6f"), masks=False) == [Message(b"Hello", True)]
    assert read(bytes.fromhex("890548656c6c6f"), masks=False) == [Ping(b"Hello")]
    assert read(bytes.fromhex("8a8537fa213d7f9f4d5158")) == [Pong(b"Hello")]
    assert websocket.frame(websocket.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    assert websocket.frame(websocket.TEXT, b"Hello", MASK) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert websocket.frame(websocket.BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert websocket.frame(websocket.BINARY, bytes(65_536))[:10] == bytes.fromhex("827f0000000000010000")


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=300)), max_size=6), st.booleans())
def test_what_is_written_is_read(said: list[tuple[bool, str]], masks: bool) -> None:
    wire = b"".join(
        websocket.frame(websocket.TEXT if text else websocket.BINARY, words.encode(), os.urandom(4) if masks else b"")
        for text, words in said
    )
    assert read(wire, masks=masks) == [Message(words.encode(), text) for text, words in said]


def test_cutting_the_bytes_anywhere_changes_nothing() -> None:
    wire = (
        masked(websocket.TEXT, "Grüße".encode()[:3], fin=False)
        + masked(websocket.PING, b"between")
        + masked(0, "Grüße".encode()[3:])
        + masked(websocket.BINARY, bytes(range(200)))
        + masked(websocket.CLOSE, websocket.closing(1001, "bye"))
    )
    whole = [Ping(b"between"), Message("Grüße".encode(), True), Message(bytes(range(200)), False), Close(1001, "bye")]
    for cut in range(len(wire) + 1):
        frames = Frames(MOST, masks=True)
        found: list[websocket.Event] = []
        for piece in (wire[:cut], wire[cut:]):
            frames.add(piece)
            found += frames.events()
        assert found == whole, cut
    frames = Frames(MOST, masks=True)
    found = []
    for place in range(len(wire)):
        frames.add(wire[place : place + 1])
        found += frames.events()
    assert found == whole


HOSTILE = {
    "no mask": (websocket.frame(websocket.TEXT, b"x"), 1002),
    "a reserved bit": (bytes((0xC1, 0x80)) + MASK, 1002),
    "an unknown data frame": (bytes((0x83, 0x80)) + MASK, 1002),
    "an unknown control frame": (bytes((0x8B, 0x80)) + MASK, 1002),
    "a ping in pieces": (masked(websocket.PING, b"", fin=False), 1002),
    "a long ping": (masked(websocket.PING, bytes(126)), 1002),
    "a continuation of nothing": (masked(0, b"x"), 1002),
    "a text inside a text": (masked(1, b"x", fin=False) + masked(1, b"y"), 1002),
    "a close of one byte": (masked(websocket.CLOSE, b"\x03"), 1002),
    "a close with a code that is never sent": (masked(websocket.CLOSE, b"\x03\xed"), 1002),
    "a close with a code of no one": (masked(websocket.CLOSE, b"\x00\x07"), 1002),
    "a close whose reason is no text": (masked(websocket.CLOSE, b"\x03\xe8\xff"), 1007),
    "text that is not UTF-8": (masked(websocket.TEXT, b"\xc3("), 1007),
    "text that ends inside a character": (masked(websocket.TEXT, b"\xc3", fin=False) + masked(0, b""), 1007),
    "a surrogate": (masked(websocket.TEXT, b"\xed\xa0\x80"), 1007),
    "too long a message": (masked(websocket.TEXT, bytes(MOST + 1))[:14], 1009),
    "too long a message in pieces": (masked(1, bytes(MOST), fin=False) + masked(0, b"x")[:6], 1009),
    "a length of eight bytes that is past all memory": (bytes((0x82, 0xFF)) + b"\xff" * 8 + MASK, 1009),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_frames_end_in_a_violation_with_the_code_that_fits(name: str) -> None:
    data, code = HOSTILE[name]
    frames = Frames(MOST, masks=True)
    frames.add(masked(websocket.TEXT, b"before") + data + masked(websocket.TEXT, b"after"))
    found = list(frames.events())
    assert found[0] == Message(b"before", True)
    assert isinstance(found[1], Violation)
    assert (found[1].code, len(found)) == (code, 2)
    frames.add(masked(websocket.TEXT, b"later"))
    assert list(frames.events()) == []


def test_a_server_must_not_mask() -> None:
    assert read(masked(websocket.TEXT, b"x"), masks=False) == [
        Violation(1002, "a frame must be masked by a client, and not by a server")
    ]


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_without_an_exception_and_bounded(data: bytes, masks: bool) -> None:
    for event in read(data, masks=masks, most=64):
        if isinstance(event, Message):
            assert len(event.data) <= 64


def test_noise_over_valid_frames_never_raises() -> None:
    dice = random.Random(7)
    wire = bytearray(masked(1, b"hello", fin=False) + masked(9, b"p") + masked(0, b"world") + masked(8, b"\x03\xe8"))
    for _ in range(3_000):
        broken = bytearray(wire)
        for _ in range(dice.randrange(1, 4)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        for event in read(bytes(broken)):
            assert isinstance(event, Message | Ping | Pong | Close | Violation)


def test_a_close_frame_is_never_written_with_a_code_or_a_reason_that_may_not_stand_there() -> None:
    assert websocket.closing(websocket.LOST, "x") == b""
    long = websocket.closing(1008, "é" * 100)
    assert len(long) <= 125
    assert read(masked(websocket.CLOSE, long)) == [Close(1008, "é" * 61)]
