"""The tools of a request for Converse.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Raw

from yescale.domain.chat import ChatRequest, HostedTool, Tool, ToolChoice
from yescale.domain.content import ToolCall, ToolResult
from yescale.protocols.bedrock_converse.prompting import Block, BlockWriter

_ANY_OBJECT: Final = Raw(b'{"type":"object","properties":{}}')
_FREE_TEXT: Final = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')


def write_tools(request: ChatRequest, writer: BlockWriter) -> Block:
    """The `toolConfig`, or nothing. A conversation in which tools were called must have one."""
    choice = request.tool_choice
    used = _used(request)
    if choice is not None and choice.mode == "none" and not used:
        return {}
    specs = [spec for tool in _allowed(request, choice, writer) for spec in _write_tool(tool, writer)]
    if not specs and used:
        writer.lose("tools", "Converse wants the tools that were called: they stand there by name", "hint")
        specs = [{"toolSpec": {"name": name, "inputSchema": {"json": _ANY_OBJECT}}} for name in used]
    if request.parallel_tools is False:
        writer.lose("parallel_tools", "Converse has no such field", "setting")
    if not specs:
        if choice is not None and choice.mode in {"required", "named"}:
            writer.lose("tool_choice", "there is no tool to choose", "setting")
        return {}
    config: Block = {"tools": specs}
    wire = _write_choice(choice, writer)
    if wire is not None:
        config["toolChoice"] = wire
    return {"toolConfig": config}


def _used(request: ChatRequest) -> list[str]:
    """The names of the tools that the conversation has called, each once."""
    parts = [part for message in request.messages for part in message.parts]
    called = {part.name for part in parts if isinstance(part, ToolCall)}
    answered = any(isinstance(part, ToolResult) for part in parts)
    return sorted(called) or (["tool"] if answered else [])


def _allowed(request: ChatRequest, choice: ToolChoice | None, writer: BlockWriter) -> Iterable[Tool | HostedTool]:
    if choice is None or not choice.allowed:
        return request.tools
    writer.lose("tool_choice.allowed", "Converse has no such list: the other tools are left out", "hint")
    return [tool for tool in request.tools if isinstance(tool, Tool) and tool.name in choice.allowed]


def _write_tool(tool: Tool | HostedTool, writer: BlockWriter) -> list[Block]:
    if isinstance(tool, HostedTool):
        writer.lose(f"tools.{tool.kind}", "Converse has no such tool", "setting")
        return []
    schema = tool.parameters or _ANY_OBJECT
    if tool.custom:
        writer.lose("tools.custom", "Converse's tools take objects: the text stands in the field 'input'", "setting")
        schema = _FREE_TEXT
    spec: Block = {"name": tool.name, "inputSchema": {"json": schema}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return [{"toolSpec": spec}, *writer.point(tool.cache)]


def _write_choice(choice: ToolChoice | None, writer: BlockWriter) -> Block | None:
    if choice is None:
        return None
    match choice.mode:
        case "auto":
            return {"auto": {}}
        case "required":
            return {"any": {}}
        case "named":
            return {"tool": {"name": choice.name}}
        case "none":
            writer.lose("tool_choice", "Converse cannot forbid tools that were called before", "setting")
            return None
