"""Requests: a partial decode that reads what price and route need, and a splice that leaves every other byte alone."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct, UnsetType

from yescale.domain.faults import MALFORMED, Fault
from yescale.domain.ids import ModelName
from yescale.protocols.openai_chat.schema import WireChat, WireEmbeddings, WireOptions
from yescale.protocols.passthrough import Change, Peek

_Wire = TypeVar("_Wire", bound=Struct)

_CHAT: Final = msgspec.json.Decoder(WireChat)
_EMBEDDINGS: Final = msgspec.json.Decoder(WireEmbeddings)
_STRING: Final = msgspec.json.Encoder()

_MOST_TOKENS: Final = 2**30
_MOST_CHOICES: Final = 128
_MOST_MARKS: Final = 400_000  # strings and brackets looked at in an odd body, so that it cannot hold the loop
_BYTES_PER_PROMPT_TOKEN: Final = 2  # no usual text has more tokens than this
_IMAGE_TOKENS: Final = 3_000  # at most, of one picture, whatever its bytes
_LARGE: Final = 8_192  # bytes; below, inline pictures do not matter
_SHORT: Final = 64  # bytes; a longer array is taken to hold something
_SHORTEST_INLINE: Final = 1_024  # bytes of base64 worth leaving out
_MOST_INLINE: Final = 4_096  # pictures looked for
_BYTES_PER_SOUND_TOKEN: Final = 100  # base64 of compressed speech is far above this
_WHOLE_CONTEXT: Final = 2**40  # the prompt may fill whatever the model takes

# A field name with an escaped letter could hide a second `model` from a search.
_ESCAPED_NAME: Final = re.compile(rb"\\u00[5-7]")
# Where JSON itself, not a text that quotes it, begins a picture or a sound: only these are no text to the model.
_INLINE: Final = re.compile(rb'"(?:url"\s*:\s*"data:[^"\\]{0,100};base64,|data"\s*:\s*")')
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=]{64,}")
_MARK: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)
_AFTER_NAME: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_SCALAR: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^\s,{}\[\]"]+', re.DOTALL)
_FIRST: Final = re.compile(rb"[ \t\r\n]*\{")
_EMPTY: Final = re.compile(rb"\{[ \t\r\n]*\}")
_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `([^`]+)`")

# Said twice, these would let the provider read another value than we priced.
_PRICED: Final = re.compile(b'"(?:%b)"' % b"|".join(n.encode() for n in WireChat.__struct_fields__ if n != "messages"))
_SINGLE: Final = frozenset((*WireChat.__struct_fields__, *WireEmbeddings.__struct_fields__, "include_usage"))
_CALLS_FOR_MORE: Final = re.compile(rb'"(?:file_id|file_data|web_search_options)"')  # text that we do not see


def peek_chat(body: bytes) -> Peek | Fault:
    """Read a chat request's model, limits and stream flags; a Fault names the field at fault."""
    text = body if len(body) < _LARGE else _leave_out_inline(body)
    wire = _decode(_CHAT, text)
    if isinstance(wire, Fault):
        return wire if text is body else _explain_whole(body, wire)
    options = wire.stream_options
    wants_usage = isinstance(options, WireOptions) and options.include_usage is True
    fault = _check_chat(wire) or _check_single(text)
    if fault is None and wire.stream is True and isinstance(options, WireOptions) and not wants_usage:
        fault = _check_reading(partial(_ask_usage, body))  # as the rewrite will
    if fault is not None:
        return fault
    return Peek(
        model=ModelName(wire.model),
        prompt_tokens=_bound_prompt(text, len(body) - len(text)),
        stream=wire.stream is True,
        wants_usage=wants_usage,
        declared=_declared(wire),
        limit_field=_null_limit(wire),
        options_said=not isinstance(options, UnsetType),
        n=1 if wire.n is None else wire.n,
    )


def peek_embeddings(body: bytes) -> Peek | Fault:
    """Read an embeddings request's model; a Fault names the field at fault."""
    wire = _decode(_EMBEDDINGS, body)
    if isinstance(wire, Fault):
        return wire
    if _kind(wire.input) not in b'["':
        return _wrong("input", "'input' must be a string, an array of strings, or an array of tokens.")
    if not wire.model:
        return _wrong("model", "'model' must not be empty.")
    fault = _check_single(body)
    if fault is not None:
        return fault
    return Peek(model=ModelName(wire.model), prompt_tokens=_bound_prompt(body, 0), outputs=False)


