"""`:countTokens`: https://ai.google.dev/api/tokens. It makes no tokens and uses none."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.usage import NO_USAGE
from yescale.protocols.codec import Malformed, PathWords
from yescale.protocols.estimate import weigh
from yescale.protocols.gemini_generate.embeddings import open_all
from yescale.protocols.gemini_generate.members import Members, refuse
from yescale.protocols.gemini_generate.writing import BROKEN
from yescale.protocols.passthrough import Answer, Peek


class WireTotal(Struct, frozen=True, gc=False, rename="camel"):
    """The answer."""

    total_tokens: int


_ANYTHING: Final = msgspec.json.Decoder(dict[str, Any])
_TOTAL: Final = msgspec.json.Decoder(WireTotal)


def peek(body: bytes, words: PathWords) -> Peek | Fault:
    """What route needs of the request."""
    try:
        members = Members(body)
        if not open_all(members, "generateContentRequest") and not members.has("contents"):
            raise refuse("contents", "'contents' or 'generateContentRequest' must hold what is to be counted.")
    except Malformed as error:
        return error.fault
    return Peek(model=ModelName(words.model), prompt_tokens=0, wants_usage=True, outputs=False)


def read_answer(body: bytes) -> Answer | None:
    """A count, or None if this is none."""
    try:
        _TOTAL.decode(body)
    except BROKEN:
        return None
    return Answer(NO_USAGE, _no_text)


def _no_text(_: bytes) -> int:
    """A count is no text."""
    return 0


def answer_estimate(body: bytes) -> bytes:
    """An answer with an estimate, for models whose provider cannot count."""
    try:
        wire = _ANYTHING.decode(body)
    except BROKEN:
        wire = {}
    return b'{"totalTokens":%d}' % max(1, round(sum(weigh([wire]))))
