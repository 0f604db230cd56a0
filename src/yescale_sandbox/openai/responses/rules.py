"""Rules of a request for a response that look at more than one field, at the model, or at what was stored."""

from collections.abc import Iterator, Sequence

from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai import shapes, strict_schema
from yescale_sandbox.openai.catalogue import ChatModel
from yescale_sandbox.openai.picture import media_type
from yescale_sandbox.openai.refusal import RefusedError, listed, missing, unsupported_parameter, unsupported_value
from yescale_sandbox.openai.responses import request as requests
from yescale_sandbox.openai.responses.request import Asking, Item, ResponseRequest, Tool, ToolChoice
from yescale_sandbox.openai.responses.request_shape import FIELDS
from yescale_sandbox.openai.responses.seal import check_sealed
from yescale_sandbox.openai.responses.shelf import Shelf

# What each kind of call is named in complaints (github.com/router-for-me/CLIProxyAPI/issues/2368).
CALLS = {
    "function_call": "function call",
    "custom_tool_call": "custom tool call",
    "local_shell_call": "local shell call",
    "shell_call": "shell call",
    "apply_patch_call": "apply patch call",
    "computer_call": "computer call",
}


def checked(body: JsonObject, model: ChatModel, shelf: Shelf, key: str) -> Asking:
    """The request and its conversation, if OpenAI would take it.

    Raises: RefusedError.
    """
    shapes.check_fields(FIELDS, body)
    request = requests.typed(body)
    for rule in (_check_sources, _check_model, _check_text, _check_tools, _check_background):
        rule(request, model)
    given = requests.input_items(body)
    for index, item in enumerate(requests.typed_items(given)):
        _check_parts(item, f"input[{index}]", model)
    raw = (*_earlier(request, shelf, key), *(_resolved(item, request, shelf, key) for item in given))
    asking = Asking(request, body, requests.typed_items(raw), raw)
    _check_conversation(asking.items)
    _check_json_word(asking)
    return _fitted(asking, model)


def _check_sources(request: ResponseRequest, _: ChatModel) -> None:
    if request.previous_response_id is not None and request.conversation is not None:
        # https://github.com/openai/openai-agents-python/issues/1907
        raise RefusedError(
            "Mutually exclusive parameters. Ensure you are only providing one of: 'previous_response_id' or "
            "'conversation'.",
            code="mutually_exclusive_parameters",
        )
    if request.conversation is not None:
        held = request.conversation
        name = held if isinstance(held, str) else held["id"]
        raise RefusedError(f"Conversation with id '{name}' not found.", param="conversation", status=404)
    if request.prompt is not None:
        raise RefusedError(f"Prompt with id '{request.prompt['id']}' not found.", param="prompt", status=404)
    if not request.input and request.previous_response_id is None:
        raise RefusedError(
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation' must be provided.",
            code="missing_required_parameter",
        )


def _check_model(request: ResponseRequest, model: ChatModel) -> None:
    values = {"temperature": request.temperature, "top_p": request.top_p}
    for name, value in values.items():
        if model.reasons and value is not None and value != 1:
            raise unsupported_parameter(name)
    if model.reasons and (request.top_logprobs or request.wants("message.output_text.logprobs")):
        raise unsupported_parameter("top_logprobs" if request.top_logprobs else "include")
    effort = request.reasoning.effort if request.reasoning else None
    if effort is not None and not model.reasons:
        raise unsupported_parameter("reasoning.effort")
    if effort is not None and effort not in model.efforts:
        hint = f" Supported values are: {listed(model.efforts)}."
        raise unsupported_value("reasoning.effort", f"'{effort}'", hint)
    if request.wants("reasoning.encrypted_content") and not model.reasons:
        # https://github.com/openai/openai-agents-python/issues/1157
        raise RefusedError("Encrypted content is not supported with this model.", param="include")
    if request.max_output_tokens is not None and request.max_output_tokens > model.most_output:
        raise RefusedError(
            f"Invalid 'max_output_tokens': integer above maximum value. Expected a value <= {model.most_output}, "
            f"but got {request.max_output_tokens} instead.",
            param="max_output_tokens",
            code="integer_above_max_value",
        )


