"""Chat that hears and speaks, the older completions, and moderation."""

import base64
import io
import math
import wave
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import OpenAI

from tests.grammars import openai_chat
from tests.grammars.frames import frames

Chat = Callable[..., httpx.Response]
VOICE = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}


def recording(seconds: float) -> str:
    """A WAV file of silence, in base64."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8_000)
        writer.writeframes(bytes(int(16_000 * seconds)))
    return base64.b64encode(file.getvalue()).decode()


def heard(data: str, form: str = "wav") -> dict[str, Any]:
    part = {"type": "input_audio", "input_audio": {"data": data, "format": form}}
    return {"model": "gpt-4o-audio-preview", "messages": [{"role": "user", "content": [part]}]}


def test_an_answer_is_spoken_in_a_file_that_plays(chat: Chat, marker: str) -> None:
    body = chat(model="gpt-4o-audio-preview", **VOICE).json()
    message = body["choices"][0]["message"]
    assert message["content"] is None
    assert message["audio"]["transcript"].startswith(f"You said: {marker}")
    with wave.open(io.BytesIO(base64.b64decode(message["audio"]["data"]))) as file:
        assert (file.getframerate(), file.getnchannels()) == (24_000, 1)
        seconds = file.getnframes() / file.getframerate()
    spoken = body["usage"]["completion_tokens_details"]
    assert spoken["audio_tokens"] == math.ceil(seconds * 20)
    assert spoken["text_tokens"] == -(-len(message["audio"]["transcript"].encode()) // 4)
    assert body["usage"]["completion_tokens"] == spoken["audio_tokens"] + spoken["text_tokens"]


def test_audio_that_comes_in_is_counted_by_its_length(chat: Chat, recorded: Callable[..., Any], marker: str) -> None:
    asked = heard(recording(3.0))
    asked["messages"].append({"role": "user", "content": marker})
    usage = chat(**asked).json()["usage"]
    assert usage["prompt_tokens_details"]["audio_tokens"] == 30
    assert recorded(marker)[0]["usage"]["prompt_audio_tokens"] == 30


@pytest.mark.parametrize(
    ("data", "form"),
    [
        ("AAAA", "wav"),
        (recording(0.1), "mp3"),
        ("no base64", "wav"),
        (base64.b64encode(b"RIFF\x10\0\0\0WAVE").decode(), "wav"),
    ],
)
def test_audio_that_is_not_what_it_says_is_refused(chat: Chat, data: str, form: str) -> None:
    answer = chat(**heard(data, form))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith(f"is not of valid {form} format.")


def test_an_mp3_that_was_spoken_is_heard_again(chat: Chat) -> None:
    voice = {"modalities": ["text", "audio"], "audio": {"voice": "sage", "format": "mp3"}}
    made = chat(model="gpt-4o-mini-audio-preview", **voice).json()
    usage = chat(**heard(made["choices"][0]["message"]["audio"]["data"], "mp3")).json()["usage"]
    spoken = made["usage"]["completion_tokens_details"]["audio_tokens"]
    assert abs(usage["prompt_tokens_details"]["audio_tokens"] - spoken / 2) <= 1


def test_a_stream_carries_words_then_sound(chat: Chat) -> None:
    voice = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}}
    found = frames(chat(model="gpt-4o-audio-preview", stream=True, **voice).content)
    assert list(openai_chat.faults(found)) == []
    parts = [audio for frame in found[:-1] if (audio := frame.json()["choices"][0]["delta"].get("audio"))]
    assert "".join(part.get("transcript", "") for part in parts).startswith("You said: ")
    sound = b"".join(base64.b64decode(part.get("data", "")) for part in parts)
    assert len(sound) > 24_000
    assert parts[-1]["expires_at"] > 0
    assert len({part["id"] for part in parts}) == 1


def test_a_conversation_goes_on_from_what_was_spoken(chat: Chat, marker: str) -> None:
    said = chat(model="gpt-4o-audio-preview", **VOICE).json()["choices"][0]["message"]["audio"]["id"]

    def follow(audio_id: str) -> httpx.Response:
        history = [{"role": "user", "content": "x"}, {"role": "assistant", "audio": {"id": audio_id}}]
        return chat(model="gpt-4o-audio-preview", messages=[*history, {"role": "user", "content": marker}], **VOICE)

    assert follow(said).status_code == 200
    assert follow("audio_of_another").status_code == 404


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "either input content or output modality contain audio."),
        ({"modalities": ["text", "audio"]}, "Missing required parameter: 'audio'."),
        ({**VOICE, "stream": True}, "'audio.format' does not support 'wav' when stream=true."),
        ({**VOICE, "audio": {"voice": "nobody", "format": "wav"}}, "Invalid value: 'nobody'."),
    ],
)
def test_faults_of_audio_are_refused(chat: Chat, changes: dict[str, Any], words: str) -> None:
    answer = chat(model="gpt-4o-audio-preview", **changes)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_the_official_client_hears_an_answer(sdk: OpenAI, marker: str) -> None:
    made = sdk.chat.completions.create(
        model="gpt-4o-audio-preview",
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
        messages=[{"role": "user", "content": marker}],
    )
    audio = made.choices[0].message.audio
    assert audio is not None
    assert marker in audio.transcript
