"""What the model answers in a session, and the events that say so."""

import base64
from collections.abc import Iterator, Sequence
from typing import cast

from msgspec import Struct

from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.audio import HEARD_PER_S, RATE, Sound, spoken
from yescale_sandbox.openai.completion import AUDIO_CHUNK_BYTES
from yescale_sandbox.openai.prompt import IMAGE_TOKENS, MESSAGE_TOKENS
from yescale_sandbox.openai.realtime.dialect import Dialect
from yescale_sandbox.openai.reply import CREATED
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import Called, Heard, Offered, Said, cut_text, digest_of, pieces, say, text_tokens


class Settled(Struct, frozen=True):
    """What a response goes by: the session's settings with those of the request."""

    settings: JsonObject
    items: Sequence[JsonObject]
    dialect: Dialect
    script: Script
    number: int

    @property
    def speaks(self) -> bool:
        modalities = self.settings[self.dialect.modalities]
        return isinstance(modalities, list) and "audio" in modalities


class Spoken(Struct, frozen=True):
    """The answer before it is told: items with what they say, how it ended, what it cost."""

    items: tuple[JsonObject, ...]
    sound: Sound | None
    reason: str | None
    usage: Tokens


def compose(settled: Settled) -> Spoken:
    heard = _heard(settled)
    said = say(heard, settled.script)
    prompt, audio_in = _counted(settled)
    most = settled.settings[settled.dialect.limit]
    reason = "content_filter" if "filter" in settled.script else None
    if isinstance(most, int) and said.tokens() > most:
        said, reason = Said(cut_text(said.text, most)), "max_output_tokens"
    sound = spoken(said.text, f"{heard.digest}/{settled.number}", CREATED) if settled.speaks and said.text else None
    audio_out = sound.tokens() if sound is not None else 0
    usage = Tokens(
        prompt=prompt + audio_in,
        completion=said.tokens() + audio_out,
        cached=(prompt + audio_in) * settled.script.number("cached") // 100,
        heard=audio_in,
        spoken=audio_out,
    )
    items = [_call_item(call) for call in said.calls] or [
        _message(settled, said, sound, f"{heard.digest}{settled.number}")
    ]
    return Spoken(tuple(items), sound, reason, usage)


def item_events(settled: Settled, answer: Spoken, item: JsonObject, place: JsonObject) -> Iterator[JsonObject]:
    """The events between an item's beginning and its end. `place` names the response, the item and its index."""
    if item["type"] == "function_call":
        arguments = str(item["arguments"])
        about = place | {"call_id": item["call_id"]}
        for piece in pieces(arguments, settled.script, is_json=True):
            yield {"type": "response.function_call_arguments.delta", **about, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **about, "arguments": arguments, "name": item["name"]}
        return
    part = _first_part(item)
    spot = place | {"content_index": 0}
    # In these events a part has the shorter name in both forms.
    part = part | {"type": str(part["type"]).removeprefix("output_")}
    empty = {name: "" if name in ("text", "transcript") else value for name, value in part.items()}
    yield {"type": "response.content_part.added", **spot, "part": empty}
    if answer.sound is None:
        yield from _text_events(settled, str(part["text"]), spot)
    else:
        yield from _audio_events(settled, answer.sound, spot)
    yield {"type": "response.content_part.done", **spot, "part": part}


def usage_object(usage: Tokens) -> JsonObject:
    """openapi.json, `RealtimeResponse.usage`."""
    cached: JsonObject = {"text_tokens": usage.cached, "audio_tokens": 0, "image_tokens": 0}
    heard: JsonObject = {
        "text_tokens": usage.prompt - usage.heard,
        "audio_tokens": usage.heard,
        "image_tokens": 0,
        "cached_tokens": usage.cached,
        "cached_tokens_details": cached,
    }
    said: JsonObject = {"text_tokens": usage.completion - usage.spoken, "audio_tokens": usage.spoken}
    return {
        "total_tokens": usage.prompt + usage.completion,
        "input_tokens": usage.prompt,
        "output_tokens": usage.completion,
        "input_token_details": heard,
        "output_token_details": said,
    }


def _text_events(settled: Settled, text: str, spot: JsonObject) -> Iterator[JsonObject]:
    for piece in pieces(text, settled.script):
        yield {"type": f"response.{settled.dialect.text}.delta", **spot, "delta": piece}
    yield {"type": f"response.{settled.dialect.text}.done", **spot, "text": text}