def _check_text(request: ResponseRequest, model: ChatModel) -> None:
    verbosity = request.text.verbosity if request.text else None
    if verbosity is not None and verbosity not in model.verbosities:
        hint = f" Supported values are: {listed(model.verbosities)}."
        raise unsupported_value("text.verbosity", f"'{verbosity}'", hint)
    if request.form.schema is None:
        return
    if not model.structured:
        raise RefusedError(
            "Invalid parameter: 'text.format' of type 'json_schema' is not supported with this model.",
            param="text.format",
        )
    words = strict_schema.fault(request.form.schema, strict=bool(request.form.strict))
    if words is not None:
        raise RefusedError(
            f"Invalid schema for response_format '{request.form.name}': {words}",
            param="text.format.schema",
            code="invalid_json_schema",
        )


def _check_tools(request: ResponseRequest, _: ChatModel) -> None:
    for path, tool in _all_tools(request.tools or []):
        words = strict_schema.fault(tool.parameters or {}, strict=bool(tool.strict))
        if words is not None:
            raise RefusedError(
                f"Invalid schema for function '{tool.name}': {words}",
                param=f"{path}.parameters",
                code="invalid_function_parameters",
            )
        if tool.type == "mcp" and not (tool.server_url or tool.connector_id or tool.tunnel_id):
            raise missing(f"{path}.server_url")
    for kind, name in _chosen(request.tool_choice):
        held = {(tool.type, tool.name or tool.server_label) for _, tool in _all_tools(request.tools or [])}
        if not any(kind == one and name in ("", other) for one, other in held):
            raise RefusedError(f"Tool choice '{kind}' not found in 'tools' parameter.", param="tool_choice")


def _all_tools(tools: Sequence[Tool], prefix: str = "tools") -> Iterator[tuple[str, Tool]]:
    for index, tool in enumerate(tools):
        yield f"{prefix}[{index}]", tool
        yield from _all_tools(tool.tools, f"{prefix}[{index}].tools")


def _chosen(choice: str | ToolChoice | None) -> Iterator[tuple[str, str]]:
    """Type and name of each tool that a choice names; no name where the type says it all."""
    if not isinstance(choice, ToolChoice):
        return
    if choice.type == "allowed_tools":
        yield from ((str(tool.get("type")), str(tool.get("name", ""))) for tool in choice.tools)
    else:
        yield choice.type, "" if choice.type == "mcp" else choice.name


def _check_background(request: ResponseRequest, _: ChatModel) -> None:
    if request.background and not request.stored:
        raise RefusedError("Background responses require 'store' to be true.", param="background")
    if request.stream_options is not None and not request.stream:
        raise RefusedError(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )


def _check_parts(item: Item, path: str, model: ChatModel) -> None:
    if item.encrypted_content is not None and item.kind in ("reasoning", "compaction"):
        check_sealed(item.encrypted_content)
    if item.kind.endswith("shell_call_output") or item.kind == "computer_call_output":
        return
    field = "output" if item.kind.endswith("_output") else "content"
    for index, part in enumerate(item.parts()):
        place = f"{path}.{field}[{index}]"
        if part.type == "input_image":
            _check_image(part, place, model)
        elif part.type == "input_file" and not (part.file_id or part.file_data or part.file_url):
            raise missing(f"{place}.file_id")


def _check_image(part: requests.Part, place: str, model: ChatModel) -> None:
    if not model.sees:
        raise RefusedError(f"Invalid content type. {part.type} is only supported by certain models.", param=place)
    if part.image_url is not None:
        media_type(part.image_url, f"{place}.image_url")
    elif not part.file_id:
        raise missing(f"{place}.image_url")


