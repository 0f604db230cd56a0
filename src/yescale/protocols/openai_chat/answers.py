"""Whole answers: an upstream's in canonical form, and a canonical one for a client."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from yescale.domain.chat import ChatResponse, Choice, TokenScore
from yescale.domain.content import Audio, Citation, Inline, Part, Refusal, Text, Thinking, ToolCall
from yescale.domain.seals import wrap_seal
from yescale.domain.usage import INPUT_METERS, OUTPUT_METERS, Meter, Usage
from yescale.protocols.codec import Envelope, Garbled
from yescale.protocols.openai_chat import markdown, parts
from yescale.protocols.openai_chat.chat_schema import WireOutcome, WireReply, WireScores, WireTurn
from yescale.protocols.openai_chat.responses import meters
from yescale.protocols.openai_chat.speeches import detail, spell_call
from yescale.protocols.openai_chat.turns import thoughts_of, to_call
from yescale.protocols.openai_chat.words import ID, read_reason, say_reason
from yescale.protocols.reading import expect_text

Json = dict[str, Any]

_REPLY: Final = msgspec.json.Decoder(WireReply)
_ENCODER: Final = msgspec.json.Encoder()
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def read_reply(body: bytes) -> WireReply:
    """An answer or a chunk. Raises Garbled."""
    try:
        return _REPLY.decode(expect_text(body))
    except _BROKEN as error:
        raise Garbled(f"no chat completion: {error}") from error


def decode_response(body: bytes) -> ChatResponse:
    """The whole answer. Raises Garbled."""
    wire = read_reply(body)
    if wire.outcomes is None:
        raise Garbled("no chat completion: it has no choices")
    try:
        choices = tuple(_choice(outcome, wire.id or "") for outcome in wire.outcomes)
    except _BROKEN as error:
        raise Garbled(f"no chat completion: {error}") from error
    return ChatResponse(
        id=wire.id or "",
        model=wire.model or "",
        created=whole_seconds(wire),
        service_tier=wire.service_tier or "",
        choices=choices,
        usage=meters(wire.usage),
    )


def whole_seconds(wire: WireReply) -> int:
    """When it was made; some servers say fractions."""
    return int(wire.created or 0)


def call_id(message_id: str, choice: int, number: int) -> str:
    """An id for a call that came without one: no other of this message or another has it."""
    return f"call_{message_id}_{choice}_{number}"


def _choice(wire: WireOutcome, message_id: str) -> Choice:
    turn = wire.message or WireTurn()
    spoken = tuple(_parts(turn, wire, message_id))
    calls = any(isinstance(part, ToolCall) for part in spoken)
    refused = any(isinstance(part, Refusal) for part in spoken)
    word = wire.finish_reason or ""
    return Choice(
        parts=spoken,
        reason=read_reason(word, calls=calls, refused=refused),
        raw_reason=word,
        scores=tuple(read_scores(wire.logprobs)),
    )


def _parts(turn: WireTurn, wire: WireOutcome, message_id: str) -> Iterator[Part]:
    """What a message holds, in the order in which it arose."""
    yield from thoughts_of(turn, unwrap=False)
    if wire.text:
        yield Text(text=wire.text)
    citations = tuple(parts.read_citations(turn.annotations or []))
    for part in parts.read_content(turn.content):
        if isinstance(part, Text) and citations:
            yield Text(text=part.text, citations=citations)
            citations = ()
        else:
            yield part
    if turn.refusal:
        yield Refusal(text=turn.refusal)
    yield from (parts.read_picture(image.image_url) for image in turn.images or () if image.image_url is not None)
    if turn.audio is not None:
        yield parts.read_sound(turn.audio)
    for number, call in enumerate(turn.tool_calls or ()):
        yield to_call(call, call.id or call_id(message_id, wire.index, number))
    if turn.function_call is not None:
        called = turn.function_call
        yield ToolCall(id=call_id(message_id, wire.index, 0), name=called.name or "", arguments=called.arguments or "")


def read_scores(wire: WireScores | None) -> Iterator[TokenScore]:
    """Log probabilities of the text's tokens, then of the refusal's."""
    if wire is None:
        return
    for score in (*(wire.content or ()), *(wire.refusal or ())):
        top = tuple((other.token, other.logprob) for other in score.top_logprobs or ())
        yield TokenScore(score.token, score.logprob, top)


def encode_response(response: ChatResponse, envelope: Envelope) -> bytes:
    """The whole answer for a client."""
    legacy = envelope.request.legacy_functions
    answer: Json = {
        "id": f"chatcmpl-{envelope.id}",
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "system_fingerprint": None,
        "choices": [_say_choice(choice, index, legacy=legacy) for index, choice in enumerate(response.choices)],
    }
    if response.service_tier:
        answer["service_tier"] = response.service_tier
    if response.usage is not None:
        answer["usage"] = say_usage(response.usage)
    return _ENCODER.encode(answer)


def _say_choice(choice: Choice, index: int, *, legacy: bool) -> Json:
    refused = any(isinstance(part, Refusal) for part in choice.parts)
    return {
        "index": index,
        "message": _say_message(choice.parts, legacy=legacy),
        "logprobs": say_scores(choice.scores) if choice.scores else None,
        "finish_reason": say_reason(choice.reason, refused=refused, legacy=legacy),
    }


def _say_message(spoken: tuple[Part, ...], *, legacy: bool) -> Json:
    text, annotations = _content(spoken)
    calls = [part for part in spoken if isinstance(part, ToolCall)]
    refusals = [part.text for part in spoken if isinstance(part, Refusal)]
    sound = next((part for part in spoken if isinstance(part, Audio)), None)
    silent = not text and (calls or refusals or sound is not None)
    message: Json = {
        "role": "assistant",
        "content": None if silent else text,
        "refusal": "".join(refusals) if refusals else None,
    }
    message |= _say_thoughts([part for part in spoken if isinstance(part, Thinking)])
    if annotations:
        message["annotations"] = annotations
    if sound is not None:
        message["audio"] = say_sound(sound)
    if calls and legacy:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
    elif calls:
        message["tool_calls"] = [spell_call(call, carried(call)) for call in calls]
    return message


def _content(spoken: tuple[Part, ...]) -> tuple[str, list[Json]]:
    """What is read as text, pictures and programs included, and what it rests on."""
    text = ""
    annotations: list[Json] = []
    for part in spoken:
        if isinstance(part, Text):
            start = len(text)
            text += part.text
            annotations += (say_citation(cited, start, len(text)) for cited in part.citations if cited.url)
        else:
            shown = markdown.show(part)
            text += set_apart(shown, text) if shown else ""
    return text, annotations


def set_apart(shown: str, before: str) -> str:
    """A block of Markdown, on lines of its own."""
    return shown if not before or before.endswith("\n") else f"\n\n{shown}"


def carried(part: Thinking | ToolCall) -> str:
    """The seal as a client carries it: of another format in an envelope."""
    if not part.seal or part.origin in (None, ID):
        return part.seal
    return wrap_seal(part.seal, part.origin)


def _say_thoughts(thoughts: list[Thinking]) -> Json:
    said: Json = {}
    text = "".join(thought.text for thought in thoughts)
    if text:
        said["reasoning_content"] = text
    if any(thought.seal for thought in thoughts):
        said["reasoning_details"] = [detail(thought, carried(thought), n) for n, thought in enumerate(thoughts)]
    return said


def say_citation(citation: Citation, start: int, end: int) -> Json:
    """An annotation. Places count from the start of the content; where none was said, the text so far is meant."""
    cited = {
        "url": citation.url,
        "title": citation.title,
        "start_index": start + citation.start if citation.start >= 0 else start,
        "end_index": start + citation.end if citation.end >= 0 else end,
    }
    return {"type": "url_citation", "url_citation": cited}


def say_sound(sound: Audio) -> Json:
    """`audio` of a message."""
    return {
        "id": sound.id,
        "data": sound.source.data if isinstance(sound.source, Inline) else "",
        "expires_at": sound.expires_at,
        "transcript": sound.transcript,
    }


def say_scores(scores: tuple[TokenScore, ...]) -> Json:
    """`logprobs`."""
    content = [
        {**_say_score(score.token, score.logprob), "top_logprobs": [_say_score(*other) for other in score.top]}
        for score in scores
    ]
    return {"content": content, "refusal": None}


def _say_score(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": [*token.encode()]}


def say_usage(usage: Usage) -> Json:
    """`usage`: OpenAI's counts include what ours keep apart."""
    written = usage.get(Meter.CACHE_WRITE_TOKENS, 0) + usage.get(Meter.CACHE_WRITE_1H_TOKENS, 0)
    prompt = sum(count for meter, count in usage.items() if meter in INPUT_METERS)
    completion = sum(count for meter, count in usage.items() if meter in OUTPUT_METERS)
    inputs = {
        "cached_tokens": usage.get(Meter.CACHE_READ_TOKENS, 0),
        "audio_tokens": usage.get(Meter.AUDIO_INPUT_TOKENS, 0),
    }
    outputs = {
        "reasoning_tokens": usage.get(Meter.REASONING_TOKENS, 0),
        "audio_tokens": usage.get(Meter.AUDIO_OUTPUT_TOKENS, 0),
    }
    rare_inputs = {"cache_write_tokens": written, "image_tokens": usage.get(Meter.IMAGE_INPUT_TOKENS, 0)}
    rare_outputs = {"image_tokens": usage.get(Meter.IMAGE_OUTPUT_TOKENS, 0)}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": inputs | {name: count for name, count in rare_inputs.items() if count},
        "completion_tokens_details": outputs | {name: count for name, count in rare_outputs.items() if count},
    }
