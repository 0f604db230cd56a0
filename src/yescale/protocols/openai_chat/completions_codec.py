"""Legacy completions seen as a chat of one message, for models that only chat.

One prompt of text is the user's message. Several prompts would be as many calls, and tokens are of one vocabulary: both
are refused. `echo`, `suffix` and `best_of` are extras that no chat takes; thoughts and tool calls are not shown.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.chat import ChatRequest, ChatResponse, Choice, Message, Sampling, StopReason, TokenScore
from yescale.domain.content import Part, Refusal, Text
from yescale.domain.events import Event, MessageEnd, PartDelta, PartStart, Scored, StreamEnd, UsageReport
from yescale.domain.faults import Fault
from yescale.domain.ids import ProtocolId
from yescale.domain.loss import Loss, weigh_extra
from yescale.domain.profile import Profile
from yescale.domain.usage import Usage
from yescale.protocols.codec import NO_WORDS, Codec, Encoded, Envelope, Malformed, PathWords
from yescale.protocols.openai_chat import completions, markdown
from yescale.protocols.openai_chat.answers import decode_response, say_usage, set_apart
from yescale.protocols.openai_chat.responses import said
from yescale.protocols.openai_chat.schema import NOTHING, WireOptions
from yescale.protocols.openai_chat.stream_decoder import ChatDecoder
from yescale.protocols.openai_chat.turns import checked
from yescale.protocols.openai_chat.words import say_reason
from yescale.protocols.reading import read, read_text, wrong

ID: Final = ProtocolId("openai.completions")

Json = dict[str, Any]


class WireWhole(Struct, frozen=True, kw_only=True):
    """A request to /completions, as far as chat can do what it says."""

    model: str
    prompt: str | list[Raw]
    max_tokens: int | None = None
    stream: bool | None = None
    stream_options: WireOptions | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    logprobs: int | None = None
    logit_bias: Raw = NOTHING
    user: str | None = None


_WHOLE: Final = msgspec.json.Decoder(WireWhole)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()
_KNOWN: Final = frozenset(WireWhole.__struct_fields__)
_DONE: Final = b"data: [DONE]\n\n"
_SAMPLED: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
_UNSAID: Final = ("tool_choice", "parallel_tools", "reasoning", "output", "verbosity", "voice")


def decode_request(body: bytes, words: PathWords = NO_WORDS) -> ChatRequest:
    """The request as a chat. Raises Malformed."""
    peek = completions.peek(body, words)
    if isinstance(peek, Fault):
        raise Malformed(peek)
    wire = checked(read_text(_WHOLE, body))
    extras = {name: Raw(bytes(value)) for name, value in checked(read(_FIELDS, body)).items() if _is_extra(name, value)}
    sampling = Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        seed=wire.seed,
        presence_penalty=wire.presence_penalty,
        frequency_penalty=wire.frequency_penalty,
        logit_bias=Raw(bytes(wire.logit_bias)) if said(wire.logit_bias) else None,
        logprobs=None if wire.logprobs is None else True,
        top_logprobs=wire.logprobs,
    )
    return ChatRequest(
        model=wire.model,
        messages=(Message(role="user", parts=(Text(text=_prompt(wire.prompt)),)),),
        max_tokens=wire.max_tokens,
        stop=(wire.stop,) if isinstance(wire.stop, str) else tuple(wire.stop or ()),
        n=wire.n,
        sampling=sampling,
        stream=wire.stream is True,
        usage_wanted=peek.wants_usage,
        user=wire.user or "",
        extras=MappingProxyType({ID: MappingProxyType(extras)} if extras else {}),
    )


def _is_extra(name: str, value: Raw) -> bool:
    return name not in _KNOWN and said(value)


def _prompt(prompt: str | list[Raw]) -> str:
    if isinstance(prompt, str):
        return prompt
    if len(prompt) > 1 or bytes(prompt[0])[:1] != b'"':
        raise Malformed(wrong("prompt", "'prompt' must be one text for this model: send one request per prompt."))
    return checked(read(_TEXT, bytes(prompt[0]), "prompt[0]"))


def encode_request(request: ChatRequest, _: Profile) -> Encoded:
    """The prompt of a chat that is nothing but one text of the user, and what any other chat loses."""
    losses: dict[str, Loss] = {}
    body: Json = {"model": request.model, "prompt": _spell_prompt(request, losses)}
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.n is not None:
        body["n"] = request.n
    if request.stop:
        body["stop"] = request.stop[0] if len(request.stop) == 1 else request.stop
    body |= {name: value for name in _SAMPLED if (value := getattr(request.sampling, name)) is not None}
    if request.sampling.logit_bias is not None:
        body["logit_bias"] = request.sampling.logit_bias
    if request.sampling.logprobs:
        body["logprobs"] = request.sampling.top_logprobs or 0
    if request.user:
        body["user"] = request.user
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    body |= _spell_rest(request, losses)
    return Encoded(_ENCODER.encode(body), tuple(losses.values()))


def _spell_prompt(request: ChatRequest, losses: dict[str, Loss]) -> str:
    texts: list[str] = []
    for message in request.messages:
        if message.name:
            losses["message.name"] = Loss("message.name", "a prompt has no speakers", "hint")
        for part in message.parts:
            if isinstance(part, Text):
                texts.append(part.text)
                if part.cache is not None:
                    losses["part.cache"] = Loss("part.cache", "the format has no cache marks", "hint")
                if part.citations:
                    losses["text.citations"] = Loss("text.citations", "a prompt has no citations", "hint")
            else:
                what = f"part.{type(part).__name__.lower()}"
                losses[what] = Loss(what, "a prompt is nothing but text", "content")
    if request.system or len(request.messages) != 1 or request.messages[0].role != "user":
        losses["messages"] = Loss("messages", "a prompt is one text, not a conversation", "content")
    return "".join((*(text.text for text in request.system), *texts))


def _spell_rest(request: ChatRequest, losses: dict[str, Loss]) -> Json:
    """Extras of this format; everything else that was said is lost."""
    lost = [name for name in _UNSAID if getattr(request, name) is not None]
    lost += [name for name in ("tools", "modalities", "cache_key", "service_tier") if getattr(request, name)]
    if request.sampling.top_k is not None:
        lost.append("sampling.top_k")
    fields: Json = {}
    for origin, extras in request.extras.items():
        for name, value in extras.items():
            if origin == ID:
                fields[name] = value
            else:
                lost.append(f"extras.{name}")
    losses |= {what: _lose(what) for what in lost}
    return fields


def _lose(what: str) -> Loss:
    weight = weigh_extra(what.removeprefix("extras.")) if what.startswith("extras.") else "setting"
    return Loss(what, "completions have no such setting", weight)


def encode_response(response: ChatResponse, envelope: Envelope) -> bytes:
    """The whole answer for a client."""
    answer: Json = {
        **_head(envelope),
        "choices": [_say_choice(choice, index) for index, choice in enumerate(response.choices)],
    }
    if response.usage is not None:
        answer["usage"] = say_usage(response.usage)
    return _ENCODER.encode(answer)


def _head(envelope: Envelope) -> Json:
    return {
        "id": f"cmpl-{envelope.id}",
        "object": "text_completion",
        "created": envelope.created,
        "model": envelope.model,
    }


def _say_choice(choice: Choice, index: int) -> Json:
    text = ""
    for part in choice.parts:
        text += _shown(part, text)
    scores = _say_scores(choice.scores, 0) if choice.scores else None
    return {"text": text, "index": index, "logprobs": scores, "finish_reason": _word(choice.reason)}


def _shown(part: Part, before: str) -> str:
    """A part as text; empty where it is none."""
    if isinstance(part, Text | Refusal):
        return part.text
    shown = markdown.show(part)
    return set_apart(shown, before) if shown else ""


def _word(reason: StopReason) -> str:
    return "stop" if reason is StopReason.TOOL_CALLS else say_reason(reason)


def _say_scores(scores: tuple[TokenScore, ...], offset: int) -> Json:
    """`logprobs` as completions have them: lists side by side."""
    offsets: list[int] = []
    for score in scores:
        offsets.append(offset)
        offset += len(score.token)
    return {
        "tokens": [score.token for score in scores],
        "token_logprobs": [score.logprob for score in scores],
        "top_logprobs": [dict(score.top) for score in scores],
        "text_offset": offsets,
    }


class CompletionEncoder:
    """One stream: chunks of the same shape as the whole answer."""

    __slots__ = ("_head", "_last", "_offsets", "_shows", "_usage", "_wanted")

    def __init__(self, envelope: Envelope) -> None:
        self._head: Mapping[str, Any] = _head(envelope)
        self._wanted = envelope.request.usage_wanted
        self._usage: Usage | None = None
        self._last: dict[int, str] = {}  # how the text of each choice ends
        self._offsets: dict[int, int] = {}  # characters of tokens whose scores were said
        self._shows: set[int] = set()  # choices whose open part is text

    def encode(self, event: Event) -> bytes:
        """The chunks that this event adds."""
        match event:
            case PartStart():
                return b"".join(self._start(event))
            case PartDelta(kind="text") if event.choice in self._shows:
                return self._write(event.choice, event.data)
            case Scored():
                return self._score(event)
            case MessageEnd():
                return self._chunk(event.choice, "", finish=_word(event.reason))
            case UsageReport():
                self._usage = event.usage
                return b""
            case StreamEnd():
                return self._finish()
            case _:
                return b""

    def _start(self, event: PartStart) -> Iterator[bytes]:
        if isinstance(event.part, Text | Refusal):
            self._shows.add(event.choice)
        else:
            self._shows.discard(event.choice)
        text = _shown(event.part, self._last.get(event.choice, ""))
        if text:
            yield self._write(event.choice, text)

    def _write(self, choice: int, text: str) -> bytes:
        self._last[choice] = text[-1:] or self._last.get(choice, "")
        return self._chunk(choice, text)

    def _score(self, event: Scored) -> bytes:
        offset = self._offsets.get(event.choice, 0)
        self._offsets[event.choice] = offset + sum(len(score.token) for score in event.scores)
        return self._chunk(event.choice, "", scores=_say_scores(event.scores, offset))

    def _finish(self) -> bytes:
        if not self._wanted or self._usage is None:
            return _DONE
        return self._event({"choices": [], "usage": say_usage(self._usage)}) + _DONE

    def _chunk(self, index: int, text: str, finish: str | None = None, scores: Json | None = None) -> bytes:
        choice = {"text": text, "index": index, "logprobs": scores, "finish_reason": finish}
        return self._event({"choices": [choice]})

    def _event(self, fields: Json) -> bytes:
        return b"data: %b\n\n" % _ENCODER.encode({**self._head, **fields})


CODEC: Final = Codec(
    id=ID,
    decode_request=decode_request,
    encode_request=encode_request,
    decode_response=decode_response,
    encode_response=encode_response,
    stream_decoder=ChatDecoder,
    stream_encoder=CompletionEncoder,
)
