"""What the fake model hears in a request for a response: the last words, the tools that it may call, their answers."""

from collections.abc import Iterator, Mapping, Sequence

from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai.picture import media_type
from yescale_sandbox.openai.responses.request import Asking, Item, Tool, ToolChoice
from yescale_sandbox.speech import Heard, Offered, digest_of

_TEXT: JsonObject = {"type": "string"}
_TEXTS: JsonObject = {"type": "array", "items": _TEXT, "minItems": 1}


def _object(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": {**properties}, "required": [*properties]}


# Tools that OpenAI itself names, with the schema of what a call of each says.
NAMED: Mapping[str, JsonObject] = {
    "local_shell": _object(command=_TEXTS),
    "shell": _object(commands=_TEXTS),
    "apply_patch": _object(
        type={"const": "update_file"}, path={"const": "notes.txt"}, diff={"const": "@@\n-old\n+new\n"}
    ),
}
SEARCHES = frozenset({"web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"})


def heard(asking: Asking) -> Heard:
    """The prompt in the form that all fake models share."""
    request = asking.request
    last = _last_user(asking.items)
    form = request.form
    return Heard(
        quote=last.text() if last is not None else request.instructions or "",
        digest=digest_of([request.instructions, [*asking.raw_items]]),
        tool_answers=tuple(_tool_answers(asking.items)),
        seen=tuple(_seen(last)),
        tools=tuple(offered(tool) for tool in eligible(asking) if tool.type in NAMED or tool.name),
        demanded=demanded(request.tool_choice),
        parallel=request.parallel_tool_calls is not False,
        schema=form.schema,
        is_json=form.type == "json_object",
    )


def offered(tool: Tool) -> Offered:
    if tool.type == "custom":
        return Offered(tool.name, _TEXT)
    if tool.type in NAMED:
        return Offered(tool.type, NAMED[tool.type])
    return Offered(tool.name, tool.parameters or {"type": "object", "properties": {}})


def flat(tools: Sequence[Tool]) -> Iterator[tuple[Tool, str | None]]:
    """Every tool that can be called, with the namespace that it stands in."""
    for tool in tools:
        if tool.type == "namespace":
            yield from ((inner, tool.name) for inner in tool.tools)
        else:
            yield tool, None


def eligible(asking: Asking) -> list[Tool]:
    """The tools that the choice leaves."""
    tools = [tool for tool, _ in flat(asking.request.tools or [])]
    choice = asking.request.tool_choice
    if choice == "none":
        return []
    if isinstance(choice, ToolChoice):
        rows = choice.tools if choice.type == "allowed_tools" else [{"type": choice.type, "name": choice.name}]
        return [tool for tool in tools if any(_is(tool, row.get("type"), row.get("name")) for row in rows)]
    return tools


def demanded(choice: str | ToolChoice | None) -> bool:
    if isinstance(choice, ToolChoice):
        return choice.type != "allowed_tools" or choice.mode == "required"
    return choice == "required"


def _is(tool: Tool, kind: object, name: object) -> bool:
    return tool.type == kind and (not name or name in (tool.name, tool.server_label))


def _last_user(items: Sequence[Item]) -> Item | None:
    return next((item for item in reversed(items) if item.kind == "message" and item.role == "user"), None)


def _tool_answers(items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    """Names and contents of the outputs that the conversation ends with."""
    names = {
        item.call_id: item.name or item.kind.removesuffix("_call") for item in items if item.kind.endswith("_call")
    }
    start = len(items)
    while start > 0 and items[start - 1].kind.endswith("_output"):
        start -= 1
    for item in items[start:]:
        yield names.get(item.call_id or item.id) or item.name or "", item.text()


def _seen(last: Item | None) -> Iterator[str]:
    for part in last.parts() if last is not None else ():
        if part.type == "input_image":
            yield media_type(part.image_url, "") if part.image_url is not None else "file"
