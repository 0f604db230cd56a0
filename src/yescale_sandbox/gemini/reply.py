"""What Gemini's fake models say: a pure function of the request, the same for a stream and for a whole answer.

The words and the rules of `speech`, with what only Gemini has: thoughts, signatures, Google's tools, pictures, speech.
"""

import hashlib
from typing import cast

import msgspec
from msgspec import Raw, Struct

from yescale_sandbox.exchange import Tokens
from yescale_sandbox.gemini import builtin, picture
from yescale_sandbox.gemini.catalogue import RATIOS, Model
from yescale_sandbox.gemini.media import data_of
from yescale_sandbox.gemini.prompt import CACHED_TOKENS, Count, GenerateRequest, counted, prompt_count
from yescale_sandbox.gemini.schema import as_json_schema
from yescale_sandbox.gemini.seal import seal
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import (
    Heard,
    Offered,
    Said,
    cut_text,
    digest_of,
    first_stop,
    say,
    text_tokens,
)

PICTURE_TOKENS = 1_290  # https://ai.google.dev/gemini-api/docs/pricing: an image of up to 1024x1024
SPEECH_TOKENS_PER_S = 25  # https://ai.google.dev/gemini-api/docs/tokens
LEVELS = {"MINIMAL": 4, "LOW": 16, "MEDIUM": 32, "HIGH": 64}
PCM = "audio/L16;codec=pcm;rate=24000"
THOUGHT = "**Considering the request**\n\nThe user said something of {} tokens; I will say it back."


class Candidate(Struct, frozen=True):
    """One answer: parts as they are written, and what stands beside them at the end."""

    index: int
    parts: tuple[JsonObject, ...]
    finish: str = "STOP"
    beside: JsonObject = {}
    is_json: bool = False


class Usage(Struct, frozen=True):
    """Counts as Google reports them: thoughts and tools' results beside the prompt and the candidates."""

    prompt: Count
    candidates: Count = Count()
    thoughts: int = 0
    cached: int = 0
    tool_prompt: int = 0

    def tokens(self) -> Tokens:
        """As the record nests them: what tools brought is prompt, what was thought is completion."""
        return Tokens(
            prompt=self.prompt.total + self.tool_prompt,
            completion=self.candidates.total + self.thoughts,
            cached=self.cached,
            reasoning=self.thoughts,
        )


class Reply(Struct, frozen=True):
    """The whole answer before it is written down."""

    id: str
    model: str
    candidates: tuple[Candidate, ...]
    usage: Usage
    feedback: JsonObject | None = None
    root: JsonObject = {}
    metered: JsonObject = {}


class Speaker(Struct, frozen=True):
    """All that the words depend on."""

    request: GenerateRequest
    model: Model
    script: Script
    heard: Heard
    thoughts: int


def compose(request: GenerateRequest, body: JsonObject, model: Model, script: Script) -> Reply:
    """Answer a checked request."""
    heard = _heard(request, body)
    thoughts = _thought_tokens(request, model)
    speaker = Speaker(request, model, script, heard, thoughts)
    count = 0 if "blocked" in script or "empty" in script else request.generation_config.candidate_count or 1
    candidates = tuple(_candidate(speaker, index) for index in range(count))
    prompt = prompt_count(request, body)
    cached = prompt.total * script.number("cached") // 100
    usage = Usage(
        prompt=prompt,
        candidates=counted(one for candidate in candidates for part in candidate.parts for one in _part_count(part)),
        thoughts=thoughts * count,
        cached=max(cached, CACHED_TOKENS if request.cached_content else 0),
        tool_prompt=builtin.prompt_tokens(request, heard.quote) if count else 0,
    )
    name = hashlib.sha256(f"{model.name}/{heard.digest}".encode()).digest()[:16]
    feedback: JsonObject | None = None
    if "blocked" in script:
        feedback = {"blockReason": "SAFETY", "safetyRatings": builtin.ratings("HIGH")}
    return Reply(data_of(name).rstrip("=").translate({43: 45, 47: 95}), model.name, candidates, usage, feedback)


def _heard(request: GenerateRequest, body: JsonObject) -> Heard:
    last = request.last_user()
    calling = request.calling()
    allowed = calling.allowed_function_names
    offered = tuple(
        Offered(one.name, one.parameters_json_schema or as_json_schema(one.parameters or {"type": "OBJECT"}))
        for one in request.declarations()
        if not allowed or one.name in allowed
    )
    answers = tuple((one.name, msgspec.json.encode(one.response).decode()) for one in request.contents[-1].responses)
    config = request.generation_config
    schema: JsonObject | None = config.response_json_schema
    if config.response_schema is not None:
        schema = as_json_schema(config.response_schema)
    files = [part.inline_data or part.file_data for part in last.parts]
    return Heard(
        quote=last.text(),
        digest=digest_of(body.get("contents")),
        tool_answers=answers,
        seen=tuple(one.mime_type or "web" for one in files if one is not None),
        tools=() if calling.mode == "NONE" or request.contents[-1].role == "model" else offered,
        demanded=calling.mode == "ANY" and not answers,
        schema=schema,
        is_json=config.response_mime_type == "application/json",
    )


def _thought_tokens(request: GenerateRequest, model: Model) -> int:
    if model.thinking is None:
        return 0
    config = request.generation_config
    asked = config.thinking_config
    tokens = model.thinking.usual
    if asked is not None and asked.thinking_level is not None:
        tokens = LEVELS.get(asked.thinking_level, tokens)
    elif asked is not None and asked.thinking_budget is not None:
        budget = asked.thinking_budget
        tokens = LEVELS["HIGH"] if budget < 0 else min(budget, LEVELS["HIGH"])
    return tokens if config.max_output_tokens is None else min(tokens, config.max_output_tokens)


