"""Turns written as Ollama's messages: each part is on the wire or in the losses."""

from collections.abc import Iterable
from typing import Final, Literal, cast

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
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from yescale.domain.loss import Loss
from yescale.protocols.ollama_chat.words import ID
from yescale.protocols.reading import BROKEN

Wire = dict[str, object]
Weight = Literal["hint", "setting", "content"]

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_FENCE: Final = "```"


class TurnWriter:
    """The messages of one request, and what is lost."""

    def __init__(self) -> None:
        self.messages: list[Wire] = []
        self.losses: list[Loss] = []
        self._names: dict[str, str] = {}  # of the tools called, by the calls' ids
        self._open: Wire | None = None  # the message that more parts may join

    def lose(self, what: str, why: str, weight: Weight = "hint") -> None:
        """Record what could not be said."""
        self.losses.append(Loss(what, why, weight))

    def system(self, texts: Iterable[Text]) -> None:
        """Words that lead."""
        for text in texts:
            self._mark(text)
            self.messages.append({"role": "system", "content": text.text})

    def turn(self, message: Message) -> None:
        """A turn; results of tools are messages of their own."""
        if message.name:
            self.lose("message.name", "Ollama's messages have no names")
        self._open = None
        for part in message.parts:
            self._mark(part)
            self._write(message.role, part)

    def _mark(self, part: Part) -> None:
        if getattr(part, "cache", None) is not None:
            self.lose("part.cache", "Ollama caches by itself")

    def _in(self, role: str) -> Wire:
        """The message that is open."""
        if self._open is None:
            self._open = {"role": role, "content": ""}
            self.messages.append(self._open)
        return self._open

    def _append(self, role: str, field: str, value: object) -> None:
        message = self._in(role)
        held = cast("list[object]", message.get(field, []))
        message[field] = [*held, value]

    def _say(self, role: str, text: str) -> None:
        message = self._in(role)
        message["content"] = f"{message['content']}{text}"

    def _write(self, role: str, part: Part) -> None:
        match part:
            case Text():
                if part.citations:
                    self.lose("text.citations", "Ollama takes back no citations")
                self._say(role, part.text)
            case Refusal():
                self._say(role, part.text)
            case Image():
                self._picture(role, part)
            case ToolCall():
                self._call(role, part)
            case ToolResult():
                self._result(part)
            case Thinking():
                self._think(role, part)
            case _:
                self._other(role, part)

    def _other(self, role: str, part: Audio | File | HostedCall | HostedResult | Opaque) -> None:
        match part:
            case Audio() if part.transcript:
                self.lose("part.audio", "Ollama hears no sound: its transcript is sent", "setting")
                self._say(role, part.transcript)
            case HostedCall() | HostedResult() if part.tool == "code_execution":
                self.lose("part.hosted", "code that a provider ran goes as text")
                label, body = ("json", part.arguments) if isinstance(part, HostedCall) else ("output", part.text)
                self._say(role, f"\n{_FENCE}{label}\n{body}\n{_FENCE}\n")
            case HostedCall() | HostedResult():
                self.lose("part.hosted", f"what {part.origin} called and found itself")
            case Opaque():
                self.lose("part.opaque", f"only {part.origin} can read it", "content")
            case _:
                self.lose(f"part.{type(part).__name__.lower()}", "Ollama takes text and pictures", "content")

    def _picture(self, role: str, part: Image) -> None:
        if part.detail is not None:
            self.lose("image.detail", "Ollama has one way to look at a picture")
        if not isinstance(part.source, Inline):
            self.lose("part.image", "Ollama takes it within the request only", "content")
            return
        self._append(role, "images", part.source.data)

    def _call(self, role: str, part: ToolCall) -> None:
        self._names[part.id] = part.name
        if part.seal and part.origin != ID:
            self.lose("tool_call.seal", f"only {part.origin} can read it")
        self._append(role, "tool_calls", {"function": {"name": part.name, "arguments": self._arguments(part)}})

    def _arguments(self, part: ToolCall) -> Raw | Wire:
        """Arguments as the object that Ollama wants; what is none goes inside one, where the model can read it."""
        if part.custom:
            return {"input": part.arguments}
        if not part.arguments.strip():
            return {}
        try:
            _OBJECT.decode(part.arguments)
        except BROKEN:
            self.lose("tool_call.arguments", "they are no JSON object: they go as text under '_raw'", "setting")
            return {"_raw": part.arguments}
        return Raw(part.arguments.encode())

    def _result(self, part: ToolResult) -> None:
        if part.failed:
            self.lose("tool_result.failed", "a result does not say that it failed; its text does")
        message: Wire = {"role": "tool", "content": ""}
        name = part.name or self._names.get(part.call_id, "")
        if name:
            message["tool_name"] = name
        self.messages.append(message)
        self._open = message
        for each in part.content:
            self._write("tool", each)
        self._open = None

    def _think(self, role: str, part: Thinking) -> None:
        if part.origin not in (None, ID) or part.seal or not part.text:
            self.lose("thinking", "Ollama takes back what its own models thought, in plain words")
            return
        message = self._in(role)
        message["thinking"] = f"{message.get('thinking', '')}{part.text}"
