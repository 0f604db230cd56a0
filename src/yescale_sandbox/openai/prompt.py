"""A checked request as typed values, and what can be read off it: texts, images, counts.

Tokens are counted by one rule: a text has ceil(UTF-8 bytes / 4); an image 85; audio 10 a second; a file one for each
400 bytes; a message 4 on top; `tools`, `functions` and `response_format` count as the text of their compact JSON.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai.audio import audio_tokens
from yescale_sandbox.speech import BYTES_PER_TOKEN, digest_of, text_tokens

MESSAGE_TOKENS = 4
IMAGE_TOKENS = 85
BINARY_BYTES_PER_TOKEN = 400


class ImageUrl(Struct, frozen=True):
    url: str


class InputAudio(Struct, frozen=True):
    data: str
    format: str


class InputFile(Struct, frozen=True):
    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class Part(Struct, frozen=True):
    type: str
    text: str = ""
    refusal: str = ""
    image_url: ImageUrl | None = None
    input_audio: InputAudio | None = None
    file: InputFile | None = None


class AudioReference(Struct, frozen=True):
    id: str


class NamedText(Struct, frozen=True):
    """The call of a function (`arguments`) or of a custom tool (`input`), or only a name."""

    name: str
    arguments: str = ""
    input: str = ""


class ToolCall(Struct, frozen=True):
    id: str
    type: str
    function: NamedText | None = None
    custom: NamedText | None = None


class Message(Struct, frozen=True):
    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: NamedText | None = None
    audio: AudioReference | None = None

    def parts(self) -> list[Part]:
        """The content as parts."""
        if isinstance(self.content, list):
            return self.content
        return [Part("text", self.content)] if self.content is not None else []

    def text(self) -> str:
        """The texts of the content, joined by new lines."""
        return "\n".join(part.text or part.refusal for part in self.parts() if part.type in {"text", "refusal"})


class Function(Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Struct, frozen=True):
    type: str
    function: Function | None = None
    custom: Function | None = None

    @property
    def name(self) -> str:
        named = self.function or self.custom
        return named.name if named else ""


class AllowedTool(Struct, frozen=True):
    function: NamedText | None = None
    custom: NamedText | None = None


class AllowedTools(Struct, frozen=True):
    mode: str
    tools: list[AllowedTool]


class ToolChoice(Struct, frozen=True):
    """A choice that is an object: of one tool by name, or of some of them."""

    type: str = "function"
    function: NamedText | None = None
    custom: NamedText | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchema(Struct, frozen=True):
    name: str
    schema: dict[str, Any]
    strict: bool | None = None


class ResponseFormat(Struct, frozen=True):
    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(Struct, frozen=True):
    include_usage: bool = False
    include_obfuscation: bool = True


class AudioOptions(Struct, frozen=True):
    format: str


class ChatRequest(Struct, frozen=True):
    """What the sandbox acts on; the rest was checked and is not used."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Function] | None = None
    function_call: str | NamedText | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    modalities: list[str] | None = None
    logit_bias: dict[str, int] | None = None
    audio: AudioOptions | None = None

    @property
    def speaks(self) -> bool:
        return "audio" in (self.modalities or ())

    @property
    def most_output(self) -> int | None:
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    def stops(self) -> list[str]:
        found = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [stop for stop in found if stop]

    def asks(self) -> bool:
        """Whether the user spoke last; system words that follow are no turn."""
        turns = [message.role for message in self.messages if message.role not in ("system", "developer")]
        return turns[-1:] == ["user"]

    def last_user_text(self) -> str:
        """The text of the last user message; without one, of the last message."""
        users = [message for message in self.messages if message.role == "user"]
        return (users or self.messages)[-1].text()


def typed(body: JsonObject) -> ChatRequest:
    """The typed form of a body that the shape table accepted."""
    return msgspec.convert(body, ChatRequest)


def prompt_digest(body: JsonObject) -> str:
    """Sixteen hex digits of the messages: equal prompts have equal digests."""
    return digest_of(body["messages"])


def prompt_tokens(request: ChatRequest, body: JsonObject) -> int:
    """The count of the whole prompt by the rule above."""
    count = sum(MESSAGE_TOKENS + _message_tokens(message) for message in request.messages)
    for field in ("tools", "functions", "response_format"):
        if body.get(field) is not None:
            count += -(-len(msgspec.json.encode(body[field])) // BYTES_PER_TOKEN)
    return count


def heard_tokens(request: ChatRequest) -> int:
    """Those of the audio alone."""
    return sum(
        audio_tokens(part.input_audio.data, part.input_audio.format)
        for message in request.messages
        for part in message.parts()
        if part.input_audio is not None
    )


def _message_tokens(message: Message) -> int:
    count = sum(_part_tokens(part) for part in message.parts())
    return count + sum(text_tokens(text) for text in _side_texts(message))


def _side_texts(message: Message) -> Iterator[str]:
    yield message.name or ""
    yield message.refusal or ""
    calls = [call.function or call.custom for call in message.tool_calls or []]
    for call in [*calls, message.function_call]:
        if call is not None:
            yield call.name
            yield call.arguments or call.input


def _part_tokens(part: Part) -> int:
    if part.type == "image_url":
        return IMAGE_TOKENS
    if part.type == "input_audio" and part.input_audio is not None:
        return audio_tokens(part.input_audio.data, part.input_audio.format)
    if part.type == "file" and part.file is not None:
        return _binary_tokens(part.file.file_data or "")
    return text_tokens(part.text or part.refusal)


def _binary_tokens(base64: str) -> int:
    return -(-(len(base64) * 3 // 4) // BINARY_BYTES_PER_TOKEN)
