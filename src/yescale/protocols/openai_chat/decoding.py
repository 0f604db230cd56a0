"""A client's request, whole, in canonical form."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import (
    ChatRequest,
    HostedTool,
    OutputForm,
    Reasoning,
    Sampling,
    Tool,
    ToolChoice,
    Voice,
)
from yescale.domain.content import HostedKind
from yescale.domain.faults import Fault
from yescale.protocols.codec import NO_WORDS, Malformed, PathWords
from yescale.protocols.openai_chat.chat_schema import (
    WireChoiceOfTool,
    WireForm,
    WireFunction,
    WireRequest,
    WireTool,
)
from yescale.protocols.openai_chat.parts import cache_point
from yescale.protocols.openai_chat.requests import peek_chat
from yescale.protocols.openai_chat.responses import said
from yescale.protocols.openai_chat.turns import Turns, checked
from yescale.protocols.openai_chat.words import ID
from yescale.protocols.reading import read, read_text, wrong

_REQUEST: Final = msgspec.json.Decoder(WireRequest)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_TOOL: Final = msgspec.json.Decoder(WireTool)
_FUNCTION: Final = msgspec.json.Decoder(WireFunction)
_CHOICE: Final = msgspec.json.Decoder(str | WireChoiceOfTool)
_LEGACY_CHOICE: Final = msgspec.json.Decoder(str | WireFunction)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_ENCODER: Final = msgspec.json.Encoder()
_KNOWN: Final = frozenset(WireRequest.__struct_fields__)

# Names by which a function without parameters means a tool that Google runs.
_RESERVED: Final[Mapping[str, HostedKind]] = MappingProxyType(
    {"googleSearch": "web_search", "codeExecution": "code_execution", "urlContext": "url_context"}
)


def decode_request(body: bytes, words: PathWords = NO_WORDS) -> ChatRequest:
    """The whole request. What price and route refuse is refused here in the same words. Raises Malformed.

    A null says nothing, here as at OpenAI; fields that no other format knows become extras of this one.
    """
    peek = peek_chat(body, words)
    if isinstance(peek, Fault):
        raise Malformed(peek)
    wire = checked(read_text(_REQUEST, body))
    turns = Turns()
    for number, raw in enumerate(wire.messages):
        turns.read(number, raw)
    messages = turns.finish()
    extras = {name: Raw(bytes(value)) for name, value in checked(read(_FIELDS, body)).items() if _is_extra(name, value)}
    extras |= turns.extras
    if wire.audio is not None and not isinstance(wire.audio.voice, str):
        extras["audio"] = _OBJECT.decode(body)["audio"]
    return ChatRequest(
        model=wire.model,
        messages=messages,
        system=tuple(turns.system),
        tools=tuple(_tools(wire)),
        tool_choice=_tool_choice(wire),
        parallel_tools=_parallel(wire),
        max_tokens=peek.declared,
        stop=(wire.stop,) if isinstance(wire.stop, str) else tuple(wire.stop or ()),
        n=wire.n,
        sampling=_sampling(wire),
        reasoning=_reasoning(wire),
        output=_output(wire.response_format),
        verbosity=wire.verbosity,
        modalities=tuple(wire.modalities or ()),
        voice=_voice(wire),
        stream=wire.stream is True,
        usage_wanted=peek.wants_usage,
        user=wire.user or "",
        cache_key=wire.prompt_cache_key or "",
        service_tier=wire.service_tier or "",
        legacy_functions=wire.functions is not None,
        extras=MappingProxyType({ID: MappingProxyType(extras)} if extras else {}),
    )


def _voice(wire: WireRequest) -> Voice | None:
    """A voice that others may have, too; one of the client's own is known to OpenAI alone."""
    audio = wire.audio
    return None if audio is None or not isinstance(audio.voice, str) else Voice(name=audio.voice, format=audio.format)


def _is_extra(name: str, value: Raw) -> bool:
    return name not in _KNOWN and said(value)


def _sampling(wire: WireRequest) -> Sampling:
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        seed=wire.seed,
        presence_penalty=wire.presence_penalty,
        frequency_penalty=wire.frequency_penalty,
        logit_bias=_some(wire.logit_bias),
        logprobs=wire.logprobs,
        top_logprobs=wire.top_logprobs,
    )


def _reasoning(wire: WireRequest) -> Reasoning | None:
    """Three dialects: OpenAI's effort, OpenRouter's `reasoning`, and `thinking` as Ark and servers of Claude say it."""
    enabled: bool | None = None
    budget: int | None = None
    effort = wire.reasoning_effort
    shown: bool | None = None
    if wire.reasoning is not None:
        effort = effort or wire.reasoning.effort
        budget, enabled = wire.reasoning.max_tokens, wire.reasoning.enabled
        shown = None if wire.reasoning.exclude is None else not wire.reasoning.exclude
    if wire.thinking is not None:
        match wire.thinking.type:
            case "enabled":
                enabled, budget = True, wire.thinking.budget_tokens
            case "disabled":
                enabled = False
            case _:
                budget = -1
    found = Reasoning(enabled=enabled, effort=effort, budget=budget, shown=shown)
    return None if found == Reasoning() else found


