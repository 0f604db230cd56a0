"""Custom tools, which take free text, where a format knows functions alone: one function with one text, and back."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from yescale.domain.chat import ChatRequest, HostedTool, Tool
from yescale.domain.content import Part, ToolCall, ToolResult

INPUT_SCHEMA: Final = Raw(
    b'{"type":"object","properties":{"input":{"type":"string","description":"The text that the tool takes."}},'
    b'"required":["input"],"additionalProperties":false}'
)


class _Input(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    input: str


class _Grammar(Struct, frozen=True, gc=False):
    """OpenAI's `format` of a custom tool; its chat API puts the fields into `grammar`."""

    syntax: str = ""
    definition: str = ""
    grammar: "_Grammar | None" = None


_INPUT: Final = msgspec.json.Decoder(_Input)
_GRAMMAR: Final = msgspec.json.Decoder(_Grammar)
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def as_function(tool: Tool) -> Tool:
    """A custom tool as a function with one text; its grammar is put into words. Other tools stay as they are."""
    if not tool.custom:
        return tool
    words = "\n\n".join(filter(None, (tool.description, _grammar_in_words(tool.grammar))))
    return replace(tool, description=words, parameters=INPUT_SCHEMA, custom=False, grammar=None)


def as_functions(request: ChatRequest) -> ChatRequest:
    """The same request without custom tools; one that has none stays itself."""
    if not any(isinstance(tool, Tool) and tool.custom for tool in request.tools) and not any(
        _is_custom(part) for message in request.messages for part in message.parts
    ):
        return request
    tools = tuple(as_function(tool) if isinstance(tool, Tool) else tool for tool in request.tools)
    messages = tuple(
        replace(message, parts=tuple(_as_functions_part(part) for part in message.parts))
        for message in request.messages
    )
    return replace(request, tools=tools, messages=messages)


def _is_custom(part: Part) -> bool:
    return isinstance(part, ToolCall | ToolResult) and part.custom


def _as_functions_part(part: Part) -> Part:
    match part:
        case ToolCall(custom=True):
            return replace(part, custom=False, arguments=wrap_input(part.arguments))
        case ToolResult(custom=True):
            return replace(part, custom=False)
        case _:
            return part


def wrap_input(text: str) -> str:
    """Free text as the arguments of that function."""
    return msgspec.json.encode(_Input(text)).decode()


def unwrap_input(arguments: str) -> str:
    """The free text within such arguments; what is no such object is taken as the text itself."""
    try:
        return _INPUT.decode(arguments).input
    except _BROKEN:
        return arguments


def custom_names(tools: Sequence[Tool | HostedTool]) -> frozenset[str]:
    """The names of the custom tools among these."""
    return frozenset(tool.name for tool in tools if isinstance(tool, Tool) and tool.custom)


def restore(call: ToolCall, names: frozenset[str]) -> ToolCall:
    """A call as the client's tools want it: free text, if it names one of these and came as a function's."""
    if call.custom or call.name not in names:
        return call
    return replace(call, custom=True, arguments=unwrap_input(call.arguments))


def _grammar_in_words(grammar: Raw | None) -> str:
    if grammar is None:
        return ""
    try:
        found = _GRAMMAR.decode(grammar)
    except _BROKEN:
        return ""
    found = found.grammar or found
    return f"The input must match this {found.syntax} grammar:\n{found.definition}" if found.definition else ""
