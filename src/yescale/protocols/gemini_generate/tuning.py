"""`generationConfig`, written, with what cannot be said in it. Nothing is added that the client did not say."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec.structs import asdict

from yescale.domain.chat import ChatRequest, OutputForm, Reasoning, Sampling, Voice
from yescale.domain.profile import Profile
from yescale.protocols.gemini_generate.losses import Losses
from yescale.protocols.gemini_generate.writing import Wire

_MOST_STOPS: Final = 5  # "up to 5": https://ai.google.dev/api/generate-content#FIELDS.stop_sequences

# How Google's own OpenAI surface reads an effort: https://ai.google.dev/gemini-api/docs/openai#thinking
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"none": 0, "minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
)
_LEVELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "none": "minimal",
        "minimal": "minimal",
        "low": "low",
        "medium": "medium",
        "high": "high",
        "xhigh": "high",
        "max": "high",
    }
)
_SAMPLING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "topP",
        "top_k": "topK",
        "seed": "seed",
        "presence_penalty": "presencePenalty",
        "frequency_penalty": "frequencyPenalty",
        "logprobs": "responseLogprobs",
        "top_logprobs": "logprobs",
    }
)
_DRAWN: Final = frozenset({"temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"})
_PCM: Final = frozenset({"", "pcm", "pcm16"})


def encode_config(request: ChatRequest, profile: Profile, losses: Losses) -> Wire:
    """The configuration; empty where the client said nothing of it."""
    wire: Wire = {}
    if request.max_tokens is not None:
        wire["maxOutputTokens"] = request.max_tokens
    if request.stop:
        wire["stopSequences"] = request.stop[:_MOST_STOPS]
    if len(request.stop) > _MOST_STOPS:
        losses.add("stop", f"Gemini takes {_MOST_STOPS} stop sequences", "setting")
    if request.n is not None:
        wire["candidateCount"] = request.n
    if request.modalities:
        wire["responseModalities"] = [modality.upper() for modality in request.modalities]
    if request.verbosity is not None:
        losses.add("verbosity", "Gemini has no verbosity", "setting")
    wire.update(_encode_sampling(request.sampling, profile, losses))
    if request.output is not None:
        wire.update(_encode_output(request.output, profile, losses))
    if request.voice is not None:
        wire.update(_encode_voice(request.voice, losses))
    thinking = {} if request.reasoning is None else _encode_reasoning(request.reasoning, profile, losses)
    if thinking:
        wire["thinkingConfig"] = thinking
    return wire


def _encode_sampling(sampling: Sampling, profile: Profile, losses: Losses) -> Wire:
    if sampling.logit_bias is not None:
        losses.add("sampling.logit_bias", "Gemini has no biases, and other tokens", "setting")
    said = {name: value for name, value in asdict(sampling).items() if name in _SAMPLING and value is not None}
    dropped = [name for name in said if name in _DRAWN and not profile.samples]
    for name in dropped:
        losses.add(f"sampling.{name}", "this model is not to be told", "setting")
    return {_SAMPLING[name]: value for name, value in said.items() if name not in dropped}


def _encode_output(output: OutputForm, profile: Profile, losses: Losses) -> Wire:
    """JSON Schema goes as it is (https://ai.google.dev/gemini-api/docs/structured-output#json-schema-support)."""
    wire: Wire = {"responseMimeType": "application/json"}
    if output.schema is not None and profile.schemas:
        wire["responseJsonSchema"] = output.schema
    elif output.schema is not None:
        losses.add("output.schema", "this model takes no schema", "setting")
    if output.name or output.description:
        losses.add("output.name", "Gemini's schemas have no name", "hint")
    if output.strict is not None:
        losses.add("output.strict", "Gemini always keeps to the schema", "hint")
    return wire


def _encode_voice(voice: Voice, losses: Losses) -> Wire:
    if voice.format not in _PCM:
        losses.add("voice.format", "Gemini speaks PCM", "setting")
    return {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice.name}}}}


def _encode_reasoning(reasoning: Reasoning, profile: Profile, losses: Losses) -> Wire:
    """A level or a budget, never both: Google refuses that. https://ai.google.dev/gemini-api/docs/thinking"""
    wire: Wire = {} if reasoning.shown is None else {"includeThoughts": reasoning.shown}
    effort = "none" if reasoning.enabled is False else reasoning.effort
    budget = 0 if reasoning.enabled is False else reasoning.budget
    if profile.thinks == "no":
        if reasoning.enabled or effort not in (None, "none") or budget:
            losses.add("reasoning", "this model does not think", "setting")
        return {}
    if profile.thinks == "effort" and effort is not None:
        if effort in ("none", "xhigh", "max"):
            losses.add("reasoning.effort", f"this model has no effort {effort}", "setting")
        return wire | {"thinkingLevel": _LEVELS[effort]}
    if budget is None and effort is not None:
        budget = _BUDGETS[effort]
    if budget is None and reasoning.enabled and profile.thinks != "effort":
        budget = -1
    return wire if budget is None else wire | {"thinkingBudget": budget}
