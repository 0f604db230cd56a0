"""Requests read: a Responses body as a canonical request."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import ChatRequest, HostedTool, OutputForm, Reasoning, Sampling, Tool, ToolChoice
from yescale.domain.content import HostedKind
from yescale.domain.faults import Fault
from yescale.protocols.codec import NO_WORDS, Malformed, PathWords
from yescale.protocols.openai_responses.groups import full_name
from yescale.protocols.openai_responses.schema import (
    OWN,
    WireChoice,
    WireItemHead,
    WireMoreTools,
    WireReasoning,
    WireRequest,
    WireSearch,
    WireText,
    WireTool,
    said,
)
from yescale.protocols.openai_responses.turns import Turns
from yescale.protocols.reading import read, read_text, wrong

T = TypeVar("T")

_REQUEST: Final = msgspec.json.Decoder(WireRequest)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_ITEMS: Final = msgspec.json.Decoder(list[Raw])
_STRING: Final = msgspec.json.Decoder(str)
_TOOL: Final = msgspec.json.Decoder(WireTool)
_SEARCH: Final = msgspec.json.Decoder(WireSearch)
_MORE: Final = msgspec.json.Decoder(WireMoreTools)
_HEAD: Final = msgspec.json.Decoder(WireItemHead)
_CHOICE: Final = msgspec.json.Decoder(WireChoice | str)

_MORE_TOOLS: Final = b"additional_tools"
LOGPROBS: Final = "message.output_text.logprobs"
_MOST_TOKENS: Final = 2**30
_ARRAY: Final = ord("[")
_QUOTE: Final = ord('"')
# These are said whole by the canonical form; `tool_choice`, `reasoning` and `text` only in their usual shapes.
_CANONICAL: Final = frozenset(WireRequest.__struct_fields__) - {"include", "safety_identifier"}
_USUAL_REASONING: Final = frozenset({"effort", "summary"})
_OF_TOOLS: Final = frozenset(WireTool.__struct_fields__) - {"tools"}
_OF_THE_CLIENT: Final = frozenset({b'"function"', b'"custom"'})
_GROUP: Final = b'"namespace"'
_USUAL_TEXT: Final = frozenset({"format", "verbosity"})
_HOSTED_KINDS: Final[Mapping[str, HostedKind]] = MappingProxyType(
    {
        "web_search": "web_search",
        "web_search_2025_08_26": "web_search",
        "web_search_preview": "web_search",
        "web_search_preview_2025_03_11": "web_search",
        "code_interpreter": "code_execution",
        "file_search": "file_search",
    }
)


def decode_request(body: bytes, _: PathWords = NO_WORDS) -> ChatRequest:
    """A canonical request. Raises Malformed.

    What this format alone knows travels in `extras`, which are there, be they empty, of every request of this format.
    """
    wire = _expect(read_text(_REQUEST, body))
    fields = _expect(read(_FIELDS, body))
    _check(wire)
    declared = [(raw, f"tools[{number}]") for number, raw in enumerate(wire.tools or ())]
    turns = _read_input(wire, declared)
    inner = [found for raw, field in declared for found in _unread_of(raw, field)]
    choice = _read_choice(wire.tool_choice)
    return ChatRequest(
        model=wire.model,
        messages=tuple(turns.messages),
        system=tuple(turns.system),
        tools=tuple(tool for raw, field in declared for tool in _read_tools(raw, field)),
        tool_choice=choice,
        parallel_tools=wire.parallel_tool_calls,
        max_tokens=wire.max_output_tokens,
        sampling=_read_sampling(wire),
        reasoning=_read_reasoning(wire.reasoning),
        output=_read_form(wire.text),
        verbosity=None if wire.text is None else wire.text.verbosity,
        stream=wire.stream is True,
        usage_wanted=True,
        user=wire.user or wire.safety_identifier or "",
        cache_key=wire.prompt_cache_key or "",
        service_tier=wire.service_tier or "",
        extras=MappingProxyType({OWN: MappingProxyType(_extras(fields, choice) | dict(inner) | turns.unread)}),
    )


def _expect(found: T | Fault) -> T:
    if isinstance(found, Fault):
        raise Malformed(found)
    return found


def _check(wire: WireRequest) -> None:
    if not wire.model:
        raise Malformed(wrong("model", "'model' must not be empty."))
    if wire.max_output_tokens is not None and not 0 < wire.max_output_tokens <= _MOST_TOKENS:
        raise Malformed(wrong("max_output_tokens", f"'max_output_tokens' must be between 1 and {_MOST_TOKENS}."))


def _read_input(wire: WireRequest, declared: list[tuple[Raw, str]]) -> Turns:
    """The turns of the input; the tools that it declares go to the others."""
    turns = Turns(wire.instructions)
    if not said(wire.input):
        return turns  # what a conversation or a stored prompt holds is the whole input
    raw = bytes(wire.input)
    if raw[0] == _QUOTE:
        text = _expect(read(_STRING, raw, "input"))
        turns.add(Raw(msgspec.json.encode({"role": "user", "content": text})), "input")
    elif raw[0] == _ARRAY:
        for number, item in enumerate(_expect(read(_ITEMS, raw, "input"))):
            field = f"input[{number}]"
            if _MORE_TOOLS in bytes(item) and _is_more_tools(item, field):
                more = _expect(read(_MORE, bytes(item), field)).tools
                declared += ((tool, f"{field}.tools[{place}]") for place, tool in enumerate(more))
            else:
                turns.add(item, field)
    else:
        raise Malformed(wrong("input", "'input' must be a string or an array of items."))
    turns.close()
    return turns


def _is_more_tools(item: Raw, field: str) -> bool:
    return _expect(read(_HEAD, bytes(item), field)).type == "additional_tools"


def _read_tools(raw: Raw, field: str) -> Iterator[Tool | HostedTool]:
    """A tool, or the members of a group; what is said of the group is said of each."""
    group = _expect(read(_TOOL, bytes(raw), field))
    if group.type != "namespace":
        yield _read_tool(raw, group, field)
        return
    for number, member in enumerate(group.tools or ()):
        place = f"{field}.tools[{number}]"
        tool = _read_tool(member, _expect(read(_TOOL, bytes(member), place)), place)
        if isinstance(tool, Tool):
            words = "\n\n".join(filter(None, (group.description, tool.description)))
            tool = replace(tool, name=full_name(group.name, tool.name), description=words, group=group.name)
        yield tool


def _unread_of(raw: Raw, field: str) -> Iterator[tuple[str, Raw]]:
    """The fields of a tool of the client's, or of a group's members, that no other format has; by their places."""
    fields = _expect(read(_FIELDS, bytes(raw), field))
    kind = bytes(fields.get("type", b""))
    if kind in _OF_THE_CLIENT:
        yield from ((f"{field}.{name}", Raw(bytes(value))) for name, value in fields.items() if name not in _OF_TOOLS)
    elif kind == _GROUP:
        for number, member in enumerate(_expect(read(_TOOL, bytes(raw), field)).tools or ()):
            yield from _unread_of(member, f"{field}.tools[{number}]")


def _read_tool(raw: Raw, wire: WireTool, field: str) -> Tool | HostedTool:
    if wire.type not in {"function", "custom"}:
        return _read_hosted(raw, wire.type, field)
    if not wire.name:
        raise Malformed(wrong(f"{field}.name", f"'{field}.name' is required."))
    return Tool(
        name=wire.name,
        description=wire.description or "",
        parameters=_kept(wire.parameters),
        strict=wire.strict,
        custom=wire.type == "custom",
        grammar=_kept(wire.format) if wire.type == "custom" else None,
    )


def _read_hosted(raw: Raw, kind: str, field: str) -> HostedTool:
    kept = Raw(bytes(raw))
    shared = _HOSTED_KINDS.get(kind, "other")
    if shared != "web_search":
        return HostedTool(kind=shared, origin=OWN, raw=kept)
    wire = _expect(read(_SEARCH, bytes(raw), field))
    domains = () if wire.filters is None else tuple(wire.filters.allowed_domains or ())
    return HostedTool(kind=shared, origin=OWN, raw=kept, allowed_domains=domains, location=_kept(wire.user_location))


def _read_choice(raw: Raw) -> ToolChoice | None:
    """The choice, unless it is one that other formats do not have."""
    if not said(raw):
        return None
    wire = _expect(read(_CHOICE, bytes(raw), "tool_choice"))
    match wire:
        case "auto" | "none" | "required":
            return ToolChoice(mode=wire)
        case str():
            raise Malformed(wrong("tool_choice", "'tool_choice' must be 'auto', 'none', 'required' or an object."))
        case WireChoice(type="function" | "custom"):
            return ToolChoice(mode="named", name=wire.name)
        case WireChoice(type="allowed_tools", mode="auto" | "required" as mode, tools=[*tools]) if all(
            tool.type in {"function", "custom"} for tool in tools
        ):
            return ToolChoice(mode=mode, allowed=tuple(tool.name for tool in tools))
        case _:
            return None


def _read_sampling(wire: WireRequest) -> Sampling:
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        logprobs=True if LOGPROBS in (wire.include or ()) else None,
        top_logprobs=wire.top_logprobs,
    )


def _read_reasoning(wire: WireReasoning | None) -> Reasoning | None:
    if wire is None:
        return None
    shown = True if wire.summary is not None or wire.generate_summary is not None else None
    enabled = None if wire.effort is None else wire.effort != "none"
    return Reasoning(enabled=enabled, effort=wire.effort, shown=shown)


def _read_form(wire: WireText | None) -> OutputForm | None:
    form = None if wire is None else wire.format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return OutputForm()
    if not isinstance(form.schema, Raw):
        raise Malformed(wrong("text.format.schema", "'text.format.schema' is required."))
    return OutputForm(
        schema=Raw(bytes(form.schema)), name=form.name, description=form.description or "", strict=form.strict
    )


def _extras(fields: dict[str, Raw], choice: ToolChoice | None) -> dict[str, Raw]:
    """The fields that the canonical form has no word for, byte for byte."""
    extras = {name: Raw(bytes(raw)) for name, raw in fields.items() if name not in _CANONICAL}
    if choice is None and "tool_choice" in fields and said(fields["tool_choice"]):
        extras["tool_choice"] = Raw(bytes(fields["tool_choice"]))
    for name, usual in (("reasoning", _USUAL_REASONING), ("text", _USUAL_TEXT)):
        if name in fields and _is_unusual(fields[name], usual, name):
            extras[name] = Raw(bytes(fields[name]))
    return extras


def _is_unusual(raw: Raw, usual: frozenset[str], name: str) -> bool:
    """Whether an object has more than the usual fields, or a summary of a certain length."""
    if not said(raw):
        return False
    inner = _expect(read(_FIELDS, bytes(raw), name))
    return not inner.keys() <= usual or bytes(inner.get("summary", Raw(b'"auto"'))) not in (b'"auto"', b"null")


def _kept(raw: Raw) -> Raw | None:
    """A value of its own, which does not hold the body; None where it is absent or null."""
    return Raw(bytes(raw)) if said(raw) else None
