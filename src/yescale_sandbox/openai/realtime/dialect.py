"""The two forms of Realtime: names of events and parts, and the session as each writes it."""

import msgspec
from msgspec import Struct

from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.openai.reply import CREATED

_TURNS: JsonObject = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": True,
}
_PCM: JsonObject = {"type": "audio/pcm", "rate": 24_000}
_INSTRUCTIONS = "Your knowledge cutoff is 2023-10. You are a sandbox."
EXPIRES_AFTER_S = 3_600


class Dialect(Struct, frozen=True):
    """One form."""

    beta: bool
    text: str
    audio: str
    transcript: str
    modalities: str  # the field of a session or a response that says how to answer
    limit: str  # the field that bounds an answer


GENERAL = Dialect(
    *(False, "output_text", "output_audio", "output_audio_transcript", "output_modalities", "max_output_tokens")
)
BETA = Dialect(*(True, "text", "audio", "audio_transcript", "modalities", "max_response_output_tokens"))


def new_session(dialect: Dialect, model: str, session_id: str) -> JsonObject:
    """The session as it begins."""
    both: JsonObject = {
        "id": session_id,
        "object": "realtime.session",
        "model": model,
        "expires_at": CREATED + EXPIRES_AFTER_S,
        "instructions": _INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        dialect.limit: "inf",
        "tracing": None,
    }
    if dialect.beta:
        return {
            **both,
            "modalities": ["audio", "text"],
            "voice": "alloy",
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_transcription": None,
            "input_audio_noise_reduction": None,
            "turn_detection": _TURNS,
            "temperature": 0.8,
            "speed": 1.0,
        }
    audio_in: JsonObject = {
        "format": _PCM,
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": {**_TURNS, "idle_timeout_ms": None},
    }
    audio_out: JsonObject = {"format": _PCM, "voice": "marin", "speed": 1.0}
    return {
        **both,
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {"input": audio_in, "output": audio_out},
        "truncation": "auto",
        "prompt": None,
        "include": None,
    }


def merged(held: Json, change: Json) -> Json:
    """The session with a change: objects field by field, everything else replaced."""
    if not isinstance(held, dict) or not isinstance(change, dict):
        return change
    return held | {name: merged(held.get(name), value) for name, value in change.items()}


def encoded(event: JsonObject) -> bytes:
    return msgspec.json.encode(event)
