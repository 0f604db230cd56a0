"""Answers read: a whole response as a canonical one."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw

from yescale.domain.chat import ChatResponse, Choice, StopReason, TokenScore
from yescale.domain.content import Part, Refusal, ToolCall
from yescale.protocols.codec import Garbled
from yescale.protocols.openai_responses.items import BadItem, kind_of, read_item
from yescale.protocols.openai_responses.schema import WireContent, WireMessage, WireResponse, WireScore
from yescale.protocols.openai_responses.searches import add_searches
from yescale.protocols.openai_responses.usage import meters
from yescale.protocols.reading import BROKEN, expect_text

_RESPONSE: Final = msgspec.json.Decoder(WireResponse)
_MESSAGE: Final = msgspec.json.Decoder(WireMessage)
_CONTENT: Final = msgspec.json.Decoder(WireContent)
_SCORE: Final = msgspec.json.Decoder(WireScore)
_INCOMPLETE: Final[Mapping[str, StopReason]] = MappingProxyType(
    {"max_output_tokens": StopReason.LENGTH, "content_filter": StopReason.FILTERED}
)


def decode_response(body: bytes) -> ChatResponse:
    """A whole answer. Raises Garbled."""
    try:
        wire = _RESPONSE.decode(expect_text(body))
        if wire.output is None:
            raise Garbled("the answer has no output")
        parts = read_parts(wire.output)
        scores = tuple(score for raw in wire.output for score in _read_scores(raw))
    except (*BROKEN, BadItem) as error:
        raise Garbled(f"no response: {error}") from error
    reason, word = why_ended(wire, parts)
    return ChatResponse(
        id=wire.id,
        model=wire.model,
        choices=(Choice(parts=parts, reason=reason, raw_reason=word, scores=scores),),
        usage=add_searches(meters(wire.usage), wire.output),
        created=int(wire.created_at or 0),
        service_tier=wire.service_tier or "",
    )


def read_parts(output: Iterable[Raw]) -> tuple[Part, ...]:
    """The parts of an answer's items. Raises BadItem and msgspec's errors."""
    return tuple(part for raw in output for part in read_item(raw)[1])


def why_ended(wire: WireResponse, parts: Iterable[Part]) -> tuple[StopReason, str]:
    """Why a response ended, and OpenAI's word for it."""
    status = wire.status or ""
    if status == "incomplete":
        word = (wire.incomplete_details and wire.incomplete_details.reason) or status
        return _INCOMPLETE.get(word, StopReason.OTHER), word
    if status in {"failed", "cancelled"}:
        return StopReason.ERROR, str(wire.error.code or status) if wire.error is not None else status
    if status not in {"completed", ""}:
        return StopReason.OTHER, status
    kinds = {type(part) for part in parts}
    if ToolCall in kinds:
        return StopReason.TOOL_CALLS, status
    return StopReason.REFUSAL if Refusal in kinds else StopReason.END, status


def token_scores(wires: Iterable[WireScore]) -> tuple[TokenScore, ...]:
    """Log probabilities of tokens."""
    return tuple(
        TokenScore(
            token=wire.token,
            logprob=wire.logprob,
            top=tuple((each.token, each.logprob) for each in wire.top_logprobs or ()),
        )
        for wire in wires
    )


def _read_scores(raw: Raw) -> tuple[TokenScore, ...]:
    if kind_of(raw) != "message":
        return ()
    content = _MESSAGE.decode(raw).content
    if isinstance(content, str):
        return ()
    scores = (_SCORE.decode(score) for each in content for score in _CONTENT.decode(each).logprobs or ())
    return token_scores(scores)
