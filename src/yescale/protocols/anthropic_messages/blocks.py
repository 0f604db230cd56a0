"""Content blocks read into parts. A block that the canonical form can say only in part is also kept whole.

Sources: https://platform.claude.com/docs/en/api/messages and the block types of the `anthropic` SDK.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.content import (
    CachePoint,
    File,
    Image,
    Inline,
    Opaque,
    Part,
    Source,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.domain.seals import unwrap_seal
from yescale.protocols.anthropic_messages import citations, hosted
from yescale.protocols.anthropic_messages.schema import (
    WireCache,
    WireDocument,
    WireImage,
    WireRedacted,
    WireSearchResult,
    WireSource,
    WireText,
    WireThinking,
    WireToolResult,
    WireToolUse,
)
from yescale.protocols.anthropic_messages.taking import kind_of, refuse, says_more, take
from yescale.protocols.anthropic_messages.words import ID

_TEXT: Final = msgspec.json.Decoder(WireText)
_IMAGE: Final = msgspec.json.Decoder(WireImage)
_DOCUMENT: Final = msgspec.json.Decoder(WireDocument)
_SEARCH_RESULT: Final = msgspec.json.Decoder(WireSearchResult)
_THINKING: Final = msgspec.json.Decoder(WireThinking)
_REDACTED: Final = msgspec.json.Decoder(WireRedacted)
_TOOL_USE: Final = msgspec.json.Decoder(WireToolUse)
_TOOL_RESULT: Final = msgspec.json.Decoder(WireToolResult)

_IN_DOCUMENTS: Final = frozenset({"text", "image"})
_IN_RESULTS: Final = frozenset({"text", "image", "document", "search_result"})
SEAL_OF_CALL: Final = "call:"  # a seal that belongs to the tool call that is named behind this


class BlockReader:
    """Reads the blocks of one body. `client`: seals of other formats may stand in them, wrapped."""

    __slots__ = ("_client", "kept")

    def __init__(self, *, client: bool) -> None:
        self._client = client
        self.kept: dict[str, Raw] = {}  # by place: blocks of which a part says less than they do

    def read_all(self, blocks: str | list[Raw], place: str) -> tuple[Part, ...]:
        """The parts of a content, in order."""
        if isinstance(blocks, str):
            return (Text(text=blocks),) if blocks else ()
        parts = [self.read(raw, f"{place}.{number}") for number, raw in enumerate(blocks)]
        return _seal_calls(parts) if self._client else tuple(parts)

    def read(self, raw: Raw, place: str) -> Part:
        """The part that a block says."""
        kind = kind_of(raw, place)
        if not kind:
            raise refuse(f"{place}.type", "is required")
        readers = _READERS
        if kind in readers:
            return readers[kind](self, raw, place)
        return hosted.read_block(kind, raw, place) or Opaque(origin=ID, raw=raw.copy())

    def read_inner(self, blocks: str | list[Raw], place: str, kinds: frozenset[str]) -> list[Part]:
        """The parts within a block. Those that Anthropic has not there stay unread, so that depth has an end."""
        if isinstance(blocks, str):
            return [Text(text=blocks)] if blocks else []
        return [
            self.read(raw, f"{place}.{number}")
            if kind_of(raw, f"{place}.{number}") in kinds
            else Opaque(origin=ID, raw=raw.copy())
            for number, raw in enumerate(blocks)
        ]

    def keep(self, raw: Raw, place: str) -> None:
        """Remember a block whole."""
        self.kept[place] = raw.copy()

    def keep_if_more(self, raw: Raw, known: tuple[str, ...], place: str) -> None:
        """Remember a block that says more than we read of it."""
        if says_more(raw, known, place):
            self.keep(raw, place)

    def text(self, raw: Raw, place: str) -> Text:
        """A `text` block."""
        wire = take(_TEXT, raw, place)
        cited = tuple(citations.read(each, f"{place}.citations.{n}") for n, each in enumerate(wire.citations or ()))
        self.keep_if_more(raw, WireText.__struct_fields__, place)
        return Text(text=wire.text, citations=cited, cache=cache_of(wire.cache_control))

    def image(self, raw: Raw, place: str) -> Part:
        """An `image` block."""
        wire = take(_IMAGE, raw, place)
        self.keep_if_more(raw, WireImage.__struct_fields__, place)
        source = _source(wire.source, f"{place}.source")
        return Image(source=source, cache=cache_of(wire.cache_control))

    def document(self, raw: Raw, place: str) -> Part:
        """A `document` block. One that is made of blocks is, to others, its text; with pictures in it, ours alone."""
        wire = take(_DOCUMENT, raw, place)
        source = wire.source
        if source.type == "content":
            parts = BlockReader(client=self._client).read_inner(
                source.content or "", f"{place}.source.content", _IN_DOCUMENTS
            )
            if not all(isinstance(part, Text) for part in parts):
                return Opaque(origin=ID, raw=raw.copy())
            self.keep(raw, place)
            data = "\n\n".join(part.text for part in parts if isinstance(part, Text))
            source = replace(source, type="text", data=data)
        self.keep_if_more(raw, WireDocument.__struct_fields__, place)
        return File(
            source=_source(source, f"{place}.source"),
            name=wire.title or "",
            context=wire.context or "",
            cited=wire.citations is not None and wire.citations.enabled is True,
            cache=cache_of(wire.cache_control),
        )

    def search_result(self, raw: Raw, place: str) -> Part:
        """A `search_result` block: to others, a text that names its source."""
        wire = take(_SEARCH_RESULT, raw, place)
        self.keep(raw, place)
        body = "\n\n".join(each.text for each in wire.content)
        return Text(text=f"{wire.title}\n{wire.source}\n\n{body}", cache=cache_of(wire.cache_control))

    def thinking(self, raw: Raw, place: str) -> Part:
        """A `thinking` block. One without a signature was no one's we know."""
        wire = take(_THINKING, raw, place)
        if not wire.signature:
            return Thinking(text=wire.thinking, origin=None if self._client else ID)
        seal, origin = unwrap_seal(wire.signature, ID) if self._client else (wire.signature, ID)
        return Thinking(text=wire.thinking, seal=seal, origin=origin)

    def redacted(self, raw: Raw, place: str) -> Part:
        """A `redacted_thinking` block."""
        data = take(_REDACTED, raw, place).data
        seal, origin = unwrap_seal(data, ID) if self._client else (data, ID)
        return Thinking(seal=seal, origin=origin, redacted=True)

    def tool_use(self, raw: Raw, place: str) -> Part:
        """A `tool_use` block."""
        wire = take(_TOOL_USE, raw, place)
        text = input_text(wire.input, f"{place}.input")
        if says_more(raw, WireToolUse.__struct_fields__, place) or not _direct(wire):
            self.keep(raw, place)
        return ToolCall(id=wire.id, name=wire.name, arguments=text, cache=cache_of(wire.cache_control))

    def tool_result(self, raw: Raw, place: str) -> Part:
        """A `tool_result` block. What no other format has within one is, to others, its JSON as text."""
        wire = take(_TOOL_RESULT, raw, place)
        inside = BlockReader(client=self._client)
        content: list[Text | Image | File] = []
        for number, part in enumerate(inside.read_inner(wire.content or "", f"{place}.content", _IN_RESULTS)):
            if isinstance(part, Text | Image | File):
                content.append(part)
                continue
            inner = wire.content[number] if isinstance(wire.content, list) else raw
            content.append(Text(text=bytes(inner).decode(errors="replace")))
            inside.keep(inner, f"{place}.content.{number}")
        if inside.kept or says_more(raw, WireToolResult.__struct_fields__, place):
            self.keep(raw, place)
        return ToolResult(
            call_id=wire.tool_use_id,
            content=tuple(content),
            failed=wire.is_error is True,
            cache=cache_of(wire.cache_control),
        )


