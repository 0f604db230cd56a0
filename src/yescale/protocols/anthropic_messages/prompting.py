"""Parts written into blocks of a prompt for Anthropic: each one is on the wire or in the losses."""

import re
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal, assert_never

from msgspec import Raw

from yescale.domain.content import (
    Audio,
    CachePoint,
    File,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Opaque,
    Part,
    Refusal,
    Source,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.domain.loss import Loss
from yescale.protocols.anthropic_messages.taking import object_text
from yescale.protocols.anthropic_messages.words import ID

Block = dict[str, object]
Weight = Literal["hint", "setting", "content"]

_PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF: Final = "application/pdf"
_TOOL_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FENCE: Final = "```"


class BlockWriter:
    """Writes the blocks of one request and gathers what is lost. `kept`: blocks to be repeated whole, by place."""

    __slots__ = ("_kept", "losses")

    def __init__(self, kept: Mapping[str, Raw]) -> None:
        self._kept = kept
        self.losses: list[Loss] = []

    def lose(self, what: str, why: str, weight: Weight) -> None:
        """Record what could not be said."""
        self.losses.append(Loss(what, why, weight))

    def write(self, part: Part, role: str, place: str) -> Block | Raw | None:
        """The block of one part of a turn; None where there is none."""
        if place in self._kept:
            return self._kept[place]
        match part:
            case Image() | File() if role == "assistant":
                return self._nothing(f"part.{_name(part)}", "Anthropic takes none in the assistant's turns", "content")
            case Text() | Refusal():
                return self.text(part if isinstance(part, Text) else Text(text=part.text))
            case Image():
                return self._image(part)
            case File():
                return self._file(part)
            case Audio():
                return self._audio(part)
            case _:
                return self._write_act(part)

    def _write_act(
        self, part: Thinking | ToolCall | ToolResult | HostedCall | HostedResult | Opaque
    ) -> Block | Raw | None:
        match part:
            case Thinking():
                return self._thinking(part)
            case ToolCall():
                return self._tool_call(part)
            case ToolResult():
                return self._tool_result(part)
            case HostedCall() | HostedResult():
                return self._hosted(part)
            case Opaque():
                if part.origin == ID:
                    return part.raw
                return self._nothing("part.opaque", f"only {part.origin} can read it", "content")
            case _:
                assert_never(part)

    def text(self, part: Text) -> Block | None:
        """A text; Anthropic refuses an empty one."""
        if not part.text:
            return None
        block: Block = {"type": "text", "text": part.text}
        own = [each.raw for each in part.citations if each.origin == ID and each.raw is not None]
        if own:
            block["citations"] = own
        if len(own) < len(part.citations):
            self.lose("text.citations", "Anthropic takes back its own citations only", "hint")
        return _cached(block, part.cache)

    def _nothing(self, what: str, why: str, weight: Weight) -> None:
        self.lose(what, why, weight)

    def _image(self, part: Image) -> Block | None:
        if part.detail is not None:
            self.lose("image.detail", "Anthropic has one way to look at a picture", "hint")
        source = part.source
        if isinstance(source, Inline) and source.media_type not in _PICTURES:
            return self._nothing("part.image", f"Anthropic takes no pictures of type {source.media_type}", "content")
        wire = self._source(source, "part.image")
        return None if wire is None else _cached({"type": "image", "source": wire}, part.cache)

    def _file(self, part: File) -> Block | None:
        wire = self._document(part.source)
        if wire is None:
            return None
        block: Block = {"type": "document", "source": wire}
        if part.name:
            block["title"] = part.name
        if part.context:
            block["context"] = part.context
        if part.cited:
            block["citations"] = {"enabled": True}
        return _cached(block, part.cache)

    def _document(self, source: Source) -> Block | None:
        """A document's source: PDF as base64, any text as text."""
        if not isinstance(source, Inline) or source.media_type == _PDF:
            return self._source(source, "part.file")
        text = _read_text(source)
        if text is None:
            return self._nothing("part.file", f"Anthropic takes PDF and text, not {source.media_type}", "content")
        return {"type": "text", "media_type": "text/plain", "data": text}

    def _source(self, source: Source, what: str) -> Block | None:
        match source:
            case Inline():
                return {"type": "base64", "media_type": source.media_type, "data": source.data}
            case Url():
                return {"type": "url", "url": source.url}
            case Stored():
                if source.origin == ID:
                    return {"type": "file", "file_id": source.file_id}
                return self._nothing(what, f"the file is stored at {source.origin}", "content")

    def _audio(self, part: Audio) -> Block | None:
        if not part.transcript:
            return self._nothing("part.audio", "Anthropic hears no sound", "content")
        self.lose("part.audio", "Anthropic hears no sound: its transcript is sent", "setting")
        return {"type": "text", "text": part.transcript}

    def _thinking(self, part: Thinking) -> Block | None:
        """Anthropic verifies its own thoughts by their seal and refuses any others, so these stay out: no model reads
        another's, and the answer that they led to follows them.
        """
        if not is_sealed(part):
            return self._nothing("thinking", "Anthropic takes back only thoughts that it sealed", "hint")
        if part.redacted:
            return {"type": "redacted_thinking", "data": part.seal}
        return {"type": "thinking", "thinking": part.text, "signature": part.seal}

    def _tool_call(self, part: ToolCall) -> Block:
        if part.seal and part.origin != ID:
            self.lose("tool_call.seal", f"only {part.origin} can read it", "hint")
        return _cached(
            {"type": "tool_use", "id": tool_id(part.id), "name": part.name, "input": self._input(part)}, part.cache
        )

    def _input(self, part: ToolCall) -> Raw | Block:
        """Arguments as the object that Anthropic wants. No arguments are `{}`; free text and text that is no object go
        inside one, where the model can still read them.
        """
        if part.custom:
            return {"input": part.arguments}
        if not part.arguments.strip():
            return {}
        if object_text(part.arguments):
            return Raw(part.arguments.encode())
        self.lose("tool_call.arguments", "they are no JSON object: they go as text under '_raw'", "setting")
        return {"_raw": part.arguments}

    def _tool_result(self, part: ToolResult) -> Block:
        block: Block = {"type": "tool_result", "tool_use_id": tool_id(part.call_id)}
        content = [self.write(each, "user", "") for each in part.content]
        if part.content:
            block["content"] = [each for each in content if each is not None]
        if part.failed:
            block["is_error"] = True
        return _cached(block, part.cache)

    def _hosted(self, part: HostedCall | HostedResult) -> Block | Raw | None:
        """Another provider's calls: code and its output as fenced text; of a search, its answer says what it found."""
        if part.origin == ID:
            return part.raw
        if part.tool != "code_execution":
            return self._nothing("part.hosted", f"what {part.origin} called and found itself", "hint")
        self.lose("part.hosted", "code that another provider ran goes as text", "hint")
        label, body = ("json", part.arguments) if isinstance(part, HostedCall) else ("output", part.text)
        return {"type": "text", "text": f"{_FENCE}{label}\n{body}\n{_FENCE}"}


def is_sealed(thought: Thinking) -> bool:
    """Whether Anthropic takes this thought back."""
    return thought.origin == ID and thought.seal != ""


def tool_id(call_id: str) -> str:
    """The id of a call in letters that Anthropic takes; the same for a call and its result."""
    if _TOOL_ID.fullmatch(call_id):
        return call_id
    return f"call_{sha256(call_id.encode(errors='surrogatepass')).hexdigest()[:32]}"


def cache_control(cache: CachePoint) -> Block:
    """A cache point; five minutes are the default and need no word."""
    return {"type": "ephemeral"} if cache.ttl == "5m" else {"type": "ephemeral", "ttl": cache.ttl}


def _cached(block: Block, cache: CachePoint | None) -> Block:
    if cache is not None:
        block["cache_control"] = cache_control(cache)
    return block


def _name(part: Image | File) -> str:
    return "image" if isinstance(part, Image) else "file"


def _read_text(source: Inline) -> str | None:
    """The text of an inline file of a textual kind; None where it is none."""
    if not (source.media_type.startswith("text/") or source.media_type in {"application/json", "application/xml"}):
        return None
    try:
        return b64decode(source.data, validate=True).decode()
    except ValueError:
        return None
