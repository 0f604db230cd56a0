"""Groups of tools (`namespace`), which this format alone has: elsewhere their members stand among the other tools, each
under its group's name and its own. https://platform.openai.com/docs/api-reference/responses/create#tools
"""

from collections.abc import Iterable, Mapping
from typing import Final

from yescale.domain.chat import HostedTool, Tool

_JOINT: Final = "__"


def full_name(group: str | None, name: str) -> str:
    """The name of a member among all tools."""
    return f"{group}{_JOINT}{name}" if group else name


def groups_of(tools: Iterable[Tool | HostedTool]) -> Mapping[str, str]:
    """The groups of the members among these, by full name."""
    return {tool.name: tool.group for tool in tools if isinstance(tool, Tool) and tool.group}


def spell_name(name: str, group: str) -> dict[str, str]:
    """How a call names what it calls."""
    return {"name": name.removeprefix(f"{group}{_JOINT}"), "namespace": group} if group else {"name": name}
