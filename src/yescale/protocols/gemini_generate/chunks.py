"""The stream encoder: events in, chunks of candidates out, as server-sent events or as elements of one array.

A function's call goes out whole, when its part ends. Reasons and usage go out together in the last chunk, when the
stream has ended well: a client that sees a reason has everything.
"""

from msgspec.structs import replace

from yescale.domain.chat import TokenScore
from yescale.domain.content import Audio, Inline, Part, Refusal, Text, Thinking, ToolCall
from yescale.domain.events import (
    Cited,
    DeltaKind,
    Event,
    MessageEnd,
    MessageStart,
    PartDelta,
    PartEnd,
    PartStart,
    Scored,
    StreamEnd,
    StreamError,
    UsageReport,
)
from yescale.domain.usage import Usage
from yescale.protocols.codec import Envelope
from yescale.protocols.gemini_generate.audio import Splitter
from yescale.protocols.gemini_generate.citations import write_grounding
from yescale.protocols.gemini_generate.reasons import write_reason
from yescale.protocols.gemini_generate.responses import write_part, write_scores
from yescale.protocols.gemini_generate.usage import write_usage
from yescale.protocols.gemini_generate.writing import ENCODER, Wire


class _Choice:
    """One candidate as it goes out."""

    __slots__ = ("_grown", "_open", "_parts", "_sound", "number", "reason", "scores")

    def __init__(self, number: int) -> None:
        self.number = number
        self.reason = "OTHER"
        self.scores: list[TokenScore] = []
        self._open: Part | None = None
        self._grown: dict[DeltaKind, list[str]] = {}
        self._sound = Splitter()
        self._parts: list[Part] = []  # the texts that went out, for the places of citations

    def start(self, part: Part) -> list[object]:
        """What a part says as it begins. Calls and seals wait for its end."""
        self._open = part
        self._grown = {}
        match part:
            case ToolCall():
                return []
            case Thinking():
                return _thought(part.text)
            case Audio(source=Inline(media_type, data)):
                return self._speak(media_type, data)
            case Text() | Refusal():
                return [{"text": part.text}] if part.text else []
            case _:
                return list(write_part(part))

    def grow(self, kind: DeltaKind, data: str) -> list[object]:
        """What a delta adds."""
        self._grown.setdefault(kind, []).append(data)
        match self._open, kind:
            case (Text() | Refusal(), "text"):
                return [{"text": data}] if data else []
            case (Thinking(), "text"):
                return _thought(data)
            case (Audio() as audio, "audio"):
                return self._speak(_media_type(audio), data)
            case _:
                return []

    def cite(self, event: Cited) -> None:
        """The open text rests on something."""
        if isinstance(self._open, Text):
            self._open = replace(self._open, citations=(*self._open.citations, event.citation))

    def close(self) -> list[object]:
        """What only the end of a part says."""
        part, self._open = self._open, None
        match part:
            case ToolCall():
                arguments = part.arguments + self._said("arguments")
                call = replace(part, arguments=arguments, seal=self._said("seal") or part.seal)
                return list(write_part(call))
            case Thinking():
                seal = self._said("seal") or part.seal
                return list(write_part(replace(part, text="", seal=seal))) if seal else []
            case Text():
                self._parts.append(replace(part, text=part.text + self._said("text")))
                return []
            case Audio():
                return self._close_audio(part)
            case _:
                return []

    def last(self) -> Wire:
        """The candidate of the last chunk."""
        wire: Wire = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": self.reason}
        wire["index"] = self.number
        grounding = write_grounding(self._parts)
        if grounding is not None:
            wire["groundingMetadata"] = grounding
        if self.scores:
            wire["logprobsResult"] = write_scores(self.scores)
        return wire

    def _close_audio(self, part: Audio) -> list[object]:
        """The rest of its sound; its words, where it has no sound."""
        rest = self._sound.end()
        if rest:
            return [_blob(_media_type(part), rest)]
        words = part.transcript + self._said("transcript")
        silent = "audio" not in self._grown and not isinstance(part.source, Inline)
        return [{"text": words}] if words and silent else []

    def _said(self, kind: DeltaKind) -> str:
        return "".join(self._grown.get(kind, ()))

    def _speak(self, media_type: str, letters: str) -> list[object]:
        whole = self._sound.add(letters)
        return [_blob(media_type, whole)] if whole else []


def _thought(text: str) -> list[object]:
    return [{"text": text, "thought": True}] if text else []


def _media_type(part: Audio) -> str:
    return part.source.media_type if isinstance(part.source, Inline) else ""


def _blob(media_type: str, letters: str) -> Wire:
    return {"inlineData": {"mimeType": media_type or "audio/L16", "data": letters}}


class _Encoder:
    """Chunks, in whichever form they go out."""

    __slots__ = ("_choices", "_envelope", "_usage")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None

    def chunk(self, event: Event) -> bytes:
        """The chunk that this event adds; empty, if there is none."""
        match event:
            case UsageReport():
                self._usage = event.usage
            case StreamEnd():
                return self._wrap([choice.last() for choice in self._choices.values()])
            case MessageStart() | StreamError():
                pass
            case _:
                choice = self._choices.setdefault(event.choice, _Choice(event.choice))
                parts = _hear(choice, event)
                if parts:
                    return self._wrap([{"content": {"parts": parts, "role": "model"}, "index": choice.number}])
        return b""

    def _wrap(self, candidates: list[Wire]) -> bytes:
        wire: Wire = {"candidates": candidates}
        if self._usage is not None:
            wire["usageMetadata"] = write_usage(self._usage)
        return ENCODER.encode(wire | {"modelVersion": self._envelope.model, "responseId": self._envelope.id})


def _hear(choice: _Choice, event: PartStart | PartDelta | Cited | PartEnd | Scored | MessageEnd) -> list[object]:
    match event:
        case PartStart():
            return choice.start(event.part)
        case PartDelta():
            return choice.grow(event.kind, event.data)
        case PartEnd():
            return choice.close()
        case Cited():
            choice.cite(event)
        case Scored():
            choice.scores += event.scores
        case MessageEnd():
            choice.reason = write_reason(event.reason)
    return []


class SseEncoder:
    """A stream of server-sent events."""

    __slots__ = ("_chunks",)

    def __init__(self, envelope: Envelope) -> None:
        self._chunks = _Encoder(envelope)

    def encode(self, event: Event) -> bytes:
        """What this event adds."""
        chunk = self._chunks.chunk(event)
        return b"data: %b\r\n\r\n" % chunk if chunk else b""


class ArrayEncoder:
    """A stream as one JSON array."""

    __slots__ = ("_begun", "_chunks")

    def __init__(self, envelope: Envelope) -> None:
        self._chunks = _Encoder(envelope)
        self._begun = False

    def encode(self, event: Event) -> bytes:
        """What this event adds; the end closes the array."""
        chunk = self._chunks.chunk(event)
        if not chunk:
            return b""
        before = b",\r\n" if self._begun else b"["
        self._begun = True
        return before + chunk + (b"]" if isinstance(event, StreamEnd) else b"")
