"""What a fake model takes from a request of Anthropic's: the last words, the tools that it may call, the format."""

from collections.abc import Mapping

from yescale_sandbox.anthropic.prompt import Asked, Block, Call, Source, Tool
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.speech import Heard, Offered


def _command(name: str) -> JsonObject:
    return {
        "type": "object",
        "properties": {"command": {"const": name}, "path": {"const": "."}},
        "required": ["command", "path"],
    }


# What a model says to the tools whose schema Anthropic keeps to itself: /docs/en/agents-and-tools/tool-use.
_BUILT_IN: Mapping[str, JsonObject] = {
    "bash": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    "computer": {"type": "object", "properties": {"action": {"const": "screenshot"}}, "required": ["action"]},
    "memory": _command("view"),
    "str_replace_editor": _command("view"),
    "str_replace_based_edit_tool": _command("view"),
}


def heard(call: Call) -> Heard:
    """The request as a fake model hears it."""
    asked = call.asked
    choice = asked.tool_choice
    form = asked.format
    return Heard(
        quote=asked.last_user_text(),
        digest=call.digest,
        tool_answers=asked.tool_answers(),
        seen=tuple(_kind(block) for block in asked.last_user_blocks() if block.type in ("image", "document")),
        tools=tuple(Offered(tool.name, schema) for tool, schema in _callable(asked)),
        demanded=choice is not None and choice.type in ("any", "tool"),
        parallel=choice is None or not choice.disable_parallel_tool_use,
        schema=form.schema if form is not None else None,
    )


def _callable(asked: Asked) -> list[tuple[Tool, JsonObject]]:
    """The tools that the client runs and that the choice allows."""
    choice = asked.tool_choice
    if choice is not None and choice.type == "none":
        return []
    tools = [tool for tool in asked.tools if choice is None or choice.type != "tool" or tool.name == choice.name]
    schemas = ((tool, tool.input_schema or _BUILT_IN.get(tool.name)) for tool in tools)
    return [(tool, schema) for tool, schema in schemas if schema is not None]


def _kind(block: Block) -> str:
    source = block.source
    if not isinstance(source, Source):
        return block.type
    return "web" if source.type == "url" else source.media_type or source.type
