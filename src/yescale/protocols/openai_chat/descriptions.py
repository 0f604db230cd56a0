"""Descriptions of tools that are longer than a provider takes: the beginning stays, the whole is said among the system
words, so that the model reads all of it.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from yescale.domain.chat import ChatRequest, Tool
from yescale.domain.content import Text

_CUT: Final = "…"
_HEADING: Final = "Tools whose descriptions are cut short, described in full:"


def shorten(request: ChatRequest, most: int) -> ChatRequest:
    """The request with no description above `most` characters; itself where none is, or where no bound is known."""
    long = [tool for tool in request.tools if isinstance(tool, Tool) and 0 < most < len(tool.description)]
    if not long:
        return request
    tools = tuple(_cut(tool, most) if isinstance(tool, Tool) else tool for tool in request.tools)
    return replace(request, tools=tools, system=(*request.system, Text(text=_tell(long))))


def _cut(tool: Tool, most: int) -> Tool:
    if len(tool.description) <= most:
        return tool
    return replace(tool, description=tool.description[: most - len(_CUT)] + _CUT)


def _tell(tools: Iterable[Tool]) -> str:
    return "\n\n".join((_HEADING, *(f"## {tool.name}\n\n{tool.description}" for tool in tools)))
