"""Rules of a chat request that look at more than one field, or at the model."""

from collections.abc import Iterator, Mapping

from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai import audio, chat_shape, prompt, shapes, strict_schema
from yescale_sandbox.openai.catalogue import ChatModel
from yescale_sandbox.openai.picture import media_type
from yescale_sandbox.openai.prompt import ChatRequest, Message, ResponseFormat, ToolChoice
from yescale_sandbox.openai.refusal import (
    RefusedError,
    listed,
    missing,
    unsupported_parameter,
    unsupported_value,
)

MOST_CHOICES_REASONING = 8


def checked(body: JsonObject, model: ChatModel) -> ChatRequest:
    """The request, typed, if OpenAI would take it.

    Raises: RefusedError.
    """
    shapes.check_fields(chat_shape.AUDIO_FIELDS if model.hears else chat_shape.FIELDS, body)
    request = prompt.typed(body)
    for rule in (_check_model, _check_combinations, _check_audio, _check_tools, _check_format, _check_length):
        rule(request, body, model)
    _check_messages(request, model)
    _check_conversation(request.messages)
    return request


def _check_model(request: ChatRequest, body: JsonObject, model: ChatModel) -> None:
    for name in body:
        if name in model.refused and body[name] is not None and not (name == "top_p" and request.top_p == 1):
            raise unsupported_parameter(name)
    if model.reasons:
        _check_reasoning_model(request, model)
    elif request.reasoning_effort is not None:
        # https://github.com/coroot/coroot/issues/698
        raise RefusedError("Unrecognized request argument supplied: reasoning_effort")
    if request.verbosity is not None and request.verbosity not in model.verbosities:
        hint = f" Supported values are: {listed(model.verbosities)}."
        raise unsupported_value("verbosity", f"'{request.verbosity}'", hint)


def _check_reasoning_model(request: ChatRequest, model: ChatModel) -> None:
    if request.max_tokens is not None:
        # https://github.com/openai/openai-python/issues/2046
        raise unsupported_parameter("max_tokens", " Use 'max_completion_tokens' instead.")
    if request.reasoning_effort is not None and request.reasoning_effort not in model.efforts:
        hint = f" Supported values are: {listed(model.efforts)}."
        raise unsupported_value("reasoning_effort", f"'{request.reasoning_effort}'", hint)
    if request.temperature is not None and request.temperature != 1:
        value = f"{request.temperature:g}"
        raise unsupported_value("temperature", value, " Only the default (1) value is supported.")
    shapes.Whole(most=MOST_CHOICES_REASONING).check(request.n or 1, "n")
    for index, message in enumerate(request.messages):
        if message.role == "function":
            # https://github.com/TheR1D/shell_gpt/issues/717
            raise unsupported_value(f"messages[{index}].role", "'function'")


def _check_combinations(request: ChatRequest, body: JsonObject, model: ChatModel) -> None:
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        # https://github.com/langchain-ai/langgraph/issues/5943
        raise RefusedError(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )
    for name in ("max_tokens", "max_completion_tokens"):
        most = body.get(name)
        if isinstance(most, int) and most > model.most_output:
            raise RefusedError(
                f"{name} is too large: {most}. This model supports at most {model.most_output} completion tokens, "
                f"whereas you provided {most}.",
                param=name,
                code="invalid_value",
            )
    if request.stream_options is not None and not request.stream:
        # https://github.com/BerriAI/litellm/issues/5803
        raise _only_with("stream_options", "stream")
    if request.top_logprobs is not None and not request.logprobs:
        raise _only_with("top_logprobs", "logprobs")
    for token in request.logit_bias or {}:
        if not token.isdigit():
            raise RefusedError(
                f"Invalid key in 'logit_bias': {token[:20]}. You should only be submitting non-negative integers.",
                param="logit_bias",
            )


