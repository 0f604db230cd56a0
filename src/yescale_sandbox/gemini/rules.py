"""Rules of a generateContent request that look at more than one field, or at the model.

The words are Google's where a source is named; the rest follow the pattern of its range and predicate checks.
"""

import re
from collections.abc import Iterator

from yescale_sandbox.gemini import conversation, prompt, schema
from yescale_sandbox.gemini.catalogue import RATIOS, VOICES, Model
from yescale_sandbox.gemini.dialect import Dialect, Fault
from yescale_sandbox.gemini.prompt import FunctionDeclaration, GenerateRequest, GenerationConfig
from yescale_sandbox.gemini.proto import read
from yescale_sandbox.gemini.refusal import VALUE_SHOWN, RefusedError
from yescale_sandbox.jsontype import JsonObject

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:\-]{0,63}")
MIME_TYPES = ("text/plain", "application/json", "application/xml", "application/yaml", "text/x.enum")
STRUCTURED = frozenset({"application/json", "text/x.enum"})
MOST_STOPS = 5
MOST_DECLARATIONS = 512
MOST_CANDIDATES = 8
MOST_LOGPROBS = 20
LEVELS = frozenset({"THINKING_LEVEL_UNSPECIFIED", "LOW", "HIGH"})  # those of Gemini 3 Pro
BUILT_IN = (
    *("google_search", "google_search_retrieval", "code_execution", "url_context"),
    *("google_maps", "enterprise_web_search"),
)


def checked(body: JsonObject, model: Model, dialect: Dialect) -> tuple[GenerateRequest, JsonObject]:
    """The request, typed and as read, if Google would take it.

    Raises: RefusedError.
    """
    made = read(dialect.tables, "GenerateContentRequest", body)
    request = prompt.typed(made)
    config = request.generation_config
    found = [
        *_config_faults(config, model, dialect),
        *_tool_faults(request),
        *_safety_faults(request, dialect),
    ]
    if found:
        raise dialect.faulted(found)
    conversation.check(request, model, dialect)
    if config.response_logprobs and model.name not in dialect.logprobs:
        raise RefusedError(f"Logprobs is not enabled for models/{model.name}")
    _check_plain(request, model)
    _check_modalities(request.generation_config, model)
    _check_thinking(request.generation_config, model)
    _check_format(request, model)
    _check_tools(request, model)
    _check_cache(request)
    _check_length(request, made, model)
    return request, made


def _config_faults(config: GenerationConfig, model: Model, dialect: Dialect) -> Iterator[Fault]:
    ranges: tuple[tuple[str, float | None, float, float], ...] = (
        ("temperature", config.temperature, 0, 2),
        ("top_p", config.top_p, 0, 1),
        ("top_k", config.top_k, 1, 64),
        ("candidate_count", config.candidate_count, 1, MOST_CANDIDATES),
        ("max_output_tokens", config.max_output_tokens, 1, model.most_output),
        ("presence_penalty", config.presence_penalty, -2, 2),
        ("frequency_penalty", config.frequency_penalty, -2, 2),
        ("logprobs", config.logprobs, 0, MOST_LOGPROBS),
        ("stop_sequences", len(config.stop_sequences), 0, MOST_STOPS),
    )
    for name, value, least, most in ranges:
        if value is not None and not least <= value <= most:
            yield dialect.ranged(name, value, least, most)
    mime_type = config.response_mime_type
    if mime_type not in MIME_TYPES:
        *first, last = [f"`{one}`" for one in MIME_TYPES]
        yield "generation_config.response_mime_type", f"allowed mimetypes are {', '.join(first)} and {last}."
    if config.response_schema is not None:
        if mime_type not in STRUCTURED:
            words = "only allowed when response_mime_type is `application/json` or `text/x.enum`."
            yield "generation_config.response_schema", words
        yield from schema.faults(config.response_schema, "generation_config.response_schema")
    yield from _output_faults(config)


