"""Events as a client's stream of chunks."""

from collections.abc import Iterator
from typing import Any, Final, assert_never

import msgspec

from yescale.domain.content import Audio, Inline, Part, Refusal, Text, Thinking, ToolCall
from yescale.domain.events import (
    Cited,
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
from yescale.protocols.openai_chat import markdown
from yescale.protocols.openai_chat.answers import (
    carried,
    say_citation,
    say_scores,
    say_usage,
    set_apart,
)
from yescale.protocols.openai_chat.speeches import detail, spell_call
from yescale.protocols.openai_chat.words import say_reason

Json = dict[str, Any]

_ENCODER: Final = msgspec.json.Encoder()
_DONE: Final = b"data: [DONE]\n\n"


class _Choice:
    """What was said of one choice."""

    __slots__ = ("_calls", "_details", "_last", "_legacy", "_part", "_seal", "_since", "_text", "_thought", "refused")

    def __init__(self, *, legacy: bool) -> None:
        self.refused = False
        self._legacy = legacy
        self._part: Part | None = None  # the open one
        self._calls = 0
        self._text = 0  # characters of content
        self._last = ""  # the last of them
        self._since = 0  # where the open text starts
        self._thought: list[str] = []  # of the open thought: its seal stands for all of it
        self._seal = ""
        self._details = 0

    def start(self, part: Part) -> Iterator[Json]:
        """The deltas that begin a part, with what it holds already."""
        self._part = part
        match part:
            case Text():
                yield from self._start_text(part)
            case Thinking(text=text, seal=seal):
                self._seal = seal
                if text:
                    yield self._think(text)
            case Refusal(text=text):
                self.refused = True
                if text:
                    yield {"refusal": text}
            case ToolCall():
                self._calls += 1
                yield self._begin_call(part)
            case Audio():
                yield {"audio": _sound(part)}
            case _:
                shown = markdown.show(part)
                if shown:
                    yield self._write(set_apart(shown, self._last))

    def _start_text(self, part: Text) -> Iterator[Json]:
        self._since = self._text
        if part.text:
            yield self._write(part.text)
        for citation in part.citations:
            yield from self.cite(Cited(index=0, citation=citation))

    def grow(self, event: PartDelta) -> Iterator[Json]:
        """The delta that continues the open part."""
        match self._part:
            case Text():
                yield self._write(event.data)
            case Thinking() if event.kind == "seal":
                self._seal = event.data
            case Thinking():
                yield self._think(event.data)
            case Refusal():
                yield {"refusal": event.data}
            case ToolCall() as call:
                yield from self._continue_call(call, event)
            case _:
                yield {"audio": {"data" if event.kind == "audio" else "transcript": event.data}}

    def end(self) -> Iterator[Json]:
        """The delta that ends the open part: of a sealed thought its seal, with all that it stands for."""
        part, self._part = self._part, None
        if isinstance(part, Thinking) and self._seal:
            whole = Thinking(
                text="".join(self._thought), seal=self._seal, origin=part.origin, redacted=part.redacted, id=part.id
            )
            yield {"reasoning_details": [detail(whole, carried(whole), self._details)]}
            self._details += 1
        self._thought.clear()
        self._seal = ""

    def cite(self, event: Cited) -> Iterator[Json]:
        """The delta of a citation; one without an address has no shape here."""
        if event.citation.url:
            yield {"annotations": [say_citation(event.citation, self._since, self._text)]}

    def _write(self, text: str) -> Json:
        self._text += len(text)
        self._last = text[-1:] or self._last
        return {"content": text}

    def _think(self, text: str) -> Json:
        self._thought.append(text)
        return {"reasoning_content": text}

    def _begin_call(self, call: ToolCall) -> Json:
        if self._legacy:
            return {"function_call": {"name": call.name, "arguments": call.arguments}} if self._calls == 1 else {}
        return {"tool_calls": [{"index": self._calls - 1, **spell_call(call, carried(call))}]}

    def _continue_call(self, call: ToolCall, event: PartDelta) -> Iterator[Json]:
        index = self._calls - 1
        if self._legacy:
            if event.kind == "arguments" and not index:
                yield {"function_call": {"arguments": event.data}}
        elif event.kind == "seal":
            seal = carried(ToolCall(id="", name="", arguments="", seal=event.data, origin=call.origin))
            yield {"tool_calls": [{"index": index, "extra_content": {"google": {"thought_signature": seal}}}]}
        else:
            grown = {"custom": {"input": event.data}} if call.custom else {"function": {"arguments": event.data}}
            yield {"tool_calls": [{"index": index, **grown}]}


def _sound(audio: Audio) -> Json:
    """What is known of the sound at its start."""
    sound: Json = {"id": audio.id}
    if isinstance(audio.source, Inline) and audio.source.data:
        sound["data"] = audio.source.data
    if audio.transcript:
        sound["transcript"] = audio.transcript
    if audio.expires_at:
        sound["expires_at"] = audio.expires_at
    return sound


class ChatEncoder:
    """One stream. The role comes first; the usage comes in a chunk of its own, and only if it was asked for."""

    __slots__ = ("_choices", "_head", "_legacy", "_tail", "_usage", "_wanted")

    def __init__(self, envelope: Envelope) -> None:
        self._wanted = envelope.request.usage_wanted
        self._legacy = envelope.request.legacy_functions
        self._usage: Usage | None = None
        self._choices: dict[int, _Choice] = {}
        head = {
            "id": f"chatcmpl-{envelope.id}",
            "object": "chat.completion.chunk",
            "created": envelope.created,
            "model": envelope.model,
            "system_fingerprint": None,
        }
        self._head = b"data: %b," % _ENCODER.encode(head)[:-1]
        self._tail = b',"usage":null}\n\n' if self._wanted else b"}\n\n"

    def encode(self, event: Event) -> bytes:
        """The chunks that this event adds."""
        match event:
            case MessageStart():
                return self._start(event)
            case UsageReport():
                self._usage = event.usage
                return b""
            case StreamEnd():
                return self._finish()
            case StreamError():
                return b""  # it is said in the words of `render_event`
            case _:
                return self._greet(event.choice) + self._tell(event, self._choices[event.choice])

    def _tell(self, event: PartStart | PartDelta | PartEnd | Cited | Scored | MessageEnd, choice: _Choice) -> bytes:
        match event:
            case PartStart():
                return self._say(event.choice, choice.start(event.part))
            case PartDelta():
                return self._say(event.choice, choice.grow(event))
            case PartEnd():
                return self._say(event.choice, choice.end())
            case Cited():
                return self._say(event.choice, choice.cite(event))
            case Scored():
                return self._chunk(event.choice, {}, scores=say_scores(event.scores))
            case MessageEnd():
                word = say_reason(event.reason, refused=choice.refused, legacy=self._legacy)
                return self._chunk(event.choice, {}, word)
            case _:
                assert_never(event)

    def _start(self, event: MessageStart) -> bytes:
        if event.service_tier:
            self._head += b'"service_tier":%b,' % _ENCODER.encode(event.service_tier)
        return self._greet(0)

    def _greet(self, number: int) -> bytes:
        """The first delta of each choice says who speaks."""
        if number in self._choices:
            return b""
        self._choices[number] = _Choice(legacy=self._legacy)
        return self._chunk(number, {"role": "assistant", "content": ""})

    def _say(self, number: int, deltas: Iterator[Json]) -> bytes:
        return b"".join(self._chunk(number, delta) for delta in deltas if delta)

    def _finish(self) -> bytes:
        if not self._wanted or self._usage is None:
            return _DONE
        usage = _ENCODER.encode(say_usage(self._usage))
        return b'%b"choices":[],"usage":%b}\n\n%b' % (self._head, usage, _DONE)

    def _chunk(self, number: int, delta: Json, finish: str | None = None, scores: Json | None = None) -> bytes:
        choice = {"index": number, "delta": delta, "logprobs": scores, "finish_reason": finish}
        return b'%b"choices":[%b]%b' % (self._head, _ENCODER.encode(choice), self._tail)
