"""Events of a stream in canonical form: one vocabulary that every decoder speaks and every encoder understands.

Per choice: parts start, grow and end one after another, never within each other; then the message ends. Parts that no
delta knows come whole with their start. `event_grammar` checks all this.
"""

from typing import Literal

from msgspec import Struct

from yescale.domain.chat import StopReason, TokenScore
from yescale.domain.content import Citation, Part
from yescale.domain.usage import Usage

DeltaKind = Literal["text", "arguments", "seal", "audio", "transcript"]


class MessageStart(Struct, frozen=True, kw_only=True, gc=False):
    """The first event, once per stream. `input_tokens` is what the provider says of the prompt, 0 = nothing."""

    id: str = ""
    model: str = ""
    created: int = 0
    service_tier: str = ""
    input_tokens: int = 0


class PartStart(Struct, frozen=True, kw_only=True, gc=False):
    """A part begins. `part` says its kind and what is known of it; deltas add to it. Indices count up from 0."""

    index: int
    part: Part
    choice: int = 0


class PartDelta(Struct, frozen=True, kw_only=True, gc=False):
    """The open part grows: `text` of Text, Thinking and Refusal; `arguments` of a ToolCall; `audio` (base64 whose
    bytes continue) and `transcript` of Audio; a `seal` is whole.
    """

    index: int
    kind: DeltaKind
    data: str
    choice: int = 0


class Cited(Struct, frozen=True, kw_only=True, gc=False):
    """The open text rests on something."""

    index: int
    citation: Citation
    choice: int = 0


class Scored(Struct, frozen=True, kw_only=True, gc=False):
    """Log probabilities of the tokens that came last."""

    scores: tuple[TokenScore, ...]
    choice: int = 0


class PartEnd(Struct, frozen=True, kw_only=True, gc=False):
    """The open part is whole."""

    index: int
    choice: int = 0


class MessageEnd(Struct, frozen=True, kw_only=True, gc=False):
    """A choice is whole."""

    reason: StopReason
    raw_reason: str = ""
    stop_sequence: str = ""
    choice: int = 0


class UsageReport(Struct, frozen=True, gc=False):
    """The usage up to here; the last one is the whole call's. `partial`: its output may still grow; `tier`: which one
    serves it, "" = the usual one.
    """

    usage: Usage
    partial: bool = False
    tier: str = ""


class StreamError(Struct, frozen=True, kw_only=True, gc=False):
    """The upstream says that it failed; nothing follows."""

    message: str
    code: str = ""
    type: str = ""


class StreamEnd(Struct, frozen=True, gc=False):
    """The format's end mark has come, or what stands for one: without it a stream was cut."""


Event = (
    MessageStart | PartStart | PartDelta | Cited | Scored | PartEnd | MessageEnd | UsageReport | StreamError | StreamEnd
)
