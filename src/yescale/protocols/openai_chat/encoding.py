"""A canonical request for an upstream that speaks chat completions, and what it cannot say."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import ChatRequest, HostedTool, OutputForm, Reasoning, Tool, ToolChoice
from yescale.domain.custom_tools import as_functions
from yescale.domain.loss import weigh_extra
from yescale.domain.profile import Profile
from yescale.protocols.codec import Encoded
from yescale.protocols.naming import short_name
from yescale.protocols.openai_chat.descriptions import shorten
from yescale.protocols.openai_chat.responses import said
from yescale.protocols.openai_chat.speeches import Json, Speeches
from yescale.protocols.openai_chat.words import ID, effort_for

_ENCODER: Final = msgspec.json.Encoder()
_MOST_STOPS: Final = 4
_TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_SAMPLED: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


def encode_request(request: ChatRequest, profile: Profile) -> Encoded:
    """The body. Only `stream_options` is added to what the client said: a stream must tell its usage."""
    speeches = Speeches(profile)
    request = _fit(request, profile, speeches)
    body: Json = {"model": request.model, "messages": [*speeches.write(request)]}
    for fields in (
        _streaming(request, profile),
        _limits(request, profile, speeches),
        _sampling(request, profile, speeches),
        _tools(request, profile, speeches),
        _reasoning(request.reasoning, profile, speeches),
        _output(request.output, profile, speeches),
        _answer(request),
        _caller(request, speeches),
    ):
        body |= fields
    body |= _extras(request, body, speeches)
    return Encoded(_ENCODER.encode(body), tuple(speeches.losses.values()))


def _fit(request: ChatRequest, profile: Profile, speeches: Speeches) -> ChatRequest:
    if not profile.custom_tools:
        functional = as_functions(request)
        if functional is not request:
            speeches.lose(
                "tools.custom", "the model's tools take objects: the text stands in the field 'input'", "setting"
            )
        request = functional
    fitting = shorten(request, profile.description_chars)
    if fitting is not request:
        speeches.lose("tool.description", "too long for the provider; the system words say the whole", "hint")
    return fitting


def _streaming(request: ChatRequest, profile: Profile) -> Json:
    if not request.stream:
        return {}
    return {"stream": True, "stream_options": {"include_usage": True}} if profile.asks_usage else {"stream": True}


def _limits(request: ChatRequest, profile: Profile, speeches: Speeches) -> Json:
    fields: Json = {}
    if request.max_tokens is not None:
        fields[profile.limit_field] = request.max_tokens
    if request.n is not None:
        fields["n"] = request.n
    if request.stop:
        fields["stop"] = request.stop[0] if len(request.stop) == 1 else request.stop[:_MOST_STOPS]
        if len(request.stop) > _MOST_STOPS:
            speeches.lose("stop", f"the format takes {_MOST_STOPS} stop sequences", "setting")
    return fields


def _sampling(request: ChatRequest, profile: Profile, speeches: Speeches) -> Json:
    sampling = request.sampling
    fields: Json = {
        name: value for name in sampling.__struct_fields__ if (value := getattr(sampling, name)) is not None
    }
    if "top_k" in fields:
        del fields["top_k"]
        speeches.lose("sampling.top_k", "OpenAI has no top_k, and refuses what it does not know", "setting")
    for name in _SAMPLED if not profile.samples else ():
        if fields.pop(name, None) is not None:
            speeches.lose(f"sampling.{name}", "the model does not let its sampling be set", "setting")
    return fields


def _tools(request: ChatRequest, profile: Profile, speeches: Speeches) -> Json:
    fields: Json = {}
    tools = [*_spell_tools(request, profile, fields, speeches)]
    if tools:
        fields["tools"] = tools
    if request.tool_choice is not None:
        fields["tool_choice"] = _tool_choice(request.tool_choice, request)
    if request.parallel_tools is not None and tools:
        fields["parallel_tool_calls"] = request.parallel_tools
    elif request.parallel_tools is not None:
        speeches.lose("parallel_tools", "OpenAI refuses it where there are no tools", "hint")
    return fields


def _spell_tools(request: ChatRequest, profile: Profile, fields: Json, speeches: Speeches) -> Iterator[Json | Raw]:
    for tool in request.tools:
        match tool:
            case Tool():
                if tool.cache is not None:
                    speeches.lose("tool.cache", "OpenAI's format caches prompts by itself", "hint")
                yield _spell_tool(tool)
            case HostedTool(origin=origin, raw=Raw() as raw) if origin == ID and _is_tool(raw):
                yield raw
            case HostedTool(kind="web_search") if profile.searches:
                fields["web_search_options"] = _web_search(tool, speeches)
            case HostedTool():
                speeches.lose(f"tool.{tool.kind}", "the model has no such tool of its provider's", "setting")


def _spell_tool(tool: Tool) -> Json:
    spelled: Json = {"name": tool.name}
    if tool.description:
        spelled["description"] = tool.description
    if tool.custom:
        return {"type": "custom", "custom": spelled | ({"format": tool.grammar} if tool.grammar is not None else {})}
    if tool.parameters is not None:
        spelled["parameters"] = tool.parameters
    if tool.strict is not None:
        spelled["strict"] = tool.strict
    return {"type": "function", "function": spelled}


def _is_tool(raw: Raw) -> bool:
    """Whether this stood among the tools; else it was `web_search_options`, which has no type."""
    return "type" in msgspec.json.decode(raw, type=dict[str, Raw])


def _web_search(tool: HostedTool, speeches: Speeches) -> Json | Raw:
    if tool.origin == ID and tool.raw is not None:
        return tool.raw
    for name in ("max_uses", "allowed_domains", "blocked_domains"):
        if getattr(tool, name):
            speeches.lose(f"tool.web_search.{name}", "chat's web search cannot be narrowed so", "setting")
    if tool.location is None:
        return {}
    place = msgspec.json.decode(tool.location, type=dict[str, Raw])
    place.pop("type", None)
    return {"user_location": {"type": "approximate", "approximate": place}}


def _tool_choice(choice: ToolChoice, request: ChatRequest) -> Any:
    custom = {tool.name for tool in request.tools if isinstance(tool, Tool) and tool.custom}

    def named(name: str) -> Json:
        kind = "custom" if name in custom else "function"
        return {"type": kind, kind: {"name": name}}

    if choice.mode == "named":
        return named(choice.name)
    if choice.allowed:
        allowed = {"mode": choice.mode, "tools": [named(name) for name in choice.allowed]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    return choice.mode


def _reasoning(reasoning: Reasoning | None, profile: Profile, speeches: Speeches) -> Json:
    """An effort for models that take one; `thinking` for Ark's and Claude's kind, which take a switch or a budget."""
    if reasoning is None:
        return {}
    if profile.thinks == "no":
        speeches.lose("reasoning", "the model does not think", "hint" if reasoning.enabled is False else "setting")
        return {}
    if reasoning.shown is not None:
        weight = "hint" if reasoning.shown else "setting"
        speeches.lose("reasoning.shown", "the server decides whether thoughts are shown", weight)
    if profile.thinks == "effort":
        return _effort(reasoning, speeches)
    return _switch(reasoning, profile, speeches)


def _effort(reasoning: Reasoning, speeches: Speeches) -> Json:
    if reasoning.effort is not None:
        if reasoning.budget is not None or reasoning.enabled is not None:
            speeches.lose("reasoning.budget", "the model takes an effort, which was said too", "setting")
        return {"reasoning_effort": reasoning.effort}
    if reasoning.budget is not None and reasoning.budget > 0:
        speeches.lose("reasoning.budget", "the model takes an effort; the nearest was chosen", "setting")
        return {"reasoning_effort": effort_for(reasoning.budget)}
    if reasoning.enabled is True:
        return {"reasoning_effort": "medium"}  # OpenAI's own default: the client asked for thoughts, not how many
    speeches.lose("reasoning", "the model takes only an effort, and none was said", "setting")
    return {}


def _switch(reasoning: Reasoning, profile: Profile, speeches: Speeches) -> Json:
    """https://www.volcengine.com/docs/82379/1449737: `thinking.type` enabled, disabled or auto."""
    if reasoning.enabled is False or reasoning.effort == "none" or reasoning.budget == 0:
        return {"thinking": {"type": "disabled"}}
    budget = reasoning.budget
    if reasoning.effort is not None:
        speeches.lose("reasoning.effort", "the model takes a switch or a budget", "setting")
    if budget == -1 or (reasoning.enabled is None and budget is None):
        return {"thinking": {"type": "auto"}}
    thinking: Json = {"type": "enabled"}
    if budget is not None and profile.thinks == "budget":
        thinking["budget_tokens"] = budget
    elif budget is not None:
        speeches.lose("reasoning.budget", "the model finds its own budget", "setting")
    return {"thinking": thinking}


