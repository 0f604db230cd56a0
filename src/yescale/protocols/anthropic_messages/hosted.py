"""What Anthropic's own tools were asked for, called with and answered: blocks and tools of theirs, both directions."""

from typing import Final, cast

import msgspec
from msgspec import Raw

from yescale.domain.chat import HostedTool
from yescale.domain.content import HostedCall, HostedResult
from yescale.domain.loss import Loss
from yescale.protocols.anthropic_messages.schema import WireCode, WireHosted, WireHostedResult, WireOutcome, WireToolUse
from yescale.protocols.anthropic_messages.taking import any_value, said, take
from yescale.protocols.anthropic_messages.words import HOSTED_NAMES, HOSTED_TYPES, ID

_CALL: Final = msgspec.json.Decoder(WireToolUse)
_CODE: Final = msgspec.json.Decoder(WireCode)
_RESULT: Final = msgspec.json.Decoder(WireHostedResult)
_OUTCOME: Final = msgspec.json.Decoder(WireOutcome)
_TOOL: Final = msgspec.json.Decoder(WireHosted)
_ENCODER: Final = msgspec.json.Encoder()

_SHOWN: Final = frozenset({"web_search", "code_execution"})  # of other providers' tools, to clients
CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
_RESULT_END: Final = "_tool_result"


def read_block(kind: str, raw: Raw, place: str) -> HostedCall | HostedResult | None:
    """A call or a result of a tool that runs at Anthropic's; None where the block is neither."""
    if kind in CALLS:
        wire = take(_CALL, raw, place)
        return call(wire.id, wire.name, bytes(wire.input).decode(errors="replace"), raw)
    if kind.endswith(_RESULT_END):
        return _read_result(kind.removesuffix(_RESULT_END), raw, place)
    return None


def call(call_id: str, name: str, arguments: str, raw: Raw) -> HostedCall:
    """A call of a tool of theirs, its input in the form that formats share."""
    tool = HOSTED_NAMES.get(name, "other")
    return HostedCall(
        id=call_id,
        tool=tool,
        arguments=_say_code(name, arguments) if tool == "code_execution" else arguments,
        origin=ID,
        raw=raw.copy(),
    )


def _say_code(name: str, arguments: str) -> str:
    """Python as `code`, a shell's line as `command`."""
    try:
        wire = _CODE.decode(arguments)
    except (msgspec.MsgspecError, UnicodeError):
        wire = WireCode()
    shell = name.startswith("bash")
    code = {"language": "bash" if shell else "python", "code": (wire.command if shell else wire.code) or ""}
    return _ENCODER.encode(code).decode()


def _read_result(name: str, raw: Raw, place: str) -> HostedResult:
    wire = take(_RESULT, raw, place)
    outcome = WireOutcome()
    if bytes(wire.content).startswith(b"{"):
        outcome = take(_OUTCOME, wire.content, f"{place}.content")
    return HostedResult(
        call_id=wire.tool_use_id,
        tool=HOSTED_NAMES.get(name, "other"),
        origin=ID,
        raw=raw.copy(),
        text=(outcome.stdout or "") + (outcome.stderr or ""),
        failed=wire.is_error is True or outcome.type.endswith("_error"),
    )


def read_tool(kind: str, raw: Raw, place: str) -> HostedTool:
    """A tool of Anthropic's by its dated type; those that the client itself runs (bash, computer ...) as `other`."""
    wire = take(_TOOL, raw, place)
    return HostedTool(
        kind=HOSTED_NAMES.get(kind.rpartition("_")[0], "other"),
        origin=ID,
        raw=raw.copy(),
        max_uses=wire.max_uses,
        allowed_domains=tuple(wire.allowed_domains or ()),
        blocked_domains=tuple(wire.blocked_domains or ()),
        location=wire.user_location.copy() if said(wire.user_location) else None,
    )


def write_tool(tool: HostedTool, losses: list[Loss]) -> Raw | dict[str, object] | None:
    """The same tool of Anthropic's, if they have one."""
    if tool.origin == ID and tool.raw is not None:
        return tool.raw
    if tool.kind not in HOSTED_TYPES:
        losses.append(Loss(f"tools.{tool.kind}", "Anthropic has no such tool", "setting"))
        return None
    kind, name = HOSTED_TYPES[tool.kind]
    wire: dict[str, object] = {"type": kind, "name": name}
    if tool.max_uses is not None:
        wire["max_uses"] = tool.max_uses
    if tool.allowed_domains:
        wire["allowed_domains"] = tool.allowed_domains
    if tool.blocked_domains and tool.allowed_domains:
        losses.append(Loss("tools.blocked_domains", "Anthropic takes allowed or blocked domains, not both", "setting"))
    elif tool.blocked_domains:
        wire["blocked_domains"] = tool.blocked_domains
    if tool.location is not None and tool.kind == "web_search":
        wire["user_location"] = tool.location
    return wire


def write_call(part: HostedCall, call_id: str) -> Raw | dict[str, object] | None:
    """A call for a client to see; one of another provider's in the form that Anthropic has for its own."""
    if part.origin == ID:
        return part.raw
    if part.tool not in _SHOWN:
        return None
    arguments = any_value(Raw(part.arguments.encode()))
    if part.tool == "web_search" and isinstance(arguments, dict):
        said = cast("dict[str, object]", arguments)
        arguments = {"query": said["query"]} if "query" in said else said  # OpenAI says the kind of action beside it
    return {
        "type": "server_tool_use",
        "id": call_id,
        "name": part.tool,
        "input": arguments if isinstance(arguments, dict) else {},
    }


def write_result(part: HostedResult, call_id: str) -> Raw | dict[str, object] | None:
    """A result for a client to see. What another provider's search found stands in the citations of its answer."""
    if part.origin == ID:
        return part.raw
    if part.tool == "web_search":
        return {"type": "web_search_tool_result", "tool_use_id": call_id, "content": []}
    if part.tool != "code_execution":
        return None
    outcome: dict[str, object] = {
        "type": "code_execution_result",
        "stdout": part.text,
        "stderr": "",
        "return_code": int(part.failed),
        "content": [],
    }
    return {"type": "code_execution_tool_result", "tool_use_id": call_id, "content": outcome}
