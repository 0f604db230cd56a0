"""A client's request read into canonical form.

Source: https://platform.claude.com/docs/en/api/messages/create
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import (
    NO_EXTRAS,
    ChatRequest,
    Extras,
    HostedTool,
    Message,
    OutputForm,
    Sampling,
    Tool,
    ToolChoice,
)
from yescale.domain.content import Text
from yescale.protocols.anthropic_messages import hosted
from yescale.protocols.anthropic_messages.blocks import BlockReader, cache_of
from yescale.protocols.anthropic_messages.schema import (
    WireOutput,
    WireRequest,
    WireThinkingWish,
    WireTool,
    WireToolChoice,
    WireTurn,
    WireUser,
)
from yescale.protocols.anthropic_messages.taking import fields_of, kind_of, refuse, said, says_more, take, take_text
from yescale.protocols.anthropic_messages.thinking import read_thinking, says_it_all
from yescale.protocols.anthropic_messages.words import ID, TIERS_ASKED
from yescale.protocols.codec import NO_WORDS, PathWords

_REQUEST: Final = msgspec.json.Decoder(WireRequest)
_TOOL: Final = msgspec.json.Decoder(WireTool)


def decode_request(body: bytes, _: PathWords = NO_WORDS) -> ChatRequest:
    """The request that a body says. Raises Malformed."""
    wire = take_text(_REQUEST, body)
    if not wire.model:
        raise refuse("model", "must not be empty")
    if not wire.messages:
        raise refuse("messages", "must hold at least one message")
    if wire.max_tokens is not None and wire.max_tokens < 0:
        raise refuse("max_tokens", "must not be negative")
    reader = BlockReader(client=True)
    leading = _count_leading(wire.messages)
    tools = _read_tools(wire.tools or [], reader)
    form = wire.output_config.format if wire.output_config is not None else None
    form = form or wire.output_format
    return ChatRequest(
        model=wire.model,
        system=_read_system(wire, leading, reader),
        messages=tuple(_read_turn(turn, number, reader) for number, turn in enumerate(wire.messages[leading:])),
        tools=tools,
        tool_choice=_read_choice(wire.tool_choice),
        parallel_tools=_read_parallel(wire.tool_choice),
        max_tokens=wire.max_tokens,
        stop=tuple(wire.stop_sequences or ()),
        sampling=Sampling(temperature=wire.temperature, top_p=wire.top_p, top_k=wire.top_k),
        reasoning=read_thinking(wire.thinking, wire.output_config),
        output=None if form is None else OutputForm(schema=form.schema.copy()),
        stream=wire.stream is True,
        user=(wire.metadata.user_id or "") if wire.metadata is not None else "",
        service_tier=TIERS_ASKED.get(wire.service_tier or "", wire.service_tier or ""),
        extras=_read_extras(body, wire, reader.kept),
    )


def _count_leading(turns: list[WireTurn]) -> int:
    """How many system turns come before all others."""
    for number, turn in enumerate(turns):
        if turn.role != "system":
            return number
    raise refuse("messages", "must hold a turn of the user")


def _read_system(wire: WireRequest, leading: int, reader: BlockReader) -> tuple[Text, ...]:
    found = list(reader.read_all(wire.system or "", "system"))
    others = BlockReader(client=True)
    for number in range(leading):
        found += others.read_all(wire.messages[number].content, f"messages.{number}.content")
    texts = tuple(part for part in found if isinstance(part, Text))
    if len(texts) != len(found):
        raise refuse("system", "must hold text blocks only")
    return texts


def _read_turn(turn: WireTurn, number: int, reader: BlockReader) -> Message:
    for name, value in (("clear_at", turn.clear_at), ("output_config", turn.output_config)):
        if said(value):
            reader.keep(value, f"turns.{number}.{name}")
    return Message(role=turn.role, parts=reader.read_all(turn.content, f"messages.{number}.content"))


def _read_tools(tools: list[Raw], reader: BlockReader) -> tuple[Tool | HostedTool, ...]:
    return tuple(_read_tool(raw, f"tools.{number}", reader) for number, raw in enumerate(tools))


def _read_tool(raw: Raw, place: str, reader: BlockReader) -> Tool | HostedTool:
    kind = kind_of(raw, place)
    if kind not in {"", "custom"}:
        return hosted.read_tool(kind, raw, place)
    wire = take(_TOOL, raw, place)
    if says_more(raw, WireTool.__struct_fields__, place):
        reader.keep(raw, place)
    return Tool(
        name=wire.name,
        description=wire.description or "",
        parameters=wire.input_schema.copy(),
        strict=wire.strict,
        cache=cache_of(wire.cache_control),
    )


def _read_choice(wire: WireToolChoice | None) -> ToolChoice | None:
    if wire is None:
        return None
    if wire.type == "tool" and not wire.name:
        raise refuse("tool_choice.name", "is required")
    match wire.type:
        case "tool":
            return ToolChoice(mode="named", name=wire.name or "")
        case "any":
            return ToolChoice(mode="required")
        case mode:
            return ToolChoice(mode=mode)


def _read_parallel(wire: WireToolChoice | None) -> bool | None:
    return None if wire is None or wire.disable_parallel_tool_use is None else not wire.disable_parallel_tool_use


def _read_extras(body: bytes, wire: WireRequest, kept: Mapping[str, Raw]) -> Extras:
    """What only Anthropic can read: fields that we do not, fields and blocks that say more than we read of them."""
    known = WireRequest.__struct_fields__
    fields = fields_of(body)
    extras = {name: value.copy() for name, value in fields.items() if name not in known and said(value)}
    if wire.thinking is not None and not says_it_all(wire.thinking):
        extras["thinking"] = fields["thinking"].copy()
    for name, struct in (("output_config", WireOutput), ("metadata", WireUser), ("thinking", WireThinkingWish)):
        if name in fields and said(fields[name]) and says_more(fields[name], struct.__struct_fields__, name):
            extras[name] = fields[name].copy()
    extras.update(kept)
    return MappingProxyType({ID: MappingProxyType(extras)}) if extras else NO_EXTRAS