def _output(output: OutputForm | None, profile: Profile, speeches: Speeches) -> Json:
    if output is None:
        return {}
    if output.schema is None:
        return {"response_format": {"type": "json_object"}}
    if not profile.schemas:
        speeches.lose("output.schema", "the model takes no schema: it is asked for any JSON", "setting")
        return {"response_format": {"type": "json_object"}}
    schema: Json = {"name": output.name or "answer", "schema": output.schema}  # OpenAI wants a name
    if output.description:
        schema["description"] = output.description
    if output.strict is not None:
        schema["strict"] = output.strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _answer(request: ChatRequest) -> Json:
    """How the answer is to be made."""
    fields: Json = {}
    if request.verbosity is not None:
        fields["verbosity"] = request.verbosity
    if request.modalities:
        fields["modalities"] = request.modalities
    if request.voice is not None:
        encoding = request.voice.format or ("pcm16" if request.stream else "wav")  # OpenAI wants a format
        fields["audio"] = {"voice": request.voice.name, "format": encoding}
    return fields


def _caller(request: ChatRequest, speeches: Speeches) -> Json:
    """Words about who asks, and how it is to be served."""
    fields: Json = {}
    if request.user:
        fields["user"] = short_name(request.user)
    if request.cache_key:
        fields["prompt_cache_key"] = request.cache_key
    if request.service_tier in _TIERS:
        fields["service_tier"] = request.service_tier
    elif request.service_tier:
        speeches.lose("service_tier", "OpenAI's format has no tier of that name", "hint")
    return fields


def _extras(request: ChatRequest, body: Json, speeches: Speeches) -> Json:
    fields: Json = {}
    for origin, extras in request.extras.items():
        for name, value in extras.items():
            if origin == ID and not name.startswith("messages["):
                if name not in body and said(value):
                    fields[name] = value
                continue
            why = "only its own format knows it" if origin != ID else "messages were put in another order"
            speeches.lose(f"extras.{name}", why, weigh_extra(name))
    return fields