def _check_audio(request: ChatRequest, _: JsonObject, model: ChatModel) -> None:
    if not model.hears:
        if request.speaks:
            raise unsupported_value("modalities", "'audio'", " Supported values are: 'text'.")
        return
    hears = any(part.type in ("input_audio", "audio") for message in request.messages for part in message.parts())
    if not (request.speaks or hears or any(message.audio for message in request.messages)):
        # https://github.com/CherryHQ/cherry-studio/issues/1179
        raise RefusedError(
            "This model requires that either input content or output modality contain audio.", code="invalid_value"
        )
    if request.speaks and request.audio is None:
        raise missing("audio")
    form = request.audio.format if request.audio else None
    if request.speaks and request.stream and form != "pcm16":
        # https://github.com/Agent-Field/agentfield/issues/584
        raise RefusedError(
            f"Unsupported value: 'audio.format' does not support '{form}' when stream=true. "
            "Supported values are: 'pcm16'.",
            param="audio.format",
            code="unsupported_value",
        )
    if request.speaks and form not in audio.FORMATS:
        raise unsupported_value("audio.format", f"'{form}'", f" Supported values are: {listed(audio.FORMATS)}.")
    for index, message in enumerate(request.messages):
        if message.audio is not None and not audio.is_ours(message.audio.id):
            place = f"messages[{index}].audio.id"
            raise RefusedError(f"Audio with id '{message.audio.id[:80]}' not found.", param=place, status=404)


def _only_with(name: str, other: str) -> RefusedError:
    return RefusedError(f"The '{name}' parameter is only allowed when '{other}' is enabled.", param=name)


# https://github.com/InternLM/lmdeploy and vllm-project/vllm repeat OpenAI's words.
_NEEDS: Mapping[str, str] = {"tool_choice": "tools", "parallel_tool_calls": "tools", "function_call": "functions"}


def _check_tools(request: ChatRequest, body: JsonObject, _: ChatModel) -> None:
    for name, other in _NEEDS.items():
        if body.get(name) is not None and not body.get(other):
            raise RefusedError(
                f"Invalid value for '{name}': '{name}' is only allowed when '{other}' are specified.", param=name
            )
    if request.tools and request.functions:
        raise RefusedError("'functions' and 'tools' cannot both be specified in the same request.", param="functions")
    for path, function in _functions(request):
        words = strict_schema.fault(function.parameters or {}, strict=bool(function.strict))
        if words is not None:
            raise RefusedError(
                f"Invalid schema for function '{function.name}': {words}",
                param=f"{path}.parameters",
                code="invalid_function_parameters",
            )
    names = [tool.name for tool in request.tools or []] + [function.name for function in request.functions or []]
    for choice in _chosen_names(request):
        if choice not in names:
            param = "tool_choice" if request.tools else "function_call"
            raise RefusedError("Tool choice 'function' not found in 'tools' parameter.", param=param)


def _functions(request: ChatRequest) -> Iterator[tuple[str, prompt.Function]]:
    for index, tool in enumerate(request.tools or []):
        if tool.function is not None:
            yield f"tools[{index}].function", tool.function
    for index, function in enumerate(request.functions or []):
        yield f"functions[{index}]", function


def _chosen_names(request: ChatRequest) -> list[str]:
    choice = request.tool_choice
    if isinstance(choice, ToolChoice):
        allowed = choice.allowed_tools.tools if choice.allowed_tools else []
        named = [choice.function, choice.custom, *(tool.function or tool.custom for tool in allowed)]
        return [one.name for one in named if one is not None]
    legacy = request.function_call
    return [legacy.name] if legacy is not None and not isinstance(legacy, str) else []


def _check_format(request: ChatRequest, _: JsonObject, model: ChatModel) -> None:
    form = request.response_format
    if form is None or form.type == "text":
        return
    if form.type == "json_object":
        if not any("json" in message.text().lower() for message in request.messages):
            # https://github.com/ultimatejimmy/xray.koplugin/issues/33
            raise RefusedError(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                param="messages",
            )
        return
    _check_schema(form, model)


def _check_schema(form: ResponseFormat, model: ChatModel) -> None:
    if not model.structured:
        raise RefusedError(
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model. Learn more "
            "about supported models at the Structured Outputs guide: "
            "https://platform.openai.com/docs/guides/structured-outputs"
        )
    if form.json_schema is None:
        return
    words = strict_schema.fault(form.json_schema.schema, strict=bool(form.json_schema.strict))
    if words is not None:
        raise RefusedError(
            f"Invalid schema for response_format '{form.json_schema.name}': {words}", param="response_format"
        )


