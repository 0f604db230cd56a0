"""Amazon's binary framing of events, `application/vnd.amazon.eventstream`.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html describes it: lengths, headers, payload,
and checksums of the prelude and of the whole message.
"""

import binascii
import struct
from collections.abc import Mapping

from yescale_sandbox.playback import Event

MEDIA = "application/vnd.amazon.eventstream"
_STRING = 7


def event(one: Event) -> bytes:
    """A message of an event; its name is the event's type."""
    return message(
        {":event-type": one.name, ":content-type": "application/json", ":message-type": "event"}, one.payload
    )


def exception(kind: str, payload: bytes) -> bytes:
    """A message of an exception within a stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, payload)


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message with headers that are strings."""
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    unchecked = prelude + struct.pack(">I", binascii.crc32(prelude)) + head + payload
    return unchecked + struct.pack(">I", binascii.crc32(unchecked))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _STRING, len(value)) + value
