"""Tools and how they are to be chosen, both ways: https://ai.google.dev/api/caching#Tool, .../caching#ToolConfig"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import ChatRequest, HostedTool, Tool, ToolChoice
from yescale.domain.content import HostedKind
from yescale.domain.custom_tools import as_function
from yescale.protocols.gemini_generate.losses import Losses
from yescale.protocols.gemini_generate.members import STRING, STRINGS, Members, refuse
from yescale.protocols.gemini_generate.schemas import to_json_schema
from yescale.protocols.gemini_generate.seals import ORIGIN
from yescale.protocols.gemini_generate.writing import ENCODER, Wire

_KINDS: Final[Mapping[str, HostedKind]] = MappingProxyType(
    {
        "googleSearch": "web_search",
        "googleSearchRetrieval": "web_search",
        "codeExecution": "code_execution",
        "urlContext": "url_context",
        "fileSearch": "file_search",
    }
)
_WORDS: Final[Mapping[HostedKind, str]] = MappingProxyType(
    {
        "web_search": "googleSearch",
        "code_execution": "codeExecution",
        "url_context": "urlContext",
        "web_fetch": "urlContext",
    }
)
RESERVED: Final = ("googleSearch", "codeExecution", "urlContext")


def reserve_names(request: ChatRequest) -> ChatRequest:
    """The same with functions of three reserved names as Google's own tools: clients of formats that have no word
    for those switch them on so.
    """
    if not any(isinstance(tool, Tool) and tool.name in RESERVED for tool in request.tools):
        return request
    tools = tuple(
        HostedTool(kind=_KINDS[tool.name], origin=None) if isinstance(tool, Tool) and tool.name in RESERVED else tool
        for tool in request.tools
    )
    choice = request.tool_choice
    if choice is not None and choice.name in RESERVED:
        choice = None  # Google decides itself when it runs its tools
    return replace(request, tools=tools, tool_choice=choice)


def decode_tools(raws: Sequence[Raw], extras: dict[str, Raw]) -> tuple[Tool | HostedTool, ...]:
    """The tools of a request; what only Google knows of a function goes to `extras`, as tools.<name>.<field>."""
    return tuple(tool for n, raw in enumerate(raws) for tool in _decode_tool(raw, f"tools[{n}]", extras))


def _decode_tool(raw: Raw, where: str, extras: dict[str, Raw]) -> Iterator[Tool | HostedTool]:
    members = Members(raw, where)
    functions = members.take_all("functionDeclarations")
    for n, function in enumerate(functions):
        yield _decode_function(function, f"{where}.functionDeclarations[{n}]", extras)
    for name, settings in members.rest().items():
        kind = _KINDS.get(name, "other")
        blocked = Members(settings, f"{where}.{name}").take("excludeDomains", STRINGS) if kind == "web_search" else None
        whole = Raw(ENCODER.encode({name: settings}))
        yield HostedTool(kind=kind, origin=ORIGIN, raw=whole, blocked_domains=tuple(blocked or ()))


def _decode_function(raw: Raw, where: str, extras: dict[str, Raw]) -> Tool:
    function = Members(raw, where)
    name = function.take("name", STRING)
    if not name:
        raise refuse(f"{where}.name", f"'{where}.name' is required.")
    parameters, own = function.take_raw("parametersJsonSchema"), function.take_raw("parameters")
    if parameters is None and own is not None:
        parameters = to_json_schema(own, f"{where}.parameters")
    description = function.take("description", STRING) or ""
    extras.update({f"tools.{name}.{field}": value for field, value in function.rest().items()})
    return Tool(name=name, description=description, parameters=parameters)


def decode_choice(config: Members, tools: Sequence[Tool | HostedTool]) -> ToolChoice | None:
    """`functionCallingConfig`. VALIDATED is a free choice among the allowed, which are all where none are named."""
    mode = (config.take("mode", STRING) or "AUTO").upper()
    allowed = tuple(config.take("allowedFunctionNames", STRINGS) or ())
    match mode:
        case "NONE":
            return ToolChoice(mode="none")
        case "ANY" if len(allowed) == 1:
            return ToolChoice(mode="named", name=allowed[0])
        case "ANY":
            return ToolChoice(mode="required", allowed=allowed)
        case "VALIDATED":
            return ToolChoice(mode="auto", allowed=allowed or tuple(t.name for t in tools if isinstance(t, Tool)))
        case "AUTO" | "MODE_UNSPECIFIED":
            return ToolChoice(mode="auto", allowed=allowed)
        case _:
            field = config.path("mode")
            raise refuse(field, f"'{field}' must be AUTO, ANY, NONE or VALIDATED.")


def encode_tools(request: ChatRequest, own: Mapping[str, Raw], losses: Losses) -> list[Wire | Raw]:
    """All functions as one tool, each of Google's as its own."""
    functions = [_encode_function(as_function(tool), own, losses) for tool in request.tools if isinstance(tool, Tool)]
    if any(isinstance(tool, Tool) and tool.custom for tool in request.tools):
        losses.add("tools.custom", "Gemini's functions take objects: the text stands in the field 'input'", "setting")
    hosted = [_encode_hosted(tool, bool(functions), losses) for tool in request.tools if isinstance(tool, HostedTool)]
    first: list[Wire | Raw] = [{"functionDeclarations": functions}] if functions else []
    return first + [tool for tool in hosted if tool is not None]


def _encode_function(tool: Tool, own: Mapping[str, Raw], losses: Losses) -> Wire:
    wire: Wire = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    if tool.parameters is not None:
        wire["parametersJsonSchema"] = tool.parameters
    if tool.strict:
        losses.add("tools.strict", "Gemini has no strict functions", "setting")
    if tool.cache is not None:
        losses.add("cache", "Gemini caches prompts by itself", "hint")
    prefix = f"tools.{tool.name}."
    wire.update({field.removeprefix(prefix): value for field, value in own.items() if field.startswith(prefix)})
    return wire


def _encode_hosted(tool: HostedTool, beside_functions: bool, losses: Losses) -> Wire | Raw | None:
    """Agents of other formats offer a search beside their functions as a matter of course, which Gemini refuses before
    its third generation, and later unless its calls are to be handed on: https://github.com/googleapis/go-genai/issues/323
    """
    if tool.origin == ORIGIN and tool.raw is not None:
        return tool.raw
    word = _WORDS.get(tool.kind)
    if word is None:
        losses.add(f"tools.{tool.kind}", "Gemini has no such tool", "setting")
        return None
    if beside_functions and tool.origin is not None:
        losses.add(f"tools.{tool.kind}", "Gemini has no such tool beside functions", "setting")
        return None
    limits = {
        "max_uses": tool.max_uses is not None,
        "allowed_domains": bool(tool.allowed_domains),
        "blocked_domains": bool(tool.blocked_domains),
        "location": tool.location is not None,
    }
    for name, said in limits.items():
        if said:
            losses.add(f"tools.{tool.kind}.{name}", "Gemini's tool cannot be limited so", "setting")
    return {word: {}}


def encode_choice(choice: ToolChoice) -> Wire:
    """`functionCallingConfig`. Names are allowed only with ANY and VALIDATED."""
    match choice.mode:
        case "none":
            return {"mode": "NONE"}
        case "named":
            return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
        case "required":
            wire: Wire = {"mode": "ANY"}
        case "auto":
            wire = {"mode": "VALIDATED" if choice.allowed else "AUTO"}
    if choice.allowed:
        wire["allowedFunctionNames"] = list(choice.allowed)
    return wire
