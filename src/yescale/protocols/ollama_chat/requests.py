"""A canonical request written for Ollama's /api/chat, and what it could not say.

Sources: https://docs.ollama.com/api/chat, https://docs.ollama.com/modelfile#valid-parameters-and-values (`options`).
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import ChatRequest, HostedTool, OutputForm, Reasoning, Sampling, Tool
from yescale.domain.loss import weigh_extra
from yescale.domain.profile import Profile
from yescale.protocols.codec import Encoded
from yescale.protocols.ollama_chat.turns import TurnWriter, Wire
from yescale.protocols.ollama_chat.words import ID

_ENCODER: Final = msgspec.json.Encoder()
_NO_FIELD: Final = "Ollama has no such field"
_ANY_OBJECT: Final = Raw(b'{"type":"object","properties":{}}')
_FREE_TEXT: Final = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_LEVELS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}


def encode_request(request: ChatRequest, profile: Profile) -> Encoded:
    """The body for Ollama, which streams unless it is told otherwise."""
    writer = TurnWriter()
    writer.system(request.system)
    for message in request.messages:
        writer.turn(message)
    wire: Wire = {"model": request.model, "messages": writer.messages, "stream": request.stream}
    tools = list(_tools(request, writer))
    if tools:
        wire["tools"] = tools
    if request.output is not None:
        wire["format"] = _form(request.output, writer)
    think = _think(request.reasoning, profile, writer)
    if think is not None:
        wire["think"] = think
    options = _options(request)
    if options:
        wire["options"] = options
    _add_scores(wire, request.sampling)
    _lose_rest(request, writer)
    return Encoded(_ENCODER.encode(wire), tuple(writer.losses))


def _tools(request: ChatRequest, writer: TurnWriter) -> Iterator[Wire]:
    """Ollama's models choose by themselves: a choice is met as far as what is offered can meet it."""
    choice = request.tool_choice
    if choice is not None and choice.mode == "none":
        return
    if choice is not None and choice.mode in {"required", "named"}:
        writer.lose("tool_choice", "Ollama cannot be told to call a tool", "setting")
    if choice is not None and choice.allowed:
        writer.lose("tool_choice.allowed", "the other tools are left out")
    if request.parallel_tools is False:
        writer.lose("parallel_tools", _NO_FIELD, "setting")
    only = () if choice is None else (choice.name,) if choice.mode == "named" else choice.allowed
    for tool in request.tools:
        if isinstance(tool, HostedTool):
            writer.lose(f"tools.{tool.kind}", "Ollama runs no tools itself", "setting")
        elif not only or tool.name in only:
            yield {"type": "function", "function": _tool(tool, writer)}


def _tool(tool: Tool, writer: TurnWriter) -> Wire:
    if tool.cache is not None:
        writer.lose("part.cache", "Ollama caches by itself")
    if tool.strict is not None:
        writer.lose("tools.strict", _NO_FIELD, "setting" if tool.strict else "hint")
    if tool.custom:
        writer.lose("tools.custom", "Ollama's tools take an object: the text is its member 'input'", "setting")
    parameters = _FREE_TEXT if tool.custom else tool.parameters or _ANY_OBJECT
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "parameters": parameters}


def _form(form: OutputForm, writer: TurnWriter) -> Raw | str:
    if form.strict is not None:
        writer.lose("output.strict", "Ollama always keeps to a schema")
    if form.name or form.description:
        writer.lose("output.name", "Ollama's schemas have no names")
    return "json" if form.schema is None else form.schema


def _think(wish: Reasoning | None, profile: Profile, writer: TurnWriter) -> bool | str | None:
    """`think`: a level where the model has levels, else on or off. https://docs.ollama.com/capabilities/thinking"""
    if wish is None:
        return None
    if wish.shown is not None:
        writer.lose("reasoning.shown", "thoughts are always shown", "hint" if wish.shown else "setting")
    if wish.enabled is None and wish.effort is None and wish.budget is None:
        return None
    off = wish.enabled is False or wish.effort == "none" or wish.budget == 0
    if profile.thinks == "no":
        if not off:
            writer.lose("reasoning", "the model does not think", "setting")
        return None
    if off:
        return False
    level = _LEVELS.get(wish.effort or "")
    if wish.budget not in (None, -1):
        writer.lose("reasoning.budget", _NO_FIELD, "setting")
    if profile.thinks == "effort" and level is not None:
        return level
    if wish.effort is not None:
        writer.lose("reasoning.effort", "the model thinks, or does not", "setting")
    return True


def _options(request: ChatRequest) -> Wire:
    sampling = request.sampling
    said = {
        "num_predict": request.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": request.stop or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _add_scores(wire: Wire, sampling: Sampling) -> None:
    if sampling.logprobs is not None:
        wire["logprobs"] = sampling.logprobs
    if sampling.top_logprobs is not None:
        wire["top_logprobs"] = sampling.top_logprobs


def _lose_rest(request: ChatRequest, writer: TurnWriter) -> None:
    """The fields that Ollama has in no form."""
    said = {
        "n": request.n not in (None, 1),
        "verbosity": request.verbosity is not None,
        "voice": request.voice is not None,
        **{f"modalities.{modality}": modality != "text" for modality in request.modalities},
        "service_tier": request.service_tier not in ("", "auto", "default"),
        "sampling.logit_bias": request.sampling.logit_bias is not None,
    }
    for name, lost in said.items():
        if lost:
            writer.lose(name, _NO_FIELD, "setting")
    for name, hinted in {"user": bool(request.user), "cache_key": bool(request.cache_key)}.items():
        if hinted:
            writer.lose(name, _NO_FIELD)
    for origin, fields in request.extras.items():
        for name in fields if origin != ID else ():
            writer.lose(f"extras.{name}", _NO_FIELD, weigh_extra(name))