def _audio_events(settled: Settled, sound: Sound, spot: JsonObject) -> Iterator[JsonObject]:
    names = settled.dialect
    for piece in pieces(sound.transcript, settled.script):
        yield {"type": f"response.{names.transcript}.delta", **spot, "delta": piece}
    for start in range(0, len(sound.pcm), AUDIO_CHUNK_BYTES):
        data = base64.b64encode(sound.pcm[start : start + AUDIO_CHUNK_BYTES]).decode()
        yield {"type": f"response.{names.audio}.delta", **spot, "delta": data}
    yield {"type": f"response.{names.audio}.done", **spot}
    yield {"type": f"response.{names.transcript}.done", **spot, "transcript": sound.transcript}


def _heard(settled: Settled) -> Heard:
    users = [item for item in settled.items if item.get("role") == "user"]
    choice = settled.settings["tool_choice"]
    tools = settled.settings["tools"]
    return Heard(
        quote=_text(users[-1]) if users else str(settled.settings["instructions"]),
        digest=digest_of([settled.settings["instructions"], [*settled.items]]),
        tool_answers=tuple(_tool_answers(settled.items)),
        tools=tuple(_offered(tools if isinstance(tools, list) else [], choice)),
        demanded=choice == "required" or isinstance(choice, dict),
    )


def _offered(tools: Sequence[Json], choice: Json) -> Iterator[Offered]:
    for tool in tools if choice != "none" else ():
        if isinstance(tool, dict) and (not isinstance(choice, dict) or choice.get("name") == tool["name"]):
            parameters = tool.get("parameters")
            shape: JsonObject = parameters if isinstance(parameters, dict) else {"type": "object", "properties": {}}
            yield Offered(str(tool["name"]), shape)


def _tool_answers(items: Sequence[JsonObject]) -> list[tuple[str, str]]:
    names = {str(item["call_id"]): str(item["name"]) for item in items if item["type"] == "function_call"}
    answers: list[tuple[str, str]] = []
    for item in reversed(items):
        if item["type"] != "function_call_output":
            break
        answers.insert(0, (names.get(str(item["call_id"]), ""), str(item["output"])))
    return answers


def parts(item: JsonObject) -> list[JsonObject]:
    content = item.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _first_part(item: JsonObject) -> JsonObject:
    return parts(item)[0]


def _text(item: JsonObject) -> str:
    """What an item says; of audio without a transcript, how long it is."""
    texts = [str(part.get("text") or part.get("transcript") or _described(part)) for part in parts(item)]
    return "\n".join(text for text in texts if text)


def _described(part: JsonObject) -> str:
    if part["type"] != "input_audio":
        return ""
    return f"{_audio_bytes(part) / 2 / RATE:.1f} seconds of audio"


def _audio_bytes(part: JsonObject) -> int:
    return len(str(part.get("audio") or "")) * 3 // 4


def _counted(settled: Settled) -> tuple[int, int]:
    """Tokens of the whole conversation: of its texts, and of its audio."""
    texts = text_tokens(str(settled.settings["instructions"]))
    audio = 0
    for item in settled.items:
        texts += MESSAGE_TOKENS + sum(
            text_tokens(str(item.get(name) or "")) for name in ("name", "arguments", "output")
        )
        for part in parts(item):
            texts += text_tokens(str(part.get("text") or ""))
            texts += IMAGE_TOKENS if part["type"] == "input_image" else 0
            audio += -(-_audio_bytes(part) * HEARD_PER_S // (2 * RATE))
    return texts, audio


def _call_item(call: Called) -> JsonObject:
    return {
        "id": f"item_{call.digest[24:45]}",
        "object": "realtime.item",
        "type": "function_call",
        "status": "completed",
        "name": call.name,
        "call_id": f"call_{call.digest[:16]}",
        "arguments": call.arguments,
    }


def _message(settled: Settled, said: Said, sound: Sound | None, seed: str) -> JsonObject:
    names = settled.dialect
    part: JsonObject = {"type": names.text, "text": said.text}
    if sound is not None:
        part = {"type": names.audio, "transcript": said.text}
    return {
        "id": f"item_{digest_of(seed)}",
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": cast(Json, [part]),
    }
