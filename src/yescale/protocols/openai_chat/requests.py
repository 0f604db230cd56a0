"""Requests: a partial decode that reads what price and route need, and a splice that leaves every other byte alone."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
from msgspec import UnsetType

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.protocols import fields
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.inline import BYTES_PER_TOKEN
from yescale.protocols.openai_chat import prompt
from yescale.protocols.openai_chat.schema import WireChat, WireEmbeddings, WireOptions
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.reading import read, wrong

_CHAT: Final = msgspec.json.Decoder(WireChat)
_EMBEDDINGS: Final = msgspec.json.Decoder(WireEmbeddings)
_STRING: Final = msgspec.json.Encoder()

_MOST_TOKENS: Final = 2**30
_MOST_CHOICES: Final = 128

_EMPTY: Final = re.compile(rb"\{[ \t\r\n]*\}")
_SINGLE: Final = frozenset((*WireChat.__struct_fields__, *WireEmbeddings.__struct_fields__, "include_usage"))
# Said twice, these would let the provider read another value than we priced.
_PRICED: Final = re.compile(b'"(?:%b)"' % b"|".join(n.encode() for n in WireChat.__struct_fields__ if n != "messages"))


def peek_chat(body: bytes, _: PathWords = NO_WORDS) -> Peek | Fault:
    """Read a chat request's model, limits and stream flags; a Fault names the field at fault."""
    wire = read(_CHAT, body)
    if isinstance(wire, Fault):
        return wire
    raw = bytes(wire.messages)
    fault = _check_chat(wire, raw)
    if fault is not None:
        return fault
    messages = prompt.read_messages(raw)
    if isinstance(messages, Fault):
        return messages
    if not messages:
        return wrong("messages", "'messages' must hold at least one message.")
    long = fields.find_long(body, b"messages", raw)
    around = fields.omit(body, long)
    options = wire.stream_options
    wants_usage = isinstance(options, WireOptions) and options.include_usage is True
    fault = _check_single(around)
    if fault is None and wire.stream is True and isinstance(options, WireOptions) and not wants_usage:
        fault = _check_reading(partial(_ask_usage, body, long))  # as the rewrite will
    if fault is not None:
        return fault
    return Peek(
        model=ModelName(wire.model),
        prompt_tokens=prompt.bound_prompt(messages, raw, around, len(body)),
        stream=wire.stream is True,
        wants_usage=wants_usage,
        declared=_declared(wire.max_tokens, wire.max_completion_tokens),
        limit_field=_null_limit(wire),
        options_said=not isinstance(options, UnsetType),
        n=1 if wire.n is None else wire.n,
        long=long,
    )


def peek_embeddings(body: bytes, _: PathWords = NO_WORDS) -> Peek | Fault:
    """Read an embeddings request's model; a Fault names the field at fault."""
    wire = read(_EMBEDDINGS, body)
    if isinstance(wire, Fault):
        return wire
    raw = bytes(wire.input)
    if raw[:1] not in b'["':
        return wrong("input", "'input' must be a string, an array of strings, or an array of tokens.")
    if not wire.model:
        return wrong("model", "'model' must not be empty.")
    long = fields.find_long(body, b"input", raw)
    fault = _check_single(fields.omit(body, long))
    if fault is not None:
        return fault
    tokens = len(body) // BYTES_PER_TOKEN + 1
    return Peek(model=ModelName(wire.model), prompt_tokens=tokens, outputs=False, long=long)


def rewrite(body: bytes, peek: Peek, change: Change) -> bytes:
    """The body with another model name, with usage asked for in a stream, with a limit where one must be.

    `body` is what `peek` was read from. Fields that are new go to the front; every other byte stays as it was.
    """
    if change.model == peek.model and change.limit is None and (peek.wants_usage or not peek.stream):
        return body
    edits: list[tuple[int, int, bytes]] = []
    added: list[bytes] = []
    if change.model != peek.model:
        edits.append((*fields.place(body, peek.long, "model", _SINGLE), _STRING.encode(change.model)))
    if peek.stream and not peek.wants_usage:
        if peek.options_said:
            edits.append(_ask_usage(body, peek.long))
        else:
            added.append(b'"stream_options":{"include_usage":true},')
    if change.limit is not None:
        if peek.limit_field:
            edits.append((*fields.place(body, peek.long, peek.limit_field, _SINGLE), b"%d" % change.limit))
        else:
            added.append(b'"%b":%d,' % (change.limit_field.encode(), change.limit))
    return fields.splice(body, edits, b"".join(added))


def _ask_usage(body: bytes, long: fields.Span) -> tuple[int, int, bytes]:
    """The edit that makes an existing `stream_options` ask for usage."""
    begin, end = fields.place(body, long, "stream_options", _SINGLE)
    value = body[begin:end]
    if not value.startswith(b"{") or _EMPTY.fullmatch(value):
        return begin, end, b'{"include_usage":true}'
    inner = fields.members(value, _SINGLE)
    if "include_usage" in inner:
        inside = inner["include_usage"]
        return begin + inside[0], begin + inside[1], b"true"
    return begin + 1, begin + 1, b'"include_usage":true,'


def _check_single(around: bytes) -> Fault | None:
    """No field that price or route read may be said twice: providers differ in which one they take."""
    return _check_reading(partial(fields.members, around, _SINGLE)) if fields.may_repeat(around, _PRICED) else None


def _check_reading(look: Callable[[], object]) -> Fault | None:
    """What keeps the fields of the body from being found."""
    try:
        look()
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    return None


def _check_chat(wire: WireChat, messages: bytes) -> Fault | None:
    if not wire.model:
        return wrong("model", "'model' must not be empty.")
    if messages[:1] != b"[":
        return wrong("messages", "'messages' must be an array.")
    if isinstance(wire.max_tokens, int) and not 0 < wire.max_tokens <= _MOST_TOKENS:
        return wrong("max_tokens", f"'max_tokens' must be between 1 and {_MOST_TOKENS}.")
    if isinstance(wire.max_completion_tokens, int) and not 0 < wire.max_completion_tokens <= _MOST_TOKENS:
        return wrong("max_completion_tokens", f"'max_completion_tokens' must be between 1 and {_MOST_TOKENS}.")
    if wire.n is not None and not 0 < wire.n <= _MOST_CHOICES:
        return wrong("n", f"'n' must be between 1 and {_MOST_CHOICES}.")
    return None


def _declared(one: int | UnsetType | None, other: int | UnsetType | None) -> int | None:
    """The larger of two limits: a client that says both means one."""
    if not isinstance(other, int):
        return one if isinstance(one, int) else None
    return max(one, other) if isinstance(one, int) else other


def _null_limit(wire: WireChat) -> str:
    if wire.max_completion_tokens is None:
        return "max_completion_tokens"
    return "max_tokens" if wire.max_tokens is None else ""
