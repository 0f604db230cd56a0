"""How many tokens the prompt of a request can count as: never less than a provider may find in it."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.protocols.anthropic_messages.schema import NOTHING, WirePeek
from yescale.protocols.anthropic_messages.taking import said
from yescale.protocols.inline import BYTES_PER_TOKEN, IMAGE_TOKENS

WHOLE_CONTEXT: Final = 2**40  # the prompt may fill whatever the model takes
TOOL_TOKENS: Final = 1_000  # at most, of what Anthropic adds for tools at all, and for each one of its own
# Tools whose finds we do not see, and blocks that are more than their bytes.
_UNSEEN_TOOLS: Final = ("web_search_", "web_fetch_", "code_execution_", "tool_search_tool_", "mcp_toolset")
_UNSEEN_BLOCKS: Final = frozenset({"document", "container_upload"})
_LIST: Final = ord("[")
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Source(Struct, frozen=True, gc=False):
    type: str = ""
    data: Raw = NOTHING


class _Block(Struct, frozen=True):
    type: str = ""
    source: _Source | str | None = None
    content: Raw = NOTHING


class _Turn(Struct, frozen=True, gc=False):
    content: Raw = NOTHING


_TURNS: Final = msgspec.json.Decoder(list[_Turn])
_BLOCKS: Final = msgspec.json.Decoder(list[_Block])


class _Sum:
    """What lies in the blocks of a prompt."""

    __slots__ = ("inline", "pictures", "unseen")

    def __init__(self) -> None:
        self.pictures = 0
        self.inline = 0  # bytes of pictures, which are no text
        self.unseen = False

    def add(self, contents: Iterable[Raw], *, within: bool = False) -> None:
        """Take in contents that are lists of blocks; plain texts need no look. `within`: of results of tools, which
        hold no others.
        """
        for content in contents:
            if memoryview(content)[0] == _LIST:
                self._add_blocks(_BLOCKS.decode(content), within)

    def _add_blocks(self, blocks: list[_Block], within: bool) -> None:
        for block in blocks:
            if block.type == "image" and isinstance(block.source, _Source):
                self._add_picture(block.source)
            elif block.type in _UNSEEN_BLOCKS or (within and block.type == "tool_result"):
                self.unseen = True
        results = [] if within else [block.content for block in blocks if block.type == "tool_result"]
        if results:
            self.add(results, within=True)

    def _add_picture(self, source: _Source) -> None:
        self.pictures += 1
        self.unseen = self.unseen or source.type == "file"
        if source.type == "base64":
            self.inline += memoryview(source.data).nbytes


def bound_prompt(wire: WirePeek, size: int) -> int:
    """More tokens than the prompt can count as: half its bytes, pictures by table, and the whole context where text is
    added that we do not see, or the blocks are not of the usual form. `size`: the request's bytes.
    """
    kinds = [tool.type for tool in wire.tools or () if tool.type is not None]
    if said(wire.mcp_servers) or said(wire.container) or any(kind.startswith(_UNSEEN_TOOLS) for kind in kinds):
        return WHOLE_CONTEXT
    found = _Sum()
    try:
        found.add(turn.content for turn in _TURNS.decode(wire.messages))
    except _BROKEN:
        return WHOLE_CONTEXT
    if found.unseen:
        return WHOLE_CONTEXT
    tools = TOOL_TOKENS * (len(kinds) + 1) if wire.tools else 0
    return (size - found.inline) // BYTES_PER_TOKEN + found.pictures * IMAGE_TOKENS + tools + 1
