"""Audio of chat: what comes in must be what it says; what goes out is a tone as long as its words take.

A second of audio costs 10 tokens on the way in and 20 on the way out
(https://platform.openai.com/docs/guides/realtime-costs). Formats that would need an encoder are not made.
"""

import base64
import binascii
import hashlib
import hmac
import io
import math
import struct
import wave

from msgspec import Struct

from yescale_sandbox.openai.refusal import RefusedError

RATE = 24_000
HEARD_PER_S, SPOKEN_PER_S = 10, 20
CHAR_MS, MOST_MS = 20, 4_000
FORMATS = ("wav", "mp3", "pcm16")
_SECRET = b"known to the sandbox alone"
_MARK_CHARS = 8
_EXPIRES_AFTER_S = 3_600
# MPEG 2 layer III, 32 kbit/s, 24 kHz, mono: a frame of zeros is silence of 576 samples.
_MP3_HEAD = b"\xff\xf3\x44\xc4"
_MP3_FRAME = _MP3_HEAD + bytes(96 - len(_MP3_HEAD))
_MP3_SAMPLES = 576
# kbit/s by index for layer III, of MPEG 1 and of MPEG 2 (ISO/IEC 11172-3, 13818-3); rates by version.
_BITRATES = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_RATES = {0: (11_025, 12_000, 8_000), 2: (22_050, 24_000, 16_000), 3: (44_100, 48_000, 32_000)}


class Sound(Struct, frozen=True):
    """Audio that says a text."""

    id: str
    pcm: bytes
    transcript: str
    expires_at: int

    def tokens(self) -> int:
        return math.ceil(len(self.pcm) / 2 / RATE * SPOKEN_PER_S)


def spoken(text: str, seed: str, created: int) -> Sound:
    """The text as a tone, whose pitch and id the seed decides."""
    digest = hashlib.sha256(seed.encode()).hexdigest()[:24]
    samples = RATE * min(len(text) * CHAR_MS, MOST_MS) // 1_000
    period = RATE // (220 + int(digest[:2], 16))
    wave_ = struct.pack(f"<{period}h", *(int(8_000 * math.sin(2 * math.pi * n / period)) for n in range(period)))
    pcm = (wave_ * (samples // period + 1))[: samples * 2]
    return Sound(f"audio_{digest}{_mark(digest)}", pcm, text, created + _EXPIRES_AFTER_S)


def is_ours(audio_id: str) -> bool:
    """Whether the sandbox gave out this id."""
    digest, mark = audio_id.removeprefix("audio_")[:-_MARK_CHARS], audio_id[-_MARK_CHARS:]
    return audio_id.startswith("audio_") and hmac.compare_digest(_mark(digest).encode(), mark.encode())


def encoded(sound: Sound, form: str) -> bytes:
    """The bytes of a file of one of the formats."""
    if form == "pcm16":
        return sound.pcm
    if form == "mp3":
        return _MP3_FRAME * math.ceil(len(sound.pcm) / 2 / _MP3_SAMPLES)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(sound.pcm)
    return file.getvalue()


def check(data: str, form: str, path: str) -> None:
    """Raises: RefusedError, if the data is no audio of that format."""
    if _seconds(data, form) is None:
        # https://github.com/openai/openai-python/issues/1819
        raise RefusedError(
            f"The data provided for 'input_audio' is not of valid {form} format.", param=path, code="invalid_value"
        )


def audio_tokens(data: str, form: str) -> int:
    return math.ceil((_seconds(data, form) or 0) * HEARD_PER_S)


def _seconds(data: str, form: str) -> float | None:
    try:
        held = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return _wav_seconds(held) if form == "wav" else _mp3_seconds(held)


def _wav_seconds(held: bytes) -> float | None:
    try:
        with wave.open(io.BytesIO(held)) as reader:
            return reader.getnframes() / reader.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        return None


def _mp3_seconds(held: bytes) -> float | None:
    """The sum of its frames, after an ID3 tag; None if there is no frame."""
    place, seconds = 0, 0.0
    if held.startswith(b"ID3") and len(held) > 10:
        place = 10 + sum((byte & 127) << shift for byte, shift in zip(held[6:10], (21, 14, 7, 0), strict=True))
    while (frame := _mp3_frame(held[place : place + 4])) is not None:
        place += frame[0]
        seconds += frame[1]
    return seconds or None


def _mp3_frame(head: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of the frame that starts so."""
    if len(head) < 4 or head[0] != 255 or head[1] & 0xE6 != 0xE2:
        return None
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return None
    hertz, samples = _RATES[version][rate], 1_152 if version == 3 else 576
    size = samples // 8 * _BITRATES[version == 3][bitrate] * 1_000 // hertz + (head[2] >> 1 & 1)
    return size, samples / hertz


def _mark(digest: str) -> str:
    return hmac.new(_SECRET, digest.encode(), hashlib.sha256).hexdigest()[:_MARK_CHARS]