_READERS: Final[Mapping[str, Callable[[BlockReader, Raw, str], Part]]] = MappingProxyType(
    {
        "text": BlockReader.text,
        "image": BlockReader.image,
        "document": BlockReader.document,
        "search_result": BlockReader.search_result,
        "thinking": BlockReader.thinking,
        "redacted_thinking": BlockReader.redacted,
        "tool_use": BlockReader.tool_use,
        "tool_result": BlockReader.tool_result,
    }
)


def cache_of(wire: WireCache | None) -> CachePoint | None:
    """The wish to cache that a `cache_control` says."""
    return None if wire is None else CachePoint(wire.ttl or "5m")


def input_text(raw: Raw, place: str) -> str:
    """A call's input, as the text that it is."""
    text = bytes(raw)
    if not text.startswith(b"{"):
        raise refuse(place, "must be an object")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise refuse(place, "is not UTF-8") from None


def _direct(wire: WireToolUse) -> bool:
    return wire.caller is None or wire.caller.type == "direct"


def _source(wire: WireSource, place: str) -> Source:
    """Plain text becomes base64 like all that stands inline."""
    match wire.type:
        case "base64" if wire.data is not None and wire.media_type is not None:
            return Inline(wire.media_type, wire.data)
        case "url" if wire.url is not None:
            return Url(wire.url)
        case "file" if wire.file_id is not None:
            return Stored(wire.file_id, ID)
        case "text" if wire.data is not None:
            return Inline("text/plain", b64encode(wire.data.encode()).decode())
        case _:
            raise refuse(place, "lacks what its type needs")


def _seal_calls(parts: list[Part]) -> tuple[Part, ...]:
    """Give each tool call the seal that an answer of ours carried beside it."""
    seals: dict[str, Thinking] = {}
    left: list[Part] = []
    for part in parts:
        if isinstance(part, Thinking) and part.redacted and part.origin != ID and part.seal.startswith(SEAL_OF_CALL):
            name, _, seal = part.seal.removeprefix(SEAL_OF_CALL).partition(":")
            seals[name] = replace(part, seal=seal)
        else:
            left.append(part)
    return tuple(
        replace(part, seal=seals[part.id].seal, origin=seals[part.id].origin)
        if isinstance(part, ToolCall) and part.id in seals
        else part
        for part in left
    )
