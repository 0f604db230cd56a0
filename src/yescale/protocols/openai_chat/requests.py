"""Requests: a partial decode that reads what price and route need, and a splice that leaves every other byte alone."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.domain.tags import NO_TAGS
from yescale.protocols import fields
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.inline import BYTES_PER_TOKEN
from yescale.protocols.openai_chat import prompt, wishing
from yescale.protocols.openai_chat.schema import NOTHING, WireChat, WireEmbeddings, WireOptions
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.reading import BROKEN, explain, read, wrong
from yescale.protocols.tagging import body_tags

_CHAT: Final = msgspec.json.Decoder(WireChat)
_EMBEDDINGS: Final = msgspec.json.Decoder(WireEmbeddings)
_STRING: Final = msgspec.json.Encoder()

_MOST_TOKENS: Final = 2**30
_MOST_CHOICES: Final = 128

_EMPTY: Final = re.compile(rb"\{[ \t\r\n]*\}")
_MOST_SPACE: Final = 256  # bytes around a name that is looked for from its value
_OPTIONS_NAME: Final = re.compile(rb',?([ \t\r\n]*)"stream_options"[ \t\r\n]*:[ \t\r\n]*\Z')
_COMMA: Final = re.compile(rb"[ \t\r\n]*,")
_NAMING: Final = frozenset({"user", "safety_identifier", *wishing.NAMES})  # neither price nor rewrite reads them
_SINGLE: Final = frozenset((*WireChat.__struct_fields__, *WireEmbeddings.__struct_fields__, "include_usage")) - _NAMING
# Said twice, these would let the provider read another value than we priced.
_PRICED: Final = frozenset(name.encode() for name in {*WireChat.__struct_fields__} - _NAMING - {"messages"})
_MORE: Final = frozenset({b"image_url", b"input_audio", b"file_id", b"file_data", b"web_search_options"})  # than text
_TELLING: Final = re.compile(b'"(%b)"' % b"|".join(sorted(_PRICED | _MORE)))
_USUAL: Final = [b"model"]


def peek_chat(body: bytes, _: PathWords = NO_WORDS) -> Peek | Fault:
    """Read a chat request's model, limits and stream flags; a Fault names the field at fault."""
    try:
        wire = _CHAT.decode(body)
    except BROKEN as error:
        return explain(error)
    if wire.provider is not NOTHING or wire.usage is not NOTHING or wire.models is not NOTHING:
        return _peek_wishing(body, wire)
    declared, null = None, ""
    limited = wire.max_tokens is not UNSET or wire.max_completion_tokens is not UNSET or wire.n is not None
    if limited or not wire.model or not wire.messages:
        fault = _check_chat(wire)
        if fault is not None:
            return fault
        declared, null = _limits(wire)
    spans = prompt.find_texts(wire.messages, body)
    around = fields.omit_all(body, spans)
    names = _TELLING.findall(around)
    tokens = len(body) // BYTES_PER_TOKEN + 1
    if names != _USUAL or b"\\u" in around:
        if wire.stream_options is not UNSET:
            spans = prompt.find_contents(wire.messages, body)  # the rewrite looks among what is left
        fault = _check_names(names, around) or _check_options(wire, body, spans)
        if fault is not None:
            return fault
        if not _MORE.isdisjoint(names):
            tokens = prompt.bound_odd_prompt(body, around)
    options = wire.stream_options
    nobody = wire.user is NOTHING and wire.safety_identifier is NOTHING
    return Peek(
        model=ModelName(wire.model),
        prompt_tokens=tokens,
        stream=wire.stream is True,
        wants_usage=isinstance(options, WireOptions) and options.include_usage is True,
        declared=declared,
        limit_field=null,
        options_said=options is not UNSET,
        n=wire.n or 1,
        texts=spans,
        tags=NO_TAGS if nobody else body_tags(wire.user, wire.safety_identifier),
    )


def _peek_wishing(body: bytes, wire: WireChat) -> Peek | Fault:
    """Of a request that asks something of the gateway itself: what goes on of it is read as if that were not said."""
    wishes = wishing.read_wishes(body, wire)
    if isinstance(wishes, Fault):
        return wishes
    found = peek_chat(wishes.body)
    return found if isinstance(found, Fault) else replace(found, wishes=wishes)


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
    around = fields.omit(body, long)
    fault = _check_names(_TELLING.findall(around), around)
    if fault is not None:
        return fault
    tokens = len(body) // BYTES_PER_TOKEN + 1
    tags = NO_TAGS if wire.user is NOTHING else body_tags(wire.user)
    return Peek(model=ModelName(wire.model), prompt_tokens=tokens, outputs=False, long=long, tags=tags)


