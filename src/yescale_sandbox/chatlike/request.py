"""A request as such companies read it: known fields by their type, unknown ones not at all."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai.prompt import (
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    NamedText,
    Part,
    ResponseFormat,
    StreamOptions,
    Tool,
    ToolChoice,
)
from yescale_sandbox.speech import BYTES_PER_TOKEN, Heard, Offered, digest_of, text_tokens


class ToolCall(Struct, frozen=True):
    id: str
    function: NamedText
    type: str = "function"


class Message(Struct, frozen=True):
    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None

    def parts(self) -> list[Part]:
        if isinstance(self.content, list):
            return self.content
        return [Part("text", self.content)] if self.content is not None else []

    def text(self) -> str:
        return "\n".join(part.text for part in self.parts() if part.type == "text")


class Thinking(Struct, frozen=True):
    type: str


class ChatLike(Struct, frozen=True):
    """What the sandbox acts on."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    thinking: Thinking | None = None

    @property
    def most_output(self) -> int | None:
        return self.max_tokens if self.max_tokens is not None else self.max_completion_tokens

    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


def typed(body: JsonObject) -> ChatLike:
    """Raises: msgspec.ValidationError."""
    return msgspec.convert(body, ChatLike)


def heard(request: ChatLike, body: JsonObject) -> Heard:
    """The prompt in the form that all fake models share."""
    users = [message for message in request.messages if message.role == "user"]
    last = (users or request.messages)[-1]
    form = request.response_format
    return Heard(
        quote=last.text(),
        digest=digest_of(body["messages"]),
        tool_answers=tuple(_tool_answers(request.messages)),
        seen=tuple("image" for part in last.parts() if part.image_url is not None),
        tools=tuple(_offered(request)),
        demanded=request.tool_choice == "required" or isinstance(request.tool_choice, ToolChoice),
        parallel=request.parallel_tool_calls is not False,
        schema=form.json_schema.schema if form is not None and form.json_schema is not None else None,
        is_json=form is not None and form.type == "json_object",
    )


def prompt_tokens(request: ChatLike, body: JsonObject) -> int:
    """Four for a message and those of its texts, 85 for an image; tools count as their JSON."""
    count = sum(MESSAGE_TOKENS + sum(text_tokens(text) for text in _texts(message)) for message in request.messages)
    count += sum(IMAGE_TOKENS for message in request.messages for part in message.parts() if part.image_url is not None)
    if body.get("tools"):
        count += -(-len(msgspec.json.encode(body["tools"])) // BYTES_PER_TOKEN)
    return count


def _offered(request: ChatLike) -> Iterator[Offered]:
    if request.tool_choice == "none":
        return
    chosen = request.tool_choice.function if isinstance(request.tool_choice, ToolChoice) else None
    for tool in request.tools or []:
        if tool.function is not None and (chosen is None or chosen.name == tool.name):
            yield Offered(tool.name, tool.function.parameters or {"type": "object", "properties": {}})


def _tool_answers(messages: list[Message]) -> list[tuple[str, str]]:
    names = {call.id: call.function.name for message in messages for call in message.tool_calls or []}
    answers: list[tuple[str, str]] = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        answers.insert(0, (names.get(message.tool_call_id or "", ""), message.text()))
    return answers


def _texts(message: Message) -> Iterator[str]:
    yield message.text()
    for call in message.tool_calls or []:
        yield call.function.name
        yield call.function.arguments