def _output_faults(config: GenerationConfig) -> Iterator[Fault]:
    if config.response_json_schema is not None:
        if config.response_schema is not None:
            yield "generation_config.response_json_schema", "response_schema must be empty when it is set."
        if config.response_mime_type != "application/json" or not isinstance(config.response_json_schema, dict):
            yield "generation_config.response_json_schema", "an object, with response_mime_type `application/json`."
    if config.logprobs is not None and not config.response_logprobs:
        yield "generation_config.logprobs", "only allowed when response_logprobs is true."
    ratio = config.image_config.aspect_ratio if config.image_config else None
    if ratio is not None and ratio not in RATIOS:
        yield "generation_config.image_config.aspect_ratio", f"aspect_ratio must be one of {', '.join(RATIOS)}."


def _tool_faults(request: GenerateRequest) -> Iterator[Fault]:
    names: list[str] = []
    for index, tool in enumerate(request.tools):
        for number, one in enumerate(tool.function_declarations):
            place = f"tools[{index}].function_declarations[{number}]"
            yield from _declaration_faults(one, place)
            if one.name in names:
                yield f"{place}.name", f"Duplicate function declaration found: {one.name}"
            names.append(one.name)
        if not tool.function_declarations and not any(getattr(tool, name) is not None for name in BUILT_IN):
            yield f"tools[{index}].tool_type", "required one_of 'tool_type' must have one initialized field"
    if len(names) > MOST_DECLARATIONS:
        yield "tools", f"at most {MOST_DECLARATIONS} function declarations are allowed."


def _declaration_faults(one: FunctionDeclaration, place: str) -> Iterator[Fault]:
    if not NAME.fullmatch(one.name):
        # https://github.com/cline/cline/issues/7339
        yield (
            f"{place}.name",
            "Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), "
            "underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.",
        )
    if one.parameters is not None and one.parameters_json_schema is not None:
        yield f"{place}.parameters_json_schema", "parameters must be empty when it is set."
    if one.parameters is not None:
        yield from schema.faults(one.parameters, f"{place}.parameters")
    if one.parameters_json_schema is not None and not isinstance(one.parameters_json_schema, dict):
        yield f"{place}.parameters_json_schema", "must be an object."


def _safety_faults(request: GenerateRequest, dialect: Dialect) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, setting in enumerate(request.safety_settings):
        if setting.category.removeprefix("HARM_CATEGORY_") not in dialect.judged:
            names = ", ".join(f"HarmCategory.HARM_CATEGORY_{name}" for name in dialect.judged)
            yield f"safety_settings[{index}]", f"element predicate failed: $.category in ({names})"
        if setting.threshold == "HARM_BLOCK_THRESHOLD_UNSPECIFIED":
            yield f"safety_settings[{index}].threshold", "threshold is not specified"
        if setting.category in seen:
            yield "safety_settings", "should contain at most one setting for each category"
        seen.add(setting.category)


def _check_plain(request: GenerateRequest, model: Model) -> None:
    """What models of pictures and speech do not do."""
    config = request.generation_config
    if model.plain:
        wants = {
            "Developer instruction": request.system_instruction is not None,
            "Function calling": bool(request.declarations()),
            "Tool use": any(request.has(name) for name in BUILT_IN),
            "JSON mode": config.response_mime_type != "text/plain",
            "Multiturn chat": "AUDIO" in model.usual and len(request.contents) > 1,
            "Multiple candidates": (config.candidate_count or 1) > 1,
        }
        for name, wanted in wants.items():
            if wanted:
                raise RefusedError(f"{name} is not enabled for models/{model.name}")


def _check_modalities(config: GenerationConfig, model: Model) -> None:
    asked = frozenset(config.response_modalities)
    if "AUDIO" in model.usual and not asked:
        asked = frozenset({"TEXT"})
    if asked and asked not in model.speaks:
        lines = "".join(f"* {', '.join(sorted(one))}\n" for one in model.speaks)
        raise RefusedError(
            f"The requested combination of response modalities ({', '.join(sorted(asked))}) is not supported by the "
            f"model. models/{model.name} accepts the following combination of response modalities:\n{lines}"
        )
    for voice in config.speech_config.voices() if config.speech_config else ():
        if voice.lower() not in VOICES:
            raise RefusedError(
                f"Voice name {voice[:VALUE_SHOWN]} is not supported. "
                f"Allowed voice names are: {', '.join(sorted(VOICES))}"
            )


