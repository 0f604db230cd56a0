"""Custom tools, which take free text, where a format knows functions alone: one function with one text, and back."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from yescale.domain.chat import HostedTool, Tool
from yescale.domain.content import ToolCall

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
