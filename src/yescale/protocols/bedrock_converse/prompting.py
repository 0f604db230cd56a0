"""Parts written into blocks of a prompt for Converse: each one is on the wire or in the losses.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Final, Literal, assert_never

import msgspec
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
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from yescale.domain.loss import Loss
from yescale.protocols.bedrock_converse.words import CLAUDE, DOCUMENTS, ID, PICTURES

Block = dict[str, object]
Weight = Literal["hint", "setting", "content"]

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_TOOL_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9 ()\[\]-]+")
_LONGEST_NAME: Final = 200
_FENCE: Final = "```"
_INLINE_ONLY: Final = "Converse takes it within the request only"


class BlockWriter:
    """Writes the blocks of one request and gathers what is lost. Documents are told apart by their names, which may
    hold few characters: they are numbered.
    """

    __slots__ = ("_documents", "_points", "losses")

    def __init__(self, *, points: bool) -> None:
        self.losses: list[Loss] = []
        self._documents = 0
        self._points = points  # whether the model takes cache points

    def lose(self, what: str, why: str, weight: Weight) -> None:
        """Record what could not be said."""
        self.losses.append(Loss(what, why, weight))

    def write(self, part: Part, role: str) -> list[Block | Raw]:
        """The blocks of one part of a turn, a cache point behind it included."""
        block = self._write(part, role)
        return [] if block is None else [block, *self.point(getattr(part, "cache", None))]

    def point(self, cache: CachePoint | None) -> list[Block]:
        """A cache point. Five minutes are the default and need no word."""
        if cache is None:
            return []
        if not self._points:
            self.lose("part.cache", "the model takes no cache points", "hint")
            return []
        ttl = {} if cache.ttl == "5m" else {"ttl": cache.ttl}
        return [{"cachePoint": {"type": "default", **ttl}}]

    def _write(self, part: Part, role: str) -> Block | Raw | None:
        match part:
            case Image() | File() if role == "assistant":
                return self._nothing(f"part.{_name(part)}", "Converse takes none in the assistant's turns", "content")
            case Text() | Refusal():
                return self.text(part.text, part.citations if isinstance(part, Text) else ())
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
                return self._call(part)
            case ToolResult():
                return self._result(part)
            case HostedCall() | HostedResult():
                return self._hosted(part)
            case Opaque():
                if part.origin == ID:
                    return part.raw
                return self._nothing("part.opaque", f"only {part.origin} can read it", "content")
            case _:
                assert_never(part)

    def text(self, text: str, citations: object = ()) -> Block | None:
        """A text; Converse refuses a blank one."""
        if citations:
            self.lose("text.citations", "Converse takes back no citations of others", "hint")
        return {"text": text} if text.strip() else None

    def _nothing(self, what: str, why: str, weight: Weight) -> None:
        self.lose(what, why, weight)

    def _image(self, part: Image) -> Block | None:
        if part.detail is not None:
            self.lose("image.detail", "Converse has one way to look at a picture", "hint")
        source = part.source
        if not isinstance(source, Inline):
            return self._nothing("part.image", _INLINE_ONLY, "content")
        kind = PICTURES.get(source.media_type)
        if kind is None:
            return self._nothing("part.image", f"Converse takes no pictures of type {source.media_type}", "content")
        return {"image": {"format": kind, "source": {"bytes": source.data}}}

    def _file(self, part: File) -> Block | None:
        source = part.source
        if not isinstance(source, Inline):
            return self._nothing("part.file", _INLINE_ONLY, "content")
        kind = DOCUMENTS.get(source.media_type)
        if kind is None:
            return self._nothing("part.file", f"Converse takes no documents of type {source.media_type}", "content")
        self._documents += 1
        plain = _NOT_IN_NAMES.sub(" ", part.name)
        name = f"{' '.join(plain.split())} {self._documents}".strip()[-_LONGEST_NAME:].strip()
        document: Block = {"format": kind, "name": name, "source": {"bytes": source.data}}
        if part.context:
            document["context"] = part.context
        if part.cited:
            document["citations"] = {"enabled": True}
        return {"document": document}

    def _audio(self, part: Audio) -> Block | None:
        if not part.transcript:
            return self._nothing("part.audio", "Converse hears no sound", "content")
        self.lose("part.audio", "Converse hears no sound: its transcript is sent", "setting")
        return self.text(part.transcript)

    def _thinking(self, part: Thinking) -> Block | None:
        """Claude verifies its own thoughts by their seal; no model reads another's."""
        if part.origin != CLAUDE or not part.seal:
            return self._nothing("thinking", "Converse takes back only thoughts that Claude sealed", "hint")
        if part.redacted:
            return {"reasoningContent": {"redactedContent": b64encode(part.seal.encode(errors="replace")).decode()}}
        return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.seal}}}

    def _call(self, part: ToolCall) -> Block:
        if part.seal and part.origin != ID:
            self.lose("tool_call.seal", f"only {part.origin} can read it", "hint")
        return {"toolUse": {"toolUseId": tool_id(part.id), "name": part.name, "input": self._input(part)}}

    def _input(self, part: ToolCall) -> Raw | Block:
        """Arguments as the object that Converse wants; what is none goes inside one, where the model can read it."""
        if part.custom:
            return {"input": part.arguments}
        if not part.arguments.strip():
            return {}
        if _is_object(part.arguments):
            return Raw(part.arguments.encode())
        self.lose("tool_call.arguments", "they are no JSON object: they go as text under '_raw'", "setting")
        return {"_raw": part.arguments}

    def _result(self, part: ToolResult) -> Block:
        content = [block for each in part.content if (block := self._write(each, "user")) is not None]
        result: Block = {"toolUseId": tool_id(part.call_id), "content": content}
        if part.failed:
            result["status"] = "error"
        return {"toolResult": result}

    def _hosted(self, part: HostedCall | HostedResult) -> Block | None:
        """Another provider's calls: code and its output as fenced text; of a search, its answer says what it found."""
        if part.tool != "code_execution":
            return self._nothing("part.hosted", f"what {part.origin} called and found itself", "hint")
        self.lose("part.hosted", "code that another provider ran goes as text", "hint")
        label, body = ("json", part.arguments) if isinstance(part, HostedCall) else ("output", part.text)
        return {"text": f"{_FENCE}{label}\n{body}\n{_FENCE}"}


def tool_id(call_id: str) -> str:
    """The id of a call in letters that Converse takes; the same for a call and its result."""
    if _TOOL_ID.fullmatch(call_id):
        return call_id
    return f"call_{sha256(call_id.encode(errors='surrogatepass')).hexdigest()[:32]}"


def _is_object(text: str) -> bool:
    try:
        _OBJECT.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def _name(part: Image | File) -> str:
    return "image" if isinstance(part, Image) else "file"
