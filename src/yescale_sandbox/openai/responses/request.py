"""A checked request as typed values, and what the fake model hears in it.

Tokens are counted as `prompt` counts them: an item has 4 and those of its texts, an image 85, a file one for 400 bytes;
`instructions`, `tools` and `text` count as text.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.prompt import BINARY_BYTES_PER_TOKEN, IMAGE_TOKENS, MESSAGE_TOKENS
from yescale_sandbox.speech import BYTES_PER_TOKEN, text_tokens


class Part(Struct, frozen=True):
    """A part of a content, of an output or of a summary."""

    type: str = ""
    text: str = ""
    refusal: str = ""
    image_url: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    stdout: str = ""

    def said(self) -> str:
        return self.text or self.refusal or self.stdout


class Item(Struct, frozen=True):
    """Any item; which fields are set follows from its type."""

    type: str | None = None
    id: str | None = None
    role: str = ""
    content: str | list[Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: Any = None
    input: str | None = None
    output: Any = None
    summary: list[Part] = []
    encrypted_content: str | None = None

    @property
    def kind(self) -> str:
        return self.type or ("message" if self.role else "item_reference")

    def parts(self) -> list[Part]:
        """The content, or the output of a tool, as parts."""
        held = self.output if self.kind.endswith("_output") else self.content
        if isinstance(held, str):
            return [Part("input_text", held)]
        return msgspec.convert(held, list[Part]) if isinstance(held, list) else []

    def text(self) -> str:
        """The texts of the parts, joined by new lines."""
        return "\n".join(said for part in self.parts() if (said := part.said()))


class Format(Struct, frozen=True):
    type: str = "text"
    name: str = ""
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class TextConfig(Struct, frozen=True):
    format: Format | None = None
    verbosity: str | None = None


class Reasoning(Struct, frozen=True):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class Tool(Struct, frozen=True):
    type: str
    name: str = ""
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    tools: list["Tool"] = []
    server_label: str = ""
    server_url: str = ""
    connector_id: str = ""
    tunnel_id: str = ""


class ToolChoice(Struct, frozen=True):
    type: str
    name: str = ""
    mode: str = ""
    tools: list[dict[str, Any]] = []


class StreamOptions(Struct, frozen=True):
    include_obfuscation: bool = True


class ResponseRequest(Struct, frozen=True):
    """What the sandbox acts on; the rest was checked and is only repeated in the answer."""

    model: str
    input: str | list[Item] = []
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    include: list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    max_output_tokens: int | None = None
    reasoning: Reasoning | None = None
    text: TextConfig | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    truncation: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    background: bool | None = None
    service_tier: str | None = None

    @property
    def stored(self) -> bool:
        return self.store is not False

    @property
    def form(self) -> Format:
        return (self.text and self.text.format) or Format()

    def wants(self, thing: str) -> bool:
        return thing in (self.include or ())


class Asking(Struct, frozen=True):
    """A request with the conversation that it continues, oldest item first, references resolved."""

    request: ResponseRequest
    body: JsonObject
    items: tuple[Item, ...]
    raw_items: tuple[Json, ...]


def typed(body: JsonObject) -> ResponseRequest:
    """The typed form of a body that the shape table accepted."""
    return msgspec.convert(body, ResponseRequest)


def typed_items(raw: Sequence[Json]) -> tuple[Item, ...]:
    return msgspec.convert(raw, tuple[Item, ...])


def input_items(body: JsonObject) -> list[Json]:
    """The input as a list of items; a string is a user's message."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    return given if isinstance(given, list) else []


def prompt_tokens(asking: Asking) -> int:
    """The count of the whole prompt by the rule above."""
    count = sum(MESSAGE_TOKENS + _item_tokens(item) for item in asking.items)
    count += text_tokens(asking.request.instructions or "")
    for field in ("tools", "text"):
        if asking.body.get(field):
            count += -(-len(msgspec.json.encode(asking.body[field])) // BYTES_PER_TOKEN)
    return count


def _item_tokens(item: Item) -> int:
    return sum(_part_tokens(part) for part in item.parts()) + sum(text_tokens(text) for text in _side_texts(item))


def _side_texts(item: Item) -> Iterator[str]:
    yield item.name or ""
    yield item.input or ""
    yield item.arguments if isinstance(item.arguments, str) else ""
    yield from (part.text for part in item.summary)


def _part_tokens(part: Part) -> int:
    if part.type == "input_image":
        return IMAGE_TOKENS
    if part.type == "input_file":
        return -(-(len(part.file_data or "") * 3 // 4) // BINARY_BYTES_PER_TOKEN)
    return text_tokens(part.said())