def _check_length(request: ChatRequest, body: JsonObject, model: ChatModel) -> None:
    tokens = prompt.prompt_tokens(request, body)
    if tokens > model.context:
        raise RefusedError(
            f"This model's maximum context length is {model.context} tokens. However, your messages resulted in "
            f"{tokens} tokens. Please reduce the length of the messages.",
            param="messages",
            code="context_length_exceeded",
        )


def _check_messages(request: ChatRequest, model: ChatModel) -> None:
    for index, message in enumerate(request.messages):
        if message.content is None and not _may_be_empty(message):
            # https://github.com/run-llama/rags: the older, dotted form of the path
            raise RefusedError(
                "Invalid value for 'content': expected a string, got null.", param=f"messages.[{index}].content"
            )
        for place, part in enumerate(message.parts()):
            _check_part(message, part, (index, place), model)


def _may_be_empty(message: Message) -> bool:
    if message.role == "function":
        return True
    said = message.tool_calls or message.function_call or message.refusal or message.audio
    return message.role == "assistant" and bool(said)


def _check_part(message: Message, part: prompt.Part, place: tuple[int, int], model: ChatModel) -> None:
    index, position = place
    if part.type == "text" or (part.type == "refusal" and message.role == "assistant"):
        return
    if message.role != "user":
        what = "Image URLs are" if part.type == "image_url" else f"Content parts of type '{part.type}' are"
        holds = "an image URL" if part.type == "image_url" else "one"
        raise RefusedError(
            f"Invalid 'messages[{index}]'. {what} only allowed for messages with role 'user', "
            f"but this message with role '{message.role}' contains {holds}.",
            param=f"messages[{index}]",
            code="invalid_value",
        )
    is_audio = part.type in {"input_audio", "audio"}
    if (is_audio and not model.hears) or (part.type == "image_url" and not model.sees):
        raise RefusedError(
            f"Invalid content type. {part.type} is only supported by certain models.",
            param=f"messages.[{index}].content.[{position}].type",
        )
    if part.input_audio is not None:
        audio.check(
            part.input_audio.data, part.input_audio.format, f"messages[{index}].content[{position}].input_audio"
        )
    if part.image_url is not None:
        media_type(part.image_url.url, f"messages[{index}].content[{position}].image_url.url")
    if part.file is not None and not (part.file.file_id or part.file.file_data):
        path = f"messages[{index}].content[{position}].file"
        raise missing(f"{path}.file_id")


def _check_conversation(messages: list[Message]) -> None:
    """Every tool call is answered at once, and nothing else is (words: github.com/sdcb/chats/pull/132)."""
    open_calls: list[str] = []
    answered: set[str] = set()
    for index, message in enumerate(messages):
        if message.role == "tool":
            call = message.tool_call_id or ""
            _check_answer(index, call, open_calls, answered)
            answered.add(call)
            continue
        _check_all_answered(open_calls, answered, f"messages.[{index}].role")
        open_calls = [call.id for call in message.tool_calls or []]
        answered = set()
    _check_all_answered(open_calls, answered, "messages")


def _check_answer(index: int, call: str, open_calls: list[str], answered: set[str]) -> None:
    if not open_calls:
        raise RefusedError(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
            "with 'tool_calls'.",
            param=f"messages.[{index}].role",
        )
    path = f"messages.[{index}].tool_call_id"
    if call not in open_calls:
        raise RefusedError(
            f"Invalid parameter: 'tool_call_id' of '{call}' not found in 'tool_calls' of previous message.", param=path
        )
    if call in answered:
        raise RefusedError(f"Invalid parameter: Duplicate value for 'tool_call_id' of '{call}'.", param=path)


def _check_all_answered(open_calls: list[str], answered: set[str], path: str) -> None:
    silent = [call for call in open_calls if call not in answered]
    if silent:
        raise RefusedError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(silent)}",
            param=path,
        )
