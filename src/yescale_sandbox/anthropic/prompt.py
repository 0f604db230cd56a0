"""A checked request as typed values, and what can be read off it: texts, tools' answers, counts, the cacheable prefix.

Tokens are counted by one rule: a text has ceil(UTF-8 bytes / 4); an image 85; a PDF ceil(bytes / 400); a message 4 on
top; tools, formats and results of server tools count as the text of their compact JSON.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from yescale_sandbox.anthropic.catalogue import Model
from yescale_sandbox.anthropic.gate import Terms
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.speech import BYTES_PER_TOKEN, digest_of, text_tokens

MESSAGE_TOKENS = 4
IMAGE_TOKENS = 85
LINKED_TOKENS = 85
BINARY_BYTES_PER_TOKEN = 400


class Mark(Struct, frozen=True):
    """A `cache_control`."""

    ttl: str = "5m"


class Source(Struct, frozen=True):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    content: "str | list[Block] | None" = None


Content: TypeAlias = "str | list[Block] | dict[str, Any] | None"


class Block(Struct, frozen=True):
    """A block of any type: `type` says which of the fields are there."""

    type: str = ""
    text: str = ""
    source: Source | str | None = None
    title: str | None = None
    citations: dict[str, Any] | list[dict[str, Any]] | None = None
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, Any] = {}
    tool_use_id: str = ""
    content: Content = None
    encrypted_content: str = ""
    cache_control: Mark | None = None

    def texts(self) -> list[str]:
        """The texts of a tool's result."""
        if isinstance(self.content, list):
            return [block.text for block in self.content if block.type == "text"]
        return [self.content] if isinstance(self.content, str) else []

    @property
    def cited(self) -> bool:
        """Whether a document asks to be cited."""
        return isinstance(self.citations, dict) and self.citations.get("enabled") is True


class Message(Struct, frozen=True):
    role: str
    content: str | list[Block]

    def blocks(self) -> list[Block]:
        """The content as blocks."""
        return self.content if isinstance(self.content, list) else [Block("text", text=self.content)]


class Tool(Struct, frozen=True):
    name: str
    type: str | None = None
    input_schema: dict[str, Any] | None = None
    display_width_px: int = 0
    cache_control: Mark | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class ToolChoice(Struct, frozen=True):
    type: str = "auto"
    name: str = ""
    disable_parallel_tool_use: bool = False


class Thinking(Struct, frozen=True):
    type: str
    budget_tokens: int = 0


class Format(Struct, frozen=True):
    schema: dict[str, Any]


class Output(Struct, frozen=True):
    effort: str | None = None
    format: Format | None = None


class Asked(Struct, frozen=True):
    """What the sandbox acts on; the rest was checked and is not used."""

    messages: list[Message]
    max_tokens: int = 0
    system: str | list[Block] = ""
    stop_sequences: list[str] = []
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: Output | None = None
    output_format: Format | None = None
    cache_control: Mark | None = None
    service_tier: str = "auto"
    container: Any = None
    context_management: Any = None

    @property
    def thinks(self) -> bool:
        return self.thinking is not None and self.thinking.type == "enabled"

    @property
    def format(self) -> Format | None:
        return self.output_format or (self.output_config.format if self.output_config else None)

    def system_blocks(self) -> list[Block]:
        if isinstance(self.system, list):
            return self.system
        return [Block("text", text=self.system)] if self.system else []

    def last_user_blocks(self) -> list[Block]:
        """The blocks of the last user message."""
        users = [message for message in self.messages if message.role == "user"]
        return users[-1].blocks()

    def last_user_text(self) -> str:
        """The text of the last user message that has one; results of tools have none."""
        for message in reversed(self.messages):
            text = "\n".join(block.text for block in message.blocks() if block.type == "text")
            if message.role == "user" and text:
                return text
        return ""

    def tool_answers(self) -> tuple[tuple[str, str], ...]:
        """Name and text of the results with which the conversation ends."""
        last = self.messages[-1]
        if last.role != "user":
            return ()
        names = {block.id: block.name for one in self.messages for block in one.blocks() if block.type == "tool_use"}
        results = [block for block in last.blocks() if block.type == "tool_result"]
        return tuple((names.get(block.tool_use_id, ""), "\n".join(block.texts())) for block in results)


class Segment(Struct, frozen=True):
    """A piece of the prompt that can end a cached prefix; `ttl` says that it is marked to."""

    encoded: bytes
    tokens: int
    ttl: str | None


class Call(Struct, frozen=True):
    """A checked request, with the model and the terms that it was checked for."""

    asked: Asked
    body: JsonObject
    model: Model
    terms: Terms
    counting: bool = False

    @property
    def digest(self) -> str:
        """Sixteen hex digits of the messages: equal prompts have equal digests."""
        return digest_of(self.body["messages"])


