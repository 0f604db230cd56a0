"""What the client sees of keeping: a response says `store` and `previous_response_id` as its request did.

The upstream was told otherwise: it keeps nothing and knows of no response before this one. These two fields of a
response, whole or in an event, are the only bytes of a passing answer that are changed.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.protocols import sse
from yescale.protocols.reading import BROKEN

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_JSON: Final = msgspec.json.Encoder()
# Events with a whole response in them: https://platform.openai.com/docs/api-reference/responses-streaming
_WHOLE: Final = re.compile(rb"response\.(?:created|queued|in_progress|completed|incomplete|failed|cancelled)\b")


class Shown(Struct, frozen=True, gc=False):
    """As the client asked: the response that this one goes on from ("" = none), and whether it is kept."""

    previous: str
    stored: bool


def show_response(response: bytes, shown: Shown) -> bytes:
    """A response object with its two fields as the client asked; what is none comes back as it is."""
    try:
        fields = _FIELDS.decode(response)
    except BROKEN:
        return response
    fields["store"] = Raw(b"true" if shown.stored else b"false")
    fields["previous_response_id"] = Raw(_JSON.encode(shown.previous or None))
    return _JSON.encode(fields)


def show_events(block: bytes, shown: Shown) -> bytes:
    """The same for whole events of a stream; those without a response keep every byte."""
    if _WHOLE.search(block) is None:
        return block
    return b"".join(_show_event(event, shown) if _WHOLE.search(event) else event for event in sse.split(block))


def _show_event(event: bytes, shown: Shown) -> bytes:
    name, data = sse.data_of(event)
    try:
        fields = _FIELDS.decode(data)
    except BROKEN:
        return event
    if "response" not in fields:
        return event
    fields["response"] = Raw(show_response(bytes(fields["response"]), shown))
    told = _JSON.encode(fields).replace(b"\n", b"").replace(b"\r", b"")
    if data in event:
        return event.replace(data, told, 1)
    return (b"event: %b\n" % name if name else b"") + b"data: %b\n\n" % told
