"""WebSocket on bytes: frames in every cut, and each way to break the protocol."""

import pytest

from yescale_sandbox import websocket
from yescale_sandbox.websocket import BrokenError, Close, Decoder, Message, Ping, Pong


def frame(kind: int, payload: bytes, *, ends: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """A frame as clients send it."""
    first = (128 if ends else 0) | reserved | kind
    size = len(payload)
    short, extra = (size, 0) if size < 126 else (126, 2) if size < 65_536 else (127, 8)
    length = bytes([short]) + size.to_bytes(extra, "big") if extra else bytes([short])
    if not masked:
        return bytes([first]) + length + payload
    mask = b"\x11\x22\x33\xf4"
    body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([first, length[0] | 128]) + length[1:] + mask + body


STREAM = b"".join(
    (
        frame(1, "h\u00e9".encode()[:2], ends=False),
        frame(9, b"are you there"),
        frame(0, "h\u00e9".encode()[2:]),
        frame(2, bytes(70_000)),
        frame(1, b"x" * 300),
        frame(10, b""),
        frame(8, (1000).to_bytes(2, "big") + b"bye"),
    )
)
HEARD = [
    Ping(b"are you there"),
    Message("h\u00e9".encode(), True),
    Message(bytes(70_000), False),
    Message(b"x" * 300, True),
    Pong(b""),
    Close(1000),
]


def test_frames_are_heard_whole() -> None:
    assert list(Decoder().feed(STREAM)) == HEARD


@pytest.mark.parametrize("place", [*range(40), 70_020, 70_040, len(STREAM) - 1])
def test_a_cut_anywhere_changes_nothing(place: int) -> None:
    decoder = Decoder()
    assert [*decoder.feed(STREAM[:place]), *decoder.feed(STREAM[place:])] == HEARD


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(1, b"x", masked=False), 1002),
        (frame(1, b"x", reserved=64), 1002),
        (frame(3, b"x"), 1002),
        (frame(9, b"x" * 126), 1002),
        (frame(9, b"x", ends=False), 1002),
        (frame(0, b"x"), 1002),
        (frame(1, b"x", ends=False) + frame(1, b"x"), 1002),
        (frame(8, b"x"), 1002),
        (frame(8, (1005).to_bytes(2, "big")), 1002),
        (frame(1, b"\xff"), 1007),
        (frame(8, (1000).to_bytes(2, "big") + b"\xff"), 1007),
        (frame(2, bytes(101)), 1009),
        (frame(2, bytes(60), ends=False) + frame(0, bytes(60)), 1009),
    ],
)
def test_a_broken_protocol_has_its_code(data: bytes, code: int) -> None:
    with pytest.raises(BrokenError) as broken:
        list(Decoder(100).feed(data))
    assert broken.value.code == code


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_the_servers_frames_say_their_length(size: int) -> None:
    made = websocket.text(bytes(size))
    assert made[0] == 129
    assert made[-size:] == bytes(size) if size else made == b"\x81\x00"
    assert len(made) == size + (2 if size < 126 else 4 if size < 65_536 else 10)


# The example of RFC 6455, section 1.3.
GOOD = {
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}


def test_a_handshake_is_accepted_as_the_standard_says() -> None:
    assert websocket.accepted(GOOD) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "change",
    [
        {"upgrade": "h2c"},
        {"connection": "keep-alive"},
        {"sec-websocket-key": "short"},
        {"sec-websocket-version": "8"},
    ],
)
def test_other_handshakes_are_not(change: dict[str, str]) -> None:
    assert websocket.accepted({**GOOD, **change}) is None