def typed(body: JsonObject) -> Asked:
    """The typed form of a body that the shape table accepted; null means absent."""
    return msgspec.convert({name: value for name, value in body.items() if value is not None}, Asked)


def prompt_tokens(body: JsonObject) -> int:
    """The count of the whole prompt by the rule above."""
    return sum(segment.tokens for segment in segments(body))


def segments(body: JsonObject) -> list[Segment]:
    """The prompt in the order in which it is cached: tools, system, messages. What the format adds comes first."""
    found = [*_format_segments(body), *_tool_segments(body), *_system_segments(body), *_message_segments(body)]
    automatic = body.get("cache_control")
    if isinstance(automatic, dict) and found[-1].ttl is None:
        found[-1] = msgspec.structs.replace(found[-1], ttl=_ttl(automatic))
    return found


def _format_segments(body: JsonObject) -> Iterator[Segment]:
    output = body.get("output_config")
    form = body.get("output_format") or (output.get("format") if isinstance(output, dict) else None)
    if form is not None:
        yield Segment(msgspec.json.encode(form), _json_tokens(form), None)


def _tool_segments(body: JsonObject) -> Iterator[Segment]:
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, dict):
            yield _segment(tool, _json_tokens(_unmarked(tool)))


def _system_segments(body: JsonObject) -> Iterator[Segment]:
    system = body.get("system")
    if isinstance(system, str) and system:
        yield Segment(msgspec.json.encode(["system", system]), text_tokens(system), None)
    for block in system if isinstance(system, list) else []:
        if isinstance(block, dict):
            yield _segment(block, _block_tokens(block), "system")


def _message_segments(body: JsonObject) -> Iterator[Segment]:
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict):
            yield from _segments_of(message)


def _segments_of(message: JsonObject) -> Iterator[Segment]:
    role, content = str(message.get("role")), message.get("content")
    if isinstance(content, str):
        yield _segment({"type": "text", "text": content}, MESSAGE_TOKENS + text_tokens(content), role)
        return
    extra = MESSAGE_TOKENS
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict):
            yield _segment(block, extra + _block_tokens(block), role)
            extra = 0


def _segment(block: JsonObject, tokens: int, where: str = "tool") -> Segment:
    mark = block.get("cache_control") or _nested_mark(block)
    ttl = _ttl(mark) if isinstance(mark, dict) else None
    return Segment(msgspec.json.encode([where, _unmarked(block)]), tokens, ttl)


def _nested_mark(block: JsonObject) -> Json:
    """A mark within a tool's result stands for one on the result."""
    inner = block.get("content")
    marks = [one.get("cache_control") for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
    return next((mark for mark in marks if mark), None)


def _ttl(mark: Mapping[str, Json]) -> str:
    return str(mark.get("ttl") or "5m")


def _unmarked(block: JsonObject) -> JsonObject:
    return {name: value for name, value in block.items() if name != "cache_control"}


_WORDS_IN: Mapping[str, str] = {"text": "text", "thinking": "thinking", "redacted_thinking": "data"}


def _block_tokens(block: Json) -> int:
    if not isinstance(block, dict):
        return 0
    kind = block.get("type")
    if kind == "image":
        return IMAGE_TOKENS
    if kind == "document":
        return _document_tokens(block)
    if kind == "tool_use":
        return text_tokens(str(block.get("name"))) + _json_tokens(block.get("input"))
    if kind in ("tool_result", "search_result"):
        return _content_tokens(block.get("content"))
    words = block.get(_WORDS_IN.get(str(kind), ""))
    return text_tokens(words) if isinstance(words, str) else _json_tokens(_unmarked(block))


def _content_tokens(content: Json) -> int:
    if isinstance(content, str):
        return text_tokens(content)
    return sum(_block_tokens(one) for one in content) if isinstance(content, list) else 0


def _document_tokens(block: JsonObject) -> int:
    source = block.get("source")
    if not isinstance(source, dict):
        return 0
    head = text_tokens(str(block.get("title") or "")) + text_tokens(str(block.get("context") or ""))
    if source.get("type") == "base64":
        return head + -(-(len(str(source.get("data"))) * 3 // 4) // BINARY_BYTES_PER_TOKEN)
    if source.get("type") == "text":
        return head + text_tokens(str(source.get("data")))
    if source.get("type") == "content":
        return head + _content_tokens(source.get("content"))
    return head + LINKED_TOKENS


def _json_tokens(value: Json) -> int:
    return -(-len(msgspec.json.encode(value)) // BYTES_PER_TOKEN)
