"""A canonical request written for Anthropic, and what it could not say.

Source: https://platform.claude.com/docs/en/api/messages/create
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import ChatRequest, HostedTool, OutputForm, Sampling, Tool
from yescale.domain.loss import weigh_extra
from yescale.domain.profile import Profile
from yescale.protocols.anthropic_messages import hosted
from yescale.protocols.anthropic_messages.prompting import Block, BlockWriter, cache_control
from yescale.protocols.anthropic_messages.thinking import limit_of, write_thinking
from yescale.protocols.anthropic_messages.turns import write_turns
from yescale.protocols.anthropic_messages.words import ID, TIERS_SAID
from yescale.protocols.codec import Encoded

_ENCODER: Final = msgspec.json.Encoder()
_NOTHING: Final[Mapping[str, Raw]] = MappingProxyType({})
_PLACES: Final = ("messages.", "system.", "tools.")  # of blocks and tools that are kept whole
_OF_TURNS: Final = "turns."  # of what turns say beside their blocks
_ANY_OBJECT: Final = Raw(b'{"type":"object","properties":{}}')
_FREE_TEXT: Final = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_MODES: Final = MappingProxyType({"auto": "auto", "required": "any", "none": "none"})
_WARMEST: Final = 1.0
_LEAST_TOP_P: Final = 0.95  # while the model thinks

_NO_FIELD: Final = "Anthropic has no such field"


def encode_request(request: ChatRequest, profile: Profile) -> Encoded:
    """The body for Anthropic. Every part and every field is in it or in the losses."""
    own = request.extras.get(ID, _NOTHING)
    writer = BlockWriter({name: value for name, value in own.items() if name.startswith(_PLACES)})
    wire: Block = {"model": request.model, "max_tokens": limit_of(request, profile)}
    system = _write_system(request, own, writer)
    wire["messages"] = write_turns(request.messages, writer, late_system=profile.late_system)
    thinking, effort = write_thinking(request, profile, writer)
    _add_tools(wire, request, own, writer)
    _add_sampling(
        wire, request.sampling, profile, writer, thinks=thinking is not None and thinking["type"] != "disabled"
    )
    _add_output(wire, system, request.output, effort, profile, writer)
    if not wire["messages"]:
        writer.lose("system", "Anthropic wants a turn of the user: the system words are it", "setting")
        wire["messages"], system = [{"role": "user", "content": system}], []
    if system:
        wire["system"] = system
    if thinking is not None:
        wire["thinking"] = thinking
    _add_rest(wire, request, writer)
    for name, value in own.items():
        if name.startswith(_OF_TURNS):
            writer.lose(f"extras.{name}", "the turn that says it is written anew", "setting")
        elif not name.startswith(_PLACES):
            wire[name] = value
    _lose_rest(request, writer)
    return Encoded(_ENCODER.encode(wire), tuple(writer.losses))


def _write_system(request: ChatRequest, own: Mapping[str, Raw], writer: BlockWriter) -> list[Block | Raw]:
    blocks = [own.get(f"system.{number}") or writer.text(text) for number, text in enumerate(request.system)]
    return [block for block in blocks if block is not None]


def _add_tools(wire: Block, request: ChatRequest, own: Mapping[str, Raw], writer: BlockWriter) -> None:
    allowed = request.tool_choice.allowed if request.tool_choice is not None else ()
    tools: list[Block | Raw] = []
    for number, tool in enumerate(request.tools):
        if isinstance(tool, Tool) and allowed and tool.name not in allowed:
            continue
        written = own.get(f"tools.{number}") or _write_tool(tool, writer)
        if written is not None:
            tools.append(written)
    if allowed:
        writer.lose("tool_choice.allowed", "Anthropic has no such list: the other tools are left out", "hint")
    if tools:
        wire["tools"] = tools
    choice = _write_choice(request, writer, bool(tools))
    if choice is not None:
        wire["tool_choice"] = choice


def _write_tool(tool: Tool | HostedTool, writer: BlockWriter) -> Block | Raw | None:
    if isinstance(tool, HostedTool):
        return hosted.write_tool(tool, writer.losses)
    wire: Block = {"name": tool.name, "input_schema": tool.parameters or _ANY_OBJECT}
    if tool.custom:
        writer.lose("tools.custom", "Anthropic's tools take objects: the text stands in the field 'input'", "setting")
        wire["input_schema"] = _FREE_TEXT
    if tool.description:
        wire["description"] = tool.description
    if tool.strict is not None:
        wire["strict"] = tool.strict
    if tool.cache is not None:
        wire["cache_control"] = cache_control(tool.cache)
    return wire


def _write_choice(request: ChatRequest, writer: BlockWriter, tools: bool) -> Block | None:
    choice, parallel = request.tool_choice, request.parallel_tools
    if not tools:
        if choice is not None and choice.mode in {"required", "named"}:
            writer.lose("tool_choice", "there is no tool to choose", "setting")
        return None
    if choice is None:
        return None if parallel is not False else {"type": "auto", "disable_parallel_tool_use": True}
    if choice.mode == "none":
        return {"type": "none"}
    wire: Block = {"type": "tool", "name": choice.name} if choice.mode == "named" else {"type": _MODES[choice.mode]}
    if parallel is not None:
        wire["disable_parallel_tool_use"] = not parallel
    return wire


def _add_sampling(wire: Block, sampling: Sampling, profile: Profile, writer: BlockWriter, *, thinks: bool) -> None:
    """Temperature goes up to 1 here. Newer models take temperature or top_p, not both; a model that thinks takes
    neither, but for values that change nothing.
    """
    temperature, top_p, top_k = sampling.temperature, sampling.top_p, sampling.top_k
    if not profile.samples or thinks:
        why = "the model thinks" if profile.samples else "the model takes no such setting"
        kept = temperature if thinks and temperature == _WARMEST and profile.samples else None
        if temperature is not None and kept is None:
            writer.lose("sampling.temperature", why, "hint" if temperature == _WARMEST else "setting")
        if top_k is not None:
            writer.lose("sampling.top_k", why, "setting")
        if top_p is not None and (not profile.samples or top_p < _LEAST_TOP_P):
            writer.lose("sampling.top_p", why, "setting" if top_p < 1 else "hint")
            top_p = None
        temperature, top_k = kept, None
    if temperature is not None and temperature > _WARMEST:
        writer.lose("sampling.temperature", "Anthropic's goes up to 1", "setting")
        temperature = _WARMEST
    if temperature is not None and top_p is not None:
        writer.lose("sampling.top_p", "the temperature is said already", "setting" if top_p < 1 else "hint")
        top_p = None
    said = {"temperature": temperature, "top_p": top_p, "top_k": top_k}
    wire.update({name: value for name, value in said.items() if value is not None})


def _add_output(
    wire: Block,
    system: list[Block | Raw],
    form: OutputForm | None,
    effort: str | None,
    profile: Profile,
    writer: BlockWriter,
) -> None:
    """`output_config`. Any JSON, and a schema for a model that takes none, are asked for in words: a forced tool would
    change what the client sees.
    """
    output: Block = {} if effort is None else {"effort": effort}
    if form is not None:
        _lose_names(form, writer)
        if form.schema is not None and profile.schemas:
            output["format"] = {"type": "json_schema", "schema": form.schema}
        else:
            writer.lose("output", "the model is asked for JSON in words", "setting")
            system.append({"type": "text", "text": _ask_for_json(form)})
    if output:
        wire["output_config"] = output


def _lose_names(form: OutputForm, writer: BlockWriter) -> None:
    if form.description:
        writer.lose("output.description", _NO_FIELD, "setting")
    if form.name or form.strict is not None:
        writer.lose("output.name", "Anthropic's schemas have no name and are always kept to", "hint")


def _ask_for_json(form: OutputForm) -> str:
    asked = "Answer with one JSON object and nothing else: no other words, no code fence."
    return asked if form.schema is None else f"{asked} It must be valid under this JSON Schema:\n{_text(form.schema)}"


def _text(raw: Raw) -> str:
    return bytes(raw).decode(errors="replace")


def _add_rest(wire: Block, request: ChatRequest, writer: BlockWriter) -> None:
    stops = [stop for stop in request.stop if stop.strip()]
    if len(stops) < len(request.stop):
        writer.lose("stop", "Anthropic takes no stop sequence of white space alone", "setting")
    if stops:
        wire["stop_sequences"] = stops
    if request.stream:
        wire["stream"] = True
    if request.user:
        wire["metadata"] = {"user_id": request.user}
    if request.service_tier in TIERS_SAID:
        wire["service_tier"] = TIERS_SAID[request.service_tier]
    elif request.service_tier:
        writer.lose("service_tier", f"Anthropic has no tier '{request.service_tier}'", "setting")


def _lose_rest(request: ChatRequest, writer: BlockWriter) -> None:
    """The fields that Anthropic has in no form."""
    _lose_sampling(request.sampling, writer)
    said = {
        "n": request.n not in (None, 1),
        "verbosity": request.verbosity is not None,
        "voice": request.voice is not None,
        **{f"modalities.{modality}": modality != "text" for modality in request.modalities},
    }
    for name, lost in said.items():
        if lost:
            writer.lose(name, "Anthropic gives one answer, in text" if name != "verbosity" else _NO_FIELD, "setting")
    if request.cache_key:
        writer.lose("cache_key", "Anthropic caches by its own marks", "hint")
    for origin, fields in request.extras.items():
        for name in fields if origin != ID else ():
            writer.lose(f"extras.{name}", _NO_FIELD, weigh_extra(name))


def _lose_sampling(sampling: Sampling, writer: BlockWriter) -> None:
    said = {
        "seed": sampling.seed is not None,
        "presence_penalty": bool(sampling.presence_penalty),
        "frequency_penalty": bool(sampling.frequency_penalty),
        "logit_bias": sampling.logit_bias is not None,
        "logprobs": bool(sampling.logprobs),
        "top_logprobs": bool(sampling.top_logprobs),
    }
    for name, lost in said.items():
        if lost:
            writer.lose(f"sampling.{name}", _NO_FIELD, "setting")
