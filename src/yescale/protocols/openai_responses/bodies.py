"""Requests written: a canonical request as a Responses body, with what it could not say."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from yescale.domain.chat import ChatRequest, HostedTool, OutputForm, Reasoning, Tool, ToolChoice
from yescale.domain.custom_tools import custom_names
from yescale.domain.loss import Loss, weigh_extra
from yescale.domain.profile import Profile
from yescale.protocols.codec import Encoded
from yescale.protocols.naming import short_name
from yescale.protocols.openai_responses.input_items import InputWriter, Wire
from yescale.protocols.openai_responses.requests import LOGPROBS
from yescale.protocols.openai_responses.schema import OWN

_JSON: Final = msgspec.json.Encoder()
_SEALED: Final = "reasoning.encrypted_content"
_LEAST_OUTPUT: Final = 16  # OpenAI refuses a lower `max_output_tokens`
# Where another format's budget of thought becomes an effort: https://platform.openai.com/docs/guides/reasoning
_EFFORTS: Final = ((4_096, "low"), (16_384, "medium"))
_HOSTED: Final[Mapping[str, str]] = MappingProxyType({"web_search": "web_search", "code_execution": "code_interpreter"})
_INSIDE: Final = "["  # in the places of fields within items and tools
_WRITTEN_ANEW: Final = "what holds it is written anew"


def encode_request(request: ChatRequest, profile: Profile) -> Encoded:
    """The body for an upstream.

    A request that came in another format gets what keeps its meaning here: `store: false`, for the others keep nothing
    unless asked; `strict: false` of functions, which are strict here unless said otherwise; and, where it asks for
    reasoning, the sealed reasoning, without which the next turn would have none.
    """
    losses: list[Loss] = []
    writer = InputWriter(profile)
    body: Wire = {"model": request.model}
    for number, words in enumerate(request.system):
        if number == 0:
            body["instructions"] = words.text
        else:
            writer.system(words)
    for message in request.messages:
        writer.turn(message)
    if writer.items:
        body["input"] = writer.items
    _add_tools(body, request, losses)
    _add_settings(body, request, profile, losses)
    _add_reasoning(body, request.reasoning, profile, losses)
    _add_form(body, request, profile, losses)
    if OWN in request.extras:
        own = request.extras[OWN]
        body.update({name: value for name, value in own.items() if _INSIDE not in name})
        losses += [Loss(f"extras.{name}", _WRITTEN_ANEW, "setting") for name in own if _INSIDE in name]
    else:
        _add_foreign(body, request, profile)
    losses += (*writer.losses, *_unsaid(request))
    return Encoded(body=_JSON.encode(body), losses=tuple(dict.fromkeys(losses)))


def _add_tools(body: Wire, request: ChatRequest, losses: list[Loss]) -> None:
    foreign = OWN not in request.extras
    written = [_write_tool(tool, losses, foreign=foreign) for tool in request.tools]
    tools = [tool for tool in written if tool is not None]
    if tools:
        body["tools"] = tools
    if request.tool_choice is not None:
        body["tool_choice"] = write_choice(request.tool_choice, custom_names(request.tools))
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools


def _write_tool(tool: Tool | HostedTool, losses: list[Loss], *, foreign: bool) -> object:
    if isinstance(tool, HostedTool):
        return _write_hosted(tool, losses)
    if tool.cache is not None:
        losses.append(Loss("cache", "OpenAI caches prompts by itself", "hint"))
    wire = write_tool(tool)
    if foreign and not tool.custom and tool.strict is None:
        wire["strict"] = False
    return wire


def write_tool(tool: Tool) -> Wire:
    """A client's tool."""
    wire: Wire = {"type": "custom" if tool.custom else "function", "name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    if tool.parameters is not None:
        wire["parameters"] = tool.parameters
    if tool.strict is not None:
        wire["strict"] = tool.strict
    if tool.grammar is not None:
        wire["format"] = tool.grammar
    return wire


def _write_hosted(tool: HostedTool, losses: list[Loss]) -> object:
    if tool.origin == OWN and tool.raw is not None:
        return tool.raw
    kind = _HOSTED.get(tool.kind)
    if kind is None:
        losses.append(Loss(f"tool.{tool.kind}", "OpenAI has no such tool of its own", "setting"))
        return None
    if tool.max_uses is not None:
        losses.append(Loss("tool.max_uses", "the calls of one tool cannot be limited", "setting"))
    if tool.blocked_domains:
        losses.append(Loss("tool.blocked_domains", "a web search can only be kept to domains", "setting"))
    wire: Wire = {"type": kind}
    if kind == "code_interpreter":
        wire["container"] = {"type": "auto"}
    if tool.allowed_domains:
        wire["filters"] = {"allowed_domains": tool.allowed_domains}
    if tool.location is not None:
        wire["user_location"] = tool.location
    return wire


def write_choice(choice: ToolChoice, custom: frozenset[str]) -> object:
    """`tool_choice`; `custom` are the names of the tools that take free text."""
    if choice.mode == "named":
        return _name_tool(choice.name, custom)
    if choice.allowed:
        tools = [_name_tool(name, custom) for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
    return choice.mode


def _name_tool(name: str, custom: frozenset[str]) -> Wire:
    return {"type": "custom" if name in custom else "function", "name": name}


def _add_settings(body: Wire, request: ChatRequest, profile: Profile, losses: list[Loss]) -> None:
    sampling = request.sampling
    for field, value in (("temperature", sampling.temperature), ("top_p", sampling.top_p)):
        if value is not None and profile.samples:
            body[field] = value
        elif value is not None:
            losses.append(Loss(f"sampling.{field}", "the model takes none", "setting"))
    limit = request.max_tokens
    if limit is not None and OWN not in request.extras and limit < _LEAST_OUTPUT:
        losses.append(Loss("max_tokens", f"OpenAI takes no limit below {_LEAST_OUTPUT}", "hint"))
        limit = _LEAST_OUTPUT
    settings: Wire = {
        "max_output_tokens": limit,
        "top_logprobs": sampling.top_logprobs,
        "stream": request.stream or None,
        "user": short_name(request.user) or None,
        "prompt_cache_key": request.cache_key or None,
        "service_tier": request.service_tier or None,
    }
    body.update((field, value) for field, value in settings.items() if value is not None)
    said = request.extras.get(OWN, {}).get("safety_identifier")
    if said is not None and bytes(said) == _JSON.encode(request.user):
        body.pop("user", None)  # the same person, said in the newer field


def _add_reasoning(body: Wire, reasoning: Reasoning | None, profile: Profile, losses: list[Loss]) -> None:
    if reasoning is None:
        return
    if profile.thinks == "no":
        losses.append(Loss("reasoning", "the model does not reason", "setting"))
        return
    wire = write_reasoning(reasoning)
    if reasoning.effort is None and reasoning.budget is not None:
        losses.append(Loss("reasoning.budget", "a budget is said as an effort", "hint"))
    if wire:
        body["reasoning"] = wire


def write_reasoning(reasoning: Reasoning) -> Wire:
    """`reasoning`."""
    wire: Wire = {}
    effort = reasoning.effort or _effort(reasoning)
    if effort is not None:
        wire["effort"] = effort
    if reasoning.shown:
        wire["summary"] = "auto"
    return wire


def _effort(reasoning: Reasoning) -> str | None:
    budget = reasoning.budget
    if reasoning.enabled is False or budget == 0:
        return "none"
    if budget is None or budget < 0:
        return None
    return next((effort for most, effort in _EFFORTS if budget < most), "high")


def _add_form(body: Wire, request: ChatRequest, profile: Profile, losses: list[Loss]) -> None:
    text: Wire = {}
    if request.output is not None:
        schema = request.output.schema
        if schema is not None and not profile.schemas:
            losses.append(Loss("output.schema", "the model takes no schema", "setting"))
            text["format"] = {"type": "json_object"}
        else:
            text["format"] = write_form(request.output)
    if request.verbosity is not None:
        text["verbosity"] = request.verbosity
    if text:
        body["text"] = text


def write_form(form: OutputForm) -> Wire:
    """`text.format`."""
    if form.schema is None:
        return {"type": "json_object"}
    wire: Wire = {"type": "json_schema", "name": form.name or "output", "schema": form.schema}
    if form.description:
        wire["description"] = form.description
    if form.strict is not None:
        wire["strict"] = form.strict
    return wire


def _add_foreign(body: Wire, request: ChatRequest, profile: Profile) -> None:
    """What a request of another format needs to mean the same here."""
    include: list[str] = []
    reasoning = request.reasoning
    if reasoning is not None and reasoning.enabled is not False and profile.thinks != "no":
        include.append(_SEALED)
    if request.sampling.logprobs:
        include.append(LOGPROBS)
    if include:
        body["include"] = include
    body["store"] = False


def _unsaid(request: ChatRequest) -> Iterator[Loss]:
    """The settings that Responses has no field for, and what other formats alone know."""
    sampling = request.sampling
    settings = {
        "stop": request.stop,
        "n": request.n is not None and request.n > 1,
        "sampling.top_k": sampling.top_k is not None,
        "sampling.seed": sampling.seed is not None,
        "sampling.presence_penalty": sampling.presence_penalty,
        "sampling.frequency_penalty": sampling.frequency_penalty,
        "sampling.logit_bias": sampling.logit_bias is not None,
        "modalities": set(request.modalities) - {"text"},
        "voice": request.voice is not None,
    }
    yield from (Loss(what, "Responses has no such field", "setting") for what, is_said in settings.items() if is_said)
    if request.system and any(words.cache is not None for words in request.system):
        yield Loss("cache", "OpenAI caches prompts by itself", "hint")
    for origin, fields in request.extras.items():
        if origin != OWN:
            yield from (Loss(f"extras.{name}", f"only {origin} has it", weigh_extra(name)) for name in fields)
