"""Whole answers, and what their lines share with them."""

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from yescale.domain.chat import ChatResponse, Choice, StopReason, TokenScore
from yescale.domain.content import Part, Text, Thinking, ToolCall
from yescale.domain.usage import Meter, Usage
from yescale.protocols.codec import Garbled
from yescale.protocols.ollama_chat.schema import NOTHING, WireAnswer, WireCall, WireMessage
from yescale.protocols.ollama_chat.words import STOP_REASONS
from yescale.protocols.reading import BROKEN, expect_text

_ANSWER: Final = msgspec.json.Decoder(WireAnswer)


def read_answer(body: bytes) -> WireAnswer:
    """An answer or a line. Raises Garbled."""
    try:
        return _ANSWER.decode(expect_text(body))
    except BROKEN as error:
        raise Garbled(f"no answer of Ollama's: {error}") from error


def decode_response(body: bytes) -> ChatResponse:
    """A whole answer. Raises Garbled."""
    wire = read_answer(body)
    if wire.message is None or not wire.done:
        raise Garbled("the answer holds no whole message")
    calls = tuple(read_calls(wire, 0))
    choice = Choice(
        parts=(*_read_words(wire.message), *calls),
        reason=read_reason(wire, called=bool(calls)),
        raw_reason=wire.done_reason or "",
        scores=read_scores(wire),
    )
    return ChatResponse(id="", model=wire.model, choices=(choice,), usage=meters(wire))


def _read_words(message: WireMessage) -> Iterator[Part]:
    if message.thinking:
        yield Thinking(text=message.thinking)
    if message.content:
        yield Text(text=message.content)


def read_calls(wire: WireAnswer, before: int) -> Iterator[ToolCall]:
    """The calls of an answer or a line; `before`: how many came with earlier lines. Raises Garbled."""
    for number, call in enumerate((wire.message.tool_calls if wire.message is not None else None) or (), before):
        raw = bytes(call.function.arguments)
        arguments = "{}" if raw == bytes(NOTHING) else raw.decode()
        yield ToolCall(id=call.id or _name(wire, call, number), name=call.function.name, arguments=arguments)


def _name(wire: WireAnswer, call: WireCall, number: int) -> str:
    """An id for a call that has none: the same for the same call, and another for each."""
    said = f"{wire.created_at}/{number}/{call.function.name}/".encode() + bytes(call.function.arguments)
    return f"call_{hashlib.sha256(said).hexdigest()[:24]}"


def read_reason(wire: WireAnswer, *, called: bool) -> StopReason:
    """Why it ended; calls are an end like any other here."""
    reason = STOP_REASONS.get(wire.done_reason or "", StopReason.OTHER)
    return StopReason.TOOL_CALLS if called and reason is not StopReason.LENGTH else reason


def read_scores(wire: WireAnswer) -> tuple[TokenScore, ...]:
    """Log probabilities of tokens."""
    return tuple(
        TokenScore(one.token, one.logprob, tuple((top.token, top.logprob) for top in one.top_logprobs or ()))
        for one in wire.logprobs or ()
    )


def meters(wire: WireAnswer) -> Usage | None:
    """Usage as disjoint meters. A count of zero is left out by Ollama, but a prompt has more: without it nothing is
    reported.
    """
    prompt, output = wire.prompt_eval_count, wire.eval_count or 0
    if prompt is None or min(prompt, output) < 0:
        return None
    return {Meter.INPUT_TOKENS: prompt, Meter.OUTPUT_TOKENS: output}