def _check_thinking(config: GenerationConfig, model: Model) -> None:
    asked = config.thinking_config
    if asked is None:
        return
    if model.thinking is None:
        raise RefusedError(f"Thinking is not enabled for models/{model.name}")
    if asked.thinking_level is not None:
        # https://ai.google.dev/gemini-api/docs/gemini-3#thinking_level: an error with older models and beside budgets.
        if not model.seals:
            raise RefusedError("Thinking level is not supported for this model.")
        if asked.thinking_level not in LEVELS:
            raise RefusedError(
                f"Thinking level {asked.thinking_level} is not supported for this model. Please retry with other "
                "thinking level."
            )
        if asked.thinking_budget is not None:
            raise RefusedError("You can only set only one of thinking budget and thinking level.")
    budget = asked.thinking_budget
    if budget == 0 and not model.thinking.can_stop:
        # https://github.com/vercel/ai/issues/8027
        raise RefusedError("Budget 0 is invalid. This model only works in thinking mode.")
    if budget not in {None, -1, 0} and not model.thinking.least <= (budget or 0) <= model.thinking.most:
        # https://github.com/RooCodeInc/Roo-Code/issues/4399
        raise RefusedError(
            f"The thinking budget {budget} is invalid. Please choose a value between {model.thinking.least} and "
            f"{model.thinking.most}."
        )


def _check_format(request: GenerateRequest, model: Model) -> None:
    """https://github.com/symfony/ai/issues/803, snailyp/gemini-balance/pull/286; Gemini 3 takes both."""
    mime_type = request.generation_config.response_mime_type
    if model.seals or mime_type == "text/plain":
        return
    if request.declarations():
        raise RefusedError(f"Function calling with a response mime type: '{mime_type}' is unsupported")
    if any(request.has(name) for name in BUILT_IN):
        raise RefusedError(f"Tool use with a response mime type: '{mime_type}' is unsupported")


def _check_tools(request: GenerateRequest, model: Model) -> None:
    names = [one.name for one in request.declarations()]
    if names and any(request.has(name) for name in BUILT_IN):
        # https://github.com/googleapis/go-genai/issues/323, cloudwego/eino-ext/issues/761
        if not model.seals:
            raise RefusedError("Tool use with function calling is unsupported")
        if request.tool_config is None or not request.tool_config.include_server_side_tool_invocations:
            raise RefusedError(
                "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function "
                "calling."
            )
    calling = request.tool_config.function_calling_config if request.tool_config else None
    if calling is None:
        return
    if not names:
        # https://github.com/musistudio/claude-code-router/pull/1207
        raise RefusedError("Function calling config is set without function_declarations.")
    if calling.allowed_function_names and calling.mode not in {"ANY", "VALIDATED"}:
        raise RefusedError("Allowed function names should be set only when the function calling mode is ANY.")
    for name in calling.allowed_function_names:
        if name not in names:
            raise RefusedError(f"Function {name[:VALUE_SHOWN]} in allowed_function_names is not declared.")


def _check_cache(request: GenerateRequest) -> None:
    """There is no cache to write to; what is named `cachedContents/sandbox…` is held to be there."""
    if request.cached_content is None:
        return
    if not request.cached_content.startswith("cachedContents/sandbox"):
        raise RefusedError("CachedContent not found (or permission denied)", code=403)
    if request.system_instruction is not None or request.tools or request.tool_config is not None:
        raise RefusedError(
            "CachedContent can not be used with GenerateContent request setting system_instruction, tools or "
            "tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent request."
        )


def _check_length(request: GenerateRequest, body: JsonObject, model: Model) -> None:
    tokens = prompt.prompt_count(request, body).total
    if tokens > model.context:
        raise RefusedError(
            f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({model.context})."
        )
