"""From canonical turns to the messages of a request for an upstream."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from yescale.domain.chat import ChatRequest, Message
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
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.domain.loss import Loss
from yescale.domain.profile import Profile
from yescale.protocols.openai_chat import markdown
from yescale.protocols.openai_chat.parts import AUDIO_TYPES, data_url
from yescale.protocols.openai_chat.words import FILES, ID

Json = dict[str, Any]
Weight = Literal["hint", "setting", "content"]

_FORMATS: Final = {media_type: name for name, media_type in AUDIO_TYPES.items()} | {
    "audio/mp3": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}
_OWN_CACHE: Final = Loss("part.cache", "OpenAI's format caches prompts by itself", "hint")


class Speeches:
    """Writes the messages of one request, and keeps what could not be said."""

    __slots__ = ("_profile", "losses")

    def __init__(self, profile: Profile) -> None:
        self.losses: dict[str, Loss] = {}  # each once, by what it is
        self._profile = profile

    def write(self, request: ChatRequest) -> Iterator[Json]:
        """All messages, system words first."""
        if request.system:
            yield {"role": self._system_role(), "content": self._text_content(request.system)}
        for message in request.messages:
            match message.role:
                case "system":
                    yield self._late_system(message)
                case "user":
                    yield from self._user(message)
                case "assistant":
                    yield self._assistant(message)

    def lose(self, what: str, why: str, weight: Weight) -> None:
        """Record a loss, once; the heaviest stays."""
        if weight == "content":
            self.losses[what] = Loss(what, why, weight)
        else:
            self.losses.setdefault(what, Loss(what, why, weight))

    def _system_role(self) -> str:
        return "developer" if self._profile.developer else "system"

    def _late_system(self, message: Message) -> Json:
        """Promise 25: strict servers take system words only first; there the user says them, where they stood."""
        role = self._system_role()
        if not self._profile.late_system:
            role = "user"
            self.lose("message.system", "the model takes system messages only first; the user says it", "setting")
        texts = [part for part in message.parts if isinstance(part, Text)]
        self._refuse_others(message.parts, (Text,), "a system message")
        return {"role": role, "content": self._text_content(texts)}

    def _user(self, message: Message) -> Iterator[Json]:
        """Results of tools come first: OpenAI wants them right behind their calls."""
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        moved: list[Image | File] = []
        for result in results:
            yield self._result(result)
            moved += (part for part in result.content if not isinstance(part, Text))
        if moved:
            self.lose("tool_result.image", "tools answer in text here: their pictures follow as the user's", "hint")
        others = [part for part in message.parts if not isinstance(part, ToolResult)]
        if moved or others or not results:
            content = [spoken for part in (*moved, *others) if (spoken := self._user_part(part)) is not None]
            yield self._named({"role": "user", "content": _plain(content)}, message)

    def _result(self, result: ToolResult) -> Json:
        if result.failed:
            self.lose("tool_result.failed", "the format has no mark of failure; the result says it itself", "hint")
        if result.cache is not None:
            self.losses.setdefault("part.cache", _OWN_CACHE)
        texts = [part for part in result.content if isinstance(part, Text)]
        return {"role": "tool", "tool_call_id": result.call_id, "content": self._text_content(texts)}

    def _user_part(self, part: Part) -> Json | None:
        if isinstance(part, Text | Image | File) and part.cache is not None:
            self.losses.setdefault("part.cache", _OWN_CACHE)
        match part:
            case Text():
                return self._text(part)
            case Image():
                return self._image(part)
            case Audio():
                return self._sound(part)
            case File():
                return self._file(part)
            case _:
                return self._rare_part(part)

    def _rare_part(self, part: Part) -> Json | None:
        match part:
            case Opaque(origin=origin, raw=raw) if origin == ID:
                return {"raw": raw}
            case HostedCall() | HostedResult() if shown := markdown.show(part):
                return {"type": "text", "text": shown}
            case HostedCall() | HostedResult():
                self.lose("part.hosted", "no server takes the trace of another's own tools", "setting")
            case _:
                self.lose(f"part.{type(part).__name__.lower()}", "it cannot stand in this message", "content")
        return None

    def _text(self, part: Text) -> Json:
        if part.citations:
            self.lose("text.citations", "messages that go up carry no citations", "hint")
        return {"type": "text", "text": part.text}

    def _image(self, part: Image) -> Json | None:
        match part.source:
            case Inline() as inline:
                url = data_url(inline)
            case Url(url=url):
                pass
            case Stored():
                self.lose("part.image", "pictures come as bytes or by address here, not by a file's id", "content")
                return None
        picture = {"url": url}
        if part.detail is not None:
            picture["detail"] = part.detail
        return {"type": "image_url", "image_url": picture}

    def _sound(self, part: Audio) -> Json | None:
        if isinstance(part.source, Inline):
            media_type = part.source.media_type
            spelled = _FORMATS.get(media_type) or media_type.removeprefix("audio/")
            return {"type": "input_audio", "input_audio": {"data": part.source.data, "format": spelled}}
        self.lose("part.audio", "sound comes as bytes here", "content")
        return None

    def _file(self, part: File) -> Json | None:
        if part.context:
            self.lose("file.context", "a file has only a name here", "setting")
        if part.cited:
            self.lose("file.cited", "the format has no citations of files", "setting")
        file: dict[str, str]
        match part.source:
            case Inline() as inline:
                file = {"file_data": data_url(inline), "filename": part.name or "file"}  # OpenAI wants a name
            case Stored(file_id=file_id, origin=origin) if origin in FILES:
                file = {"file_id": file_id}
            case _:
                self.lose("part.file", "files come as bytes or by an id of the same server", "content")
                return None
        return {"type": "file", "file": file}

    def _text_content(self, texts: Iterable[Text]) -> str | list[Json]:
        held = [*texts]
        if any(text.cache is not None for text in held):
            self.losses.setdefault("part.cache", _OWN_CACHE)
        return _plain([self._text(text) for text in held])

    def _assistant(self, message: Message) -> Json:
        spoken: Json = {"role": "assistant", "content": None}
        content = [*self._words(message)]
        calls = [self._call(part) for part in message.parts if isinstance(part, ToolCall)]
        refusals = [part.text for part in message.parts if isinstance(part, Refusal)]
        if content or not (calls or refusals):
            spoken["content"] = _plain(content)
        if refusals:
            spoken["refusal"] = "".join(refusals)
        spoken |= self._thoughts([part for part in message.parts if isinstance(part, Thinking)])
        heard = next((part.id for part in message.parts if isinstance(part, Audio) and part.id), "")
        if heard:
            spoken["audio"] = {"id": heard}
        if calls:
            spoken["tool_calls"] = calls
        return self._named(spoken, message)

    def _words(self, message: Message) -> Iterator[Json]:
        """The parts of an assistant's `content`: text, and what can be told in text."""
        for part in message.parts:
            match part:
                case Text() | Opaque() | HostedCall() | HostedResult():
                    said = self._user_part(part)
                    if said is not None:
                        yield said
                case Audio(id="", transcript=transcript) if transcript:
                    self.lose("part.audio", "what the model spoke goes back as its words", "setting")
                    yield {"type": "text", "text": transcript}
                case Audio(id=""):
                    self.lose("part.audio", "what the model spoke can only be named by its id", "content")
                case Image() | File() | ToolResult():
                    self.lose(
                        f"part.{type(part).__name__.lower()}", "an assistant's message holds only text", "content"
                    )
                case Audio() | Thinking() | ToolCall() | Refusal():
                    pass

    def _thoughts(self, thoughts: list[Thinking]) -> Json:
        """Thoughts go back to servers of their kind: DeepSeek wants them in a chain of calls, OpenRouter with seals."""
        if not thoughts:
            return {}
        if self._profile.thinks == "no":
            self.lose("part.thinking", "the model takes no thoughts", "hint")
            return {}
        kept = [thought for thought in thoughts if thought.origin in (None, ID) or not thought.seal]
        if len(kept) < len(thoughts):
            self.lose("thinking.seal", "only the provider that sealed a thought takes it back", "hint")
        spoken: Json = {}
        text = "".join(thought.text for thought in kept)
        if text:
            spoken["reasoning_content"] = text
        if any(thought.seal for thought in kept):
            spoken["reasoning_details"] = [detail(thought, thought.seal, n) for n, thought in enumerate(kept)]
        return spoken

    def _call(self, call: ToolCall) -> Json:
        if call.cache is not None:
            self.losses.setdefault("part.cache", _OWN_CACHE)
        if call.seal and call.origin not in (None, ID):
            self.lose("tool_call.seal", "only the provider that sealed a call takes its seal back", "hint")
            return spell_call(call, "")
        return spell_call(call, call.seal)

    def _named(self, spoken: Json, message: Message) -> Json:
        return {**spoken, "name": message.name} if message.name else spoken

    def _refuse_others(self, parts: Iterable[Part], allowed: tuple[type[Part], ...], where: str) -> None:
        for part in parts:
            if not isinstance(part, allowed):
                self.lose(f"part.{type(part).__name__.lower()}", f"it cannot stand in {where}", "content")


def spell_call(call: ToolCall, seal: str) -> Json:
    """An entry of `tool_calls`."""
    spelled: Json = {"id": call.id}
    if call.custom:
        spelled |= {"type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    else:
        spelled |= {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    if seal:
        spelled["extra_content"] = {"google": {"thought_signature": seal}}
    return spelled


def detail(thought: Thinking, seal: str, index: int) -> Json:
    """An entry of `reasoning_details`."""
    if thought.redacted:
        spelled: Json = {"type": "reasoning.encrypted", "data": seal}
    else:
        spelled = {"type": "reasoning.text", "text": thought.text}
        if seal:
            spelled["signature"] = seal
    return {**spelled, "id": thought.id or None, "format": "unknown", "index": index}


def _plain(content: list[Json]) -> str | list[Any]:
    """One text is a string, as every server takes it; nothing is the empty string; the rest are parts."""
    if not content:
        return ""
    if len(content) == 1 and content[0].get("type") == "text":
        return content[0]["text"]
    return [part.get("raw", part) for part in content]
