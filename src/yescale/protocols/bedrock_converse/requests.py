"""A canonical request written for Converse, and what it could not say. The model and the stream stand in the path.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import ChatRequest, OutputForm, Sampling
from yescale.domain.loss import weigh_extra
from yescale.domain.profile import Profile
from yescale.protocols.bedrock_converse.prompting import Block, BlockWriter
from yescale.protocols.bedrock_converse.thinking import write_thinking
from yescale.protocols.bedrock_converse.tools import write_tools
from yescale.protocols.bedrock_converse.turns import write_turns
from yescale.protocols.bedrock_converse.words import ID, TIERS
from yescale.protocols.codec import Encoded

_ENCODER: Final = msgspec.json.Encoder()
_CLAUDE: Final = "anthropic."  # in the ids of Claude's models, and of the inference profiles that lead to them
_WARMEST: Final = 1.0
_LEAST_TOP_P: Final = 0.95  # while the model thinks
_NO_FIELD: Final = "Converse has no such field"


def encode_request(request: ChatRequest, profile: Profile) -> Encoded:
    """The body for Converse. Every part and every field is in it or in the losses."""
    claude = _CLAUDE in request.model
    writer = BlockWriter(points=profile.cache_points)
    system = [block for text in request.system for block in writer.write(text, "system")]
    wire: Block = {"messages": write_turns(request.messages, writer)}
    if not wire["messages"]:
        writer.lose("system", "Converse wants a turn of the user: the system words are it", "setting")
        wire["messages"], system = [{"role": "user", "content": system}], []
    more = write_thinking(request, profile, writer, claude=claude)
    thinks = "thinking" in more and more["thinking"] != {"type": "disabled"}
    more |= _top_k(request.sampling, writer, claude=claude and not thinks)
    wire |= _inference(request, profile, writer, thinks=thinks)
    wire |= write_tools(request, writer)
    wire |= _output(request.output, profile, system, writer)
    if system:
        wire["system"] = system
    if more:
        wire["additionalModelRequestFields"] = more
    if claude and request.stop:
        wire["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    if request.service_tier in TIERS:
        wire["serviceTier"] = {"type": request.service_tier}
    _lose_rest(request, writer)
    return Encoded(_ENCODER.encode(wire), tuple(writer.losses))


def _inference(request: ChatRequest, profile: Profile, writer: BlockWriter, *, thinks: bool) -> Block:
    """`inferenceConfig`. A model that thinks takes values only that change nothing."""
    temperature, top_p = request.sampling.temperature, request.sampling.top_p
    if thinks or not profile.samples:
        why = "the model thinks" if thinks else "the model takes no such setting"
        if temperature not in (None, _WARMEST):
            writer.lose("sampling.temperature", why, "setting")
        if top_p is not None and top_p < _LEAST_TOP_P:
            writer.lose("sampling.top_p", why, "setting")
        temperature = None
        top_p = top_p if top_p is not None and top_p >= _LEAST_TOP_P and profile.samples else None
    if temperature is not None and temperature > _WARMEST:
        writer.lose("sampling.temperature", "Converse's goes up to 1", "setting")
        temperature = _WARMEST
    stops = [stop for stop in request.stop if stop]
    said = {"maxTokens": request.max_tokens, "temperature": temperature, "topP": top_p, "stopSequences": stops or None}
    config = {name: value for name, value in said.items() if value is not None}
    return {"inferenceConfig": config} if config else {}


def _top_k(sampling: Sampling, writer: BlockWriter, *, claude: bool) -> Block:
    """A field of Claude's own."""
    if sampling.top_k is None:
        return {}
    if claude:
        return {"top_k": sampling.top_k}
    writer.lose("sampling.top_k", _NO_FIELD, "setting")
    return {}


def _output(form: OutputForm | None, profile: Profile, system: list[Block | Raw], writer: BlockWriter) -> Block:
    """`outputConfig`. Any JSON, and a schema for a model that takes none, are asked for in words."""
    if form is None:
        return {}
    if form.schema is None or not profile.schemas:
        writer.lose("output", "the model is asked for JSON in words", "setting")
        system.append({"text": _ask_for_json(form)})
        return {}
    if form.strict is not None:
        writer.lose("output.strict", "Converse's schemas are always kept to", "hint")
    schema = {"schema": bytes(form.schema).decode(errors="replace"), "name": form.name, "description": form.description}
    structure = {"jsonSchema": {name: value for name, value in schema.items() if value}}
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}


def _ask_for_json(form: OutputForm) -> str:
    asked = "Answer with one JSON object and nothing else: no other words, no code fence."
    if form.schema is None:
        return asked
    return f"{asked} It must be valid under this JSON Schema:\n{bytes(form.schema).decode(errors='replace')}"


def _lose_rest(request: ChatRequest, writer: BlockWriter) -> None:
    """The fields that Converse has in no form."""
    sampling = request.sampling
    said = {
        "n": request.n not in (None, 1),
        "verbosity": request.verbosity is not None,
        "voice": request.voice is not None,
        **{f"modalities.{modality}": modality != "text" for modality in request.modalities},
        "service_tier": request.service_tier not in ("", "auto", *TIERS),
        "sampling.seed": sampling.seed is not None,
        "sampling.presence_penalty": bool(sampling.presence_penalty),
        "sampling.frequency_penalty": bool(sampling.frequency_penalty),
        "sampling.logit_bias": sampling.logit_bias is not None,
        "sampling.logprobs": bool(sampling.logprobs),
        "sampling.top_logprobs": bool(sampling.top_logprobs),
    }
    for name, lost in said.items():
        if lost:
            writer.lose(name, _NO_FIELD, "setting")
    for name, hinted in {"user": bool(request.user), "cache_key": bool(request.cache_key)}.items():
        if hinted:
            writer.lose(name, _NO_FIELD, "hint")
    if request.reasoning is not None and request.reasoning.shown is not None:
        writer.lose("reasoning.shown", _NO_FIELD, "hint" if request.reasoning.shown else "setting")
    for origin, fields in request.extras.items():
        for name in fields if origin != ID else ():
            writer.lose(f"extras.{name}", _NO_FIELD, weigh_extra(name))
