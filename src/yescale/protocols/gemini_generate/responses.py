"""Whole answers, both ways.

No candidates means no answer. Where the prompt was blocked the answer is one choice that says so and why, filtered:
an error would hide the reason from the client, and be tried again elsewhere. Without even that it is garbled.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from yescale.domain.chat import ChatResponse, Choice, StopReason, TokenScore
from yescale.domain.content import (
    Audio,
    File,
    HostedCall,
    HostedResult,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from yescale.protocols.codec import Envelope, Garbled, Malformed
from yescale.protocols.gemini_generate.citations import read_citations, write_grounding
from yescale.protocols.gemini_generate.parts import Calls, decode_parts
from yescale.protocols.gemini_generate.reasons import read_reason, write_reason
from yescale.protocols.gemini_generate.schema import WireAnswer, WireCandidate, WireLogprobs
from yescale.protocols.gemini_generate.seals import ORIGIN, carry
from yescale.protocols.gemini_generate.searches import Searches
from yescale.protocols.gemini_generate.usage import read_report, write_usage
from yescale.protocols.gemini_generate.writing import (
    BROKEN,
    ENCODER,
    Wire,
    open_object,
    write_call,
    write_source,
    write_thought,
)
from yescale.protocols.reading import expect_text

_ANSWER: Final = msgspec.json.Decoder(WireAnswer)


def decode_answer(body: bytes) -> WireAnswer:
    """An answer or a chunk. Raises Garbled."""
    try:
        return _ANSWER.decode(expect_text(body))
    except BROKEN as error:
        raise Garbled("the answer is none of Gemini's") from error


def decode_response(body: bytes) -> ChatResponse:
    """A whole answer. Raises Garbled."""
    wire = decode_answer(body)
    choices = tuple(_decode_candidate(candidate, wire.response_id or "") for candidate in wire.candidates or ())
    blocked = read_block(wire)
    if not choices and blocked is None:
        raise Garbled("the answer has no candidates")
    report, searches = read_report(wire.usage_metadata), Searches()
    listen(searches, wire)
    return ChatResponse(
        id=wire.response_id or "",
        model=wire.model_version or "",
        choices=choices or ((blocked,) if blocked is not None else ()),
        usage=searches.beside(report.usage),
        service_tier=report.tier,
    )


def listen(searches: Searches, wire: WireAnswer) -> None:
    """Take in what an answer, or a chunk of one, searched for."""
    for candidate in wire.candidates or ():
        grounding = candidate.grounding_metadata
        searches.hear((grounding and grounding.web_search_queries) or (), wire.model_version or "")


def read_block(wire: WireAnswer) -> Choice | None:
    """The one choice of an answer whose prompt was blocked; None, if it was not."""
    reason = None if wire.prompt_feedback is None else wire.prompt_feedback.block_reason
    if reason is None:
        return None
    words = Refusal(text=f"The provider blocked the prompt: {reason}.")
    return Choice(parts=(words,), reason=StopReason.FILTERED, raw_reason=reason)


def read_scores(wire: WireLogprobs) -> tuple[TokenScore, ...]:
    """Log probabilities, each with the alternatives of its step."""
    tops = wire.top_candidates or []
    found: list[TokenScore] = []
    for number, chosen in enumerate(wire.chosen_candidates or ()):
        step = (tops[number].candidates or ()) if number < len(tops) else ()
        top = tuple((score.token, score.log_probability) for score in step)
        found.append(TokenScore(chosen.token, chosen.log_probability, top))
    return tuple(found)


def call_stem(response_id: str, choice: int) -> str:
    """What sets the calls of one choice apart from all others."""
    return f"{response_id}/{choice}"


def _decode_candidate(candidate: WireCandidate, response_id: str) -> Choice:
    raws = [] if candidate.content is None else candidate.content.parts or []
    try:
        parts = decode_parts(raws, "content.parts", Calls(call_stem(response_id, candidate.index)))
    except Malformed as error:
        raise Garbled(error.fault.message) from error
    word = candidate.finish_reason or ""
    scores = () if candidate.logprobs_result is None else read_scores(candidate.logprobs_result)
    return Choice(
        parts=_cite(parts, candidate),
        reason=read_reason(word, called=any(isinstance(part, ToolCall) for part in parts)),
        raw_reason=word,
        scores=scores,
    )


def _cite(parts: tuple[Part, ...], candidate: WireCandidate) -> tuple[Part, ...]:
    places = [n for n, part in enumerate(parts) if isinstance(part, Text)]
    cited = list(parts)
    for placed in read_citations(candidate, [part.text for part in parts if isinstance(part, Text)]):
        part = cited[places[placed.text]] if places else None
        if isinstance(part, Text):
            cited[places[placed.text]] = replace(part, citations=(*part.citations, placed.citation))
    return tuple(cited)


def encode_response(response: ChatResponse, envelope: Envelope) -> bytes:
    """A whole answer for a client."""
    candidates = [_encode_choice(choice, number) for number, choice in enumerate(response.choices)]
    wire: Wire = {"candidates": candidates}
    if response.usage is not None:
        wire["usageMetadata"] = write_usage(response.usage)
    return ENCODER.encode(wire | {"modelVersion": envelope.model, "responseId": envelope.id})


def _encode_choice(choice: Choice, index: int) -> Wire:
    written = [(part, wire) for part in choice.parts for wire in write_part(part)]
    wire: Wire = {
        "content": {"parts": [wire for _, wire in written], "role": "model"},
        "finishReason": write_reason(choice.reason),
        "index": index,
    }
    grounding = write_grounding([part for part, _ in written])
    if grounding is not None:
        wire["groundingMetadata"] = grounding
    if choice.scores:
        wire["logprobsResult"] = write_scores(choice.scores)
    return wire


def write_scores(scores: Sequence[TokenScore]) -> Wire:
    """`logprobsResult`."""
    chosen = [{"token": score.token, "logProbability": score.logprob} for score in scores]
    steps = [[{"token": token, "logProbability": value} for token, value in score.top] for score in scores]
    return {"chosenCandidates": chosen, "topCandidates": [{"candidates": step} for step in steps]}


def write_part(part: Part) -> Sequence[object]:
    """A part of an answer; nothing, where only another format can show it."""
    match part:
        case Text() | Refusal():
            return [{"text": part.text}]
        case Thinking():
            return [write_thought(part)]
        case ToolCall():
            return [write_call(part, carry(part.seal, part.origin))[0]]
        case Image() | Audio() | File():
            return _write_medium(part)
        case HostedCall() | HostedResult() | Opaque() if part.origin == ORIGIN:
            return [part.raw]
        case HostedCall() | HostedResult():
            return _write_foreign(part)
        case Opaque() | ToolResult():
            return []


def _write_medium(part: Image | Audio | File) -> Sequence[object]:
    source = None if part.source is None else write_source(part.source)
    if source is not None:
        return [source]
    return [{"text": part.transcript}] if isinstance(part, Audio) and part.transcript else []


def _write_foreign(part: HostedCall | HostedResult) -> Sequence[object]:
    """Code that another provider ran, as Gemini shows its own; other tools leave no part in Gemini's answers."""
    if part.tool != "code_execution":
        return []
    if isinstance(part, HostedResult):
        outcome = "OUTCOME_FAILED" if part.failed else "OUTCOME_OK"
        return [{"codeExecutionResult": {"outcome": outcome, "output": part.text}}]
    arguments = open_object(part.arguments)
    if arguments is None or "code" not in arguments:
        return []
    return [{"executableCode": {"language": "PYTHON", "code": arguments["code"]}}]