def _earlier(request: ResponseRequest, shelf: Shelf, key: str) -> tuple[Json, ...]:
    """The conversation up to the previous response, its output included."""
    if request.previous_response_id is None:
        return ()
    kept = shelf.get(key, request.previous_response_id)
    if kept is None:
        # https://github.com/openai/openai-agents-python/issues/2020
        raise RefusedError(
            f"Previous response with id '{request.previous_response_id}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    output = kept.response["output"]
    return (*kept.context, *(output if isinstance(output, list) else ()))


def _resolved(item: Json, request: ResponseRequest, shelf: Shelf, key: str) -> Json:
    """The item; in the place of a reference, or of reasoning that stands for itself by its id, the stored one."""
    if not isinstance(item, dict):
        return item
    kind, item_id = item.get("type"), item.get("id")
    refers = kind == "item_reference" or (kind is None and "role" not in item)
    bare = kind == "reasoning" and item_id is not None and not item.get("encrypted_content")
    if not (refers or bare):
        return item
    found = shelf.item(key, str(item_id))
    if found is None:
        raise _no_such_item(str(item_id), stored=request.stored)
    return found


# https://github.com/vercel/ai/issues/7543
def _no_such_item(item_id: str, *, stored: bool) -> RefusedError:
    hint = (
        ""
        if stored
        else " Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove "
        "this item from your input."
    )
    return RefusedError(f"Item with id '{item_id}' not found.{hint}", param="input", status=404)


def _check_conversation(items: Sequence[Item]) -> None:
    """Every call has its output after it, and every output its call (github.com/continuedev/continue/issues/10092)."""
    open_calls: dict[str, str] = {}
    for index, item in enumerate(items):
        if item.kind in CALLS and item.call_id:
            open_calls[item.call_id] = CALLS[item.kind]
        elif item.kind.endswith("_output"):
            _close(item, open_calls)
        elif item.kind == "reasoning":
            _check_followed(item, items[index + 1 : index + 2])
    for call_id, words in open_calls.items():
        raise RefusedError(f"No tool output found for {words} {call_id}.", param="input")


def _close(item: Item, open_calls: dict[str, str]) -> None:
    call_id = item.call_id or (item.id if item.kind == "local_shell_call_output" else None)
    if call_id is None and item.name is not None:
        return  # An output that no call asked for: github.com/openai/codex/issues/42088
    if call_id is None:
        raise missing("input.call_id")
    if open_calls.pop(call_id, None) is None:
        raise RefusedError(f"No tool call found for {_words(item.kind)} output with call_id {call_id}.", param="input")


def _words(kind: str) -> str:
    return CALLS.get(kind.removesuffix("_output"), "function call")


def _check_followed(item: Item, following: Sequence[Item]) -> None:
    """Reasoning belongs to what the model did next (github.com/openai/openai-python/issues/2561)."""
    if item.id is not None and (not following or following[0].role == "user"):
        raise RefusedError(
            f"Item '{item.id}' of type 'reasoning' was provided without its required following item.", param="input"
        )


def _check_json_word(asking: Asking) -> None:
    texts = [asking.request.instructions or "", *(item.text() for item in asking.items)]
    if asking.request.form.type == "json_object" and not any("json" in text.lower() for text in texts):
        raise RefusedError(
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'.",
            param="input",
        )


def _fitted(asking: Asking, model: ChatModel) -> Asking:
    """The conversation, shortened from its start where that is allowed and needed."""
    while requests.prompt_tokens(asking) > model.context:
        if asking.request.truncation != "auto" or len(asking.items) == 1:
            raise RefusedError(
                "Your input exceeds the context window of this model. Please adjust your input and try again.",
                param="input",
                code="context_length_exceeded",
            )
        asking = Asking(asking.request, asking.body, asking.items[1:], asking.raw_items[1:])
    return asking