def _output(form: WireForm | None) -> OutputForm | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return OutputForm()
    schema = form.json_schema
    if schema is None:
        field = "response_format.json_schema"
        raise Malformed(wrong(field, f"'{field}' is required."))
    return OutputForm(
        schema=_some(schema.schema), name=schema.name, description=schema.description or "", strict=schema.strict
    )


def _parallel(wire: WireRequest) -> bool | None:
    """Legacy functions are called one at a time: their answer has no room for two."""
    return False if wire.functions is not None and not wire.tools else wire.parallel_tool_calls


def _tools(wire: WireRequest) -> Iterator[Tool | HostedTool]:
    for index, raw in enumerate(wire.tools or ()):
        yield _read_tool(raw, f"tools[{index}]")
    for index, raw in enumerate(wire.functions or ()):
        yield _function(checked(read(_FUNCTION, bytes(raw), f"functions[{index}]")))
    if said(wire.web_search_options):
        raw = Raw(bytes(wire.web_search_options))
        options = checked(read(_OBJECT, bytes(raw), "web_search_options"))
        yield HostedTool(kind="web_search", origin=ID, raw=raw, location=_location(options.get("user_location")))


def _read_tool(raw: Raw, where: str) -> Tool | HostedTool:
    wire = checked(read(_TOOL, bytes(raw), where))
    match wire.type:
        case "function" if wire.function is not None:
            kind = None if said(wire.function.parameters) else _RESERVED.get(wire.function.name)
            if kind is not None:
                return HostedTool(kind=kind, origin=ID, raw=Raw(bytes(raw)))
            return _function(wire.function, wire)
        case "custom" if wire.custom is not None:
            custom = wire.custom
            return Tool(
                name=custom.name, description=custom.description or "", custom=True, grammar=_some(custom.format)
            )
        case "function" | "custom":
            raise Malformed(wrong(f"{where}.{wire.type}", f"'{where}.{wire.type}' is required."))
        case _:
            return HostedTool(kind="other", origin=ID, raw=Raw(bytes(raw)))


def _function(wire: WireFunction, tool: WireTool | None = None) -> Tool:
    return Tool(
        name=wire.name,
        description=wire.description or "",
        parameters=_some(wire.parameters),
        strict=wire.strict,
        cache=cache_point(tool.cache_control) if tool is not None else None,
    )


def _location(raw: Raw | None) -> Raw | None:
    """OpenAI chat nests what the other formats say beside the type."""
    if raw is None or not said(raw):
        return None
    place = checked(read(_OBJECT, bytes(raw), "web_search_options.user_location"))
    inner = place.get("approximate")
    if inner is None:
        return Raw(bytes(raw))
    fields = checked(read(_OBJECT, bytes(inner), "web_search_options.user_location.approximate"))
    return Raw(_ENCODER.encode({"type": "approximate", **fields}))


def _tool_choice(wire: WireRequest) -> ToolChoice | None:
    if not said(wire.tool_choice):
        return _legacy_choice(wire.function_call)
    found = checked(read(_CHOICE, bytes(wire.tool_choice), "tool_choice"))
    match found:
        case "auto" | "none" | "required" as mode:
            return ToolChoice(mode=mode)
        case WireChoiceOfTool(type="function", function=named) if named is not None:
            return ToolChoice(mode="named", name=named.name)
        case WireChoiceOfTool(type="custom", custom=named) if named is not None:
            return ToolChoice(mode="named", name=named.name)
        case WireChoiceOfTool(type="allowed_tools", allowed_tools=allowed) if allowed is not None:
            named = [tool.function or tool.custom for tool in allowed.tools]
            return ToolChoice(mode=allowed.mode, allowed=tuple(each.name for each in named if each is not None))
        case str():
            raise Malformed(wrong("tool_choice", "'tool_choice' must be auto, none, required or an object."))
        case _:
            field = f"tool_choice.{found.type}"
            raise Malformed(wrong(field, f"'{field}' is required."))


def _legacy_choice(raw: Raw) -> ToolChoice | None:
    if not said(raw):
        return None
    match checked(read(_LEGACY_CHOICE, bytes(raw), "function_call")):
        case "auto" | "none" as mode:
            return ToolChoice(mode=mode)
        case WireFunction(name=name):
            return ToolChoice(mode="named", name=name)
        case _:
            raise Malformed(wrong("function_call", "'function_call' must be auto, none or an object."))


def _some(raw: Raw) -> Raw | None:
    """A value of the request that outlives its body; None if nothing was said."""
    return Raw(bytes(raw)) if said(raw) else None
