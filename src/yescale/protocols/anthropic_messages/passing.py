"""Requests that pass unchanged: what price and route need of one, and the few bytes that may differ on its way up."""

import re
from functools import partial
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.tags import NO_TAGS, Tags
from yescale.protocols import fields
from yescale.protocols.anthropic_messages.prompt import bound_prompt
from yescale.protocols.anthropic_messages.schema import NOTHING, WirePeek
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.reading import read, wrong
from yescale.protocols.tagging import body_tags


class WireNaming(Struct, frozen=True, gc=False):
    """`metadata`, as far as a tag is made of it."""

    user_id: Raw = NOTHING


_PEEK: Final = msgspec.json.Decoder(WirePeek)
_NAMING: Final = msgspec.json.Decoder(WireNaming)
_STRING: Final = msgspec.json.Encoder()
_MOST_TOKENS: Final = 2**30
_LIMIT: Final = "max_tokens"
_DEFAULT_LIMIT: Final = 4_096  # Anthropic wants one said
_EMPTY_LIST: Final = re.compile(rb"\[[ \t\r\n]*\]")
_SYSTEM_TURN: Final = re.compile(rb'"role"[ \t\r\n]*:[ \t\r\n]*"system"')
_SINGLE: Final = frozenset(WirePeek.__struct_fields__) - {"metadata"}
# Said twice, these would let the provider read another value than we priced.
_PRICED: Final = re.compile(b'"(?:%b)"' % b"|".join(n.encode() for n in sorted(_SINGLE - {"messages"})))


def peek_messages(body: bytes, _: PathWords = NO_WORDS, *, outputs: bool = True) -> Peek | Fault:
    """Read a request's model, limit and stream flag; a Fault names the field at fault."""
    wire = read(_PEEK, body)
    if isinstance(wire, Fault):
        return wire
    messages = bytes(wire.messages)
    fault = _check(wire, messages)
    if fault is not None:
        return fault
    long = fields.find_long(body, b"messages", messages)
    around = fields.omit(body, long)
    fault = _check_single(around)
    if fault is not None:
        return fault
    return Peek(
        model=ModelName(wire.model),
        prompt_tokens=bound_prompt(wire, len(body)),
        stream=outputs and wire.stream is True,
        wants_usage=True,  # every stream ends with it
        declared=wire.max_tokens if isinstance(wire.max_tokens, int) else None,
        limit_field=_LIMIT if wire.max_tokens is None else "",
        outputs=outputs,
        late_system=outputs and _has_system(messages),
        long=long,
        tags=NO_TAGS if wire.metadata is NOTHING else _tags(wire.metadata),
    )


peek_count: Final = partial(peek_messages, outputs=False)


def rewrite(body: bytes, peek: Peek, change: Change) -> bytes:
    """The body with another model name, and with an output limit where it has none: Anthropic refuses it without.

    `body` is what `peek` was read from. Every other byte stays as it was.
    """
    edits: list[tuple[int, int, bytes]] = []
    added = b""
    if change.model != peek.model:
        edits.append((*fields.place(body, peek.long, "model", _SINGLE), _STRING.encode(change.model)))
    if peek.outputs and peek.declared is None:
        limit = b"%d" % (_DEFAULT_LIMIT if change.limit is None else change.limit)
        if peek.limit_field:
            edits.append((*fields.place(body, peek.long, _LIMIT, _SINGLE), limit))
        else:
            added = b'"max_tokens":%b,' % limit
    return fields.splice(body, edits, added) if edits or added else body


def _tags(metadata: Raw) -> Tags:
    said = read(_NAMING, bytes(metadata))
    return NO_TAGS if isinstance(said, Fault) else body_tags(said.user_id)


def _check(wire: WirePeek, messages: bytes) -> Fault | None:
    if not wire.model:
        return wrong("model", "'model' must not be empty.")
    if messages[:1] != b"[":
        return wrong("messages", "'messages' must be an array.")
    if _EMPTY_LIST.fullmatch(messages):
        return wrong("messages", "'messages' must hold at least one message.")
    if isinstance(wire.max_tokens, int) and not 0 <= wire.max_tokens <= _MOST_TOKENS:
        return wrong(_LIMIT, f"'max_tokens' must be between 0 and {_MOST_TOKENS}.")
    return None


def _has_system(messages: bytes) -> bool:
    """Whether a message of the system stands among the turns. No text can say so: its quotes are escaped."""
    return b'"system"' in messages and _SYSTEM_TURN.search(messages) is not None


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
