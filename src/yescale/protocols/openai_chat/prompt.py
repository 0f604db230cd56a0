"""How many tokens the prompt of a chat request can count as: never less than a provider may find in it."""

import re
from typing import Final

import msgspec

from yescale.domain.faults import Fault
from yescale.protocols.fields import NOWHERE, find_long
from yescale.protocols.inline import BYTES_PER_SOUND_TOKEN, BYTES_PER_TOKEN, IMAGE_TOKENS, count_inline
from yescale.protocols.openai_chat.schema import WireMessage
from yescale.protocols.reading import read

_MESSAGES: Final = msgspec.json.Decoder(list[WireMessage])
_WHOLE_CONTEXT: Final = 2**40  # the prompt may fill whatever the model takes
_QUOTE: Final = ord('"')
_CONTENT: Final = b'"content"'
_LONG: Final = 512  # bytes of a text worth leaving out

# Where JSON itself, not a text that quotes it, begins a picture or a sound: only these are no text to the model.
_INLINE: Final = re.compile(rb'"(?:url"\s*:\s*"data:[^"\\]{0,100};base64,|data"\s*:\s*")')
_FILE: Final = re.compile(rb'"(?:file_id|file_data)"')  # text that we do not see
_SEARCH: Final = b'"web_search_options"'  # which adds such text


def read_messages(raw: bytes) -> list[WireMessage] | Fault:
    """The messages of a request, their contents unread."""
    return read(_MESSAGES, raw, "messages")


def bound_prompt(messages: list[WireMessage], raw: bytes, around: bytes, size: int) -> int:
    """More tokens than the prompt can count as: half its bytes, pictures and sound by table, and the whole context
    where the provider adds text that we do not see. `raw`: the messages; `around`: the request without them; `size`:
    its bytes.
    """
    parts = _omit_texts(messages, raw) if len(raw) > _LONG else raw
    if _SEARCH in around or _FILE.search(around) is not None or _FILE.search(parts) is not None:
        return _WHOLE_CONTEXT
    pictures = (
        parts.count(b'"image_url"') + around.count(b'"image_url"') + 1
    ) // 2  # as a part's type and as its field
    sounds = b'"input_audio"' in parts
    inline = count_inline(parts, _INLINE) if pictures or sounds else 0
    instead = pictures * IMAGE_TOKENS + (inline // BYTES_PER_SOUND_TOKEN if sounds else 0)
    return (size - inline) // BYTES_PER_TOKEN + instead + 1


def _omit_texts(messages: list[WireMessage], raw: bytes) -> bytes:
    """The messages without their long plain texts, in which nothing can be a field. Where one is not found, it and all
    that follow stay, and are searched.
    """
    pieces: list[bytes] = []
    kept = 0
    for message in messages:
        content = bytes(message.content)
        if len(content) < _LONG or content[0] != _QUOTE:
            continue
        place = find_long(raw, b"content", content, kept)
        while place == NOWHERE and (other := raw.find(_CONTENT, kept)) >= 0:
            pieces.append(raw[kept : other + len(_CONTENT)])
            kept = other + len(_CONTENT)
            place = find_long(raw, b"content", content, kept)
        if place == NOWHERE:
            break
        pieces.append(raw[kept : place[0]])
        kept = place[1]
    return b"".join((*pieces, raw[kept:])) if pieces else raw
