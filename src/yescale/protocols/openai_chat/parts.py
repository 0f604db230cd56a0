"""Parts of messages, from the wire and to it: what requests and answers have in common."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.content import (
    Audio,
    CachePoint,
    Citation,
    File,
    Image,
    Inline,
    Opaque,
    Part,
    Refusal,
    Source,
    Stored,
    Text,
    Thinking,
    Url,
)
from yescale.protocols.openai_chat.chat_schema import (
    WireAnnotation,
    WireCache,
    WireFile,
    WirePart,
    WirePicture,
    WireSound,
    WireSpeech,
    WireThought,
)
from yescale.protocols.openai_chat.words import ID

AUDIO_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "wav": "audio/wav",
        "mp3": "audio/mpeg",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "opus": "audio/opus",
        "pcm16": "audio/pcm",
    }
)
_DATA_URL: Final = re.compile(r"data:([^;,]*);base64,")
_LONGEST_TYPE: Final = 200
PART: Final = msgspec.json.Decoder(WirePart)
CONTENT: Final = msgspec.json.Decoder(str | list[Raw] | None)
_WORDS: Final = msgspec.json.Decoder(list[WirePart])
# What a part of each kind cannot be without.
FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {"text": "text", "refusal": "refusal", "image_url": "image_url", "input_audio": "input_audio", "file": "file"}
)


def read_content(content: Raw) -> Iterator[Part]:
    """The parts of an answer's `content`: a string, parts, or null. Raises msgspec's errors."""
    found = CONTENT.decode(content)
    if isinstance(found, str):
        if found:
            yield Text(text=found)
        return
    for raw in found or ():
        part = to_part(PART.decode(raw), raw)
        if part is not None:
            yield part


def to_part(wire: WirePart, raw: Raw) -> Part | None:
    """The part; None if it lacks the very thing that its type names."""
    cache = cache_point(wire.cache_control or wire.prompt_cache_breakpoint)
    match wire:
        case WirePart(type="text", text=str() as text):
            return Text(text=text, cache=cache)
        case WirePart(type="refusal", refusal=str() as refusal):
            return Refusal(text=refusal)
        case WirePart(type="image_url", image_url=WirePicture() as picture):
            return read_picture(picture, cache)
        case WirePart(type="input_audio", input_audio=WireSpeech() as speech):
            return Audio(source=Inline(AUDIO_TYPES.get(speech.format, f"audio/{speech.format}"), speech.data))
        case WirePart(type="file", file=WireFile() as file) if file.file_id or file.file_data:
            return File(source=_file_source(file), name=file.filename or "", cache=cache)
        case WirePart(type="thinking"):
            return Thinking(text=_mistral_thought(wire.thinking), origin=ID)
        case _:
            return None if wire.type in FIELDS else Opaque(origin=ID, raw=Raw(bytes(raw)))


def _mistral_thought(raw: Raw) -> str:
    """https://docs.mistral.ai/capabilities/reasoning: a thought is a list of text parts."""
    try:
        return "".join(part.text or "" for part in _WORDS.decode(raw))
    except msgspec.MsgspecError:
        return ""


def read_picture(picture: WirePicture, cache: CachePoint | None = None) -> Image:
    """A picture by its address or its bytes. `original` is no word of other formats: it means the finest."""
    match picture.detail:
        case "auto" | "low" | "high" as detail:
            return Image(source=read_url(picture.url), detail=detail, cache=cache)
        case "original":
            return Image(source=read_url(picture.url), detail="high", cache=cache)
        case _:
            return Image(source=read_url(picture.url), cache=cache)


def read_url(url: str) -> Source:
    """An address, or what a data URL holds."""
    found = _DATA_URL.match(url, 0, _LONGEST_TYPE)
    return Inline(found[1], url[found.end() :]) if found is not None else Url(url)


def _file_source(file: WireFile) -> Source:
    if file.file_id:
        return Stored(file.file_id, ID)
    data = file.file_data or ""
    return read_url(data) if data.startswith("data:") else Inline("application/pdf", data)


def data_url(source: Inline) -> str:
    """The bytes as an address."""
    return f"data:{source.media_type};base64,{source.data}"


def cache_point(wire: WireCache | None) -> CachePoint | None:
    """OpenAI's breakpoints live 30 minutes or 12 hours: nearer to an hour than to five minutes, where they say so."""
    if wire is None:
        return None
    return CachePoint("5m" if wire.ttl in (None, "5m") else "1h")


def read_thoughts(details: list[WireThought]) -> Iterator[Thinking]:
    """What `reasoning_details` tell; the seals as they are carried."""
    for detail in details:
        name = detail.id or ""
        match detail.type:
            case "reasoning.encrypted":
                yield Thinking(seal=detail.data or "", origin=ID, redacted=True, id=name)
            case "reasoning.summary":
                yield Thinking(text=detail.summary or "", seal=detail.signature or "", origin=ID, id=name)
            case "reasoning.text":
                yield Thinking(text=detail.text or "", seal=detail.signature or "", origin=ID, id=name)
            case _:
                pass


def read_citations(annotations: list[WireAnnotation]) -> Iterator[Citation]:
    """What `annotations` tell of web pages; other kinds have no canonical form."""
    for annotation in annotations:
        cited = annotation.url_citation
        if annotation.type == "url_citation" and cited is not None:
            yield Citation(
                url=cited.url,
                title=cited.title or "",
                quote=cited.content or "",
                start=-1 if cited.start_index is None else cited.start_index,
                end=-1 if cited.end_index is None else cited.end_index,
            )


def read_sound(sound: WireSound) -> Audio:
    """What the model speaks, or spoke. The encoding is not said with it."""
    source = None if sound.data is None else Inline("", sound.data)
    return Audio(source=source, transcript=sound.transcript or "", id=sound.id or "", expires_at=sound.expires_at or 0)
