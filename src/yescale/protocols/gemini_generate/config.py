"""`generationConfig`, read: https://ai.google.dev/api/generate-content#generationconfig"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct

from yescale.domain.chat import OutputForm, Reasoning, Sampling, Voice
from yescale.protocols.gemini_generate.members import FLAG, STRING, STRINGS, Members, open_member, refuse
from yescale.protocols.gemini_generate.schemas import to_json_schema

PREFIX: Final = "generationConfig."
_JSON: Final = "application/json"

Modality = Literal["text", "audio", "image"]
_MODALITIES: Final[Mapping[str, Modality]] = MappingProxyType({"TEXT": "text", "AUDIO": "audio", "IMAGE": "image"})
Effort = Literal["minimal", "low", "medium", "high", "xhigh"]
_EFFORTS: Final[Mapping[str, Effort]] = MappingProxyType(
    {"MINIMAL": "minimal", "LOW": "low", "MEDIUM": "medium", "HIGH": "high", "XHIGH": "xhigh"}
)


class Config(Struct, frozen=True, kw_only=True):
    """What a configuration says in canonical words; the fields are ChatRequest's."""

    max_tokens: int | None
    stop: tuple[str, ...]
    n: int | None
    sampling: Sampling
    reasoning: Reasoning | None
    output: OutputForm | None
    modalities: tuple[Modality, ...]
    voice: Voice | None


def decode_config(config: Members, extras: dict[str, Raw]) -> Config:
    """The configuration; what only Google knows goes to `extras`, as generationConfig.<field>. Raises Malformed."""
    read = Config(
        max_tokens=_take_count(config, "maxOutputTokens"),
        stop=tuple(config.take("stopSequences", STRINGS) or ()),
        n=_take_count(config, "candidateCount"),
        sampling=_decode_sampling(config),
        reasoning=_decode_reasoning(config),
        output=_decode_output(config, extras),
        modalities=_decode_modalities(config, extras),
        voice=_decode_voice(config, extras),
    )
    extras.update({PREFIX + name: value for name, value in config.rest().items()})
    return read


def _take_count(config: Members, name: str) -> int | None:
    count = config.take_int(name)
    if count is not None and count < 1:
        raise refuse(config.path(name), f"'{config.path(name)}' must be at least 1.")
    return count


def _decode_sampling(config: Members) -> Sampling:
    return Sampling(
        temperature=config.take_number("temperature"),
        top_p=config.take_number("topP"),
        top_k=config.take_int("topK"),
        seed=config.take_int("seed"),
        presence_penalty=config.take_number("presencePenalty"),
        frequency_penalty=config.take_number("frequencyPenalty"),
        logprobs=config.take("responseLogprobs", FLAG),
        top_logprobs=config.take_int("logprobs"),
    )


def _decode_reasoning(config: Members) -> Reasoning | None:
    """`thinkingConfig`: a budget of 0 switches thinking off, -1 leaves it to the model."""
    thinking = open_member(config, "thinkingConfig")
    if thinking is None:
        return None
    budget, word = thinking.take_int("thinkingBudget"), thinking.take("thinkingLevel", STRING)
    effort = _EFFORTS.get((word or "").upper())
    if word is not None and effort is None:
        field = thinking.path("thinkingLevel")
        raise refuse(field, f"'{field}' must be one of {', '.join(_EFFORTS)}.")
    return Reasoning(
        enabled=False if budget == 0 else None,
        effort=effort,
        budget=budget,
        shown=thinking.take("includeThoughts", FLAG),
    )


def _decode_output(config: Members, extras: dict[str, Raw]) -> OutputForm | None:
    """JSON with or without a schema. Of other forms (`text/x.enum`) only Google knows."""
    kind = config.take("responseMimeType", STRING) or "text/plain"
    schema, own = config.take_raw("responseJsonSchema"), config.take_raw("responseSchema")
    if kind in (_JSON, "text/plain"):
        if schema is None and own is not None:
            schema = to_json_schema(own, config.path("responseSchema"))
        return OutputForm(schema=schema) if kind == _JSON or schema is not None else None
    said = {"responseMimeType": Raw(msgspec.json.encode(kind)), "responseJsonSchema": schema, "responseSchema": own}
    extras.update({PREFIX + name: value for name, value in said.items() if value is not None})
    return None


def _decode_modalities(config: Members, extras: dict[str, Raw]) -> tuple[Modality, ...]:
    raws = config.take_all("responseModalities")
    words = [msgspec.json.decode(raw, type=str).upper() for raw in raws if bytes(raw)[:1] == b'"']
    known: tuple[Modality, ...] = tuple(_MODALITIES[word] for word in words if word in _MODALITIES)
    if len(known) == len(raws):
        return known
    extras[PREFIX + "responseModalities"] = Raw(msgspec.json.encode(raws))
    return ()


def _decode_voice(config: Members, extras: dict[str, Raw]) -> Voice | None:
    """One voice by its name; several speakers, or a language, only Google knows."""
    raw = config.take_raw("speechConfig")
    if raw is None:
        return None
    speech = Members(raw, config.path("speechConfig"))
    voice = open_member(speech, "voiceConfig")
    prebuilt = None if voice is None else open_member(voice, "prebuiltVoiceConfig")
    name = None if prebuilt is None else prebuilt.take("voiceName", STRING)
    if name and not any(members is not None and members.rest() for members in (speech, voice, prebuilt)):
        return Voice(name=name)
    extras[PREFIX + "speechConfig"] = raw
    return None
