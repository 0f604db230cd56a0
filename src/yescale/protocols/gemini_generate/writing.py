"""What requests and answers write alike: pictures, calls, seals. Wire objects are dicts whose values may be Raw."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.content import Inline, Source, Stored, Thinking, ToolCall, Url
from yescale.protocols.gemini_generate.seals import ORIGIN, carry

Wire = dict[str, object]

ENCODER: Final = msgspec.json.Encoder()
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
BROKEN: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def open_object(text: str) -> Mapping[str, Raw] | None:
    """The members of a JSON object; None if the text is none."""
    try:
        return _OBJECT.decode(text)
    except BROKEN:
        return None


def write_source(source: Source) -> Wire | None:
    """`inlineData` or `fileData`; None where only another format knows the file."""
    match source:
        case Inline(media_type, data):
            return {"inlineData": {"mimeType": media_type, "data": data}}
        case Url(url, media_type):
            uri = url
        case Stored(uri, origin, media_type):
            if origin != ORIGIN:
                return None
    file: Wire = {"fileUri": uri}
    if media_type:
        file["mimeType"] = media_type
    return {"fileData": file}


def write_arguments(call: ToolCall) -> tuple[object, bool]:
    """`args`, which must be an object, byte for byte where they are one; and whether they are as the model wrote them.

    No text at all is how OpenAI writes no arguments. Other text is kept under a name of its own, never dropped.
    """
    if call.custom:
        return {"input": call.arguments}, True
    text = call.arguments.strip()
    if not text:
        return {}, True
    if open_object(text) is None:
        return {"_raw": call.arguments}, False
    return Raw(text.encode()), True


def write_call(call: ToolCall, seal: str) -> tuple[Wire, bool]:
    """A `functionCall` with its signature, and whether its arguments are as the model wrote them."""
    arguments, exact = write_arguments(call)
    wire: Wire = {"functionCall": {"id": call.id, "name": call.name, "args": arguments}}
    if seal:
        wire["thoughtSignature"] = seal
    return wire, exact


def write_thought(part: Thinking) -> Wire:
    """Thoughts with their seal. One without words and without the mark of a thought is nothing but a seal."""
    seal = carry(part.seal, part.origin)
    wire: Wire = {"text": part.text}
    if not part.redacted:
        wire["thought"] = True
    if seal:
        wire["thoughtSignature"] = seal
    return wire
