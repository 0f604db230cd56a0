"""Turns written as input items, and what of them could not be said."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, assert_never

import msgspec
from msgspec import Raw

from yescale.domain.chat import Message
from yescale.domain.content import (
    Audio,
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
from yescale.domain.profile import Profile
from yescale.protocols.openai_responses.schema import FILES, OWN, WireItemHead

Wire = dict[str, object]

_HEAD: Final = msgspec.json.Decoder(WireItemHead)
_LONGEST_ID: Final = 64  # of a call, as OpenAI refuses longer ones
_SOUNDS: Final[Mapping[str, str]] = MappingProxyType(
    {"audio/mp3": "mp3", "audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav"}
)
_ENDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"application/pdf": ".pdf", "text/plain": ".txt", "text/markdown": ".md", "text/csv": ".csv", "text/html": ".html"}
)


class InputWriter:
    """Items of a request as its turns are handed in, and the losses."""

    def __init__(self, profile: Profile) -> None:
        self.items: list[object] = []
        self.losses: list[Loss] = []
        self._system = "developer" if profile.developer else "system"
        self._late_system = self._system if profile.late_system else "user"
        self._role = ""
        self._content: list[object] = []  # of the message that is open

    def system(self, part: Text) -> None:
        """One of the words that lead."""
        self._marks(part)
        self._say(self._system, {"type": "input_text", "text": part.text})
        self.close()

    def turn(self, message: Message) -> None:
        """The next turn."""
        if message.name:
            self._lose("message.name", "messages have no name here")
        role = self._late_system if message.role == "system" else message.role
        for part in message.parts:
            self._marks(part)
            if role == "assistant":
                self._answer(part)
            else:
                self._ask(role, part)
        self.close()

    def close(self) -> None:
        """The open message is whole."""
        if self._content:
            self.items.append({"type": "message", "role": self._role, "content": self._content})
        self._content = []

    def _say(self, role: str, content: object) -> None:
        self._role = role
        self._content.append(content)

    def _put(self, item: object) -> None:
        self.close()
        self.items.append(item)

    def _ask(self, role: str, part: Part) -> None:
        """A part of a user's turn, or of a late system message."""
        match part:
            case Text():
                self._say(role, {"type": "input_text", "text": part.text})
            case Refusal():
                self._say(role, {"type": "input_text", "text": part.text})
            case Image() | File() | Audio():
                content = self._attach(part)
                if content is not None:
                    self._say(role, content)
            case ToolResult():
                self._put(self._result(part))
            case _:
                self._other(role, part)

    def _answer(self, part: Part) -> None:
        """A part of the model's turn."""
        match part:
            case Text():
                self._say("assistant", self._output_text(part))
            case Refusal():
                self._say("assistant", {"type": "refusal", "refusal": part.text})
            case Audio() if part.transcript:
                self._lose("part.audio", "what the model spoke goes back as its words", "setting")
                self._say("assistant", {"type": "output_text", "text": part.transcript})
            case Image() | File() | Audio():
                self._lose("part.media", "an earlier answer's media have no place in the input", "content")
            case Thinking():
                self._think(part)
            case ToolCall():
                self._put(self._call(part))
            case _:
                self._other("assistant", part)

    def _other(self, role: str, part: Part) -> None:
        match part:
            case HostedCall() if part.origin == OWN:
                self._put(part.raw)
            case HostedResult() if part.origin == OWN:
                pass  # lies in the call's item
            case HostedCall() | HostedResult():
                self._lose("part.hosted_call", "only its provider reads what its own tools did; the answer stays")
            case Opaque() if part.origin == OWN:
                self._say(role, part.raw) if is_content(part.raw) else self._put(part.raw)
            case Opaque():
                self._lose("part.opaque", "only its own format can say it", "content")
            case _:
                self._lose("part.misplaced", f"a {type(part).__name__} has no place in this turn", "content")

    def _think(self, part: Thinking) -> None:
        if part.origin != OWN or not (part.seal or part.id):
            self._lose("thinking.seal", "OpenAI takes back only reasoning that it sealed")
            return
        item: Wire = {"type": "reasoning"}
        if part.id:
            item["id"] = part.id
        item["summary"] = [{"type": "summary_text", "text": part.text}] if part.text else []
        if part.seal:
            item["encrypted_content"] = part.seal
        self._put(item)

    def _call(self, part: ToolCall) -> Wire:
        if part.seal:
            self._lose("tool_call.seal", "only its issuer reads the seal of a call")
        kind, field = ("custom_tool_call", "input") if part.custom else ("function_call", "arguments")
        return {"type": kind, "call_id": shorten(part.id), "name": part.name, field: part.arguments}

    def _result(self, part: ToolResult) -> Wire:
        if part.failed:
            self._lose("tool_result.failed", "an output does not say that it failed; its text does")
        match part.content:
            case ():
                output: object = ""
            case (Text() as only,):
                output = only.text
            case _:
                attached = (self._attach(each) for each in part.content)
                output = [content for content in attached if content is not None]
        kind = "custom_tool_call_output" if part.custom else "function_call_output"
        return {"type": kind, "call_id": shorten(part.call_id), "output": output}

    def _attach(self, part: Text | Image | File | Audio) -> Wire | None:
        match part:
            case Text():
                return {"type": "input_text", "text": part.text}
            case Image():
                return self._image(part)
            case File():
                return self._file(part)
            case Audio():
                return self._sound(part)
            case _:
                assert_never(part)

    def _image(self, part: Image) -> Wire | None:
        content: Wire = {"type": "input_image"}
        if part.detail is not None:
            content["detail"] = part.detail
        return self._place(content, part.source, "image_url", "image_url")

    def _file(self, part: File) -> Wire | None:
        if part.context:
            self._lose("file.context", "a file has a name and nothing beside it", "setting")
        if part.cited:
            self._lose("file.cited", "citations of a file's passages cannot be asked for", "setting")
        content: Wire = {"type": "input_file"}
        name = part.name
        if isinstance(part.source, Inline) and not name and part.source.media_type:
            name = "file" + _ENDINGS.get(part.source.media_type, "")  # OpenAI refuses data without a name
        if name:
            content["filename"] = name
        return self._place(content, part.source, "file_url", "file_data")

    def _place(self, content: Wire, source: Source, url: str, inline: str) -> Wire | None:
        """The part with its source in the field that is meant for it."""
        match source:
            case Url():
                content[url] = source.url
            case Inline():
                content[inline] = f"data:{source.media_type};base64,{source.data}" if source.media_type else source.data
            case Stored() if source.origin in FILES:
                content["file_id"] = source.file_id
            case Stored():
                self._lose("source.stored", "OpenAI does not know files of another provider", "content")
                return None
        return content

    def _sound(self, part: Audio) -> Wire | None:
        source = part.source
        sound = _SOUNDS.get(source.media_type) if isinstance(source, Inline) else None
        if not isinstance(source, Inline) or sound is None:
            self._lose("part.audio", "sound goes in as MP3 or WAV within the request", "content")
            return None
        return {"type": "input_audio", "input_audio": {"data": source.data, "format": sound}}

    def _output_text(self, part: Text) -> Wire:
        content: Wire = {"type": "output_text", "text": part.text}
        annotations = [each.raw for each in part.citations if each.origin == OWN and each.raw is not None]
        if len(annotations) < len(part.citations):
            self._lose("text.citations", "citations of another provider mean nothing to OpenAI")
        if annotations:
            content["annotations"] = annotations
        return content

    def _marks(self, part: Part) -> None:
        if getattr(part, "cache", None) is not None:
            self._lose("cache", "OpenAI caches prompts by itself")

    def _lose(self, what: str, why: str, weight: Literal["hint", "setting", "content"] = "hint") -> None:
        self.losses.append(Loss(what, why, weight))


def shorten(call_id: str) -> str:
    """A call's id as OpenAI takes it; the same id always becomes the same."""
    if len(call_id) <= _LONGEST_ID:
        return call_id
    return f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:32]}"


def is_content(raw: Raw) -> bool:
    """Whether this is a part of a message rather than an item of its own."""
    return (_HEAD.decode(raw).type or "").startswith(("input_", "output_"))
