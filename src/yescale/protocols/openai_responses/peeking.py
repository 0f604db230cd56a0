"""The pass-through side of requests: what price and route need, and a splice that leaves every other byte alone."""

import re
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.tags import NO_TAGS
from yescale.protocols import fields
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.openai_responses.prompt import WHOLE_CONTEXT, bound_prompt
from yescale.protocols.openai_responses.schema import NOTHING, WireHead, WireItemHead, said
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.reading import read, wrong
from yescale.protocols.tagging import body_tags

_MOST_TOKENS: Final = 2**30
_QUOTE: Final = ord('"')
_LIMIT: Final = "max_output_tokens"


class WireCreate(Struct, frozen=True, gc=False):
    """What price and route read of a request. Absent and null differ where a rewrite would have to know."""

    model: str
    input: Raw = NOTHING
    stream: bool | None = None
    max_output_tokens: int | UnsetType | None = UNSET
    background: bool | None = None
    previous_response_id: Raw = NOTHING
    conversation: Raw = NOTHING
    prompt: Raw = NOTHING
    tools: list[WireHead] | None = None
    user: Raw = NOTHING
    safety_identifier: Raw = NOTHING


_CREATE: Final = msgspec.json.Decoder(WireCreate)
_ITEMS: Final = msgspec.json.Decoder(list[WireItemHead])
_STRING: Final = msgspec.json.Encoder()
_SINGLE: Final = frozenset(WireCreate.__struct_fields__) - {"user", "safety_identifier"}
# Said twice, these would let the provider read another value than we priced.
_PRICED: Final = re.compile(b'"(?:%b)"' % b"|".join(name.encode() for name in sorted(_SINGLE - {"input"})))


def peek(body: bytes, _: PathWords = NO_WORDS) -> Peek | Fault:
    """Read a request's model, limit and stream flag; a Fault names the field at fault."""
    wire = read(_CREATE, body)
    if isinstance(wire, Fault):
        return wire
    raw = bytes(wire.input) if said(wire.input) else b'""'
    fault = _check(wire, raw)
    if fault is not None:
        return fault
    items = [] if raw[0] == _QUOTE else read(_ITEMS, raw, "input")
    if isinstance(items, Fault):
        return items
    long = fields.find_long(body, b"input", raw)
    fault = _check_single(fields.omit(body, long))
    if fault is not None:
        return fault
    limit = wire.max_output_tokens
    nobody = wire.user is NOTHING and wire.safety_identifier is NOTHING
    goes_on = said(wire.previous_response_id) or said(wire.conversation) or said(wire.prompt)
    return Peek(
        model=ModelName(wire.model),
        prompt_tokens=WHOLE_CONTEXT if goes_on else bound_prompt(items, wire.tools or (), raw, len(body)),
        stream=wire.stream is True,
        wants_usage=True,  # each stream ends with it
        declared=limit if isinstance(limit, int) else None,
        limit_field=_LIMIT if limit is None else "",
        long=long,
        tags=NO_TAGS if nobody else body_tags(wire.user, wire.safety_identifier),
    )


def rewrite(body: bytes, peek: Peek, change: Change) -> bytes:
    """The body with another model name, and with a limit where one must be. Every other byte stays as it was."""
    edits: list[tuple[int, int, bytes]] = []
    added = b""
    if change.model != peek.model:
        edits.append((*fields.place(body, peek.long, "model", _SINGLE), _STRING.encode(change.model)))
    if change.limit is not None and peek.limit_field:
        edits.append((*fields.place(body, peek.long, _LIMIT, _SINGLE), b"%d" % change.limit))
    elif change.limit is not None:
        added = b'"%b":%d,' % (_LIMIT.encode(), change.limit)
    return fields.splice(body, edits, added) if edits or added else body


def _check(wire: WireCreate, raw: bytes) -> Fault | None:
    if not wire.model:
        return wrong("model", "'model' must not be empty.")
    if raw[:1] not in {b'"', b"["}:
        return wrong("input", "'input' must be a string or an array of items.")
    if wire.background is True:
        return wrong("background", "Responses in the background are not offered here; leave 'background' out.")
    limit = wire.max_output_tokens
    if isinstance(limit, int) and not 0 < limit <= _MOST_TOKENS:
        return wrong(_LIMIT, f"'{_LIMIT}' must be between 1 and {_MOST_TOKENS}.")
    return None


def _check_single(around: bytes) -> Fault | None:
    """No field that price or route read may be said twice: providers differ in which one they take."""
    if not fields.may_repeat(around, _PRICED):
        return None
    try:
        fields.members(around, _SINGLE)
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    return None
