"""Rerank in the shapes of Cohere and Jina, carried unchanged: documents ordered by how well they fit a query.

Sources: https://docs.cohere.com/reference/rerank, https://api.jina.ai/redoc (/v1/rerank).
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.usage import Meter, Usage
from yescale.protocols import fields
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.inline import BYTES_PER_TOKEN
from yescale.protocols.passthrough import Answer, Peek
from yescale.protocols.reading import read, wrong


class WireRerank(Struct, frozen=True, gc=False):
    """A request to /rerank. Jina takes pictures, too, so query and documents may be objects."""

    model: str
    query: Raw
    documents: list[Raw]
    top_n: int | None = None


class WireUsage(Struct, frozen=True, gc=False):
    """Jina's `usage`."""

    total_tokens: int | None = None
    prompt_tokens: int | None = None


class WireBilled(Struct, frozen=True, gc=False):
    """Cohere's `meta.billed_units`."""

    search_units: int | float | None = None
    total_tokens: int | None = None


class WireTokens(Struct, frozen=True, gc=False):
    """Cohere's `meta.tokens`."""

    input_tokens: int | float | None = None


class WireMeta(Struct, frozen=True, gc=False):
    """Cohere's `meta`."""

    billed_units: WireBilled | None = None
    tokens: WireTokens | None = None


class WireRanking(Struct, frozen=True, gc=False):
    """The answer."""

    results: list[Raw]
    usage: WireUsage | None = None
    meta: WireMeta | None = None


_REQUEST: Final = msgspec.json.Decoder(WireRerank)
_ANSWER: Final = msgspec.json.Decoder(WireRanking)
_SINGLE: Final = frozenset(WireRerank.__struct_fields__)
_TEXT: Final = b'"{'


def peek(body: bytes, _: PathWords = NO_WORDS) -> Peek | Fault:
    """Read a request's model; a Fault names the field at fault. The query counts once for each document."""
    wire = read(_REQUEST, body)
    if isinstance(wire, Fault):
        return wire
    if not wire.model:
        return wrong("model", "'model' must not be empty.")
    if bytes(wire.query)[:1] not in _TEXT:
        return wrong("query", "'query' must be a string or an object.")
    if not wire.documents:
        return wrong("documents", "'documents' must hold at least one document.")
    for index, document in enumerate(wire.documents):
        if bytes(memoryview(document)[:1]) not in _TEXT:
            return wrong(f"documents[{index}]", f"'documents[{index}]' must be a string or an object.")
    if wire.top_n is not None and wire.top_n < 1:
        return wrong("top_n", "'top_n' must be at least 1.")
    try:
        fields.members(body, _SINGLE)
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    size = len(body) + len(memoryview(wire.query)) * len(wire.documents)
    return Peek(model=ModelName(wire.model), prompt_tokens=size // BYTES_PER_TOKEN + 1, outputs=False)


def read_answer(body: bytes) -> Answer | None:
    """A ranking, or None if this is none: tokens at Jina and its like, searches at Cohere."""
    try:
        wire = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return Answer(_usage(wire), _no_text)


def _usage(wire: WireRanking) -> Usage | None:
    usage: dict[Meter, int] = {}
    billed = (wire.meta.billed_units if wire.meta is not None else None) or WireBilled()
    tokens = (wire.meta.tokens if wire.meta is not None else None) or WireTokens()
    said = wire.usage or WireUsage()
    for count in (said.total_tokens, said.prompt_tokens, billed.total_tokens, tokens.input_tokens):
        if count is not None and count >= 0:
            usage[Meter.INPUT_TOKENS] = int(count)
            break
    if billed.search_units is not None and billed.search_units >= 0:
        usage[Meter.REQUESTS] = int(billed.search_units)
    return usage or None


def _no_text(_: bytes) -> int:
    return 0