def rewrite(body: bytes, peek: Peek, change: Change) -> bytes:
    """The body with another model name, with usage asked for in a stream, with a limit where one must be.

    `body` is what `peek` was read from. Fields that are new go to the front; every other byte stays as it was.
    """
    edits: list[tuple[int, int, bytes]] = []
    added: list[bytes] = []
    if change.model != peek.model:
        edits.append((*_place(body, "model"), _STRING.encode(change.model)))
    if peek.stream and not peek.wants_usage:
        if peek.options_said:
            edits.append(_ask_usage(body))
        else:
            added.append(b'"stream_options":{"include_usage":true},')
    if change.limit is not None:
        if peek.limit_field:
            edits.append((*_place(body, peek.limit_field), b"%d" % change.limit))
        else:
            added.append(b'"%b":%d,' % (change.limit_field.encode(), change.limit))
    if not edits and not added:
        return body
    return _splice(body, edits, b"".join(added))


def _splice(body: bytes, edits: list[tuple[int, int, bytes]], added: bytes) -> bytes:
    first = _FIRST.match(body)
    start = first.end() if first is not None else 0
    pieces = [body[:start], added]
    at = start
    for begin, end, new in sorted(edits):
        pieces += (body[at:begin], new)
        at = end
    pieces.append(body[at:])
    return b"".join(pieces)


def _ask_usage(body: bytes) -> tuple[int, int, bytes]:
    """The edit that makes an existing `stream_options` ask for usage."""
    begin, end = _place(body, "stream_options")
    value = body[begin:end]
    if not value.startswith(b"{") or _EMPTY.fullmatch(value):
        return begin, end, b'{"include_usage":true}'
    inner = _members(value)
    if "include_usage" in inner:
        inside = inner["include_usage"]
        return begin + inside[0], begin + inside[1], b"true"
    return begin + 1, begin + 1, b'"include_usage":true,'


def _place(body: bytes, name: str) -> tuple[int, int]:
    """Where the value of a top-level field lies. The field is there: the peek has read it."""
    quoted = b'"%b"' % name.encode()
    at = body.find(quoted)
    if body.find(quoted, at + 1) < 0 and _ESCAPED_NAME.search(body) is None:
        # The only such text in the body, and the decoder found the field at the top: this is it.
        colon = _AFTER_NAME.match(body, at + len(quoted))
        value = _SCALAR.match(body, colon.end()) if colon is not None else None
        if value is not None:
            return value.span()
    return _members(body)[name]


class _TooManyMarks(ValueError):
    """A body with more strings and brackets than are looked at."""


class _Twice(ValueError):
    """A field that price, route or rewrite read is said twice."""


def _members(body: bytes) -> dict[str, tuple[int, int]]:
    """Name and place of each top-level value of valid JSON. Raises _Twice, _TooManyMarks."""
    found: dict[str, tuple[int, int]] = {}
    depth = 0
    name: str | None = None
    begin = 0
    for count, mark in enumerate(_MARK.finditer(body)):
        if count > _MOST_MARKS:
            raise _TooManyMarks
        kind = mark.group()
        if kind in (b"{", b"["):
            depth += 1
        elif kind in (b"}", b"]"):
            depth -= 1
        if depth > 1:
            continue
        if name is None and kind.startswith(b'"'):
            name = _read_name(kind)
        elif name is not None and kind == b":" and not begin:
            begin = mark.end()
        elif name is not None and kind in (b",", b"}") and (kind == b"," or not depth):
            _note(found, name, body, begin, mark.start())
            name, begin = None, 0
    return found


def _read_name(quoted: bytes) -> str:
    """The name between the quotes. One that is no text is none of ours: the decoder skips such a field unread."""
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return quoted.decode("latin-1")


def _note(found: dict[str, tuple[int, int]], name: str, body: bytes, begin: int, end: int) -> None:
    if name in found and name in _SINGLE:
        raise _Twice(name)
    value = body[begin:end]
    found[name] = (begin + len(value) - len(value.lstrip()), end - len(value) + len(value.rstrip()))


def _check_single(body: bytes) -> Fault | None:
    """No field that price or route read may be said twice: providers differ in which one they take."""
    named = _PRICED.findall(body)
    if len(named) == len(set(named)) and _ESCAPED_NAME.search(body) is None:
        return None
    return _check_reading(partial(_members, body))


def _check_reading(look: Callable[[], object]) -> Fault | None:
    """What keeps the fields of the body from being found."""
    try:
        look()
    except _Twice as twice:
        return _wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except _TooManyMarks:
        return _wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    return None


