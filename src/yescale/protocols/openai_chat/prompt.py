"""How many tokens the prompt of a chat request can count as: never less than a provider may find in it."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from yescale.protocols.fields import NOWHERE, Span, find_long
from yescale.protocols.inline import BYTES_PER_SOUND_TOKEN, BYTES_PER_TOKEN, IMAGE_TOKENS, count_inline
from yescale.protocols.openai_chat.schema import WireMessage, WireMessages

_RAW: Final = msgspec.json.Decoder(WireMessages)
_WHOLE_CONTEXT: Final = 2**40  # the prompt may fill whatever the model takes
_QUOTE: Final = ord('"')
_CONTENT: Final = b'"content"'
_LONG: Final = 512  # bytes of a text worth leaving out

# Where JSON itself, not a text that quotes it, begins a picture or a sound: only these are no text to the model.
_INLINE: Final = re.compile(rb'"(?:url"\s*:\s*"data:[^"\\]{0,100};base64,|data"\s*:\s*")')
_UNSEEN: Final = re.compile(rb'"(?:file_id|file_data|web_search_options)"')  # they bring text that we do not see


def find_texts(messages: list[WireMessage], body: bytes) -> Sequence[Span]:
    """The long plain texts of the messages, in which nothing can be a field. Where one is not found, it and all that
    follow are left where they are.
    """
    return _find_contents(messages, body, texts=True)


def find_contents(messages: list[WireMessage], body: bytes) -> Sequence[Span]:
    """The same of every long content: no top-level field lies in one, though a picture or a file may."""
    return _find_contents(messages, body, texts=False)


def _find_contents(messages: list[WireMessage], body: bytes, *, texts: bool) -> Sequence[Span]:
    spans: list[Span] = []
    kept = 0
    if len(body) < _LONG:
        return spans
    for message in messages:
        content = bytes(message.content)
        if len(content) < _LONG or (texts and content[0] != _QUOTE):
            continue
        span = find_long(body, b"content", content, kept)
        while span == NOWHERE and (other := body.find(_CONTENT, kept)) >= 0:
            kept = other + len(_CONTENT)
            span = find_long(body, b"content", content, kept)
        if span == NOWHERE:
            break
        spans.append(span)
        kept = span[1]
    return spans


def bound_odd_prompt(body: bytes, around: bytes) -> int:
    """The bound of `peek` where there is more than text: half the bytes, pictures and sound by table, and the whole
    context where the provider adds text that we do not see. `around`: the request without its long texts.
    """
    if _UNSEEN.search(around) is not None:
        return _WHOLE_CONTEXT
    raw = bytes(_RAW.decode(body).messages)
    pictures = (around.count(b'"image_url"') + 1) // 2  # as a part's type and as its field
    sounds = b'"input_audio"' in raw
    inline = count_inline(raw, _INLINE) if pictures or sounds else 0
    instead = pictures * IMAGE_TOKENS + (inline // BYTES_PER_SOUND_TOKEN if sounds else 0)
    return (len(body) - inline) // BYTES_PER_TOKEN + instead + 1
