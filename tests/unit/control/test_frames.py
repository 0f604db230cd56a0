"""What control makes of bytes on the link that are no frames of a worker's."""

import asyncio

import pytest

from yescale.control.frames import FrameBroken, read_frame


async def read(data: bytes) -> object:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await read_frame(reader, limit=1_000)


@pytest.mark.parametrize(
    "body",
    [b"\xc1\xc1\xc1", b"\x81\xa1\x80\x00", b"\x81\xa4type\xa1\x80", b"\x91" * 900],
    ids=lambda body: repr(body[:8]),
)
async def test_what_is_no_message_breaks_the_link_and_nothing_else(body: bytes) -> None:
    with pytest.raises(FrameBroken):
        await read(len(body).to_bytes(4, "big") + body)


async def test_a_frame_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(FrameBroken, match="above the limit"):
        await read((1_001).to_bytes(4, "big"))