def _decode(decoder: msgspec.json.Decoder[_Wire], body: bytes) -> _Wire | Fault:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        return _explain(str(error))
    except msgspec.DecodeError as error:
        where = str(error).removeprefix("JSON is malformed: ").lower()
        return _wrong(None, f"The body is not valid JSON: {where}.")
    except UnicodeDecodeError as error:
        return _wrong(None, f"The body is not valid JSON: a string is not UTF-8 ({error.reason}).")
    except RecursionError:
        return _wrong(None, "The body is not valid JSON for this API: nested too deep.")


def _explain(error: str) -> Fault:
    """A validation error in our words, with the field at fault."""
    missing = _MISSING.search(error)
    path = _PATH.search(error)
    inside = path.group(1) if path is not None else ""
    if missing is not None:
        field = f"{inside}.{missing.group(1)}" if inside else missing.group(1)
        return _wrong(field, f"'{field}' is required.")
    if not inside:
        return _wrong(None, f"The body must be a JSON object: {error}.")
    reason = error[: path.start()] if path is not None else error
    return _wrong(inside, f"'{inside}' is of the wrong type: {reason.lower().replace('`', '')}.")


def _check_chat(wire: WireChat) -> Fault | None:
    if not wire.model:
        return _wrong("model", "'model' must not be empty.")
    if _kind(wire.messages) not in b"[":
        return _wrong("messages", "'messages' must be an array.")
    if len(memoryview(wire.messages)) < _SHORT and not bytes(memoryview(wire.messages)[1:-1]).strip():
        return _wrong("messages", "'messages' must hold at least one message.")
    for name, limit in (("max_tokens", wire.max_tokens), ("max_completion_tokens", wire.max_completion_tokens)):
        if isinstance(limit, int) and not 0 < limit <= _MOST_TOKENS:
            return _wrong(name, f"'{name}' must be between 1 and {_MOST_TOKENS}.")
    if wire.n is not None and not 0 < wire.n <= _MOST_CHOICES:
        return _wrong("n", f"'n' must be between 1 and {_MOST_CHOICES}.")
    return None


def _declared(wire: WireChat) -> int | None:
    limits = [limit for limit in (wire.max_tokens, wire.max_completion_tokens) if isinstance(limit, int)]
    return max(limits) if limits else None


def _null_limit(wire: WireChat) -> str:
    if wire.max_completion_tokens is None:
        return "max_completion_tokens"
    return "max_tokens" if wire.max_tokens is None else ""


def _kind(raw: Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


def _bound_prompt(text: bytes, inline: int) -> int:
    """More tokens than the prompt can count as: half its bytes, pictures and sound by table, and the whole context
    where the provider adds text that we do not see. `inline`: bytes of pictures and sound that were left out.
    """
    if _CALLS_FOR_MORE.search(text) is not None:
        return _WHOLE_CONTEXT
    pictures = (text.count(b'"image_url"') + 1) // 2  # a part says it as its type and as its field
    if inline and not pictures and b'"input_audio"' not in text:
        return (len(text) + inline) // _BYTES_PER_PROMPT_TOKEN + 1  # it only looked like a picture
    sound = inline if b'"input_audio"' in text else 0
    return len(text) // _BYTES_PER_PROMPT_TOKEN + pictures * _IMAGE_TOKENS + sound // _BYTES_PER_SOUND_TOKEN + 1


def _leave_out_inline(body: bytes) -> bytes:
    """The body without the base64 of its pictures and sound: as valid as it was, and much shorter to look through.

    What is left out holds neither a quote nor a backslash, so the string that held it ends where it ended.
    """
    pieces: list[bytes] = []
    at = kept = 0
    while (mark := _INLINE.search(body, at)) is not None and len(pieces) < _MOST_INLINE:
        at = mark.end()
        end = body.find(b'"', at)
        if end - at >= _SHORTEST_INLINE and body.find(b"\\", at, end) < 0 and _BASE64.match(body, at, end):
            pieces.append(body[kept:at])
            at = kept = end
    return b"".join((*pieces, body[kept:])) if pieces else body


def _explain_whole(body: bytes, fault: Fault) -> Fault:
    """The fault of the whole body: its places are the ones that the client knows."""
    wire = _decode(_CHAT, body)
    return wire if isinstance(wire, Fault) else fault


def _wrong(field: str | None, message: str) -> Fault:
    return MALFORMED.saying(message, param=field)