def rewrite(body: bytes, peek: Peek, change: Change) -> bytes:
    """The body with another model name, with usage asked for in a stream, with a limit where one must be.

    `body` is what `peek` was read from. Fields that are new go to the front; every other byte stays as it was.
    """
    settled = not peek.stream or (peek.wants_usage if change.ask_usage else not peek.options_said)
    if settled and change.model == peek.model and change.limit is None:
        return body
    spans = peek.texts or (peek.long,)
    edits: list[tuple[int, int, bytes]] = []
    added: list[bytes] = []
    if change.model != peek.model:
        edits.append((*fields.place_among(body, spans, "model", _SINGLE), _STRING.encode(change.model)))
    if not settled and not change.ask_usage:
        edits += _unask_usage(body, spans)
    elif not settled and peek.options_said:
        edits.append(_ask_usage(body, spans))
    elif not settled:
        added.append(b'"stream_options":{"include_usage":true},')
    if change.limit is not None:
        if peek.limit_field:
            edits.append((*fields.place_among(body, spans, peek.limit_field, _SINGLE), b"%d" % change.limit))
        else:
            added.append(b'"%b":%d,' % (change.limit_field.encode(), change.limit))
    return fields.splice(body, edits, b"".join(added))


def _ask_usage(body: bytes, spans: Sequence[fields.Span]) -> tuple[int, int, bytes]:
    """The edit that makes an existing `stream_options` ask for usage."""
    begin, end = fields.place_among(body, spans, "stream_options", _SINGLE)
    value = body[begin:end]
    if not value.startswith(b"{") or _EMPTY.fullmatch(value):
        return begin, end, b'{"include_usage":true}'
    inner = fields.members(value, _SINGLE)
    if "include_usage" in inner:
        inside = inner["include_usage"]
        return begin + inside[0], begin + inside[1], b"true"
    return begin + 1, begin + 1, b'"include_usage":true,'


def _unask_usage(body: bytes, spans: Sequence[fields.Span]) -> list[tuple[int, int, bytes]]:
    """The edit that takes `stream_options` out, for an upstream that refuses the field, be it null."""
    try:
        begin, end = fields.place_among(body, spans, "stream_options", _SINGLE)
    except (fields.Twice, fields.TooManyMarks):
        return []  # the upstream will say what it does not take
    name = _OPTIONS_NAME.search(body, max(0, begin - _MOST_SPACE), begin)
    if name is None:  # spelled in some odd way
        return [(begin, end, b"null")]
    behind = _COMMA.match(body, end)
    if behind is not None:
        return [(name.end(1), behind.end(), b"")]
    return [(name.start(), end, b"")]


def _check_names(names: list[bytes], around: bytes) -> Fault | None:
    """No field that price or route read may be said twice: providers differ in which one they take."""
    priced = [name for name in names if name in _PRICED]
    if len(priced) == len(set(priced)) and not fields.may_escape(around):
        return None
    return _check_reading(partial(fields.members, around, _SINGLE))  # which tells for certain


def _check_options(wire: WireChat, body: bytes, spans: Sequence[fields.Span]) -> Fault | None:
    """Whether the rewrite will find where to ask for usage."""
    options = wire.stream_options
    if wire.stream is True and isinstance(options, WireOptions) and options.include_usage is not True:
        return _check_reading(partial(_ask_usage, body, spans))
    return None


def _check_reading(look: Callable[[], object]) -> Fault | None:
    """What keeps the fields of the body from being found."""
    try:
        look()
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    return None


def _check_chat(wire: WireChat) -> Fault | None:
    if not wire.model:
        return wrong("model", "'model' is required, and must not be empty.")
    if not wire.messages:
        return wrong("messages", "'messages' must hold at least one message.")
    if isinstance(wire.max_tokens, int) and not 0 < wire.max_tokens <= _MOST_TOKENS:
        return wrong("max_tokens", f"'max_tokens' must be between 1 and {_MOST_TOKENS}.")
    if isinstance(wire.max_completion_tokens, int) and not 0 < wire.max_completion_tokens <= _MOST_TOKENS:
        return wrong("max_completion_tokens", f"'max_completion_tokens' must be between 1 and {_MOST_TOKENS}.")
    if wire.n is not None and not 0 < wire.n <= _MOST_CHOICES:
        return wrong("n", f"'n' must be between 1 and {_MOST_CHOICES}.")
    return None


def _limits(wire: WireChat) -> tuple[int | None, str]:
    """The output limit, and the name under which one was said as null. Of two limits the larger: a client that says
    both means one.
    """
    one, other = wire.max_tokens, wire.max_completion_tokens
    said = [limit for limit in (one, other) if isinstance(limit, int)]
    null = "max_completion_tokens" if other is None else "max_tokens" if one is None else ""
    return max(said, default=None), null
