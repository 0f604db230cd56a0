"""Requests that pass unchanged: what price and route read of them, and the few bytes that may differ."""

from typing import Final

from msgspec import Raw

from yescale.domain.faults import Fault
from yescale.domain.ids import ModelName
from yescale.protocols import fields
from yescale.protocols.codec import Malformed, PathWords
from yescale.protocols.fields import Span
from yescale.protocols.gemini_generate.members import Members, camel, each, open_member
from yescale.protocols.gemini_generate.prompt import bound_prompt
from yescale.protocols.gemini_generate.writing import ENCODER
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.reading import wrong

_MOST_TOKENS: Final = 2**30
_MOST_CHOICES: Final = 128
_CONFIG: Final = "generationConfig"
_LIMIT: Final = "maxOutputTokens"
_EMPTY: Final = Raw(b"{}")
_PREFIX: Final = b'"models/'
_SINGLE: Final = frozenset({"contents", "generationConfig", "generation_config", "model"})
_SINGLE_CONFIG: Final = frozenset({"maxOutputTokens", "max_output_tokens", "candidateCount", "candidate_count"})


def peek_generate(body: bytes, words: PathWords) -> Peek | Fault:
    """Read a request's limits; model and stream stand in its path. A Fault names the field at fault."""
    try:
        return _peek_generate(body, words)
    except Malformed as error:
        return error.fault


def _peek_generate(body: bytes, words: PathWords) -> Peek | Fault:
    members = Members(body)
    contents = members.take_raw("contents")
    if contents is None or not each(contents, "contents"):
        return wrong("contents", "'contents' must hold at least one content.")
    config = open_member(members, _CONFIG) or Members(_EMPTY)
    declared, n = config.take_int(_LIMIT), config.take_int("candidateCount")
    if declared is not None and not 0 < declared <= _MOST_TOKENS:
        return wrong(f"{_CONFIG}.{_LIMIT}", f"'{_CONFIG}.{_LIMIT}' must be between 1 and {_MOST_TOKENS}.")
    if n is not None and not 0 < n <= _MOST_CHOICES:
        return wrong(f"{_CONFIG}.candidateCount", f"'{_CONFIG}.candidateCount' must be between 1 and {_MOST_CHOICES}.")
    long = fields.find_long(body, b"contents", bytes(contents))
    fault = _check_single(body, long)
    if fault is not None:
        return fault
    return Peek(
        model=ModelName(words.model),
        prompt_tokens=bound_prompt(body),
        stream=words.stream,
        wants_usage=True,  # it stands in every answer
        declared=declared,
        n=1 if n is None else n,
        long=long,
    )


def rewrite(body: bytes, peek: Peek, change: Change) -> bytes:
    """The body with a limit where one must be, and with another model's name where it says one. Every other byte stays
    as it was.
    """
    if change.limit is None and change.model == peek.model:
        return body
    places = fields.members(fields.omit(body, peek.long), _SINGLE)
    edits: list[tuple[int, int, bytes]] = []
    added = b""
    if "model" in places and change.model != peek.model:
        begin, end = fields.place(body, peek.long, "model", _SINGLE)
        edits.append((begin, end, name_model(body[begin:end], change.model)))
    if change.limit is not None:
        name = next((name for name in places if camel(name) == _CONFIG), None)
        if name is None:
            added = b'"%b":{"%b":%d},' % (_CONFIG.encode(), _LIMIT.encode(), change.limit)
        else:
            edits.append(_limit(body, fields.place(body, peek.long, name, _SINGLE), change.limit))
    return fields.splice(body, edits, added)


def name_model(said: bytes, model: str) -> bytes:
    """Another model's name in the form in which one was said."""
    return ENCODER.encode(f"models/{model}" if said.startswith(_PREFIX) else model)


def _limit(body: bytes, place: Span, limit: int) -> tuple[int, int, bytes]:
    """The edit that sets a limit in a configuration that says none, or null."""
    begin, end = place
    value = body[begin:end]
    field = b'"%b":%d' % (_LIMIT.encode(), limit)
    inner = fields.members(value, _SINGLE_CONFIG) if value.startswith(b"{") else {}
    if not inner:
        return begin, end, b"{%b}" % field
    null = next((span for name, span in inner.items() if camel(name) == _LIMIT), None)
    if null is not None:
        return begin + null[0], begin + null[1], b"%d" % limit
    return begin + 1, begin + 1, field + b","


def _check_single(body: bytes, long: Span) -> Fault | None:
    """No field that price or rewrite read may be said twice: which one counts is not sure."""
    around = fields.omit(body, long)
    try:
        for name, (begin, end) in fields.members(around, _SINGLE).items():
            if camel(name) == _CONFIG and around[begin:end].startswith(b"{"):
                fields.members(around[begin:end], _SINGLE_CONFIG)
    except fields.Twice as twice:
        return wrong(str(twice), f"'{twice}' is said twice; say it once.")
    except fields.TooManyMarks:
        return wrong(None, "The request is nested or repeated too much to be read; send it in the usual form.")
    return None