def _candidate(speaker: Speaker, index: int) -> Candidate:
    script = speaker.script
    if "no-parts" in script:
        return Candidate(index, ())
    if "malformed-call" in script:
        beside: JsonObject = {"finishMessage": "Malformed function call: print(default_api."}
        return Candidate(index, (), "MALFORMED_FUNCTION_CALL", beside)
    if "AUDIO" in speaker.model.usual:
        return Candidate(index, (_spoken(speaker),))
    said = say(speaker.heard, script, index)
    made = _pictured(speaker, said, index) if "IMAGE" in speaker.model.usual else _worded(speaker, said, index)
    return _ended(made, script)


def _worded(speaker: Speaker, said: Said, index: int) -> Candidate:
    thought = _thought(speaker)
    budget = _budget(speaker)
    if said.calls:
        calls = _calls(speaker, said)
        if budget is not None and said.tokens() > budget:
            return Candidate(index, thought, "MAX_TOKENS")
        return Candidate(index, (*thought, *calls))
    text = said.text
    if speaker.request.generation_config.response_mime_type == "text/x.enum":
        text = str(_value(text))
    found = first_stop(text, speaker.request.generation_config.stop_sequences)
    text = text if found is None else text[: found[0]]
    finish = "STOP"
    if budget is not None and text_tokens(text) > budget:
        text, finish = cut_text(text, budget), "MAX_TOKENS"
    spoken: list[JsonObject] = [{"text": text}] if text else []
    if spoken and speaker.model.seals:
        spoken[-1]["thoughtSignature"] = seal(f"{speaker.heard.digest}/{index}/text")
    work = builtin.code_parts(speaker.request, speaker.heard.quote)
    beside = builtin.beside(speaker.request, speaker.heard.quote, text)
    return Candidate(index, (*thought, *work, *spoken), finish, beside, said.is_json)


def _thought(speaker: Speaker) -> tuple[JsonObject, ...]:
    asked = speaker.request.generation_config.thinking_config
    if asked is None or not asked.include_thoughts or not speaker.thoughts:
        return ()
    return ({"text": THOUGHT.format(text_tokens(speaker.heard.quote)), "thought": True},)


def _calls(speaker: Speaker, said: Said) -> list[JsonObject]:
    """Whole calls; where the model thinks, the first is sealed (https://ai.google.dev/gemini-api/docs/thought-signatures)."""
    parts: list[JsonObject] = []
    for call in said.calls:
        # The arguments keep their spelling, numbers that no decoder holds too.
        made: JsonObject = {"name": call.name, "args": cast(Json, Raw(call.arguments.encode()))}
        if speaker.model.seals:
            made["id"] = call.digest[:12]
        parts.append({"functionCall": made})
    if speaker.thoughts:
        parts[0]["thoughtSignature"] = seal(said.calls[0].digest)
    return parts


def _pictured(speaker: Speaker, said: Said, index: int) -> Candidate:
    config = speaker.request.generation_config
    width, height = RATIOS[(config.image_config.aspect_ratio if config.image_config else None) or "1:1"]
    drawn = picture.png(f"{speaker.heard.quote}\n{speaker.heard.digest}/{index}", width, height)
    image: JsonObject = {"inlineData": {"mimeType": "image/png", "data": data_of(drawn)}}
    words: tuple[JsonObject, ...] = ({"text": said.text},)
    return Candidate(index, (*(words if config.response_modalities != ["IMAGE"] else ()), image))


def _spoken(speaker: Speaker) -> JsonObject:
    config = speaker.request.generation_config.speech_config
    voice = next(config.voices(), "kore") if config else "kore"
    sound = picture.speech(speaker.heard.quote, voice)
    return {"inlineData": {"mimeType": PCM, "data": data_of(sound)}}


def _ended(made: Candidate, script: Script) -> Candidate:
    """The candidate broken off by a filter, if the script says so."""
    for name, finish in (("filter", "SAFETY"), ("recitation", "RECITATION")):
        if name in script:
            kept = tuple(_halved(part) for part in made.parts if "text" in part)
            beside: JsonObject = {"safetyRatings": builtin.ratings("HIGH")}
            if name == "recitation":
                beside = {
                    "citationMetadata": {"citationSources": [{"startIndex": 0, "endIndex": 8, "uri": builtin.PAGE}]}
                }
            return Candidate(made.index, kept, finish, beside)
    return made


def _halved(part: JsonObject) -> JsonObject:
    text = part["text"]
    return {**part, "text": text[: len(text) // 2]} if isinstance(text, str) else part


def _budget(speaker: Speaker) -> int | None:
    most = speaker.request.generation_config.max_output_tokens
    return None if most is None else most - speaker.thoughts


def _value(text: str) -> Json:
    return msgspec.json.decode(text)


def _part_count(part: JsonObject) -> list[tuple[str, int]]:
    """The tokens of a written part; thoughts are counted apart."""
    if part.get("thought"):
        return []
    text = part.get("text")
    if isinstance(text, str):
        return [("TEXT", text_tokens(text))]
    blob = part.get("inlineData")
    if isinstance(blob, dict):
        if blob["mimeType"] == "image/png":
            return [("IMAGE", PICTURE_TOKENS)]
        samples = len(str(blob["data"])) * 3 // 4 // 2
        return [("AUDIO", samples * SPEECH_TOKENS_PER_S // picture.RATE)]
    return [("TEXT", -(-len(msgspec.json.encode(part)) // 4))]
