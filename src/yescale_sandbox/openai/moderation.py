"""Moderation of texts and pictures (openapi.json, `CreateModerationRequest`, `CreateModerationResponse`).

A text is flagged for each category of which it says the word; everything else gets small scores that the input decides.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from yescale_sandbox import playback
from yescale_sandbox.exchange import Answer, Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.call import Asked, Stage, good
from yescale_sandbox.openai.catalogue import MODERATION_MODELS
from yescale_sandbox.openai.picture import media_type
from yescale_sandbox.openai.prompt import IMAGE_TOKENS
from yescale_sandbox.openai.refusal import RefusedError
from yescale_sandbox.openai.shapes import Field, Fields, Items, Tagged, Text, check_fields, need, wrong_type
from yescale_sandbox.speech import text_tokens

USUAL = "omni-moderation-latest"
_DATED = {
    "omni-moderation-latest": "omni-moderation-2024-09-26",
    "text-moderation-latest": "text-moderation-007",
    "text-moderation-stable": "text-moderation-007",
}
# The word that flags each category; those of `_SEEN` are also looked for in pictures.
WORDS: Mapping[str, str] = {
    "harassment": "insult",
    "harassment/threatening": "threaten",
    "hate": "hate",
    "hate/threatening": "hate and threaten",
    "illicit": "burglary",
    "illicit/violent": "bomb",
    "self-harm": "self-harm",
    "self-harm/instructions": "how to self-harm",
    "self-harm/intent": "want to self-harm",
    "sexual": "sexual",
    "sexual/minors": "sexual minors",
    "violence": "kill",
    "violence/graphic": "blood",
}
_SEEN = frozenset(name for name in WORDS if name.startswith(("self-harm", "violence")) or name == "sexual")
_TYPE = need(Text())
PART = Tagged(
    "type",
    {
        "text": Fields({"type": _TYPE, "text": need(Text())}),
        "image_url": Fields({"type": _TYPE, "image_url": need(Fields({"url": need(Text())}))}),
    },
)


class InputShape(Struct, frozen=True):
    """A text, several texts, or parts of one thing."""

    @property
    def article(self) -> str:
        return "one of a string, array of strings, or array of objects"

    def check(self, value: Json, path: str) -> None:
        if isinstance(value, list):
            parts = bool(value) and isinstance(value[0], dict)
            Items(PART if parts else Text(), "objects" if parts else "strings", least=1).check(value, path)
        elif not isinstance(value, str):
            raise wrong_type(self, value, path)


FIELDS: Mapping[str, Field] = {"input": need(InputShape()), "model": Field(Text())}


class Judged(Struct, frozen=True):
    """One thing to judge: its texts, and how many pictures it has."""

    text: str
    pictures: int = 0


class Moderations(Struct, frozen=True):
    """Answers requests for moderation, which cost nothing: no usage is reported."""

    stage: Stage

    def __call__(self, asked: Asked) -> Answer:
        if asked.base not in MODERATION_MODELS:
            raise RefusedError(
                f"Invalid value for 'model' = {asked.base[:80]}. Please check the OpenAI documentation and try again.",
                param="model",
            )
        check_fields(FIELDS, asked.body)
        things = _things(asked.body["input"])
        if any(thing.pictures for thing in things) and not asked.base.startswith("omni"):
            raise RefusedError("This model does not support image inputs.", param="input")
        stopped = self.stage.stopped(asked, asked.digest())
        if stopped is not None:
            return stopped
        results: list[Json] = [_result(thing, asked.base) for thing in things]
        model = _DATED.get(asked.base, asked.base)
        body = msgspec.json.encode({"id": f"modr-{asked.digest()[:29]}", "model": model, "results": results})
        counted = Tokens(prompt=sum(text_tokens(thing.text) + IMAGE_TOKENS * thing.pictures for thing in things))
        return good(asked.script, playback.body_steps(body, asked.script, asked.headers), counted, None)


def _things(given: Json) -> Sequence[Judged]:
    """Texts are judged one by one, parts together."""
    if not isinstance(given, list):
        return [Judged(str(given))]
    parts = [part for part in given if isinstance(part, dict)]
    if not parts:
        return [Judged(str(text)) for text in given]
    pictures = 0
    for index, part in enumerate(parts):
        address = part.get("image_url")
        if isinstance(address, dict):
            media_type(str(address["url"]), f"input[{index}].image_url.url")
            pictures += 1
    if pictures > 1:
        raise RefusedError("Only one image per request is supported.", param="input")
    return [Judged("\n".join(str(part.get("text", "")) for part in parts), pictures)]


def _result(thing: Judged, model: str) -> JsonObject:
    omni = model.startswith("omni")
    names = [name for name in WORDS if omni or not name.startswith("illicit")]
    flags = {name: all(word in thing.text.lower() for word in WORDS[name].split(" and ")) for name in names}
    result: JsonObject = {
        "flagged": any(flags.values()),
        "categories": {**flags},
        "category_scores": {name: 0.9 if flags[name] else _small(thing.text, name) for name in names},
    }
    if omni:
        kinds = {name: [*(["text"] if thing.text else []), *_pictured(thing, name)] for name in names}
        result["category_applied_input_types"] = {name: [*kind] for name, kind in kinds.items()}
    return result


def _pictured(thing: Judged, name: str) -> list[str]:
    return ["image"] if thing.pictures and name in _SEEN else []


def _small(text: str, name: str) -> float:
    return hashlib.sha256(f"{name}\n{text}".encode()).digest()[0] / 100_000
