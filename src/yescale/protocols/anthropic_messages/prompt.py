"""How many tokens the prompt of a request can count as: never less than a provider may find in it."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.protocols.anthropic_messages.schema import NOTHING
from yescale.protocols.inline import BYTES_PER_TOKEN, IMAGE_TOKENS

WHOLE_CONTEXT: Final = 2**40  # the prompt may fill whatever the model takes
TOOL_TOKENS: Final = 1_000  # at most, of the words that Anthropic adds where there are tools
# Text that we do not see: documents, files, what a search or code finds, another server's tools.
_UNSEEN: Final = re.compile(
    rb'"(?:document|file_id|container_upload|mcp_servers|container|mcp_toolset'
    rb'|(?:web_search|web_fetch|code_execution|tool_search_tool_regex|tool_search_tool_bm25)_20\d+)"'
)
_ESCAPED_LETTER: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u00[4-7]")  # no writer of JSON escapes these


class _Source(Struct, frozen=True, gc=False):
    type: str = ""
    data: Raw = NOTHING


class _Block(Struct, frozen=True, gc=False):
    type: str = ""
    source: Raw = NOTHING
    content: Raw = NOTHING


class _Turn(Struct, frozen=True, gc=False):
    content: Raw = NOTHING


_TURNS: Final = msgspec.json.Decoder(list[_Turn])
_BLOCKS: Final = msgspec.json.Decoder(list[_Block])
_SOURCE: Final = msgspec.json.Decoder(_Source)
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_LIST: Final = ord("[")


def bound_prompt(messages: bytes, around: bytes) -> int:
    """More tokens than the prompt can count as: half its bytes, pictures by table, and the whole context where text
    is added that we do not see. `around`: the request without its messages.
    """
    if any(_may_hold_more(part) for part in (around, messages)):
        return WHOLE_CONTEXT
    pictures = messages.count(b'"image"')
    inline = sum(_find_pictures(messages)) if pictures and b'"base64"' in messages else 0
    tools = TOOL_TOKENS if b'"tools"' in around else 0
    return (len(messages) + len(around) - inline) // BYTES_PER_TOKEN + pictures * IMAGE_TOKENS + tools + 1


def _may_hold_more(part: bytes) -> bool:
    """Whether a part of the request asks for text that we do not see, or spells words so that they cannot be found."""
    return _UNSEEN.search(part) is not None or (b"\\u00" in part and _ESCAPED_LETTER.search(part) is not None)


def _find_pictures(messages: bytes) -> Iterator[int]:
    """The bytes of each picture that is a picture: nothing else may go uncounted as text."""
    try:
        for turn in _TURNS.decode(messages):
            yield from _find_in(turn.content)
    except _BROKEN:
        return


def _find_in(content: Raw) -> Iterator[int]:
    if memoryview(content)[0] != _LIST:
        return
    for block in _BLOCKS.decode(content):
        if block.type == "image":
            source = _SOURCE.decode(block.source)
            yield memoryview(source.data).nbytes if source.type == "base64" else 0
        elif block.type == "tool_result":
            yield from _find_in(block.content)
